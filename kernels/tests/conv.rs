//! The convolutions against their textbook loops, to the bit.

mod common;

use common::{Source, assert_same_bits};
use fathom_kernels::conv::{self, backward_input_tuned, backward_weights_tuned, forward_tuned, layer_tuned};
use fathom_kernels::gemm::Tuning;
use fathom_kernels::{
    Activation, Blocks, ConvGeometry, Finish, Isa, Order, Parallelism, Reading, Real, TensorMut, TensorRef, reference,
};

/// Shapes of one convolution: images, filters, outputs.
#[derive(Clone, Copy, Debug)]
struct Shapes {
    geometry: ConvGeometry,
    x: [usize; 4],
    w: [usize; 4],
    y: [usize; 4],
}

fn random_shapes(source: &mut Source) -> Shapes {
    loop {
        let geometry = ConvGeometry {
            kernel: [source.between(1, 7), source.between(1, 7)],
            stride: [source.between(1, 3), source.between(1, 3)],
            padding: [source.between(0, 3), source.between(0, 3)],
            dilation: [source.between(1, 3), source.between(1, 3)],
        };
        let size = [source.between(1, 14), source.between(1, 14)];
        let Ok([oh, ow]) = geometry.output_size(size) else { continue };
        let (n, c, o) = (source.between(1, 3), source.between(1, 9), source.between(1, 14));
        let [kh, kw] = geometry.kernel;
        return Shapes { geometry, x: [n, c, size[0], size[1]], w: [o, c, kh, kw], y: [n, o, oh, ow] };
    }
}

/// Dense NCHW, channels outermost as the model layer stores them, or channels innermost.
fn strides(source: &mut Source, [n, c, h, w]: [usize; 4]) -> [usize; 4] {
    source.choose(&[[c * h * w, h * w, w, 1], [h * w, n * h * w, w, 1], [h * w * c, 1, w * c, c]])
}

fn len(shape: [usize; 4]) -> usize {
    shape.iter().product()
}

fn random_convolution<T: Real>(seed: u64) {
    let source = &mut Source::new(seed);
    let s = random_shapes(source);
    let (xs, ws, ys) = (strides(source, s.x), strides(source, s.w), strides(source, s.y));
    let (x, w, y) = (source.values::<T>(len(s.x)), source.values::<T>(len(s.w)), source.values::<T>(len(s.y)));
    let scales = [0.0, 1.0, -0.3].map(T::from_f64);
    let (alpha, beta) = (source.choose(&scales), source.choose(&scales));
    let view = |data, shape, strides| TensorRef::strided(data, shape, strides).unwrap();
    let (vx, vw, vy) = (view(&x, s.x, xs), view(&w, s.w, ws), view(&y, s.y, ys));

    let (mut ex, mut ew, mut ey) = (x.clone(), w.clone(), y.clone());
    reference::conv_forward(&s.geometry, alpha, vw, vx, beta, TensorMut::strided(&mut ey, s.y, ys).unwrap());
    reference::conv_backward_input(&s.geometry, alpha, vw, vy, beta, TensorMut::strided(&mut ex, s.x, xs).unwrap());
    reference::conv_backward_weights(&s.geometry, alpha, vy, vx, beta, TensorMut::strided(&mut ew, s.w, ws).unwrap());

    let small = Blocks { mc: source.between(1, 9), kc: source.between(1, 9), nc: source.between(1, 20) };
    for isa in Isa::available() {
        for blocks in [None, Some(small)] {
            let tuning = Tuning { blocks, ..Tuning::on(isa) };
            let (mut fx, mut fw, mut fy) = (x.clone(), w.clone(), y.clone());
            let to = |data, shape, strides| TensorMut::strided(data, shape, strides).unwrap();
            let parallelism = source.choose(&[Parallelism::Serial, Parallelism::Rayon]);
            forward_tuned(&tuning, &s.geometry, (alpha, vw), vx, (beta, to(&mut fy, s.y, ys)), parallelism);
            backward_input_tuned(&tuning, &s.geometry, (alpha, vw), vy, (beta, to(&mut fx, s.x, xs)), parallelism);
            backward_weights_tuned(&tuning, &s.geometry, (alpha, vy), vx, (beta, to(&mut fw, s.w, ws)), parallelism);
            let what = |which: &str| format!("{which} {} seed {seed} {isa} {blocks:?} {s:?}", T::NAME);
            assert_same_bits(&fy, &ey, || what("forward"));
            assert_same_bits(&fx, &ex, || what("backward_input"));
            assert_same_bits(&fw, &ew, || what("backward_weights"));
        }
    }
}

