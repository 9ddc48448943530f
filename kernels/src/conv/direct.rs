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

use super::stretch::Stretch;
use super::{Convolution, Layout};
use crate::block::{Blocks, round_up};
use crate::cache::Caches;
use crate::cut::heights;
use crate::gemm::Parallelism;
use crate::kernel::Kernel;
use crate::kernel::gather::{Gather, Piece, ROWS};
use crate::pack::scale;
use crate::scratch::with_scratch;
use crate::{Real, team};

/// Bytes after which addresses meet the same set of the first-level cache.
const PAGE: usize = 4096;
/// Elements between pixels that would do so.
const PAD: usize = 16;
/// Pixels that are transposed at once, so that both sides of the copy stay near.
const RUN: usize = 32;
/// Vectors across a strip of filters.
const VECTORS: usize = 2;

/// `job` on the threads of the current pool, if `parallelism` says so.
///
/// # Safety
/// As [`Convolution::run`].
///
/// # Panics
/// If a block size is 0.
pub(super) unsafe fn convolve<T: Real>(
    job: &Convolution<T>,
    kernel: &'static Kernel<T>,
    blocks: Option<Blocks>,
    parallelism: Parallelism,
) {
    let limits = Limits::new(job, kernel, blocks);
    let threads = if parallelism == Parallelism::Serial { 1 } else { rayon::current_num_threads() };
    let grid = Grid::new(job, &limits, threads);
    // SAFETY: passed on from the caller; the parts of a grid do not meet.
    let part = |index: usize| unsafe { Direct { job, kernel, limits, part: grid.part(index) }.run() };
    let parts = grid.parts();
    if !team::share(if threads > 1 { parts } else { 1 }, job.nanoseconds(), &part) {
        (0..parts).for_each(part);
    }
}

impl<T: Real> Convolution<T> {
    fn taps(&self) -> usize {
        self.taps[0] * self.taps[1]
    }

    /// About how long it takes on one thread.
    fn nanoseconds(&self) -> usize {
        let madds = [self.images, self.outputs, self.channels, self.taps(), self.target[0], self.target[1]];
        madds.into_iter().fold(1, usize::saturating_mul) / 200 * size_of::<T>()
    }

    /// Elements from a pixel of a block to the next.
    fn pixel(&self) -> usize {
        let aliased = (self.channels * size_of::<T>()).is_multiple_of(PAGE);
        self.channels + if aliased { PAD } else { 0 }
    }
}

/// The most that a block holds. It changes no bit of a result.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Pixels of the images.
    pixels: usize,
    /// Filters, a multiple of a strip.
    outputs: usize,
    /// Columns of a strip.
    strip: usize,
    /// Taps.
    taps: usize,
    /// Channels of a tap, all of them where there are several taps.
    channels: usize,
}

impl Limits {
    fn new<T: Real>(job: &Convolution<T>, kernel: &Kernel<T>, blocks: Option<Blocks>) -> Self {
        let strip = VECTORS * kernel.lanes;
        let Caches { l2, l3, .. } = Caches::of_this_core();
        let filters = l2 * 5 / 8 / size_of::<T>();
        let (pixels, depth) = match blocks {
            Some(blocks) => (blocks.mc, blocks.kc),
            None => (l3.max(2 * l2) / 8 / (size_of::<T>() * job.pixel()), filters / strip),
        };
        assert!(pixels.min(depth) > 0 || blocks.is_none(), "conv: a block size is 0: {blocks:?}");
        let taps = (depth / job.channels).clamp(1, job.taps());
        let channels = if taps > 1 { job.channels } else { job.channels.min(depth.max(1)) };
        let outputs = blocks.map_or(filters / (taps * channels), |blocks| blocks.nc);
        Self { pixels: pixels.max(1), outputs: (outputs / strip).max(1) * strip, strip, taps, channels }
    }
}

/// How the work is cut into parts: images, rows of y and channels of y, each with what a part has of it and the whole.
#[derive(Debug)]
struct Grid([(usize, usize); 3]);

/// One part: images, rows and channels of y.
#[derive(Clone, Debug)]
struct Part {
    images: Range<usize>,
    rows: Range<usize>,
    outputs: Range<usize>,
}

