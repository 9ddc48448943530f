//! Tiles whose rows lie anywhere and whose chains come in pieces: the micro-kernel of convolutions.
//!
//! A's elements are broadcast, so the rows of a tile need nothing in common but the pieces of their chains: six pixels that
//! share their taps, whatever rows of whatever images they are in. B is packed. C is written through the stack where
//! neighbouring lanes (channels) are far apart in it.

use std::mem::MaybeUninit;

use super::{Ends, GROUP, MAX_GROUPS, PANEL, WHOLE, finish, opaque, prefetch, start, steps};
use crate::Real;
use crate::simd::{Simd, Transpose};

/// The most rows of a tile.
pub(crate) const ROWS: usize = GROUP;

/// The length from which a piece has time for others' prefetches.
const LONG: usize = 32;

/// Rows of the room on the stack: as many as the longest vector that is transposed has lanes.
const ROOM_ROWS: usize = 8;
/// Elements of the room: two of the longest vectors in each row.
const ROOM: usize = ROOM_ROWS * 32;

/// A stretch of a chain: how far it starts from the first element of a row of A, and at which row of B; and its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) a: isize,
    pub(crate) b: usize,
    pub(crate) len: usize,
}

/// One tile.
#[derive(Clone, Copy)]
pub(crate) struct Gather<'a, T> {
    pub(crate) a: *const T,
    /// Where each row of A starts.
    pub(crate) a_rows: [isize; ROWS],
    /// From an element of a row to the next.
    pub(crate) a_depth: isize,
    /// A panel as wide as the tile's vectors.
    pub(crate) b: *const T,
    pub(crate) pieces: &'a [Piece],
    /// Where the chains start, as in [`Run`](super::Run).
    pub(crate) beta: T,
    pub(crate) c: *mut T,
    /// Where each row of C starts.
    pub(crate) c_rows: [isize; ROWS],
    /// From an element of a row of C to the next.
    pub(crate) c_lane: isize,
    /// Elements in a row of C.
    pub(crate) lanes: usize,
}

