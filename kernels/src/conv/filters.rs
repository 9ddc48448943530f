//! The gradient to the filters of kernels with several taps.
//!
//! The gradient's chains run over the pixels, image by image and row by row. A block of pixels of dy is packed with its
//! channels on the lanes; the images stay where they are, since the tiles' rows are channels of x, whose pixels are read
//! one by one along each row, a tap's distance away.

use std::ops::Range;

use super::grid::{each_part, threads, wanted};
use super::limits::VECTORS;
use super::stretch::Stretch;
use super::{FilterGradient, Layout};
use crate::Real;
use crate::block::Blocks;
use crate::cache::Caches;
use crate::cut::heights;
use crate::gemm::Parallelism;
use crate::kernel::Kernel;
use crate::kernel::gather::{Gather, Piece, ROWS};
use crate::pack::scale;
use crate::scratch::{size, with_scratch};

/// `job` on the threads of the current pool, if `parallelism` says so.
///
/// # Safety
/// As [`Convolution::run`](super::Convolution::run), of dw.
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
    let (rows, cols) = ((pixels / job.size[1].max(1)).max(1), job.size[1].min(pixels).max(1));
    let threads = threads(parallelism);
    let nanoseconds = job.nanoseconds();
    let strips = job.outputs.div_ceil(strip);
    // Each part packs its strip of dy, so channels of x are cut only where there are few strips.
    let across = wanted(nanoseconds, threads).div_ceil(strips.max(1)).min(job.channels.div_ceil(ROWS)).max(1);
    let channels = job.channels.div_ceil(across).next_multiple_of(ROWS);
    let across = job.channels.div_ceil(channels);
    let part = |index: usize| {
        let (output, channel) = (index / across * strip, index % across * channels);
        let part = Part {
            job,
            kernel,
            rows,
            cols,
            output,
            width: strip.min(job.outputs - output),
            channels: channel..(channel + channels).min(job.channels),
        };
        // SAFETY: passed on from the caller; no two parts have a channel of both sides in common.
        unsafe { part.run() };
    };
    each_part(strips * across, threads, nanoseconds, &part);
}

impl<T: Real> FilterGradient<T> {
    fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// About how long it takes on one thread.
    fn nanoseconds(&self) -> usize {
        let madds = [self.images, self.outputs, self.channels, self.taps(), self.size[0], self.size[1]];
        madds.into_iter().fold(1, usize::saturating_mul) / 200 * size_of::<T>()
    }
}

/// A strip of dy's channels against some of x's.
struct Part<'a, T: 'static> {
    job: &'a FilterGradient<T>,
    kernel: &'static Kernel<T>,
    /// Rows of dy in a block, and columns: fewer than all of them only of a single row.
    rows: usize,
    cols: usize,
    output: usize,
    width: usize,
    channels: Range<usize>,
}

/// Pixels of dy: rows, counted through all images, and columns.
#[derive(Clone)]
struct Block {
    lines: Range<usize>,
    cols: Range<usize>,
}

