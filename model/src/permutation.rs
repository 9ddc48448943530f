//! Random orders, each a function of a seed and a stream alone.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A generator for `stream` of `seed`: ChaCha with 8 rounds, whose streams are independent and need no earlier one.
pub(crate) fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// A uniformly random order of 0..n: index i gets the i-th 64-bit word of the stream as its key, and the indices are sorted
/// by their keys (equal keys by index).
pub fn permutation(seed: u64, stream: u64, n: usize) -> Vec<usize> {
    let mut rng = generator(seed, stream);
    let keys: Vec<u64> = (0..n).map(|_| rng.next_u64()).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_key(|&i| (keys[i], i));
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_permutations_of_seed_and_stream() {
        let mut sorted = permutation(3, 5, 100);
        assert_ne!(sorted, permutation(3, 6, 100));
        assert_ne!(sorted, permutation(4, 5, 100));
        assert_eq!(sorted, permutation(3, 5, 100));
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..100));
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let mut counts = std::collections::BTreeMap::new();
        for stream in 0..6000 {
            *counts.entry(permutation(1, stream, 3)).or_insert(0) += 1;
        }
        // Five standard deviations around 1000.
        assert!(counts.len() == 6 && counts.values().all(|count| (856..1145).contains(count)), "{counts:?}");
    }
}
