//! What plans turn on, as measured: see the records of benchmarks.

use std::ops::RangeInclusive;

/// Up to this depth, writing C is what takes the time.
pub(crate) const SHORT: usize = 128;
/// Depths at which C had better not be asked for where the third level is far away.
pub(super) const C_UNASKED: RangeInclusive<usize> = 24..=64;
/// Rows that are read at once from far away: half as many as a set of the first-level cache has lines, since rows a power
/// of two apart share one.
pub(crate) const STREAMS: usize = 4;
/// Rows that may share a set of the first-level cache.
pub(super) const FEW_WAYS: usize = 6;
/// Ways of the first level that B and C need beside rows of A that share a set.
pub(super) const WAYS_FOR_B: usize = 4;
/// Up to this many rows, B is not worth packing for tall tiles, wherever it is.
pub(crate) const FEW_ROWS: usize = 16;
/// As [`FEW_ROWS`], of long rows of B that come from a third level far away.
pub(super) const FEW_FROM_AFAR: usize = 24;
/// Pages from which rows of B come side by side: of 32 or more, a core loses sight.
pub(super) const FEW_PAGES: usize = 24;
/// Up to this many rows, a B that the second level does not hold is better streamed than packed for tall tiles; up to twice as many
/// where the first level is small and rows of B are long.
pub(super) const SOME_ROWS: usize = 96;

/// Up to so many rows, B is not worth packing in wide strips.
pub(super) const FEW_FOR_WIDE: usize = 128;
/// Up to so many, nor is it if its rows begin where cache lines do and the second level holds all of it.
pub(super) const SOME_FOR_WIDE: usize = 1024;

/// From so many rows on, wide strips of a B that lies along cache lines are better packed in passing than asked for.
pub(super) const FEWEST_PASSED: usize = 56;
/// Up to so many rows, and so many bytes of a column of A, wide strips of B are packed in passing.
pub(super) const MOST_PASSED: usize = 512;
pub(super) const PASSED_BYTES: usize = 3072;
/// From so many rows on, wide strips of a B whose columns are contiguous are transposed in passing, so deep at most.
pub(super) const TURNED_ROWS: usize = 48;
pub(super) const TURNED_DEEP: usize = 1024;

/// Up to this many rows, a B that no cache holds is better packed in passing.
pub(super) const MORE_ROWS: usize = 256;

/// From so many rows on, rows of B that share sets of the first level are better packed, however few they are.
pub(super) const MANY_ROWS: usize = 768;
/// Bytes of a column of A from which on they are so where first and second level are middling.
pub(super) const SOME_BYTES: usize = 768;

/// Up to so many columns for each byte of an element, reading the transposed A that they meet takes longer than multiplying.
pub(super) const FEW_FOR_A_BYTE: usize = 4;
/// Bytes of a row of B, up to which the transposed A had better stream past where the first level is small.
pub(super) const FEW_BESIDE: usize = 256;

/// Bytes of a row of B, up to which the transposed A had better be met in place where wide strips of it can be.
pub(super) const FEW_TURNED: usize = 400;

/// Bytes of a row of B, up to which a shallow transposed A had better be met in place; half of it where columns share sets.
pub(super) const BESIDE_COLUMNS: usize = 1024;
/// Rows of a shallow A that are packed together.
pub(super) const SHALLOW_ROWS: usize = 192;

/// Bytes of depth to which few rows of the transposed A are packed where the second level keeps B.
pub(super) const DEPTH_OF_COLUMNS: usize = 1024;

/// Rows of A in a block that few columns meet, as long as the second level can take.
pub(super) const FEW_LONG: usize = 48;

/// The most columns that are few beside the rows of a tall product.
pub(super) const NARROW: usize = 128;

/// Vectors across the strips of a block of B that stays in a large second level: tiles of 8 rows ask for fewer elements of A and B a
/// multiply-add, in fewer instructions, than those of 12.
pub(crate) const WIDE: usize = 3;

/// Tiles of fewer rows are flat: few accumulators for each element of C that they read and write.
pub(super) const TALL: usize = 12;
