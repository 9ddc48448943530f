//! A layer on a few samples, against the textbook loop and what comes after it, between inaccessible pages.
#![cfg(unix)]

mod common;

use common::guard::{Edge, Guarded, named};
use fathom_kernels::Finish;
use fathom_kernels::dense::{Traces, Weights, backward, forward};
use fathom_kernels::{Activation, MatMut, MatRef, Parallelism, Real, normal, reference};

/// m, d, n, columns of features by channel, and r.
const SHAPES: [[usize; 5]; 8] = [
    [1, 1, 1, 1, 0],
    [5, 7, 3, 8, 0],
    [16, 9, 10, 16, 10],
    [49, 33, 10, 16, 20],
    [97, 64, 8, 8, 3],
    [100, 31, 32, 32, 64],
    [130, 40, 47, 48, 0],
    [61, 20, 60, 64, 5],
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
    shape: [usize; 5],
    w: Vec<T>,
    moves: Vec<T>,
    features: Vec<T>,
    x: Vec<T>,
    skip: Vec<T>,
}

impl<T: Real> Case<T> {
    fn new(shape @ [m, d, _, columns, r]: [usize; 5]) -> Self {
        let [w, moves, features] = [normals(0, m * d), normals(1, r * m), normals(2, r * d)];
        Self { shape, w, moves, features, x: normals(3, d * columns), skip: normals(4, m * columns) }
    }

    fn matrices(&self) -> [MatRef<'_, T>; 3] {
        let [m, d, _, _, r] = self.shape;
        let view = |data, rows, cols| MatRef::row_major(data, rows, cols).unwrap();
        [view(&self.w, m, d), view(&self.moves, r, m), view(&self.features, r, d)]
    }

    /// `skip + s sigma(W x)`, and `s sigma'(W x)`, by channel.
    fn finished(&self, activation: Activation, scale: T, skips: bool) -> [Vec<T>; 2] {
        let [m, d, _, columns, r] = self.shape;
        let [w, moves, features] = self.matrices();
        let x = MatRef::row_major(&self.x, d, columns).unwrap();
        let (mut pre, mut along) = (vec![T::ZERO; m * columns], vec![T::ZERO; r * columns]);
        product(w, x, T::ZERO, &mut pre);
        if r > 0 {
            product(features, x, T::ZERO, &mut along);
            product(moves.t(), MatRef::row_major(&along, r, columns).unwrap(), T::ONE, &mut pre);
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

/// The first `n` columns of `m x columns`, by sample.
fn by_sample<T: Real>(channels: &[T], m: usize, n: usize, columns: usize) -> Vec<T> {
    (0..n).flat_map(|i| (0..m).map(move |channel| channels[channel * columns + i])).collect()
}

fn check_forward<T: Real>(shape @ [m, _, n, columns, _]: [usize; 5], parallelism: Parallelism) {
    let case = Case::<T>::new(shape);
    let scale = T::from_f64(0.3);
    let mut rooms: [Guarded<T>; 5] = std::array::from_fn(|_| Guarded::new(4096.max(m * columns.max(shape[1]))));
    for (activation, skips) in [(Activation::SOFTPLUS, true), (Activation::Tanh, false)] {
        let [value, slope] = case.finished(activation, scale, skips);
        for edge in [Edge::First, Edge::Last] {
            let [w, x, a, b, c] = &mut rooms;
            let nan = |len| vec![T::from_f64(f64::NAN); len];
            let traces = Traces {
                value: a.place(&nan(m * columns), edge),
                by_sample: b.place(&nan(m * n), edge),
                slope: c.place(&nan(m * n), edge),
            };
            let matrix = MatRef::row_major(w.place(&case.w, edge), m, shape[1]).unwrap();
            let weights = Weights { matrix, moves: &case.moves, features: &case.features };
            let finish = Finish { activation, scale, skip: skips.then_some(&*case.skip) };
            let x = x.place(&case.x, edge);
            let Traces { value: found, by_sample: found_by_sample, slope: found_slope } = traces;
            let traces = Traces { value: &mut *found, by_sample: &mut *found_by_sample, slope: &mut *found_slope };
            let text = format!("{} {shape:?} {activation} {edge:?}", T::NAME);
            named(&text, || forward(&finish, &weights, x, traces, parallelism));
            assert!(found == value, "{text}: the value");
            assert!(*found_by_sample == by_sample(&value, m, n, columns), "{text}: the value by sample");
            assert!(*found_slope == by_sample(&slope, m, n, columns), "{text}: the slope");
        }
    }
}

fn check_backward<T: Real>(shape @ [m, d, n, _, r]: [usize; 5], parallelism: Parallelism) {
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
        });
    }
}

#[test]
fn wrong_sizes_are_refused() {
    let case = Case::<f32>::new([4, 3, 2, 8, 0]);
    let refused = |moves: usize, x: usize, value: usize, slope: usize| {
        let message = std::panic::catch_unwind(|| {
            let (mut value, mut by_sample, mut slope) = (vec![0.0; value], vec![0.0; 8], vec![0.0; slope]);
            let weights = Weights { matrix: case.matrices()[0], moves: &vec![0.0; moves], features: &[] };
            let finish = Finish { activation: Activation::SOFTPLUS, scale: 1.0, skip: None };
            let traces = Traces { value: &mut value, by_sample: &mut by_sample, slope: &mut slope };
            forward(&finish, &weights, &vec![0.0; x], traces, Parallelism::Serial);
        });
        message.err().map(|error| *error.downcast::<String>().expect("a text"))
    };
    assert_eq!(refused(0, 24, 32, 8), None);
    for (moves, x, value, slope) in [(4, 24, 32, 8), (0, 25, 32, 8), (0, 24, 31, 8), (0, 24, 32, 9)] {
        let message = refused(moves, x, value, slope).expect("refused");
        assert!(message.starts_with("dense: "), "{message}");
    }
}
