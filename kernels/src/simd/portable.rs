//! Plain Rust on arrays: for CPUs without a set of their own here, and to check the others against.

use super::{Simd, Vectorized};
use crate::Real;
use crate::kernel::{self, Kernel};

/// Needs no instructions beyond the build's own.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

const MR: usize = 4;
const NV: usize = 2;
const LANES: usize = 4;

impl<T: Real> Simd<T> for Portable {
    type Vector = [T; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, x: T) -> [T; LANES] {
        [x; LANES]
    }
    #[inline(always)]
    fn mul(self, a: [T; LANES], b: [T; LANES]) -> [T; LANES] {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: [T; LANES], b: [T; LANES], c: [T; LANES]) -> [T; LANES] {
        std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
    }
    #[inline(always)]
    unsafe fn load(self, p: *const T) -> [T; LANES] {
        // SAFETY: the caller vouches for the elements; an array of elements is aligned like one element.
        unsafe { p.cast::<[T; LANES]>().read() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T, v: [T; LANES]) {
        // SAFETY: as in `load`.
        unsafe { p.cast::<[T; LANES]>().write(v) };
    }
}

impl Portable {
    /// The micro-kernel, 4 rows by 8 columns.
    pub(crate) fn kernel<T: Real>(self) -> Kernel<T> {
        Kernel::new::<MR, { NV * LANES }>(multiply::<T>, |rounds| kernel::chains::<T, Self, { MR * NV }>(Self, rounds))
    }

    /// Runs `task` compiled for the build's base instructions.
    pub(crate) fn run<V: Vectorized>(self, task: V) -> V::Output {
        task.run()
    }
}

/// # Safety
/// As [`kernel::multiply`].
unsafe fn multiply<T: Real>(k: usize, a: *const T, b: *const T, beta: T, c: *mut T, row_stride: usize) {
    // SAFETY: passed on from the caller.
    unsafe { kernel::multiply::<T, Portable, MR, NV>(Portable, k, a, b, beta, c, row_stride) }
}