#[test]
fn same_bits_as_the_textbook_loops_on_random_geometry() {
    for seed in 0..250 {
        random_convolution::<f32>(seed);
        random_convolution::<f64>(seed);
    }
}

/// A few pixels whose channels are innermost, in images with gaps between their rows: few rows of C, an uneven step apart, meet
/// filters whose columns are contiguous.
fn few_pixels<T: Real>(source: &mut Source, size: [usize; 2]) {
    let geometry = ConvGeometry { kernel: [1, 1], stride: [1; 2], padding: [0; 2], dilation: [1, 1] };
    let (n, c, o) = (2, 70, 96);
    let gaps = |channels: usize| {
        let row = (size[1] + 1) * channels;
        let strides = [(size[0] + 2) * row, 1, row, channels];
        (strides, n * strides[0])
    };
    let ((xs, x_len), (ys, y_len)) = (gaps(c), gaps(o));
    let (x, w, y) = (source.values::<T>(x_len), source.values::<T>(o * c), source.values::<T>(y_len));
    let vx = TensorRef::strided(&x, [n, c, size[0], size[1]], xs).unwrap();
    let vw = TensorRef::dense(&w, [o, c, 1, 1]).unwrap();
    let shape = [n, o, size[0], size[1]];
    let mut expected = y.clone();
    let to = TensorMut::strided(&mut expected, shape, ys).unwrap();
    reference::conv_forward(&geometry, T::ONE, vw, vx, T::ONE, to);
    for isa in Isa::available() {
        for b in [None, Some(Reading::Columns)] {
            let tuning = Tuning { b, ..Tuning::on(isa) };
            let mut found = y.clone();
            let to = TensorMut::strided(&mut found, shape, ys).unwrap();
            forward_tuned(&tuning, &geometry, (T::ONE, vw), vx, (T::ONE, to), Parallelism::Serial);
            assert_same_bits(&found, &expected, || format!("{} {isa} {size:?} {b:?}", T::NAME));
        }
    }
}

#[test]
fn same_bits_for_a_few_pixels_with_gaps_between_their_rows() {
    for size in [[1, 1], [1, 2], [2, 1], [2, 2], [3, 2], [1, 5], [2, 4]] {
        few_pixels::<f32>(&mut Source::new(12), size);
        few_pixels::<f64>(&mut Source::new(13), size);
    }
}

/// One tap, and images whose channels are innermost: the rows of C lie an uneven step apart, so that a kernel computes one tile at a
/// time while it packs, or asks for, the next strip of B.
fn one_tap<T: Real>(source: &mut Source, (stride, padding): (usize, usize)) {
    let geometry = ConvGeometry { kernel: [1, 1], stride: [stride; 2], padding: [padding; 2], dilation: [1, 1] };
    let s = large_shapes(([2, 70, 7, 9], 83, geometry));
    let [x, w, y] = [s.x, s.w, s.y].map(|shape| source.values::<T>(len(shape)));
    let innermost = |[_, c, h, w]: [usize; 4]| [h * w * c, 1, w * c, c];
    let of = |data, shape| TensorRef::strided(data, shape, innermost(shape)).unwrap();
    // Filters that lie so that rows of B are contiguous, forward and backward.
    let [forward, backward] =
        [[1, s.w[0], 1, 1], [s.w[1], 1, 1, 1]].map(|strides| TensorRef::strided(&w, s.w, strides).unwrap());
    let [ex, ey] = {
        let (mut ex, mut ey) = (x.clone(), y.clone());
        let [to_x, to_y] = [(&mut ex, s.x), (&mut ey, s.y)]
            .map(|(data, shape)| TensorMut::strided(data, shape, innermost(shape)).unwrap());
        reference::conv_forward(&geometry, T::ONE, forward, of(&x, s.x), T::ONE, to_y);
        reference::conv_backward_input(&geometry, T::ONE, backward, of(&y, s.y), T::ONE, to_x);
        [ex, ey]
    };
    for isa in Isa::available() {
        for (b, order) in [Reading::InPassing, Reading::Streamed]
            .into_iter()
            .flat_map(|b| [(b, Order::RowsInside), (b, Order::StripsInside)])
        {
            let tuning = Tuning { b: Some(b), order: Some(order), ..Tuning::on(isa) };
            let (mut fx, mut fy) = (x.clone(), y.clone());
            let [to_x, to_y] = [(&mut fx, s.x), (&mut fy, s.y)]
                .map(|(data, shape)| TensorMut::strided(data, shape, innermost(shape)).unwrap());
            forward_tuned(&tuning, &geometry, (T::ONE, forward), of(&x, s.x), (T::ONE, to_y), Parallelism::Serial);
            backward_input_tuned(
                &tuning,
                &geometry,
                (T::ONE, backward),
                of(&y, s.y),
                (T::ONE, to_x),
                Parallelism::Serial,
            );
            let what = |which: &str| format!("{which} {} {tuning:?} {geometry:?}", T::NAME);
            assert_same_bits(&fy, &ey, || what("forward"));
            assert_same_bits(&fx, &ex, || what("backward_input"));
        }
    }
}

