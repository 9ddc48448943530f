//! `C <- alpha A B + beta C`.

use std::ops::Range;

use crate::axis::Axis;
use crate::block::Blocks;
use crate::kernel::{Kernel, Run};
use crate::pack::Operand;
use crate::plan::{FEW_ROWS, Order, Reading, SHORT, Task, vectors};
use crate::product::Product;
use crate::small::is_small;
use crate::team;
use crate::tile::Output;
use crate::{Caches, Isa, IsaError, MatMut, MatRef, Real};

/// Whether a call may use several threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parallelism {
    /// The calling thread alone.
    Serial,
    /// The current rayon pool, so that `pool.install(|| ...)` chooses the threads.
    Rayon,
}

/// What a caller may choose about *how* a product is computed. None of it changes a bit of the result.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// The instruction set.
    pub isa: Isa,
    /// The most that a block may hold; `None` takes what the plan suggests, often [`Blocks::for_caches`].
    pub blocks: Option<Blocks>,
    /// How A is read, where its layout allows it: [`Reading::InPlace`] or [`Reading::Packed`]; others are as `None`.
    pub a: Option<Reading>,
    /// How B is read, where its layout allows it.
    pub b: Option<Reading>,
    /// Which loop is inside.
    pub order: Option<Order>,
    /// The caches to plan for; `None` takes this core's.
    pub caches: Option<Caches>,
}

impl Tuning {
    /// The usual choices on one instruction set.
    pub fn on(isa: Isa) -> Self {
        Self { isa, blocks: None, a: None, b: None, order: None, caches: None }
    }

    /// Itself, if it asks for more than an instruction set.
    pub(crate) fn forced(&self) -> Option<&Self> {
        let Self { isa: _, blocks, a, b, order, caches } = self;
        let asks = blocks.is_some() || a.is_some() || b.is_some() || order.is_some() || caches.is_some();
        asks.then_some(self)
    }
}

impl Default for Tuning {
    fn default() -> Self {
        Self::on(Isa::active())
    }
}

/// `C <- alpha A B + beta C`, with A `m x k`, B `k x n` and C `m x n`.
///
/// Every element of C is `acc = beta * c; for k { acc = (alpha * a[k]).mul_add(b[k], acc) }`, to the bit.
/// When `beta` is 0, C is not read (it may hold NaN); when `alpha` is 0, A and B are not read.
///
/// ```
/// use fathom_kernels::{MatMut, MatRef, Parallelism, gemm};
///
/// let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]; // two rows of three
/// let b = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]; // three rows of two
/// let mut c = [0.0; 4];
/// gemm(
///     1.0,
///     MatRef::row_major(&a, 2, 3)?,
///     MatRef::row_major(&b, 3, 2)?,
///     0.0,
///     MatMut::row_major(&mut c, 2, 2)?,
///     Parallelism::Serial,
/// );
/// assert_eq!(c, [4.0, 5.0, 10.0, 11.0]);
/// # Ok::<(), fathom_kernels::LayoutError>(())
/// ```
///
/// # Panics
/// If the shapes disagree; the message names all three. If `FATHOM_ISA` asks for an instruction set that the CPU lacks.
#[inline]
pub fn gemm<T: Real>(
    alpha: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    beta: T,
    c: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    multiply(T::active_kernel(), None, (alpha, a), b, (beta, c), parallelism);
}

/// [`gemm`] with a choice of how it is computed, for tests and measurements.
///
/// # Panics
/// As [`gemm`]; and if the CPU lacks the instruction set or a block size is 0.
pub fn gemm_tuned<T: Real>(
    tuning: &Tuning,
    alpha: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    beta: T,
    c: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    multiply(kernel(tuning.isa), tuning.forced(), (alpha, a), b, (beta, c), parallelism);
}

pub(crate) fn kernel<T: Real>(isa: Isa) -> &'static Kernel<T> {
    T::kernel(isa).unwrap_or_else(|| panic!("{}", IsaError::Missing(isa)))
}

