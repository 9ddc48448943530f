//! Small products: operands are read in place, or B's strips transposed one by one, and nothing is planned, because a plan
//! would take as long.

use crate::Real;
use crate::cache::Caches;
use crate::cut::{Cut, heights};
use crate::kernel::{CUT, Ends, Kernel, Run, finish, start};
use crate::plan::{WIDE, vectors};
use crate::scratch::with_scratch;
use crate::simd::Simd;
use crate::thin::Columns;

/// Whether a product of `m x k` and `k x n` is small: all of it in the first levels of cache.
#[inline]
pub(crate) fn is_small<T>([m, n, k]: [usize; 3]) -> bool {
    m <= TINY && n <= TINY && k <= TINY || fits::<T>([m, n, k])
}

/// A cube of this side is small on any machine.
const TINY: usize = 64;

/// From so many rows on, the last column or two are better summed with rows on the lanes.
const MANY: usize = 64;

/// From so many rows and columns on, wide strips are better on cores whose second level is large.
const FOR_WIDE: usize = 96;

/// Whether the product is no more work than that cube; or B fits a quarter of the second level of cache (of a large one, less:
/// there a plan is worth its time sooner), and A and C twice as much each. A product of nothing is not: how large C is, it does not say.
#[inline(never)]
fn fits<T>([m, n, k]: [usize; 3]) -> bool {
    let caches = Caches::of_this_core();
    let most = if caches.keep_a_block() { caches.l2 / 16 } else { caches.l2 / 4 } / size_of::<T>();
    let little = m.saturating_mul(n).saturating_mul(k) <= TINY.pow(3);
    let near = n.saturating_mul(k) <= most && m.saturating_mul(k.max(n)) <= 2 * most;
    k > 0 && (little || near)
}

/// `C <- A B + beta C`, `m x n`, where neighbouring columns of B and of C are neighbours in memory. `run` says where the
/// operands start and their steps from row to row and along k; the tiles are chosen here. Compiled for each instruction
/// set, whose table it knows, so that the choice takes a few instructions.
///
/// # Safety
/// The operands must be readable; C must be writable, nobody else's, without overlap, and not empty.
#[inline(always)]
pub(crate) unsafe fn small<T: Real, S: Simd<T>>(
    s: S,
    kernel: &'static Kernel<T>,
    run: &mut Run<'_, T>,
    (m, n): (usize, usize),
) {
    if n <= S::LANES && (m <= ONE_TILE && run.k <= SHORT_TILE || m <= LOW_TILE) {
        // SAFETY: passed on from the caller.
        return unsafe { one_tile(s, run, (m, n)) };
    }
    // SAFETY: passed on from the caller.
    unsafe { strips(kernel, run, (m, n), None) };
}

/// As [`small`], where neighbouring rows of B are neighbours in memory, and its columns `b_column` apart: each strip is
/// transposed and used at once, all of them in the same place, which so stays in the first level of cache.
///
/// # Safety
/// As [`small`].
pub(crate) unsafe fn small_turned<T: Real>(
    kernel: &'static Kernel<T>,
    run: &mut Run<'_, T>,
    (m, n): (usize, usize),
    b_column: isize,
) {
    let widest = vectors(m).max(3) * kernel.lanes;
    with_scratch::<T, ()>([0, run.k * widest], |[_, room]| {
        // SAFETY: passed on from the caller; the room takes the widest strip.
        unsafe { strips(kernel, run, (m, n), Some(Turn { b_column, room })) };
    });
}

/// Up to this depth, a transposed strip leaves half the first level of cache to other things.
pub(crate) const SHORT_TURN: usize = 160;

/// From this depth on, few rows had better meet transposed columns in registers.
pub(crate) const LONG_TURN: usize = 64;

/// How the strips of B are transposed.
#[derive(Clone, Copy)]
struct Turn<T> {
    /// From a column of B to the next.
    b_column: isize,
    /// Where each strip goes.
    room: *mut T,
}

