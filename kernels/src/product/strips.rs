//! Strips of B: where they are, packed first, or packed and asked for one by one while another is multiplied.

use super::rows::{PAD, Rows};
use super::{Product, steps};
use crate::Real;
use crate::cut::{Cut, Cuts, heights};
use crate::kernel::{ASKING, Ahead, Kernel, Later, Run, Step, UNROLL};
use crate::plan::{Plan, Reading, STREAMS, WIDE};
use crate::tile::Way;

/// Elements between the panels of B, for the same reason as [`PAD`].
pub(super) const PANEL_PAD: usize = 8 * PAD;

/// What the strips of a block share.
pub(super) struct Block<'a, T: 'static> {
    pub(super) kernel: &'static Kernel<T>,
    pub(super) plan: &'a Plan,
    /// The first column of C, and how many.
    pub(super) col: usize,
    pub(super) width: usize,
    /// The first row of B, and how many.
    pub(super) k: usize,
    pub(super) len: usize,
    pub(super) beta: T,
    /// Where the strips of B are packed, `len` elements for each column before them; or two of them in turns, if all rows meet a strip
    /// before the next.
    pub(super) room: *mut T,
    pub(super) passes: bool,
}

impl<T: Real> Block<'_, T> {
    pub(super) fn cuts(&self) -> Cuts<T> {
        Cuts { kernel: self.kernel, vectors: self.plan.vectors, next: 0, end: self.width }
    }

    /// Strips of all the plan's vectors.
    fn whole_strips(&self) -> usize {
        self.cuts().take_while(|(_, cut)| cut.vectors == self.plan.vectors && !cut.is_edge()).count()
    }

    pub(super) fn panel(&self, j: usize) -> *mut T {
        match self.passes {
            true => self.room.wrapping_add(j / self.strip() % 2 * self.panel_step()),
            false => self.room.wrapping_add(j * self.len + j / self.strip() * PANEL_PAD),
        }
    }

    /// From a whole panel to the next.
    pub(super) fn panel_step(&self) -> usize {
        self.strip() * self.len + PANEL_PAD
    }

    /// Columns of a whole strip.
    fn strip(&self) -> usize {
        self.plan.vectors * self.kernel.lanes
    }
}

impl<T: Real> Product<T> {
    /// Each strip of a block meets all the rows of `a`. `first` tells that no rows have met the block yet, so that its
    /// strips may have to be packed.
    ///
    /// # Safety
    /// As [`Product::five_loops`]; `block.room` must have place for the block's strips, and hold them unless they are packed one by one
    /// and this is the `first`.
    pub(super) unsafe fn strip_by_strip(&self, block: &Block<T>, a: &Rows<T>, first: bool) {
        let asks = block.plan.b == Reading::Streamed && block.plan.vectors == WIDE;
        let packs = first && block.plan.packs_by_strips();
        let turns = packs && block.plan.b == Reading::Turning;
        let takes = |cut: &Cut<T>| !cut.is_edge() && cut.vectors == block.plan.vectors;
        let mut packed = false;
        let mut cuts = block.cuts().peekable();
        while let Some((j, cut)) = cuts.next() {
            if packs && !packed {
                // SAFETY: passed on from the caller.
                unsafe { self.pack_strip(block, (j, &cut), (0, block.len)) };
            }
            let next = cuts.peek().copied().filter(|(_, next)| (packs || asks) && takes(next) && takes(&cut));
            packed = next.is_some() && packs;
            let mut ahead = match next {
                Some((j, next)) => self.ahead(block, a, (j, &next)),
                None => Ahead::NONE,
            };
            for part in a.parts() {
                let mut part = part;
                for (height, tiles) in heights(part.count, cut.tiles().len().min(block.plan.rows))
                    .into_iter()
                    .filter(|&(_, tiles)| tiles > 0)
                {
                    let kernels = match takes(&cut) {
                        true if asks => cut.kernel.asking,
                        true if ahead.pieces > 0 && turns => cut.kernel.turning,
                        true if ahead.pieces > 0 => cut.kernel.packing[cut.vectors - 2],
                        true if !block.plan.b.is_in_place() && cut.vectors == 2 => cut.kernel.panel,
                        _ => cut.tiles(),
                    };
                    let run = Run {
                        tiles,
                        ahead: Some(&ahead),
                        a_tile: height as isize * part.row,
                        a_later: match j == 0 && block.plan.a_far {
                            true => Later::rows(part.after(height).ptr, part.row),
                            false => Later::NONE,
                        },
                        ..self.run_of(block, (j, &cut), &part)
                    };
                    let place = (block.col + j, cut.width, cut.span());
                    // SAFETY: the tiles lie inside C; their rows of A and the strip of B are in place or packed.
                    unsafe { self.c.multiply(kernels[height - 1], (part.first, height), place, Way::Down, run) };
                    ahead.skip(tiles * ahead.in_tile);
                    part = part.after(tiles * height);
                }
            }
            if let (true, Some((j, next))) = (packs, next) {
                // SAFETY: the next strip.
                unsafe { self.pack_rest(block, &ahead, (j, &next)) };
            }
        }
    }

