//! AVX-512F: thirty-two vectors of 512 bits.

use std::arch::x86_64::*;

use super::{Simd, Vectorized, x86_simd};
use crate::Real;
use crate::kernel::{self, Kernel};

/// The proof that the CPU has AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

x86_simd!(Avx512, f32, __m512, 16, _mm512_set1_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_storeu_ps);
x86_simd!(Avx512, f64, __m512d, 8, _mm512_set1_pd, _mm512_mul_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_storeu_pd);

/// Rows of a tile and vectors across it: 24 accumulators, 2 vectors of B and a broadcast of A fill the registers.
const MR: usize = 12;
const NV: usize = 2;

impl Avx512 {
    /// The proof, where the CPU and the operating system can give it.
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f")).then_some(Self(()))
    }

    /// The micro-kernel, 12 rows by 2 vectors.
    pub(crate) fn kernel<T: Real, const NR: usize>(self) -> Kernel<T>
    where
        Self: Simd<T>,
    {
        const { assert!(NR == NV * <Self as Simd<T>>::LANES) };
        Kernel::new::<MR, NR>(multiply::<T>, chains_entry::<T>)
    }

    /// Runs `task` compiled for these instructions.
    pub(crate) fn run<V: Vectorized>(self, task: V) -> V::Output {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { run(task) }
    }
}

#[target_feature(enable = "avx512f")]
fn run<V: Vectorized>(task: V) -> V::Output {
    task.run()
}

/// # Safety
/// As [`kernel::multiply`]; and the CPU has AVX-512F.
#[target_feature(enable = "avx512f")]
unsafe fn multiply<T: Real>(k: usize, a: *const T, b: *const T, beta: T, c: *mut T, row_stride: usize)
where
    Avx512: Simd<T>,
{
    // SAFETY: passed on from the caller; only [`Avx512::kernel`], which has the proof, hands this function out.
    unsafe { kernel::multiply::<T, Avx512, MR, NV>(Avx512(()), k, a, b, beta, c, row_stride) }
}

fn chains_entry<T: Real>(rounds: usize) -> (T, usize)
where
    Avx512: Simd<T>,
{
    // SAFETY: only [`Avx512::kernel`], which has the proof, hands this function out.
    unsafe { chains(Avx512(()), rounds) }
}

#[target_feature(enable = "avx512f")]
fn chains<T: Real>(s: Avx512, rounds: usize) -> (T, usize)
where
    Avx512: Simd<T>,
{
    kernel::chains::<T, Avx512, { MR * NV }>(s, rounds)
}
