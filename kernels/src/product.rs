//! The five loops.

use std::iter::repeat_n;
use std::ops::Range;
use std::ptr::null_mut;

use crate::Real;
use crate::block::Blocks;
use crate::cache::{Caches, LINE};
use crate::cut::{Cut, heights};
use crate::gemm::Tuning;
use crate::kernel::{Kernel, Later, Run};
use crate::pack::Operand;
use crate::plan::{Order, Plan, Reading, Task};
use crate::scratch::{size, with_scratch};
use crate::small::{LONG_TURN, SHORT_TURN, is_small, small_turned};
use crate::thin::{BLOCK, Columns, IN_PLACE, places};
use crate::tile::{Output, Way};

mod rows;
mod strips;
#[cfg(all(test, unix))]
mod tests;
mod transposed;

use rows::{PAD, Rows};
use strips::{Block, PANEL_PAD};

/// `C <- A B + beta C` on operands that need not exist as matrices. `a.scale` carries alpha; 0 leaves A and B unread.
pub(crate) struct Product<T> {
    pub(crate) a: Operand<T>,
    pub(crate) b: Operand<T>,
    pub(crate) beta: T,
    pub(crate) c: Output<T>,
}

impl<T: Real> Product<T> {
    /// Sees C transposed where that makes its columns contiguous: `fma(a, b, c) = fma(b, a, c)`, so the bits stay.
    pub(crate) fn oriented(mut self) -> Self {
        let row_vector = self.c.rows.len() == 1;
        if !self.c.cols.is_contiguous() && self.c.rows.is_contiguous() || self.c.cols.len() == 1 && !row_vector {
            std::mem::swap(&mut self.a, &mut self.b);
            std::mem::swap(&mut self.c.rows, &mut self.c.cols);
        }
        self
    }

    /// The part `rows x cols` of the product.
    ///
    /// # Safety
    /// All elements that the axes reach must be readable, and what lies between columns of A and B that are two apart; C's
    /// elements must be writable and nobody else's, and no two of them may share an address. The part must be this task's alone.
    pub(crate) unsafe fn compute(
        &self,
        kernel: &'static Kernel<T>,
        tuning: Option<&Tuning>,
        rows: Range<usize>,
        cols: Range<usize>,
    ) {
        if rows.is_empty() || cols.is_empty() {
            return;
        }
        if self.a.depth.len() == 0 || self.a.scale == T::ZERO || self.b.scale == T::ZERO {
            // SAFETY: passed on from the caller.
            return unsafe { self.c.scale(rows, cols, self.beta) };
        }
        let task = self.task(rows.len(), cols.len());
        if tuning.is_none() && self.c.rows.is_plain() {
            // SAFETY: passed on from the caller.
            unsafe {
                if self.compute_unplanned(kernel, &task, rows.start, &cols) {
                    return;
                }
                if task.streams_transposed(kernel) {
                    return self.compute_transposed(kernel, rows, cols);
                }
            }
        }
        let plan = Plan::new(&task, kernel, tuning);
        // SAFETY: passed on from the caller.
        unsafe {
            if plan.b == Reading::Columns {
                self.columns(kernel, &rows, &cols);
            } else {
                self.five_loops(kernel, &plan, rows, cols);
            }
        }
    }

    /// A part that needs no plan, from row `row` on: a small one, or few rows that a matrix sweeps past, if its operands lie well
    /// for it; otherwise it says no.
    ///
    /// # Safety
    /// As [`Product::compute`]; the rows of C must be plain.
    unsafe fn compute_unplanned(
        &self,
        kernel: &'static Kernel<T>,
        task: &Task,
        row: usize,
        cols: &Range<usize>,
    ) -> bool {
        let small = is_small::<T>([task.m, task.n, task.k]);
        if !small && !task.is_sweep() {
            return false;
        }
        let Self { a, b, beta, c } = self;
        let run = &mut Run {
            k: task.k,
            a_row: task.a_row,
            a_depth: task.a_depth,
            b_depth: task.b_row,
            beta: *beta,
            c_row: c.rows.inner_stride(),
            ..Run::of(
                a.at(row),
                b.at(cols.start),
                c.ptr.wrapping_offset(c.rows.offset(row) + c.cols.offset(cols.start)),
            )
        };
        // SAFETY: passed on from the caller; all strides are even, that along the columns of C is 1, and so is one of B's.
        unsafe {
            if !small {
                (kernel.sweep)(run, (task.m, task.n));
            } else if task.is_direct() {
                (kernel.small)(run, (task.m, task.n));
            } else if task.reads_columns(Caches::of_this_core(), kernel) && (task.m == 1 || task.k >= LONG_TURN) {
                self.columns(kernel, &(row..row + task.m), cols);
            } else if task.is_turned() && task.k <= SHORT_TURN {
                small_turned(kernel, run, (task.m, task.n), b.along.inner_stride());
            } else {
                return false;
            }
        }
        true
    }

