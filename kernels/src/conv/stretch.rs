//! Coordinates that share their taps.
//!
//! Outputs whose taps all fall inside the image form rectangles (for a 3x3 kernel with padding 1: the inside, four sides
//! and four corners). Within a rectangle everything is a nest of strides.

use std::ops::Range;

use super::ConvGeometry;

/// Coordinates along one dimension that share their taps: `first + i * step`, with taps `tap + t * tap_step`, reading
/// `source + i * source_step + t * source_tap_step`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    pub(super) tap: usize,
    pub(super) tap_step: usize,
    pub(super) taps: usize,
    pub(super) source: isize,
    pub(super) source_step: isize,
    pub(super) source_tap_step: isize,
}

impl Stretch {
    /// Which of its taps tap `tap` of the kernel is, if it is one.
    pub(super) fn position(&self, tap: usize) -> Option<usize> {
        let distance = tap.checked_sub(self.tap)?;
        let position = distance / self.tap_step;
        (distance.is_multiple_of(self.tap_step) && position < self.taps).then_some(position)
    }

    /// Which of its coordinates lie in `range`.
    pub(super) fn within(&self, range: &Range<usize>) -> Range<usize> {
        let before = |end: usize| end.saturating_sub(self.first).div_ceil(self.step).min(self.count);
        before(range.start)..before(range.end)
    }
}

/// The stretches that have coordinates in `range`, each with which these are.
pub(super) fn within<'a>(
    stretches: &'a [Stretch],
    range: &'a Range<usize>,
) -> impl Iterator<Item = (&'a Stretch, Range<usize>)> {
    stretches.iter().map(|stretch| (stretch, stretch.within(range))).filter(|(_, within)| !within.is_empty())
}

/// Cuts `coords` coordinates into stretches, where coordinate i and tap t (of `taps`) read
/// `source + i * source_step + t * source_tap_step` if that lies in `0..len`.
fn stretches(
    coords: usize,
    taps: usize,
    (source, source_step, source_tap_step): (isize, isize, isize),
    len: usize,
) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    for i in 0..coords {
        let position = |t: usize| source + i as isize * source_step + t as isize * source_tap_step;
        let inside = |t: &usize| (0..len as isize).contains(&position(*t));
        let tap = (0..taps).find(inside).unwrap_or(0);
        let taps = (tap..taps).take_while(inside).count();
        match all.last_mut() {
            Some(last) if last.tap == tap && last.taps == taps => last.count += 1,
            _ => all.push(Stretch {
                first: i,
                step: 1,
                count: 1,
                tap,
                tap_step: 1,
                taps,
                source: position(tap),
                source_step,
                source_tap_step,
            }),
        }
    }
    all
}

/// Outputs of a convolution along one dimension, by the taps that they share.
pub(super) fn output_stretches(geometry: &ConvGeometry, dim: usize, inputs: usize, outputs: usize) -> Vec<Stretch> {
    let [stride, dilation, padding] = steps_of(geometry, dim);
    stretches(outputs, geometry.kernel[dim], (-padding, stride, dilation), inputs)
}

/// Taps of a convolution along one dimension, by the outputs that they reach: the roles of the above exchanged.
pub(super) fn tap_stretches(geometry: &ConvGeometry, dim: usize, inputs: usize, outputs: usize) -> Vec<Stretch> {
    let [stride, dilation, padding] = steps_of(geometry, dim);
    stretches(geometry.kernel[dim], outputs, (-padding, dilation, stride), inputs)
}

/// Inputs of a convolution along one dimension, by the taps through which outputs read them. Inputs that differ by
/// the stride see the same taps, so each residue has stretches of its own.
pub(super) fn input_stretches(geometry: &ConvGeometry, dim: usize, inputs: usize, outputs: usize) -> Vec<Stretch> {
    let (stride, dilation, padding) = (geometry.stride[dim], geometry.dilation[dim], geometry.padding[dim]);
    let mut all = Vec::new();
    for first in 0..stride.min(inputs) {
        let coords = (inputs - first).div_ceil(stride);
        // Tap k reads a whole output where first + padding - k dilation is a multiple of the stride: every tap_step-th.
        let hits = |k: &usize| (first + padding) % stride == k * dilation % stride;
        let mut taps = (0..geometry.kernel[dim]).filter(hits);
        let (tap, next, others) = (taps.next(), taps.next(), taps.count());
        let count = usize::from(tap.is_some()) + usize::from(next.is_some()) + others;
        let tap = tap.unwrap_or(0);
        let tap_step = next.map_or(1, |next| next - tap);
        let stride = stride as isize;
        let source = ((first + padding) as isize - (tap * dilation) as isize).div_euclid(stride);
        let source_tap_step = -((tap_step * dilation) as isize).div_euclid(stride);
        for s in stretches(coords, count, (source, 1, source_tap_step), outputs) {
            all.push(Stretch {
                first: first + s.first * geometry.stride[dim],
                step: geometry.stride[dim],
                tap: tap + s.tap * tap_step,
                tap_step,
                ..s
            });
        }
    }
    all
}

fn steps_of(geometry: &ConvGeometry, dim: usize) -> [isize; 3] {
    [geometry.stride[dim], geometry.dilation[dim], geometry.padding[dim]].map(|x| x as isize)
}
