//! The output: who may write which part of C.
//!
//! This is the one place where aliasing across threads is argued. A call cuts C's index ranges into rectangles that do
//! not meet, gives each to one task, and a task writes only tiles inside its rectangle. The view's constructor has shown
//! that no two elements of C share an address, so no two tasks write the same address.

use std::mem::MaybeUninit;

use crate::Real;
use crate::axis::Axis;
use crate::kernel::{Kernel, MAX_SIDE, MAX_TILE};

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
    /// Runs `kernel` on the tile `rows x cols`: in place where the tile is whole and its rows lie in memory as the kernel
    /// writes them, otherwise through a tile on the stack.
    ///
    /// # Safety
    /// The tile must lie inside C and belong to this task alone; `a` and `b` must hold panels of length `k`.
    pub(crate) unsafe fn multiply(
        &self,
        kernel: &Kernel<T>,
        (rows, cols): (&Side, &Side),
        k: usize,
        (a, b): (*const T, *const T),
        beta: T,
    ) {
        let whole = rows.count == kernel.mr && cols.count == kernel.nr;
        if let (true, &Spacing::Even(row, stride @ 0..), &Spacing::Even(col, 1)) = (whole, &rows.spacing, &cols.spacing)
        {
            let c = self.ptr.wrapping_offset(row + col);
            // The tile below this one, which most likely comes next: its chains start from C.
            for i in kernel.mr..2 * kernel.mr {
                prefetch(c.wrapping_offset(i as isize * stride), kernel.nr);
            }
            // SAFETY: a whole tile with an even row stride and neighbouring columns is what the kernel writes.
            unsafe { (kernel.multiply)(k, a, b, beta, c, stride as usize) };
            return;
        }
        let mut room = MaybeUninit::<[T; MAX_TILE]>::uninit();
        let tile = room.as_mut_ptr().cast::<T>();
        let element = |i: usize, j: usize| self.ptr.wrapping_offset(rows.offset(i) + cols.offset(j));
        // SAFETY: `room` has space for mr x nr elements; where the kernel reads them, all are written first. (i, j) with
        // i < rows.count and j < cols.count is an element of C, and this task's alone.
        unsafe {
            if beta != T::ZERO {
                for i in 0..kernel.mr {
                    for j in 0..kernel.nr {
                        let inside = i < rows.count && j < cols.count;
                        *tile.add(i * kernel.nr + j) = if inside { *element(i, j) } else { T::ZERO };
                    }
                }
            }
            (kernel.multiply)(k, a, b, beta, tile, kernel.nr);
            for i in 0..rows.count {
                for j in 0..cols.count {
                    *element(i, j) = *tile.add(i * kernel.nr + j);
                }
            }
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

/// Asks for the cache lines of `len` elements at `p`, which need not be there.
#[inline(always)]
fn prefetch<T>(p: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (p, len);
}
