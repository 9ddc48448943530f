//! Vectors of one instruction set, behind the few operations that the kernels need.
//!
//! Each token type ([`Portable`], `Avx2`, `Avx512`, `Neon`) is the proof that the CPU has its instructions: outside this
//! folder it is made by `detect` alone.

use crate::Real;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::{Avx512, Avx512Half};
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;

/// The vector operations of one instruction set on elements `T`. Every operation acts lane by lane and rounds once,
/// so that all instruction sets agree to the bit.
pub(crate) trait Simd<T: Real>: Copy {
    /// A vector of [`Simd::LANES`] elements.
    type Vector: Copy;
    /// The first few lanes of a vector.
    type Mask: Copy;
    /// Vectors of half the length, or the set itself where it has none.
    type Narrow: Simd<T>;
    /// Elements in a vector.
    const LANES: usize;

    /// The set with half the length.
    fn narrow(self) -> Self::Narrow;
    /// All lanes equal to `x`, in vectors of both lengths.
    fn splats(self, x: T) -> (Self::Vector, <Self::Narrow as Simd<T>>::Vector);
    /// The first half of a vector, or all of it where there are no halves.
    fn low(self, v: Self::Vector) -> <Self::Narrow as Simd<T>>::Vector;
    /// A vector that starts with `v`.
    fn widen(self, v: <Self::Narrow as Simd<T>>::Vector) -> Self::Vector;

    /// All lanes equal to `x`.
    fn splat(self, x: T) -> Self::Vector;
    /// `a * b`.
    fn mul(self, a: Self::Vector, b: Self::Vector) -> Self::Vector;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
    /// Reads a vector from `LANES` elements at `p`.
    ///
    /// # Safety
    /// The elements must be readable.
    unsafe fn load(self, p: *const T) -> Self::Vector;
    /// Writes a vector to `LANES` elements at `p`.
    ///
    /// # Safety
    /// The elements must be writable.
    unsafe fn store(self, p: *mut T, v: Self::Vector);

    /// The first `count` lanes, 1 to `LANES` of them.
    fn mask(self, count: usize) -> Self::Mask;
    /// Reads the lanes of `mask` from `p`; the others are 0, and their elements are not touched.
    ///
    /// # Safety
    /// The elements of the lanes must be readable.
    unsafe fn load_first(self, p: *const T, mask: Self::Mask) -> Self::Vector;
    /// Writes the lanes of `mask` to `p` and touches nothing else.
    ///
    /// # Safety
    /// The elements of the lanes must be writable.
    unsafe fn store_first(self, p: *mut T, mask: Self::Mask, v: Self::Vector);
}

/// Vectors of which a few neighbouring lanes take part.
pub(crate) trait Window<T: Real>: Simd<T> {
    /// These lanes.
    type Within: Copy;
    /// Whether operations on a few lanes take no more time and registers than those on all.
    const MASKS_ARE_FREE: bool = false;

    /// The lanes from `first` to before `end`, which may be none; `end` is at most `LANES`.
    fn window(self, first: usize, end: usize) -> Self::Within;
    /// Reads the lanes of a window; the others are 0, and their elements, of those from `p` on, are not touched.
    ///
    /// # Safety
    /// The elements of the lanes must be readable.
    unsafe fn load_within(self, p: *const T, window: Self::Within) -> Self::Vector;
    /// `a * b + c`, rounded once, in the lanes of a window, and `c` in the others.
    fn mul_add_within(self, window: Self::Within, a: Self::Vector, b: Self::Vector, c: Self::Vector) -> Self::Vector;
}

/// A set without vectors of half the length.
macro_rules! no_halves {
    ($t:ty) => {
        type Narrow = Self;

        #[inline(always)]
        fn narrow(self) -> Self {
            self
        }
        #[inline(always)]
        fn splats(self, x: $t) -> (Self::Vector, Self::Vector) {
            let v = self.splat(x);
            (v, v)
        }
        #[inline(always)]
        fn low(self, v: Self::Vector) -> Self::Vector {
            v
        }
        #[inline(always)]
        fn widen(self, v: Self::Vector) -> Self::Vector {
            v
        }
    };
}
use no_halves;

/// Vectors whose elements can be rearranged.
pub(crate) trait Transpose<T: Real>: Simd<T> {
    /// A few vectors.
    type Columns: AsRef<[Self::Vector]>;
    /// How many.
    const COLUMNS: usize;
    /// The most vectors of sums that fit the registers beside them.
    const ROWS: usize;
    /// Whether some rows are read as fast as all of them.
    const SOME_IS_FAST: bool = false;

    /// Reads `LANES` rows of `COLUMNS` neighbouring elements, `stride` elements apart, and returns their columns.
    ///
    /// # Safety
    /// The elements must be readable.
    unsafe fn load_columns(self, p: *const T, stride: isize) -> Self::Columns;

    /// As [`Transpose::load_columns`], of `rows` rows and `columns` columns, at least one and not all of them. The lanes and
    /// the columns beyond hold anything.
    ///
    /// # Safety
    /// The elements must be readable.
    #[inline(always)]
    unsafe fn load_some_columns(self, p: *const T, stride: isize, rows: usize, columns: usize) -> Self::Columns {
        let mut room = [T::ZERO; MOST_MOVED];
        for i in 0..rows {
            for j in 0..columns {
                // SAFETY: an element that the caller vouches for.
                room[i * Self::COLUMNS + j] = unsafe { *p.offset(i as isize * stride).add(j) };
            }
        }
        const { assert!(Self::LANES * Self::COLUMNS <= MOST_MOVED) };
        // SAFETY: the room has all rows and columns.
        unsafe { self.load_columns(room.as_ptr(), Self::COLUMNS as isize) }
    }

    /// Rows that [`Transpose::turn`] takes.
    const FEW: usize = 2;

    /// Writes `COLUMNS` neighbours of each of [`Transpose::FEW`] rows, `stride` elements apart, as columns of rows that are `span`
    /// elements apart.
    ///
    /// # Safety
    /// The elements must be readable, and their places writable.
    #[inline(always)]
    unsafe fn turn(self, (from, stride): (*const T, isize), (to, span): (*mut T, usize)) {
        for k in 0..Self::COLUMNS {
            for i in 0..Self::FEW {
                // SAFETY: an element that the caller vouches for.
                unsafe { *to.add(k * span + i) = *from.offset(i as isize * stride).add(k) };
            }
        }
    }

    /// Reads every second element from `p` on, and no further than the last of them.
    ///
    /// # Safety
    /// These elements, and those between them, must be readable.
    unsafe fn load_every_second(self, p: *const T) -> Self::Vector;
}

/// The most elements that are rearranged at once where they have to be gathered one by one.
const MOST_MOVED: usize = 64;

/// Scalar code that is compiled once for each instruction set and left to the compiler to vectorise. Its `run`, and
/// all that it calls, must be `#[inline(always)]`: a function of its own would be compiled for the build's base set.
pub(crate) trait Vectorized {
    /// What the code returns.
    type Output;
    /// The code.
    fn run(self) -> Self::Output;
}
