//! Asking for cache lines before their turn.

use super::opaque::unseen;
use crate::cache::LINE;

/// Asks for the cache lines of `len` elements at `p`, which need not be there.
#[inline(always)]
pub(crate) fn prefetch<T>(p: *const T, len: usize) {
    ask(p);
    prefetch_beyond(p, len);
}

/// As [`prefetch`], of elements that do not start with a line but in one that is at hand.
#[inline(always)]
pub(super) fn prefetch_beyond<T>(p: *const T, len: usize) {
    let line = (LINE / size_of::<T>()).max(1);
    for at in (0..len).step_by(line) {
        ask(p.wrapping_add(len.min(at + line) - 1));
    }
}

/// Asks for the line of one element.
#[inline(always)]
fn ask<T>(p: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) };
    }
    #[cfg(target_arch = "aarch64")]
    // The standard library's intrinsic is not stable.
    // SAFETY: a prefetch reads nothing, whatever the address.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) p, options(nomem, nostack, preserves_flags))
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = p;
}

/// As [`prefetch`], but no nearer than the second-level cache: lines a power of two apart would push one another out of the
/// first.
#[inline(always)]
pub(crate) fn prefetch_far<T>(p: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (p, len);
}

/// The next tile of C, whose rows are asked for a few at a time: all at once, they would keep the steps waiting for their own
/// operands.
pub(super) struct NextTile<T> {
    /// The first row that is left, and from a row to the next.
    row: *const T,
    c_row: isize,
    /// Elements of a row.
    len: usize,
    /// How often there are rows to ask for.
    left: usize,
}

impl<T> NextTile<T> {
    /// How many rows are asked for at once.
    const AT_ONCE: usize = 3;
    /// After how many steps the next ones are.
    pub(super) const STEPS: usize = 8;

    /// `MR` rows of `len` elements; none if there is no such tile or it is at hand.
    #[inline(always)]
    pub(super) fn new<const MR: usize>((row, c_row): (*const T, isize), len: usize, is_far: bool) -> Self {
        Self { row, c_row, len, left: if is_far { MR.div_ceil(Self::AT_ONCE) } else { 0 } }
    }

    #[inline(always)]
    pub(super) fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Asks for the next rows.
    #[inline(always)]
    pub(super) fn ask(&mut self) {
        if self.is_done() {
            return;
        }
        for _ in 0..Self::AT_ONCE {
            prefetch_beyond(self.row, self.len);
            self.row = self.row.wrapping_offset(self.c_row);
        }
        self.left -= 1;
    }
}

/// The lines of rows that are three vectors long, wherever they begin: four of each row, to be asked for one by one. All at once, they
/// would keep the steps waiting for their own.
pub(super) struct Lines<T> {
    /// The first of the next two.
    next: *const T,
    /// From these two to the next, and from those on.
    on: [isize; 2],
}

impl<T> Lines<T> {
    const LEN: usize = LINE / size_of::<T>();

    /// Those of rows from `first` on, `step` elements apart.
    #[inline(always)]
    pub(super) fn of(first: *const T, step: isize) -> Self {
        let two = 2 * Self::LEN as isize;
        Self { next: first, on: [two, step - two] }
    }

    /// Asks for line `i` of the next two.
    #[inline(always)]
    pub(super) fn ask(&self, i: usize) {
        ask(self.next.wrapping_add(i * Self::LEN));
    }

    /// Goes on to the two after them.
    #[inline(always)]
    pub(super) fn go_on(&mut self) {
        self.next = unseen(self.next.wrapping_offset(self.on[0]));
        self.on.swap(0, 1);
    }
}
