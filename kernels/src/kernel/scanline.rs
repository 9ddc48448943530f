//! Tiles whose columns are neighbouring pixels of one row of an image: the micro-kernel of convolutions with few channels.
//!
//! The rows of a tile are filters, packed side by side, whose elements are broadcast; B has a row of the image for each
//! channel, shifted by the tap. Pixels whose tap falls on padding keep their chain as it is.

use super::{CUT, Ends, GROUP, finish, start};
use crate::Real;
use crate::simd::Window;

/// A tap: its place in the filters, where in B the first pixel of a tile reads by it, and the pixels of the row that have it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tap {
    pub(crate) place: usize,
    pub(crate) b: isize,
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// One tile.
#[derive(Clone, Copy)]
pub(crate) struct Scanline<'a, T> {
    /// As many filters as the kernel has rows, element by element: for each tap, for each channel.
    pub(crate) a: *const T,
    /// What the taps read.
    pub(crate) b: *const T,
    /// From a channel to the next, and how many there are.
    pub(crate) b_depth: isize,
    pub(crate) channels: usize,
    /// The taps of the row, in the order of the chains.
    pub(crate) taps: &'a [Tap],
    /// Where the chains start, as in [`Run`](super::Run).
    pub(crate) beta: T,
    /// The first pixel of C, and from a row of the tile to the next.
    pub(crate) c: *mut T,
    pub(crate) c_row: isize,
    /// The first pixel of the row that is in the tile, and how many are: more than fit one vector less than the kernel has.
    pub(crate) first: usize,
    pub(crate) width: usize,
}

/// Computes a tile.
///
/// # Safety
/// The filters must be packed; what the taps reach must be readable, for the pixels of the tile that have them; C's elements
/// must be writable, nobody else's, and initialised unless `beta` is 0.
pub(crate) type Scan<T> = unsafe fn(tile: &Scanline<'_, T>);

/// A tile of `MR` filters by `NV` vectors of pixels, each element one chain of fused multiply-adds that starts at
/// `beta * c`.
///
/// # Safety
/// As [`Scan`].
#[inline(always)]
pub(crate) unsafe fn scan<T: Real, S: Window<T>, const MR: usize, const NV: usize>(s: S, tile: &Scanline<'_, T>) {
    let &Scanline { a, b, b_depth, channels, taps, beta, c, c_row, first, width } = tile;
    let ends = Ends::<T, S>::new::<CUT>(s, width - (NV - 1) * S::LANES);
    // SAFETY: the tile is the caller's.
    let mut acc = unsafe { start::<T, S, MR, NV, CUT>(s, beta, (c, c_row), ends) };
    for tap in taps {
        let (from, to) = (tap.first.saturating_sub(first), tap.end.saturating_sub(first).min(width));
        let a = a.wrapping_add(tap.place * channels * MR);
        let b = b.wrapping_offset(tap.b);
        let row = (b, b_depth);
        // SAFETY: the elements of the pixels that have the tap, and no others; the caller vouches for these.
        unsafe {
            if from == 0 && to == NV * S::LANES {
                steps::<T, S, MR, NV, 0, NV, false>(s, channels, a, row, &[s.window(0, 0); NV], &mut acc);
            } else if S::MASKS_ARE_FREE {
                steps::<T, S, MR, NV, 0, NV, true>(s, channels, a, row, &windows::<T, S, NV>(s, from, to), &mut acc);
            } else {
                // Fewer registers: a vector at a time, and those that are whole as they are.
                one_by_one::<T, S, MR, NV>(s, channels, a, row, (from, to), &mut acc);
            }
        }
    }
    // SAFETY: the tile is the caller's.
    unsafe { finish::<T, S, MR, NV, CUT>(s, &acc, (c, c_row), ends) };
}

/// The lanes of each vector that lie between two pixels of a tile.
#[inline(always)]
fn windows<T: Real, S: Window<T>, const NV: usize>(s: S, from: usize, to: usize) -> [S::Within; NV] {
    let mut windows = [s.window(0, 0); NV];
    for (j, window) in windows.iter_mut().enumerate() {
        *window = s.window(lane::<T, S>(from, j), lane::<T, S>(to, j));
    }
    windows
}

/// Where a pixel of a tile lies in vector `j`: the nearest of its ends if it does not.
#[inline(always)]
fn lane<T: Real, S: Window<T>>(pixel: usize, j: usize) -> usize {
    pixel.saturating_sub(j * S::LANES).min(S::LANES)
}

/// As [`steps`], for the pixels between two, a vector after the other.
///
/// # Safety
/// As [`steps`].
#[inline(always)]
unsafe fn one_by_one<T: Real, S: Window<T>, const MR: usize, const NV: usize>(
    s: S,
    channels: usize,
    a: *const T,
    row: (*const T, isize),
    (from, to): (usize, usize),
    acc: &mut [[S::Vector; NV]; MR],
) {
    const { assert!(NV <= 2) };
    let windows = windows::<T, S, NV>(s, from, to);
    let [first, second] = [0, 1].map(|j| lane::<T, S>(from, j) == 0 && lane::<T, S>(to, j) == S::LANES);
    // SAFETY: passed on from the caller.
    unsafe {
        if first {
            steps::<T, S, MR, NV, 0, 1, false>(s, channels, a, row, &windows, acc);
        } else {
            steps::<T, S, MR, NV, 0, 1, true>(s, channels, a, row, &windows, acc);
        }
        if second {
            steps::<T, S, MR, NV, 1, NV, false>(s, channels, a, row, &windows, acc);
        } else if NV > 1 {
            steps::<T, S, MR, NV, 1, NV, true>(s, channels, a, row, &windows, acc);
        }
    }
}

/// One multiply-add for each channel in each chain of the vectors from `FIRST` to before `END`; if `WINDOWED`, in the lanes
/// of the windows alone.
///
/// # Safety
/// The filters and, in the windows, the channels' rows must be readable.
#[inline(always)]
unsafe fn steps<
    T: Real,
    S: Window<T>,
    const MR: usize,
    const NV: usize,
    const FIRST: usize,
    const END: usize,
    const WINDOWED: bool,
>(
    s: S,
    channels: usize,
    mut a: *const T,
    (mut b, b_depth): (*const T, isize),
    windows: &[S::Within; NV],
    acc: &mut [[S::Vector; NV]; MR],
) {
    for _ in 0..channels {
        let mut bs = [s.splat(T::ZERO); NV];
        for (j, v) in bs.iter_mut().enumerate().take(END).skip(FIRST) {
            let b = b.wrapping_add(j * S::LANES);
            // SAFETY: passed on from the caller.
            *v = unsafe { if WINDOWED { s.load_within(b, windows[j]) } else { s.load(b) } };
        }
        // In groups, so that the compiler unrolls all of it: accumulators that are indexed at run time lie in memory.
        for g in 0..MR.div_ceil(GROUP) {
            for r in 0..GROUP {
                let i = g * GROUP + r;
                if i < MR {
                    // SAFETY: passed on from the caller.
                    let w = s.splat(unsafe { *a.add(i) });
                    for j in FIRST..END {
                        let v = &mut acc[i][j];
                        *v =
                            if WINDOWED { s.mul_add_within(windows[j], w, bs[j], *v) } else { s.mul_add(w, bs[j], *v) };
                    }
                }
            }
        }
        (a, b) = (a.wrapping_add(MR), b.wrapping_offset(b_depth));
    }
}
