//! The micro-kernel: tiles of C in registers, from the first k to the last.
//!
//! ```text
//!                       b: k rows, NV vectors of each   (b + p * b_depth)
//!                       +-----------------+
//!                       | b[0][0..width]  |
//!                       | b[1][0..width]  |
//!                       +-----------------+
//! a: MR rows, k deep    +-----------------+
//! +------------------+  |                 |
//! | a[0][0] a[0][1]..|  |  c: MR x width  |   row i at c + i * c_row
//! | a[1][0] a[1][1]..|  |                 |
//! +------------------+  +-----------------+
//!   element (i, p) at     the next tile of the run is MR rows below
//!   a + i * a_row + p * a_depth     or as many columns to the right
//! ```
//!
//! A's elements are broadcast one by one, so A may lie in memory anyhow; B's are read as vectors, so neighbouring columns
//! of B must be neighbours in memory.

use crate::pack::Taps;
use crate::simd::{Portable, Simd, Transpose};
use crate::thin::Columns;
use crate::{Isa, Real};

mod chains;
pub(crate) mod gather;
mod opaque;
mod prefetch;
mod run;
pub(crate) mod scanline;
mod steps;
mod table;
#[cfg(all(test, unix))]
mod tests;

pub(crate) use chains::chains;
pub(crate) use opaque::{opaque, opaque_here};
use prefetch::{NextTile, prefetch_beyond};
pub(crate) use prefetch::{prefetch, prefetch_far};
pub(crate) use run::{Ahead, Later, Run, Step};
pub(crate) use steps::{ASKING, UNROLL};
use steps::{asking_steps, steps};
pub(crate) use table::{kernel_table, last};

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512, Avx512Half, Window};
#[cfg(target_arch = "aarch64")]
use crate::simd::{Neon, Window};

/// Computes a run of tiles.
///
/// # Safety
/// The elements of A, B and C that the run reaches must be readable; C's must be writable, nobody else's, and
/// initialised unless `beta` is 0. What `ahead` says must be readable and writable.
pub(crate) type Multiply<T> = unsafe fn(run: &Run<'_, T>);

/// Computes a product of `m` rows and `n` columns whose operands are read in place; see [`crate::small`].
pub(crate) type Small<T> = unsafe fn(run: &mut Run<'_, T>, shape: (usize, usize));

/// Computes a product of few rows, `m`, and `n` columns whose operands are read in place; see [`crate::sweep`].
pub(crate) type Sweep<T> = unsafe fn(run: &Run<'_, T>, shape: (usize, usize));

/// Copies, transposes or thins out a part of an operand into a panel; see [`crate::pack`].
pub(crate) type Arrange<T> =
    unsafe fn(source: *const T, stride: isize, width: usize, len: usize, panel: *mut T, row: usize);

/// Copies rows of neighbouring strips into panels; see [`crate::pack::deal`].
pub(crate) type Deal<T> =
    unsafe fn(source: (*const T, isize), strips: (usize, usize), rows: (usize, bool), panels: (*mut T, usize));

/// Turns filters into the rows of a panel, tap by tap; see [`crate::pack::sort`].
pub(crate) type Sort<T> = unsafe fn(source: (*const T, isize), filters: (usize, usize), order: Taps, panel: *mut T);

/// What an instruction set offers.
pub struct Kernel<T: 'static> {
    /// Elements in a vector.
    pub(crate) lanes: usize,
    /// See [`Window::MASKS_ARE_FREE`](crate::simd::Window::MASKS_ARE_FREE).
    pub(crate) masks_are_free: bool,
    /// `whole[NV - 1][MR - 1]`: for tiles of whole vectors.
    pub(crate) whole: &'static [&'static [Multiply<T>]],
    /// `edge[NV - 1][MR - 1]`: for tiles whose last vector is cut.
    pub(crate) edge: &'static [&'static [Multiply<T>]],
    /// `mixed[NV - 1][MR - 1]`: for tiles whose last vector is of half the length, where there are such vectors.
    pub(crate) mixed: &'static [&'static [Multiply<T>]],
    /// As `whole`, for strips that stream.
    pub(crate) streaming: &'static [&'static [Multiply<T>]],
    /// `panel[MR - 1]`: two whole vectors wide, for packed strips.
    pub(crate) panel: &'static [Multiply<T>],
    /// `packing[NV - 2][MR - 1]`: for strips of whole vectors that are packed while the one before them is multiplied.
    pub(crate) packing: [&'static [Multiply<T>]; 2],
    /// `turning[MR - 1]`: three whole vectors wide, for strips that are transposed meanwhile.
    pub(crate) turning: &'static [Multiply<T>],
    /// Columns and rows of B that they transpose at once.
    pub(crate) turned: [usize; 2],
    /// `asking[MR - 1]`: three whole vectors wide, for strips that are asked for while the one before them is multiplied.
    pub(crate) asking: &'static [Multiply<T>],
    /// `gather[NV - 1][MR - 1]`: for tiles whose rows lie anywhere; see [`gather`].
    pub(crate) gather: &'static [&'static [gather::Collect<T>]],
    /// `scan[NV - 1][MR - 1]`: for tiles whose columns are neighbouring pixels; see [`scanline`].
    pub(crate) scan: &'static [&'static [scanline::Scan<T>]],
    /// A few rows, at most so many, times a matrix whose columns are contiguous; see [`crate::thin`].
    pub(crate) columns: unsafe fn(&Columns<T>),
    pub(crate) columns_rows: usize,
    pub(crate) small: Small<T>,
    /// A few rows times a matrix that comes from far away; see [`crate::sweep`].
    pub(crate) sweep: Sweep<T>,
    pub(crate) deal: Deal<T>,
    pub(crate) copy: Arrange<T>,
    pub(crate) transpose: Arrange<T>,
    pub(crate) every_second: Arrange<T>,
    pub(crate) sort: Sort<T>,
    /// Rounds of independent chains: their sum, and multiply-adds a round. See [`chains`].
    pub(crate) chains: fn(rounds: usize) -> (T, usize),
    /// Kernels with vectors of half the length, for the last few columns.
    pub(crate) half: Option<&'static Kernel<T>>,
}

