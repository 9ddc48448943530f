//! How C is cut: its columns into strips of vectors, its rows into tiles of nearly equal height.

use crate::Real;
use crate::kernel::{Kernel, Multiply};

/// Neighbouring columns of C, and the kernel that has their number of vectors.
#[derive(Clone, Copy)]
pub(crate) struct Cut<T: 'static> {
    pub(crate) kernel: &'static Kernel<T>,
    pub(crate) vectors: usize,
    pub(crate) width: usize,
    /// Whether the last vector is one of half the length.
    half: bool,
}

impl<T: Real> Cut<T> {
    /// The next strip when `remaining` columns are left, at most `vectors` wide; but the last of several that are two
    /// wide may be three, where that costs no accumulators. The last ones are cut so that few lanes idle.
    #[inline]
    pub(crate) fn new(kernel: &'static Kernel<T>, vectors: usize, remaining: usize) -> Self {
        let lanes = kernel.lanes;
        let widest = if vectors == 2 && kernel.takes_wide() { 3 } else { vectors };
        if remaining > widest * lanes || remaining == vectors * lanes {
            return Self { kernel, vectors, width: vectors * lanes, half: false };
        }
        let (whole, rest) = (remaining / lanes, remaining % lanes);
        let vectors = whole + usize::from(rest > 0);
        match kernel.half {
            Some(half) if rest > 0 && rest <= half.lanes => {
                if whole > 0 {
                    Self { kernel, vectors, width: remaining, half: true }
                } else {
                    Self { kernel: half, vectors: 1, width: rest, half: false }
                }
            }
            _ => Self { kernel, vectors, width: remaining, half: false },
        }
    }

    /// Columns that the kernel's vectors span.
    #[inline]
    pub(crate) fn span(&self) -> usize {
        self.vectors * self.kernel.lanes
    }

    /// Columns of the last vector.
    #[inline]
    pub(crate) fn last(&self) -> usize {
        self.width - (self.vectors - 1) * self.kernel.lanes
    }

    /// The kernels of this width, by height.
    #[inline]
    pub(crate) fn tiles(&self) -> &'static [Multiply<T>] {
        let kernels = match self.half {
            true => self.kernel.mixed,
            false if self.is_edge() => self.kernel.edge,
            false => self.kernel.whole,
        };
        kernels[self.vectors - 1]
    }

    /// Whether this is what a packing kernel takes.
    pub(crate) fn is_whole_pair(&self) -> bool {
        self.vectors == 2 && !self.is_edge()
    }

    /// Whether the last vector is cut.
    #[inline]
    pub(crate) fn is_edge(&self) -> bool {
        self.width < self.span()
    }
}

/// The strips of a block: the column that each starts at, and its cut.
#[derive(Clone)]
pub(crate) struct Cuts<T: 'static> {
    pub(crate) kernel: &'static Kernel<T>,
    pub(crate) vectors: usize,
    pub(crate) next: usize,
    pub(crate) end: usize,
}

impl<T: Real> Cuts<T> {
    /// How many strips like `cut`, a strip of these, come next.
    pub(crate) fn alike(&self, cut: &Cut<T>) -> usize {
        if cut.is_edge() || cut.vectors < self.vectors {
            return 0;
        }
        let (strips, rest) = ((self.end - self.next) / cut.width, (self.end - self.next) % cut.width);
        let last_is_wider = strips > 0 && Cut::new(self.kernel, self.vectors, cut.width + rest).width > cut.width;
        strips - usize::from(last_is_wider)
    }
}

impl<T: Real> Iterator for Cuts<T> {
    type Item = (usize, Cut<T>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.end {
            return None;
        }
        let (column, cut) = (self.next, Cut::new(self.kernel, self.vectors, self.end - self.next));
        self.next += cut.width;
        Some((column, cut))
    }
}

/// `rows` cut into as few tiles of at most `most` rows as will do, as even as can be: `(rows of a tile, tiles)`, twice.
#[inline]
pub(crate) fn heights(rows: usize, most: usize) -> [(usize, usize); 2] {
    if rows <= most {
        return [(rows, 1), (0, 0)];
    }
    let tiles = rows.div_ceil(most);
    let (low, high) = (rows / tiles, rows % tiles);
    [(low + 1, high), (low, tiles - high)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_nearly_equal_and_add_up() {
        for most in 1..=24 {
            for rows in 1..200 {
                let [(high, first), (low, second)] = heights(rows, most);
                assert_eq!(high * first + low * second, rows);
                assert!((first == 0 || high <= most) && (second == 0 || low <= most && high == low + 1));
                assert_eq!(first + second, rows.div_ceil(most));
            }
        }
    }

    #[test]
    fn strips_cover_all_columns_and_idle_few_lanes() {
        for isa in crate::Isa::available() {
            let kernel = <f32 as crate::real::sealed::Sealed>::kernel(isa).expect("available");
            for vectors in [1, 2, 3, 4, 8] {
                for end in 1..300 {
                    let mut next = 0;
                    for (column, cut) in (Cuts { kernel, vectors, next: 0, end }) {
                        assert_eq!(column, next);
                        let rest = Cuts { kernel, vectors, next: next + cut.width, end };
                        let alike = rest.clone().take_while(|(_, other)| other.width == cut.width);
                        assert_eq!(
                            rest.alike(&cut),
                            if cut.vectors == vectors && !cut.is_edge() { alike.count() } else { 0 }
                        );
                        assert!(cut.vectors <= vectors.max(3) && cut.width <= cut.span());
                        assert!(cut.span() - cut.width < cut.kernel.lanes, "{isa}: {end} columns leave a vector idle");
                        assert!(!cut.half || cut.last() <= cut.kernel.half.expect("halves").lanes);
                        next += cut.width;
                    }
                    assert_eq!(next, end);
                }
            }
        }
    }
}
