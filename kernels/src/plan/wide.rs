//! Wide strips of B, where a large second level of cache keeps a block of A or of B.

use super::limits::{
    FEW_FOR_WIDE, FEWEST_PASSED, MOST_PASSED, NARROW, PASSED_BYTES, SHORT, SOME_FOR_WIDE, TURNED_DEEP, TURNED_ROWS,
    WIDE,
};
use super::{Reading, Task};
use crate::cache::Caches;
use crate::kernel::Kernel;

impl Task {
    /// Whether a block of B had better stay in the second level, in wide strips.
    pub(super) fn is_wide<T>(&self, caches: Caches, kernel: &Kernel<T>) -> bool {
        let worth = self.m > self.most_few(caches) && self.n > 2 * WIDE * kernel.lanes && self.k > SHORT;
        let tall = kernel.whole[1].len();
        worth && kernel.takes_wide() && caches.keep_a_block() && !self.is_tall_upright(caches, tall)
    }

    /// As [`Task::best_of_b`], in strips of [`WIDE`] vectors.
    pub(super) fn best_of_b_in_wide_strips(&self, caches: Caches) -> Reading {
        let (bytes, crowded) = (self.k * self.n * self.element, self.is_aliased(self.b_row));
        let few = self.m <= FEW_FOR_WIDE;
        // A part of a far B is as far.
        let far = self.b_elements * self.element > caches.l2 / 2;
        let narrow = self.n <= NARROW && bytes <= caches.l2 / 4;
        // Of vectors that lie across two lines, tiles had better not read many.
        let some = self.b_aligned && self.m <= SOME_FOR_WIDE && !far;
        let near = if few { !far } else { narrow || some && bytes <= caches.l2 / 8 };
        if self.turns(caches) {
            Reading::Turning
        } else if self.b_in_place && (crowded || !near) && self.passes() {
            Reading::InPassing
        } else if !self.b_in_place || !few && (crowded || !narrow && !some) {
            Reading::Packed
        } else if few && (crowded || far) || !few && !narrow {
            Reading::Streamed
        } else {
            Reading::InPlace
        }
    }

    /// Whether so few rows meet a B whose rows are contiguous that packing it takes its time, and so many that packing hides behind them,
    /// or that reading it across lines takes longer. (A transposed A would have to be packed, too, in blocks larger than it likes.)
    fn passes(&self) -> bool {
        let fewest = if self.b_aligned { FEWEST_PASSED } else { 0 };
        let most = MOST_PASSED.min(PASSED_BYTES / self.element);
        self.c_direct && self.a_row != 1 && (fewest..=most).contains(&self.m)
    }

    /// As [`Task::passes`], for a B whose columns are contiguous.
    fn turns(&self, caches: Caches) -> bool {
        let held = self.m * self.k.min(TURNED_DEEP) * self.element < caches.l2;
        let upright = self.a_row == 1 && (self.m > FEW_FOR_WIDE || self.n <= NARROW);
        self.c_direct && self.b_columns && held && self.m >= TURNED_ROWS && !upright
    }

    /// How deep the wide strips are that are packed in passing, read as `b`. Rows of B that share sets leave the first level soon.
    pub(super) fn most_passed(&self, b: Reading) -> usize {
        match b {
            Reading::Turning => TURNED_DEEP,
            _ if self.is_aliased(self.b_row) => TURNED_DEEP / 4,
            _ => TURNED_DEEP / 2,
        }
    }
}
