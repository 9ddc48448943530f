//! A block of B that is packed while the one before it is multiplied.

use super::{Block, Product};
use crate::Real;
use crate::kernel::{Ahead, Later};

/// The next block, of whose strips each tile packs a few rows.
pub(super) struct Passing<'a, T: 'static> {
    next: &'a Block<'a, T>,
    /// Whole strips that both blocks have.
    strips: usize,
    /// Rows of a strip that a tile packs, and the multiply-adds of a chain before each.
    in_tile: usize,
    gap: usize,
    /// Rows of each of these strips that are packed.
    done: usize,
    /// How deep the block is that is multiplied.
    depth: usize,
}

impl<'a, T: Real> Passing<'a, T> {
    /// Packs `next` while `rows` rows of A meet `block`.
    pub(super) fn new(next: &'a Block<'a, T>, block: &Block<'_, T>, rows: usize) -> Self {
        let tiles = rows.div_ceil(block.plan.tall);
        let in_tile = next.len.div_ceil(tiles).min(block.len);
        // Steps are unrolled by four.
        let gap = match block.len / in_tile {
            few @ ..4 => few,
            many => many / 4 * 4,
        };
        let strips = next.whole_strips().min(block.whole_strips());
        Self { next, strips, in_tile, gap, done: 0, depth: block.len }
    }

    /// What a tile of strip `strip` packs, if anything is left.
    pub(super) fn ahead(&self, product: &Product<T>, strip: usize) -> Option<Ahead<T>> {
        let rows = self.in_tile.min(self.next.len - self.done);
        if strip >= self.strips || rows == 0 {
            return None;
        }
        let (j, from_row) = (strip * self.next.strip(), product.b.depth.inner_stride());
        Some(Ahead {
            from: product.source(self.next, j).wrapping_offset(self.done as isize * from_row),
            from_row,
            to: self.next.panel(j).wrapping_add(self.done * self.next.strip()),
            rows,
            in_tile: self.in_tile,
            gap: self.gap,
        })
    }

    /// Of rows of A, where the lines start that are the turn of a tile of strip `strip`: it asks for one after each row that it packs.
    pub(super) fn turn(&self, rows: Later<T>, strip: usize) -> Later<T> {
        let depth = strip * self.in_tile * Later::<T>::STRETCH;
        if depth < self.depth { rows.skip(depth as isize) } else { Later::NONE }
    }

    /// A tile of each strip is done.
    pub(super) fn advance(&mut self) {
        self.done = (self.done + self.in_tile).min(self.next.len);
    }

    /// Packs what is left.
    ///
    /// # Safety
    /// The next block's room must have place for its strips.
    pub(super) unsafe fn finish(self, product: &Product<T>) {
        let strips = self.strips * self.next.strip();
        for (j, cut) in self.next.cuts() {
            let done = if j < strips { self.done } else { 0 };
            if done < self.next.len {
                // SAFETY: passed on from the caller.
                unsafe { product.pack_strip(self.next, (j, &cut), (done, self.next.len - done)) };
            }
        }
    }
}