/// Strip by strip, top down.
///
/// # Safety
/// As [`small`]; the room of `turn` must take a strip.
#[inline(always)]
unsafe fn strips<T: Real>(
    kernel: &'static Kernel<T>,
    run: &mut Run<'_, T>,
    (m, n): (usize, usize),
    turn: Option<Turn<T>>,
) {
    let (a, b, c) = (run.a, run.b, run.c);
    let wide = m.min(n) >= FOR_WIDE && kernel.takes_wide() && Caches::of_this_core().keep_a_block();
    let vectors = if wide { WIDE } else { vectors(m) };
    run.c_far = m * n > TINY * TINY;
    let (b_row, b_column) = turn.map_or((run.b_depth, 1), |turn| (1, turn.b_column));
    // SAFETY: passed on from the caller.
    let n = unsafe { sum_last_columns(kernel, run, (m, n), (b_row, b_column)) };
    let mut left = n;
    let mut source = b;
    loop {
        let cut = Cut::new(kernel, vectors, left);
        let mut tiles = cut.tiles();
        if let Some(Turn { room, .. }) = turn {
            // SAFETY: a strip of B, which the room takes.
            unsafe { (kernel.transpose)(source, b_column, cut.width, run.k, room, cut.span()) };
            (run.b, run.b_depth) = (room, cut.span() as isize);
            if cut.is_whole_pair() {
                tiles = kernel.panel;
            }
        }
        run.last = cut.last();
        for (height, count) in heights(m, tiles.len()) {
            if count > 0 {
                run.tiles = count;
                (run.a_tile, run.c_tile) = (height as isize * run.a_row, height as isize * run.c_row);
                // SAFETY: the tiles are part of the product, which the caller vouches for.
                unsafe { tiles[height - 1](run) };
                run.a = run.a.wrapping_offset(count as isize * run.a_tile);
                run.c = run.c.wrapping_offset(count as isize * run.c_tile);
            }
        }
        left -= cut.width;
        if left == 0 {
            return;
        }
        source = source.wrapping_offset(cut.width as isize * b_column);
        (run.a, run.b, run.c) = (a, source, c.wrapping_add(n - left));
    }
}

/// Sums the last column or two with rows on the lanes, where they would fill a small part of a vector. Returns how many columns
/// are left.
///
/// # Safety
/// As [`small`], with rows of B `b_row` apart, and columns `b_column`.
#[inline(always)]
unsafe fn sum_last_columns<T: Real>(
    kernel: &'static Kernel<T>,
    run: &Run<'_, T>,
    (m, n): (usize, usize),
    (b_row, b_column): (isize, isize),
) -> usize {
    let few = n % kernel.lanes;
    if n.min(m) < MANY || run.a_depth != 1 || !(1..=kernel.lanes / 8).contains(&few) {
        return n;
    }
    let left = n - few;
    let job = Columns {
        m: few,
        n: m,
        k: run.k,
        a: run.b.wrapping_offset(left as isize * b_column),
        a_row: b_column,
        a_depth: b_row,
        b: run.a,
        b_column: run.a_row,
        beta: run.beta,
        c: run.c.wrapping_add(left),
        c_row: 1,
        c_column: run.c_row,
    };
    // SAFETY: these columns of the product, seen transposed; `fma(a, b, c) = fma(b, a, c)`.
    unsafe { (kernel.columns)(&job) };
    left
}

/// Up to this many rows and this depth, a product as narrow as a vector is one tile that takes less time than the choice of a
/// kernel; and up to so many rows, at any depth.
const ONE_TILE: usize = 8;
const SHORT_TILE: usize = 16;
const LOW_TILE: usize = 4;

/// A product of up to [`ONE_TILE`] rows and a vector's columns.
///
/// # Safety
/// As [`small`].
#[inline(always)]
unsafe fn one_tile<T: Real, S: Simd<T>>(s: S, run: &Run<'_, T>, (m, n): (usize, usize)) {
    // SAFETY: passed on from the caller.
    unsafe {
        match m {
            1 => tile::<T, S, 1>(s, run, n),
            2 => tile::<T, S, 2>(s, run, n),
            3 => tile::<T, S, 3>(s, run, n),
            4 => tile::<T, S, 4>(s, run, n),
            5 => tile::<T, S, 5>(s, run, n),
            6 => tile::<T, S, 6>(s, run, n),
            7 => tile::<T, S, 7>(s, run, n),
            _ => tile::<T, S, ONE_TILE>(s, run, n),
        }
    }
}

/// # Safety
/// As [`small`]; there must be `M` rows.
#[inline(always)]
unsafe fn tile<T: Real, S: Simd<T>, const M: usize>(s: S, run: &Run<'_, T>, n: usize) {
    let &Run { k, mut a, a_row, a_depth, mut b, b_depth, beta, c, c_row, .. } = run;
    let (mask, ends) = (s.mask(n), Ends::new::<CUT>(s, n));
    // SAFETY: every offset is that of an element of A, B or C.
    unsafe {
        let mut acc = start::<T, S, M, 1, CUT>(s, beta, (c, c_row), ends);
        for _ in 0..k {
            let row = s.load_first(b, mask);
            for (i, [v]) in acc.iter_mut().enumerate() {
                *v = s.mul_add(s.splat(*a.offset(i as isize * a_row)), row, *v);
            }
            (a, b) = (a.wrapping_offset(a_depth), b.wrapping_offset(b_depth));
        }
        finish::<T, S, M, 1, CUT>(s, &acc, (c, c_row), ends);
    }
}
