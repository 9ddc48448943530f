//! How a product is computed: a pure function of its shape, its layout and the machine. No plan changes a bit of it.

use crate::block::{Blocks, even};
use crate::cache::{Caches, LINE, PAGE};
use crate::gemm::Tuning;
use crate::kernel::Kernel;
use crate::sweep::MOST_ROWS;
use crate::thin::IN_PLACE;

mod limits;
#[cfg(test)]
mod tests;
mod wide;

use limits::{
    BESIDE_COLUMNS, C_UNASKED, DEPTH_OF_COLUMNS, FEW_BESIDE, FEW_FOR_A_BYTE, FEW_FROM_AFAR, FEW_LONG, FEW_PAGES,
    FEW_TURNED, FEW_WAYS, MANY_ROWS, MORE_ROWS, NARROW, SHALLOW_ROWS, SOME_BYTES, SOME_ROWS, TALL, WAYS_FOR_B,
};
pub(crate) use limits::{FEW_ROWS, SHORT, STREAMS, WIDE};

/// Where the kernel reads an operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Where it is.
    InPlace,
    /// Where it is, from far away, asked for in good time: each strip of B while the one before it is multiplied, if rows are the loop
    /// inside and strips are wide; and a few rows of B at a time otherwise.
    Streamed,
    /// From a packed copy: each strip of B is packed while the one before it is multiplied, if rows are the loop inside; and all of a
    /// block's first otherwise.
    InPassing,
    /// As [`Reading::InPassing`], where columns are contiguous: each strip is transposed.
    Turning,
    /// From a packed copy that is made first.
    Packed,
    /// Column by column, transposed in registers.
    Columns,
}

impl Reading {
    /// Whether there is no copy.
    pub(crate) fn is_in_place(self) -> bool {
        matches!(self, Self::InPlace | Self::Streamed | Self::Columns)
    }
}

/// Which loop is inside, over the rows of C or over its strips of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
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
    /// The most rows of a tile; and how many a panel has where A is packed in panels.
    pub(crate) rows: usize,
    pub(crate) tall: usize,
    pub(crate) blocks: Blocks,
    pub(crate) a: Reading,
    pub(crate) b: Reading,
    pub(crate) order: Order,
    /// Whether rows of A come from far away and their elements are neighbours, so that the next ones are asked for.
    pub(crate) a_far: bool,
    /// Whether the next tile of C is asked for.
    pub(crate) asks_for_c: bool,
    /// Whether rows that are packed along their lines are asked for before.
    pub(crate) asks_for_rows: bool,
    /// Whether what streams is asked for a block of rows ahead, not strips ahead.
    pub(crate) rows_ahead: bool,
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
    /// From a row of A to the next, and from a column to the next, if so.
    pub(crate) a_row: isize,
    pub(crate) a_depth: isize,
    /// Whether B can be read in place.
    pub(crate) b_in_place: bool,
    /// From a row of B to the next, if so.
    pub(crate) b_row: isize,
    /// Whether its rows begin where cache lines do.
    pub(crate) b_aligned: bool,
    /// Whether B's columns can be read in place and are contiguous.
    pub(crate) b_columns: bool,
    /// Whether C's columns are neighbours, so that kernels write to it directly.
    pub(crate) c_direct: bool,
    /// Whether C's rows are an even step apart.
    pub(crate) c_even: bool,
    /// Elements of the whole B and of the whole C, of which this may be a part for one of several threads.
    pub(crate) b_elements: usize,
    pub(crate) c_elements: usize,
}

impl Task {
    /// Whether kernels can read and write all three matrices where they are.
    pub(crate) fn is_direct(&self) -> bool {
        self.a_in_place && self.b_in_place && self.c_direct
    }

    /// As [`Task::is_direct`], but for B, whose columns are contiguous.
    pub(crate) fn is_turned(&self) -> bool {
        self.a_in_place && self.b_columns && self.c_direct
    }