#[inline]
pub(crate) fn multiply<T: Real>(
    kernel: &'static Kernel<T>,
    tuning: Option<&Tuning>,
    (alpha, a): (T, MatRef<'_, T>),
    b: MatRef<'_, T>,
    (beta, mut c): (T, MatMut<'_, T>),
    parallelism: Parallelism,
) {
    if a.cols() != b.rows() || c.rows() != a.rows() || c.cols() != b.cols() {
        disagree([a.rows(), a.cols(), b.rows(), b.cols(), c.rows(), c.cols()]);
    }
    let shape @ [m, n, _] = [a.rows(), b.cols(), a.cols()];
    if tuning.is_none() && alpha == T::ONE && is_small::<T>(shape) && is_for_one::<T>(shape, parallelism) {
        if m == 0 || n == 0 {
            return;
        }
        // A column of C is a row of its transpose.
        let (a, b, c) = if n == 1 { (b.t(), a.t(), c.reborrow().t()) } else { (a, b, c.reborrow()) };
        if b.col_stride() == 1 && c.col_stride() == 1 {
            return at_once(kernel, a, b, beta, c);
        }
    }
    at_length(kernel, tuning, (alpha, a), b, (beta, c), parallelism);
}

/// A small product whose operands are read in place; neighbouring columns of B and of C are neighbours in memory, and C is
/// not empty.
#[inline]
fn at_once<T: Real>(kernel: &'static Kernel<T>, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    let mut run = Run {
        k: a.cols(),
        a_row: a.row_stride() as isize,
        a_depth: a.col_stride() as isize,
        b_depth: b.row_stride() as isize,
        beta,
        c_row: c.row_stride() as isize,
        ..Run::of(a.as_ptr(), b.as_ptr(), c.as_mut_ptr())
    };
    // SAFETY: the views' shapes agree and cover their strides; C's view is mutable and without overlap.
    unsafe { (kernel.small)(&mut run, (c.rows(), c.cols())) };
}

/// Any product.
#[inline(never)]
fn at_length<T: Real>(
    kernel: &'static Kernel<T>,
    tuning: Option<&Tuning>,
    (alpha, a): (T, MatRef<'_, T>),
    b: MatRef<'_, T>,
    (beta, c): (T, MatMut<'_, T>),
    parallelism: Parallelism,
) {
    let product = Product::of((alpha, a), b, (beta, c));
    // SAFETY: the axes are the views' own shapes and strides, and C's view is mutable and without overlap.
    unsafe { product.run(kernel, tuning, parallelism) };
}

#[cold]
#[inline(never)]
fn disagree([am, ak, bk, bn, cm, cn]: [usize; 6]) -> ! {
    panic!("gemm: the shapes disagree: A is {am}x{ak}, B is {bk}x{bn}, C is {cm}x{cn}");
}

/// Whether one thread should do this product without asking for others.
#[inline]
fn is_for_one<T>(shape: [usize; 3], parallelism: Parallelism) -> bool {
    // The first look spares the smallest products the estimate.
    let tiny = shape.iter().all(|&dim| dim < TINY);
    let few = shape.iter().any(|&dim| dim <= FEW_ROWS);
    parallelism == Parallelism::Serial || tiny || nanoseconds::<T>(shape) < team::worth_sharing(few)
}

impl<T: Real> Product<T> {
    /// The product of views whose shapes agree.
    pub(crate) fn of((alpha, a): (T, MatRef<'_, T>), b: MatRef<'_, T>, (beta, mut c): (T, MatMut<'_, T>)) -> Self {
        let [m, n, k] = [a.rows(), b.cols(), a.cols()];
        let operand = |ptr, along, depth, scale| Operand { ptr, along, depth, scale };
        Self {
            a: operand(a.as_ptr(), Axis::plain(m, a.row_stride()), Axis::plain(k, a.col_stride()), alpha),
            b: operand(b.as_ptr(), Axis::plain(n, b.col_stride()), Axis::plain(k, b.row_stride()), T::ONE),
            beta,
            c: Output {
                ptr: c.as_mut_ptr(),
                rows: Axis::plain(m, c.row_stride()),
                cols: Axis::plain(n, c.col_stride()),
            },
        }
    }

    /// The whole product.
    ///
    /// # Safety
    /// As [`Product::compute`], for all of C.
    ///
    /// # Panics
    /// If a block size is 0.
    pub(crate) unsafe fn run(self, kernel: &'static Kernel<T>, tuning: Option<&Tuning>, parallelism: Parallelism) {
        let product = self.oriented();
        let shape @ [m, n, _] = [product.c.rows.len(), product.c.cols.len(), product.a.depth.len()];
        let part = |rows: Range<usize>, cols: Range<usize>| {
            // SAFETY: passed on from the caller; the ranges of different calls do not meet.
            unsafe { product.compute(kernel, tuning, rows, cols) };
        };
        if m == 0 || n == 0 || is_for_one::<T>(shape, parallelism) {
            return part(0..m, 0..n);
        }
        let nanoseconds = nanoseconds::<T>(shape);
        let strip = vectors(m) * kernel.lanes;
        let favour = Favour::of(&product.task(m, n), kernel);
        let grid = Grid::new(shape, strip, favour, rayon::current_num_threads(), nanoseconds);
        let shared = team::share(grid.pieces(), nanoseconds, &|piece| {
            let (rows, cols) = grid.piece(piece);
            part(rows, cols);
        });
        if !shared {
            part(0..m, 0..n);
        }
    }
}

/// A cube below this side is never worth telling another thread of.
const TINY: usize = 32;

/// About how long a product takes on one thread, in nanoseconds: 50 multiply-adds of f32 in each, 25 of f64, and 40
/// bytes read or written.
#[inline]
fn nanoseconds<T>([m, n, k]: [usize; 3]) -> usize {
    let madds = m.saturating_mul(n).saturating_mul(k);
    let elements = m.saturating_mul(k).saturating_add(n.saturating_mul(k)).saturating_add(m.saturating_mul(n));
    (madds / 200).saturating_add(elements / 40).saturating_mul(size_of::<T>())
}

/// Which pieces suit a product.
#[derive(Clone, Copy)]
enum Favour {
    /// Those that are about square, so that little of A and B is read twice.
    Squares,
    /// Those of whole columns, so that each block of B, which stays in the second level once it is packed, is packed once.
    Columns,
    /// As few and long ones as there are threads, so that rows of a transposed A stream in long stretches.
    LongRows,
    /// Few of whole columns, so that rows of B stream in long stretches.
    LongColumns,
}

impl Favour {
    fn of<T>(task: &Task, kernel: &Kernel<T>) -> Self {
        let caches = Caches::of_this_core();
        let &Task { m, n, k, element, b_in_place, a_row, .. } = task;
        if task.is_upright(caches) {
            Self::LongRows
        } else if m > FEW_ROWS && caches.are_tight() && b_in_place && task.streams(caches, kernel) {
            Self::LongColumns
        } else if k > SHORT && caches.keep_a_block() && k * n * element > caches.l2 / 4 && a_row != 1 {
            // Each piece of a transposed A would be packed once for each piece of B.
            Self::Columns
        } else {
            Self::Squares
        }
    }
}

/// C cut into pieces for several threads.
struct Grid {
    shape: [usize; 2],
    /// Rows and columns of a piece, but for the last ones.
    piece: [usize; 2],
}

impl Grid {
    /// Pieces of whole strips of `strip` columns, as `favour` says; but of whole rows where `k` is short and writing C is what takes
    /// the time, or where columns are too few to be cut evenly.
    fn new([m, n, k]: [usize; 3], strip: usize, favour: Favour, threads: usize, nanoseconds: usize) -> Self {
        let most = match favour {
            Favour::LongRows => threads,
            Favour::LongColumns => 2 * threads,
            _ if m <= FEW_ROWS => 2 * threads,
            _ => 4 * threads,
        };
        let pieces = (nanoseconds / PIECE).clamp(threads, most);
        let square = (pieces * n).div_ceil(m.max(1)).isqrt();
        let by_rows = matches!(favour, Favour::Columns) && n <= FEW_COLUMNS;
        let across = match favour {
            _ if by_rows || k <= SHORT && m > pieces * ROWS => 1,
            Favour::LongRows => 1,
            Favour::LongColumns => pieces,
            Favour::Columns => n.div_ceil(4 * strip).clamp(1, pieces),
            Favour::Squares => square.clamp(1, n.div_ceil(strip)).min(pieces),
        };
        let cols = n.div_ceil(across).next_multiple_of(strip);
        // Those of whole rows each read all of B.
        let (most, step) = match by_rows {
            true => ((m / MANY_ROWS).max(threads), EVEN_ROWS),
            false => (m.div_ceil(ROWS), if m > ROWS { ROWS } else { 1 }),
        };
        let down = pieces.div_ceil(across).min(most).max(1);
        let rows = m.div_ceil(down).next_multiple_of(step);
        Self { shape: [m, n], piece: [rows, cols] }
    }

    fn pieces(&self) -> usize {
        self.shape[0].div_ceil(self.piece[0]) * self.shape[1].div_ceil(self.piece[1])
    }

    fn piece(&self, index: usize) -> (Range<usize>, Range<usize>) {
        let across = self.shape[1].div_ceil(self.piece[1]);
        let range = |dim: usize, i: usize| i * self.piece[dim]..((i + 1) * self.piece[dim]).min(self.shape[dim]);
        (range(0, index / across), range(1, index % across))
    }
}

/// The least work, in nanoseconds, that is a piece of its own.
const PIECE: usize = 2_000;
/// Rows of a piece come in multiples of this many, which the tiles of most kernels divide.
const ROWS: usize = 12;
/// Of pieces that read the same columns, these come in multiples of so many, and are this many at least if there are more pieces
/// than threads.
const EVEN_ROWS: usize = 4;
const MANY_ROWS: usize = 48;
/// Up to so many columns, pieces of whole columns would not be even.
const FEW_COLUMNS: usize = 256;

#[cfg(test)]
mod tests {
    use super::{Favour, Grid};

    #[test]
    fn pieces_cover_c_once() {
        for [m, n] in [[1, 1], [1, 4096], [4096, 1], [5, 70], [64, 64], [100, 100], [1000, 33], [192, 192], [257, 1025]]
        {
            for threads in [2, 3, 8, 64] {
                let works = [(9, 0), (9, 100_000), (100, 5_000), (100, 100_000), (1000, 10_000_000)];
                let favours = [Favour::Squares, Favour::Columns, Favour::LongRows, Favour::LongColumns];
                for ((k, nanoseconds), favour) in works.into_iter().flat_map(|work| favours.map(|f| (work, f))) {
                    let grid = Grid::new([m, n, k], 16, favour, threads, nanoseconds);
                    let mut covered = vec![0; m * n];
                    for index in 0..grid.pieces() {
                        let (rows, cols) = grid.piece(index);
                        assert!(!rows.is_empty() && !cols.is_empty(), "{m}x{n}: piece {index} is empty");
                        for i in rows {
                            covered[i * n + cols.start..i * n + cols.end].iter_mut().for_each(|count| *count += 1);
                        }
                    }
                    assert!(covered.iter().all(|&count| count == 1), "{m}x{n} on {threads} threads");
                }
            }
        }
    }
    #[test]
    fn a_narrow_product_is_cut_evenly_across_its_rows() {
        let grid = Grid::new([100, 200, 4096], 16, Favour::Columns, 2, 1_000_000);
        assert_eq!([0, 1].map(|index| grid.piece(index)), [(0..52, 0..200), (52..100, 0..200)]);
        assert_eq!(Grid::new([1000, 200, 4096], 16, Favour::Columns, 2, 1_000_000).pieces(), 8);
    }
}
