//! Vectors of one instruction set, behind the few operations that a micro-kernel needs.
//!
//! Each token type ([`Portable`], `Avx2`, `Avx512`) is the proof that the CPU has its instructions: outside this folder
//! it is made by `detect` alone.

use crate::Real;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// The vector operations of one instruction set on elements `T`. Every operation acts lane by lane and rounds once,
/// so that all instruction sets agree to the bit.
pub(crate) trait Simd<T: Real>: Copy {
    /// A vector of [`Simd::LANES`] elements.
    type Vector: Copy;
    /// Elements in a vector.
    const LANES: usize;

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
}

/// Scalar code that is compiled once for each instruction set and left to the compiler to vectorise. Its `run`, and
/// all that it calls, must be `#[inline(always)]`: a function of its own would be compiled for the build's base set.
pub(crate) trait Vectorized {
    /// What the code returns.
    type Output;
    /// The code.
    fn run(self) -> Self::Output;
}

/// Implements [`Simd`] for an x86 token from the names of its vector type and intrinsics.
#[cfg(target_arch = "x86_64")]
macro_rules! x86_simd {
    ($token:ident, $t:ident, $vector:ident, $lanes:literal, $set1:ident, $mul:ident, $fmadd:ident, $loadu:ident, $storeu:ident) => {
        impl Simd<$t> for $token {
            type Vector = $vector;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(self, x: $t) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction.
                unsafe { $set1(x) }
            }
            #[inline(always)]
            fn mul(self, a: $vector, b: $vector) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            fn mul_add(self, a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction.
                unsafe { $fmadd(a, b, c) }
            }
            #[inline(always)]
            unsafe fn load(self, p: *const $t) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction; the caller vouches for the elements.
                unsafe { $loadu(p) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t, v: $vector) {
                // SAFETY: `self` proves that the CPU has the instruction; the caller vouches for the elements.
                unsafe { $storeu(p, v) };
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
use x86_simd;
