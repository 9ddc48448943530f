//! One layer of a network on a few samples, forward and backward, with its weights moved no more often than they must be.
//!
//! Weights are `m x d`, row-major. Features and all that is made of them are *by sample* (`[sample, channel]`), which puts the
//! channels on the lanes of everything backward, and of what comes after a product: ten samples would leave most of a vector
//! empty. *By channel* (`[channel, sample]`) is how a layer reads the features of few samples on the way forward.

use std::ops::Range;

use crate::axis::Axis;
use crate::kernel::Kernel;
use crate::pack::Operand;
use crate::product::Product;
use crate::scratch::{size, with_scratch};
use crate::thin::places;
use crate::tile::Output;
use crate::{Finish, Isa, MatMut, MatRef, Parallelism, Real, gemm, team};

mod moves;

pub use moves::moves;

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
    /// `skip + scale sigma(W x)`: `n x m`.
    pub value: &'a mut [T],
    /// `scale sigma'(W x)`: `n x m`.
    pub slope: &'a mut [T],
}

/// Up to this many samples, a thread finishes the channels of the product that it has just made; of more, the product is one by itself.
const FEW_SAMPLES: usize = 48;
/// Samples on the lanes come in whole vectors of this many.
const LANES: usize = 8;
/// Channels and samples that are turned at once.
const SQUARE: usize = 16;
/// Threads take whole cache lines and whole tiles.
const PIECE: usize = 48;

/// Forward: W x, and everything that comes after it while it is in the first levels of cache. `x` is `n x d`.
///
/// # Panics
/// When a matrix or a slice is not of its shape's size.
pub fn forward<T: Real>(
    finish: &Finish<'_, T>,
    weights: &Weights<'_, T>,
    x: MatRef<'_, T>,
    traces: Traces<'_, T>,
    parallelism: Parallelism,
) {
    let (m, d, rank) = weights.shape();
    let n = x.rows();
    assert!(x.cols() == d, "dense: features of {} channels for W {m}x{d}", x.cols());
    let lens = [traces.value.len(), traces.slope.len()];
    assert!(lens == [n * m; 2], "dense: traces of {lens:?} elements are not {n} samples of {m} channels");
    assert!(finish.skip.is_none_or(|skip| skip.len() == n * m), "dense: the skip is not of the value's shape");
    if n * m == 0 {
        return;
    }
    if n <= FEW_SAMPLES {
        return forward_few(finish, weights, x, traces, parallelism);
    }
    let mut product = MatMut::row_major(&mut *traces.value, n, m).expect("checked");
    gemm(T::ONE, x, weights.matrix.t(), T::ZERO, product.reborrow(), parallelism);
    if rank > 0 {
        add_product(x, weights.features().t(), weights.moves(), product, parallelism);
    }
    let found = Found::of(traces);
    in_pieces((n, 1), 3 * n * m, parallelism, &|samples| {
        // SAFETY: samples of this piece alone.
        unsafe { found.finish(finish, samples.start * m..samples.end * m) };
    });
}

/// [`forward`] of few samples: pieces of the channels, each of which is finished while it is near.
fn forward_few<T: Real>(
    finish: &Finish<'_, T>,
    weights: &Weights<'_, T>,
    x: MatRef<'_, T>,
    traces: Traces<'_, T>,
    parallelism: Parallelism,
) {
    let ((m, d, rank), n) = (weights.shape(), x.rows());
    let kernel = T::active_kernel();
    let by_sample = n <= kernel.columns_rows;
    let columns = if by_sample { places(n) } else { n.next_multiple_of(LANES) };
    let room = [size(&[d + rank, columns]), if by_sample { 0 } else { size(&[m, columns]) }];
    with_scratch::<T, ()>(room, |[x_room, product]| {
        let along = x_room.wrapping_add(d * columns);
        let layer =
            Layer { kernel, weights, by_sample, n, columns, x: x_room, along, product, found: Found::of(traces) };
        // SAFETY: `x` holds the features; the room for them holds `d` rows, of which each piece writes its own.
        in_pieces((d, PIECE), d * n, parallelism, &|channels| unsafe { layer.turn(x, channels) });
        if rank > 0 {
            let out = (along, if by_sample { rank } else { columns });
            // SAFETY: the room has a place for all r rows or columns of it, and the features are in theirs.
            unsafe { layer.multiply(weights.features(), out, parallelism) };
        }
        in_pieces((m, PIECE), m * (d + rank) * columns / 40, parallelism, &|rows| {
            // SAFETY: pieces do not meet, and each writes its own channels and rows of the product.
            unsafe {
                layer.multiply_rows(rows.clone());
                layer.finish(finish, rows);
            }
        });
    });
}

