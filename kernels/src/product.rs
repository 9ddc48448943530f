//! The five loops.

use std::ops::Range;

use crate::block::Blocks;
use crate::gemm::Tuning;
use crate::kernel::{Kernel, Multiply, Strip};
use crate::pack::Operand;
use crate::plan::{Order, Plan, Reading, Task};
use crate::scratch::with_scratch;
use crate::thin::Columns;
use crate::tile::{Output, Side};
use crate::Real;

/// `C <- A B + beta C` on operands that need not exist as matrices. `a.scale` carries alpha; 0 leaves A and B unread.
pub(crate) struct Product<T> {
    pub(crate) a: Operand<T>,
    pub(crate) b: Operand<T>,
    pub(crate) beta: T,
    pub(crate) c: Output<T>,
}

/// Neighbouring columns of C, and the kernel that has their number of vectors.
#[derive(Clone, Copy)]
pub(crate) struct Cut<T: 'static> {
    pub(crate) kernel: &'static Kernel<T>,
    pub(crate) vectors: usize,
    pub(crate) width: usize,
}

impl<T: Real> Cut<T> {
    /// The next strip when `remaining` columns are left, at most `vectors` wide. The last ones are cut so that few lanes
    /// idle.
    #[inline]
    pub(crate) fn new(kernel: &'static Kernel<T>, vectors: usize, remaining: usize) -> Self {
        let lanes = kernel.lanes;
        if remaining >= vectors * lanes {
            return Self { kernel, vectors, width: vectors * lanes };
        }
        let (whole, rest) = (remaining / lanes, remaining % lanes);
        match kernel.half {
            Some(half) if rest > 0 && rest <= half.lanes => {
                if whole > 0 {
                    Self { kernel, vectors: whole, width: whole * lanes }
                } else {
                    Self { kernel: half, vectors: 1, width: rest }
                }
            }
            _ => Self { kernel, vectors: whole + usize::from(rest > 0), width: remaining },
        }
    }

    /// Columns that the kernel's vectors span.
    #[inline]
    pub(crate) fn span(&self) -> usize {
        self.vectors * self.kernel.lanes
    }

    /// Columns of the last vector.
    #[inline]
    pub(crate) fn last(&self) -> usize {
        self.width - (self.vectors - 1) * self.kernel.lanes
    }

    /// The kernels of this width, by height.
    #[inline]
    pub(crate) fn tiles(&self) -> &'static [Multiply<T>] {
        let kernels = if self.is_edge() { self.kernel.edge } else { self.kernel.whole };
        kernels[self.vectors - 1]
    }

    /// Whether the last vector is cut.
    #[inline]
    pub(crate) fn is_edge(&self) -> bool {
        self.width < self.span()
    }
}

