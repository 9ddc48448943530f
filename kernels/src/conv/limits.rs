//! How much of a convolution a block holds: a pure function of its geometry and the caches.

use super::Convolution;
use super::stretch::Stretch;
use crate::Real;
use crate::block::{Blocks, round_up};
use crate::cache::{Caches, PAGE};
use crate::cut::heights;
use crate::kernel::Kernel;
use crate::kernel::gather::ROWS;

/// Vectors across a strip of filters.
pub(super) const VECTORS: usize = 2;
/// Elements between pixels that would do so.
const PAD: usize = 16;
/// Rows of a tile from which its chains hide the latency of a multiply-add.
pub(super) const FULL_ROWS: usize = 4;
/// What reading a tile of y and writing it back costs, in multiply-adds of a row.
const VISIT: usize = 500;

/// The most that a block holds. It changes no bit of a result.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Pixels of the images.
    pub(super) pixels: usize,
    /// Filters, a multiple of a strip.
    pub(super) outputs: usize,
    /// Columns of a strip.
    pub(super) strip: usize,
    /// Taps.
    pub(super) taps: usize,
    /// Channels of a tap, all of them where there are several taps.
    pub(super) channels: usize,
    /// Outputs that meet one strip after the other.
    pub(super) near: usize,
    /// See [`Convolution::is_tap_by_tap`].
    pub(super) tap_by_tap: bool,
}

impl Limits {
    pub(super) fn new<T: Real>(job: &Convolution<'_, T>, kernel: &Kernel<T>, blocks: Option<Blocks>) -> Self {
        let strip = VECTORS * kernel.lanes;
        let Caches { l2, l3, .. } = Caches::of_this_core();
        let filters = l2 * 5 / 8 / size_of::<T>();
        let tap_by_tap = job.is_tap_by_tap();
        // Tap by tap, only one of them need be near.
        let panel = if tap_by_tap { l3.max(2 * l2) / 16 / size_of::<T>() } else { filters };
        let (pixels, depth) = match blocks {
            Some(blocks) => (blocks.mc, blocks.kc),
            None => (l3.max(2 * l2) / 8 / (size_of::<T>() * job.pixel()), panel / strip),
        };
        let taps = (depth / job.channels).clamp(1, job.taps());
        let channels = if taps > 1 { job.channels } else { job.channels.min(depth.max(1)) };
        let outputs = blocks.map_or(filters / (taps * channels), |blocks| blocks.nc);
        Self {
            pixels: pixels.max(1),
            outputs: ((outputs / strip).max(1) * strip).min(round_up(job.outputs.max(1), strip)),
            strip,
            taps,
            channels,
            near: (l2 / 8 / (size_of::<T>() * job.pixel()) / ROWS).max(4) * ROWS,
            tap_by_tap: taps == 1 || tap_by_tap,
        }
    }
}

impl<T: Real> Convolution<'_, T> {
    pub(super) fn taps(&self) -> usize {
        self.taps[0] * self.taps[1]
    }

    /// About how long it takes on one thread.
    pub(super) fn nanoseconds(&self) -> usize {
        let madds = [self.images, self.outputs, self.channels, self.taps(), self.target[0], self.target[1]];
        madds.into_iter().fold(1, usize::saturating_mul) / 200 * size_of::<T>()
    }

    /// Whether pixels that have one tap in common should meet that tap together, rather than pixels that have all of their
    /// taps in common all of those: where images are small and few, the latter leave many rows of the tiles idle.
    fn is_tap_by_tap(&self) -> bool {
        let [vertical, horizontal] = &self.stretches;
        let cost = |pixels: usize, taps: usize, once: usize| {
            let tiles = heights(pixels, ROWS).into_iter().filter(|&(height, _)| height > 0);
            let each = |height: usize| taps * self.channels * height.max(FULL_ROWS) + once;
            tiles.map(|(height, tiles)| tiles * each(height)).sum::<usize>()
        };
        let pixels = |v: usize, h: usize| self.images * v * h;
        let together: usize = vertical
            .iter()
            .flat_map(|v| horizontal.iter().map(move |h| cost(pixels(v.count, h.count), v.taps * h.taps, VISIT / 2)))
            .sum();
        let having = |stretches: &[Stretch], tap: usize| -> usize {
            stretches.iter().filter(|stretch| stretch.position(tap).is_some()).map(|stretch| stretch.count).sum()
        };
        let tap_by_tap: usize = (0..self.taps[0])
            .flat_map(|ky| (0..self.taps[1]).map(move |kx| (ky, kx)))
            .map(|(ky, kx)| cost(pixels(having(vertical, ky), having(horizontal, kx)), 1, VISIT))
            .sum();
        tap_by_tap < together
    }

    /// Elements from a pixel of a block to the next.
    pub(super) fn pixel(&self) -> usize {
        let aliased = (self.channels * size_of::<T>()).is_multiple_of(PAGE);
        self.channels + if aliased { PAD } else { 0 }
    }
}