/// Where a layer's product and then its traces are, both `n x m`.
struct Found<T> {
    value: *mut T,
    slope: *mut T,
}

// SAFETY: threads write disjoint elements, as those who call its method vouch for.
unsafe impl<T: Sync> Sync for Found<T> {}

impl<T: Real> Found<T> {
    fn of(traces: Traces<'_, T>) -> Self {
        Self { value: traces.value.as_mut_ptr(), slope: traces.slope.as_mut_ptr() }
    }

    /// What comes after some elements of the product, which are in the place of the value.
    ///
    /// # Safety
    /// The elements must be there, and this thread's alone.
    unsafe fn finish(&self, finish: &Finish<'_, T>, elements: Range<usize>) {
        let skip = finish.skip.map(|skip| &skip[elements.clone()]);
        // SAFETY: these elements, which nobody else refers to.
        let [value, slope] = [self.value, self.slope]
            .map(|to| unsafe { std::slice::from_raw_parts_mut(to.add(elements.start), elements.len()) });
        finish.run(Isa::active(), skip, value, slope);
    }
}

/// A layer of few samples on its way forward. Of as many as the kernels take rows, its product is made by sample, in the place
/// of the value, with channels on the lanes; of more, by channel, with samples on the lanes, and is turned then.
struct Layer<'a, T: 'static> {
    kernel: &'static Kernel<T>,
    weights: &'a Weights<'a, T>,
    by_sample: bool,
    n: usize,
    /// From a channel of `x` to the next, and of a product that is by channel.
    columns: usize,
    /// The features by channel, `d x columns`.
    x: *mut T,
    /// The features' products with the directions of the weights' updates: `n x r`, or `r x columns`.
    along: *mut T,
    /// `m x columns`, if by channel.
    product: *mut T,
    found: Found<T>,
}

// SAFETY: threads write disjoint channels, as those who call its methods vouch for.
unsafe impl<T: Sync> Sync for Layer<'_, T> {}