    /// Whether the layouts allow `reading` of B in strips of so many vectors.
    fn can_read_b<T>(&self, reading: Reading, caches: Caches, kernel: &Kernel<T>, vectors: usize) -> bool {
        match reading {
            Reading::InPlace | Reading::Streamed => self.b_in_place,
            Reading::InPassing => self.b_in_place && self.c_direct && vectors == 2,
            Reading::Turning => self.b_columns && self.c_direct && self.is_wide(caches, kernel),
            Reading::Columns if self.m <= IN_PLACE => self.is_turned() && (self.m == 1 || self.c_even),
            Reading::Columns => self.b_columns && self.c_direct && self.c_even && self.m <= kernel.columns_rows,
            Reading::Packed => true,
        }
    }

    /// Whether B is best read column by column. Of the lanes of the last vector, few may idle; and of a B that is near, short vectors
    /// read so little at once that a packed copy is faster.
    pub(crate) fn reads_columns<T>(&self, caches: Caches, kernel: &Kernel<T>) -> bool {
        let &Self { m, n, k, element, .. } = self;
        let full = 4 * n.next_multiple_of(kernel.lanes) <= 5 * n;
        let far = kernel.lanes * element >= LINE || k * n * element > caches.l2 / 2;
        self.can_read_b(Reading::Columns, caches, kernel, 1) && (m == 1 || full && far)
    }

    /// How B is best read in strips of `vectors` vectors, if its layout allows it.
    fn best_of_b<T>(&self, caches: Caches, kernel: &Kernel<T>) -> Reading {
        let &Self { m, n, k, element, .. } = self;
        let tall = kernel.whole[1].len();
        if self.reads_columns(caches, kernel) {
            Reading::Columns
        } else if self.is_wide(caches, kernel) {
            self.best_of_b_in_wide_strips(caches)
        } else if self.is_tall_upright(caches, tall) {
            Reading::Packed
        } else if self.streams(caches, kernel) {
            Reading::Streamed
        } else if self.has_few_rows(caches, tall) || self.lies_well(caches, kernel) {
            Reading::InPlace
        } else if k > SHORT && (m <= MORE_ROWS || k * n * element <= (3 * caches.l2).max(caches.l3 / 2)) {
            Reading::InPassing
        } else {
            Reading::Packed
        }
    }

    /// Whether the second level holds B, and tiles read it as fast where it is.
    fn lies_well<T>(&self, caches: Caches, kernel: &Kernel<T>) -> bool {
        let &Self { m, n, k, element, .. } = self;
        // A large second level has no more ways than others for rows of B that share its sets; and many rows of A come to feel those of
        // the first.
        let enough = if caches.are_tight() || caches.keep_a_block() { MANY_ROWS } else { SOME_BYTES / element };
        let many = k > FEW_WAYS && m >= enough;
        let sets = caches.keep_a_block() && k > SHORT || many;
        let crowded = sets && self.is_aliased(self.b_row);
        // Of a strip that the first level does not hold, vectors across two lines ask the second level for both, again for each tile.
        let strip = 2 * kernel.lanes;
        let split = !self.b_aligned && m > MORE_ROWS && n >= strip && k * strip * element > caches.l1;
        k * n * element <= caches.l2 / 4 && !crowded && !(split && caches.keep_a_block())
    }

    /// Whether B is far and meets too few rows for packing it to pay.
    pub(crate) fn streams<T>(&self, caches: Caches, kernel: &Kernel<T>) -> bool {
        let &Self { m, n, k, element, .. } = self;
        let tall = kernel.whole[1].len();
        let most = if caches.are_tight() && n * element >= PAGE { 2 * SOME_ROWS } else { SOME_ROWS };
        let some_rows = tall >= TALL && m <= most && n > 8 * kernel.lanes;
        k * n * element > caches.l2 / 2 && (some_rows || self.has_few_rows(caches, tall))
    }

    /// Flat tiles read and write C too often for blocks of few rows of B, unless one of them has all rows of A.
    fn has_few_rows(&self, caches: Caches, tall: usize) -> bool {
        self.m <= if tall < TALL { tall } else { self.most_few(caches) }
    }

