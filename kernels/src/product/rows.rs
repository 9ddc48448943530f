//! Rows of A, where they are or packed.

use super::steps;
use crate::Real;

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