impl<T: Real> Layer<'_, T> {
    /// Writes some channels of the features to their room.
    ///
    /// # Safety
    /// The channels must be this thread's alone, and the room large enough.
    unsafe fn turn(&self, x: MatRef<'_, T>, channels: Range<usize>) {
        let samples = Operand::plain(x.as_ptr(), (self.n, x.row_stride()), (x.cols(), x.col_stride()));
        let to = self.x.wrapping_add(channels.start * self.columns);
        // SAFETY: the ranges lie inside the view; the caller vouches for the room.
        unsafe { samples.pack_panel(self.kernel, (0, self.n), (channels.start, channels.len()), (to, self.columns)) };
        for channel in channels {
            for i in self.n..self.columns {
                // SAFETY: a place that fills up a vector, in this channel's part of the room.
                unsafe { *self.x.add(channel * self.columns + i) = T::ZERO };
            }
        }
    }

    /// Rows of a matrix, `d` wide, times the features, to `out`: by sample or by channel, with rows `step` apart.
    ///
    /// # Safety
    /// All features must be in their room; `out` must have a place for the result, of this thread's alone.
    unsafe fn multiply(&self, matrix: MatRef<'_, T>, (out, step): (*mut T, usize), parallelism: Parallelism) {
        let (height, depth) = ((matrix.rows(), matrix.row_stride()), (matrix.cols(), matrix.col_stride()));
        let samples = if self.by_sample { self.n } else { self.columns };
        let features = Operand::plain(self.x, (samples, 1), (matrix.cols(), self.columns));
        let rows = Operand::plain(matrix.as_ptr(), height, depth);
        // SAFETY: passed on from the caller.
        unsafe { self.run((rows, features), T::ZERO, (out, step), parallelism) };
    }

    /// Some rows of `W + moves^T features` times the features: to the value if by sample, and to the product's room if by channel.
    ///
    /// # Safety
    /// As [`Layer::multiply`]; and what is along the updates' features must be there.
    unsafe fn multiply_rows(&self, rows: Range<usize>) {
        let (m, d, rank) = self.weights.shape();
        let out = match self.by_sample {
            true => (self.found.value.wrapping_add(rows.start), m),
            false => (self.product.wrapping_add(rows.start * self.columns), self.columns),
        };
        // SAFETY: passed on from the caller.
        unsafe {
            self.multiply(self.weights.matrix.submatrix(rows.start, 0, rows.len(), d), out, Parallelism::Serial);
        }
        if rank > 0 {
            let moves = Operand::plain(self.weights.moves[rows.start..].as_ptr(), (rows.len(), 1), (rank, m));
            let along = match self.by_sample {
                true => Operand::plain(self.along, (self.n, rank), (rank, 1)),
                false => Operand::plain(self.along, (self.columns, 1), (rank, self.columns)),
            };
            // SAFETY: as above.
            unsafe { self.run((moves, along), T::ONE, out, Parallelism::Serial) };
        }
    }

    /// The product of something along the channels and something along the samples, as [`Layer::multiply`] writes it.
    ///
    /// # Safety
    /// As [`Layer::multiply`].
    unsafe fn run(
        &self,
        (channels, samples): (Operand<T>, Operand<T>),
        beta: T,
        (out, step): (*mut T, usize),
        parallelism: Parallelism,
    ) {
        let (a, b) = if self.by_sample { (samples, channels) } else { (channels, samples) };
        let c = Output { ptr: out, rows: Axis::plain(a.along.len(), step), cols: Axis::plain(b.along.len(), 1) };
        // SAFETY: passed on from the caller.
        unsafe { Product { a, b, beta, c }.run(self.kernel, None, parallelism) };
    }

    /// What comes after the product of some rows.
    ///
    /// # Safety
    /// The rows must be there, and they and their channels this thread's alone.
    unsafe fn finish(&self, finish: &Finish<'_, T>, rows: Range<usize>) {
        let (m, _, _) = self.weights.shape();
        if !self.by_sample {
            for first in rows.clone().step_by(SQUARE) {
                let (channels, from) = (SQUARE.min(rows.end - first), self.product.wrapping_add(first * self.columns));
                for i in (0..self.n).step_by(SQUARE) {
                    let (samples, to) = (SQUARE.min(self.n - i), self.found.value.wrapping_add(i * m + first));
                    // SAFETY: entry (i, first + channel) of the value, from entry (channel, i) of the product.
                    unsafe { (self.kernel.transpose)(from.add(i), self.columns as isize, channels, samples, to, m) };
                }
            }
        }
        for i in 0..self.n {
            // SAFETY: these channels of a sample.
            unsafe { self.found.finish(finish, i * m + rows.start..i * m + rows.end) };
        }
    }
}

/// Backward: `dx <- beta dx + delta W`; `delta` is `n x m` and `dx` `n x d`.
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
    let (_, _, rank) = weights.shape();
    gemm(T::ONE, delta, weights.matrix, beta, dx.reborrow(), parallelism);
    if rank > 0 {
        add_product(delta, weights.moves().t(), weights.features(), dx, parallelism);
    }
}

/// `out <- out + (a b) c`.
fn add_product<T: Real>(
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    c: MatRef<'_, T>,
    out: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    let (rows, inner) = (a.rows(), b.cols());
    let mut between = vec![T::ZERO; rows * inner];
    let room = MatMut::row_major(&mut between, rows, inner).expect("just made");
    gemm(T::ONE, a, b, T::ZERO, room, parallelism);
    let between = MatRef::row_major(&between, rows, inner).expect("just made");
    gemm(T::ONE, between, c, T::ONE, out, parallelism);
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
fn in_pieces(
    (len, chunk): (usize, usize),
    nanoseconds: usize,
    parallelism: Parallelism,
    work: &(dyn Fn(Range<usize>) + Sync),
) {
    let threads = if parallelism == Parallelism::Rayon { rayon::current_num_threads() } else { 1 };
    // A few for each thread, so that one that is held up does not hold up all.
    let piece = len.div_ceil(4 * threads).next_multiple_of(chunk);
    let range = |piece_index: usize| piece_index * piece..((piece_index + 1) * piece).min(len);
    let shared = threads > 1
        && nanoseconds >= team::worth_sharing(true)
        && team::share(len.div_ceil(piece), nanoseconds, &|index| work(range(index)));
    if !shared {
        work(0..len);
    }
}
