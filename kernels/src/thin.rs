//! A row vector times a matrix whose columns lie contiguous, so that no row of it is a vector in memory.
//!
//! Each element of the result is one chain, so the lanes of a vector cannot share a dot product: squares of the matrix
//! are transposed in registers instead, and the lanes hold neighbouring columns.

use crate::Real;
use crate::kernel::prefetch_far;
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

/// Groups of columns that are summed side by side: their chains hide one another's latency.
const GROUPS: usize = 4;

/// Bytes of a column that are read at one visit: a cache line, which would be gone before a second visit where columns lie
/// a power of two apart.
const VISIT: usize = 64;

/// How many visits before its own a line is asked for.
const AHEAD: usize = 8;

/// Computes all columns.
///
/// # Safety
/// The elements of a, B and c must be readable; c's must be writable, nobody else's, and initialised unless `beta` is 0.
#[inline(always)]
pub(crate) unsafe fn columns<T: Real, S: Transpose<T>>(s: S, job: &Columns<T>) {
    let mut first = 0;
    // SAFETY: each call stays within the columns of B, which the caller vouches for.
    unsafe {
        while job.n - first >= GROUPS * S::LANES {
            vectors::<T, S, GROUPS>(s, job, first);
            first += GROUPS * S::LANES;
        }
        while job.n - first >= S::LANES {
            vectors::<T, S, 1>(s, job, first);
            first += S::LANES;
        }
        if first < job.n {
            scalars::<T, 8>(job, first, job.n - first);
        }
    }
}

/// Columns `first..first + G * LANES`.
///
/// # Safety
/// As [`columns`]; the columns must be there.
#[inline(always)]
unsafe fn vectors<T: Real, S: Transpose<T>, const G: usize>(s: S, job: &Columns<T>, first: usize) {
    let &Columns { n: _, k, a, a_depth, b, b_column, beta, c } = job;
    let mut acc = [s.splat(T::ZERO); G];
    let group = S::LANES as isize * b_column;
    // SAFETY: every offset is that of an element of a, B or c.
    unsafe {
        let c = c.add(first);
        let b = b.offset(first as isize * b_column);
        if beta != T::ZERO {
            for (g, v) in acc.iter_mut().enumerate() {
                *v = s.mul(s.splat(beta), s.load(c.add(g * S::LANES)));
            }
        }
        let whole = k - k % S::COLUMNS;
        let visit = VISIT / size_of::<T>();
        for start in (0..whole).step_by(visit) {
            for (g, acc) in acc.iter_mut().enumerate() {
                let b = b.offset(g as isize * group);
                for i in 0..S::LANES {
                    prefetch_far(b.wrapping_offset(i as isize * b_column).wrapping_add(start + AHEAD * visit), 1);
                }
                let mut v = *acc;
                for p in (start..(start + visit).min(whole)).step_by(S::COLUMNS) {
                    let columns = s.load_columns(b.add(p), b_column);
                    for (i, &column) in columns.as_ref().iter().enumerate() {
                        v = s.mul_add(s.splat(*a.offset((p + i) as isize * a_depth)), column, v);
                    }
                }
                *acc = v;
            }
        }
        let mut row = [T::ZERO; 16];
        for p in whole..k {
            let a = s.splat(*a.offset(p as isize * a_depth));
            for (g, v) in acc.iter_mut().enumerate() {
                for (i, x) in row[..S::LANES].iter_mut().enumerate() {
                    *x = *b.offset(g as isize * group + i as isize * b_column).add(p);
                }
                *v = s.mul_add(a, s.load(row.as_ptr()), *v);
            }
        }
        for (g, &v) in acc.iter().enumerate() {
            s.store(c.add(g * S::LANES), v);
        }
    }
}

/// Columns `first..first + count`, at most `N` of them.
///
/// # Safety
/// As [`columns`]; the columns must be there.
#[inline(always)]
unsafe fn scalars<T: Real, const N: usize>(job: &Columns<T>, first: usize, count: usize) {
    let &Columns { n: _, k, a, a_depth, b, b_column, beta, c } = job;
    // Columns that are not there are stood in for by the last.
    let columns: [isize; N] = std::array::from_fn(|i| (first + i.min(count - 1)) as isize * b_column);
    let mut acc = [T::ZERO; N];
    // SAFETY: every offset is that of an element of a, B or c.
    unsafe {
        if beta != T::ZERO {
            for (i, x) in acc[..count].iter_mut().enumerate() {
                *x = beta * *c.add(first + i);
            }
        }
        for p in 0..k {
            let a = *a.offset(p as isize * a_depth);
            for (x, &column) in acc.iter_mut().zip(&columns) {
                *x = a.mul_add(*b.offset(column).add(p), *x);
            }
        }
        for (i, &x) in acc[..count].iter().enumerate() {
            *c.add(first + i) = x;
        }
    }
}