impl<T> Kernel<T> {
    /// Whether there are tiles of three vectors for all products, not for flat ones alone.
    pub(crate) fn takes_wide(&self) -> bool {
        self.whole[2].len() > FLAT
    }
}

/// Tiles of three vectors that have no more rows are for flat products alone.
const FLAT: usize = 3;

/// The most elements that a tile of any kernel has.
pub(crate) const MAX_TILE: usize = 12 * 32;
/// The most rows or columns that a tile of any kernel has.
pub(crate) const MAX_SIDE: usize = 128;

/// The f32 kernels of an instruction set, where the CPU has it.
pub(crate) fn f32(isa: Isa) -> Option<&'static Kernel<f32>> {
    of(isa)
}

/// The f64 kernels of an instruction set, where the CPU has it.
pub(crate) fn f64(isa: Isa) -> Option<&'static Kernel<f64>> {
    of(isa)
}

#[cfg(target_arch = "x86_64")]
fn of<T: Real>(isa: Isa) -> Option<&'static Kernel<T>>
where
    Avx2: Transpose<T> + Window<T>,
    Avx512: Transpose<T> + Window<T>,
    Avx512Half: Window<T>,
{
    match isa {
        Isa::Portable => Some(Portable::detect().kernel()),
        Isa::Avx2 => Avx2::detect().map(Avx2::kernel),
        Isa::Avx512 => Avx512::detect().map(Avx512::kernel),
    }
}

