//! Counter-based standard normals: entry `index` of stream `stream` under a seed, alone or in any order, by any thread.
//!
//! Philox4x32-10 (Salmon, Moraes, Dror and Shaw, 2011) turns (seed, stream, index / 2) into 128 bits, and the Box-Muller
//! transform turns these into entries `index` (cosine) and `index + 1` (sine), in f64. An f32 entry is the f64 one rounded.

use crate::dispatch::vectorize;
use crate::elementary::{ln, sin_cos_turns};
use crate::simd::Vectorized;
use crate::{Isa, Real};

/// `output[i] <-` the standard normal at index `first + i` of a stream. Tails reach 8.57 standard deviations.
pub fn fill<T: Real>(seed: u64, stream: u64, first: u64, output: &mut [T]) {
    fill_with(Isa::active(), seed, stream, first, output);
}

/// [`fill`] with a chosen instruction set.
///
/// # Panics
/// When the CPU lacks the set.
pub fn fill_with<T: Real>(isa: Isa, seed: u64, stream: u64, first: u64, output: &mut [T]) {
    vectorize(isa, Fill { seed, stream, first, output });
}

/// The standard normal at `index` of a stream.
pub fn at<T: Real>(seed: u64, stream: u64, index: u64) -> T {
    T::from_f64(pair(seed, stream, index / 2)[(index % 2) as usize])
}

struct Fill<'a, T> {
    seed: u64,
    stream: u64,
    first: u64,
    output: &'a mut [T],
}

impl<T: Real> Vectorized for Fill<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { seed, stream, first, output } = self;
        // An odd start takes the second half of its pair.
        let (head, output) = output.split_at_mut((first as usize % 2).min(output.len()));
        if let [head] = head {
            *head = T::from_f64(pair(seed, stream, first / 2)[1]);
        }
        let block = first.div_ceil(2);
        let (pairs, last) = output.as_chunks_mut::<2>();
        let count = pairs.len() as u64;
        for (i, out) in pairs.iter_mut().enumerate() {
            *out = pair(seed, stream, block + i as u64).map(T::from_f64);
        }
        if let [last] = last {
            *last = T::from_f64(pair(seed, stream, block + count)[0]);
        }
    }
}

/// Entries `2 block` and `2 block + 1`.
#[inline(always)]
fn pair(seed: u64, stream: u64, block: u64) -> [f64; 2] {
    let [a, b, c, d] = philox(
        [block as u32, (block >> 32) as u32, stream as u32, (stream >> 32) as u32],
        [seed as u32, (seed >> 32) as u32],
    );
    // 52 bits each, centred in their cells: inside (0, 1), and exact.
    let unit = |low: u32, high: u32| {
        let bits = (u64::from(high) << 32 | u64::from(low)) >> 12;
        f64::from_bits(1.0f64.to_bits() | bits) - (1.0 - 0.5 * f64::EPSILON)
    };
    let radius = (-2.0 * ln(unit(a, b))).sqrt();
    let (sin, cos) = sin_cos_turns(unit(c, d));
    [radius * cos, radius * sin]
}

/// Philox4x32-10.
#[inline(always)]
fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let [mut x0, mut x1, mut x2, mut x3] = counter;
    let [mut k0, mut k1] = key;
    for _ in 0..10 {
        let (p0, p1) = (u64::from(x0) * 0xd251_1f53, u64::from(x2) * 0xcd9e_8d57);
        (x0, x1, x2, x3) = ((p1 >> 32) as u32 ^ x1 ^ k0, p1 as u32, (p0 >> 32) as u32 ^ x3 ^ k1, p0 as u32);
        (k0, k1) = (k0.wrapping_add(0x9e37_79b9), k1.wrapping_add(0xbb67_ae85));
    }
    [x0, x1, x2, x3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_gives_the_published_vectors() {
        // Known answers of the authors' Random123 library.
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([!0; 4], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn an_entry_does_not_depend_on_how_it_is_drawn() {
        let mut whole = [0.0f64; 101];
        fill(7, 3, 0, &mut whole);
        for isa in Isa::available() {
            for first in 0..20 {
                for len in [0, 1, 2, 3, 17, 64, 81] {
                    let mut part = vec![0.0f64; len];
                    fill_with(isa, 7, 3, first as u64, &mut part);
                    assert_eq!(part, whole[first..first + len], "{isa}");
                    let mut narrow = vec![0.0f32; len];
                    fill_with(isa, 7, 3, first as u64, &mut narrow);
                    assert!(narrow.iter().zip(&part).all(|(&n, &w)| n == w as f32), "{isa}");
                }
            }
        }
        for (i, &x) in whole.iter().enumerate() {
            assert_eq!(at::<f64>(7, 3, i as u64), x);
        }
    }

    #[test]
    fn moments_and_distribution_are_standard_normal() {
        const N: usize = 1 << 20;
        let mut x = vec![0.0f64; N];
        for (seed, stream) in [(0, 0), (0, 1), (1, 0), (u64::MAX, 12345)] {
            fill(seed, stream, 0, &mut x);
            let moment = |p: i32| x.iter().map(|x| x.powi(p)).sum::<f64>() / N as f64;
            // Standard errors of the first four moments: sqrt of 1, 2, 15, 96 over N.
            for (p, mean, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
                let error = (moment(p) - mean) / (variance / N as f64).sqrt();
                assert!(error.abs() < 4.5, "moment {p} of ({seed}, {stream}) is {error} standard errors off");
            }
            let neighbours = x.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / (N as f64).sqrt();
            assert!(neighbours.abs() < 4.5, "neighbours correlate: {neighbours}");
            // Kolmogorov-Smirnov: sqrt(N) D exceeds 1.95 with probability 0.001.
            x.sort_by(f64::total_cmp);
            let cdf = |x: f64| 0.5 + 0.5 * crate::elementary::erf(x / std::f64::consts::SQRT_2);
            let distance = x.iter().enumerate().map(|(i, &x)| (cdf(x) - (i as f64 + 0.5) / N as f64).abs());
            let d = distance.fold(0.0, f64::max) * (N as f64).sqrt();
            assert!(d < 1.95, "Kolmogorov-Smirnov statistic {d}");
        }
    }
}
