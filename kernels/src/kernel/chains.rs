//! Multiply-adds that touch no memory, for the machine's peak.

use super::MAX_SIDE;
use crate::Real;
use crate::simd::Simd;

/// `N` independent chains of multiply-adds, `rounds` long: enough of them to hide the latency, few enough to stay in
/// registers. Returns a sum, so that nothing is optimised away, and the multiply-adds of a round.
#[inline(always)]
pub(crate) fn chains<T: Real, S: Simd<T>, const N: usize>(s: S, rounds: usize) -> (T, usize) {
    let factor = s.splat(T::from_f64(std::hint::black_box(0.5)));
    let addend = s.splat(T::from_f64(std::hint::black_box(0.25)));
    let mut acc = [addend; N];
    for _ in 0..rounds {
        for v in &mut acc {
            *v = s.mul_add(*v, factor, addend);
        }
    }
    let mut lanes = [T::ZERO; MAX_SIDE];
    let mut sum = T::ZERO;
    for v in acc {
        // SAFETY: the buffer is longer than the longest vector.
        unsafe { s.store(lanes.as_mut_ptr(), v) };
        sum += lanes[0];
    }
    (sum, N * S::LANES)
}
