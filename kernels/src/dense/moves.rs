//! What each sample asks of the rows of a layer's weights.

use crate::dispatch::vectorize;
use crate::kernel::Kernel;
use crate::simd::Vectorized;
use crate::{Isa, MatMut, Real};

/// Backward, before its product: the slopes in `deltas` become derivatives of each sample's output, `delta <- delta upstream`, and
/// `moves`, `n x m`, what the rows of W move by: `alpha (residual delta)`. Both slices are `n x m`, row-major; there is a residual for each
/// sample.
///
/// # Panics
/// If the shapes disagree.
pub fn moves<T: Real>(deltas: &mut [T], upstream: &[T], residuals: &[T], alpha: T, mut moves: MatMut<'_, T>) {
    let (n, m) = (moves.rows(), moves.cols());
    let lens = [deltas.len(), upstream.len(), residuals.len()];
    assert!(lens == [n * m, n * m, n], "dense: slopes, upstreams and residuals of {lens:?} elements for {n}x{m} moves");
    let strides = (moves.row_stride(), moves.col_stride());
    let (kernel, to) = (T::active_kernel(), moves.as_mut_ptr());
    vectorize(Isa::active(), Moving { kernel, m, deltas, upstream, residuals, alpha, to, strides });
}

/// Samples that are moved on together, and channels: as few streams as the hardware follows, and whole lines to write.
const SAMPLES: usize = 8;
const CHANNELS: usize = 64;

/// [`moves`], compiled for each instruction set.
struct Moving<'a, T: 'static> {
    kernel: &'static Kernel<T>,
    m: usize,
    deltas: &'a mut [T],
    upstream: &'a [T],
    residuals: &'a [T],
    alpha: T,
    to: *mut T,
    strides: (usize, usize),
}

impl<T: Real> Vectorized for Moving<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { kernel, m, deltas, upstream, residuals, alpha, to, strides: (sample, channel) } = self;
        let mut room = [T::ZERO; SAMPLES * CHANNELS];
        for i in (0..residuals.len()).step_by(SAMPLES) {
            let samples = SAMPLES.min(residuals.len() - i);
            for r in (0..m).step_by(CHANNELS) {
                let channels = CHANNELS.min(m - r);
                for ((s, &residual), room) in (i..i + samples).zip(&residuals[i..]).zip(room.chunks_mut(CHANNELS)) {
                    let (start, end) = (s * m + r, s * m + r + channels);
                    let deltas = deltas[start..end].iter_mut().zip(&upstream[start..end]);
                    for ((delta, &upstream), moved) in deltas.zip(room) {
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