/// The least work, in nanoseconds, that is a part of its own.
const PART: usize = 20_000;

impl Grid {
    /// Parts whose images fit a block. Each part copies its images and packs its filters, so several threads cut where
    /// less is copied twice.
    fn new<T: Real>(job: &Convolution<T>, limits: &Limits, threads: usize) -> Self {
        let &Convolution { images, outputs, channels, source, target, .. } = job;
        let wanted = if threads == 1 { 1 } else { (job.nanoseconds() / PART).clamp(1, 6 * threads) };
        let strips = outputs.div_ceil(limits.strip).max(1);
        // Images, or rows of one, that make at least so many blocks; and how many these are.
        let cut = |blocks: usize| {
            let fitting = (limits.pixels / source[1].max(1)).max(1);
            if source[0] <= fitting && blocks <= images {
                let each = (fitting / source[0].max(1)).min(images.div_ceil(blocks)).max(1);
                return (each, target[0].max(1), images.div_ceil(each));
            }
            let bands = source[0].div_ceil(fitting).max(blocks.div_ceil(images.max(1)));
            let rows = target[0].div_ceil(bands).max(1);
            (1, rows, images * target[0].div_ceil(rows))
        };
        let (copied, packed) = (images * source[0] * source[1] * channels, outputs * channels * job.taps());
        let cost = |across: usize| copied * across + packed * cut(wanted.div_ceil(across)).2;
        let across = (1..=strips.min(wanted)).min_by_key(|&across| cost(across)).unwrap_or(1);
        let (each, rows, _) = cut(wanted.div_ceil(across));
        Self([(each, images), (rows, target[0]), (strips.div_ceil(across) * limits.strip, outputs)])
    }

    fn parts(&self) -> usize {
        self.0.iter().map(|&(each, whole)| whole.div_ceil(each)).product()
    }

    fn part(&self, mut index: usize) -> Part {
        let [images, rows, outputs] = self.0.map(|(each, whole)| {
            let (count, first) = (whole.div_ceil(each), index);
            index /= count;
            let first = first % count * each;
            first..(first + each).min(whole)
        });
        Part { images, rows, outputs }
    }
}

/// A part of a convolution, on one thread.
struct Direct<'a, T: 'static> {
    job: &'a Convolution<T>,
    kernel: &'static Kernel<T>,
    limits: Limits,
    part: Part,
}

/// The filters of a block: taps and channels of x from the first on, and how many.
#[derive(Clone, Copy)]
struct Depth {
    tap: usize,
    taps: usize,
    channel: usize,
    channels: usize,
}

/// Filters in a panel: channels of y from the first on, and the panel's vectors.
#[derive(Clone, Copy)]
struct Strip {
    first: usize,
    width: usize,
    vectors: usize,
}

/// A copy of the part's images, its channels innermost: rows of the images from `row` on.
struct Copied<T> {
    ptr: *mut T,
    /// The first row, and how many.
    row: usize,
    rows: usize,
    /// Elements from a pixel to the next.
    pixel: usize,
}

