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
//!   element (i, p) at     the next tile of the strip is MR rows below
//!   a + i * a_row + p * a_depth
//! ```
//!
//! A's elements are broadcast one by one, so A may lie in memory anyhow; B's are read as vectors, so neighbouring columns
//! of B must be neighbours in memory.

use crate::simd::{Portable, Simd, Transpose};
use crate::thin::Columns;
use crate::{Isa, Real};

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};

/// Tiles of one height, one below the other, between one strip of B's columns and as many rows of A.
#[derive(Clone, Copy)]
pub(crate) struct Strip<T> {
    /// Tiles, each as high as the kernel.
    pub(crate) tiles: usize,
    /// Multiply-adds in each element's chain.
    pub(crate) k: usize,
    /// Element (0, 0) of A.
    pub(crate) a: *const T,
    /// From a row of A to the next.
    pub(crate) a_row: isize,
    /// From a column of A to the next.
    pub(crate) a_depth: isize,
    /// Element (0, 0) of B.
    pub(crate) b: *const T,
    /// From a row of B to the next.
    pub(crate) b_depth: isize,
    /// Where the chains start: at `beta * c`, or at 0 without a look at C when it is 0.
    pub(crate) beta: T,
    /// Element (0, 0) of C.
    pub(crate) c: *mut T,
    /// From a row of C to the next.
    pub(crate) c_row: isize,
    /// Columns in the last vector, for kernels of the edge.
    pub(crate) last: usize,
    /// Where packing kernels put the rows of B, one vector after the other.
    pub(crate) packed: *mut T,
}

/// Computes a strip.
///
/// # Safety
/// The elements of A, B and C that the strip reaches must be readable; C's must be writable, nobody else's, and
/// initialised unless `beta` is 0. `packed` must have room for what a packing kernel writes.
pub(crate) type Multiply<T> = unsafe fn(strip: &Strip<T>);

/// Copies or transposes a part of an operand into a panel; see [`crate::pack`].
pub(crate) type Arrange<T> =
    unsafe fn(source: *const T, stride: isize, width: usize, len: usize, panel: *mut T, row: usize);

/// What an instruction set offers.
pub struct Kernel<T: 'static> {
    /// Elements in a vector.
    pub(crate) lanes: usize,
    /// `whole[NV - 1][MR - 1]`: for strips of whole vectors.
    pub(crate) whole: &'static [&'static [Multiply<T>]],
    /// `edge[NV - 1][MR - 1]`: for strips whose last vector is cut.
    pub(crate) edge: &'static [&'static [Multiply<T>]],
    /// `packing[MR - 1]`: two whole vectors wide; the first row of tiles leaves a packed copy of B behind.
    pub(crate) packing: &'static [Multiply<T>],
    /// Columns of a row vector times a matrix whose columns are contiguous; see [`crate::thin`].
    pub(crate) columns: unsafe fn(&Columns<T>),
    pub(crate) copy: Arrange<T>,
    pub(crate) transpose: Arrange<T>,
    /// Rounds of independent chains: their sum, and multiply-adds a round. See [`chains`].
    pub(crate) chains: fn(rounds: usize) -> (T, usize),
    /// Kernels with vectors of half the length, for the last few columns.
    pub(crate) half: Option<&'static Kernel<T>>,
}

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
    Avx2: Transpose<T>,
    Avx512: Simd<T>,
{
    match isa {
        Isa::Portable => Some(Portable::detect().kernel()),
        Isa::Avx2 => Avx2::detect().map(Avx2::kernel),
        Isa::Avx512 => Avx512::detect().map(Avx512::kernel),
    }
}