    /// Up to how many rows B is not worth packing for tall tiles.
    fn most_few(&self, caches: Caches) -> usize {
        let far = self.b_elements * self.element > caches.l2 / 2 && self.n * self.element >= PAGE / 2;
        if far && caches.keep_a_block() { FEW_FROM_AFAR } else { FEW_ROWS }
    }

    /// How A is best read where it can be read in place, when B is read as `b`; with `streams`, B's strips stream past blocks
    /// of A so deep.
    fn best_of_a(&self, caches: Caches, b: Reading, streams: Option<usize>, tall: usize) -> Reading {
        let &Self { m, n, k, element, .. } = self;
        let folded = self.is_aliased(self.a_row) && n > SHORT;
        // Of elements that have gaps between them, lines hold few, which many strips would read again and again.
        let gaps = self.a_row != 1 && self.a_depth != 1 && n > 2 * NARROW && k > SHORT && !b.is_in_place();
        let packed = if tall >= TALL {
            // A tile reads part of each line of the transposed A, the rest of which may be gone when its turn comes.
            let parts = caches.keep_a_block() || caches.are_tight() && tall * element < LINE;
            let upright = parts && self.is_tall_upright(caches, tall);
            // Many strips that stream past read the parts again and again.
            let beside = if self.is_aliased(self.a_depth) { BESIDE_COLUMNS / 2 } else { BESIDE_COLUMNS + 1 };
            let again = self.a_row == 1 && m > FEW_ROWS && k <= SHORT && n * element >= beside;
            folded && b == Reading::Streamed && m > FEW_WAYS || gaps || upright || again
        } else {
            // Of columns far apart, a flat tile leaves most of each line to others.
            let near = match streams {
                Some(_) if caches.keep_a_block() && n > NARROW => caches.l2 / 8,
                Some(_) => caches.l2 / 2,
                None => caches.l2 / 4,
            };
            let far = element * m * streams.map_or(k, |kc| k.min(kc)) >= near;
            let half_aliased = streams.is_some() && caches.keep_a_block() && apart(self.a_depth, element) >= PAGE / 2;
            let spread = self.a_row == 1 && (far || self.is_aliased(self.a_depth) || half_aliased);
            // Columns of the transposed A are read again for each strip of B, and from afar where they share sets.
            let again = n > 4 * NARROW && !self.is_aliased(self.b_row) || apart(self.a_depth, element) >= PAGE / 4;
            let upright = self.a_row == 1 && b == Reading::Streamed && streams.is_none() && again;
            let crowded = folded && streams.is_some() && tall + WAYS_FOR_B > caches.l1 / PAGE;
            m > FEW_ROWS && (spread && b != Reading::Streamed || crowded || upright)
        };
        if packed { Reading::Packed } else { Reading::InPlace }
    }