    /// What the plan of an `m x n` part depends on.
    pub(crate) fn task(&self, m: usize, n: usize) -> Task {
        let in_place = |operand: &Operand<T>| operand.scale == T::ONE && operand.depth.is_plain();
        let c_direct = self.c.cols.is_plain() && self.c.cols.is_contiguous();
        Task {
            m,
            n,
            k: self.a.depth.len(),
            element: size_of::<T>(),
            a_in_place: in_place(&self.a) && self.a.along.is_plain(),
            a_row: self.a.along.inner_stride(),
            a_depth: self.a.depth.inner_stride(),
            b_row: self.b.depth.inner_stride(),
            b_in_place: in_place(&self.b) && self.b.along.is_plain() && self.b.along.is_contiguous(),
            b_aligned: self.b.ptr.addr().is_multiple_of(LINE)
                && (self.b.depth.inner_stride().unsigned_abs() * size_of::<T>()).is_multiple_of(LINE),
            b_columns: in_place(&self.b) && self.b.along.is_plain() && self.b.depth.is_contiguous(),
            c_direct,
            c_even: self.c.rows.is_plain(),
            b_elements: self.b.along.len() * self.b.depth.len(),
            c_elements: self.c.rows.len() * self.c.cols.len(),
        }
    }

    /// A few rows of A times a matrix whose columns are contiguous.
    ///
    /// # Safety
    /// As [`Product::compute`]; there must be no more rows than `kernel` takes, B and C must be plain, and the rows of C
    /// contiguous; up to [`IN_PLACE`] rows, A must be plain, too.
    unsafe fn columns(&self, kernel: &Kernel<T>, rows: &Range<usize>, cols: &Range<usize>) {
        let Self { a, b, beta, c } = self;
        let (m, depth) = (rows.len(), a.depth.len());
        let job = Columns {
            m,
            n: cols.len(),
            k: depth,
            a: a.at(rows.start),
            a_row: a.along.inner_stride(),
            a_depth: a.depth.inner_stride(),
            b: b.ptr.wrapping_offset(b.along.offset(cols.start)),
            b_column: b.along.inner_stride(),
            beta: *beta,
            c: c.ptr.wrapping_offset(c.rows.offset(rows.start) + c.cols.offset(cols.start)),
            c_row: c.rows.inner_stride(),
            c_column: 1,
        };
        let places = places(m);
        let as_if_packed = m == places && (job.a_row, job.a_depth) == (1, places as isize) && a.scale == T::ONE;
        if m <= IN_PLACE || as_if_packed {
            // SAFETY: passed on from the caller.
            return unsafe { (kernel.columns)(&job) };
        }
        let most = (BLOCK / size_of::<T>() / places).min(depth);
        with_scratch::<T, ()>([size(&[most, places]), 0], |[room, _]| {
            for (k, len) in steps(0..depth, most) {
                let beta = if k == 0 { job.beta } else { T::ONE };
                let packed = Columns { a: room, a_row: 1, a_depth: places as isize, k: len, beta, ..job };
                // SAFETY: passed on from the caller; the room holds so many columns of A.
                unsafe {
                    a.pack_panel(kernel, (rows.start, m), (k, len), (room, places));
                    (kernel.columns)(&Columns { b: job.b.wrapping_add(k), ..packed });
                }
            }
        });
    }

    /// # Safety
    /// As [`Product::compute`]; `plan` must be one for this part.
    unsafe fn five_loops(&self, kernel: &'static Kernel<T>, plan: &Plan, rows: Range<usize>, cols: Range<usize>) {
        let Blocks { mc, kc, nc } = plan.blocks;
        let strip = plan.vectors * kernel.lanes;
        let passes = plan.packs_by_strips() && mc >= rows.len();
        let width = if passes { 2 * strip } else { nc }.min(cols.len());
        let a_room = if plan.a.is_in_place() { 0 } else { size(&[mc.min(rows.len()), kc.saturating_add(PAD)]) };
        let b_room = if plan.b.is_in_place() {
            0
        } else {
            size(&[PANEL_PAD, width / kernel.lanes + 1]).saturating_add(size(&[kc, width.saturating_add(strip)]))
        };
        with_scratch::<T, ()>([a_room, b_room], |[a_room, b_room]| {
            // LOOP 5: blocks of columns of C and B
            for (col, width) in steps(cols, nc) {
                // LOOP 4: blocks of k; all but the first start their chains from the C of the one before.
                for (k, len) in steps(0..self.a.depth.len(), kc) {
                    let beta = if k == 0 { self.beta } else { T::ONE };
                    let block = Block { kernel, plan, col, width, k, len, beta, room: b_room, passes };
                    // SAFETY: the ranges lie inside this task's part, and the rooms are large enough for them.
                    unsafe {
                        if !plan.b.is_in_place() && !plan.packs_by_strips() {
                            self.pack_block(&block);
                        }
                        // LOOP 3: blocks of rows of C and A
                        for (row, height) in steps(rows.clone(), mc) {
                            let a = self.rows_of_a(kernel, plan, (row, height), (k, len), a_room);
                            // LOOPS 2 and 1
                            match plan.order {
                                Order::RowsInside => self.strip_by_strip(&block, &a, row == rows.start),
                                Order::StripsInside => self.row_by_row(&block, &a),
                            }
                        }
                    }
                }
            }
        });
    }

