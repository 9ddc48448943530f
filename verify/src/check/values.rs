//! What the operands of a case hold, drawn from a seed that is the case's own.

use std::fmt;

use fathom_kernels::Real;

/// The numbers in the operands of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// Uniform in -1..1, one in sixteen of them 0 or -0.
    Random,
    /// Whole numbers so small that every partial sum is exact.
    Whole,
    /// As `Random`, with large blocks of exact zeros.
    Zeros,
    /// As `Random`, with NaN, infinities, and numbers whose products overflow or underflow.
    Special,
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Random => "random",
            Self::Whole => "whole",
            Self::Zeros => "zeros",
            Self::Special => "special",
        })
    }
}

/// The case's own random numbers: SplitMix64 (Steele, Lea and Flood, 2014).
pub struct Source(u64);

impl Source {
    /// A source seeded by the name of a case, so that a case run alone sees the same numbers.
    pub fn named(name: &str) -> Self {
        // FNV-1a
        Self(
            name.bytes()
                .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)),
        )
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The element at `index` of a multiplied operand of `shape`.
    pub fn factor<T: Real, const N: usize>(&mut self, values: Values, index: [usize; N], shape: [usize; N]) -> T {
        let r = self.next();
        match values {
            Values::Whole => T::from_f64((r % 17) as f64 - 8.0),
            Values::Zeros if in_zero_block(index, shape) => T::ZERO,
            Values::Special if r.is_multiple_of(64) => special(r >> 6),
            _ => uniform(r),
        }
    }

    /// An element of the operand that a product is added to. A whole one is never 0, for then a sum that starts at it
    /// is 0 by cancellation alone, and its sign is +.
    pub fn addend<T: Real>(&mut self, values: Values) -> T {
        let r = self.next();
        match values {
            Values::Whole => T::from_f64(((r >> 1) % 8 + 1) as f64 * if r.is_multiple_of(2) { 1.0 } else { -1.0 }),
            Values::Special if r.is_multiple_of(64) => special(r >> 6),
            _ => uniform(r),
        }
    }
}

fn uniform<T: Real>(r: u64) -> T {
    match r % 32 {
        0 => T::ZERO,
        1 => -T::ZERO,
        _ => T::from_f64((r >> 11) as f64 / (1u64 << 52) as f64 - 1.0),
    }
}

/// The middle half along the first index, and the upper third along the second.
fn in_zero_block<const N: usize>(index: [usize; N], shape: [usize; N]) -> bool {
    (shape[0] / 4..3 * shape[0] / 4).contains(&index[0]) || index[1] >= shape[1] - shape[1] / 3
}

fn special<T: Real>(r: u64) -> T {
    // Powers of two: the squares overflow and underflow, and the last is subnormal.
    let (huge, tiny, subnormal) = if size_of::<T>() == 4 { (70, -70, -140) } else { (600, -600, -1060) };
    match r % 6 {
        0 => T::from_f64(f64::NAN),
        1 => T::from_f64(f64::INFINITY),
        2 => T::from_f64(f64::NEG_INFINITY),
        3 => T::from_f64(1.5 * 2f64.powi(huge)),
        4 => T::from_f64(-1.5 * 2f64.powi(tiny)),
        _ => T::from_f64(1.5 * 2f64.powi(subnormal)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_depend_on_the_name_alone_and_are_of_their_kind() {
        let draw = |name: &str, values| {
            let mut source = Source::named(name);
            (0..4096).map(|i| source.factor::<f32, 2>(values, [i / 64, i % 64], [64, 64])).collect::<Vec<_>>()
        };
        assert_eq!(draw("a", Values::Random), draw("a", Values::Random));
        assert_ne!(draw("a", Values::Random), draw("b", Values::Random));
        assert!(draw("a", Values::Whole).iter().all(|x| x.fract() == 0.0 && x.abs() <= 8.0));
        assert!(draw("a", Values::Zeros).iter().filter(|&&x| x == 0.0).count() > 2048);
        let special = draw("a", Values::Special);
        assert!(special.iter().any(|x| x.is_nan()) && special.iter().any(|x| x.is_infinite()));
        assert!(special.iter().any(|x| x.is_subnormal()));
        let mut source = Source::named("c");
        assert!((0..999).all(|_| source.addend::<f64>(Values::Whole) != 0.0));
    }
}
