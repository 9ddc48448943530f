//! Tall, narrow products of a transposed A, seen transposed: C^T = B^T A^T.
//!
//! A tile of such a product takes a few elements of each row of A^T, which lie pages apart, and most of a line is left to other
//! tiles, by whose turn it is gone. Seen transposed, whole rows of A^T stream past the few rows of B^T. C^T needs a room of its
//! own, from which it is transposed into C.

use std::ops::Range;

use super::{Product, steps};
use crate::Real;
use crate::axis::Axis;
use crate::cache::Caches;
use crate::kernel::Kernel;
use crate::scratch::with_scratch;
use crate::tile::Output;

impl<T: Real> Product<T> {
    /// The part `rows x cols`.
    ///
    /// # Safety
    /// As [`Product::compute`]; the rows of C must be plain and its columns neighbours.
    pub(super) unsafe fn compute_transposed(&self, kernel: &'static Kernel<T>, rows: Range<usize>, cols: Range<usize>) {
        let n = cols.len();
        let most = (Caches::of_this_core().l2 / size_of::<T>() / n).next_multiple_of(kernel.lanes);
        let len = most.min(rows.len());
        with_scratch::<T, ()>([0, n * len], |[_, room]| {
            for (row, m) in steps(rows, len) {
                let c = self.c.ptr.wrapping_offset(self.c.rows.offset(row) + self.c.cols.offset(cols.start));
                let c_row = self.c.rows.inner_stride();
                let transposed = Self {
                    a: self.b,
                    b: self.a,
                    beta: self.beta,
                    c: Output {
                        ptr: room.wrapping_sub(cols.start * m + row),
                        rows: Axis::plain(self.c.cols.len(), m),
                        cols: Axis::plain(self.c.rows.len(), 1),
                    },
                };
                // SAFETY: the room has `n` rows of `m` elements, which are written before they are read; the part of C is this
                // task's, and the operands are the caller's.
                unsafe {
                    if self.beta != T::ZERO {
                        (kernel.transpose)(c, c_row, m, n, room, m);
                    }
                    transposed.compute(kernel, None, cols.clone(), row..row + m);
                    (kernel.transpose)(room, m as isize, n, m, c, c_row as usize);
                }
            }
        });
    }
}
