//! The output: who may write which part of C.
//!
//! This is the one place where aliasing across threads is argued. A call cuts C's index ranges into rectangles that do
//! not meet, gives each to one task, and a task writes only tiles inside its rectangle. The view's constructor has shown
//! that no two elements of C share an address, so no two tasks write the same address.

use std::mem::MaybeUninit;

use crate::Real;
use crate::axis::Axis;
use crate::kernel::{Ahead, MAX_SIDE, MAX_TILE, Multiply, Run};

/// C as the five loops see it: element `(i, j)` is `ptr[rows.offset(i) + cols.offset(j)]`.
#[derive(Clone, Copy)]
pub(crate) struct Output<T> {
    pub(crate) ptr: *mut T,
    pub(crate) rows: Axis,
    pub(crate) cols: Axis,
}

// SAFETY: tasks write disjoint elements, as argued at the top of this file.
unsafe impl<T: Send> Sync for Output<T> {}

/// Neighbouring rows or columns of C: how far each lies from the first element of C.
pub(crate) struct Side {
    count: usize,
    spacing: Spacing,
}

#[allow(clippy::large_enum_variant)] // it lives on the stack, for one tile
enum Spacing {
    /// The first, and the step from each to the next.
    Even(isize, isize),
    /// Each of them.
    Uneven([isize; MAX_SIDE]),
}

impl Side {
    // Made where it is kept: moving it would move all of the offsets.
    #[inline(always)]
    pub(crate) fn new(axis: &Axis, first: usize, count: usize) -> Self {
        if let Some((start, step)) = axis.run(first, count) {
            return Self { count, spacing: Spacing::Even(start, step) };
        }
        let mut offsets = [0; MAX_SIDE];
        axis.offsets(first, &mut offsets[..count]);
        let step = offsets[1] - offsets[0];
        let even = offsets[..count].windows(2).all(|pair| pair[1] - pair[0] == step);
        let spacing = if even { Spacing::Even(offsets[0], step) } else { Spacing::Uneven(offsets) };
        Self { count, spacing }
    }

    fn offset(&self, i: usize) -> isize {
        match &self.spacing {
            Spacing::Even(start, step) => start + i as isize * step,
            Spacing::Uneven(offsets) => offsets[i],
        }
    }
}

/// Which way a run of tiles goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Down,
    Right,
}

impl<T: Real> Output<T> {
    /// Runs `multiply` on `run.tiles` tiles, the first of them `height` rows from row `row` on and `width` columns from
    /// column `col` on: in place where they lie in memory as the kernel writes them, otherwise tile by tile and through
    /// the stack, with rows of `span` elements. `run` says all but where C is.
    ///
    /// # Safety
    /// The tiles must lie inside C and belong to this task alone; the operands of `run` must be readable.
    #[inline]
    pub(crate) unsafe fn multiply(
        &self,
        multiply: Multiply<T>,
        (row, height): (usize, usize),
        (col, width, span): (usize, usize, usize),
        way: Way,
        mut run: Run<'_, T>,
    ) {
        let (down, right) = if way == Way::Down { (run.tiles, 1) } else { (1, run.tiles) };
        let (rows, cols) = (self.rows.run(row, down * height), self.cols.run(col, right * width));
        if let (Some((row, c_row)), Some((col, 1))) = (rows, cols) {
            run.c = self.ptr.wrapping_offset(row + col);
            run.c_row = c_row;
            run.c_tile = if way == Way::Down { height as isize * c_row } else { width as isize };
            // SAFETY: rows an even step apart and neighbouring columns are what the kernel writes; the caller vouches
            // for the rest.
            return unsafe { multiply(&run) };
        }
        // What the first tile has packed or asked for is no longer the next one's.
        let mut ahead = run.ahead.copied().unwrap_or(Ahead::NONE);
        for tile in 0..run.tiles {
            let (row, col) = if way == Way::Down { (row + tile * height, col) } else { (row, col + tile * width) };
            let rows = Side::new(&self.rows, row, height);
            let cols = Side::new(&self.cols, col, width);
            let mut one = Run {
                tiles: 1,
                a: run.a.wrapping_offset(tile as isize * run.a_tile),
                b: run.b.wrapping_offset(tile as isize * run.b_tile),
                ahead: Some(&ahead),
                ..run
            };
            // SAFETY: one tile of those that the caller vouches for.
            unsafe { self.tile(multiply, &rows, (&cols, span), &mut one) };
            ahead.skip(ahead.in_tile);
        }
    }

    /// One tile.
    ///
    /// # Safety
    /// As [`Output::multiply`].
    unsafe fn tile(&self, multiply: Multiply<T>, rows: &Side, (cols, span): (&Side, usize), run: &mut Run<'_, T>) {
        if let (&Spacing::Even(row, step), &Spacing::Even(col, 1)) = (&rows.spacing, &cols.spacing) {
            (run.c, run.c_row) = (self.ptr.wrapping_offset(row + col), step);
            // SAFETY: as in `multiply`.
            return unsafe { multiply(run) };
        }
        let mut room = MaybeUninit::<[T; MAX_TILE]>::uninit();
        let tile = room.as_mut_ptr().cast::<T>();
        (run.c, run.c_row) = (tile, span as isize);
        let element = |i: usize, j: usize| self.ptr.wrapping_offset(rows.offset(i) + cols.offset(j));
        // SAFETY: `room` has space for the tile's rows of `span` elements; where the kernel reads them, they are written
        // first. (i, j) inside the tile is an element of C, and this task's alone.
        unsafe {
            if run.beta != T::ZERO {
                for i in 0..rows.count {
                    for j in 0..cols.count {
                        *tile.add(i * span + j) = *element(i, j);
                    }
                }
            }
            multiply(run);
            for i in 0..rows.count {
                for j in 0..cols.count {
                    *element(i, j) = *tile.add(i * span + j);
                }
            }
        }
    }

    /// `C <- beta C` on the part `rows x cols`; `beta` = 0 does not read C, and `beta` = 1 does not touch it.
    ///
    /// # Safety
    /// The part must lie inside C and belong to this task alone.
    pub(crate) unsafe fn scale(&self, rows: std::ops::Range<usize>, cols: std::ops::Range<usize>, beta: T) {
        if beta == T::ONE {
            return;
        }
        for i in rows {
            let row = self.rows.offset(i);
            self.cols.for_each_run(cols.start, cols.len(), |_, offset, run| {
                for j in 0..run as isize {
                    // SAFETY: an element of C inside the part.
                    unsafe {
                        let c = self.ptr.offset(row + offset + j * self.cols.inner_stride());
                        *c = if beta == T::ZERO { T::ZERO } else { beta * *c };
                    }
                }
            });
        }
    }
}
