//! What a kernel is told: where a run of tiles lies, and what it asks for and packs on the way.

use std::ptr::{null, null_mut};

use super::prefetch::Lines;
use super::{prefetch, prefetch_far};
use crate::Real;
use crate::cache::LINE;
use crate::simd::{Simd, Transpose};

/// Tiles of one shape, one below the other or side by side.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, T> {
    /// How many.
    pub(crate) tiles: usize,
    /// Multiply-adds in each element's chain.
    pub(crate) k: usize,
    /// Element (0, 0) of A.
    pub(crate) a: *const T,
    /// From a row of A to the next, from a column, and from a tile.
    pub(crate) a_row: isize,
    pub(crate) a_depth: isize,
    pub(crate) a_tile: isize,
    /// Rows of A that are asked for before their turn. With `a_tile` they are those of the next tile; otherwise the first tile asks
    /// for them.
    pub(crate) a_later: Later<T>,
    /// Element (0, 0) of B.
    pub(crate) b: *const T,
    /// From a row of B to the next, and from a tile.
    pub(crate) b_depth: isize,
    pub(crate) b_tile: isize,
    /// From what is read of B to what is asked for, for kernels that stream.
    pub(crate) b_later: isize,
    /// Where the chains start: at `beta * c`, or at 0 without a look at C when it is 0.
    pub(crate) beta: T,
    /// Element (0, 0) of C.
    pub(crate) c: *mut T,
    /// From a row of C to the next, and from a tile.
    pub(crate) c_row: isize,
    pub(crate) c_tile: isize,
    /// Whether C is not at hand in the first level of cache, so that a tile is asked for before its turn.
    pub(crate) c_far: bool,
    /// Columns in the last vector, for kernels of the edge.
    pub(crate) last: usize,
    /// What packing kernels copy on the way.
    pub(crate) ahead: Option<&'a Ahead<T>>,
}

impl<T: Real> Run<'_, T> {
    /// One tile of the product of `a` and `b`; the rest is left to say.
    #[inline]
    pub(crate) fn of(a: *const T, b: *const T, c: *mut T) -> Self {
        Self {
            tiles: 1,
            k: 0,
            a,
            a_row: 0,
            a_depth: 0,
            a_tile: 0,
            a_later: Later::NONE,
            b,
            b_depth: 0,
            b_tile: 0,
            b_later: 0,
            beta: T::ZERO,
            c,
            c_row: 0,
            c_tile: 0,
            c_far: true,
            last: 0,
            ahead: None,
        }
    }
}

/// Rows of A whose elements are neighbours, to be asked for a line of each at a time.
pub(crate) struct Later<T> {
    /// The next line of the first one; null if there are none.
    line: *const T,
    /// From a row to the next.
    row: isize,
}

impl<T> Later<T> {
    /// No rows.
    pub(crate) const NONE: Self = Self { line: null(), row: 0 };
    /// Elements of a line.
    pub(crate) const STRETCH: usize = LINE / size_of::<T>();

    /// Rows that start at `first`, each `row` after the one before.
    pub(crate) fn rows(first: *const T, row: isize) -> Self {
        Self { line: first, row }
    }

    #[inline(always)]
    pub(super) fn is_none(self) -> bool {
        self.line.is_null()
    }

    /// How many of `k` steps come before the next lines are asked for.
    #[inline(always)]
    pub(super) fn stretch(self, k: usize) -> usize {
        if self.is_none() { k } else { Self::STRETCH }
    }

    /// Asks for a line of each of `MR` rows.
    #[inline(always)]
    pub(super) fn ask<const MR: usize>(&mut self) {
        if self.is_none() {
            return;
        }
        let mut row = self.line;
        for _ in 0..MR {
            prefetch_far(row, 1);
            row = row.wrapping_offset(self.row);
        }
        self.line = self.line.wrapping_add(Self::STRETCH);
    }

    /// Those of the tile `a_tile` on, if tiles take different rows.
    #[inline(always)]
    pub(super) fn after(self, a_tile: isize) -> Self {
        if a_tile == 0 { Self::NONE } else { self.skip(a_tile) }
    }

    /// The same rows, `elements` on.
    #[inline(always)]
    pub(crate) fn skip(self, elements: isize) -> Self {
        if self.is_none() { self } else { Self { line: self.line.wrapping_offset(elements), ..self } }
    }
}

impl<T> Clone for Later<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Later<T> {}

