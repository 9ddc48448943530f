//! Convolutions with kernels of several taps.
//!
//! A block of images is copied with its channels innermost, so that a tap's whole sum over channels, and often that of
//! a row of taps, is one run of memory; nothing is copied once for every tap. The filters are packed with the output
//! channels on the lanes, and tiles of six pixels that share their taps, wherever they are, meet each strip of filters.
//!
//! ```text
//! for a block of images, or of rows of one image        (copied: in the third-level cache)
//!   for a block of taps of a few strips of filters      (packed: in the second level)
//!     for pixels that share their taps
//!       for a strip, for six pixels: one tile
//! ```

use std::ops::Range;

use super::grid::{Grid, Part, each_part, threads};
use super::limits::Limits;
use super::panel::Depth;
use super::pixels::Pixels;
use super::stretch::{Stretch, within};
use super::{Convolution, Layout};
use crate::Real;
use crate::block::{Blocks, round_up};
use crate::cut::heights;
use crate::gemm::Parallelism;
use crate::kernel::Kernel;
use crate::kernel::gather::{Gather, Piece, ROWS};
use crate::scratch::{size, with_scratch};

/// Pixels that are transposed at once, so that both sides of the copy stay near.
const RUN: usize = 32;

/// `job` on the threads of the current pool, if `parallelism` says so.
///
/// # Safety
/// As [`Convolution::run`].
pub(super) unsafe fn convolve<T: Real>(
    job: &Convolution<'_, T>,
    kernel: &'static Kernel<T>,
    blocks: Option<Blocks>,
    parallelism: Parallelism,
) {
    let limits = Limits::new(job, kernel, blocks);
    let threads = threads(parallelism);
    let grid = Grid::new(job, &limits, threads);
    // SAFETY: passed on from the caller; the parts of a grid do not meet.
    let part = |index: usize| unsafe { Direct { job, kernel, limits, part: grid.part(index) }.run() };
    each_part(grid.parts(), threads, job.nanoseconds(), &part);
}

/// A part of a convolution, on one thread.
struct Direct<'a, T: 'static> {
    job: &'a Convolution<'a, T>,
    kernel: &'static Kernel<T>,
    limits: Limits,
    part: Part,
}

/// Filters in a panel: channels of y from the first on, and the panel's vectors.
#[derive(Clone, Copy)]
struct Strip {
    first: usize,
    width: usize,
    vectors: usize,
}

/// A copy of the part's images, its channels innermost: rows of the images from `row` on.
pub(super) struct Copied<T> {
    pub(super) ptr: *mut T,
    /// The first row, and how many; and the first column.
    pub(super) row: usize,
    pub(super) rows: usize,
    pub(super) col: usize,
    pub(super) cols: usize,
    /// Elements from a pixel to the next.
    pub(super) pixel: usize,
}

