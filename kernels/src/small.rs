//! Small products: operands are read in place and nothing is planned, because a plan would take as long.

use crate::Real;
use crate::cache::Caches;
use crate::cut::{Cut, heights};
use crate::kernel::{Ahead, Kernel, Run};
use crate::plan::vectors;

/// Whether a product of `m x k` and `k x n` is small: all of it in the first levels of cache.
#[inline]
pub(crate) fn is_small<T>([m, n, k]: [usize; 3]) -> bool {
    let tiny = m.saturating_mul(n).saturating_mul(k) <= 64 * 64 * 64;
    tiny || fits::<T>([m, n, k])
}

/// Whether A and C each fit half the second level of cache, and B a quarter.
fn fits<T>([m, n, k]: [usize; 3]) -> bool {
    let most = Caches::of_this_core().l2 / (4 * size_of::<T>());
    n.saturating_mul(k) <= most && m.saturating_mul(k.max(n)) <= 2 * most
}

/// `C <- A B + beta C` where neighbouring columns of B and of C are neighbours in memory. A comes with its two strides, B
/// and C with the one from a row to the next.
///
/// # Safety
/// The operands must be readable; C must be writable, nobody else's, without overlap, and not empty.
#[inline]
pub(crate) unsafe fn small<T: Real>(
    kernel: &'static Kernel<T>,
    [m, n, k]: [usize; 3],
    (a, a_row, a_depth): (*const T, isize, isize),
    (b, b_depth): (*const T, isize),
    beta: T,
    (c, c_row): (*mut T, isize),
) {
    let vectors = vectors(m);
    let mut col = 0;
    while col < n {
        let cut = Cut::new(kernel, vectors, n - col);
        let tiles = cut.tiles();
        let mut run = Run {
            tiles: 0,
            k,
            a,
            a_row,
            a_depth,
            a_tile: 0,
            b: b.wrapping_add(col),
            b_depth,
            b_tile: 0,
            beta,
            c: c.wrapping_add(col),
            c_row,
            c_tile: 0,
            last: cut.last(),
            ahead: Ahead::NONE,
        };
        for (height, count) in heights(m, tiles.len()) {
            if count == 0 {
                continue;
            }
            run.tiles = count;
            (run.a_tile, run.c_tile) = (height as isize * a_row, height as isize * c_row);
            // SAFETY: the tiles are part of the product, which the caller vouches for.
            unsafe { tiles[height - 1](&run) };
            run.a = run.a.wrapping_offset(count as isize * run.a_tile);
            run.c = run.c.wrapping_offset(count as isize * run.c_tile);
        }
        col += cut.width;
    }
}