    /// The usual blocks, but for some ways to read A and B; `(tall, strip)` is the shape of a tile, and `streams` tells that
    /// B's strips stream past A.
    fn blocks(
        &self,
        caches: Caches,
        (a, b): (Reading, Reading),
        usual: Blocks,
        (tall, strip): (usize, usize),
        streams: bool,
    ) -> Blocks {
        let columns = self.a_row == 1;
        match (a, b, streams) {
            (_, Reading::Streamed, _) => self.blocks_of_streams(caches, usual, tall),
            // The lines of a few rows of A that lie far apart meet all of B while they are near.
            (Reading::Packed, ..) if self.is_tall_upright(caches, tall) => {
                Blocks { kc: usual.kc.min(SHORT), mc: 256, ..usual }
            }
            // Each row of the transposed A is read a longer way: they lie pages apart. B leaves most of the second level
            // to A.
            (Reading::Packed, ..) if columns && self.n <= 2 * strip => {
                Blocks { kc: (usual.kc / 3).max(1), mc: 6 * usual.mc, ..usual }
            }
            // A large second level keeps B, so that few rows of the transposed A can be packed along their lines.
            (Reading::Packed, _, true) if columns && caches.keep_a_block() => {
                Blocks { kc: usual.kc.min(DEPTH_OF_COLUMNS / self.element), mc: 128, nc: 2 * usual.nc }
            }
            // Tall tiles use most of each line of the transposed A, as long as blocks leave it in the second level for the tile
            // that uses the rest.
            (Reading::InPlace, ..) if self.is_tall_upright(caches, tall) => Blocks { kc: usual.kc.min(256), ..usual },
            (Reading::InPlace, _, false) if columns && self.is_aliased(self.a_depth) => {
                Blocks { kc: usual.kc.min(512), ..usual }
            }
            // Each tile's rows take a line for each element of depth, most of it for other tiles.
            (Reading::InPlace, _, true) if columns => Blocks { kc: usual.kc.min(caches.l1 / 2 / LINE), ..usual },
            // A few rows of A, in long stretches, for the few strips that meet them.
            (Reading::InPlace, ..) if self.is_narrow(caches, (tall, strip)) => {
                let kc = even(self.k, caches.l2 / FEW_LONG / 4 * 3 / self.element, 1);
                Blocks { kc, mc: FEW_LONG, ..usual }
            }
            // A large second level keeps many rows of A, so that strips may be short enough for the first.
            (_, Reading::InPassing, false) if caches.keep_a_block() && self.n > NARROW => {
                Blocks { kc: usual.kc.min(caches.l1 / 4 * 3 / self.element / strip), mc: 256, ..usual }
            }
            // C takes the time, and the more so when it waits for B.
            _ if self.k <= SHORT && !caches.are_tight() => {
                let nc = (caches.l2 / 2 / self.element / self.k.max(1)).max(4 * strip);
                Blocks { mc: usual.mc.min(SHALLOW_ROWS), nc, ..usual }
            }
            _ => usual,
        }
    }

    /// [`Task::blocks`] for a B that streams, a few rows of it at a time, past tiles of `tall` rows.
    fn blocks_of_streams(&self, caches: Caches, usual: Blocks, tall: usize) -> Blocks {
        let (kc, nc) = if self.m < 4 {
            (64, 8 * usual.nc)
        } else if self.m <= FEW_ROWS && tall < TALL {
            (16, 2 * usual.nc)
        } else if self.m <= self.most_few(caches) {
            let most = 256 / self.element;
            let page = PAGE.min(self.b_row.unsigned_abs() * self.element).max(1);
            if caches.keep_a_block() { ((FEW_PAGES * PAGE / page).min(most), 4096) } else { (most, 512) }
        } else if caches.are_tight() {
            (256, 2048)
        } else {
            (128, 512)
        };
        Blocks { kc, nc, ..usual }
    }

    /// Whether a transposed A that the second level does not hold meets so few columns that reading it is much of the work.
    pub(crate) fn is_upright(&self, caches: Caches) -> bool {
        let &Self { m, n, k, element, .. } = self;
        self.a_in_place && self.a_row == 1 && n <= NARROW && m >= 8 * n && m * k * element > caches.l2
    }

    /// Whether it is so in tall tiles.
    fn is_tall_upright(&self, caches: Caches, tall: usize) -> bool {
        tall >= TALL && self.is_upright(caches)
    }

    /// Whether rows of A come from afar for a few strips, past a first level that keeps nothing else meanwhile; `(tall, strip)` is the
    /// shape of a tile. (Flat tiles keep to depths that leave a few rows in the first level.)
    fn is_narrow(&self, caches: Caches, (tall, strip): (usize, usize)) -> bool {
        let &Self { m, n, k, element, .. } = self;
        let few = (strip + 1..=NARROW).contains(&n);
        tall >= TALL && caches.are_tight() && self.a_row != 1 && few && m * k * element > caches.l2
    }

