//! A layer on a few samples, against the textbook loop and what comes after it, between inaccessible pages.
#![cfg(unix)]

mod common;

use common::guard::{Edge, Guarded, named};
use fathom_kernels::Finish;
use fathom_kernels::dense::{Traces, Weights, backward, forward, moves};
use fathom_kernels::{Activation, MatMut, MatRef, Parallelism, Real, normal, reference};

/// m, d, n and r. Up to 12 samples, products are by sample on some instruction sets.
const SHAPES: [[usize; 4]; 12] = [
    [1, 1, 1, 0],
    [5, 7, 3, 0],
    [16, 9, 10, 10],
    [49, 33, 10, 20],
    [130, 70, 9, 9],
    [97, 64, 8, 3],
    [100, 48, 12, 12],
    [61, 30, 13, 5],
    [100, 31, 32, 64],
    [130, 40, 47, 0],
    [61, 20, 60, 5],
    [40, 1, 50, 2],
];

fn normals<T: Real>(stream: u64, len: usize) -> Vec<T> {
    let mut entries = vec![T::ZERO; len];
    normal::fill(11, stream, 0, &mut entries);
    entries
}

/// `alpha = 1`, by the three nested loops.
fn product<T: Real>(a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, c: &mut [T]) {
    let c = MatMut::row_major(c, a.rows(), b.cols()).unwrap();
    reference::gemm(T::ONE, a, b, beta, c);
}

/// The layer, its factors and its features.
struct Case<T> {
    shape: [usize; 4],
    w: Vec<T>,
    moves: Vec<T>,
    features: Vec<T>,
    x: Vec<T>,
    skip: Vec<T>,
}

impl<T: Real> Case<T> {
    fn new(shape @ [m, d, n, r]: [usize; 4]) -> Self {
        let [w, moves, features] = [normals(0, m * d), normals(1, r * m), normals(2, r * d)];
        Self { shape, w, moves, features, x: normals(3, n * d), skip: normals(4, n * m) }
    }

    fn matrices(&self) -> [MatRef<'_, T>; 3] {
        let [m, d, _, r] = self.shape;
        let view = |data, rows, cols| MatRef::row_major(data, rows, cols).unwrap();
        [view(&self.w, m, d), view(&self.moves, r, m), view(&self.features, r, d)]
    }

    /// `skip + s sigma(W x)`, and `s sigma'(W x)`.
    fn finished(&self, activation: Activation, scale: T, skips: bool) -> [Vec<T>; 2] {
        let [m, d, n, r] = self.shape;
        let [w, moves, features] = self.matrices();
        let x = MatRef::row_major(&self.x, n, d).unwrap();
        let (mut pre, mut along) = (vec![T::ZERO; n * m], vec![T::ZERO; n * r]);
        product(x, w.t(), T::ZERO, &mut pre);
        if r > 0 {
            product(x, features.t(), T::ZERO, &mut along);
            product(MatRef::row_major(&along, n, r).unwrap(), moves, T::ONE, &mut pre);
        }
        let (mut value, mut slope) = (pre.clone(), pre.clone());
        activation.apply(&pre, &mut value);
        activation.derivative(&pre, &mut slope);
        for (value, &skip) in value.iter_mut().zip(&self.skip) {
            *value = if skips { skip + scale * *value } else { scale * *value };
        }
        slope.iter_mut().for_each(|slope| *slope = scale * *slope);
        [value, slope]
    }
}

fn check_forward<T: Real>(shape @ [m, d, n, _]: [usize; 4], parallelism: Parallelism) {
    let case = Case::<T>::new(shape);
    let scale = T::from_f64(0.3);
    let mut rooms: [Guarded<T>; 4] = std::array::from_fn(|_| Guarded::new(4096.max(m * n.max(d)).max(n * d)));
    for (activation, skips) in [(Activation::SOFTPLUS, true), (Activation::Tanh, false)] {
        let [value, slope] = case.finished(activation, scale, skips);
        for edge in [Edge::First, Edge::Last] {
            let [w, x, a, b] = &mut rooms;
            let nan = vec![T::from_f64(f64::NAN); n * m];
            let (found, found_slope) = (a.place(&nan, edge), b.place(&nan, edge));
            let matrix = MatRef::row_major(w.place(&case.w, edge), m, d).unwrap();
            let weights = Weights { matrix, moves: &case.moves, features: &case.features };
            let finish = Finish { activation, scale, skip: skips.then_some(&*case.skip) };
            let x = MatRef::row_major(x.place(&case.x, edge), n, d).unwrap();
            let traces = Traces { value: &mut *found, slope: &mut *found_slope };
            let text = format!("{} {shape:?} {activation} {edge:?}", T::NAME);
            named(&text, || forward(&finish, &weights, x, traces, parallelism));
            assert!(found == value, "{text}: the value");
            assert!(found_slope == slope, "{text}: the slope");
        }
    }
}

