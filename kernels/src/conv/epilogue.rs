//! What comes after a convolution, done by the thread that has just made these outputs, while they are in its caches.

use std::ops::Range;

use super::grid::Part;
use crate::{Finish, Isa, Parallelism, Real, team};

/// Elements that a thread finishes at once.
const CHUNK: usize = 1024;

/// `value <- skip + scale sigma(value)`, `slope <- scale sigma'(value)`; both are `[o, n, oh, ow]`, dense.
pub(super) struct Epilogue<'a, T> {
    isa: Isa,
    finish: Finish<'a, T>,
    value: *mut T,
    slope: *mut T,
    /// o, n, oh and ow.
    shape: [usize; 4],
}

// SAFETY: threads finish disjoint elements, as those who call `part` vouch.
unsafe impl<T: Send + Sync> Sync for Epilogue<'_, T> {}

impl<'a, T: Real> Epilogue<'a, T> {
    /// # Panics
    /// If the slices are not of the shape's size.
    pub(super) fn new(isa: Isa, finish: &Finish<'a, T>, value: *mut T, slope: &mut [T], shape: [usize; 4]) -> Self {
        let len = shape.iter().product::<usize>();
        let lens = [slope.len(), finish.skip.map_or(len, <[T]>::len)];
        assert!(lens == [len; 2], "conv: a slope and a skip of {lens:?} elements are not of the shape {shape:?}");
        Self { isa, finish: *finish, value, slope: slope.as_mut_ptr(), shape }
    }

    /// Finishes some channels of a part.
    ///
    /// # Safety
    /// The values must be made, no thread else may use the part's elements, and no reference to them live.
    pub(super) unsafe fn part(&self, part: &Part, outputs: Range<usize>) {
        let [_, images, rows, cols] = self.shape;
        let pixels = rows * cols;
        // What continues one another is one run.
        if part.cols != (0..cols) {
            for at in outputs.flat_map(|o| part.images.clone().map(move |n| (o * images + n) * pixels)) {
                for at in part.rows.clone().map(|row| at + row * cols) {
                    // SAFETY: columns of the part, passed on from the caller.
                    unsafe { self.run(at + part.cols.start..at + part.cols.end) };
                }
            }
        } else if part.rows != (0..rows) {
            let starts = outputs.flat_map(|o| part.images.clone().map(move |n| (o * images + n) * pixels));
            // SAFETY: rows of the part, passed on from the caller.
            starts.for_each(|at| unsafe { self.run(at + part.rows.start * cols..at + part.rows.end * cols) });
        } else if part.images != (0..images) {
            for at in outputs.map(|o| o * images) {
                // SAFETY: images of the part, passed on from the caller.
                unsafe { self.run((at + part.images.start) * pixels..(at + part.images.end) * pixels) };
            }
        } else {
            // SAFETY: channels of the part, passed on from the caller.
            unsafe { self.run(outputs.start * images * pixels..outputs.end * images * pixels) };
        }
    }

    /// Finishes everything, on the threads of the current pool if `parallelism` says so.
    ///
    /// # Safety
    /// As [`Epilogue::part`], for all elements.
    pub(super) unsafe fn all(&self, parallelism: Parallelism) {
        let len = self.shape.iter().product::<usize>();
        // SAFETY: pieces do not meet; the rest is passed on from the caller.
        let piece = |i: usize| unsafe { self.run(i * CHUNK..((i + 1) * CHUNK).min(len)) };
        let pieces = len.div_ceil(CHUNK);
        if parallelism == Parallelism::Serial || !team::share(pieces, 3 * len, &piece) {
            (0..pieces).for_each(piece);
        }
    }

    /// # Safety
    /// As [`Epilogue::part`], for these elements.
    unsafe fn run(&self, elements: Range<usize>) {
        let skip = self.finish.skip.map(|skip| &skip[elements.clone()]);
        // SAFETY: both are of the shape, and the caller vouches that nobody else uses these elements.
        let (value, slope) = unsafe {
            let slice = |first: *mut T| std::slice::from_raw_parts_mut(first.add(elements.start), elements.len());
            (slice(self.value), slice(self.slope))
        };
        self.finish.run(self.isa, skip, value, slope);
    }
}
