//! Operands that end where the readable memory ends, and operands that begin where it begins: a kernel that reads or
//! writes one element too far is killed by the operating system.
#![cfg(unix)]

mod common;

use common::guard::{Edge, Guarded, named};
use common::matrix::{LAYOUTS, Matrix};
use common::{SOME_CACHES, Source, assert_same_bits};
use fathom_kernels::conv::{backward_input_tuned, backward_weights_tuned, forward_tuned};
use fathom_kernels::gemm::{Tuning, gemm_tuned};
use fathom_kernels::{Blocks, ConvGeometry, Isa, Order, Parallelism, Reading, Real, TensorMut, TensorRef, reference};

#[test]
fn the_guards_do_stop_a_process() {
    let mut guarded = Guarded::<f32>::new(100);
    for (edge, offset) in [(Edge::First, -1), (Edge::First, 0), (Edge::Last, 99), (Edge::Last, 100)] {
        let first = guarded.place(&[1.0; 100], edge).as_ptr();
        // SAFETY: the child makes system calls and one access to memory that may be inaccessible: the fault is what is
        // tested, and it ends nothing but the child.
        let status = unsafe {
            let child = libc::fork();
            assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
            if child == 0 {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                libc::signal(libc::SIGBUS, libc::SIG_DFL);
                let x = first.wrapping_offset(offset).read_volatile();
                libc::_exit(if x == 1.0 { 0 } else { 1 });
            }
            let mut status = 0;
            assert_eq!(libc::waitpid(child, &mut status, 0), child);
            status
        };
        let inside = (0..100).contains(&offset);
        assert_eq!(libc::WIFSIGNALED(status), !inside, "{edge:?} {offset}");
        assert_eq!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, inside, "{edge:?} {offset}");
    }
}

/// Sizes around the tiles of every kernel but those on a large second level, 4 x 8, 6 x 16, 6 x 8, 12 x 32 and 12 x 16, along either side of C (a
/// column-major C exchanges its sides).
const AROUND_TILES: [usize; 20] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 23, 25, 31, 32, 33];

/// A product in every layout that `kind` leads to, under every instruction set, at both edges.
fn guarded_product<T: Real>(memory: &mut [Guarded<T>; 3], [m, n, k]: [usize; 3], kind: usize) {
    let mut source = Source::new((kind + 7 * m + 31 * n) as u64);
    let a = Matrix::<T>::random(&mut source, (m, k), kind);
    let b = Matrix::<T>::random(&mut source, (k, n), kind / LAYOUTS);
    let c = Matrix::<T>::random(&mut source, (m, n), kind / LAYOUTS / LAYOUTS);
    let alpha = source.choose(&[1.0, 0.7].map(T::from_f64));
    let beta = source.choose(&[0.0, 1.0, -0.3].map(T::from_f64));
    let mut expected = c.values.clone();
    reference::gemm(alpha, a.view(), b.view(), beta, c.of_mut(&mut expected));

    let blocks = source.choose(&[None, Some(Blocks { mc: 8, kc: 2, nc: 20 })]);
    let a_reading = source.choose(&[None, Some(Reading::InPlace), Some(Reading::Packed)]);
    let b_reading = source.choose(&[
        None,
        Some(Reading::InPlace),
        Some(Reading::Streamed),
        Some(Reading::InPassing),
        Some(Reading::Packed),
    ]);
    let order = source.choose(&[None, Some(Order::RowsInside), Some(Order::StripsInside)]);
    let caches = source.choose(&SOME_CACHES);
    for isa in Isa::available() {
        let tuning = Tuning { isa, blocks, a: a_reading, b: b_reading, order, caches };
        for edge in Edge::BOTH {
            let [for_a, for_b, for_c] = memory;
            let (a_data, b_data) = (for_a.place(&a.values, edge), for_b.place(&b.values, edge));
            let c_data = for_c.place(&c.values, edge);
            let (view_a, view_b) = (a.of(a_data), b.of(b_data));
            let case = format!(
                "{} {m}x{n}x{k} strides {:?} {:?} {:?} {tuning:?} at its {edge:?}",
                T::NAME,
                a.strides,
                b.strides,
                c.strides
            );
            named(&case, || {
                let view_c = c.of_mut(c_data);
                gemm_tuned(&tuning, alpha, view_a, view_b, beta, view_c, Parallelism::Serial);
            });
            assert_same_bits(c_data, &expected, || case.clone());
        }
    }
}

fn guarded_products<T: Real>() {
    let largest = 33 * (3 * 33 + 1);
    let mut memory = [(); 3].map(|()| Guarded::<T>::new(largest));
    let mut kind = 0;
    for m in AROUND_TILES {
        for n in AROUND_TILES {
            for k in [1, 2, 5] {
                // 216 triples of layouts; a step that shares no factor with them visits all.
                for _ in 0..4 {
                    kind = (kind + 35) % (LAYOUTS * LAYOUTS * LAYOUTS);
                    guarded_product::<T>(&mut memory, [m, n, k], kind);
                }
            }
        }
    }
}

#[test]
fn gemm_stays_inside_its_operands_f32() {
    guarded_products::<f32>();
}

#[test]
fn gemm_stays_inside_its_operands_f64() {
    guarded_products::<f64>();
}

/// Images, filters and outputs of one convolution.
#[derive(Clone, Copy, Debug)]
struct Shapes {
    geometry: ConvGeometry,
    x: [usize; 4],
    w: [usize; 4],
    y: [usize; 4],
}