impl<T: Real> Direct<'_, T> {
    /// # Safety
    /// As [`convolve`], for this part.
    unsafe fn run(&self) {
        let Self { job, limits, .. } = self;
        let (rows, cols) = (self.sources(0, &self.part.rows), self.sources(1, &self.part.cols));
        let pixel = job.pixel();
        let copy = size(&[self.part.images.len(), rows.len(), cols.len(), pixel]);
        let outputs = limits.outputs.min(round_up(self.part.outputs.len(), limits.strip));
        let panels = size(&[outputs, limits.taps, limits.channels]);
        with_scratch::<T, ()>([copy, panels], |[copy, panels]| {
            let (row, col) = (rows.start, cols.start);
            let copied = Copied { ptr: copy, row, rows: rows.len(), col, cols: cols.len(), pixel };
            // SAFETY: the rooms hold the rows of the images and a block of filters; the rest is passed on.
            unsafe {
                self.copy(&copied);
                for first in self.part.outputs.clone().step_by(limits.outputs) {
                    let strips = first..(first + limits.outputs).min(self.part.outputs.end);
                    for depth in self.depths() {
                        self.pack(strips.clone(), depth, panels);
                        self.block(&copied, strips.clone(), depth, panels);
                    }
                    if let Some(epilogue) = &job.epilogue {
                        epilogue.part(&self.part, strips);
                    }
                }
            }
        });
    }

    /// The rows of x, or its columns, that those of the part read.
    fn sources(&self, dim: usize, part: &Range<usize>) -> Range<usize> {
        let reach = self.job.stretches[dim].iter().filter(|stretch| stretch.taps > 0).flat_map(|stretch| {
            let within = stretch.within(part);
            let place = |i: usize, t: usize| {
                stretch.source + i as isize * stretch.source_step + t as isize * stretch.source_tap_step
            };
            let ends = if within.is_empty() { vec![] } else { vec![within.start, within.end - 1] };
            ends.into_iter().flat_map(move |i| [place(i, 0), place(i, stretch.taps - 1)])
        });
        let (first, end) = reach.fold((isize::MAX, 0), |(first, end), at| (first.min(at), end.max(at + 1)));
        first.min(end) as usize..end as usize
    }

    /// The blocks of the chains, in their order.
    fn depths(&self) -> impl Iterator<Item = Depth> {
        let (taps, channels, limits) = (self.job.taps(), self.job.channels, self.limits);
        (0..taps).step_by(limits.taps).flat_map(move |tap| {
            (0..channels).step_by(limits.channels).map(move |channel| Depth {
                tap,
                taps: limits.taps.min(taps - tap),
                channel,
                channels: limits.channels.min(channels - channel),
            })
        })
    }

    fn strips(&self, outputs: Range<usize>) -> impl Iterator<Item = Strip> {
        let (lanes, strip) = (self.kernel.lanes, self.limits.strip);
        outputs.clone().step_by(strip).map(move |first| {
            let width = strip.min(outputs.end - first);
            Strip { first, width, vectors: width.div_ceil(lanes) }
        })
    }

    /// Copies the images.
    ///
    /// # Safety
    /// The images must be readable, and the room hold them.
    unsafe fn copy(&self, copied: &Copied<T>) {
        let Layout { ptr, strides: [image, channel, row, col] } = self.job.x;
        let (cols, channels) = (copied.cols, self.job.channels);
        // Rows that continue one another are one.
        let whole = cols == self.job.source[1] && row == cols as isize * col;
        let (lines, len) = if whole { (1, copied.rows * cols) } else { (copied.rows, cols) };
        let mut to = copied.ptr;
        for n in self.part.images.clone() {
            for line in 0..lines {
                let first = (copied.row + line) as isize * row + copied.col as isize * col;
                let from = ptr.wrapping_offset(n as isize * image + first);
                for start in (0..len).step_by(RUN) {
                    let run = RUN.min(len - start);
                    let from = from.wrapping_offset(start as isize * col);
                    // SAFETY: `run` pixels of a line, all channels; the room has a place for each.
                    unsafe {
                        if col == 1 {
                            (self.kernel.transpose)(from, channel, channels, run, to, copied.pixel);
                        } else {
                            for (i, c) in (0..run).flat_map(|i| (0..channels).map(move |c| (i, c))) {
                                let x = *from.offset(i as isize * col + c as isize * channel);
                                *to.add(i * copied.pixel + c) = x;
                            }
                        }
                    }
                    to = to.wrapping_add(run * copied.pixel);
                }
            }
        }
    }

    /// Packs filters, scaled, strip by strip: for each tap and channel, the lanes of a strip.
    ///
    /// # Safety
    /// The filters must be readable, and the room hold them.
    unsafe fn pack(&self, outputs: Range<usize>, depth: Depth, panels: *mut T) {
        for (strip, panel) in self.panels(outputs, depth, panels) {
            let filters = strip.first..strip.first + strip.width;
            // SAFETY: the panel has `span` elements for each tap and channel of the block.
            unsafe { self.job.pack(self.kernel, filters, depth, (panel, strip.vectors * self.kernel.lanes)) };
        }
    }

    /// The strips of a block, each with its panel.
    fn panels(&self, outputs: Range<usize>, depth: Depth, panels: *mut T) -> impl Iterator<Item = (Strip, *mut T)> {
        let step = self.limits.strip * depth.taps * depth.channels;
        self.strips(outputs).enumerate().map(move |(i, strip)| (strip, panels.wrapping_add(i * step)))
    }

    /// The rectangles of outputs that share their taps, and which of their rows and columns are the part's.
    fn rectangles(&self) -> impl Iterator<Item = ((&Stretch, &Stretch), [Range<usize>; 2])> {
        let [vertical, horizontal] = &self.job.stretches;
        within(vertical, &self.part.rows).flat_map(move |(v, rows)| {
            within(horizontal, &self.part.cols).map(move |(h, cols)| ((v, h), [rows.clone(), cols]))
        })
    }

    /// Adds a block of taps to all pixels of the part.
    ///
    /// # Safety
    /// The room must hold the block's panels; the rest as [`convolve`], for this part.
    unsafe fn block(&self, copied: &Copied<T>, outputs: Range<usize>, depth: Depth, panels: *mut T) {
        let first = depth.tap == 0 && depth.channel == 0;
        let beta = if first { self.job.beta } else { T::ONE };
        let mut pieces = Vec::with_capacity(depth.taps);
        for (rectangle, within) in self.rectangles() {
            if !self.limits.tap_by_tap {
                self.pieces(rectangle, depth, copied, &mut pieces);
            }
            // Without pieces, the chains only start.
            if first || !pieces.is_empty() {
                let mut pixels = Pixels::new(self.job, copied, &self.part.images, rectangle, within);
                let total = pixels.total();
                for first in (0..total).step_by(self.limits.near) {
                    let (start, count) = (pixels.clone(), self.limits.near.min(total - first));
                    for (strip, panel) in self.panels(outputs.clone(), depth, panels) {
                        pixels = start.clone();
                        // SAFETY: the pixels lie in the copy with all their taps, and in y; the strip is packed.
                        unsafe { self.tiles((strip, panel), (copied, &pieces), (pixels.by_ref(), count), beta) };
                    }
                }
            }
        }
        if self.limits.tap_by_tap {
            // SAFETY: passed on from the caller.
            unsafe { self.tap_by_tap(copied, outputs, depth, panels) };
        }
    }

    /// Adds a block of taps one by one, each to all pixels of the part that have it.
    ///
    /// # Safety
    /// As [`Direct::block`]; the chains must have been started.
    unsafe fn tap_by_tap(&self, copied: &Copied<T>, outputs: Range<usize>, depth: Depth, panels: *mut T) {
        let (mut pieces, mut having) = (Vec::with_capacity(1), Vec::new());
        for tap in depth.tap..depth.tap + depth.taps {
            having.clear();
            for (rectangle, within) in self.rectangles() {
                self.pieces(rectangle, Depth { tap, taps: 1, ..depth }, copied, &mut pieces);
                if let [Piece { a, .. }] = pieces[..] {
                    having.extend(
                        Pixels::new(self.job, copied, &self.part.images, rectangle, within).map(|(x, y)| (x + a, y)),
                    );
                }
            }
            let pieces = [Piece { a: 0, b: (tap - depth.tap) * depth.channels, len: depth.channels }];
            for (strip, panel) in self.panels(outputs.clone(), depth, panels) {
                let pixels = (having.iter().copied(), having.len());
                // SAFETY: as in `block`.
                unsafe { self.tiles((strip, panel), (copied, &pieces), pixels, T::ONE) };
            }
        }
    }

    /// Computes the tiles of `count` pixels: where each lies in the copy of x, and in y.
    ///
    /// # Safety
    /// The pieces of these pixels must lie in the copy, and the strip be packed; the rest as [`convolve`].
    unsafe fn tiles(
        &self,
        (strip, panel): (Strip, *mut T),
        (copied, pieces): (&Copied<T>, &[Piece]),
        (mut pixels, count): (impl Iterator<Item = (isize, isize)>, usize),
        beta: T,
    ) {
        let y = &self.job.y;
        let mut tile = Gather {
            a: copied.ptr.cast_const(),
            a_rows: [0; ROWS],
            a_depth: 1,
            b: panel.cast_const(),
            pieces,
            beta,
            c: y.ptr.wrapping_offset(strip.first as isize * y.strides[1]),
            c_rows: [0; ROWS],
            c_lane: y.strides[1],
            lanes: strip.width,
        };
        let kernels = self.kernel.gather[strip.vectors - 1];
        for (height, tiles) in heights(count, ROWS).into_iter().filter(|&(height, _)| height > 0) {
            for _ in 0..tiles {
                for (i, (a, c)) in pixels.by_ref().take(height).enumerate() {
                    (tile.a_rows[i], tile.c_rows[i]) = (a, c);
                }
                // SAFETY: passed on from the caller.
                unsafe { kernels[height - 1](&tile) };
            }
        }
    }

    /// The taps of a block that outputs of a rectangle have.
    fn pieces(&self, (v, h): (&Stretch, &Stretch), depth: Depth, copied: &Copied<T>, pieces: &mut Vec<Piece>) {
        pieces.clear();
        for (tv, th) in (0..v.taps).flat_map(|tv| (0..h.taps).map(move |th| (tv, th))) {
            let tap = (v.tap + tv * v.tap_step) * self.job.taps[1] + h.tap + th * h.tap_step;
            if !(depth.tap..depth.tap + depth.taps).contains(&tap) {
                continue;
            }
            let row = tv as isize * v.source_tap_step * copied.cols as isize;
            let a = (row + th as isize * h.source_tap_step) * copied.pixel as isize + depth.channel as isize;
            let b = (tap - depth.tap) * depth.channels;
            match pieces.last_mut() {
                Some(last) if last.a + last.len as isize == a && last.b + last.len == b => {
                    last.len += depth.channels;
                }
                _ => pieces.push(Piece { a, b, len: depth.channels }),
            }
        }
    }
}