impl<T: Real> Direct<'_, T> {
    /// # Safety
    /// As [`convolve`], for this part.
    unsafe fn run(&self) {
        let Self { job, limits, .. } = self;
        let rows = self.source_rows();
        let pixel = job.pixel();
        let copy = self.part.images.len() * rows.len() * job.source[1] * pixel;
        let outputs = limits.outputs.min(round_up(self.part.outputs.len(), limits.strip));
        let panels = outputs * limits.taps * limits.channels;
        with_scratch::<T, ()>([copy, panels], |[copy, panels]| {
            let copied = Copied { ptr: copy, row: rows.start, rows: rows.len(), pixel };
            // SAFETY: the rooms hold the rows of the images and a block of filters; the rest is passed on.
            unsafe {
                self.copy(&copied);
                for first in self.part.outputs.clone().step_by(limits.outputs) {
                    let strips = first..(first + limits.outputs).min(self.part.outputs.end);
                    for depth in self.depths() {
                        self.pack(strips.clone(), depth, panels);
                        self.block(&copied, strips.clone(), depth, panels);
                    }
                }
            }
        });
    }

    /// The rows of x that the part reads.
    fn source_rows(&self) -> Range<usize> {
        let reach = self.job.stretches[0].iter().filter(|stretch| stretch.taps > 0).flat_map(|stretch| {
            let within = stretch.within(&self.part.rows);
            let row = |i: usize, t: usize| {
                stretch.source + i as isize * stretch.source_step + t as isize * stretch.source_tap_step
            };
            let ends = if within.is_empty() { vec![] } else { vec![within.start, within.end - 1] };
            ends.into_iter().flat_map(move |i| [row(i, 0), row(i, stretch.taps - 1)])
        });
        let (first, end) = reach.fold((isize::MAX, 0), |(first, end), row| (first.min(row), end.max(row + 1)));
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
        let (cols, channels) = (self.job.source[1], self.job.channels);
        // Rows that continue one another are one.
        let (lines, len) = if row == cols as isize * col { (1, copied.rows * cols) } else { (copied.rows, cols) };
        let mut to = copied.ptr;
        for n in self.part.images.clone() {
            for line in 0..lines {
                let from = ptr.wrapping_offset(n as isize * image + (copied.row + line) as isize * row);
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
        let Layout { ptr, strides: [output, channel, row, col] } = self.job.w;
        let cols = self.job.taps[1];
        let dense = col == 1 && (row == cols as isize || self.job.taps[0] == 1);
        for (strip, panel) in self.panels(outputs, depth, panels) {
            let span = strip.vectors * self.kernel.lanes;
            let filters = ptr.wrapping_offset(strip.first as isize * output);
            // SAFETY: the panel has `span` elements for each tap and channel of the block.
            unsafe {
                if strip.width < span {
                    panel.write_bytes(0, depth.taps * depth.channels * span);
                }
                for c in 0..depth.channels {
                    let from = filters.wrapping_offset((depth.channel + c) as isize * channel);
                    let to = panel.wrapping_add(c * span);
                    if dense {
                        let from = from.wrapping_add(depth.tap);
                        let row = depth.channels * span;
                        (self.kernel.transpose)(from, output, strip.width, depth.taps, to, row);
                        continue;
                    }
                    for t in 0..depth.taps {
                        let (ky, kx) = ((depth.tap + t) / cols, (depth.tap + t) % cols);
                        for o in 0..strip.width {
                            let from = from.offset(ky as isize * row + kx as isize * col + o as isize * output);
                            *to.add(t * depth.channels * span + o) = *from;
                        }
                    }
                }
                if self.job.alpha != T::ONE {
                    let elements = depth.taps * depth.channels * span;
                    scale(std::slice::from_raw_parts_mut(panel, elements), self.job.alpha);
                }
            }
        }
    }

    /// The strips of a block, each with its panel.
    fn panels(&self, outputs: Range<usize>, depth: Depth, panels: *mut T) -> impl Iterator<Item = (Strip, *mut T)> {
        let step = self.limits.strip * depth.taps * depth.channels;
        self.strips(outputs).enumerate().map(move |(i, strip)| (strip, panels.wrapping_add(i * step)))
    }

    /// Adds a block of taps to all pixels of the part.
    ///
    /// # Safety
    /// The room must hold the block's panels; the rest as [`convolve`], for this part.
    unsafe fn block(&self, copied: &Copied<T>, outputs: Range<usize>, depth: Depth, panels: *mut T) {
        let mut pieces = Vec::with_capacity(depth.taps);
        for v in &self.job.stretches[0] {
            let within = v.within(&self.part.rows);
            if within.is_empty() {
                continue;
            }
            for h in &self.job.stretches[1] {
                for (strip, panel) in self.panels(outputs.clone(), depth, panels) {
                    let span = strip.vectors * self.kernel.lanes;
                    self.pieces((v, h), depth, (copied, span), &mut pieces);
                    let first = depth.tap == 0 && depth.channel == 0;
                    if pieces.is_empty() && !first {
                        continue;
                    }
                    let tile = Gather {
                        a: copied.ptr.cast_const(),
                        a_rows: [0; ROWS],
                        a_depth: 1,
                        b: panel.cast_const(),
                        pieces: &pieces,
                        beta: if first { self.job.beta } else { T::ONE },
                        c: self.job.y.ptr.wrapping_offset(strip.first as isize * self.job.y.strides[1]),
                        c_rows: [0; ROWS],
                        c_lane: self.job.y.strides[1],
                        lanes: strip.width,
                    };
                    let kernels = self.kernel.gather[strip.vectors - 1];
                    let mut pixels = Pixels::new(self, copied, (v, within.clone()), h);
                    let count = self.part.images.len() * within.len() * h.count;
                    for (height, tiles) in heights(count, ROWS) {
                        for _ in 0..tiles {
                            let mut tile = tile;
                            for (a, c) in tile.a_rows.iter_mut().zip(&mut tile.c_rows).take(height) {
                                (*a, *c) = pixels.next();
                            }
                            // SAFETY: the pixels lie in the copy with all their taps, and in y; the strip is packed.
                            unsafe { kernels[height - 1](&tile) };
                        }
                    }
                }
            }
        }
    }

    /// The taps of a block that outputs of a rectangle have.
    fn pieces(
        &self,
        (v, h): (&Stretch, &Stretch),
        depth: Depth,
        (copied, span): (&Copied<T>, usize),
        pieces: &mut Vec<Piece>,
    ) {
        pieces.clear();
        for (tv, th) in (0..v.taps).flat_map(|tv| (0..h.taps).map(move |th| (tv, th))) {
            let tap = (v.tap + tv * v.tap_step) * self.job.taps[1] + h.tap + th * h.tap_step;
            if !(depth.tap..depth.tap + depth.taps).contains(&tap) {
                continue;
            }
            let row = tv as isize * v.source_tap_step * self.job.source[1] as isize;
            let a = (row + th as isize * h.source_tap_step) * copied.pixel as isize + depth.channel as isize;
            let b = ((tap - depth.tap) * depth.channels * span) as isize;
            match pieces.last_mut() {
                Some(last) if last.a + last.len as isize == a && last.b + (last.len * span) as isize == b => {
                    last.len += depth.channels;
                }
                _ => pieces.push(Piece { a, b, len: depth.channels }),
            }
        }
    }
}

/// The pixels of a rectangle of outputs, image by image and row by row: where each lies in the copy of x, and in y.
struct Pixels {
    /// Steps of (image, row, column) in both, and the place of the next.
    steps: [[isize; 2]; 3],
    at: [[isize; 2]; 3],
    counts: [usize; 3],
    next: [usize; 3],
}

impl Pixels {
    fn new<T: Real>(
        direct: &Direct<'_, T>,
        copied: &Copied<T>,
        (v, within): (&Stretch, Range<usize>),
        h: &Stretch,
    ) -> Self {
        let (job, part) = (direct.job, &direct.part);
        let [image, _, row, col] = job.y.strides;
        let pixel = copied.pixel as isize;
        let line = job.source[1] as isize * pixel;
        let source = v.source + within.start as isize * v.source_step - copied.row as isize;
        let first = v.first + within.start * v.step;
        let start = [
            source * line + h.source * pixel,
            part.images.start as isize * image + first as isize * row + h.first as isize * col,
        ];
        Self {
            steps: [
                [copied.rows as isize * line, image],
                [v.source_step * line, v.step as isize * row],
                [h.source_step * pixel, h.step as isize * col],
            ],
            at: [start; 3],
            counts: [part.images.len(), within.len(), h.count],
            next: [0; 3],
        }
    }

    fn next(&mut self) -> (isize, isize) {
        let [a, c] = self.at[2];
        for dim in (0..3).rev() {
            self.next[dim] += 1;
            self.at[dim] = [0, 1].map(|side| self.at[dim][side] + self.steps[dim][side]);
            if self.next[dim] < self.counts[dim] || dim == 0 {
                // The faster indices begin again from here.
                for faster in dim + 1..3 {
                    (self.next[faster], self.at[faster]) = (0, self.at[dim]);
                }
                break;
            }
        }
        (a, c)
    }
}
