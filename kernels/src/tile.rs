//! The output: who may write which part of C.
//!
//! This is the one place where aliasing across threads is argued. A call cuts C's index ranges into rectangles that do
//! not meet, gives each to one task, and a task writes only tiles inside its rectangle. The view's constructor has shown
//! that no two elements of C share an address, so no two tasks write the same address.

use std::mem::MaybeUninit;

use crate::Real;
use crate::axis::Axis;
use crate::kernel::{MAX_SIDE, MAX_TILE, Multiply, Strip};

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
    #[inline]
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

impl<T: Real> Output<T> {
    /// Runs `multiply`, which takes tiles of `mr` rows, on `strip.tiles` of them from row `row` on: in place where they lie
    /// in memory as the kernel writes them, otherwise through a tile on the stack with rows of `width` elements. `strip`
    /// says all but where C is.
    ///
    /// # Safety
    /// The tiles must lie inside C and belong to this task alone; the operands of `strip` must be readable.
    #[inline]
    pub(crate) unsafe fn multiply(
        &self,
        multiply: Multiply<T>,
        mr: usize,
        row: usize,
        (cols, width): (&Side, usize),
        mut strip: Strip<T>,
    ) {
        if let (&Spacing::Even(col, 1), Some((start, step))) = (&cols.spacing, self.rows.run(row, strip.tiles * mr)) {
            strip.c = self.ptr.wrapping_offset(start + col);
            strip.c_row = step;
            // SAFETY: rows an even step apart and neighbouring columns are what the kernel writes; the caller vouches
            // for the rest.
            return unsafe { multiply(&strip) };
        }
        let mut room = MaybeUninit::<[T; MAX_TILE]>::uninit();
        let tile = room.as_mut_ptr().cast::<T>();
        let tiles = strip.tiles;
        (strip.tiles, strip.c, strip.c_row) = (1, tile, width as isize);
        for first in (row..row + tiles * mr).step_by(mr) {
            let rows = Side::new(&self.rows, first, mr);
            let element = |i: usize, j: usize| self.ptr.wrapping_offset(rows.offset(i) + cols.offset(j));
            // SAFETY: `room` has space for mr rows of `width` elements; where the kernel reads them, they are written
            // first. (i, j) with i < mr and j < cols.count is an element of C, and this task's alone.
            unsafe {
                if strip.beta != T::ZERO {
                    for i in 0..mr {
                        for j in 0..cols.count {
                            *tile.add(i * width + j) = *element(i, j);
                        }
                    }
                }
                multiply(&strip);
                for i in 0..mr {
                    for j in 0..cols.count {
                        *element(i, j) = *tile.add(i * width + j);
                    }
                }
            }
            strip.a = strip.a.wrapping_offset(mr as isize * strip.a_row);
        }
    }

    /// `C <- beta C` on the part `rows x cols`; `beta` = 0 does not read C.
    ///
    /// # Safety
    /// The part must lie inside C and belong to this task alone.
    pub(crate) unsafe fn scale(&self, rows: std::ops::Range<usize>, cols: std::ops::Range<usize>, beta: T) {
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
