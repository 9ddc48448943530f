//! Convolutions between images with few channels, such as colours: the pixels of a row lie on the lanes.
//!
//! Where `direct` would leave most lanes idle, or spend its time on turning tiles that a few multiply-adds have made, the
//! images are read where they are and the results written along their rows. Where the channels of an image push one another
//! out of the first-level cache, what a strip of a row reads is copied first, to a place where all filters meet it.

use super::Convolution;
use super::grid::{Grid, Part, each_part, threads};
use super::limits::{FULL_ROWS, Limits};
use super::panel::Depth;
use crate::Real;
use crate::block::{Blocks, round_up};
use crate::cache::{Caches, PAGE};
use crate::cut::heights;
use crate::gemm::Parallelism;
use crate::kernel::Kernel;
use crate::kernel::scanline::{Scanline, Tap};
use crate::scratch::{size, with_scratch};

/// Vectors across a tile.
const VECTORS: usize = 2;
/// Filters that are packed faster together than one by one.
const PACKED: usize = 8;
/// What turning an element of each channel of a vector into pixels, and writing it, costs `direct`, in multiply-adds of a
/// vector, as the rest; and where the channels lie so far apart that they meet the same sets of the first-level cache.
const TURN: usize = 2;
const FAR_TURN: usize = 4;
const FAR: usize = 1024;
/// Lines that a set of the first-level cache may hold.
const WAYS: usize = 8;
/// What a tile spends on a tap, however few channels there are.
const TAP: usize = 16;

/// The highest tiles of so many channels of y.
fn most<T>(kernel: &Kernel<T>, outputs: usize) -> usize {
    let most = kernel.scan[VECTORS - 1].len();
    if outputs.is_multiple_of(PACKED) { most.min(PACKED) } else { most }
}

impl<T: Real> Convolution<'_, T> {
    /// Whether the pixels of a row should lie on the lanes, not the output's channels: where neighbouring pixels read and
    /// are written to neighbours, and that takes less time.
    pub(super) fn is_scan(&self, kernel: &Kernel<T>) -> bool {
        let neighbours = self.x.strides[3] == 1
            && self.y.strides[3] == 1
            && self.stretches[1].iter().all(|stretch| stretch.step == 1 && stretch.source_step == 1);
        let filters = size(&[self.outputs, self.channels, self.taps(), size_of::<T>()]);
        let near = filters <= Caches::of_this_core().l2 / 4;
        neighbours && near && self.cost_of_scan(kernel) < self.cost_of_direct(kernel)
    }

    /// What a row of pixels costs here, in multiply-adds of a vector.
    fn cost_of_scan(&self, kernel: &Kernel<T>) -> usize {
        let (taps, cols) = (self.taps(), self.target[1]);
        let (vectors, strips) = (cols.div_ceil(kernel.lanes), cols.div_ceil(VECTORS * kernel.lanes));
        let cut = || columns(self).iter().filter(|column| column.first > 0 || column.end < cols).count();
        let cut = if kernel.masks_are_free { 0 } else { (cut() * self.taps[0]).min(taps * strips) };
        let tile = |height: usize| {
            // The vectors of a shifted row are not aligned, and blends take time.
            let plain = taps * vectors * self.channels * height.max(FULL_ROWS) * 9 / 8;
            plain + cut * VECTORS * self.channels * height * 2 / 3 + taps * strips * TAP
        };
        let heights = heights(self.outputs, most(kernel, self.outputs));
        heights.into_iter().filter(|&(height, _)| height > 0).map(|(height, tiles)| tiles * tile(height)).sum()
    }

    /// What it would cost with the channels on the lanes.
    fn cost_of_direct(&self, kernel: &Kernel<T>) -> usize {
        let strips = self.outputs.div_ceil(kernel.lanes);
        let far = (self.y.strides[1].unsigned_abs() * size_of::<T>()).is_multiple_of(FAR);
        // Tiles a vector wide have too few chains.
        let chains = self.taps() * self.channels * if strips == 1 { 4 } else { 3 } / 3;
        self.target[1] * strips * (chains + kernel.lanes * if far { FAR_TURN } else { TURN })
    }
}