fn check_backward<T: Real>(shape @ [m, d, n, r]: [usize; 4], parallelism: Parallelism) {
    let case = Case::<T>::new(shape);
    let [matrix, moves, features] = case.matrices();
    let (delta, start) = (normals::<T>(5, n * m), normals::<T>(6, n * d));
    let delta = MatRef::row_major(&delta, n, m).unwrap();
    for beta in [T::ZERO, T::ONE] {
        let (mut expected, mut found) = (start.clone(), start.clone());
        product(delta, matrix, beta, &mut expected);
        if r > 0 {
            let mut along = vec![T::ZERO; n * r];
            product(delta, moves.t(), T::ZERO, &mut along);
            product(MatRef::row_major(&along, n, r).unwrap(), features, T::ONE, &mut expected);
        }
        let weights = Weights { matrix, moves: &case.moves, features: &case.features };
        let dx = MatMut::row_major(&mut found, n, d).unwrap();
        backward(&weights, delta, beta, dx, parallelism);
        assert!(found == expected, "{} {shape:?}, beta {beta}", T::NAME);
    }
}

/// By sample, by channel, and with gaps; m beyond the channels that are moved on together.
fn check_moves<T: Real>([m, n]: [usize; 2], parallelism: Parallelism) {
    let [slopes, upstream, residuals] = [normals::<T>(7, n * m), normals(8, n * m), normals(9, n)];
    let alpha = T::from_f64(-0.37);
    let deltas: Vec<T> = slopes.iter().zip(&upstream).map(|(&slope, &upstream)| slope * upstream).collect();
    let mut rooms: [Guarded<T>; 3] = std::array::from_fn(|_| Guarded::new(4096.max(3 * n * m)));
    for (row, col) in [(m, 1), (1, n), (m + 3, 1), (1, n + 2), (2 * m, 2)] {
        let len = (n - 1) * row + (m - 1) * col + 1;
        for edge in [Edge::First, Edge::Last] {
            let text = format!("{} {n}x{m} at {row} and {col} {edge:?}", T::NAME);
            let [a, b, c] = &mut rooms;
            let found = a.place(&slopes, edge);
            let (upstream, to) = (b.place(&upstream, edge), c.place(&vec![T::from_f64(f64::NAN); len], edge));
            let view = MatMut::strided(&mut *to, n, m, row, col).unwrap();
            named(&text, || moves(found, upstream, (&residuals, alpha), view, parallelism));
            assert!(found == deltas, "{text}: the derivatives");
            let mut written = 0;
            for (i, r) in (0..n).flat_map(|i| (0..m).map(move |r| (i, r))) {
                let expected = alpha * (residuals[i] * deltas[i * m + r]);
                assert!(to[i * row + r * col] == expected, "{text}: sample {i}, row {r}");
                written += 1;
            }
            assert_eq!(to.iter().filter(|x| !x.to_f64().is_nan()).count(), written, "{text}: between the moves");
        }
    }
}

#[test]
fn a_layer_is_the_textbook_loop_and_what_follows_it_to_the_bit() {
    for threads in [1, 2, 3, 8] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let parallelism = if threads == 1 { Parallelism::Serial } else { Parallelism::Rayon };
        pool.install(|| {
            for shape in SHAPES {
                check_forward::<f32>(shape, parallelism);
                check_forward::<f64>(shape, parallelism);
                check_backward::<f32>(shape, parallelism);
                check_backward::<f64>(shape, parallelism);
            }
            for shape in [[1, 1], [5, 3], [129, 16], [300, 17], [64, 40], [2100, 33]] {
                check_moves::<f32>(shape, parallelism);
                check_moves::<f64>(shape, parallelism);
            }
        });
    }
}

#[test]
fn moves_of_the_wrong_size_are_refused() {
    for [deltas, upstream, residuals] in [[5, 6, 2], [6, 5, 2], [6, 6, 3]] {
        let refused = std::panic::catch_unwind(|| {
            let (mut deltas, mut to) = (vec![0.0; deltas], [0.0; 6]);
            let view = MatMut::row_major(&mut to, 2, 3).unwrap();
            moves(&mut deltas, &vec![0.0; upstream], (&vec![0.0; residuals], 1.0), view, Parallelism::Serial);
        });
        let message = *refused.expect_err("refused").downcast::<String>().expect("a text");
        assert!(message.starts_with("dense: slopes"), "{message}");
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let case = Case::<f32>::new([4, 3, 2, 0]);
    let refused = |moves: usize, d: usize, value: usize, slope: usize| {
        let message = std::panic::catch_unwind(|| {
            let (mut value, mut slope, x) = (vec![0.0; value], vec![0.0; slope], vec![0.0; 2 * d]);
            let weights = Weights { matrix: case.matrices()[0], moves: &vec![0.0; moves], features: &[] };
            let finish = Finish { activation: Activation::SOFTPLUS, scale: 1.0, skip: None };
            let traces = Traces { value: &mut value, slope: &mut slope };
            forward(&finish, &weights, MatRef::row_major(&x, 2, d).unwrap(), traces, Parallelism::Serial);
        });
        message.err().map(|error| *error.downcast::<String>().expect("a text"))
    };
    assert_eq!(refused(0, 3, 8, 8), None);
    for (moves, d, value, slope) in [(4, 3, 8, 8), (0, 4, 8, 8), (0, 3, 9, 8), (0, 3, 8, 9)] {
        let message = refused(moves, d, value, slope).expect("refused");
        assert!(message.starts_with("dense: "), "{message}");
    }
}
