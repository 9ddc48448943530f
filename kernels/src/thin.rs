//! A row vector times a matrix whose columns lie contiguous, so that no row of it is a vector in memory.
//!
//! Each element of the result is one chain, so the lanes of a vector cannot share a dot product: squares of the matrix
//! are transposed in registers instead, and the lanes hold neighbouring columns.

use std::ops::Range;

use crate::Real;
use crate::kernel::{opaque_here, prefetch};
use crate::simd::Transpose;

/// `c <- a B + beta c` with `c` contiguous.
#[derive(Clone, Copy)]
pub(crate) struct Columns<T> {
    /// Columns of B.
    pub(crate) n: usize,
    /// Rows of B.
    pub(crate) k: usize,
    pub(crate) a: *const T,
    /// From an element of `a` to the next.
    pub(crate) a_depth: isize,
    /// Element (0, 0) of B.
    pub(crate) b: *const T,
    /// From a column of B to the next; a column's elements are neighbours.
    pub(crate) b_column: isize,
    pub(crate) beta: T,
    pub(crate) c: *mut T,
}

/// Bytes of vectors that are summed side by side: the chains of some hide the latency of others.
const SIDE_BY_SIDE: usize = 128;

/// Bytes of a column that are read at one visit: a cache line, which would be gone before a second visit where columns lie
/// a power of two apart.
const VISIT: usize = 64;

/// Bytes after which addresses meet the same set of the first-level cache.
const PAGE: usize = 4096;

/// How many visits before its own a line is asked for.
const AHEAD: usize = 8;

/// Computes all columns.
///
/// # Safety
/// The elements of a, B and c must be readable; c's must be writable, nobody else's, and initialised unless `beta` is 0.
#[inline(always)]
pub(crate) unsafe fn columns<T: Real, S: Transpose<T>>(s: S, job: &Columns<T>) {
    // Lines that share a set of the cache push one another out.
    let folded = (job.b_column.unsigned_abs() * size_of::<T>()).is_multiple_of(PAGE);
    let most = SIDE_BY_SIDE / size_of::<S::Vector>() / if folded { 2 } else { 1 };
    let mut first = 0;
    while first < job.n {
        let lanes = S::LANES.min(job.n - first);
        let groups = most.min((job.n - first) / S::LANES);
        // SAFETY: each call stays within the columns of B, which the caller vouches for.
        unsafe {
            first += match groups {
                4.. => visits::<T, S, 4>(s, job, first, S::LANES),
                2.. => visits::<T, S, 2>(s, job, first, S::LANES),
                _ => visits::<T, S, 1>(s, job, first, lanes),
            };
        }
    }
}

/// `G` groups of columns from `first` on, `lanes` of them in each: fewer than all only where there is one group. Returns how
/// many columns these are.
///
/// # Safety
/// As [`columns`]; the columns must be there.
#[inline(always)]
unsafe fn visits<T: Real, S: Transpose<T>, const G: usize>(
    s: S,
    job: &Columns<T>,
    first: usize,
    lanes: usize,
) -> usize {
    let &Columns { n: _, k, a, a_depth, b, b_column, beta, c } = job;
    let mut acc = [s.splat(T::ZERO); G];
    let group = S::LANES as isize * b_column;
    let mask = s.mask(lanes);
    let visit = VISIT / size_of::<T>();
    // SAFETY: every offset is that of an element of a, B or c.
    unsafe {
        let c = c.add(first);
        let b = b.offset(first as isize * b_column);
        if beta != T::ZERO {
            for (g, v) in acc.iter_mut().enumerate() {
                *v = s.mul(s.splat(beta), s.load_first(c.add(g * S::LANES), mask));
            }
        }
        // Visits start where lines do, if those of all columns do.
        let alike = (b_column.unsigned_abs() * size_of::<T>()).is_multiple_of(VISIT);
        let head = if alike { b.align_offset(VISIT).min(k) } else { 0 };
        let whole = if lanes == S::LANES { head + (k - head) / visit * visit } else { head };
        some(s, job, (b, lanes), 0..head, &mut acc);
        for start in (head..whole).step_by(visit) {
            let mut b = b.add(start);
            // Group by group, which the compiler would otherwise mix until it runs out of registers.
            for g in 0..opaque_here(G as isize) as usize {
                for i in 0..S::LANES {
                    prefetch(b.wrapping_offset(i as isize * b_column).wrapping_add(AHEAD * visit), 1);
                }
                let mut v = *acc.get_unchecked(g);
                for p in (0..visit).step_by(S::COLUMNS) {
                    for (i, &column) in s.load_columns(b.add(p), b_column).as_ref().iter().enumerate() {
                        v = s.mul_add(s.splat(*a.offset((start + p + i) as isize * a_depth)), column, v);
                    }
                }
                *acc.get_unchecked_mut(g) = v;
                b = b.wrapping_offset(group);
            }
        }
        some(s, job, (b, lanes), whole..k, &mut acc);
        for (g, &v) in acc.iter().enumerate() {
            s.store_first(c.add(g * S::LANES), mask, v);
        }
    }
    G * lanes
}

/// A few multiply-adds in the chains of `G` groups of columns, `lanes` of them in each; the first starts at `b`.
///
/// # Safety
/// As [`visits`].
#[inline(always)]
unsafe fn some<T: Real, S: Transpose<T>, const G: usize>(
    s: S,
    job: &Columns<T>,
    (b, lanes): (*const T, usize),
    range: Range<usize>,
    acc: &mut [S::Vector; G],
) {
    for p in range.clone().step_by(S::COLUMNS) {
        let count = S::COLUMNS.min(range.end - p);
        for (g, acc) in acc.iter_mut().enumerate() {
            // SAFETY: every offset is that of an element of a or B.
            unsafe {
                let b = b.offset((g * S::LANES) as isize * job.b_column).add(p);
                let columns = match lanes == S::LANES && count == S::COLUMNS {
                    true => s.load_columns(b, job.b_column),
                    false => s.load_some_columns(b, job.b_column, lanes, count),
                };
                for (i, &column) in columns.as_ref().iter().enumerate().take(count) {
                    *acc = s.mul_add(s.splat(*job.a.offset((p + i) as isize * job.a_depth)), column, *acc);
                }
            }
        }
    }
}
