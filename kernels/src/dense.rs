//! One layer of a network on a few samples, forward and backward, with its weights moved no more often than they must be.
//!
//! Weights are `m x d`, row-major. Features come in two orders: *by channel* (`[channel, sample]`, samples on the lanes), as the
//! forward product reads them, and *by sample* (`[sample, channel]`), which puts the channels on the lanes of everything
//! backward: ten samples would leave most of a vector empty.

use std::ops::Range;

use crate::gemm::multiply;
use crate::{Finish, Isa, MatMut, MatRef, Parallelism, Real, gemm, team};

/// Weights that are the sum of a matrix and of updates that it has not taken up yet: `W + moves^T features`.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'a, T> {
    /// W, `m x d`.
    pub matrix: MatRef<'a, T>,
    /// What rows move by, `r x m`, row-major.
    pub moves: &'a [T],
    /// Along which features, `r x d`, row-major.
    pub features: &'a [T],
}

/// What a layer leaves behind on n samples.
#[derive(Debug)]
pub struct Traces<'a, T> {
    /// `skip + scale sigma(W x)`, by channel: `m x N` with N >= n columns, of which the first n are samples. The others
    /// make vectors whole.
    pub value: &'a mut [T],
    /// The same by sample: `n x m`.
    pub by_sample: &'a mut [T],
    /// `scale sigma'(W x)` by sample: `n x m`.
    pub slope: &'a mut [T],
}

/// Up to this many samples, a thread finishes the rows of the product that it has just made.
const FEW_SAMPLES: usize = 48;
/// Channels whose traces are finished at once, and samples that are turned at once.
const CHUNK: usize = 16;
/// Threads take whole cache lines and whole tiles.
const PIECE: usize = 48;

/// Forward: W x, and everything that comes after it while its rows are in the first levels of cache.
///
/// `x` is by channel, `d x N`.
///
/// # Panics
/// When a slice is not of its shape's size.
pub fn forward<T: Real>(
    finish: &Finish<'_, T>,
    weights: &Weights<'_, T>,
    x: &[T],
    traces: Traces<'_, T>,
    parallelism: Parallelism,
) {
    let (m, d, rank) = weights.shape();
    assert!(d > 0 && x.len().is_multiple_of(d), "dense: {} features are not a number of samples of {d}", x.len());
    let Traces { value, by_sample, slope } = traces;
    let (columns, n) = (x.len() / d, by_sample.len() / m.max(1));
    let lens = [value.len(), by_sample.len(), slope.len()];
    assert!(
        lens == [m * columns, m * n, m * n] && n <= columns,
        "dense: traces of {lens:?} elements are not {m} channels of samples among {columns}"
    );
    assert!(finish.skip.is_none_or(|skip| skip.len() == value.len()), "dense: the skip is not of the value's shape");
    if lens.contains(&0) {
        return;
    }
    let x = MatRef::row_major(x, d, columns).expect("the columns were found from its length");
    let along = weights.along(x, parallelism);
    let product = |rows: Range<usize>, value: &mut [T], parallelism| {
        weights.multiply(
            &rows,
            x,
            &along,
            MatMut::row_major(value, rows.len(), columns).expect("whole rows"),
            parallelism,
        );
    };
    let together = columns <= FEW_SAMPLES;
    if !together {
        product(0..m, value, parallelism);
    }
    let places = Places { value: value.as_mut_ptr(), by_sample: by_sample.as_mut_ptr(), slope: slope.as_mut_ptr() };
    let places = Traced { places, m, n, columns };
    let work = |rows: Range<usize>| {
        // SAFETY: ranges of different pieces do not meet, and this is the only reference to their rows' values.
        let value = unsafe { places.rows(&rows) };
        if together {
            product(rows.clone(), value, Parallelism::Serial);
        }
        let mut room = vec![T::ZERO; 2 * CHUNK * columns];
        let (pre, slope) = room.split_at_mut(CHUNK * columns);
        for (i, value) in value.chunks_mut(CHUNK * columns).enumerate() {
            let (first, len) = (rows.start + i * CHUNK, value.len());
            let skip = finish.skip.map(|skip| &skip[first * columns..first * columns + len]);
            pre[..len].copy_from_slice(value);
            finish.run(Isa::active(), &pre[..len], skip, value, &mut slope[..len]);
            // SAFETY: as above; by sample, these are the same channels.
            unsafe { places.scatter(first, value, &slope[..len]) };
        }
    };
    let nanoseconds = if together { m * (d + rank) * columns / 40 } else { 3 * m * columns };
    in_pieces(m, nanoseconds, parallelism, &work);
}

/// Backward: `dx <- beta dx + delta W`; by sample, `delta` is `n x m` and `dx` `n x d`.
///
/// # Panics
/// If the shapes disagree.
pub fn backward<T: Real>(
    weights: &Weights<'_, T>,
    delta: MatRef<'_, T>,
    beta: T,
    mut dx: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    let (n, (_, _, rank)) = (delta.rows(), weights.shape());
    gemm(T::ONE, delta, weights.matrix, beta, dx.reborrow(), parallelism);
    if rank > 0 {
        let mut along = vec![T::ZERO; n * rank];
        let out = MatMut::row_major(&mut along, n, rank).expect("just made");
        gemm(T::ONE, delta, weights.moves().t(), T::ZERO, out, parallelism);
        let along = MatRef::row_major(&along, n, rank).expect("just made");
        gemm(T::ONE, along, weights.features(), T::ONE, dx, parallelism);
    }
}

