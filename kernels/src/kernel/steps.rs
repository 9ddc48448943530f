//! The multiply-adds of a tile, step by step along k.

use super::opaque::unseen;
use super::prefetch::{Lines, NextTile};
use super::{
    ASK, Ahead, Ends, GROUP, HALF, Later, MAX_GROUPS, NEAR, PACK, PANEL, STREAM, TURN, WHOLE, group, prefetch_beyond,
    prefetch_far, read,
};
use crate::Real;
use crate::simd::Simd;

/// `count` multiply-adds in each chain of a tile; moves on in A and B.
///
/// # Safety
/// The elements of A and B must be readable.
#[inline(always)]
pub(super) unsafe fn steps<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const END: u8, const LOOK: u8>(
    s: S,
    count: usize,
    (a, rows, a_row, a_depth): (&mut [*const T; MAX_GROUPS], &[isize; GROUP], isize, isize),
    (b, b_depth, b_later, ends): (&mut *const T, isize, isize, Ends<T, S>),
    acc: &mut [[S::Vector; NV]; MR],
) {
    let mut left = count;
    // SAFETY: passed on from the caller.
    unsafe {
        let panel = (NV * S::LANES) as isize;
        let in_panel = matches!(LOOK, PANEL | PACK | TURN) && b_depth == panel;
        let many = matches!(LOOK, NEAR | ASK) && END == WHOLE && NV > 1 && MR * NV >= MANY_CHAINS;
        if a_depth == 1 && (in_panel || many) {
            // Four steps with one move of each pointer to A: another thread on the same core leaves room for few operations
            // beside the multiply-adds.
            while left >= UNROLL {
                for u in 0..UNROLL {
                    if LOOK == ASK {
                        prefetch_beyond(b.wrapping_offset(SOON * b_depth), NV * S::LANES);
                        // So that no vector is read before its step.
                        *b = unseen(*b);
                    }
                    step::<T, S, MR, NV, END, LOOK>(s, (a, rows, u), *b, ends, acc);
                    *b = b.wrapping_offset(if in_panel { panel } else { b_depth });
                }
                for a in a.iter_mut().take(MR.div_ceil(group(LOOK))) {
                    *a = unseen(a.wrapping_add(UNROLL));
                }
                left -= UNROLL;
            }
        } else if a_row == 1 && many {
            // The elements that a step needs are neighbours.
            let mut first = a[0];
            for _ in 0..left {
                if LOOK == ASK {
                    prefetch_beyond(b.wrapping_offset(SOON * b_depth), NV * S::LANES);
                }
                step_of_neighbours::<T, S, MR, NV, END, LOOK>(s, first, *b, ends, acc);
                first = first.wrapping_offset(a_depth);
                *b = b.wrapping_offset(b_depth);
            }
            *a = neighbours::<T, LOOK>(first);
            left = 0;
        }
        for _ in 0..left {
            if LOOK == STREAM {
                prefetch_far(b.wrapping_offset(b_later), NV * S::LANES);
            }
            step::<T, S, MR, NV, END, LOOK>(s, (a, rows, 0), *b, ends, acc);
            for a in a.iter_mut().take(MR.div_ceil(group(LOOK))) {
                *a = unseen(a.wrapping_offset(a_depth));
            }
            *b = b.wrapping_offset(b_depth);
        }
    }
}

/// The first steps of a tile `k` deep, [`ASKING`] for each piece of the strip ahead that is asked for meanwhile; so are rows of A and the
/// next tile of C. Returns how many they are.
///
/// # Safety
/// As [`steps`].
#[inline(always)]
pub(super) unsafe fn asking_steps<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const END: u8>(
    s: S,
    k: usize,
    (a, rows, a_row, a_depth): (&mut [*const T; MAX_GROUPS], &[isize; GROUP], isize, isize),
    (b, b_depth, ends): (&mut *const T, isize, Ends<T, S>),
    (ahead, rows_later, c_later): (&mut Ahead<T>, &mut Later<T>, &mut NextTile<T>),
    acc: &mut [[S::Vector; NV]; MR],
) -> usize {
    let mut lines = ahead.lines();
    let pieces = ahead.in_tile.min(ahead.pieces).min(k / ASKING);
    let mut left = pieces;
    while left > 0 {
        let now = left.min(2);
        let (of_a, of_b) = ((&mut *a, rows, a_row, a_depth), (&mut *b, b_depth, ends));
        // SAFETY: no more than `k` steps in all; otherwise passed on from the caller.
        unsafe { steps_for_lines::<T, S, MR, NV, END>(s, now, of_a, of_b, &mut lines, acc) };
        for _ in 0..now {
            ahead.ask_for_rows(NV * S::LANES);
        }
        left -= now;
        for _ in 0..2 * ASKING / Later::<T>::STRETCH {
            rows_later.ask::<MR>();
        }
        c_later.ask();
    }
    pieces * ASKING
}

