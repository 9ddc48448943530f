//! AVX2 and FMA: sixteen vectors of 256 bits.

use std::arch::x86_64::*;

use super::{Simd, Vectorized, x86_simd};
use crate::Real;
use crate::kernel::{self, Kernel};

/// The proof that the CPU has AVX2 and FMA.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

x86_simd!(Avx2, f32, __m256, 8, _mm256_set1_ps, _mm256_mul_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps);
x86_simd!(Avx2, f64, __m256d, 4, _mm256_set1_pd, _mm256_mul_pd, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_storeu_pd);

/// Rows of a tile and vectors across it: 12 accumulators, 2 vectors of B and a broadcast of A fill the registers.
const MR: usize = 6;
const NV: usize = 2;

impl Avx2 {
    /// The proof, where the CPU and the operating system can give it.
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }

    /// The micro-kernel, 6 rows by 2 vectors.
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

#[target_feature(enable = "avx2,fma")]
fn run<V: Vectorized>(task: V) -> V::Output {
    task.run()
}

/// # Safety
/// As [`kernel::multiply`]; and the CPU has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply<T: Real>(k: usize, a: *const T, b: *const T, beta: T, c: *mut T, row_stride: usize)
where
    Avx2: Simd<T>,
{
    // SAFETY: passed on from the caller; only [`Avx2::kernel`], which has the proof, hands this function out.
    unsafe { kernel::multiply::<T, Avx2, MR, NV>(Avx2(()), k, a, b, beta, c, row_stride) }
}

fn chains_entry<T: Real>(rounds: usize) -> (T, usize)
where
    Avx2: Simd<T>,
{
    // SAFETY: only [`Avx2::kernel`], which has the proof, hands this function out.
    unsafe { chains(Avx2(()), rounds) }
}

#[target_feature(enable = "avx2,fma")]
fn chains<T: Real>(s: Avx2, rounds: usize) -> (T, usize)
where
    Avx2: Simd<T>,
{
    kernel::chains::<T, Avx2, { MR * NV }>(s, rounds)
}
