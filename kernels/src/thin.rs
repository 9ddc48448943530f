//! A few rows times a matrix whose columns lie contiguous, so that no row of it is a vector in memory.
//!
//! Each element of the result is one chain, so the lanes of a vector cannot share a dot product: squares of the matrix
//! are transposed in registers instead, and the lanes hold neighbouring columns. Seen transposed, this is also what the
//! last few columns of C are, which would fill a small part of a vector.

use std::ops::Range;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::compiler_fence;

use crate::Real;
use crate::cache::{Caches, PAGE};
use crate::kernel::{opaque_here, prefetch, prefetch_far};
use crate::simd::{Simd, Transpose};

/// `C <- A B + beta C` with up to [`Transpose::ROWS`] rows.
#[derive(Clone, Copy)]
pub(crate) struct Columns<T> {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    /// Element (0, 0) of A.
    pub(crate) a: *const T,
    /// From a row of A to the next, and from a column: 1 and [`places`] if there are more than [`IN_PLACE`] rows.
    pub(crate) a_row: isize,
    pub(crate) a_depth: isize,
    /// Element (0, 0) of B.
    pub(crate) b: *const T,
    /// From a column of B to the next; a column's elements are neighbours.
    pub(crate) b_column: isize,
    pub(crate) beta: T,
    /// Element (0, 0) of C.
    pub(crate) c: *mut T,
    /// From a row of C to the next, and from a column.
    pub(crate) c_row: isize,
    pub(crate) c_column: isize,
}

/// Up to so many rows, A is read where it is. The elements that more of them need at a step had better be neighbours.
pub(crate) const IN_PLACE: usize = 2;

/// The places that an element of A's rows has for each step along k, if there are more than [`IN_PLACE`] of them.
pub(crate) fn places(rows: usize) -> usize {
    rows.next_multiple_of(2)
}

/// Bytes of a packed A that meets all columns before the next part of it does. It comes from the second level; B, from further
/// away, comes in the longer stretches.
pub(crate) const BLOCK: usize = 200 << 10;

/// Bytes of vectors that are summed side by side: the chains of some hide the latency of others.
const SIDE_BY_SIDE: usize = 128;

/// Bytes of a column that are read at one visit: a cache line, which would be gone before a second visit where columns lie
/// a power of two apart.
const VISIT: usize = 64;

/// Columns of a matrix beyond the second-level cache that are read side by side, a vector of them at least: of more streams the
/// hardware loses sight, and lines that share a set of the first level push one another out.
const STREAMS: usize = 16;

/// How many visits before its own a line is asked for.
const AHEAD: usize = 8;

/// Up to so many columns of the last vector are summed one by one, and as many rows of the last visit are read so.
const FEW: usize = 2;

/// Computes all of C.
///
/// # Safety
/// The elements of A, B and C must be readable; C's must be writable, nobody else's, and initialised unless `beta` is 0. There
/// must be 1 to [`Transpose::ROWS`] rows.
#[inline(always)]
pub(crate) unsafe fn columns<T: Real, S: Transpose<T>>(s: S, job: &Columns<T>) {
    // Of lines that are read in pieces, those that share a set of the cache push one another out.
    let folded =
        S::COLUMNS * size_of::<T>() < VISIT && (job.b_column.unsigned_abs() * size_of::<T>()).is_multiple_of(PAGE);
    let mut most = SIDE_BY_SIDE / size_of::<S::Vector>() / if folded { 2 } else { 1 };
    if job.n * job.k * size_of::<T>() > Caches::of_this_core().l2 / 2 {
        most = most.min(STREAMS / S::LANES);
    }
    if job.m > IN_PLACE {
        most = 1;
    }
    let alone = if job.m <= IN_PLACE && job.n % S::LANES <= FEW { job.n % S::LANES } else { 0 };
    for j in 0..alone {
        // SAFETY: a column of B.
        unsafe { one_by_one(job, j) };
    }
    let mut first = alone;
    while first < job.n {
        let groups = most.min((job.n - first) / S::LANES);
        // The last vector is a whole one, if there is any; its first lanes have been written before.
        let from = if groups == 0 { job.n.saturating_sub(S::LANES) } else { first };
        let lanes = first - from..S::LANES.min(job.n);
        // SAFETY: each call stays within the columns of B, which the caller vouches for.
        unsafe {
            first += match (job.m, groups) {
                (1, 4..) => visits::<T, S, 1, 4>(s, job, from, lanes),
                (1, 2..) => visits::<T, S, 1, 2>(s, job, from, lanes),
                (1, _) => visits::<T, S, 1, 1>(s, job, from, lanes),
                (2, 2..) => visits::<T, S, 2, 2>(s, job, from, lanes),
                (2, _) => visits::<T, S, 2, 1>(s, job, from, lanes),
                // An odd number of rows has the place of one more, whose sums nobody writes.
                (3..=4, _) => visits::<T, S, 4, 1>(s, job, from, lanes),
                (5..=6, _) => visits::<T, S, 6, 1>(s, job, from, lanes),
                (7..=8, _) => visits::<T, S, 8, 1>(s, job, from, lanes),
                (9..=10, _) => visits::<T, S, 10, 1>(s, job, from, lanes),
                (_, _) => visits::<T, S, 12, 1>(s, job, from, lanes),
            };
        }
    }
}

