//! Inputs for the kernel tests.
#![allow(dead_code)] // each test binary uses a part

#[cfg(unix)]
pub mod guard;
pub mod matrix;

use fathom_kernels::{Caches, Real};

/// This core's caches, and others: with a large second level, with a large first level, and with neither.
pub const SOME_CACHES: [Option<Caches>; 4] = [
    None,
    Some(Caches { l1: 48 << 10, l2: 2 << 20, l3: 256 << 20 }),
    Some(Caches { l1: 48 << 10, l2: 1 << 20, l3: 32 << 20 }),
    Some(Caches { l1: 32 << 10, l2: 1 << 20, l3: 32 << 20 }),
];

/// A small counter-based generator: the test's only source of randomness.
#[derive(Clone)]
pub struct Source(u64);

impl Source {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number in `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        low + (self.next() % (high - low + 1) as u64) as usize
    }

    pub fn choose<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.between(0, choices.len() - 1)]
    }

    /// Values in -1..1, one in sixteen of them 0 or -0.
    pub fn values<T: Real>(&mut self, len: usize) -> Vec<T> {
        (0..len)
            .map(|_| {
                let r = self.next();
                match r % 32 {
                    0 => T::ZERO,
                    1 => -T::ZERO,
                    _ => T::from_f64((r >> 11) as f64 / (1u64 << 52) as f64 - 1.0),
                }
            })
            .collect()
    }
}

/// Bits that compare equal for any two NaNs.
pub fn bits<T: Real>(x: T) -> u64 {
    if x.to_f64().is_nan() { u64::MAX } else { x.bits() }
}

pub fn assert_same_bits<T: Real>(found: &[T], expected: &[T], what: impl Fn() -> String) {
    assert_eq!(found.len(), expected.len());
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        assert!(bits(f) == bits(e), "{}: element {i} is {f}, not {e}", what());
    }
}
