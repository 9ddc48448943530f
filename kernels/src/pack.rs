//! Packing: a block of an operand, real or virtual, copied to where the micro-kernel reads it fast.
//!
//! A strip of B becomes a *panel*: `row` elements for each k, k by k. A's elements are broadcast, so A need not be
//! transposed: its *rows* are copied as they are, close together; only an A whose columns are contiguous becomes panels,
//! like B.

use crate::Real;
use crate::axis::Axis;
use crate::kernel::{Kernel, MAX_SIDE, prefetch_far};
use crate::simd::{Simd, Transpose};

/// One operand of a product: A seen along its rows, or B seen along its columns. Element `(i, k)` is
/// `scale * ptr[along.offset(i) + depth.offset(k)]`.
#[derive(Clone, Copy)]
pub(crate) struct Operand<T> {
    pub(crate) ptr: *const T,
    pub(crate) along: Axis,
    pub(crate) depth: Axis,
    /// Multiplies each element, with one rounding, on its way to the kernel.
    pub(crate) scale: T,
}

// SAFETY: an operand is a view of a slice that the caller of gemm or conv holds shared for the whole call.
unsafe impl<T: Sync> Sync for Operand<T> {}

impl<T: Real> Operand<T> {
    /// With one stride each way: `along` and `depth` are how many, and how far apart.
    pub(crate) fn plain(ptr: *const T, along: (usize, usize), depth: (usize, usize)) -> Self {
        let [along, depth] = [along, depth].map(|(extent, stride)| Axis::plain(extent, stride));
        Self { ptr, along, depth, scale: T::ONE }
    }

    /// Where element `(i, 0)` is.
    pub(crate) fn at(&self, i: usize) -> *const T {
        self.ptr.wrapping_offset(self.along.offset(i))
    }

    /// Packs `count` elements from `first` on into a panel with rows of `row >= count` elements, for
    /// `depth..depth + len`. What the rows have beyond `count` is left alone.
    ///
    /// # Safety
    /// The ranges must lie inside the operand, whose elements must be readable; `panel` must hold `len` rows.
    pub(crate) unsafe fn pack_panel(
        &self,
        kernel: &Kernel<T>,
        (first, count): (usize, usize),
        (depth, len): (usize, usize),
        (panel, row): (*mut T, usize),
    ) {
        let step = self.depth.inner_stride();
        let even = self.along.run(first, count);
        let mut room;
        let offsets: &mut [isize] = if even.is_some() {
            &mut []
        } else {
            room = [0; MAX_SIDE];
            &mut room[..count]
        };
        self.along.offsets(first, offsets);
        self.depth.for_each_run(depth, len, |start, offset, run| {
            let source = self.ptr.wrapping_offset(offset);
            let panel = panel.wrapping_add(start * row);
            // SAFETY: every source offset is that of an element inside the operand, because the ranges are; `start + run
            // <= len`, so the rows stay inside the panel.
            unsafe {
                match even {
                    Some((along, 1)) => (kernel.copy)(source.offset(along), step, count, run, panel, row),
                    Some((along, stride)) if step == 1 => {
                        (kernel.transpose)(source.offset(along), stride, count, run, panel, row);
                    }
                    Some((along, 2)) => (kernel.every_second)(source.offset(along), step, count, run, panel, row),
                    Some((along, stride)) => {
                        for k in 0..run {
                            let source = source.offset(along + k as isize * step);
                            for i in 0..count {
                                *panel.add(k * row + i) = *source.offset(i as isize * stride);
                            }
                        }
                    }
                    None => {
                        for (i, &along) in offsets.iter().enumerate() {
                            let source = source.offset(along);
                            for k in 0..run {
                                *panel.add(k * row + i) = *source.offset(k as isize * step);
                            }
                        }
                    }
                }
                if self.scale != T::ONE {
                    for k in 0..run {
                        scale(std::slice::from_raw_parts_mut(panel.add(k * row), count), self.scale);
                    }
                }
            }
        });
    }

    /// Packs `count` elements from `first` on, each with its whole `depth..depth + len` contiguous, `row >= len` elements
    /// from one to the next.
    ///
    /// # Safety
    /// The ranges must lie inside the operand, whose elements must be readable; `rows` must hold `count` rows.
    pub(crate) unsafe fn pack_rows(
        &self,
        kernel: &Kernel<T>,
        (first, count): (usize, usize),
        (depth, len): (usize, usize),
        (rows, row): (*mut T, usize),
    ) {
        let step = self.depth.inner_stride();
        for i in 0..count {
            let source = self.ptr.wrapping_offset(self.along.offset(first + i));
            let target = rows.wrapping_add(i * row);
            self.depth.for_each_run(depth, len, |start, offset, run| {
                // SAFETY: as in `pack_panel`.
                unsafe {
                    let (source, target) = (source.offset(offset), target.add(start));
                    match step {
                        1 => target.copy_from_nonoverlapping(source, run),
                        2 => (kernel.every_second)(source, 0, run, 1, target, 0),
                        _ => {
                            for k in 0..run {
                                *target.add(k) = *source.offset(k as isize * step);
                            }
                        }
                    }
                    if self.scale != T::ONE {
                        scale(std::slice::from_raw_parts_mut(target, run), self.scale);
                    }
                }
            });
        }
    }
}

