//! AVX-512F: thirty-two vectors of 512 bits.

use std::arch::x86_64::*;

use super::x86::{x86_simd, x86_token};
use super::{Simd, Vectorized};
use crate::Real;
use crate::kernel::{self, Kernel};

/// Rows of a tile and vectors across it: 24 accumulators, 2 vectors of B and a broadcast of A fit the registers.
const MR: usize = 12;
const NV: usize = 2;

x86_token!(Avx512, "avx512f", "avx512f");

x86_simd!(Avx512, f32, __m512, 16, _mm512_set1_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_storeu_ps);
x86_simd!(Avx512, f64, __m512d, 8, _mm512_set1_pd, _mm512_mul_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_storeu_pd);
