//! `C <- alpha A B + beta C`: the five loops.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use crate::axis::Axis;
use crate::block::{Blocks, round_up};
use crate::kernel::Kernel;
use crate::pack::Operand;
use crate::tile::{Output, Side};
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
    /// Block sizes; `None` takes [`Blocks::for_tile`].
    pub blocks: Option<Blocks>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { isa: Isa::active(), blocks: None }
    }
}

/// `C <- alpha A B + beta C`, with A `m x k`, B `k x n` and C `m x n`.
///
/// Every element of C is `acc = beta * c; for k { acc = (alpha * a[k]).mul_add(b[k], acc) }`, to the bit.
/// When `beta` is 0, C is not read (it may hold NaN); when `alpha` is 0, A and B are not read.
///
/// # Panics
/// If the shapes disagree; the message names all three. If `FATHOM_ISA` asks for an instruction set that the CPU lacks.
pub fn gemm<T: Real>(
    alpha: T,
    a: MatRef<'_, T>,
    b: MatRef<'_, T>,
    beta: T,
    c: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    gemm_tuned(&Tuning::default(), alpha, a, b, beta, c, parallelism);
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
    mut c: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    assert!(
        a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols(),
        "gemm: the shapes disagree: A is {}x{}, B is {}x{}, C is {}x{}",
        a.rows(),
        a.cols(),
        b.rows(),
        b.cols(),
        c.rows(),
        c.cols()
    );
    let product = Product {
        a: Operand {
            ptr: a.as_ptr(),
            along: Axis::plain(a.rows(), a.row_stride()),
            depth: Axis::plain(a.cols(), a.col_stride()),
            scale: alpha,
        },
        b: Operand {
            ptr: b.as_ptr(),
            along: Axis::plain(b.cols(), b.col_stride()),
            depth: Axis::plain(b.rows(), b.row_stride()),
            scale: T::ONE,
        },
        beta,
        c: Output {
            ptr: c.as_mut_ptr(),
            rows: Axis::plain(c.rows(), c.row_stride()),
            cols: Axis::plain(c.cols(), c.col_stride()),
        },
    };
    // SAFETY: the axes are the views' own shapes and strides, and C's view is mutable and without overlap.
    unsafe { product.run(tuning, parallelism) };
}

/// `C <- A B + beta C` on operands that need not exist as matrices. `a.scale` carries alpha; 0 leaves A and B unread.
pub(crate) struct Product<T> {
    pub(crate) a: Operand<T>,
    pub(crate) b: Operand<T>,
    pub(crate) beta: T,
    pub(crate) c: Output<T>,
}

/// Below this many multiply-adds, waking another thread costs more than it saves.
const WORTH_A_THREAD: usize = 4 << 20;

impl<T: Real> Product<T> {
    /// # Safety
    /// All elements that the axes reach must be readable, C's writable and nobody else's, and no two elements of C may
    /// share an address.
    ///
    /// # Panics
    /// If the CPU lacks the instruction set or a block size is 0.
    pub(crate) unsafe fn run(mut self, tuning: &Tuning, parallelism: Parallelism) {
        let kernel = T::kernel(tuning.isa).unwrap_or_else(|| panic!("{}", IsaError::Missing(tuning.isa)));
        let blocks = tuning.blocks.unwrap_or_else(|| Blocks::for_tile(size_of::<T>(), kernel.mr, kernel.nr));
        assert!(blocks.mc > 0 && blocks.kc > 0 && blocks.nc > 0, "gemm: a block size is 0: {blocks:?}");

        // The kernel writes rows, so C should have neighbouring columns. fma(a, b, c) = fma(b, a, c): same bits.
        if !self.c.cols.is_contiguous() && self.c.rows.is_contiguous() {
            std::mem::swap(&mut self.a, &mut self.b);
            std::mem::swap(&mut self.c.rows, &mut self.c.cols);
        }
        let (m, n, k) = (self.c.rows.len(), self.c.cols.len(), self.a.depth.len());
        let threads = match parallelism {
            Parallelism::Rayon if m.saturating_mul(n).saturating_mul(k) >= WORTH_A_THREAD => {
                rayon::current_num_threads()
            }
            _ => 1,
        };
        let five_loops = |rows: Range<usize>, cols: Range<usize>| {
            // SAFETY: passed on from the caller; the ranges of different calls do not meet.
            unsafe { self.five_loops(&kernel, &blocks, rows, cols) };
        };
        if threads == 1 {
            five_loops(0..m, 0..n);
        } else if m.div_ceil(kernel.mr) >= n.div_ceil(kernel.nr) {
            split(m, kernel.mr, threads).into_par_iter().for_each(|rows| five_loops(rows, 0..n));
        } else {
            split(n, kernel.nr, threads).into_par_iter().for_each(|cols| five_loops(0..m, cols));
        }
    }