/// `G` groups of columns from `first` on, of which `lanes` are written: fewer than all only where there is one group. Returns
/// how many columns these are.
///
/// # Safety
/// As [`columns`]; the columns must be there, and the rows `M`.
#[inline(always)]
unsafe fn visits<T: Real, S: Transpose<T>, const M: usize, const G: usize>(
    s: S,
    job: &Columns<T>,
    first: usize,
    lanes: Range<usize>,
) -> usize {
    let &Columns { m, k, b, b_column, beta, c, c_row, c_column, .. } = job;
    let visit = VISIT / size_of::<T>();
    let mut acc = [[s.splat(T::ZERO); M]; G];
    let group = S::LANES as isize * b_column;
    let place = |g: usize, i: usize| (g * S::LANES) as isize * c_column + i as isize * c_row;
    // SAFETY: every offset is that of an element of A, B or C.
    unsafe {
        let c = c.offset(first as isize * c_column);
        // Without depth there is nothing to point at.
        let b = b.wrapping_offset(first as isize * b_column);
        if beta != T::ZERO {
            for (g, acc) in acc.iter_mut().enumerate() {
                for (i, v) in acc.iter_mut().enumerate().take(m) {
                    *v = s.mul(s.splat(beta), read(s, (c.offset(place(g, i)), c_column), lanes.end));
                }
            }
        }
        // Visits start where lines do, if those of all columns do.
        let alike = (b_column.unsigned_abs() * size_of::<T>()).is_multiple_of(VISIT);
        let head = if alike { b.align_offset(VISIT).min(k) } else { 0 };
        let whole = if lanes.end == S::LANES { head + (k - head) / visit * visit } else { head };
        some(s, job, (b, lanes.end), 0..head, &mut acc);
        for start in (head..whole).step_by(visit) {
            let mut b = b.add(start);
            for acc in &mut acc {
                // Group by group: the compiler would mix them until it runs out of registers.
                compiler_fence(SeqCst);
                // So that the places of columns are computed where they are used, not kept on the stack.
                let b_column = if M > IN_PLACE { opaque_here(b_column) } else { b_column };
                if S::COLUMNS < visit {
                    ask::<T, S, M>(b, b_column);
                }
                for p in (0..visit).step_by(S::COLUMNS) {
                    let rows_of_b = s.load_columns(b.add(p), b_column);
                    if S::COLUMNS == visit {
                        ask::<T, S, M>(b, b_column);
                    }
                    in_fours(s, job, start + p, rows_of_b.as_ref(), acc);
                }
                b = b.wrapping_offset(group);
            }
        }
        some(s, job, (b, lanes.end), whole..k, &mut acc);
        for (g, acc) in acc.iter().enumerate() {
            for (i, &v) in acc.iter().enumerate().take(m) {
                write(s, (c.offset(place(g, i)), c_column), lanes.clone(), v);
            }
        }
    }
    G * lanes.len()
}

/// Asks for lines that come after those of a visit, whose first column starts at `b`. The hardware sees where lines go on that a
/// square takes in whole, unless many sums leave it no time; of those read in pieces, it has to be told. With many sums, the
/// lines of the next columns come from the second level when their turn comes.
#[inline(always)]
fn ask<T: Real, S: Transpose<T>, const M: usize>(b: *const T, b_column: isize) {
    let visit = VISIT / size_of::<T>();
    let ahead = if S::COLUMNS < visit { AHEAD * visit } else { visit };
    for i in 0..S::LANES as isize {
        let column = b.wrapping_offset(i * b_column);
        if S::COLUMNS < visit || M > IN_PLACE {
            prefetch(column.wrapping_add(ahead), 1);
        }
        if M > IN_PLACE {
            prefetch_far(column.wrapping_offset(S::LANES as isize * b_column), 1);
        }
    }
}