#[test]
fn strips_are_packed_in_passing_whatever_the_rows_of_c() {
    let source = &mut Source::new(9);
    for geometry in [(1, 0), (2, 0), (1, 1)] {
        one_tap::<f32>(source, geometry);
        one_tap::<f64>(source, geometry);
    }
}

/// Images large enough to be shared, copied in bands, and met tap by tap.
const LARGE: [([usize; 4], usize, ConvGeometry); 5] = {
    const fn geometry(kernel: [usize; 2], stride: usize, dilation: usize) -> ConvGeometry {
        let padding = [(kernel[0] - 1) * dilation / 2, (kernel[1] - 1) * dilation / 2];
        ConvGeometry { kernel, stride: [stride; 2], padding, dilation: [dilation; 2] }
    }
    [
        ([3, 20, 12, 17], 35, geometry([3, 3], 1, 1)),
        ([1, 70, 4, 4], 70, geometry([3, 3], 1, 1)),
        ([2, 3, 40, 41], 18, geometry([5, 5], 2, 1)),
        ([4, 33, 1, 60], 40, geometry([1, 3], 1, 1)),
        ([1, 17, 19, 21], 23, geometry([3, 3], 1, 2)),
    ]
};

fn large_shapes((x, outputs, geometry): ([usize; 4], usize, ConvGeometry)) -> Shapes {
    let [oh, ow] = geometry.output_size([x[2], x[3]]).unwrap();
    let [kh, kw] = geometry.kernel;
    Shapes { geometry, x, w: [outputs, x[1], kh, kw], y: [x[0], outputs, oh, ow] }
}

/// y, dx and dw of dense tensors, added to what is there.
fn passes<T: Real>(s: &Shapes, tuning: &Tuning, [x, w, y]: [&[T]; 3], parallelism: Parallelism) -> [Vec<T>; 3] {
    let of = |data, shape| TensorRef::dense(data, shape).unwrap();
    let to = |data, shape| TensorMut::dense(data, shape).unwrap();
    let (vx, vw, vy) = (of(x, s.x), of(w, s.w), of(y, s.y));
    let (one, mut fy, mut fx, mut fw) = (T::ONE, y.to_vec(), x.to_vec(), w.to_vec());
    forward_tuned(tuning, &s.geometry, (one, vw), vx, (one, to(&mut fy, s.y)), parallelism);
    backward_input_tuned(tuning, &s.geometry, (one, vw), vy, (one, to(&mut fx, s.x)), parallelism);
    backward_weights_tuned(tuning, &s.geometry, (one, vy), vx, (one, to(&mut fw, s.w)), parallelism);
    [fy, fx, fw]
}

