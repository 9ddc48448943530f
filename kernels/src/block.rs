//! How the loops are cut, so that each block fits its cache.

/// Block sizes of the five loops, in elements. They change the speed of a product, never its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Rows of A in a packed block, which stays in the second-level cache.
    pub mc: usize,
    /// Steps of k in a block; a panel of B of this length stays in the first-level cache.
    pub kc: usize,
    /// Columns of B in a packed block, which stays in the third-level cache.
    pub nc: usize,
}

impl Blocks {
    /// The sizes for elements of `element` bytes and tiles of `mr x nr`, on a core with at least 512 KiB of second-level
    /// cache: a block of A takes 3/8 of it, and a block of B 4 MiB of the third. The longer a block of k, the less often
    /// C is read and written; past 512 steps, panels of B leave the first level for nothing more.
    pub fn for_tile(element: usize, mr: usize, nr: usize) -> Self {
        let kc = 512;
        let mc = round_up(192 * 1024 / (element * kc), mr);
        let nc = round_up(4 * 1024 * 1024 / (element * kc), nr);
        Self { mc, kc, nc }
    }
}

/// The smallest multiple of `step` that is at least `x`.
pub(crate) fn round_up(x: usize, step: usize) -> usize {
    x.div_ceil(step) * step
}

#[cfg(test)]
mod tests {
    use super::Blocks;

    #[test]
    fn blocks_fit_their_caches_and_are_whole_tiles() {
        for (element, mr, nr) in [(4, 6, 16), (8, 6, 8), (4, 12, 32), (8, 12, 16), (4, 4, 8), (8, 4, 8)] {
            let Blocks { mc, kc, nc } = Blocks::for_tile(element, mr, nr);
            assert!(element * kc * nr <= 64 * 1024);
            assert!(element * kc * mc <= 256 * 1024 && element * kc * nc <= 5 * 1024 * 1024);
            assert!(mc % mr == 0 && nc % nr == 0);
        }
    }
}