/// As [`steps`], [`ASKING`] of them for each of `pieces` rows of the strip ahead, whose `lines` are asked for one by one.
///
/// # Safety
/// As [`steps`].
#[inline(always)]
unsafe fn steps_for_lines<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const END: u8>(
    s: S,
    pieces: usize,
    (a, rows, a_row, a_depth): (&mut [*const T; MAX_GROUPS], &[isize; GROUP], isize, isize),
    (b, b_depth, ends): (&mut *const T, isize, Ends<T, S>),
    lines: &mut Lines<T>,
    acc: &mut [[S::Vector; NV]; MR],
) {
    let times = ASKING / UNROLL * pieces;
    // SAFETY: passed on from the caller.
    unsafe {
        if a_depth == 1 {
            for _ in 0..times {
                for u in 0..UNROLL {
                    look_around::<T, S, NV>((b, b_depth), lines, u);
                    step::<T, S, MR, NV, END, ASK>(s, (a, rows, u), *b, ends, acc);
                    *b = b.wrapping_offset(b_depth);
                }
                for a in a.iter_mut().take(MR.div_ceil(group(ASK))) {
                    *a = unseen(a.wrapping_add(UNROLL));
                }
                lines.go_on();
            }
        } else if a_row == 1 {
            let mut first = a[0];
            for _ in 0..times {
                for u in 0..UNROLL {
                    look_around::<T, S, NV>((b, b_depth), lines, u);
                    step_of_neighbours::<T, S, MR, NV, END, ASK>(s, first, *b, ends, acc);
                    first = first.wrapping_offset(a_depth);
                    *b = b.wrapping_offset(b_depth);
                }
                lines.go_on();
            }
            *a = neighbours::<T, ASK>(first);
        } else {
            for _ in 0..times {
                steps::<T, S, MR, NV, END, ASK>(s, UNROLL, (a, rows, a_row, a_depth), (b, b_depth, 0, ends), acc);
                lines.ask(0);
                lines.ask(1);
                lines.go_on();
            }
        }
    }
}

/// What is asked for before step `u` of [`UNROLL`].
#[inline(always)]
fn look_around<T: Real, S: Simd<T>, const NV: usize>((b, b_depth): (&mut *const T, isize), lines: &Lines<T>, u: usize) {
    prefetch_beyond(b.wrapping_offset(SOON * b_depth), NV * S::LANES);
    if u.is_multiple_of(2) {
        lines.ask(u / 2);
    }
    // So that no vector is read before its step.
    *b = unseen(*b);
}

/// Steps in which the lines of a row of the strip ahead are asked for.
pub(crate) const ASKING: usize = 2 * UNROLL;

/// From so many chains on, loops for operands that lie well are worth their code and the time to compile it.
const MANY_CHAINS: usize = 18;

/// How many steps before its turn a row of B is asked for from the second level of cache.
const SOON: isize = 6;

/// Steps that share the moving of their pointers, where they can.
pub(crate) const UNROLL: usize = 4;

/// One multiply-add in each chain of a tile, `ahead` elements on in A's rows.
///
/// # Safety
/// The elements of A and B must be readable.
#[inline(always)]
unsafe fn step<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const END: u8, const LOOK: u8>(
    s: S,
    (a, rows, ahead): (&[*const T; MAX_GROUPS], &[isize; GROUP], usize),
    b: *const T,
    ends: Ends<T, S>,
    acc: &mut [[S::Vector; NV]; MR],
) {
    // SAFETY: passed on from the caller.
    unsafe {
        let mut bs = [s.splat(T::ZERO); NV];
        for (j, v) in bs.iter_mut().enumerate() {
            *v = read::<T, S, NV, END>(s, b, j, ends);
        }
        // In groups, so that the compiler unrolls all of it: accumulators that are indexed at run time lie in memory.
        for g in 0..MR.div_ceil(group(LOOK)) {
            let a = a[g].wrapping_add(ahead);
            for (r, &row) in rows.iter().enumerate().take(group(LOOK)) {
                let i = g * group(LOOK) + r;
                if i < MR {
                    let ai = *a.offset(row);
                    let (ai, low) = if END == HALF { s.splats(ai) } else { (s.splat(ai), s.narrow().splat(T::ZERO)) };
                    for j in 0..NV {
                        let (v, bj) = (&mut acc[i][j], bs[j]);
                        *v = match END {
                            HALF if j == NV - 1 => s.widen(s.narrow().mul_add(low, s.low(bj), s.low(*v))),
                            _ => s.mul_add(ai, bj, *v),
                        };
                    }
                }
            }
        }
    }
}

/// [`step`] where the elements that it needs of A are neighbours, from `first` on.
///
/// # Safety
/// As [`step`].
#[inline(always)]
unsafe fn step_of_neighbours<T, S, const MR: usize, const NV: usize, const END: u8, const LOOK: u8>(
    s: S,
    first: *const T,
    b: *const T,
    ends: Ends<T, S>,
    acc: &mut [[S::Vector; NV]; MR],
) where
    T: Real,
    S: Simd<T>,
{
    let rows = std::array::from_fn(|i| i as isize);
    // SAFETY: passed on from the caller.
    unsafe { step::<T, S, MR, NV, END, LOOK>(s, (&neighbours::<T, LOOK>(first), &rows, 0), b, ends, acc) }
}

/// The first rows of the groups where all rows are neighbours.
#[inline(always)]
fn neighbours<T, const LOOK: u8>(first: *const T) -> [*const T; MAX_GROUPS] {
    std::array::from_fn(|g| first.wrapping_add(g * group(LOOK)))
}
