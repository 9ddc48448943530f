//! Counter-based standard normals: any entry of a stream alone, in any order, by any thread.
//!
//! Philox4x32 (Salmon, Moraes, Dror and Shaw, 2011), with the seven rounds that its authors found to pass every battery, turns a seed, a stream and a counter into four words of 32 bits, and the
//! Box-Muller transform turns each two of them into two normals: 31 bits of the first say how far from the origin,
//! the second says in which direction. f32 and f64 start from the same bits, so that their entries are equal up to rounding.
//!
//! Entries come in groups of 64, from 16 successive counters: a vector's lanes are successive entries.

use crate::dispatch::vectorize;
use crate::elementary::abreast::Abreast;
use crate::simd::Vectorized;
use crate::{Isa, Real};

/// Counters in a group.
const LANES: usize = 16;
/// Groups drawn abreast.
const ABREAST: usize = 2;
/// Entries in a group.
const GROUP: usize = 4 * LANES;

/// `output[i] <-` the standard normal at index `first + i` of a stream. Tails reach 6.66 standard deviations.
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
    let mut entry = [T::ZERO];
    fill(seed, stream, index, &mut entry);
    entry[0]
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
        let (mut number, skipped) = (first / GROUP as u64, (first % GROUP as u64) as usize);
        let (head, rest) = output.split_at_mut(((GROUP - skipped) % GROUP).min(output.len()));
        let mut whole = [T::ZERO; GROUP];
        if !head.is_empty() {
            groups::<T, 1, 2>(seed, stream, number, &mut whole);
            head.copy_from_slice(&whole[skipped..skipped + head.len()]);
            number += 1;
        }
        let (several, rest) = rest.as_chunks_mut::<{ ABREAST * GROUP }>();
        for out in several {
            groups::<T, ABREAST, { 2 * ABREAST }>(seed, stream, number, out);
            number += ABREAST as u64;
        }
        let (single, tail) = rest.as_chunks_mut::<GROUP>();
        for out in single {
            groups::<T, 1, 2>(seed, stream, number, out);
            number += 1;
        }
        if !tail.is_empty() {
            groups::<T, 1, 2>(seed, stream, number, &mut whole);
            tail.copy_from_slice(&whole[..tail.len()]);
        }
    }
}

/// The entries of `G` groups from `64 number` on; `K` is twice `G`.
#[inline(always)]
fn groups<T: Real, const G: usize, const K: usize>(seed: u64, stream: u64, number: u64, out: &mut [T]) {
    assert!(out.len() == G * GROUP && K == 2 * G);
    let key = [seed as u32, (seed >> 32) as u32];
    for lane in 0..LANES {
        let mut counters = [[0; 4]; G];
        for (g, counter) in counters.iter_mut().enumerate() {
            // No carry: a group begins at a multiple of its counters.
            let first = (number + g as u64).wrapping_mul(LANES as u64);
            *counter = [first as u32 | lane as u32, (first >> 32) as u32, stream as u32, (stream >> 32) as u32];
        }
        let words = philox::<7, G>(counters, key);
        let (mut radii, mut turns) = ([0; K], [0; K]);
        for g in 0..G {
            [radii[2 * g], turns[2 * g], radii[2 * g + 1], turns[2 * g + 1]] = words[g];
        }
        let (Abreast(cosines), Abreast(sines)) = T::normals(Abreast(radii), Abreast(turns));
        for i in 0..K {
            out[2 * i * LANES + lane] = cosines[i];
            out[(2 * i + 1) * LANES + lane] = sines[i];
        }
    }
}

