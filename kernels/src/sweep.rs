//! A few rows times a matrix that comes from far away: whole rows of it pass, a few at a time, and all of C with each of them.
//!
//! Memory is fastest where it is read as it lies. A tile would read a short piece of each row and take C's sums to the end; here
//! C, which the first level of cache holds, is read and written again for every few rows of B.

use crate::Real;
use crate::cache::Caches;
use crate::kernel::{Run, prefetch_far};
use crate::simd::Simd;

/// The most rows of A.
pub(crate) const MOST_ROWS: usize = 4;

/// Accumulators from which a kernel has registers for many rows of B at once.
const MANY: usize = 24;

/// `C <- A B + beta C`, `m x n`; `ACC` is how many accumulators the instruction set has room for.
///
/// # Safety
/// The operands must be readable; C must be writable, nobody else's, without overlap, and initialised unless `run.beta` is 0.
/// Neighbouring columns of B and of C must be neighbours in memory, and there must be 1 to [`MOST_ROWS`] rows.
#[inline(always)]
pub(crate) unsafe fn sweep<T: Real, S: Simd<T>, const ACC: usize>(s: S, run: &Run<'_, T>, (m, n): (usize, usize)) {
    let caches = Caches::of_this_core();
    let most = (caches.l1 / (2 * m * size_of::<T>())).next_multiple_of(4 * S::LANES);
    let far = run.k * n * size_of::<T>() > caches.l3 / if caches.are_tight() { 4 } else { 2 };
    for column in (0..n).step_by(most) {
        let part = &Run { b: run.b.wrapping_add(column), c: run.c.wrapping_add(column), ..*run };
        let n = most.min(n - column);
        // SAFETY: some columns of C.
        unsafe {
            match far {
                true => some_columns::<T, S, ACC, true>(s, part, (m, n)),
                false => some_columns::<T, S, ACC, false>(s, part, (m, n)),
            }
        }
    }
}

/// As [`sweep`], of so many columns that the first level holds them; `FAR` tells that B comes from so far away that it is asked for.
///
/// # Safety
/// As [`sweep`].
#[inline(always)]
unsafe fn some_columns<T: Real, S: Simd<T>, const ACC: usize, const FAR: bool>(
    s: S,
    run: &Run<'_, T>,
    (m, n): (usize, usize),
) {
    // SAFETY: passed on from the caller.
    unsafe {
        match (m, ACC >= MANY) {
            (1, _) => rows::<T, S, 1, 8, 4, FAR>(s, run, n),
            (2, true) => rows::<T, S, 2, 8, 2, FAR>(s, run, n),
            (2, false) => rows::<T, S, 2, 4, 2, FAR>(s, run, n),
            (3, true) => rows::<T, S, 3, 4, 2, FAR>(s, run, n),
            (3, false) => rows::<T, S, 3, 2, 2, FAR>(s, run, n),
            (_, true) => rows::<T, S, MOST_ROWS, 4, 2, FAR>(s, run, n),
            (_, false) => rows::<T, S, MOST_ROWS, 2, 1, FAR>(s, run, n),
        }
    }
}

/// `M` rows of C, which take in `R` rows of B at once, `V` vectors of each.
///
/// # Safety
/// As [`sweep`].
#[inline(always)]
unsafe fn rows<T: Real, S: Simd<T>, const M: usize, const R: usize, const V: usize, const FAR: bool>(
    s: S,
    run: &Run<'_, T>,
    n: usize,
) {
    // SAFETY: every row is one of A, of B or of C.
    unsafe {
        start::<T, S>(s, run, (M, n));
        let (mut a, mut b) = (run.a, run.b);
        for _ in 0..run.k / R {
            pass::<T, S, M, R, V, FAR>(s, run, (a, b), n);
            (a, b) = (a.wrapping_offset(R as isize * run.a_depth), b.wrapping_offset(R as isize * run.b_depth));
        }
        for _ in 0..run.k % R {
            pass::<T, S, M, 1, V, false>(s, run, (a, b), n);
            (a, b) = (a.wrapping_offset(run.a_depth), b.wrapping_offset(run.b_depth));
        }
    }
}

/// Where the chains start.
///
/// # Safety
/// As [`sweep`].
#[inline(always)]
unsafe fn start<T: Real, S: Simd<T>>(s: S, run: &Run<'_, T>, (m, n): (usize, usize)) {
    if run.beta == T::ONE {
        return;
    }
    let (beta, zero) = (s.splat(run.beta), s.splat(T::ZERO));
    for i in 0..m {
        let row = run.c.wrapping_offset(i as isize * run.c_row);
        for j in (0..n).step_by(S::LANES) {
            let mask = s.mask(S::LANES.min(n - j));
            // SAFETY: elements of C.
            unsafe {
                let c = row.add(j);
                s.store_first(c, mask, if run.beta == T::ZERO { zero } else { s.mul(beta, s.load_first(c, mask)) });
            }
        }
    }
}

/// All of C takes in `R` rows of B, while those after them are asked for if they are `FAR`: the hardware loses sight of a row where its
/// page ends.
///
/// # Safety
/// As [`sweep`]; A and B must have so many columns and rows from `a` and `b` on.
#[inline(always)]
unsafe fn pass<T: Real, S: Simd<T>, const M: usize, const R: usize, const V: usize, const FAR: bool>(
    s: S,
    run: &Run<'_, T>,
    (a, b): (*const T, *const T),
    n: usize,
) {
    let mut factors = [[s.splat(T::ZERO); R]; M];
    // SAFETY: every offset is that of an element of A, B or C.
    unsafe {
        for (i, row) in factors.iter_mut().enumerate() {
            for (p, factor) in row.iter_mut().enumerate() {
                *factor = s.splat(*a.offset(i as isize * run.a_row + p as isize * run.a_depth));
            }
        }
        let whole = n - n % (V * S::LANES);
        for j in (0..whole).step_by(V * S::LANES) {
            let mut sums = [[s.splat(T::ZERO); V]; M];
            for (i, row) in sums.iter_mut().enumerate() {
                let c = run.c.offset(i as isize * run.c_row).add(j);
                for (v, sum) in row.iter_mut().enumerate() {
                    *sum = s.load(c.add(v * S::LANES));
                }
            }
            for p in 0..R {
                let b = b.offset(p as isize * run.b_depth).add(j);
                if FAR {
                    prefetch_far(b.wrapping_offset(R as isize * run.b_depth), V * S::LANES);
                }
                for v in 0..V {
                    let b = s.load(b.add(v * S::LANES));
                    for (row, factors) in sums.iter_mut().zip(&factors) {
                        row[v] = s.mul_add(factors[p], b, row[v]);
                    }
                }
            }
            for (i, row) in sums.iter().enumerate() {
                let c = run.c.offset(i as isize * run.c_row).add(j);
                for (v, &sum) in row.iter().enumerate() {
                    s.store(c.add(v * S::LANES), sum);
                }
            }
        }
        for j in (whole..n).step_by(S::LANES) {
            let mask = s.mask(S::LANES.min(n - j));
            for (i, factors) in factors.iter().enumerate() {
                let c = run.c.offset(i as isize * run.c_row).add(j);
                let mut sum = s.load_first(c, mask);
                for (p, &factor) in factors.iter().enumerate() {
                    sum = s.mul_add(factor, s.load_first(b.offset(p as isize * run.b_depth).add(j), mask), sum);
                }
                s.store_first(c, mask, sum);
            }
        }
    }
}