/// The one micro-kernel: `C <- A B + beta C` on tiles of `MR` rows by `NV` vectors, each element one chain of fused
/// multiply-adds in k order that starts at `beta * c`. `EDGE` cuts the last vector to `last` columns; `PACK` copies the
/// rows of B to `packed` on the way.
///
/// # Safety
/// As [`Multiply`].
#[inline(always)]
pub(crate) unsafe fn strip<T: Real, S: Simd<T>, const MR: usize, const NV: usize, const EDGE: bool, const PACK: bool>(
    s: S,
    strip: &Strip<T>,
) {
    let &Strip { tiles, k, a, a_row, a_depth, b, b_depth, beta, c, c_row, last, packed } = strip;
    let mask = s.mask(if EDGE { last } else { S::LANES });
    let cut = |j: usize| EDGE && j == NV - 1;
    let (mut a_tile, mut c_tile) = (a, c);
    let rows: [isize; GROUP] = std::array::from_fn(|i| opaque(i as isize * a_row));
    for _ in 0..tiles {
        let c_next = c_tile.wrapping_offset(MR as isize * c_row);
        let element = |i: usize, j: usize| c_tile.wrapping_offset(i as isize * c_row).wrapping_add(j * S::LANES);
        for i in 0..MR {
            prefetch(c_next.wrapping_offset(i as isize * c_row), NV * S::LANES);
        }
        let mut acc = [[s.splat(T::ZERO); NV]; MR];
        if beta != T::ZERO {
            let beta = s.splat(beta);
            for (i, row) in acc.iter_mut().enumerate() {
                for (j, v) in row.iter_mut().enumerate() {
                    // SAFETY: inside the strip, which the caller vouches for.
                    let c = unsafe { if cut(j) { s.load_first(element(i, j), mask) } else { s.load(element(i, j)) } };
                    *v = s.mul(beta, c);
                }
            }
        }
        let mut a = [a_tile; MAX_GROUPS];
        for (g, a) in a.iter_mut().enumerate().take(MR.div_ceil(GROUP)).skip(1) {
            *a = a_tile.wrapping_offset(opaque((g * GROUP) as isize * a_row));
        }
        let (mut b, mut packed) = (b, packed);
        for _ in 0..k {
            // SAFETY: `MR` elements of a column of A and a row of B's strip, which the caller vouches for; `packed` has
            // room for as many rows.
            unsafe {
                let bs: [S::Vector; NV] = std::array::from_fn(|j| {
                    let b = b.add(j * S::LANES);
                    if cut(j) { s.load_first(b, mask) } else { s.load(b) }
                });
                if PACK {
                    prefetch(b.wrapping_offset(PACK_AHEAD * b_depth), NV * S::LANES);
                    for (j, &v) in bs.iter().enumerate() {
                        s.store(packed.add(j * S::LANES), v);
                    }
                    packed = packed.add(NV * S::LANES);
                }
                for (i, row) in acc.iter_mut().enumerate() {
                    let ai = s.splat(*a[i / GROUP].offset(rows[i % GROUP]));
                    for (v, &bj) in row.iter_mut().zip(&bs) {
                        *v = s.mul_add(ai, bj, *v);
                    }
                }
            }
            for a in a.iter_mut().take(MR.div_ceil(GROUP)) {
                *a = a.wrapping_offset(a_depth);
            }
            b = b.wrapping_offset(b_depth);
        }
        for (i, row) in acc.iter().enumerate() {
            for (j, &v) in row.iter().enumerate() {
                // SAFETY: inside the strip.
                unsafe { if cut(j) { s.store_first(element(i, j), mask, v) } else { s.store(element(i, j), v) } };
            }
        }
        a_tile = a_tile.wrapping_offset(MR as isize * a_row);
        c_tile = c_next;
    }
}

/// Rows of A that share a pointer, and the most pointers.
const GROUP: usize = 6;
const MAX_GROUPS: usize = 4;

/// `x`, whose origin the compiler does not see. Left to itself, it walks through a column of A by adding the stride once
/// a row, and the chain of additions takes longer than the multiply-adds; offsets that it cannot derive from one another
/// it keeps in registers.
#[inline(always)]
fn opaque(mut x: isize) -> isize {
    // SAFETY: no instruction.
    unsafe { std::arch::asm!("/* {0} */", inout(reg) x, options(pure, nomem, nostack, preserves_flags)) };
    x
}

/// How many rows ahead a packing kernel asks for B: they lie far apart, where no hardware prefetcher looks.
const PACK_AHEAD: isize = 8;

/// Asks for the cache lines of `len` elements at `p`, which need not be there.
#[inline(always)]
pub(crate) fn prefetch<T>(p: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (p, len);
}

/// `N` independent chains of multiply-adds, `rounds` long: enough of them to hide the latency, few enough to stay in
/// registers. Returns a sum, so that nothing is optimised away, and the multiply-adds of a round.
#[inline(always)]
pub(crate) fn chains<T: Real, S: Simd<T>, const N: usize>(s: S, rounds: usize) -> (T, usize) {
    let factor = s.splat(T::from_f64(std::hint::black_box(0.5)));
    let addend = s.splat(T::from_f64(std::hint::black_box(0.25)));
    let mut acc = [addend; N];
    for _ in 0..rounds {
        for v in &mut acc {
            *v = s.mul_add(*v, factor, addend);
        }
    }
    let mut lanes = [T::ZERO; MAX_SIDE];
    let mut sum = T::ZERO;
    for v in acc {
        // SAFETY: the buffer is longer than the longest vector.
        unsafe { s.store(lanes.as_mut_ptr(), v) };
        sum += lanes[0];
    }
    (sum, N * S::LANES)
}