    /// The strip at column `j` of a block, to be packed or asked for while the one before it meets the rows of `a`.
    fn ahead(&self, block: &Block<T>, a: &Rows<T>, (j, cut): (usize, &Cut<T>)) -> Ahead<T> {
        let most = cut.tiles().len().min(block.plan.rows);
        let tiles = a.parts().map(|part| part.count.div_ceil(most)).sum::<usize>();
        let strip = Ahead { from: self.source(block, j), to: block.panel(j), ..Ahead::NONE };
        match block.plan.b {
            Reading::Turning => self.turned_ahead(strip, block.len, tiles, cut),
            Reading::Streamed => {
                let most = (block.len / ASKING).max(1);
                let rows = block.len.div_ceil(most * tiles);
                let pieces = block.len / rows;
                let b_row = self.b.depth.inner_stride();
                let step = Step { from: rows as isize * b_row, to: 0 };
                let in_tile = pieces.div_ceil(tiles).min(most);
                Ahead { step, across: step, column: pieces, pieces, in_tile, rows, b_row, ..strip }
            }
            _ => {
                let step = Step { from: self.b.depth.inner_stride(), to: cut.span() as isize };
                let pieces = block.len;
                // Steps are unrolled.
                let gap = if tiles > UNROLL { tiles / UNROLL * UNROLL } else { tiles };
                Ahead { step, across: step, column: pieces, pieces, in_tile: pieces / gap, gap, ..strip }
            }
        }
    }

    /// A strip, `len` deep, that is transposed while `tiles` tiles are multiplied.
    fn turned_ahead(&self, strip: Ahead<T>, len: usize, tiles: usize, cut: &Cut<T>) -> Ahead<T> {
        let [width, depth] = cut.kernel.turned;
        let (column, b_column) = (len / depth, self.b.along.inner_stride());
        let pieces = column * (cut.span() / width);
        let in_tile = pieces.div_ceil(tiles).max(1);
        let gap = len / in_tile;
        Ahead {
            step: Step { from: depth as isize, to: (depth * cut.span()) as isize },
            across: Step { from: width as isize * b_column, to: width as isize },
            column,
            pieces,
            in_tile,
            // Steps are unrolled.
            gap: if gap > UNROLL { gap / UNROLL * UNROLL } else { gap },
            b_column,
            ..strip
        }
    }

    /// Packs what `ahead` has left of the strip at column `j` of a block.
    ///
    /// # Safety
    /// As [`Product::pack_strip`].
    unsafe fn pack_rest(&self, block: &Block<T>, ahead: &Ahead<T>, (j, cut): (usize, &Cut<T>)) {
        let [width, depth] = match block.plan.b {
            Reading::Turning => cut.kernel.turned,
            _ => [cut.span(), 1],
        };
        let columns = cut.span() / width;
        let done = ahead.column * columns - ahead.pieces;
        for i in 0..columns {
            let row = done.saturating_sub(i * ahead.column).min(ahead.column) * depth;
            if row < block.len {
                let panel = (block.panel(j).wrapping_add(row * cut.span() + i * width), cut.span());
                let (along, depth) = ((block.col + j + i * width, width), (block.k + row, block.len - row));
                // SAFETY: a part of the strip; the caller vouches for the room.
                unsafe { self.b.pack_panel(cut.kernel, along, depth, panel) };
            }
        }
    }

    /// Packs all strips of the block. Where rows are contiguous, the whole strips are packed a few rows at a time, so that
    /// each row is read as one stream.
    ///
    /// # Safety
    /// As [`Product::five_loops`]; `block.room` must have place for the strips.
    pub(super) unsafe fn pack_block(&self, block: &Block<T>) {
        let (strip, stride) = (block.strip(), self.b.depth.inner_stride());
        let dealt = self.task(0, 0).b_in_place && block.plan.vectors >= 2;
        let whole = if dealt { block.whole_strips() } else { 0 };
        for (row, rows) in steps(0..block.len, STREAMS).filter(|_| whole > 0) {
            let source = (self.source(block, 0).wrapping_offset(row as isize * stride), stride);
            let panels = (block.panel(0).wrapping_add(row * strip), block.panel_step());
            // SAFETY: rows of the whole strips of B; the caller vouches for the room.
            unsafe { (block.kernel.deal)(source, (whole, strip), (rows, block.plan.asks_for_rows), panels) };
        }
        if whole * strip == block.width {
            return;
        }
        let by_rows = self.b.along.inner_stride().unsigned_abs() < stride.unsigned_abs();
        for (row, rows) in steps(0..block.len, if by_rows { STREAMS } else { block.len }) {
            for (j, cut) in block.cuts().filter(|&(j, _)| j >= whole * strip) {
                // SAFETY: passed on from the caller.
                unsafe { self.pack_strip(block, (j, &cut), (row, rows)) };
            }
        }
    }

    /// Packs `rows` rows from `row` on of the strip at column `j` of the block.
    ///
    /// # Safety
    /// As [`Product::five_loops`]; `block.room` must have place for the strip.
    unsafe fn pack_strip(&self, block: &Block<T>, (j, cut): (usize, &Cut<T>), (row, rows): (usize, usize)) {
        let panel = (block.panel(j).wrapping_add(row * cut.span()), cut.span());
        // SAFETY: the strip is part of B; the caller vouches for the room.
        unsafe { self.b.pack_panel(cut.kernel, (block.col + j, cut.width), (block.k + row, rows), panel) };
    }
}