/// Taps that reach the same outputs, and where their pieces of the chains are in the list of all.
struct Reach<'a> {
    vertical: &'a Stretch,
    horizontal: &'a Stretch,
    pieces: Range<usize>,
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
        let panel = size(&[self.rows.min(lines), self.cols.min(width), self.span()]);
        let tiles = size(&[ROWS, self.job.taps(), self.span()]);
        with_scratch::<T, ()>([tiles, panel], |[tiles, panel]| {
            let (mut pieces, mut reaches) = (Vec::new(), Vec::new());
            let firsts = (0..lines.max(1)).step_by(self.rows);
            for (line, col) in firsts.flat_map(|line| (0..width.max(1)).step_by(self.cols).map(move |col| (line, col)))
            {
                let lines = line..(line + self.rows).min(lines);
                let block = Block { lines, cols: col..(col + self.cols).min(width) };
                self.reaches(&block, &mut reaches, &mut pieces);
                let beta = if (line, col) == (0, 0) { self.job.beta } else { T::ONE };
                // SAFETY: the rooms hold the rows of a block, and all taps of a tile's channels; the rest is passed on.
                unsafe {
                    self.pack(block, panel);
                    let mut channel = self.channels.start;
                    for (count, times) in heights(self.channels.len(), ROWS) {
                        for _ in 0..times {
                            self.channels((channel, count), (&reaches, &pieces), (panel, tiles), beta);
                            channel += count;
                        }
                    }
                }
            }
        });
    }

    /// Packs the strip's channels of a block of dy, scaled.
    ///
    /// # Safety
    /// dy must be readable, and the room hold the block.
    unsafe fn pack(&self, block: Block, mut panel: *mut T) {
        let Layout { ptr, strides: [image, channel, row, col] } = self.job.dy;
        let (height, width, span) = (self.job.size[0], block.cols.len(), self.span());
        let first = self.output as isize * channel + block.cols.start as isize * col;
        for line in block.lines {
            let from = ptr.wrapping_offset((line / height) as isize * image + (line % height) as isize * row + first);
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

    /// Adds a block of pixels to all taps of `count` channels of x, in a copy of these weights.
    ///
    /// # Safety
    /// The rooms must hold the block and the weights; the rest as [`gradient`], for this part.
    unsafe fn channels(
        &self,
        (channel, count): (usize, usize),
        (reaches, pieces): (&[Reach<'_>], &[Piece]),
        (panel, tiles): (*const T, *mut T),
        beta: T,
    ) {
        let (xs, taps, span) = (self.job.x.strides, self.job.taps(), self.span());
        if beta != T::ZERO {
            // SAFETY: the weights are this part's, and the room holds them.
            unsafe { self.read((channel, count), tiles) };
        }
        let x = self.job.x.ptr.wrapping_offset(channel as isize * xs[1]);
        let kernel = self.kernel.gather[self.vectors() - 1][count - 1];
        for reach in reaches {
            let (v, h) = (reach.vertical, reach.horizontal);
            for (ky, kx) in (0..v.count).flat_map(|ky| (0..h.count).map(move |kx| (ky, kx))) {
                let row = v.source + ky as isize * v.source_step;
                let col = h.source + kx as isize * h.source_step;
                let tap = (v.first + ky * v.step) * self.job.kernel[1] + h.first + kx * h.step;
                let tile = Gather {
                    a: x.wrapping_offset(row * xs[2] + col * xs[3]),
                    a_rows: std::array::from_fn(|i| i as isize * xs[1]),
                    a_depth: h.source_tap_step * xs[3],
                    b: panel,
                    pieces: &pieces[reach.pieces.clone()],
                    beta,
                    c: tiles.wrapping_add(tap * span),
                    c_rows: std::array::from_fn(|i| (i * taps * span) as isize),
                    c_lane: 1,
                    lanes: span,
                };
                // SAFETY: the pieces are pixels of the block whose taps lie in the images.
                unsafe { kernel(&tile) };
            }
        }
        // SAFETY: as for `read`; all taps have been written.
        unsafe { self.write((channel, count), tiles) };
    }

    /// The weights of these channels, if each filter's lie side by side: where they start, and from a filter to the next.
    fn dense(&self, channel: usize) -> Option<(*mut T, isize)> {
        let [output, input, row, col] = self.job.dw.strides;
        let [rows, cols] = self.job.kernel;
        let dense = col == 1 && (row == cols as isize || rows == 1) && input == (rows * cols) as isize;
        dense.then(|| (self.weight(channel, 0, 0), output))
    }

    fn weight(&self, channel: usize, tap: usize, lane: usize) -> *mut T {
        let [output, input, row, col] = self.job.dw.strides;
        let (ky, kx) = (tap / self.job.kernel[1], tap % self.job.kernel[1]);
        let filter = (self.output + lane) as isize * output + channel as isize * input;
        self.job.dw.ptr.wrapping_offset(filter + ky as isize * row + kx as isize * col)
    }

    /// Copies weights into the room: for each channel and tap, the lanes of the strip; 0 beyond them.
    ///
    /// # Safety
    /// The weights must be readable and the room hold them.
    unsafe fn read(&self, (channel, count): (usize, usize), tiles: *mut T) {
        let (taps, span) = (self.job.taps(), self.span());
        // SAFETY: passed on from the caller.
        unsafe {
            if self.width < span {
                tiles.write_bytes(0, count * taps * span);
            }
            if let Some((from, output)) = self.dense(channel) {
                return (self.kernel.transpose)(from, output, self.width, count * taps, tiles, span);
            }
            for (i, o) in (0..count * taps).flat_map(|i| (0..self.width).map(move |o| (i, o))) {
                *tiles.add(i * span + o) = *self.weight(channel + i / taps, i % taps, o);
            }
        }
    }

    /// Copies weights back.
    ///
    /// # Safety
    /// The weights must be writable and the room hold them.
    unsafe fn write(&self, (channel, count): (usize, usize), tiles: *const T) {
        let (taps, span) = (self.job.taps(), self.span());
        // SAFETY: passed on from the caller.
        unsafe {
            if let Some((to, output)) = self.dense(channel)
                && output >= 0
            {
                return (self.kernel.transpose)(tiles, span as isize, count * taps, self.width, to, output as usize);
            }
            for (i, o) in (0..count * taps).flat_map(|i| (0..self.width).map(move |o| (i, o))) {
                *self.weight(channel + i / taps, i % taps, o) = *tiles.add(i * span + o);
            }
        }
    }

    /// The pixels of a block that each tap reaches, row by row.
    fn reaches<'b>(&'b self, block: &Block, reaches: &mut Vec<Reach<'b>>, pieces: &mut Vec<Piece>) {
        reaches.clear();
        pieces.clear();
        let [vertical, horizontal] = &self.job.stretches;
        for (v, h) in vertical.iter().flat_map(|v| horizontal.iter().map(move |h| (v, h))) {
            let first = pieces.len();
            self.pieces((v, h), block, pieces);
            reaches.push(Reach { vertical: v, horizontal: h, pieces: first..pieces.len() });
        }
    }

    /// Those that the taps of one stretch each way reach.
    fn pieces(&self, (v, h): (&Stretch, &Stretch), Block { lines, cols }: &Block, pieces: &mut Vec<Piece>) {
        let (xs, height) = (self.job.x.strides, self.job.size[0]);
        let reached = h.tap.max(cols.start)..(h.tap + h.taps).min(cols.end);
        if reached.is_empty() {
            return;
        }
        let first = pieces.len();
        let depth = h.source_tap_step * xs[3];
        for line in lines.clone() {
            let (n, y) = (line / height, line % height);
            let Some(t) = y.checked_sub(v.tap).filter(|&t| t < v.taps) else { continue };
            let row = n as isize * xs[0] + t as isize * v.source_tap_step * xs[2];
            let a = row + (reached.start - h.tap) as isize * depth;
            let b = (line - lines.start) * cols.len() + reached.start - cols.start;
            match pieces[first..].last_mut() {
                Some(last) if last.a + last.len as isize * depth == a && last.b + last.len == b => {
                    last.len += reached.len();
                }
                _ => pieces.push(Piece { a, b, len: reached.len() }),
            }
        }
    }
}
