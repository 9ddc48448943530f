//! How a product is computed: a pure function of its shape, its layout and the machine. No plan changes a bit of it.

use crate::block::{Blocks, even};
use crate::cache::Caches;
use crate::gemm::Tuning;
use crate::kernel::Kernel;

/// Where the kernel reads an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Where it is.
    InPlace,
    /// From a packed copy that the first row of tiles leaves behind as it reads the operand in place.
    InPassing,
    /// From a packed copy that is made first.
    Packed,
    /// Column by column, transposed in registers.
    Columns,
}

/// Which loop is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each strip of B meets all rows of a block: the strip stays in the first-level cache, the block of A in the second.
    RowsInside,
    /// Each few rows of A meet all strips of a block: the rows stay in the first level, the block of B in the second.
    StripsInside,
}

/// A plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Vectors across a strip.
    pub(crate) vectors: usize,
    pub(crate) blocks: Blocks,
    pub(crate) a: Reading,
    pub(crate) b: Reading,
    pub(crate) order: Order,
}

/// What a plan depends on, beside the kernel: a product of `m x k` and `k x n` elements of `element` bytes, and how its
/// operands lie in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) element: usize,
    /// Whether A can be read in place.
    pub(crate) a_in_place: bool,
    /// From a row of A to the next, if so.
    pub(crate) a_row: isize,
    /// Whether B can be read in place.
    pub(crate) b_in_place: bool,
    /// Whether B's columns can be read in place and are contiguous.
    pub(crate) b_columns: bool,
    /// Whether C's columns are neighbours, so that kernels write to it directly.
    pub(crate) c_direct: bool,
}

impl Task {
    /// Whether kernels can read and write all three matrices where they are.
    pub(crate) fn is_direct(&self) -> bool {
        self.a_in_place && self.b_in_place && self.c_direct
    }
}

/// Vectors across a strip for products of `m` rows: enough accumulators to hide the latency of a multiply-add.
#[inline]
pub(crate) fn vectors(m: usize) -> usize {
    match m {
        1 => 8,
        2 => 4,
        3 => 3,
        _ => 2,
    }
}

/// Up to this many rows, reading B is what takes the time, and packing it would not pay.
const FEW_ROWS: usize = 12;

impl Plan {
    pub(crate) fn new<T>(task: &Task, kernel: &Kernel<T>, tuning: Option<&Tuning>) -> Self {
        let Task { m, n, k, element, .. } = *task;
        let vectors = vectors(m);
        let strip = vectors * kernel.lanes;
        let caches = Caches::of_this_core();
        let (blocks, a_forced, b_forced) = tuning.map_or((None, None, None), |t| (t.blocks, t.a, t.b));
        let most = blocks.unwrap_or_else(|| Blocks::for_caches(caches, element, 2 * kernel.lanes));
        assert!(most.mc > 0 && most.kc > 0 && most.nc > 0, "gemm: a block size is 0: {most:?}");

        let few_rows = m <= FEW_ROWS;
        let few_strips = n <= 4 * strip;
        let deepest = match blocks {
            Some(blocks) => blocks.kc,
            // Rows of B are streamed, a few at a time.
            None if few_rows && task.b_in_place && k * n * element > caches.l2 / 2 => 8,
            // A few strips of B stay in the second level however deep they are, so C need not be visited again.
            None if few_strips => (caches.l2 / 2 / (n * element)).max(most.kc),
            None => most.kc,
        };
        let kc = even(k, deepest, 1);
        // With a short k, C is what takes the time: it is written row by row.
        let order = if few_rows || few_strips || k <= 64 { Order::StripsInside } else { Order::RowsInside };

        let a_possible = |reading| reading == Reading::Packed || reading == Reading::InPlace && task.a_in_place;
        let aliased = (task.a_row as usize * element).is_multiple_of(4096);
        let a_wish = if few_rows || few_strips || k <= 64 || !aliased { Reading::InPlace } else { Reading::Packed };
        let a = [a_forced.unwrap_or(a_wish), a_wish].into_iter().find(|&r| a_possible(r)).unwrap_or(Reading::Packed);

        let b_possible = |reading| match reading {
            Reading::InPlace => task.b_in_place,
            Reading::InPassing => task.b_in_place && task.c_direct && vectors == 2,
            Reading::Columns => task.b_columns && task.c_direct && task.a_in_place && m == 1,
            Reading::Packed => true,
        };
        let b_wish = if b_possible(Reading::Columns) {
            Reading::Columns
        } else if few_rows || k * n * element <= caches.l1 / 2 {
            Reading::InPlace
        } else if order == Order::RowsInside && k * n * element <= caches.l2 {
            Reading::InPassing
        } else {
            Reading::Packed
        };
        let b = [b_forced.unwrap_or(b_wish), b_wish].into_iter().find(|&r| b_possible(r)).unwrap_or(Reading::Packed);

        let whole = order == Order::StripsInside && a == Reading::InPlace;
        let mc = if whole { m } else { even(m, most.mc, kernel.whole[0].len()) };
        let nc = even(n, most.nc, strip);
        Self { vectors, blocks: Blocks { mc, kc, nc }, a, b, order }
    }
}