/// Gives a token its kernels: those one vector wide for the first list of heights, two for the second, two of which the
/// last is cut for the third, and flatter ones that are wider. A macro, because `#[target_feature]` cannot be generic and constants cannot be looped over in types.
macro_rules! kernel_table {
    (
        $token:ident,
        [$($attribute:meta)?],
        narrow: $narrow:ident,
        half: $half:expr,
        one: [$($one:literal)+],
        two: [$($two:literal)+],
        cut: [$($cut:literal)+]
    ) => {
        impl $token {
            /// The kernels of this set.
            pub(crate) fn kernel<T: Real>(self) -> &'static Kernel<T>
            where
                $token: Simd<T>,
                $narrow: Transpose<T>,
            {
                table()
            }
        }

        /// The kernels, for who has the proof.
        pub(super) const fn table<T: Real>() -> &'static Kernel<T>
        where
            $token: Simd<T>,
            $narrow: Transpose<T>,
        {
            const {
                &Kernel {
                    lanes: <$token as Simd<T>>::LANES,
                    whole: &[
                        &[$(strip::<T, $one, 1, false, false>),+],
                        &[$(strip::<T, $two, 2, false, false>),+],
                        &[strip::<T, 1, 3, false, false>, strip::<T, 2, 3, false, false>, strip::<T, 3, 3, false, false>],
                        &[strip::<T, 1, 4, false, false>, strip::<T, 2, 4, false, false>],
                        &[strip::<T, 1, 5, false, false>],
                        &[strip::<T, 1, 6, false, false>],
                        &[strip::<T, 1, 7, false, false>],
                        &[strip::<T, 1, 8, false, false>],
                    ],
                    edge: &[
                        &[$(strip::<T, $one, 1, true, false>),+],
                        &[$(strip::<T, $cut, 2, true, false>),+],
                        &[strip::<T, 1, 3, true, false>, strip::<T, 2, 3, true, false>, strip::<T, 3, 3, true, false>],
                        &[strip::<T, 1, 4, true, false>, strip::<T, 2, 4, true, false>],
                        &[strip::<T, 1, 5, true, false>],
                        &[strip::<T, 1, 6, true, false>],
                        &[strip::<T, 1, 7, true, false>],
                        &[strip::<T, 1, 8, true, false>],
                    ],
                    packing: &[$(strip::<T, $two, 2, false, true>),+],
                    columns: columns::<T>,
                    copy: copy::<T>,
                    transpose: transpose::<T>,
                    chains: chains_entry::<T>,
                    half: $half,
                }
            }
        }

        /// # Safety
        /// As [`Multiply`](crate::kernel::Multiply); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn strip<T: Real, const MR: usize, const NV: usize, const EDGE: bool, const PACK: bool>(
            strip: &$crate::kernel::Strip<T>,
        ) where
            $token: Simd<T>,
        {
            // SAFETY: passed on from the caller; the token's `kernel` alone hands this function out.
            unsafe { $crate::kernel::strip::<T, $token, MR, NV, EDGE, PACK>($token(()), strip) }
        }

        /// # Safety
        /// As [`thin::columns`](crate::thin::columns); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn columns<T: Real>(job: &$crate::thin::Columns<T>)
        where
            $narrow: Transpose<T>,
        {
            // SAFETY: as for `strip`.
            unsafe { $crate::thin::columns::<T, $narrow>($narrow(()), job) }
        }

        /// # Safety
        /// As [`Arrange`](crate::kernel::Arrange); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn copy<T: Real>(source: *const T, stride: isize, width: usize, len: usize, panel: *mut T, row: usize)
        where
            $token: Simd<T>,
        {
            // SAFETY: as for `strip`.
            unsafe { $crate::pack::copy::<T, $token>($token(()), source, stride, width, len, panel, row) }
        }

        /// # Safety
        /// As [`Arrange`](crate::kernel::Arrange); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn transpose<T: Real>(
            source: *const T,
            stride: isize,
            width: usize,
            len: usize,
            panel: *mut T,
            row: usize,
        ) where
            $narrow: Transpose<T>,
        {
            // SAFETY: as for `strip`.
            unsafe { $crate::pack::transpose::<T, $narrow>($narrow(()), source, stride, width, len, panel, row) }
        }

        fn chains_entry<T: Real>(rounds: usize) -> (T, usize)
        where
            $token: Simd<T>,
        {
            $(#[$attribute])?
            fn chains<T: Real>(s: $token, rounds: usize) -> (T, usize)
            where
                $token: Simd<T>,
            {
                $crate::kernel::chains::<T, $token, { [$($one),+].len() }>(s, rounds)
            }
            // SAFETY: as for `strip`.
            #[allow(unused_unsafe)] // the portable set needs no proof
            unsafe {
                chains($token(()), rounds)
            }
        }
    };
}
pub(crate) use kernel_table;
