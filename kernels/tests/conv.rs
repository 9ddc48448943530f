//! The convolutions against their textbook loops, to the bit.

mod common;

use common::{Source, assert_same_bits};
use fathom_kernels::conv::{self, backward_input_tuned, backward_weights_tuned, forward_tuned};
use fathom_kernels::gemm::Tuning;
use fathom_kernels::{Blocks, ConvGeometry, Isa, Parallelism, Real, TensorMut, TensorRef, reference};

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

/// Dense NCHW, or channels outermost as the model layer stores them.
fn strides(source: &mut Source, [n, c, h, w]: [usize; 4]) -> [usize; 4] {
    if source.between(0, 1) == 0 { [c * h * w, h * w, w, 1] } else { [h * w, n * h * w, w, 1] }
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