#[test]
fn same_bits_on_any_number_of_threads() {
    let source = &mut Source::new(5);
    for layer in LARGE {
        let s = large_shapes(layer);
        let [x, w, y] = [s.x, s.w, s.y].map(|shape| source.values::<f32>(len(shape)));
        let given: [&[f32]; 3] = [&x, &w, &y];
        let alone = passes(&s, &Tuning::default(), given, Parallelism::Serial);
        for threads in 1..=8 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let blocks = Blocks { mc: source.between(50, 400), kc: source.between(3, 300), nc: source.between(1, 60) };
            let all = Blocks { mc: usize::MAX, kc: usize::MAX, nc: usize::MAX };
            let of = |blocks| Tuning { blocks: Some(blocks), ..Tuning::default() };
            for tuning in [Tuning::default(), of(blocks), of(all)] {
                let shared = pool.install(|| passes(&s, &tuning, given, Parallelism::Rayon));
                for (shared, alone) in shared.iter().zip(&alone) {
                    assert_same_bits(shared, alone, || format!("{threads} threads, {tuning:?}, {s:?}"));
                }
            }
        }
    }
}

#[test]
fn an_image_has_the_same_bits_wherever_it_is_in_a_batch() {
    let source = &mut Source::new(6);
    for layer in LARGE {
        let s = large_shapes(layer);
        let [x, w, y] = [s.x, s.w, s.y].map(|shape| source.values::<f64>(len(shape)));
        let [fy, fx, _] = passes(&s, &Tuning::default(), [&x, &w, &y], Parallelism::Serial);
        let (image, output) = (len(s.x) / s.x[0], len(s.y) / s.y[0]);
        let one = Shapes { x: [1, s.x[1], s.x[2], s.x[3]], y: [1, s.y[1], s.y[2], s.y[3]], ..s };
        for n in 0..s.x[0] {
            let (x, y) = (&x[n * image..][..image], &y[n * output..][..output]);
            let [gy, gx, _] = passes(&one, &Tuning::default(), [x, &w, y], Parallelism::Serial);
            assert_same_bits(&gy, &fy[n * output..][..output], || format!("forward, image {n}, {s:?}"));
            assert_same_bits(&gx, &fx[n * image..][..image], || format!("backward_input, image {n}, {s:?}"));
        }
    }
}

/// Value and slope of a layer by the textbook: the convolution, and what comes after it.
fn layer_by_the_textbook<T: Real>(s: &Shapes, finish: &Finish<'_, T>, [x, w]: [TensorRef<'_, T>; 2]) -> [Vec<T>; 2] {
    let [n, o, oh, ow] = s.y;
    let mut pre = vec![T::ZERO; len(s.y)];
    let y = TensorMut::strided(&mut pre, s.y, [oh * ow, n * oh * ow, ow, 1]).unwrap();
    reference::conv_forward(&s.geometry, T::ONE, w, x, T::ZERO, y);
    assert_eq!(pre.len(), o * n * oh * ow);
    let [mut value, mut slope] = [0, 1].map(|_| vec![T::ZERO; pre.len()]);
    finish.activation.apply(&pre, &mut value);
    finish.activation.derivative(&pre, &mut slope);
    for (i, (value, slope)) in value.iter_mut().zip(&mut slope).enumerate() {
        *slope = finish.scale * *slope;
        *value = finish.scale * *value;
        if let Some(skip) = finish.skip {
            *value = skip[i] + *value;
        }
    }
    [value, slope]
}

fn check_layer<T: Real>(source: &mut Source, s: &Shapes, tuning: &Tuning, parallelism: Parallelism) {
    let [x, w, skip] = [s.x, s.w, s.y].map(|shape| source.values::<T>(len(shape)));
    let of = |data, shape| TensorRef::dense(data, shape).unwrap();
    let (vx, vw) = (of(&x, s.x), of(&w, s.w));
    for skip in [None, Some(&*skip)] {
        let finish = Finish { activation: Activation::Tanh, scale: T::from_f64(-0.3), skip };
        let [value, slope] = layer_by_the_textbook(s, &finish, [vx, vw]);
        let [mut v, mut d] = [0, 1].map(|_| vec![T::from_f64(f64::NAN); len(s.y)]);
        layer_tuned(tuning, &s.geometry, &finish, (vw, vx), (&mut v, &mut d), parallelism);
        assert_same_bits(&v, &value, || format!("value {tuning:?} {s:?}"));
        assert_same_bits(&d, &slope, || format!("slope {tuning:?} {s:?}"));
    }
}