    /// Each few rows of `a` meet all strips of a block.
    ///
    /// # Safety
    /// As [`Product::strip_by_strip`], and the strips are where they are read.
    unsafe fn row_by_row(&self, block: &Block<T>, a: &Rows<T>) {
        for part in a.parts() {
            let mut part = part;
            let most = block.kernel.whole[block.plan.vectors - 1].len().min(block.plan.rows);
            for height in heights(part.count, most).into_iter().flat_map(|(height, tiles)| repeat_n(height, tiles)) {
                // SAFETY: rows of this block.
                unsafe { self.row_of_tiles(block, &Rows { count: height, ..part }) };
                part = part.after(height);
            }
        }
    }

    /// The rows of one tile meet all strips of a block, the whole ones in one run.
    ///
    /// # Safety
    /// As [`Product::row_by_row`].
    unsafe fn row_of_tiles(&self, block: &Block<T>, rows: &Rows<T>) {
        let mut cuts = block.cuts();
        let a_later = self.rows_after(block, rows);
        while let Some((j, cut)) = cuts.next() {
            let alike = cuts.alike(&cut) + 1;
            let b_tile = if block.plan.b.is_in_place() { cut.width } else { block.panel_step() };
            let kernels = match block.plan.b {
                Reading::Streamed if alike > 2 => cut.kernel.streaming[cut.vectors - 1],
                reading if cut.is_whole_pair() && !reading.is_in_place() => cut.kernel.panel,
                _ => cut.tiles(),
            };
            // Where a block is a few rows of B, the next rows; otherwise the strips further right.
            let b_later = if block.plan.rows_ahead {
                block.len as isize * self.b.depth.inner_stride()
            } else {
                LATER * b_tile as isize
            };
            let mut rest = *rows;
            for (height, tiles) in heights(rows.count, kernels.len()) {
                for _ in 0..tiles {
                    let run = Run {
                        tiles: alike,
                        a_later: if j == 0 { a_later } else { Later::NONE },
                        b_tile: b_tile as isize,
                        b_later,
                        ..self.run_of(block, (j, &cut), &rest)
                    };
                    let place = (block.col + j, cut.width, cut.span());
                    // SAFETY: as in `strip_by_strip`.
                    unsafe { self.c.multiply(kernels[height - 1], (rest.first, height), place, Way::Right, run) };
                    rest = rest.after(height);
                }
            }
            cuts.next += (alike - 1) * cut.width;
        }
    }

    /// The rows of A after `rows`, where they come from, if that is far away.
    fn rows_after(&self, block: &Block<T>, rows: &Rows<T>) -> Later<T> {
        if !block.plan.a_far || !self.a.along.is_plain() || !self.a.depth.is_plain() {
            return Later::NONE;
        }
        let (first, step) = (self.a.at(rows.first), self.a.along.inner_stride());
        Later::rows(first.wrapping_offset(rows.count as isize * step + self.a.depth.offset(block.k)), step)
    }

    /// A run that starts with the rows of `a` and the strip at column `j` of the block; the tiles' count, steps and C are
    /// left to say.
    fn run_of(&self, block: &Block<T>, (j, cut): (usize, &Cut<T>), a: &Rows<T>) -> Run<'static, T> {
        let (b, b_depth) = if block.plan.b.is_in_place() {
            (self.source(block, j), self.b.depth.inner_stride())
        } else {
            (block.panel(j).cast_const(), cut.span() as isize)
        };
        Run {
            k: block.len,
            a_row: a.row,
            a_depth: a.depth,
            b_depth,
            beta: block.beta,
            c_far: block.plan.asks_for_c,
            last: cut.last(),
            ..Run::of(a.ptr, b, null_mut())
        }
    }

    /// Where column `j` of the block lies in B.
    fn source(&self, block: &Block<T>, j: usize) -> *const T {
        self.b.ptr.wrapping_offset(self.b.along.offset(block.col + j) + self.b.depth.offset(block.k))
    }
}

/// How many tiles before its turn a strip that streams is asked for.
const LATER: isize = 2;

/// The starts and lengths of the pieces of `range` that are `step` long, but for the last.
fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    range.clone().step_by(step).map(move |start| (start, step.min(range.end - start)))
}
