//! The gradient to the filters of kernels with several taps.
//!
//! The gradient's chains run over the pixels, image by image and row by row. A block of pixels of dy is packed with its
//! channels on the lanes; the images stay where they are, since the tiles' rows are channels of x, whose pixels are read
//! one by one along each row, a tap's distance away.

use std::ops::Range;

use super::stretch::Stretch;
use super::{FilterGradient, Layout};
use crate::block::Blocks;
use crate::cache::Caches;
use crate::cut::heights;
use crate::gemm::Parallelism;
use crate::kernel::Kernel;
use crate::kernel::gather::{Gather, Piece, ROWS};
use crate::pack::scale;
use crate::scratch::with_scratch;
use crate::{Real, team};

/// Vectors across a strip of dy's channels.
const VECTORS: usize = 2;

/// `job` on the threads of the current pool, if `parallelism` says so.
///
/// # Safety
/// As [`Convolution::run`](super::Convolution::run), of dw.
///
/// # Panics
/// If a block size is 0.
pub(super) unsafe fn gradient<T: Real>(
    job: &FilterGradient<T>,
    kernel: &'static Kernel<T>,
    blocks: Option<Blocks>,
    parallelism: Parallelism,
) {
    if job.channels == 0 || job.outputs == 0 {
        return;
    }
    let strip = VECTORS * kernel.lanes;
    let pixels = blocks.map_or(Caches::of_this_core().l2 / 4 / (strip * size_of::<T>()), |blocks| blocks.kc);
    assert!(pixels > 0, "conv: a block size is 0: {blocks:?}");
    let rows = (pixels / job.size[1].max(1)).max(1);
    let threads = if parallelism == Parallelism::Serial { 1 } else { rayon::current_num_threads() };
    let nanoseconds = job.nanoseconds();
    let strips = job.outputs.div_ceil(strip);
    let wanted = if threads == 1 { 1 } else { (nanoseconds / PART).clamp(1, 6 * threads) };
    // Each part packs its strip of dy, so channels of x are cut only where there are few strips.
    let across = wanted.div_ceil(strips.max(1)).min(job.channels.div_ceil(ROWS)).max(1);
    let channels = job.channels.div_ceil(across).next_multiple_of(ROWS);
    let across = job.channels.div_ceil(channels);
    let part = |index: usize| {
        let (output, channel) = (index / across * strip, index % across * channels);
        let part = Part {
            job,
            kernel,
            rows,
            output,
            width: strip.min(job.outputs - output),
            channels: channel..(channel + channels).min(job.channels),
        };
        // SAFETY: passed on from the caller; no two parts have a channel of both sides in common.
        unsafe { part.run() };
    };
    let parts = strips * across;
    if !team::share(if threads > 1 { parts } else { 1 }, nanoseconds, &part) {
        (0..parts).for_each(part);
    }
}

/// The least work, in nanoseconds, that is a part of its own.
const PART: usize = 20_000;

impl<T: Real> FilterGradient<T> {
    /// About how long it takes on one thread.
    fn nanoseconds(&self) -> usize {
        let taps: [usize; 2] = [0, 1].map(|dim| self.stretches[dim].iter().map(|stretch| stretch.count).sum());
        let madds = [self.images, self.outputs, self.channels, taps[0], taps[1], self.size[0], self.size[1]];
        madds.into_iter().fold(1, usize::saturating_mul) / 200 * size_of::<T>()
    }
}

/// A strip of dy's channels against some of x's.
struct Part<'a, T: 'static> {
    job: &'a FilterGradient<T>,
    kernel: &'static Kernel<T>,
    /// Rows of dy in a block.
    rows: usize,
    output: usize,
    width: usize,
    channels: Range<usize>,
}

