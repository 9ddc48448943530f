//! AVX2 and FMA: sixteen vectors of 256 bits.

use std::arch::x86_64::*;

use super::x86::{x86_simd, x86_token};
use super::{Simd, Vectorized};
use crate::Real;
use crate::kernel::{self, Kernel};

/// Rows of a tile and vectors across it: 12 accumulators, 2 vectors of B and a broadcast of A fit the registers.
const MR: usize = 6;
const NV: usize = 2;

x86_token!(Avx2, "avx2,fma", "avx2", "fma");

x86_simd!(Avx2, f32, __m256, 8, _mm256_set1_ps, _mm256_mul_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps);
x86_simd!(Avx2, f64, __m256d, 4, _mm256_set1_pd, _mm256_mul_pd, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_storeu_pd);