/// A part of each chain that need not be a whole visit; the first column starts at `b`.
///
/// # Safety
/// As [`visits`].
#[inline(always)]
unsafe fn some<T: Real, S: Transpose<T>, const M: usize, const G: usize>(
    s: S,
    job: &Columns<T>,
    (b, lanes): (*const T, usize),
    range: Range<usize>,
    acc: &mut [[S::Vector; M]; G],
) {
    for p in range.clone().step_by(S::COLUMNS) {
        let count = S::COLUMNS.min(range.end - p);
        for (g, acc) in acc.iter_mut().enumerate() {
            // SAFETY: every offset is that of an element of B.
            unsafe {
                let b = b.offset((g * S::LANES) as isize * job.b_column).add(p);
                if lanes == S::LANES && count == S::COLUMNS {
                    in_fours(s, job, p, s.load_columns(b, job.b_column).as_ref(), acc);
                } else if count <= FEW {
                    for q in 0..count {
                        multiply(s, job, p + q, &[read(s, (b.add(q), job.b_column), lanes)], acc);
                    }
                } else {
                    let columns = s.load_some_columns(b, job.b_column, lanes, count);
                    multiply(s, job, p, &columns.as_ref()[..count], acc);
                }
            }
        }
    }
}

/// A column of B alone.
///
/// # Safety
/// As [`columns`]; column `j` must be there.
#[inline(always)]
unsafe fn one_by_one<T: Real>(job: &Columns<T>, j: usize) {
    let &Columns { m, k, beta, .. } = job;
    // SAFETY: every offset is that of an element of A, B or C.
    unsafe {
        let b = job.b.offset(j as isize * job.b_column);
        for i in 0..m as isize {
            let c = job.c.offset(i * job.c_row + j as isize * job.c_column);
            let mut sum = if beta == T::ZERO { T::ZERO } else { beta * *c };
            let mut a = job.a.wrapping_offset(i * job.a_row);
            for p in 0..k {
                sum = (*a).mul_add(*b.add(p), sum);
                a = a.wrapping_offset(job.a_depth);
            }
            *c = sum;
        }
    }
}

/// As [`multiply`], four rows of B at a time: the compiler would keep more of them in memory.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn in_fours<T: Real, S: Transpose<T>, const M: usize>(
    s: S,
    job: &Columns<T>,
    p: usize,
    rows_of_b: &[S::Vector],
    acc: &mut [S::Vector; M],
) {
    let count = rows_of_b.len();
    // SAFETY: passed on from the caller.
    unsafe {
        multiply(s, job, p, &rows_of_b[..count.min(4)], acc);
        if count > 4 {
            multiply(s, job, p + 4, &rows_of_b[4..8], acc);
        }
        if count > 8 {
            multiply(s, job, p + 8, &rows_of_b[8..12], acc);
            multiply(s, job, p + 12, &rows_of_b[12..], acc);
        }
    }
}

/// The multiply-adds of some rows of B, which are those from `p` on.
///
/// # Safety
/// There must be so many columns of A, and `M` rows.
#[inline(always)]
unsafe fn multiply<T: Real, S: Transpose<T>, const M: usize>(
    s: S,
    job: &Columns<T>,
    p: usize,
    rows_of_b: &[S::Vector],
    acc: &mut [S::Vector; M],
) {
    let mut sums = *acc;
    let (a_row, a_depth) = if M > IN_PLACE { (1, M as isize) } else { (job.a_row, job.a_depth) };
    let mut a = job.a.wrapping_offset(p as isize * a_depth);
    for &b in rows_of_b {
        for (i, sum) in sums.iter_mut().enumerate() {
            // SAFETY: passed on from the caller.
            *sum = s.mul_add(s.splat(unsafe { *a.offset(i as isize * a_row) }), b, *sum);
        }
        a = a.wrapping_offset(a_depth);
    }
    *acc = sums;
}

/// Reads `lanes` elements, `step` apart.
///
/// # Safety
/// They must be readable.
#[inline(always)]
unsafe fn read<T: Real, S: Simd<T>>(s: S, (from, step): (*const T, isize), lanes: usize) -> S::Vector {
    // SAFETY: passed on from the caller; the room has a vector.
    unsafe {
        if step == 1 {
            return s.load_first(from, s.mask(lanes));
        }
        let mut room = [T::ZERO; MOST_LANES];
        for (lane, x) in room.iter_mut().enumerate().take(lanes) {
            *x = *from.offset(lane as isize * step);
        }
        s.load(room.as_ptr())
    }
}

/// Writes `lanes` of a vector, whose elements go `step` apart.
///
/// # Safety
/// They must be writable.
#[inline(always)]
unsafe fn write<T: Real, S: Simd<T>>(s: S, (to, step): (*mut T, isize), lanes: Range<usize>, v: S::Vector) {
    // SAFETY: passed on from the caller; the room has a vector.
    unsafe {
        if step == 1 && lanes.start == 0 {
            return s.store_first(to, s.mask(lanes.end), v);
        }
        let mut room = [T::ZERO; MOST_LANES];
        s.store(room.as_mut_ptr(), v);
        for lane in lanes {
            *to.offset(lane as isize * step) = room[lane];
        }
    }
}

/// The most elements of a vector.
const MOST_LANES: usize = 16;