/// Computes a tile.
///
/// # Safety
/// The elements of A and B that the pieces reach must be readable, for each row of the kernel; C's must be writable,
/// nobody else's, and initialised unless `beta` is 0.
pub(crate) type Collect<T> = unsafe fn(tile: &Gather<'_, T>);

/// A tile of `MR` rows by `NV` vectors, each element one chain of fused multiply-adds that starts at `beta * c`.
///
/// # Safety
/// As [`Collect`].
#[inline(always)]
pub(crate) unsafe fn gather<T: Real, S: Simd<T>, N: Transpose<T>, const MR: usize, const NV: usize>(
    s: S,
    narrow: N,
    tile: &Gather<'_, T>,
) {
    let &Gather { a, a_rows, a_depth, b, pieces, beta, c_lane, lanes, .. } = tile;
    let span = NV * S::LANES;
    let mut room = MaybeUninit::<[T; ROOM]>::uninit();
    let room = room.as_mut_ptr().cast::<T>();
    let direct = c_lane == 1 && lanes == span;
    let ends = Ends::new::<WHOLE>(s, 0);
    let mut acc = [[s.splat(T::ZERO); NV]; MR];
    if beta != T::ZERO {
        // SAFETY: a row of the room for each row of the tile; the elements of C are the caller's.
        unsafe {
            if !direct {
                read::<T, S, MR, NV>(s, tile, room);
            }
            for (i, row) in acc.iter_mut().enumerate() {
                let from = if direct { tile.c.offset(tile.c_rows[i]) } else { room.add(i * span) };
                [*row] = start::<T, S, 1, NV, WHOLE>(s, beta, (from, 0), ends);
            }
        }
    }
    let mut rows = [0; ROWS];
    for (row, &start) in rows.iter_mut().zip(&a_rows).take(MR) {
        *row = opaque(start);
    }
    for (at, piece) in pieces.iter().enumerate() {
        if piece.len >= LONG {
            // Where the next one starts, no hardware prefetcher has been.
            ask_for_piece(a.wrapping_offset(pieces.get(at + 1).unwrap_or(piece).a), &rows[..MR]);
        }
        let mut a = [a.wrapping_offset(piece.a); MAX_GROUPS];
        let mut b = b.wrapping_add(piece.b * span);
        // SAFETY: the caller vouches for the pieces.
        unsafe {
            steps::<T, S, MR, NV, WHOLE, PANEL>(
                s,
                piece.len,
                (&mut a, &rows, 0, a_depth),
                (&mut b, span as isize, 0, ends),
                &mut acc,
            );
        }
    }
    // SAFETY: a row of C, or of the room, for each row of the tile.
    unsafe {
        for (i, &row) in acc.iter().enumerate() {
            let to = if direct { tile.c.offset(tile.c_rows[i]) } else { room.add(i * span) };
            finish::<T, S, 1, NV, WHOLE>(s, &[row], (to, 0), ends);
        }
        if !direct {
            for i in MR..MR.next_multiple_of(N::LANES) {
                finish::<T, S, 1, NV, WHOLE>(s, &[[s.splat(T::ZERO); NV]], (room.add(i * span), 0), ends);
            }
            write::<T, N, MR>(narrow, tile, room, span);
        }
    }
}

/// Asks for the element at each of `rows` from `a` on, with which a piece starts.
#[inline(always)]
fn ask_for_piece<T>(a: *const T, rows: &[isize]) {
    for &row in rows {
        prefetch(a.wrapping_offset(row), 1);
    }
}

/// Copies the tile of C into the room.
///
/// # Safety
/// The tile must be readable, and the room have `MR` rows of `NV` vectors.
#[inline(always)]
unsafe fn read<T: Real, S: Simd<T>, const MR: usize, const NV: usize>(s: S, tile: &Gather<'_, T>, room: *mut T) {
    let &Gather { c, c_rows, c_lane, lanes, .. } = tile;
    for (i, &row) in c_rows.iter().enumerate().take(MR) {
        // SAFETY: row i of the room and of C.
        unsafe {
            let to = room.add(i * NV * S::LANES);
            if lanes < NV * S::LANES {
                for j in 0..NV {
                    s.store(to.add(j * S::LANES), s.splat(T::ZERO));
                }
            }
            for j in 0..lanes {
                *to.add(j) = *c.offset(row + j as isize * c_lane);
            }
        }
    }
}

/// Copies the room into the tile of C; transposed in registers, where the rows are neighbours in C.
///
/// # Safety
/// The tile must be writable; the room must hold `MR` rows of `span` elements and, up to a multiple of `N::LANES`, rows that
/// are not written.
#[inline(always)]
unsafe fn write<T: Real, N: Transpose<T>, const MR: usize>(s: N, tile: &Gather<'_, T>, room: *const T, span: usize) {
    let &Gather { c, c_rows, c_lane, lanes, .. } = tile;
    let mut neighbours = MR > 1;
    for (i, &row) in c_rows.iter().enumerate().take(MR) {
        neighbours &= row == c_rows[0] + i as isize;
    }
    if !neighbours {
        for j in 0..lanes {
            for (i, &row) in c_rows.iter().enumerate().take(MR) {
                // SAFETY: element (i, j) of the room and of C.
                unsafe { *c.offset(row + j as isize * c_lane) = *room.add(i * span + j) };
            }
        }
        return;
    }
    for i in (0..MR).step_by(N::LANES) {
        let mask = s.mask(N::LANES.min(MR - i));
        for j in (0..lanes).step_by(N::COLUMNS) {
            // SAFETY: `span` is a multiple of the columns; of them, those of C are written, and of their lanes those
            // of the tile's rows.
            unsafe {
                let columns = s.load_columns(room.add(i * span + j), span as isize);
                for (q, &v) in columns.as_ref().iter().enumerate().take(lanes - j) {
                    s.store_first(c.offset(c_rows[i] + (j + q) as isize * c_lane), mask, v);
                }
            }
        }
    }
}
