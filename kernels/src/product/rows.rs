//! Rows of A, where they are or packed.

use super::{Product, steps};
use crate::Real;
use crate::kernel::Kernel;
use crate::plan::{Plan, STREAMS};

/// Rows of A as the kernel reads them: element `(i, k)` is at `ptr + i * row + k * depth`. Or they are cut into
/// panels of up to `panels` rows, `row` elements for each row, if that is not 0.
#[derive(Clone, Copy)]
pub(super) struct Rows<T> {
    pub(super) first: usize,
    pub(super) count: usize,
    pub(super) ptr: *const T,
    pub(super) row: isize,
    pub(super) depth: isize,
    pub(super) panels: usize,
}

impl<T: Real> Rows<T> {
    /// The parts that are one panel each; all rows at once where they are not panels.
    pub(super) fn parts(self) -> impl Iterator<Item = Self> {
        let most = if self.panels > 0 { self.panels } else { self.count };
        steps(0..self.count, most).map(move |(first, count)| {
            let ptr = self.ptr.wrapping_offset(first as isize * self.row);
            let (row, depth) = if self.panels > 0 { (1, count as isize) } else { (self.row, self.depth) };
            Self { first: self.first + first, count, ptr, row, depth, panels: 0 }
        })
    }

    /// The rows after the next `count`; for rows that are not panels.
    pub(super) fn after(self, count: usize) -> Self {
        let ptr = self.ptr.wrapping_offset(count as isize * self.row);
        Self { first: self.first + count, count: self.count - count, ptr, ..self }
    }
}

impl<T: Real> Product<T> {
    /// Rows `row..row + height` of A, `k..k + len` deep, where they are or packed into `room`.
    ///
    /// # Safety
    /// As [`Product::compute`]; `room` must have place for the rows and [`PAD`] elements each if the plan packs them.
    pub(super) unsafe fn rows_of_a(
        &self,
        kernel: &Kernel<T>,
        plan: &Plan,
        (row, height): (usize, usize),
        (k, len): (usize, usize),
        room: *mut T,
    ) -> Rows<T> {
        let a = &self.a;
        let rows = Rows { first: row, count: height, ptr: room.cast_const(), row: 1, depth: 1, panels: 0 };
        if plan.a.is_in_place() {
            let ptr = a.ptr.wrapping_offset(a.along.offset(row) + a.depth.offset(k));
            return Rows { ptr, row: a.along.inner_stride(), depth: a.depth.inner_stride(), ..rows };
        }
        if a.along.is_plain() && a.along.is_contiguous() {
            let width = plan.tall;
            let rows = Rows { row: len as isize, panels: width, ..rows };
            let whole = if a.depth.is_plain() && a.scale == T::ONE { height / width } else { 0 };
            let stride = a.depth.inner_stride();
            for (from, count) in steps(0..len, STREAMS) {
                let source = (a.at(row).wrapping_offset(a.depth.offset(k + from)), stride);
                // SAFETY: the panels are `width` wide, and the ranges are those of the caller.
                unsafe {
                    let panels = (room.wrapping_add(from * width), width * len);
                    (kernel.deal)(source, (whole, width), (count, plan.asks_for_rows), panels);
                }
            }
            for part in rows.parts().skip(whole) {
                let panel = (part.ptr.cast_mut(), part.count);
                // SAFETY: the panels of all parts together are `height` wide.
                unsafe { a.pack_panel(kernel, (part.first, part.count), (k, len), panel) };
            }
            return rows;
        }
        // SAFETY: the room has place for `height` rows and what is between them; the ranges are those of the caller.
        unsafe { a.pack_rows(kernel, (row, height), (k, len), (room, len + PAD)) };
        Rows { row: (len + PAD) as isize, ..rows }
    }
}

/// Elements between packed rows of A, so that rows of a power of two of them do not share a set of the cache.
pub(super) const PAD: usize = 16;