    /// # Safety
    /// As [`Product::run`], for the part `rows x cols` of C, which must be this task's alone.
    unsafe fn five_loops(&self, kernel: &Kernel<T>, blocks: &Blocks, rows: Range<usize>, cols: Range<usize>) {
        let Self { a, b, beta, c } = self;
        let depth = a.depth.len();
        if rows.is_empty() || cols.is_empty() {
            return;
        }
        if depth == 0 || a.scale == T::ZERO || b.scale == T::ZERO {
            // SAFETY: passed on from the caller.
            unsafe { c.scale(rows, cols, *beta) };
            return;
        }
        let Kernel { mr, nr, multiply: _, pack_a, pack_b, .. } = *kernel;
        let (mc, kc, nc) = (round_up(blocks.mc, mr), blocks.kc, round_up(blocks.nc, nr));
        let kc_most = kc.min(depth);
        let a_room = kc_most * mc.min(round_up(rows.len(), mr));
        let b_room = kc_most * nc.min(round_up(cols.len(), nr));

        with_scratch::<T, ()>(a_room + b_room, |scratch| {
            let (a_block, b_block) = scratch.split_at_mut(a_room);
            let (a_block, b_block) = (a_block.as_mut_ptr(), b_block.as_mut_ptr());
            // LOOP 5: blocks of columns of C and B
            for (col, width) in steps(cols.clone(), nc) {
                // LOOP 4: blocks of k. All but the first start their chains from the C of the one before.
                for (k, len) in steps(0..depth, kc) {
                    let beta = if k == 0 { *beta } else { T::ONE };
                    for (j, count) in steps(0..width, nr) {
                        // SAFETY: the panel lies inside B and inside the block, which has room for `width` columns.
                        unsafe { pack_b(b, col + j, count, k, len, b_block.add(j * len)) };
                    }
                    // LOOP 3: blocks of rows of C and A
                    for (row, height) in steps(rows.clone(), mc) {
                        for (i, count) in steps(0..height, mr) {
                            // SAFETY: as for B.
                            unsafe { pack_a(a, row + i, count, k, len, a_block.add(i * len)) };
                        }
                        // LOOP 2: panels of B
                        for (j, count) in steps(0..width, nr) {
                            let tile_cols = Side::new(&c.cols, col + j, count);
                            // LOOP 1: panels of A
                            for (i, count) in steps(0..height, mr) {
                                let tile_rows = Side::new(&c.rows, row + i, count);
                                // SAFETY: the tile lies inside this task's part; both panels have been packed.
                                unsafe {
                                    let panels = (a_block.add(i * len).cast_const(), b_block.add(j * len).cast_const());
                                    c.multiply(kernel, (&tile_rows, &tile_cols), len, panels, beta);
                                }
                            }
                        }
                    }
                }
            }
        });
    }
}

/// The starts and lengths of the pieces of `range` that are `step` long, but for the last.
fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = (usize, usize)> {
    range.clone().step_by(step).map(move |start| (start, step.min(range.end - start)))
}

/// `0..len` in at most `parts` pieces of whole tiles, as even as can be.
fn split(len: usize, tile: usize, parts: usize) -> Vec<Range<usize>> {
    let tiles = len.div_ceil(tile);
    let bound = |part: usize| (tiles * part / parts * tile).min(len);
    (0..parts).map(|part| bound(part)..bound(part + 1)).filter(|range| !range.is_empty()).collect()
}

/// A cache line, which packed panels start at.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

/// Lends `f` room for `len` elements, aligned to a cache line: this thread's own, kept from call to call.
fn with_scratch<T: Real, R>(len: usize, f: impl FnOnce(&mut [T]) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    }
    let lines = (len * size_of::<T>()).div_ceil(size_of::<Line>());
    // Taken out, so that a call made while `f` runs on this thread would get room of its own.
    let mut scratch = SCRATCH.take();
    if scratch.len() < lines {
        scratch.resize(lines, Line([0; 64]));
    }
    // SAFETY: the lines hold `len` elements, are aligned for them, and every bit pattern is a number.
    let result = f(unsafe { std::slice::from_raw_parts_mut(scratch.as_mut_ptr().cast::<T>(), len) });
    SCRATCH.set(scratch);
    result
}