    /// Whether strips of B, `strip` columns wide, are best the loop inside past tiles of `tall` rows. With a short k, C is what takes the
    /// time: it is written row by row. Flat tiles take in so much of A and B for each multiply-add that all of it has to come
    /// in long streams, of which a few strips have none.
    fn strips_inside(&self, caches: Caches, tall: usize, strip: usize) -> bool {
        let &Self { m, n, k, .. } = self;
        let few_strips = if self.a_row == 1 && caches.keep_a_block() { 2 } else { 4 };
        m <= self.most_few(caches)
            || k <= SHORT
            || tall < TALL && n > few_strips * strip
            || self.meets_two_strips(caches, strip)
            || self.is_tall_upright(caches, tall) && !caches.keep_a_block()
            || self.writes_far(caches)
    }

    /// Whether rows of A come from afar for two strips of B, of which the second had better find them near.
    fn meets_two_strips(&self, caches: Caches, strip: usize) -> bool {
        let &Self { m, n, k, element, .. } = self;
        caches.keep_a_block() && n > strip && n <= 2 * strip && self.a_row != 1 && m * k * element > 2 * caches.l2
    }

    /// Whether C is so large that a strip of all its rows goes to memory line by line before the next one follows. Rows of A that
    /// share sets cost more in a first level that would hold the others, when each strip reads them again.
    fn writes_far(&self, caches: Caches) -> bool {
        let bytes = self.c_elements * self.element;
        match caches.are_tight() {
            true => bytes >= caches.l3 / 4,
            false => bytes >= caches.l3 / 2 && (self.a_row == 1 || !self.is_aliased(self.a_row)),
        }
    }

    /// Whether a transposed A meets so few columns that it had better stream past them, seen transposed.
    pub(crate) fn streams_transposed<T>(&self, kernel: &Kernel<T>) -> bool {
        let &Self { m, n, k, element, .. } = self;
        let caches = Caches::of_this_core();
        let few = if caches.are_tight() { FEW_BESIDE / element } else { FEW_FOR_A_BYTE * element };
        // Wide strips of A, seen so, meet many columns in place.
        let wide = caches.keep_a_block() && kernel.takes_wide() && self.a_in_place && self.a_row == 1;
        let asks = wide
            && k > SHORT
            && (FEW_ROWS + FEW_ROWS / 2..=FEW_TURNED / element).contains(&n)
            && m >= (2 * n).max(4 * WIDE * FEW_ROWS);
        self.c_direct && (asks || n <= few && self.is_upright(caches))
    }

    /// Whether few rows of A meet a far B, so that whole rows of it had better pass. More rows take C's sums to the end instead,
    /// but where rows of B share sets of the first-level cache.
    pub(crate) fn is_sweep(&self) -> bool {
        let &Self { m, n, k, element, .. } = self;
        let few = m <= 2 || m <= MOST_ROWS && self.is_aliased(self.b_row);
        few && self.is_direct() && n > SHORT && k * n * element > Caches::of_this_core().l2 / 2
    }

    /// Whether elements `stride` apart share a set of the first-level cache.
    fn is_aliased(&self, stride: isize) -> bool {
        let beyond = stride.unsigned_abs() * self.element % PAGE;
        beyond.min(PAGE - beyond) < LINE
    }
}