/// A strip of B to be packed, or asked for, while another is multiplied: its lines come from far away, and the multiply-adds hide the
/// wait. It is cut into pieces, in columns of so many: rows of the strip, all in one column, or parts of a few columns of B that are transposed.
/// A piece that is asked for may be several rows.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<T> {
    /// The next piece, and its place.
    pub(crate) from: *const T,
    pub(crate) to: *mut T,
    /// From a piece to the next.
    pub(crate) step: Step,
    /// From the first piece of a column to that of the next.
    pub(crate) across: Step,
    /// Pieces in a column, and how many of them come before the next piece.
    pub(crate) column: usize,
    pub(crate) done: usize,
    /// Pieces left.
    pub(crate) pieces: usize,
    /// Pieces to take in each tile.
    pub(crate) in_tile: usize,
    /// Multiply-adds of a chain before each piece, unless it is asked for.
    pub(crate) gap: usize,
    /// From a column of B to the next, where pieces are transposed.
    pub(crate) b_column: isize,
    /// Rows of a piece that is asked for; and from a row of B to the next.
    pub(crate) rows: usize,
    pub(crate) b_row: isize,
}

/// How far apart pieces lie, and their places.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) from: isize,
    pub(crate) to: isize,
}

impl<T> Ahead<T> {
    /// Nothing to pack.
    pub(crate) const NONE: Self = Self {
        from: null(),
        to: null_mut(),
        step: Step::NONE,
        across: Step::NONE,
        column: 0,
        done: 0,
        pieces: 0,
        in_tile: 0,
        gap: 0,
        b_column: 0,
        rows: 0,
        b_row: 0,
    };

    /// Takes the next pieces for done, as far as there are so many.
    #[inline(always)]
    pub(crate) fn skip(&mut self, pieces: usize) {
        let pieces = pieces.min(self.pieces);
        let Self { step, across, column, .. } = *self;
        let columns = (self.done + pieces).checked_div(column).unwrap_or(0);
        self.pieces -= pieces;
        self.done = self.done + pieces - columns * column;
        let [pieces, columns, column] = [pieces, columns, column].map(|n| n as isize);
        self.from = self.from.wrapping_offset(pieces * step.from + columns * (across.from - column * step.from));
        self.to = self.to.wrapping_offset(pieces * step.to + columns * (across.to - column * step.to));
    }

    /// Goes on to the next piece.
    #[inline(always)]
    fn go_on(&mut self) {
        self.go_along();
        self.done += 1;
        if self.done == self.column {
            let Self { step, across, column, .. } = *self;
            self.done = 0;
            self.from = self.from.wrapping_offset(across.from - column as isize * step.from);
            self.to = self.to.wrapping_offset(across.to - column as isize * step.to);
        }
    }

    /// As [`Ahead::go_on`], where all pieces are in one column.
    #[inline(always)]
    fn go_along(&mut self) {
        self.pieces -= 1;
        self.from = self.from.wrapping_offset(self.step.from);
        self.to = self.to.wrapping_offset(self.step.to);
    }

    /// The lines of the next piece's first row, and of those after it.
    #[inline(always)]
    pub(super) fn lines(&self) -> Lines<T> {
        Lines::of(self.from, self.step.from)
    }

    /// Asks for the rows of the next piece, `len` elements each, but for the first.
    #[inline(always)]
    pub(super) fn ask_for_rows(&mut self, len: usize) {
        for row in 1..self.rows as isize {
            prefetch(self.from.wrapping_offset(row * self.b_row), len);
        }
        self.go_along();
    }

    /// Copies the next piece, a row of `NV` vectors.
    ///
    /// # Safety
    /// There must be one, readable, and its place writable.
    #[inline(always)]
    pub(super) unsafe fn copy_row<S: Simd<T>, const NV: usize>(&mut self, s: S)
    where
        T: Real,
    {
        prefetch(self.from.wrapping_offset(AHEAD * self.step.from), NV * S::LANES);
        for j in 0..NV {
            // SAFETY: passed on from the caller.
            unsafe { s.store(self.to.add(j * S::LANES), s.load(self.from.add(j * S::LANES))) };
        }
        self.go_along();
    }

    /// Transposes the next piece, [`Transpose::FEW`] columns of B, into rows `span` elements apart.
    ///
    /// # Safety
    /// As [`Ahead::copy_row`].
    #[inline(always)]
    pub(super) unsafe fn turn_piece<S: Transpose<T>>(&mut self, s: S, span: usize)
    where
        T: Real,
    {
        // SAFETY: passed on from the caller.
        unsafe {
            // The piece beside it, whose turn comes a column of pieces later: where columns of B begin, the hardware does not see them coming.
            for i in 0..S::FEW {
                let next = self.from.wrapping_offset(self.across.from + i as isize * self.b_column);
                prefetch_far(next, S::COLUMNS);
            }
            s.turn((self.from, self.b_column), (self.to, span));
        }
        self.go_on();
    }
}

impl Step {
    const NONE: Self = Self { from: 0, to: 0 };
}

/// How many rows before its turn a row of B is asked for: the rows lie far apart, where no hardware prefetcher looks.
const AHEAD: isize = 16;
