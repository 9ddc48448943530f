//! `C <- alpha A B + beta C`.

use std::ops::Range;

use rayon::prelude::*;

use crate::axis::Axis;
use crate::block::Blocks;
use crate::kernel::{Ahead, Kernel, Run};
use crate::pack::Operand;
use crate::plan::{Reading, vectors};
use crate::product::{Cut, Product, heights};
use crate::tile::Output;
use crate::{Isa, IsaError, MatMut, MatRef, Real};

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
    /// The most that a block may hold; `None` takes [`Blocks::for_caches`].
    pub blocks: Option<Blocks>,
    /// How A is read, where its layout allows it.
    pub a: Option<Reading>,
    /// How B is read, where its layout allows it.
    pub b: Option<Reading>,
}

impl Tuning {
    /// The usual choices on one instruction set.
    pub fn on(isa: Isa) -> Self {
        Self { isa, blocks: None, a: None, b: None }
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

/// [`gemm`] with a chosen instruction set and block sizes, for tests and measurements.
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
    multiply(kernel(tuning.isa), Some(tuning), (alpha, a), b, (beta, c), parallelism);
}

pub(crate) fn kernel<T: Real>(isa: Isa) -> &'static Kernel<T> {
    T::kernel(isa).unwrap_or_else(|| panic!("{}", IsaError::Missing(isa)))
}

fn multiply<T: Real>(
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
    if tuning.is_none() && alpha == T::ONE && a.rows().saturating_mul(b.cols()).saturating_mul(a.cols()) <= SMALL {
        // A column of C is a row of its transpose.
        let (a, b, c) = if c.cols() == 1 { (b.t(), a.t(), c.reborrow().t()) } else { (a, b, c.reborrow()) };
        if c.rows() == 0 || c.cols() == 0 {
            return;
        }
        if b.col_stride() == 1 && c.col_stride() == 1 {
            // SAFETY: the views' shapes agree and cover their strides; C's view is mutable and without overlap.
            return unsafe { small(kernel, (a, b), beta, c) };
        }
    }
    let (m, n, k) = (a.rows(), b.cols(), a.cols());
    let product = Product {
        a: Operand {
            ptr: a.as_ptr(),
            along: Axis::plain(m, a.row_stride()),
            depth: Axis::plain(k, a.col_stride()),
            scale: alpha,
        },
        b: Operand {
            ptr: b.as_ptr(),
            along: Axis::plain(n, b.col_stride()),
            depth: Axis::plain(k, b.row_stride()),
            scale: T::ONE,
        },
        beta,
        c: Output {
            ptr: c.as_mut_ptr(),
            rows: Axis::plain(m, c.row_stride()),
            cols: Axis::plain(n, c.col_stride()),
        },
    };
    // SAFETY: the axes are the views' own shapes and strides, and C's view is mutable and without overlap.
    unsafe { product.run(kernel, tuning, parallelism) };
}

#[cold]
#[inline(never)]
fn disagree([am, ak, bk, bn, cm, cn]: [usize; 6]) -> ! {
    panic!("gemm: the shapes disagree: A is {am}x{ak}, B is {bk}x{bn}, C is {cm}x{cn}");
}

/// Up to this many multiply-adds, operands are read in place and nothing is planned.
const SMALL: usize = 64 * 64 * 64;

/// `C <- A B + beta C` where the columns of B and C are neighbours and all three are in the first levels of cache.
///
/// # Safety
/// As [`Product::run`]; the shapes agree and C is not empty.
#[inline]
unsafe fn small<T: Real>(kernel: &'static Kernel<T>, (a, b): (MatRef<'_, T>, MatRef<'_, T>), beta: T, mut c: MatMut<'_, T>) {
    let (m, n) = (c.rows(), c.cols());
    let vectors = vectors(m);
    let mut col = 0;
    while col < n {
        let cut = Cut::new(kernel, vectors, n - col);
        let tiles = cut.tiles();
        let mut run = Run {
            tiles: 0,
            k: a.cols(),
            a: a.as_ptr(),
            a_row: a.row_stride() as isize,
            a_depth: a.col_stride() as isize,
            a_tile: 0,
            b: b.as_ptr().wrapping_add(col),
            b_depth: b.row_stride() as isize,
            b_tile: 0,
            beta,
            c: c.as_mut_ptr().wrapping_add(col),
            c_row: c.row_stride() as isize,
            c_tile: 0,
            last: cut.last(),
            ahead: Ahead::NONE,
        };
        for (height, count) in heights(m, tiles.len()) {
            if count == 0 {
                continue;
            }
            run.tiles = count;
            (run.a_tile, run.c_tile) = (height as isize * run.a_row, height as isize * run.c_row);
            // SAFETY: the tiles are part of the product, which the caller vouches for.
            unsafe { tiles[height - 1](&run) };
            run.a = run.a.wrapping_offset(count as isize * run.a_tile);
            run.c = run.c.wrapping_offset(count as isize * run.c_tile);
        }
        col += cut.width;
    }
}

/// Below this many multiply-adds, waking another thread costs more than it saves.
const WORTH_A_THREAD: usize = 4 << 20;

impl<T: Real> Product<T> {
    /// The whole product.
    ///
    /// # Safety
    /// All elements that the axes reach must be readable, C's writable and nobody else's, and no two elements of C may
    /// share an address.
    ///
    /// # Panics
    /// If a block size is 0.
    pub(crate) unsafe fn run(self, kernel: &'static Kernel<T>, tuning: Option<&Tuning>, parallelism: Parallelism) {
        let product = self.oriented();
        let (m, n, k) = (product.c.rows.len(), product.c.cols.len(), product.a.depth.len());
        let threads = match parallelism {
            Parallelism::Rayon if m.saturating_mul(n).saturating_mul(k) >= WORTH_A_THREAD => {
                rayon::current_num_threads()
            }
            _ => 1,
        };
        let part = |rows: Range<usize>, cols: Range<usize>| {
            // SAFETY: passed on from the caller; the ranges of different calls do not meet.
            unsafe { product.compute(kernel, tuning, rows, cols) };
        };
        if threads == 1 {
            part(0..m, 0..n);
        } else if m >= n {
            split(m, 12, threads).into_par_iter().for_each(|rows| part(rows, 0..n));
        } else {
            split(n, 32, threads).into_par_iter().for_each(|cols| part(0..m, cols));
        }
    }
}

/// `0..len` in at most `parts` pieces of whole tiles, as even as can be.
fn split(len: usize, tile: usize, parts: usize) -> Vec<Range<usize>> {
    let tiles = len.div_ceil(tile);
    let bound = |part: usize| (tiles * part / parts * tile).min(len);
    (0..parts).map(|part| bound(part)..bound(part + 1)).filter(|range| !range.is_empty()).collect()
}