#[cfg(target_arch = "aarch64")]
fn of<T: Real>(isa: Isa) -> Option<&'static Kernel<T>>
where
    Neon: Transpose<T> + Window<T>,
{
    match isa {
        Isa::Portable => Some(Portable::detect().kernel()),
        Isa::Neon => Neon::detect().map(Neon::kernel),
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn of<T: Real>(isa: Isa) -> Option<&'static Kernel<T>> {
    match isa {
        Isa::Portable => Some(Portable::detect().kernel()),
    }
}

/// The one micro-kernel: `C <- A B + beta C` on tiles of `MR` rows by `NV` vectors, each element one chain of fused
/// multiply-adds in k order that starts at `beta * c`. `END` says what the last vector is, of which `last` columns are
/// in the tile; `LOOK` says what is done about B beyond the tile.
///
/// # Safety
/// As [`Multiply`].
#[inline(always)]
pub(crate) unsafe fn tiles<T, S, P, const MR: usize, const NV: usize, const END: u8, const LOOK: u8>(
    (s, square): (S, P),
    run: &Run<'_, T>,
) where
    T: Real,
    S: Simd<T>,
    P: Transpose<T>,
{
    let &Run { tiles: count, k, a_row, a_depth, a_later: mut later, b_depth, b_later, beta, c_row, last, .. } = run;
    let mut ahead = run.ahead.filter(|_| matches!(LOOK, PACK | TURN | ASK)).copied().unwrap_or(Ahead::NONE);
    let ends = Ends::<T, S>::new::<END>(s, last);
    let (mut a_tile, mut b_tile, mut c_tile) = (run.a, run.b, run.c);
    let rows: [isize; GROUP] = std::array::from_fn(|i| if i == 0 { 0 } else { opaque(i as isize * a_row) });
    for left in (0..count).rev() {
        // So that the places of C's rows are computed where they are used, not kept on the stack.
        let c_row = opaque_here(c_row);
        let c_next = c_tile.wrapping_offset(run.c_tile);
        let mut c_later = NextTile::new::<MR>((c_next, c_row), NV * S::LANES, left > 0 && run.c_far);
        // SAFETY: the tile is the caller's.
        let mut acc = unsafe { start::<T, S, MR, NV, END>(s, beta, (c_tile, c_row), ends) };
        let mut a = groups::<T, MR, LOOK>(a_tile, a_row);
        let mut b = b_tile;
        let mut left = k;
        let mut asked = later;
        // SAFETY: the steps are `k` in all, and the caller vouches for that many; so it does for the rows ahead.
        unsafe {
            if LOOK == ASK {
                let (of_a, of_b) = ((&mut a, &rows, a_row, a_depth), (&mut b, b_depth, ends));
                let others = (&mut ahead, &mut asked, &mut c_later);
                left -= asking_steps::<T, S, MR, NV, END>(s, k, of_a, of_b, others, &mut acc);
            } else if matches!(LOOK, PACK | TURN) {
                for _ in 0..ahead.in_tile.min(ahead.pieces) {
                    let (of_a, of_b) = ((&mut a, &rows, a_row, a_depth), (&mut b, b_depth, b_later, ends));
                    steps::<T, S, MR, NV, END, LOOK>(s, ahead.gap, of_a, of_b, &mut acc);
                    match LOOK {
                        PACK => ahead.copy_row::<S, NV>(s),
                        _ => ahead.turn_piece(square, NV * S::LANES),
                    }
                    left -= ahead.gap;
                    asked.ask::<MR>();
                    c_later.ask();
                }
            }
            while left > 0 {
                let count = left.min(if c_later.is_done() { asked.stretch(k) } else { NextTile::<T>::STEPS });
                asked.ask::<MR>();
                c_later.ask();
                let (of_a, of_b) = ((&mut a, &rows, a_row, a_depth), (&mut b, b_depth, b_later, ends));
                steps::<T, S, MR, NV, END, LOOK>(s, count, of_a, of_b, &mut acc);
                left -= count;
            }
        }
        // SAFETY: as above.
        unsafe { finish::<T, S, MR, NV, END>(s, &acc, (c_tile, c_row), ends) };
        later = later.after(run.a_tile);
        a_tile = a_tile.wrapping_offset(run.a_tile);
        b_tile = b_tile.wrapping_offset(run.b_tile);
        c_tile = c_next;
    }
}

/// The first rows of the groups of a tile's rows of A.
#[inline(always)]
fn groups<T, const MR: usize, const LOOK: u8>(a_tile: *const T, a_row: isize) -> [*const T; MAX_GROUPS] {
    let mut a = [a_tile; MAX_GROUPS];
    for (g, a) in a.iter_mut().enumerate().take(MR.div_ceil(group(LOOK))).skip(1) {
        let row = a_tile.wrapping_offset((g * group(LOOK)) as isize * a_row);
        *a = row.with_addr(opaque(row.addr() as isize) as usize);
    }
    a
}

/// Which lanes of the last vector are in the tile, for vectors of either length.
pub(crate) struct Ends<T: Real, S: Simd<T>> {
    cut: S::Mask,
    half: <S::Narrow as Simd<T>>::Mask,
}

impl<T: Real, S: Simd<T>> Ends<T, S> {
    /// The first `last` lanes of the vector that `END` says; all lanes of the other.
    #[inline(always)]
    pub(crate) fn new<const END: u8>(s: S, last: usize) -> Self {
        let narrow = s.narrow();
        Self {
            cut: s.mask(if END == CUT { last } else { S::LANES }),
            half: narrow.mask(if END == HALF { last } else { <S::Narrow as Simd<T>>::LANES }),
        }
    }
}

impl<T: Real, S: Simd<T>> Clone for Ends<T, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: Real, S: Simd<T>> Copy for Ends<T, S> {}

/// Vector `j` of `NV`; of the last, the lanes in the tile.
///
/// # Safety
/// These elements must be readable.
#[inline(always)]
unsafe fn read<T: Real, S: Simd<T>, const NV: usize, const END: u8>(
    s: S,
    row: *const T,
    j: usize,
    ends: Ends<T, S>,
) -> S::Vector {
    let p = row.wrapping_add(j * S::LANES);
    // SAFETY: passed on from the caller.
    unsafe {
        match END {
            HALF if j == NV - 1 => s.widen(s.narrow().load_first(p, ends.half)),
            CUT if j == NV - 1 => s.load_first(p, ends.cut),
            _ => s.load(p),
        }
    }
}

/// Where the chains of a tile start: at `beta * c`, or at 0 without a look at C when `beta` is 0.
///
/// # Safety
/// Unless `beta` is 0, the tile of C must be readable.
#[inline(always)]
pub(crate) unsafe fn start<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const END: u8>(
    s: S,
    beta: T,
    (c, c_row): (*const T, isize),
    ends: Ends<T, S>,
) -> [[S::Vector; NV]; MR] {
    let mut acc = [[s.splat(T::ZERO); NV]; MR];
    if beta != T::ZERO {
        let beta = s.splat(beta);
        let mut start = c;
        for row in &mut acc {
            for (j, v) in row.iter_mut().enumerate() {
                // SAFETY: inside the tile.
                *v = s.mul(beta, unsafe { read::<T, S, NV, END>(s, start, j, ends) });
            }
            start = start.wrapping_offset(c_row);
        }
    }
    acc
}

/// Writes a tile.
///
/// # Safety
/// The tile of C must be writable.
#[inline(always)]
pub(crate) unsafe fn finish<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const END: u8>(
    s: S,
    acc: &[[S::Vector; NV]; MR],
    (c, c_row): (*mut T, isize),
    ends: Ends<T, S>,
) {
    let mut start = c;
    for row in acc {
        for (j, &v) in row.iter().enumerate() {
            let c = start.wrapping_add(j * S::LANES);
            // SAFETY: inside the tile.
            unsafe {
                match END {
                    HALF if j == NV - 1 => s.narrow().store_first(c, ends.half, s.low(v)),
                    CUT if j == NV - 1 => s.store_first(c, ends.cut, v),
                    _ => s.store(c, v),
                }
            }
        }
        start = start.wrapping_offset(c_row);
    }
}

/// Rows of A that share a pointer: fewer where the strip ahead needs registers, too.
const fn group(look: u8) -> usize {
    match look {
        PACK | TURN | ASK => 4,
        _ => GROUP,
    }
}

/// The most rows that share a pointer, and the most pointers.
const GROUP: usize = 6;
const MAX_GROUPS: usize = 4;

/// The last vector of a tile is whole.
pub(crate) const WHOLE: u8 = 0;
/// The last vector is cut.
pub(crate) const CUT: u8 = 1;
/// The last vector is one of half the length, whole or cut.
pub(crate) const HALF: u8 = 2;

/// Nothing.
pub(crate) const NEAR: u8 = 0;
/// Rows of another strip are packed: see [`Ahead`].
pub(crate) const PACK: u8 = 1;
/// The strips further right, which are read in place from far away, are asked for.
pub(crate) const STREAM: u8 = 2;
/// Pieces of another strip are transposed: see [`Ahead`].
pub(crate) const TURN: u8 = 5;
/// Nothing, and B is a panel.
pub(crate) const PANEL: u8 = 3;
/// Rows of another strip, which is read in place when its turn comes, are asked for: see [`Ahead`]; and those of this one are, from
/// the second level of cache, a few steps before.
pub(crate) const ASK: u8 = 4;