impl Shapes {
    fn random(source: &mut Source) -> Self {
        loop {
            let geometry = ConvGeometry {
                kernel: [source.choose(&[1, 2, 3]), source.choose(&[1, 3, 5])],
                stride: [source.between(1, 2), source.between(1, 2)],
                padding: [source.between(0, 2), source.between(0, 2)],
                dilation: [source.between(1, 2), source.between(1, 2)],
            };
            let size = [source.between(1, 6), source.choose(&[1, 3, 4, 7, 8, 9, 16, 17, 33])];
            let Ok([oh, ow]) = geometry.output_size(size) else { continue };
            let n = source.between(1, 2);
            let [c, o] = [(); 2].map(|()| source.choose(&[1, 3, 4, 5, 6, 7, 8, 9, 12, 13, 16, 17, 32]));
            let [kh, kw] = geometry.kernel;
            return Self { geometry, x: [n, c, size[0], size[1]], w: [o, c, kh, kw], y: [n, o, oh, ow] };
        }
    }
}

/// Dense as NCHW, dense with the channels outermost or innermost, with gaps after each row and plane, or with channels that meet the same
/// sets of the first-level cache; and the length.
fn tensor_layout(source: &mut Source, shape: [usize; 4]) -> ([usize; 4], usize) {
    let [n, c, h, w] = shape;
    let strides = match source.between(0, 4) {
        0 => [c * h * w, h * w, w, 1],
        1 => [h * w, n * h * w, w, 1],
        3 => [h * w * c, 1, w * c, c],
        2 if n * c <= 34 => [1024 * c, 1024, w, 1],
        _ => [((w + 1) * h + 2) * c, (w + 1) * h + 2, w + 1, 1],
    };
    (strides, shape.iter().zip(strides).map(|(extent, stride)| (extent - 1) * stride).sum::<usize>() + 1)
}

/// A tensor that is just as long as its last element requires.
struct Tensor<T> {
    values: Vec<T>,
    shape: [usize; 4],
    strides: [usize; 4],
}

impl<T: Real> Tensor<T> {
    fn random(source: &mut Source, shape: [usize; 4]) -> Self {
        let (strides, len) = tensor_layout(source, shape);
        Self { values: source.values(len), shape, strides }
    }

    fn of<'a>(&self, data: &'a [T]) -> TensorRef<'a, T> {
        TensorRef::strided(data, self.shape, self.strides).unwrap()
    }

    fn of_mut<'a>(&self, data: &'a mut [T]) -> TensorMut<'a, T> {
        TensorMut::strided(data, self.shape, self.strides).unwrap()
    }
}

/// All three passes of one random convolution under every instruction set, at both edges.
fn guarded_convolution<T: Real>(memory: &mut [Guarded<T>; 3], seed: u64) {
    let mut source = Source::new(seed);
    let s = Shapes::random(&mut source);
    let g = &s.geometry;
    let [x, w, y] = [s.x, s.w, s.y].map(|shape| Tensor::<T>::random(&mut source, shape));
    let (alpha, beta) = (source.choose(&[1.0, 0.7].map(T::from_f64)), source.choose(&[0.0, -0.3].map(T::from_f64)));
    let blocks = source.choose(&[None, Some(Blocks { mc: 8, kc: 3, nc: 20 })]);
    let (mut ex, mut ew, mut ey) = (x.values.clone(), w.values.clone(), y.values.clone());
    let (vx, vw, vy) = (x.of(&x.values), w.of(&w.values), y.of(&y.values));
    reference::conv_forward(g, alpha, vw, vx, beta, y.of_mut(&mut ey));
    reference::conv_backward_input(g, alpha, vw, vy, beta, x.of_mut(&mut ex));
    reference::conv_backward_weights(g, alpha, vy, vx, beta, w.of_mut(&mut ew));

    for isa in Isa::available() {
        for edge in Edge::BOTH {
            let (tuning, serial) = (Tuning { blocks, ..Tuning::on(isa) }, Parallelism::Serial);
            let case = |pass: &str| format!("{pass} {} {isa} seed {seed} at its {edge:?}: {s:?}", T::NAME);
            let [for_x, for_w, for_y] = memory;
            let (fx, fw) = (for_x.place(&x.values, edge), for_w.place(&w.values, edge));
            let fy = for_y.place(&y.values, edge);

            let text = case("forward");
            named(&text, || forward_tuned(&tuning, g, (alpha, w.of(fw)), x.of(fx), (beta, y.of_mut(fy)), serial));
            assert_same_bits(fy, &ey, || text.clone());

            fy.copy_from_slice(&y.values);
            let text = case("backward_input");
            let dx = |fx| (beta, x.of_mut(fx));
            named(&text, || backward_input_tuned(&tuning, g, (alpha, w.of(fw)), y.of(fy), dx(fx), serial));
            assert_same_bits(fx, &ex, || text.clone());

            fx.copy_from_slice(&x.values);
            let text = case("backward_weights");
            let dw = |fw| (beta, w.of_mut(fw));
            named(&text, || backward_weights_tuned(&tuning, g, (alpha, y.of(fy)), x.of(fx), dw(fw), serial));
            assert_same_bits(fw, &ew, || text.clone());
        }
    }
}

#[test]
fn convolutions_stay_inside_their_operands_f32() {
    let mut memory = [(); 3].map(|()| Guarded::<f32>::new(1 << 16));
    (0..400).for_each(|seed| guarded_convolution(&mut memory, seed));
}

#[test]
fn convolutions_stay_inside_their_operands_f64() {
    let mut memory = [(); 3].map(|()| Guarded::<f64>::new(1 << 16));
    (0..400).for_each(|seed| guarded_convolution(&mut memory, 1000 + seed));
}
