//! Filters in a panel: for each tap, for each channel, an element of each.

use std::ops::Range;

use super::{Convolution, Layout};
use crate::Real;
use crate::kernel::{Kernel, prefetch};
use crate::pack::{Taps, scale};

/// How many channels before its turn a panel's filters are asked for.
const CHANNELS_AHEAD: isize = 8;
/// Elements of a filter that are read at once.
const RUN_OF_FILTER: usize = 256;

/// The part of the chains that a panel has: taps and channels of x from the first on, and how many.
#[derive(Clone, Copy)]
pub(super) struct Depth {
    pub(super) tap: usize,
    pub(super) taps: usize,
    pub(super) channel: usize,
    pub(super) channels: usize,
}

impl<T: Real> Convolution<'_, T> {
    /// Packs the filters of some channels of y, scaled; each row of the panel has `span` elements, of which those beyond the
    /// filters are 0.
    ///
    /// # Safety
    /// The filters must be readable, and the panel have a row for each tap and channel.
    pub(super) unsafe fn pack(
        &self,
        kernel: &Kernel<T>,
        outputs: Range<usize>,
        depth: Depth,
        (panel, span): (*mut T, usize),
    ) {
        let elements = depth.taps * depth.channels * span;
        // SAFETY: passed on from the caller.
        unsafe {
            if outputs.len() < span {
                panel.write_bytes(0, elements);
            }
            self.pack_as_is(kernel, outputs, depth, (panel, span));
            if self.alpha != T::ONE {
                scale(std::slice::from_raw_parts_mut(panel, elements), self.alpha);
            }
        }
    }

    /// # Safety
    /// As [`Convolution::pack`].
    unsafe fn pack_as_is(
        &self,
        kernel: &Kernel<T>,
        outputs: Range<usize>,
        depth: Depth,
        (panel, span): (*mut T, usize),
    ) {
        let Layout { ptr, strides: [output, channel, row, col] } = self.w;
        let (cols, taps, width) = (self.taps[1], self.taps(), outputs.len());
        let filters = ptr.wrapping_offset(outputs.start as isize * output + depth.channel as isize * channel);
        let dense = col == 1 && (row == cols as isize || self.taps[0] == 1);
        // From a tap's rows to the next.
        let tap = depth.channels * span;
        // SAFETY: filters, and their places in the panel.
        unsafe {
            if dense && channel == taps as isize {
                // Filters that lie a page apart would push one another out of the cache between a channel and the next.
                let most = (RUN_OF_FILTER / taps).max(1);
                for c in (0..depth.channels).step_by(most) {
                    let count = most.min(depth.channels - c);
                    let from = filters.wrapping_add(c * taps);
                    for o in 0..width {
                        prefetch(from.wrapping_offset(o as isize * output).wrapping_add(most * taps), count * taps);
                    }
                    let order = Taps { taps, first: depth.tap, keep: depth.taps, tap, row: span };
                    (kernel.sort)((from, output), (width, count), order, panel.add(c * span));
                }
                return;
            }
            for c in 0..depth.channels {
                let (from, to) = (filters.wrapping_offset(c as isize * channel), panel.add(c * span));
                if dense {
                    // Those of the channels after it lie far away.
                    if output == taps as isize {
                        let later = from.wrapping_offset(CHANNELS_AHEAD * channel);
                        prefetch(later.wrapping_add(depth.tap), width * taps);
                    }
                    (kernel.transpose)(from.add(depth.tap), output, width, depth.taps, to, tap);
                    continue;
                }
                for (t, o) in (0..depth.taps).flat_map(|t| (0..width).map(move |o| (t, o))) {
                    let (ky, kx) = ((depth.tap + t) / cols, (depth.tap + t) % cols);
                    let from = from.offset(ky as isize * row + kx as isize * col + o as isize * output);
                    *to.add(t * tap + o) = *from;
                }
            }
        }
    }
}