/// `rows` cut into as few tiles of at most `most` rows as will do, as even as can be: `(rows of a tile, tiles)`, twice.
#[inline]
pub(crate) fn heights(rows: usize, most: usize) -> [(usize, usize); 2] {
    if rows <= most {
        return [(rows, 1), (0, 0)];
    }
    let tiles = rows.div_ceil(most);
    let (low, high) = (rows / tiles, rows % tiles);
    [(low + 1, high), (low, tiles - high)]
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
    /// All elements that the axes reach must be readable, C's writable and nobody else's, and no two elements of C may
    /// share an address. The part must be this task's alone.
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
        let plan = Plan::new(&self.task(rows.len(), cols.len()), kernel, tuning);
        // SAFETY: passed on from the caller.
        unsafe {
            if plan.b == Reading::Columns {
                self.columns(kernel, cols);
            } else {
                self.five_loops(kernel, &plan, rows, cols);
            }
        }
    }

    /// What the plan of an `m x n` part depends on.
    fn task(&self, m: usize, n: usize) -> Task {
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
            b_in_place: in_place(&self.b) && self.b.along.is_plain() && self.b.along.is_contiguous(),
            b_columns: in_place(&self.b) && self.b.along.is_plain() && self.b.depth.is_contiguous(),
            c_direct,
        }
    }

    /// A row vector times a matrix whose columns are contiguous.
    ///
    /// # Safety
    /// As [`Product::compute`]; A, B and C must be plain, and the rows of C contiguous.
    unsafe fn columns(&self, kernel: &Kernel<T>, cols: Range<usize>) {
        let Self { a, b, beta, c } = self;
        let job = Columns {
            n: cols.len(),
            k: a.depth.len(),
            a: a.ptr,
            a_depth: a.depth.inner_stride(),
            b: b.ptr.wrapping_offset(b.along.offset(cols.start)),
            b_column: b.along.inner_stride(),
            beta: *beta,
            c: c.ptr.wrapping_offset(c.cols.offset(cols.start)),
        };
        // SAFETY: passed on from the caller.
        unsafe { (kernel.columns)(&job) };
    }

    /// # Safety
    /// As [`Product::compute`]; `plan` must be one for this part.
    unsafe fn five_loops(&self, kernel: &'static Kernel<T>, plan: &Plan, rows: Range<usize>, cols: Range<usize>) {
        let Blocks { mc, kc, nc } = plan.blocks;
        let strip = plan.vectors * kernel.lanes;
        let a_room = if plan.a == Reading::InPlace { 0 } else { mc.min(rows.len()) * (kc + PAD) };
        let b_room = if plan.b == Reading::InPlace { 0 } else { kc * (nc.min(cols.len()) + strip) };
        with_scratch::<T, ()>([a_room, b_room], |[a_room, b_room]| {
            // LOOP 5: blocks of columns of C and B
            for (col, width) in steps(cols.clone(), nc) {
                // LOOP 4: blocks of k. All but the first start their chains from the C of the one before.
                for (k, len) in steps(0..self.a.depth.len(), kc) {
                    let beta = if k == 0 { self.beta } else { T::ONE };
                    // LOOP 3: blocks of rows of C and A
                    for (row, height) in steps(rows.clone(), mc) {
                        let block = Block { col, k, len, beta, room: b_room };
                        let strips = Cuts { kernel, vectors: plan.vectors, next: 0, end: width };
                        // SAFETY: the ranges lie inside this task's part, and the rooms are large enough for them.
                        unsafe {
                            let a = self.rows_of_a(kernel, plan, (row, height), (k, len), a_room);
                            let parts = a.parts(plan, kernel.whole[0].len());
                            let first = |part: &Rows<T>| part.first == rows.start;
                            // LOOPS 2 and 1
                            match plan.order {
                                Order::RowsInside => strips.for_each(|(j, cut)| {
                                    parts.clone().for_each(|part| self.strip(plan, &block, &part, j, &cut, first(&part)));
                                }),
                                Order::StripsInside => parts.for_each(|part| {
                                    strips.clone().for_each(|(j, cut)| {
                                        self.strip(plan, &block, &part, j, &cut, first(&part));
                                    });
                                }),
                            }
                        }
                    }
                }
            }
        });
    }

    /// Rows `row..row + height` of A, `k..k + len` deep, where they are or packed into `room`.
    ///
    /// # Safety
    /// As [`Product::compute`]; `room` must have place for the rows and a line each if the plan packs them.
    unsafe fn rows_of_a(
        &self,
        kernel: &Kernel<T>,
        plan: &Plan,
        (row, height): (usize, usize),
        (k, len): (usize, usize),
        room: *mut T,
    ) -> Rows<T> {
        let a = &self.a;
        let rows = Rows { first: row, count: height, ptr: room.cast_const(), row: 1, depth: 1, panels: false };
        if plan.a == Reading::InPlace {
            let ptr = a.ptr.wrapping_offset(a.along.offset(row) + a.depth.offset(k));
            return Rows { ptr, row: a.along.inner_stride(), depth: a.depth.inner_stride(), ..rows };
        }
        if a.along.is_plain() && a.along.is_contiguous() {
            let rows = Rows { row: len as isize, panels: true, ..rows };
            for part in rows.parts(plan, kernel.whole[0].len()) {
                // SAFETY: the panels of all parts together are `height` wide; the ranges are those of the caller.
                unsafe {
                    let panel = (part.ptr.cast_mut(), part.count);
                    a.pack_panel(kernel, (part.first, part.count), (k, len), panel);
                }
            }
            return rows;
        }
        // SAFETY: the room has place for `height` rows, a line apart; the ranges are those of the caller.
        unsafe { a.pack_rows((row, height), (k, len), (room, len + PAD)) };
        Rows { row: (len + PAD) as isize, ..rows }
    }

    /// One strip of a block: as many columns of C as `cut` has, from column `j` of the block on, and the rows of `a`.
    /// `first` tells that no rows have met this strip yet, so it may have to be packed.
    ///
    /// # Safety
    /// As [`Product::five_loops`]; `block.room` must have place for the block's strips, and hold this one unless `first`.
    unsafe fn strip(&self, plan: &Plan, block: &Block<T>, a: &Rows<T>, j: usize, cut: &Cut<T>, first: bool) {
        let &Block { col, k, len, beta, room } = block;
        let (col, panel) = (col + j, room.wrapping_add(j * len));
        let source = self.b.ptr.wrapping_offset(self.b.along.offset(col) + self.b.depth.offset(k));
        let mut strip = Strip {
            tiles: 0,
            k: len,
            a: a.ptr,
            a_row: a.row,
            a_depth: a.depth,
            b: panel.cast_const(),
            b_depth: cut.span() as isize,
            beta,
            c: std::ptr::null_mut(),
            c_row: 0,
            last: cut.last(),
            packed: panel,
        };
        let in_passing = plan.b == Reading::InPassing && !cut.is_edge() && cut.vectors == 2;
        if plan.b == Reading::InPlace {
            (strip.b, strip.b_depth) = (source, self.b.depth.inner_stride());
        } else if first && !in_passing {
            // SAFETY: passed on from the caller.
            unsafe { self.b.pack_panel(cut.kernel, (col, cut.width), (k, len), (panel, cut.span())) };
        }
        let tiles = cut.tiles();
        let cols = Side::new(&self.c.cols, col, cut.width);
        let mut row = a.first;
        let mut multiply = |kernel: Multiply<T>, height: usize, strip: &Strip<T>| {
            // SAFETY: the tiles lie inside C; A and B's strip are readable, in place or packed.
            unsafe { self.c.multiply(kernel, height, row, (&cols, cut.span()), *strip) };
            row += strip.tiles * height;
        };
        for (height, count) in heights(a.count, tiles.len()) {
            strip.tiles = count;
            if first && in_passing && strip.a == a.ptr && count > 0 {
                let packing = Strip { tiles: 1, b: source, b_depth: self.b.depth.inner_stride(), ..strip };
                multiply(cut.kernel.packing[height - 1], height, &packing);
                strip.tiles -= 1;
                strip.a = strip.a.wrapping_offset(height as isize * a.row);
            }
            if strip.tiles > 0 {
                multiply(tiles[height - 1], height, &strip);
                strip.a = strip.a.wrapping_offset((strip.tiles * height) as isize * a.row);
            }
        }
    }
}

