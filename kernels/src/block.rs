//! Block sizes: which part of a product is in which cache.

use crate::cache::Caches;
use crate::plan::apart;

/// Upper bounds of the blocks: `mc x kc` of A and `kc x nc` of B. They change no bit of a result.
///
/// To a convolution of several taps `mc` is pixels of the images, `kc` taps times channels, and `nc` filters; with few channels `mc` alone says
/// anything. To a filters' gradient `kc` is pixels of dy, and the others say nothing. One tap is a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    /// Rows of A in a block, which stays in the second-level cache.
    pub mc: usize,
    /// Depth of a block: a strip of B stays in the first-level cache.
    pub kc: usize,
    /// Columns of B in a block, which stays in the third-level cache.
    pub nc: usize,
}

impl Blocks {
    /// The sizes for elements of `element` bytes, products `k` deep and strips of `strip` columns. The chains start from
    /// C, so the deeper a block, the less often C is read and written: it is as deep as leaves a few rows of A their
    /// place, which is three eighths of the second level. The rest is for strips of B, which stream from there. A block of
    /// B is a share of the third level that leaves room for other cores, which may have blocks of their own, and for C.
    pub fn for_caches(caches: Caches, element: usize, k: usize, strip: usize) -> Self {
        let of_a = caches.l2 / 8 * 3 / element;
        let kc = even(k, (of_a / FEWEST_ROWS).max(128), 1);
        let mc = (of_a / kc).max(24);
        let nc = (caches.l3.max(4 * caches.l2) / 8 / (element * kc)).max(4 * strip);
        Self { mc, kc, nc }
    }

    /// The sizes where strips of `strip` columns stream past one tile's rows of A, `tall` of them: these take half of the
    /// first level. A block of A takes three eighths of the second level, if it is packed; a block of B is a small share
    /// of the third, for it is packed and read again at once. A large second level holds the block of B instead, and a tile's
    /// rows of A are packed when their turn comes.
    pub(crate) fn for_streams(caches: Caches, element: usize, k: usize, (tall, strip): (usize, usize)) -> Self {
        let kc = even(k, (caches.l1 / 2 / element / tall).max(64), 1);
        if caches.keep_a_block() {
            return Self { mc: tall, kc, nc: (caches.l2 / 2 / element / kc).max(4 * strip) };
        }
        let mc = (caches.l2 / 8 * 3 / element / kc).max(4 * tall);
        let nc = (caches.l3 / 16).max(caches.l2 * 2) / element / kc;
        Self { mc, kc, nc: nc.max(4 * strip) }
    }

    /// The sizes where all rows of A meet one strip of B after another, which is read in place, its rows `b_row` apart: the rows of a
    /// tile, `tall` of them, take half of the first level, and those of two strips no more than half of the sets of the
    /// second.
    pub(crate) fn for_asking(caches: Caches, element: usize, k: usize, (tall, b_row): (usize, isize)) -> Self {
        let of_b = caches.l2 / 2 / apart(b_row, element);
        let kc = (caches.l1 / 2 / element / tall).min(of_b).clamp(128, 384);
        Self { mc: 256, kc: even(k, kc, 1), nc: usize::MAX }
    }

    /// The sizes where all rows of A meet one strip of B after another, which is packed meanwhile, at most `deep`.
    pub(crate) fn for_passing(k: usize, deep: usize) -> Self {
        Self { mc: usize::MAX, kc: even(k, deep, 1), nc: usize::MAX }
    }
}

/// The fewest rows of a block of A that are worth the reading of a strip of B.
const FEWEST_ROWS: usize = 64;

/// The smallest multiple of `step` that is at least `x`.
pub(crate) fn round_up(x: usize, step: usize) -> usize {
    x.div_ceil(step) * step
}

/// The length of the pieces when `len` is cut into as few pieces of at most `most` as will do, and evenly; a multiple of
/// `step` where `most` is.
pub(crate) fn even(len: usize, most: usize, step: usize) -> usize {
    let most = (most / step * step).max(step.min(most));
    let pieces = len.div_ceil(most).max(1);
    round_up(len.div_ceil(pieces), step).min(most).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_fit_their_caches() {
        for (l1, l2, l3) in [(32, 512, 32 << 10), (48, 2048, 0), (32, 1024, 32 << 10), (64, 256, 8 << 10)] {
            let caches = Caches { l1: l1 << 10, l2: l2 << 10, l3: l3 << 10 };
            for (element, strip) in [(4, 16), (8, 8), (4, 32), (8, 16)] {
                for k in [1, 9, 100, 1000, 5000] {
                    let Blocks { mc, kc, nc } = Blocks::for_caches(caches, element, k, strip);
                    assert!(element * kc * (mc + strip) <= caches.l2, "{caches:?}");
                    assert!(element * kc * nc <= caches.l3.max(caches.l2), "{caches:?}");
                }
            }
        }
    }

    #[test]
    fn pieces_are_even_and_cover() {
        for len in 1..200 {
            for most in 1..70 {
                for step in [1, 4, 6] {
                    let piece = even(len, most, step);
                    assert!(piece <= most && len.div_ceil(piece) <= len.div_ceil((most / step * step).max(1)) + 1);
                    assert!(piece.is_multiple_of(step) || piece == most || most < step);
                }
            }
        }
        assert_eq!(even(1025, 1024, 1), 513);
        assert_eq!(even(100, 96, 12), 60);
    }
}