#[test]
fn a_layer_is_a_convolution_and_what_comes_after_it() {
    let source = &mut Source::new(8);
    for _ in 0..100 {
        let s = random_shapes(source);
        let blocks = Blocks { mc: source.between(1, 9), kc: source.between(1, 9), nc: source.between(1, 20) };
        for (isa, blocks) in Isa::available().into_iter().flat_map(|isa| [(isa, None), (isa, Some(blocks))]) {
            let tuning = Tuning { blocks, ..Tuning::on(isa) };
            check_layer::<f32>(source, &s, &tuning, Parallelism::Serial);
            check_layer::<f64>(source, &s, &tuning, Parallelism::Serial);
        }
    }
    let one_tap = ConvGeometry { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
    for layer in LARGE.into_iter().chain([([3, 20, 40, 17], 35, one_tap)]) {
        for threads in [1, 2, 5] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let s = large_shapes(layer);
            pool.install(|| check_layer::<f32>(source, &s, &Tuning::default(), Parallelism::Rayon));
        }
    }
}

#[test]
#[should_panic(expected = "a value of 9 elements is not 1x1x2x4")]
fn a_value_of_another_size_is_refused() {
    layer_of_two_by_four(&mut [0.0; 9], &mut [0.0; 8]);
}

#[test]
#[should_panic(expected = "a slope and a skip of [7, 8] elements are not of the shape [1, 1, 2, 4]")]
fn a_slope_of_another_size_is_refused() {
    layer_of_two_by_four(&mut [0.0; 8], &mut [0.0; 7]);
}

fn layer_of_two_by_four(value: &mut [f32], slope: &mut [f32]) {
    let geometry = ConvGeometry { kernel: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1] };
    let (x, w) = ([1.0f32; 8], [1.0f32; 1]);
    let (x, w) = (TensorRef::dense(&x, [1, 1, 2, 4]).unwrap(), TensorRef::dense(&w, [1, 1, 1, 1]).unwrap());
    let finish = Finish { activation: Activation::Tanh, scale: 1.0, skip: None };
    conv::layer(&geometry, &finish, w, x, (value, slope), Parallelism::Serial);
}

/// <conv(x, w), g>.
fn product(s: &Shapes, x: &[f64], w: &[f64], g: &[f64]) -> f64 {
    let of = |data, shape| TensorRef::dense(data, shape).unwrap();
    let mut y = vec![0.0; len(s.y)];
    let to = TensorMut::dense(&mut y, s.y).unwrap();
    conv::forward(&s.geometry, 1.0, of(w, s.w), of(x, s.x), 0.0, to, Parallelism::Serial);
    y.iter().zip(g).map(|(y, g)| y * g).sum()
}

#[test]
fn the_gradients_are_central_differences() {
    for seed in 0..30 {
        let source = &mut Source::new(2000 + seed);
        let s = random_shapes(source);
        let [x, w, g] = [s.x, s.w, s.y].map(|shape| source.values::<f64>(len(shape)));
        let start = [&g[..], &x, &w];
        let [_, dx, dw] = passes(&s, &Tuning::default(), [&x, &w, &g], Parallelism::Serial);
        let size: f64 = s.w.iter().chain(&s.y).map(|&size| size as f64).product();
        for _ in 0..10 {
            // Exact but for rounding: the product is linear in either.
            let (i, j, step) = (source.between(0, x.len() - 1), source.between(0, w.len() - 1), 0.5);
            let shifted = |data: &[f64], at: usize, by: f64| {
                let mut data = data.to_vec();
                data[at] += by;
                data
            };
            let by_x = product(&s, &shifted(&x, i, step), &w, &g) - product(&s, &shifted(&x, i, -step), &w, &g);
            let by_w = product(&s, &x, &shifted(&w, j, step), &g) - product(&s, &x, &shifted(&w, j, -step), &g);
            let bound = 1e-14 * (10.0 + size);
            assert!((by_x - (dx[i] - start[1][i])).abs() < bound, "x[{i}]: {by_x}, {s:?}");
            assert!((by_w - (dw[j] - start[2][j])).abs() < bound, "w[{j}]: {by_w}, {s:?}");
        }
    }
}