/// `job` on the threads of the current pool, if `parallelism` says so.
///
/// # Safety
/// As [`Convolution::run`]; the job must be one for this.
pub(super) unsafe fn convolve<T: Real>(
    job: &Convolution<'_, T>,
    kernel: &'static Kernel<T>,
    blocks: Option<Blocks>,
    parallelism: Parallelism,
) {
    let threads = threads(parallelism);
    let grid = Grid::new(job, &Limits::new(job, kernel, blocks), threads);
    let columns = columns(job);
    // SAFETY: passed on from the caller; the parts of a grid do not meet.
    let part = |index: usize| unsafe { Rows { job, kernel, columns: &columns, part: grid.part(index) }.run() };
    each_part(grid.parts(), threads, job.nanoseconds(), &part);
}

/// A column of the kernel: the columns of y that have it, and where column 0 would read.
struct Column {
    tap: usize,
    first: usize,
    end: usize,
    source: isize,
}

/// The columns of the kernel that meet the image, in order.
fn columns<T: Real>(job: &Convolution<'_, T>) -> Vec<Column> {
    let having = |tap: usize| {
        let mut having = job.stretches[1].iter().filter_map(|h| Some((h, h.position(tap)?)));
        let (h, position) = having.next()?;
        let source = h.source + position as isize * h.source_tap_step - h.first as isize;
        let end = having.next_back().map_or(h, |(last, _)| last);
        Some(Column { tap, first: h.first, end: end.first + end.count, source })
    };
    (0..job.taps[1]).filter_map(having).collect()
}

/// A part of a convolution, on one thread.
struct Rows<'a, T: 'static> {
    job: &'a Convolution<'a, T>,
    kernel: &'static Kernel<T>,
    columns: &'a [Column],
    part: Part,
}

/// A copy of what a strip of a row reads: for each row of the kernel, for each channel, pixels of the image.
struct Near<T> {
    ptr: *mut T,
    /// Where the first pixel of a row of y would read by the leftmost tap, and from there to what the rightmost one reads.
    source: isize,
    reach: usize,
    /// Elements from a channel to the next.
    channel: usize,
}

impl<T: Real> Near<T> {
    /// A copy without room; nothing where the images are read in place.
    fn new(rows: &Rows<'_, T>) -> Option<Self> {
        let Rows { job, kernel, columns, part } = rows;
        let sources = || columns.iter().map(|column| column.source);
        let (source, last) = (sources().min()?, sources().max()?);
        let reach = (last - source) as usize;
        let channel = round_up(VECTORS * kernel.lanes + reach, kernel.lanes);
        let aliased = (job.x.strides[1].unsigned_abs() * size_of::<T>()).is_multiple_of(PAGE);
        let pays = job.channels > WAYS && part.outputs.len() >= kernel.lanes;
        (aliased && pays).then_some(Self { ptr: std::ptr::null_mut(), source, reach, channel })
    }
}