/// Multiplies each element.
pub(crate) fn scale<T: Real>(elements: &mut [T], factor: T) {
    elements.iter_mut().for_each(|x| *x = factor * *x);
}

/// Copies `len` rows of `width` neighbours, `stride` elements apart in the source and `row` in the panel.
///
/// # Safety
/// The source must be readable and the panel writable.
#[inline(always)]
pub(crate) unsafe fn copy<T: Real, S: Simd<T>>(
    s: S,
    source: *const T,
    stride: isize,
    width: usize,
    len: usize,
    panel: *mut T,
    row: usize,
) {
    let parts = Parts::of(s, width);
    for k in 0..len {
        // SAFETY: `width` elements of row k, which the caller vouches for.
        unsafe { parts.copy(s, source.offset(k as isize * stride), panel.add(k * row)) };
    }
}

/// A row that is copied in whole vectors, one of half the length and the first lanes of another: what a mask covers of a vector that
/// goes on in the next line of the cache takes as long as if all of it were written.
#[derive(Clone, Copy)]
struct Parts<T: Real, S: Simd<T>> {
    /// Elements in whole vectors, and in these and the half.
    whole: usize,
    halves: usize,
    all: usize,
    mask: <S::Narrow as Simd<T>>::Mask,
}

impl<T: Real, S: Simd<T>> Parts<T, S> {
    #[inline(always)]
    fn of(s: S, all: usize) -> Self {
        let (lanes, narrow) = (S::LANES, <S::Narrow as Simd<T>>::LANES);
        let whole = all - all % lanes;
        let halves = if narrow < lanes { all - all % narrow } else { whole };
        Self { whole, halves, all, mask: s.narrow().mask((all - halves).max(1)) }
    }

    /// Copies a row.
    ///
    /// # Safety
    /// Its elements must be readable, and those of the target writable.
    #[inline(always)]
    unsafe fn copy(self, s: S, source: *const T, target: *mut T) {
        let narrow = s.narrow();
        // SAFETY: passed on from the caller; the parts are neighbours, and end with the row.
        unsafe {
            for j in (0..self.whole).step_by(S::LANES) {
                s.store(target.add(j), s.load(source.add(j)));
            }
            if self.whole < self.halves {
                narrow.store(target.add(self.whole), narrow.load(source.add(self.whole)));
            }
            if self.halves < self.all {
                narrow.store_first(
                    target.add(self.halves),
                    self.mask,
                    narrow.load_first(source.add(self.halves), self.mask),
                );
            }
        }
    }
}

/// Copies `len` rows of neighbouring strips, each `span` elements wide, into the strips' panels, and perhaps `asks` for as many more.
/// Rows are `stride` elements apart in the source, and panels `step`.
///
/// # Safety
/// The source must be readable and the panels writable.
#[inline(always)]
pub(crate) unsafe fn deal<T: Real, S: Simd<T>>(
    s: S,
    (source, stride): (*const T, isize),
    (strips, span): (usize, usize),
    (len, asks): (usize, bool),
    (panels, step): (*mut T, usize),
) {
    let parts = Parts::of(s, span);
    // The rows that come next lie too far for the hardware to ask for them.
    let next = len as isize * stride;
    for strip in 0..strips {
        let (mut source, mut panel) = (source.wrapping_add(strip * span), panels.wrapping_add(strip * step));
        for _ in 0..len {
            if asks {
                prefetch_far(source.wrapping_offset(next), span);
            }
            // SAFETY: a row of a strip, which the caller vouches for.
            unsafe { parts.copy(s, source, panel) };
            source = source.wrapping_offset(stride);
            panel = panel.wrapping_add(span);
        }
    }
}

/// Turns `width` columns of `len` neighbours, `stride` elements apart in the source, into the rows of a panel.
///
/// # Safety
/// The source must be readable and the panel writable.
#[inline(always)]
pub(crate) unsafe fn transpose<T: Real, S: Transpose<T>, N: Transpose<T>>(
    (s, narrow): (S, N),
    (source, stride): (*const T, isize),
    (width, len): (usize, usize),
    (panel, row): (*mut T, usize),
) {
    let (wide, long) = (width - width % S::LANES, len - len % S::COLUMNS);
    // SAFETY: parts of the source, and their places in the panel.
    unsafe {
        squares(s, (source, stride), (wide, long), (panel, row));
        let below = (source.wrapping_offset(wide as isize * stride), panel.wrapping_add(wide));
        if S::SOME_IS_FAST && wide < width {
            let mask = s.mask(width - wide);
            for k in (0..long).step_by(S::COLUMNS) {
                let columns = s.load_some_columns(below.0.add(k), stride, width - wide, S::COLUMNS);
                for (i, &v) in columns.as_ref().iter().enumerate() {
                    s.store_first(below.1.add((k + i) * row), mask, v);
                }
            }
        } else {
            pieces(narrow, (below.0, stride), (width - wide, long), (below.1, row));
        }
        pieces(narrow, (source.wrapping_add(long), stride), (width, len - long), (panel.wrapping_add(long * row), row));
    }
}