/// Philox4x32 with `ROUNDS` rounds. Words are kept in the low halves of 64 bits, as products want them; what is above is not used.
#[inline(always)]
fn philox<const ROUNDS: usize, const G: usize>(counters: [[u32; 4]; G], key: [u32; 2]) -> [[u32; 4]; G] {
    let mut x = [[0; 4]; G];
    for g in 0..G {
        for i in 0..4 {
            x[g][i] = u64::from(counters[g][i]);
        }
    }
    let [mut k0, mut k1] = key;
    for _ in 0..ROUNDS {
        for x in &mut x {
            let (p0, p1) = ((x[0] & 0xffff_ffff) * 0xd251_1f53, (x[2] & 0xffff_ffff) * 0xcd9e_8d57);
            *x = [(p1 >> 32) ^ x[1] ^ u64::from(k0), p1, (p0 >> 32) ^ x[3] ^ u64::from(k1), p0];
        }
        (k0, k1) = (k0.wrapping_add(0x9e37_79b9), k1.wrapping_add(0xbb67_ae85));
    }
    let mut words = [[0; 4]; G];
    for g in 0..G {
        for i in 0..4 {
            words[g][i] = x[g][i] as u32;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;

    #[test]
    fn philox_gives_the_published_vectors() {
        // Known answers of the authors' Random123 library, for 7 and for 10 rounds.
        let digits = [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344];
        let key = [0xa409_3822, 0x299f_31d0];
        assert_eq!(philox::<7, 1>([[0; 4]], [0; 2]), [[0x5f6f_b709, 0x0d89_3f64, 0x4f12_1f81, 0x4f73_0a48]]);
        assert_eq!(philox::<7, 1>([[!0; 4]], [!0; 2]), [[0x5207_ddc2, 0x4516_5e59, 0x4d8e_e751, 0x8c52_f662]]);
        assert_eq!(philox::<7, 1>([digits], key), [[0x4dfc_caba, 0x190a_87f0, 0xc473_62ba, 0xb6b5_242a]]);
        assert_eq!(philox::<10, 1>([[0; 4]], [0; 2]), [[0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]]);
        assert_eq!(philox::<10, 1>([[!0; 4]], [!0; 2]), [[0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]]);
        assert_eq!(philox::<10, 1>([digits], key), [[0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]]);
    }

    #[test]
    fn an_entry_does_not_depend_on_how_it_is_drawn() {
        fn draw<T: Real>() -> Vec<T> {
            let mut whole = vec![T::ZERO; 400];
            fill_with(Isa::Portable, 7, 3, 0, &mut whole);
            for isa in Isa::available() {
                for first in (0..70).chain([127, 128, 200]) {
                    for len in [0, 1, 2, 3, 17, 63, 64, 65, 129, 200] {
                        let mut part = vec![T::ZERO; len];
                        fill_with(isa, 7, 3, first as u64, &mut part);
                        assert_eq!(part, whole[first..first + len], "{isa}");
                    }
                }
            }
            for (i, &x) in whole.iter().enumerate() {
                assert_eq!(at::<T>(7, 3, i as u64), x);
            }
            whole
        }
        for (narrow, wide) in draw::<f32>().into_iter().zip(draw::<f64>()) {
            assert!((f64::from(narrow) - wide).abs() <= 4e-7 * wide.abs(), "{narrow} in f32, {wide} in f64");
        }
    }

    #[test]
    fn the_end_of_a_stream_is_drawn_as_its_beginning() {
        let mut end = [0f32; 3];
        fill(1, 2, u64::MAX - 2, &mut end);
        assert_eq!(end, [u64::MAX - 2, u64::MAX - 1, u64::MAX].map(|index| at(1, 2, index)));
    }

    /// Standard normals of a stream, in f64.
    fn drawn<T: Real>(seed: u64, stream: u64, first: u64, count: usize) -> Vec<f64> {
        let mut x = vec![T::ZERO; count];
        fill(seed, stream, first, &mut x);
        x.into_iter().map(T::to_f64).collect()
    }

    /// Standard errors by which the mean of `terms`, of variance `variance`, is off `mean`.
    fn error(terms: impl ExactSizeIterator<Item = f64>, mean: f64, variance: f64) -> f64 {
        let count = terms.len() as f64;
        (terms.sum::<f64>() / count - mean) / (variance / count).sqrt()
    }

    fn moments_and_distribution<T: Real>() {
        const N: usize = 1 << 20;
        for (seed, stream, first) in [(0, 0, 0), (0, 1, 1 << 40), (1, 0, 0), (u64::MAX, 12345, 77)] {
            let mut x = drawn::<T>(seed, stream, first, N);
            // Means and variances of the first six powers.
            for (p, mean, variance) in
                [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0), (5, 0.0, 945.0), (6, 15.0, 10_170.0)]
            {
                let error = error(x.iter().map(|x| x.powi(p)), mean, variance);
                assert!(error.abs() < 4.5, "moment {p} of ({seed}, {stream}) is {error} standard errors off");
            }
            // Kolmogorov-Smirnov: sqrt(N) D exceeds 1.95 with probability 0.001.
            x.sort_by(f64::total_cmp);
            let cdf = |x: f64| {
                let mut erf = [0.0];
                Activation::Erf.apply(&[x / std::f64::consts::SQRT_2], &mut erf);
                0.5 + 0.5 * erf[0]
            };
            let distance = x.iter().enumerate().map(|(i, &x)| (cdf(x) - (i as f64 + 0.5) / N as f64).abs());
            let d = distance.fold(0.0, f64::max) * (N as f64).sqrt();
            assert!(d < 1.95, "Kolmogorov-Smirnov statistic {d}");
        }
    }

    #[test]
    fn moments_and_distribution_are_standard_normal() {
        moments_and_distribution::<f32>();
        moments_and_distribution::<f64>();
    }

    #[test]
    fn neighbours_do_not_correlate() {
        const N: usize = 1 << 18;
        let x = drawn::<f32>(5, 9, 0, N);
        let check = |y: &[f64], what: &str| {
            // Values, sizes and signs against sizes.
            for (f, g, mean) in [
                ((|x| x) as fn(f64) -> f64, (|y| y) as fn(f64) -> f64, 0.0),
                (|x| x * x - 1.0, |y| y * y - 1.0, 0.0),
                (|x| x, |y| (y * y - 1.0) / 2f64.sqrt(), 0.0),
            ] {
                let products: Vec<f64> = x.iter().zip(y).map(|(&x, &y)| f(x) * g(y)).collect();
                let variance = products.iter().map(|p| p * p).sum::<f64>() / products.len() as f64;
                let error = error(products.into_iter(), mean, variance);
                assert!(error.abs() < 4.5, "{what}: {error} standard errors");
            }
        };
        // The lags at which a group's counters, words and groups meet.
        for lag in [1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 48, 63, 64, 128] {
            check(&drawn::<f32>(5, 9, lag, N), &format!("lag {lag}"));
        }
        for (seed, stream) in [(4, 9), (6, 9), (5 ^ (1 << 32), 9), (5, 8), (5, 10), (5, 9 ^ (1 << 32)), (9, 5)] {
            check(&drawn::<f32>(seed, stream, 0, N), &format!("seed {seed}, stream {stream}"));
        }
    }

    #[test]
    fn tails_are_as_heavy_as_they_should_be() {
        // Two-sided tail probabilities; counts are Poisson.
        const N: usize = 1 << 24;
        let x = drawn::<f32>(3, 1, 0, N);
        for (bound, probability) in [
            (3.0, 2.699_796_063_260_19e-3),
            (4.0, 6.334_248_366_624e-5),
            (4.5, 6.795_346_249_477e-6),
            (5.0, 5.733_031_437_583e-7),
        ] {
            let expected = probability * N as f64;
            let found = x.iter().filter(|x| x.abs() > bound).count() as f64;
            assert!((found - expected).abs() < 4.5 * expected.sqrt(), "{found} beyond {bound}, not {expected}");
        }
        let farthest = x.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        assert!((5.0..6.7).contains(&farthest), "{farthest}");
    }

    #[test]
    fn the_ends_of_the_bits_are_finite() {
        fn one<T: Real>(radius: u32, turn: u32) -> (T, T) {
            let (Abreast([cosine]), Abreast([sine])) = T::normals(Abreast([radius]), Abreast([turn]));
            (cosine, sine)
        }
        for radius in [0, 1, 2, 3, 1 << 31, u32::MAX - 1, u32::MAX] {
            for turn in [0, 1, 1 << 29, (1 << 29) - 1, 1 << 30, 1 << 31, 3 << 30, u32::MAX] {
                let (a, b) = one::<f32>(radius, turn);
                let (c, d) = one::<f64>(radius, turn);
                for (narrow, wide) in [(a, c), (b, d)] {
                    assert!(
                        wide.abs() < 6.67 && (f64::from(narrow) - wide).abs() <= 4e-7 * wide.abs(),
                        "{radius} {turn}"
                    );
                }
            }
        }
    }
}