impl<T: Real> Rows<'_, T> {
    /// # Safety
    /// As [`convolve`], for this part.
    unsafe fn run(&self) {
        let Self { job, kernel, part, .. } = self;
        let filters = size(&[part.outputs.len(), job.taps(), job.channels]);
        let mut near = Near::new(self);
        let copy = near.as_ref().map_or(0, |near| size(&[job.taps[0], job.channels, near.channel]));
        let mut taps = Vec::with_capacity(job.taps());
        with_scratch::<T, ()>([copy, filters], |[copy, filters]| {
            if let Some(near) = &mut near {
                near.ptr = copy;
            }
            // SAFETY: the rooms hold what a strip reads and all filters; the rest is passed on from the caller.
            unsafe {
                self.pack(filters);
                for y in part.rows.clone() {
                    self.taps(y, near.as_ref(), &mut taps);
                    for n in part.images.clone() {
                        for first in part.cols.clone().step_by(VECTORS * kernel.lanes) {
                            if let Some(near) = &near {
                                self.copy(y, n, first, near);
                            }
                            self.strip(y, n, first, (near.as_ref(), &taps), filters);
                        }
                    }
                }
                if let Some(epilogue) = &job.epilogue {
                    epilogue.part(part, part.outputs.clone());
                }
            }
        });
    }

    /// The heights of the tiles.
    fn heights(&self) -> impl Iterator<Item = usize> {
        let heights = heights(self.part.outputs.len(), most(self.kernel, self.part.outputs.len()));
        heights.into_iter().flat_map(|(height, tiles)| std::iter::repeat_n(height, tiles))
    }

    /// Packs the filters, scaled: a panel for each tile.
    ///
    /// # Safety
    /// The filters must be readable, and the room hold them.
    unsafe fn pack(&self, filters: *mut T) {
        let Self { job, kernel, part, .. } = self;
        let depth = Depth { tap: 0, taps: job.taps(), channel: 0, channels: job.channels };
        let (mut first, mut panel) = (part.outputs.start, filters);
        for height in self.heights() {
            // SAFETY: the tile's filters, and the room for them.
            unsafe { job.pack(kernel, first..first + height, depth, (panel, height)) };
            first += height;
            panel = panel.wrapping_add(height * depth.taps * depth.channels);
        }
    }

    /// The rows of the kernel that row `y` of the output has, each with the row of the image that it reads.
    fn lines(&self, y: usize) -> impl Iterator<Item = (usize, isize)> {
        let having = self.job.stretches[0].iter().filter_map(move |v| {
            let i = y.checked_sub(v.first).filter(|i| i.is_multiple_of(v.step) && i / v.step < v.count)?;
            Some((v, v.source + (i / v.step) as isize * v.source_step))
        });
        having.flat_map(|(v, source)| {
            (0..v.taps).map(move |t| (v.tap + t * v.tap_step, source + t as isize * v.source_tap_step))
        })
    }

    /// The taps of row `y`, in order.
    fn taps(&self, y: usize, near: Option<&Near<T>>, taps: &mut Vec<Tap>) {
        let Convolution { channels, taps: [_, cols], x, .. } = self.job;
        taps.clear();
        taps.extend(self.lines(y).flat_map(|(ky, line)| {
            let (row, source) = match near {
                Some(near) => ((ky * channels * near.channel) as isize, near.source),
                None => (line * x.strides[2], 0),
            };
            self.columns.iter().map(move |column| Tap {
                place: ky * cols + column.tap,
                b: row + column.source - source,
                first: column.first,
                end: column.end,
            })
        }));
    }

    /// Copies what the pixels of row `y` from column `first` on read of image `n`. What would lie outside of it stays as it is.
    ///
    /// # Safety
    /// The image must be readable, and the room hold the copy.
    unsafe fn copy(&self, y: usize, n: usize, first: usize, near: &Near<T>) {
        let Self { job, kernel, .. } = self;
        let [image, channel, row, _] = job.x.strides;
        let start = first as isize + near.source;
        let end = start + (VECTORS * kernel.lanes + near.reach) as isize;
        let (from, to) = (start.max(0), end.min(job.source[1] as isize));
        if from >= to {
            return;
        }
        for (ky, line) in self.lines(y) {
            let source = job.x.ptr.wrapping_offset(n as isize * image + line * row + from);
            let place = ky * job.channels * near.channel + (from - start) as usize;
            let width = (to - from) as usize;
            // SAFETY: pixels of the image's row, and their places.
            unsafe {
                (kernel.copy)(source, channel, width, job.channels, near.ptr.wrapping_add(place), near.channel);
            }
        }
    }

    /// The pixels of row `y` of image `n` from column `first` on.
    ///
    /// # Safety
    /// As [`convolve`]; what they read must be copied, and the filters packed.
    unsafe fn strip(
        &self,
        y: usize,
        n: usize,
        first: usize,
        (near, taps): (Option<&Near<T>>, &[Tap]),
        filters: *mut T,
    ) {
        let Self { job, kernel, part, .. } = self;
        let [image, channel, row, _] = job.y.strides;
        let width = (part.cols.end - first).min(VECTORS * kernel.lanes);
        let place = n as isize * image + part.outputs.start as isize * channel + y as isize * row + first as isize;
        let (b, b_depth) = match near {
            Some(near) => (near.ptr.cast_const(), near.channel as isize),
            None => {
                let image = job.x.ptr.wrapping_offset(n as isize * job.x.strides[0]);
                (image.wrapping_add(first), job.x.strides[1])
            }
        };
        let mut tile = Scanline {
            a: filters.cast_const(),
            b,
            b_depth,
            channels: job.channels,
            taps,
            beta: job.beta,
            c: job.y.ptr.wrapping_offset(place),
            c_row: channel,
            first,
            width,
        };
        let kernels = kernel.scan[width.div_ceil(kernel.lanes) - 1];
        for height in self.heights() {
            // SAFETY: passed on from the caller.
            unsafe { kernels[height - 1](&tile) };
            tile.a = tile.a.wrapping_add(height * job.taps() * job.channels);
            tile.c = tile.c.wrapping_offset(height as isize * channel);
        }
    }
}