/// [`transpose`] where there are whole squares only.
///
/// # Safety
/// As [`transpose`].
#[inline(always)]
unsafe fn squares<T: Real, S: Transpose<T>>(
    s: S,
    (source, stride): (*const T, isize),
    (width, len): (usize, usize),
    (panel, row): (*mut T, usize),
) {
    for j in (0..width).step_by(S::LANES) {
        for k in (0..len).step_by(S::COLUMNS) {
            // SAFETY: a part of the source, and its place in the panel.
            unsafe {
                let columns = s.load_columns(source.offset(j as isize * stride).add(k), stride);
                for (i, &v) in columns.as_ref().iter().enumerate() {
                    s.store(panel.add((k + i) * row + j), v);
                }
            }
        }
    }
}

/// [`transpose`] of what may not be whole squares: the rest one by one.
///
/// # Safety
/// As [`transpose`].
#[inline(always)]
unsafe fn pieces<T: Real, S: Transpose<T>>(
    s: S,
    (source, stride): (*const T, isize),
    (width, len): (usize, usize),
    (panel, row): (*mut T, usize),
) {
    let (wide, long) = (width - width % S::LANES, len - len % S::COLUMNS);
    // SAFETY: elements that the caller vouches for.
    unsafe {
        squares(s, (source, stride), (wide, long), (panel, row));
        for k in long..len {
            for j in 0..wide {
                *panel.add(k * row + j) = *source.offset(j as isize * stride).add(k);
            }
        }
        for j in wide..width {
            for k in 0..len {
                *panel.add(k * row + j) = *source.offset(j as isize * stride).add(k);
            }
        }
    }
}

/// Copies `len` rows of `width` elements, of which each is the second after the one before; rows are `stride` elements apart
/// in the source and `row` in the panel.
///
/// # Safety
/// The rows of the source must be readable, with what lies between their elements, and the panel writable.
#[inline(always)]
pub(crate) unsafe fn every_second<T: Real, S: Transpose<T>>(
    s: S,
    source: *const T,
    stride: isize,
    width: usize,
    len: usize,
    panel: *mut T,
    row: usize,
) {
    let whole = width - width % S::LANES;
    for k in 0..len {
        // SAFETY: `width` elements of row k and what lies between them, which the caller vouches for.
        unsafe {
            let (source, panel) = (source.offset(k as isize * stride), panel.add(k * row));
            for j in (0..whole).step_by(S::LANES) {
                s.store(panel.add(j), s.load_every_second(source.add(2 * j)));
            }
            for j in whole..width {
                *panel.add(j) = *source.add(2 * j);
            }
        }
    }
}

/// What [`sort`] does with filters of `taps` taps that lie side by side: for tap `first + t` and channel `c`, `t < keep`,
/// the lanes go to `t * tap + c * row`.
#[derive(Clone, Copy)]
pub(crate) struct Taps {
    pub(crate) taps: usize,
    pub(crate) first: usize,
    pub(crate) keep: usize,
    pub(crate) tap: usize,
    pub(crate) row: usize,
}

/// Turns `width` filters of `channels` channels, `stride` elements apart in the source, into the rows of a panel, tap by
/// tap.
///
/// # Safety
/// The source must be readable and the panel writable.
#[inline(always)]
pub(crate) unsafe fn sort<T: Real, S: Transpose<T>>(
    s: S,
    (source, stride): (*const T, isize),
    (width, channels): (usize, usize),
    order: Taps,
    panel: *mut T,
) {
    let Taps { taps, first, keep, tap, row } = order;
    let len = taps * channels;
    let (wide, long) = (width - width % S::LANES, len - len % S::COLUMNS);
    for j in (0..wide).step_by(S::LANES) {
        // The tap that comes next, counted from the first that is kept (before it: beyond all), and its channel's place.
        let (mut t, mut to) = (first.wrapping_neg(), panel.wrapping_add(j));
        for k in (0..long).step_by(S::COLUMNS) {
            // SAFETY: a part of the source; and its place in the panel, if it has one.
            unsafe {
                let columns = s.load_columns(source.offset(j as isize * stride).add(k), stride);
                for &v in columns.as_ref() {
                    if t < keep {
                        s.store(to.add(t * tap), v);
                    }
                    t = t.wrapping_add(1);
                    if t == taps - first {
                        (t, to) = (first.wrapping_neg(), to.wrapping_add(row));
                    }
                }
            }
        }
    }
    for j in 0..width {
        for k in if j < wide { long } else { 0 }..len {
            let (c, t) = (k / taps, (k % taps).wrapping_sub(first));
            if t < keep {
                // SAFETY: an element of a filter, and its place in the panel.
                unsafe { *panel.add(t * tap + c * row + j) = *source.offset(j as isize * stride).add(k) };
            }
        }
    }
}