#[test]
fn the_gradients_are_the_adjoints() {
    for seed in 0..40 {
        let source = &mut Source::new(1000 + seed);
        let s = random_shapes(source);
        let (x, w, g) =
            (source.values::<f64>(len(s.x)), source.values::<f64>(len(s.w)), source.values::<f64>(len(s.y)));
        let (vx, vw, vg) = (
            TensorRef::dense(&x, s.x).unwrap(),
            TensorRef::dense(&w, s.w).unwrap(),
            TensorRef::dense(&g, s.y).unwrap(),
        );
        let (mut y, mut dx, mut dw) = (vec![0.0; len(s.y)], vec![0.0; len(s.x)], vec![0.0; len(s.w)]);
        let parallelism = Parallelism::Serial;
        conv::forward(&s.geometry, 1.0, vw, vx, 0.0, TensorMut::dense(&mut y, s.y).unwrap(), parallelism);
        conv::backward_input(&s.geometry, 1.0, vw, vg, 0.0, TensorMut::dense(&mut dx, s.x).unwrap(), parallelism);
        conv::backward_weights(&s.geometry, 1.0, vg, vx, 0.0, TensorMut::dense(&mut dw, s.w).unwrap(), parallelism);
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let size: f64 = y.iter().zip(&g).map(|(a, b)| (a * b).abs()).sum();
        let scale = 1e-13 * (1.0 + size) * len(s.w) as f64;
        assert!((dot(&y, &g) - dot(&x, &dx)).abs() < scale && (dot(&y, &g) - dot(&w, &dw)).abs() < scale, "{s:?}");
    }
}

#[test]
fn infinite_weights_never_meet_the_padding() {
    let geometry = ConvGeometry::same([3, 3]);
    let mut w = [0.0f32; 9];
    w[0] = f32::INFINITY; // the tap up and to the left, which the first row and column lack
    let mut y = [f32::NAN; 9];
    conv::forward(
        &geometry,
        1.0,
        TensorRef::dense(&w, [1, 1, 3, 3]).unwrap(),
        TensorRef::dense(&[1.0; 9], [1, 1, 3, 3]).unwrap(),
        0.0,
        TensorMut::dense(&mut y, [1, 1, 3, 3]).unwrap(),
        Parallelism::Serial,
    );
    let inf = f32::INFINITY;
    assert_eq!(y, [0.0, 0.0, 0.0, 0.0, inf, inf, 0.0, inf, inf]);
}

#[test]
fn a_kernel_larger_than_the_image_is_refused() {
    let geometry = ConvGeometry { kernel: [1, 5], stride: [1, 1], padding: [0, 1], dilation: [1, 2] };
    let error = geometry.output_size([4, 6]).unwrap_err().to_string();
    assert!(error.contains("1x9") && error.contains("4x8"), "{error}");
    let zero = ConvGeometry { stride: [0, 1], ..geometry };
    assert!(zero.output_size([9, 9]).unwrap_err().to_string().contains("at least 1"));
    let far = ConvGeometry { kernel: [1, 3], dilation: [1, 1 << 63], ..geometry };
    let wide = ConvGeometry { padding: [0, 1 << 63], ..geometry };
    for geometry in [far, wide] {
        assert!(geometry.output_size([4, 6]).unwrap_err().to_string().contains("address space"), "{geometry:?}");
    }
}

#[test]
#[should_panic(expected = "the shapes disagree")]
fn channels_that_disagree_are_refused() {
    conv::forward(
        &ConvGeometry::same([1, 1]),
        1.0,
        TensorRef::dense(&[0.0f64; 4], [2, 2, 1, 1]).unwrap(),
        TensorRef::dense(&[0.0f64; 9], [1, 1, 3, 3]).unwrap(),
        0.0,
        TensorMut::dense(&mut [0.0f64; 18], [1, 2, 3, 3]).unwrap(),
        Parallelism::Serial,
    );
}

#[test]
#[should_panic(expected = "a block size is 0")]
fn empty_blocks_are_refused() {
    let s = large_shapes(LARGE[0]);
    let [x, w, y] = [s.x, s.w, s.y].map(|shape| vec![1.0f32; len(shape)]);
    let blocks = Some(Blocks { mc: 8, kc: 8, nc: 0 });
    passes(&s, &Tuning { blocks, ..Tuning::default() }, [&x, &w, &y], Parallelism::Serial);
}
