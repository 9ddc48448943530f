//! What each sample asks of the rows of a layer's weights.

use std::ops::Range;

use super::in_pieces;
use crate::dispatch::vectorize;
use crate::kernel::Kernel;
use crate::simd::Vectorized;
use crate::{Isa, MatMut, Parallelism, Real};

/// Backward, before its product: the slopes in `deltas` become derivatives of each sample's output, `delta <- delta upstream`, and
/// `moves`, `n x m`, what the rows of W move by: `alpha (residual delta)`. Both slices are `n x m`, row-major; there is a residual for each
/// sample.
///
/// # Panics
/// If the shapes disagree.
pub fn moves<T: Real>(
    deltas: &mut [T],
    upstream: &[T],
    (residuals, alpha): (&[T], T),
    mut moves: MatMut<'_, T>,
    parallelism: Parallelism,
) {
    let (n, m) = (moves.rows(), moves.cols());
    let lens = [deltas.len(), upstream.len(), residuals.len()];
    assert!(lens == [n * m, n * m, n], "dense: slopes, upstreams and residuals of {lens:?} elements for {n}x{m} moves");
    let strides = (moves.row_stride(), moves.col_stride());
    let (kernel, to) = (T::active_kernel(), moves.as_mut_ptr());
    let all = Moving { kernel, m, deltas: deltas.as_mut_ptr(), upstream, residuals, alpha, to, strides };
    in_pieces((n, SAMPLES), n * m, parallelism, &|samples| vectorize(Isa::active(), Piece { all: &all, samples }));
}

/// Samples that are moved on together, and channels: a square of the transpose, and as many more as make long streams.
const SAMPLES: usize = 16;
const CHANNELS: usize = 128;

/// What [`moves`] is given.
struct Moving<'a, T: 'static> {
    kernel: &'static Kernel<T>,
    m: usize,
    deltas: *mut T,
    upstream: &'a [T],
    residuals: &'a [T],
    alpha: T,
    to: *mut T,
    strides: (usize, usize),
}

// SAFETY: threads write the places of disjoint samples.
unsafe impl<T: Sync> Sync for Moving<'_, T> {}

/// Some samples of it, compiled for each instruction set.
struct Piece<'a, T: 'static> {
    all: &'a Moving<'a, T>,
    samples: Range<usize>,
}

impl<T: Real> Vectorized for Piece<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { all, samples: Range { start, end } } = self;
        let &Moving { kernel, m, upstream, residuals, alpha, to, strides: (sample, channel), .. } = all;
        let mut room = [T::ZERO; SAMPLES * CHANNELS];
        for i in (start..end).step_by(SAMPLES) {
            let samples = SAMPLES.min(end - i);
            for r in (0..m).step_by(CHANNELS) {
                let channels = CHANNELS.min(m - r);
                for ((s, &residual), room) in (i..i + samples).zip(&residuals[i..]).zip(room.chunks_mut(CHANNELS)) {
                    // SAFETY: these channels of a sample of this piece, which nobody else refers to.
                    let deltas = unsafe { std::slice::from_raw_parts_mut(all.deltas.add(s * m + r), channels) };
                    for ((delta, &upstream), moved) in deltas.iter_mut().zip(&upstream[s * m + r..]).zip(room) {
                        *delta = *delta * upstream;
                        *moved = alpha * (residual * *delta);
                    }
                }
                let (from, to) = (room.as_ptr(), to.wrapping_add(i * sample + r * channel));
                // SAFETY: the room holds so many samples of so many channels, and the view their places, which are nobody else's.
                unsafe {
                    match (sample, channel) {
                        (_, 1) => (kernel.copy)(from, CHANNELS as isize, channels, samples, to, sample),
                        (1, _) => (kernel.transpose)(from, CHANNELS as isize, samples, channels, to, channel),
                        _ => {
                            for (s, c) in (0..samples).flat_map(|s| (0..channels).map(move |c| (s, c))) {
                                *to.add(s * sample + c * channel) = *from.add(s * CHANNELS + c);
                            }
                        }
                    }
                }
            }
        }
    }
}