impl<T: Real> Part<'_, T> {
    fn vectors(&self) -> usize {
        self.width.div_ceil(self.kernel.lanes)
    }

    fn span(&self) -> usize {
        self.vectors() * self.kernel.lanes
    }

    /// # Safety
    /// As [`gradient`], for this part.
    unsafe fn run(&self) {
        let [height, width] = self.job.size;
        let lines = self.job.images * height;
        let room = self.rows.min(lines) * width * self.span();
        with_scratch::<T, ()>([0, room], |[_, panel]| {
            let mut pieces = Vec::with_capacity(self.rows.min(lines));
            for first in (0..lines.max(1)).step_by(self.rows) {
                let block = first..(first + self.rows).min(lines);
                // SAFETY: the room holds the rows of a block; the rest is passed on.
                unsafe {
                    self.pack(block.clone(), panel);
                    for v in &self.job.stretches[0] {
                        for h in &self.job.stretches[1] {
                            self.taps((v, h), block.clone(), panel, &mut pieces);
                        }
                    }
                }
            }
        });
    }

    /// Packs the strip's channels of rows of dy, scaled.
    ///
    /// # Safety
    /// dy must be readable, and the room hold the rows.
    unsafe fn pack(&self, block: Range<usize>, mut panel: *mut T) {
        let Layout { ptr, strides: [image, channel, row, col] } = self.job.dy;
        let ([height, width], span) = (self.job.size, self.span());
        for line in block {
            let from = ptr.wrapping_offset(
                (line / height) as isize * image + (line % height) as isize * row + self.output as isize * channel,
            );
            // SAFETY: a row of dy, and its place in the room.
            unsafe {
                if self.width < span {
                    panel.write_bytes(0, width * span);
                }
                if col == 1 {
                    (self.kernel.transpose)(from, channel, self.width, width, panel, span);
                } else {
                    for (x, o) in (0..width).flat_map(|x| (0..self.width).map(move |o| (x, o))) {
                        *panel.add(x * span + o) = *from.offset(x as isize * col + o as isize * channel);
                    }
                }
                if self.job.alpha != T::ONE {
                    scale(std::slice::from_raw_parts_mut(panel, width * span), self.job.alpha);
                }
            }
            panel = panel.wrapping_add(width * span);
        }
    }

    /// Adds a block of pixels to taps that reach the same outputs.
    ///
    /// # Safety
    /// The room must hold the block; the rest as [`gradient`], for this part.
    unsafe fn taps(&self, (v, h): (&Stretch, &Stretch), block: Range<usize>, panel: *mut T, pieces: &mut Vec<Piece>) {
        let (xs, ws) = (self.job.x.strides, self.job.dw.strides);
        self.pieces((v, h), block.clone(), pieces);
        let beta = if block.start == 0 { self.job.beta } else { T::ONE };
        if pieces.is_empty() && block.start > 0 {
            return;
        }
        let kernels = self.kernel.gather[self.vectors() - 1];
        let mut channel = self.channels.start;
        for (count, tiles) in heights(self.channels.len(), ROWS) {
            for _ in 0..tiles {
                let rows = |stride: isize| std::array::from_fn(|i| (channel + i) as isize * stride);
                for (ky, kx) in (0..v.count).flat_map(|ky| (0..h.count).map(move |kx| (ky, kx))) {
                    let a = (v.source + ky as isize * v.source_step) * xs[2]
                        + (h.source + kx as isize * h.source_step) * xs[3];
                    let (ky, kx) = ((v.first + ky * v.step) as isize, (h.first + kx * h.step) as isize);
                    let tile = Gather {
                        a: self.job.x.ptr.wrapping_offset(a),
                        a_rows: rows(xs[1]),
                        a_depth: h.source_tap_step * xs[3],
                        b: panel.cast_const(),
                        pieces,
                        beta,
                        c: self.job.dw.ptr.wrapping_offset(self.output as isize * ws[0] + ky * ws[2] + kx * ws[3]),
                        c_rows: rows(ws[1]),
                        c_lane: ws[0],
                        lanes: self.width,
                    };
                    // SAFETY: the pieces are pixels of the block whose taps lie in the images; the weights are this
                    // part's.
                    unsafe { kernels[count - 1](&tile) };
                }
                channel += count;
            }
        }
    }

    /// The pixels of a block that these taps reach, row by row.
    fn pieces(&self, (v, h): (&Stretch, &Stretch), block: Range<usize>, pieces: &mut Vec<Piece>) {
        pieces.clear();
        let (xs, [height, width]) = (self.job.x.strides, self.job.size);
        if h.taps == 0 {
            return;
        }
        let depth = h.source_tap_step * xs[3];
        for line in block.clone() {
            let (n, y) = (line / height, line % height);
            let Some(t) = y.checked_sub(v.tap).filter(|&t| t < v.taps) else { continue };
            let a = n as isize * xs[0] + t as isize * v.source_tap_step * xs[2];
            let b = (line - block.start) * width + h.tap;
            match pieces.last_mut() {
                Some(last) if last.a + last.len as isize * depth == a && last.b + last.len == b => {
                    last.len += h.taps;
                }
                _ => pieces.push(Piece { a, b, len: h.taps }),
            }
        }
    }
}