impl<'a, T: Real> Weights<'a, T> {
    /// m, d and r.
    fn shape(&self) -> (usize, usize, usize) {
        let (m, d) = (self.matrix.rows(), self.matrix.cols());
        let rank = self.moves.len() / m.max(1);
        let lens = [self.moves.len(), self.features.len()];
        assert!(lens == [rank * m, rank * d], "dense: moves and features of {lens:?} elements for W {m}x{d}");
        (m, d, rank)
    }

    /// The features' products with `x`, `d x N`: `r x N`.
    fn along(&self, x: MatRef<'_, T>, parallelism: Parallelism) -> Vec<T> {
        let (_, _, rank) = self.shape();
        let mut along = vec![T::ZERO; rank * x.cols()];
        let out = MatMut::row_major(&mut along, rank, x.cols()).expect("just made");
        gemm(T::ONE, self.features(), x, T::ZERO, out, parallelism);
        along
    }

    /// Some rows of the weights times `x`, of which `along` is what [`Weights::along`] gives.
    fn multiply(
        &self,
        rows: &Range<usize>,
        x: MatRef<'_, T>,
        along: &[T],
        mut out: MatMut<'_, T>,
        parallelism: Parallelism,
    ) {
        let (_, d, rank) = self.shape();
        let kernel = T::active_kernel();
        let matrix = self.matrix.submatrix(rows.start, 0, rows.len(), d);
        multiply(kernel, None, (T::ONE, matrix), x, (T::ZERO, out.reborrow()), parallelism);
        if rank > 0 {
            let moves = self.moves().t().submatrix(rows.start, 0, rows.len(), rank);
            let along = MatRef::row_major(along, rank, x.cols()).expect("its own size");
            multiply(kernel, None, (T::ONE, moves), along, (T::ONE, out), parallelism);
        }
    }

    fn moves(&self) -> MatRef<'a, T> {
        let (m, _, rank) = self.shape();
        MatRef::row_major(self.moves, rank, m).expect("its shape was found from its length")
    }

    fn features(&self) -> MatRef<'a, T> {
        let (_, d, rank) = self.shape();
        MatRef::row_major(self.features, rank, d).expect("checked with the shape")
    }
}

/// Runs `work` on `0..len` cut into ranges of whole chunks, on several threads where that pays.
fn in_pieces(len: usize, nanoseconds: usize, parallelism: Parallelism, work: &(dyn Fn(Range<usize>) + Sync)) {
    let threads = if parallelism == Parallelism::Rayon { rayon::current_num_threads() } else { 1 };
    // A few for each thread, so that one that is held up does not hold up all.
    let piece = len.div_ceil(4 * threads).next_multiple_of(PIECE);
    let range = |piece_index: usize| piece_index * piece..((piece_index + 1) * piece).min(len);
    let shared = threads > 1
        && nanoseconds >= team::WORTH_TELLING
        && team::share(len.div_ceil(piece), nanoseconds, &|index| work(range(index)));
    if !shared {
        work(0..len);
    }
}

/// Where traces begin.
struct Places<T> {
    value: *mut T,
    by_sample: *mut T,
    slope: *mut T,
}

/// Traces that threads write, each its own channels.
struct Traced<T> {
    places: Places<T>,
    m: usize,
    n: usize,
    columns: usize,
}

// SAFETY: threads write disjoint channels.
unsafe impl<T: Send> Sync for Traced<T> {}

impl<T: Real> Traced<T> {
    /// The values of some channels.
    ///
    /// # Safety
    /// No other reference to them may live, and they must lie below m.
    #[allow(clippy::mut_from_ref)] // the caller vouches for it
    unsafe fn rows(&self, rows: &Range<usize>) -> &mut [T] {
        let first = self.places.value.wrapping_add(rows.start * self.columns);
        // SAFETY: the value is `m x columns`.
        unsafe { std::slice::from_raw_parts_mut(first, rows.len() * self.columns) }
    }

    /// Writes channels from `first` on by sample.
    ///
    /// # Safety
    /// They must lie below m and be this thread's alone.
    unsafe fn scatter(&self, first: usize, value: &[T], slope: &[T]) {
        let (transpose, channels) = (T::active_kernel().transpose, value.len() / self.columns);
        for (traces, to) in [(value, self.places.by_sample), (slope, self.places.slope)] {
            // A few samples at a time, so that the lines of both sides stay near.
            for i in (0..self.n).step_by(CHUNK) {
                let (count, to) = (CHUNK.min(self.n - i), to.wrapping_add(i * self.m + first));
                // SAFETY: entry (i, first + channel) of an `n x m` array, from entry (channel, i) of one with more columns.
                unsafe {
                    transpose(traces.as_ptr().add(i), self.columns as isize, channels, count, to, self.m);
                }
            }
        }
    }
}