/// Elements between packed rows of A, so that rows of a power of two of them do not share a set of the cache.
const PAD: usize = 16;

/// Rows of A as the kernel reads them: element `(i, k)` is at `ptr + i * row + k * depth`. Or, if they are `panels`, each
/// part is a panel of its own, `row` elements for each of its rows.
#[derive(Clone, Copy)]
struct Rows<T> {
    first: usize,
    count: usize,
    ptr: *const T,
    row: isize,
    depth: isize,
    panels: bool,
}

impl<T> Rows<T> {
    /// The parts that meet a strip one after the other: all rows at once where the plan lets them, otherwise at most
    /// `most` rows.
    fn parts(self, plan: &Plan, most: usize) -> impl Iterator<Item = Self> + Clone {
        let most = if plan.order == Order::RowsInside && !self.panels { self.count } else { most };
        let mut first = 0;
        let counts = heights(self.count, most).into_iter().flat_map(|(count, tiles)| std::iter::repeat_n(count, tiles));
        counts.map(move |count| {
            let ptr = self.ptr.wrapping_offset(first as isize * self.row);
            let (row, depth) = if self.panels { (1, count as isize) } else { (self.row, self.depth) };
            let part = Self { first: self.first + first, count, ptr, row, depth, panels: false };
            first += count;
            part
        })
    }
}

/// What the strips of a block share.
struct Block<T> {
    /// The first column of C.
    col: usize,
    /// The first row of B, and how many.
    k: usize,
    len: usize,
    beta: T,
    /// Where the strips of B are packed, `len` elements for each column before them.
    room: *mut T,
}

/// The strips of a block: the column that each starts at, and its cut.
#[derive(Clone)]
struct Cuts<T: 'static> {
    kernel: &'static Kernel<T>,
    vectors: usize,
    next: usize,
    end: usize,
}

impl<T: Real> Iterator for Cuts<T> {
    type Item = (usize, Cut<T>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        let (column, cut) = (self.next, Cut::new(self.kernel, self.vectors, self.end - self.next));
        self.next += cut.width;
        Some((column, cut))
    }
}

/// The starts and lengths of the pieces of `range` that are `step` long, but for the last.
fn steps(range: Range<usize>, step: usize) -> impl Iterator<Item = (usize, usize)> {
    range.clone().step_by(step).map(move |start| (start, step.min(range.end - start)))
}