/// Bytes after which elements `stride` apart meet the same sets of any cache again: the largest power of two that divides their
/// distance.
pub(crate) fn apart(stride: isize, element: usize) -> usize {
    1 << (stride.unsigned_abs() * element).trailing_zeros().min(usize::BITS - 1)
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

impl Plan {
    pub(crate) fn new<T>(task: &Task, kernel: &Kernel<T>, tuning: Option<&Tuning>) -> Self {
        let Task { m, n, k, element, .. } = *task;
        let (vectors, tall) = (vectors(m), kernel.whole[1].len());
        let Tuning { blocks, a: a_forced, b: b_forced, order, caches, .. } = tuning.copied().unwrap_or_default();
        let caches = caches.unwrap_or_else(Caches::of_this_core);
        let task = &Task { a_in_place: task.a_in_place && a_forced != Some(Reading::Packed), ..*task };
        let b_wish = task.best_of_b(caches, kernel);
        let b_possible = |&reading: &Reading| task.can_read_b(reading, caches, kernel, vectors);
        let b = [b_forced.unwrap_or(b_wish), b_wish].into_iter().find(b_possible).unwrap_or(Reading::Packed);
        let may_be_wide = match b {
            Reading::Streamed | Reading::InPassing | Reading::Turning => order != Some(Order::StripsInside),
            _ => order != Some(Order::RowsInside),
        };
        let wide = may_be_wide && task.is_wide(caches, kernel);
        let (vectors, tall) = match wide {
            true => (WIDE, kernel.whole[WIDE - 1].len()),
            false => (vectors, tall),
        };
        let strip = vectors * kernel.lanes;
        let streamed = b == Reading::Streamed;
        // Whether each wide strip is asked for or packed while the one before it meets all rows.
        let by_strips = wide && matches!(b, Reading::Streamed | Reading::InPassing | Reading::Turning);
        let rows_ahead = streamed && (4..=task.most_few(caches)).contains(&m) && tall >= TALL;

        let strips_inside = !by_strips && (streamed || task.strips_inside(caches, tall, strip));
        let order = order.unwrap_or(if strips_inside { Order::StripsInside } else { Order::RowsInside });
        let streams = order == Order::StripsInside && tall < TALL && k > SHORT;
        let shape = (tall, vectors.max(2) * kernel.lanes);
        let usual = match streams {
            true => Blocks::for_streams(caches, element, k, shape),
            false => Blocks::for_caches(caches, element, k, shape.1),
        };

        let a_wish = task.best_of_a(caches, b, streams.then_some(usual.kc), tall);
        let a_possible = |reading| reading == Reading::Packed || reading == Reading::InPlace && task.a_in_place;
        let a = [a_forced.unwrap_or(a_wish), a_wish].into_iter().find(|&r| a_possible(r)).unwrap_or(Reading::Packed);

        let most = blocks.unwrap_or(match by_strips && order == Order::RowsInside {
            true if streamed => Blocks::for_asking(caches, element, k, (tall, task.b_row)),
            true => Blocks::for_passing(k, task.most_passed(b)),
            false => task.blocks(caches, (a, b), usual, shape, streams),
        });
        assert!(most.mc > 0 && most.kc > 0 && most.nc > 0, "gemm: a block size is 0: {most:?}");
        let strips_inside = order == Order::StripsInside;
        let mc = if strips_inside && a == Reading::InPlace { m } else { even(m, most.mc, tall) };
        let blocks = Blocks { mc, kc: even(k, most.kc, 1), nc: even(n, most.nc, strip) };
        // Rows that share a set of the first level must leave it some of its ways, of which it has one for each page it holds.
        let rows = match a == Reading::InPlace && task.a_row != 1 && task.is_aliased(task.a_row) {
            true if n <= NARROW || wide => (caches.l1 / PAGE).saturating_sub(2).max(FEW_WAYS),
            true => FEW_WAYS,
            false => usize::MAX,
        };
        let a_far = (a == Reading::InPlace || strips_inside) && task.a_depth == 1 && m * k * element > caches.l2;
        // Where tiles are short and neither C nor B takes the time, the hardware sees C's rows coming.
        let asks_for_c = k > SHORT || caches.are_tight() || caches.keep_a_block() && !C_UNASKED.contains(&k);
        // What is asked for has its share of the lines that a first level waits for at once; where the third level is far away, packing
        // itself needs all of them.
        let asks_for_rows = !caches.keep_a_block();
        Self { vectors, rows, tall, blocks, a, b, order, a_far, asks_for_c, asks_for_rows, rows_ahead }
    }

    /// Whether each strip of B is packed while the one before it meets the rows of A.
    pub(crate) fn packs_by_strips(&self) -> bool {
        matches!(self.b, Reading::InPassing | Reading::Turning) && self.order == Order::RowsInside
    }
}
