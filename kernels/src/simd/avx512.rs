//! AVX-512F: thirty-two vectors of 512 bits.

use std::arch::x86_64::*;

use super::avx2::{self, Avx2};
use super::x86::{x86_arithmetic, x86_token};
use super::{Simd, Transpose, Vectorized};
use crate::Real;
use crate::kernel::{Kernel, kernel_table};

x86_token!(Avx512, "avx512f,avx2,fma", "avx512f", "avx2", "fma");

// 24 accumulators, the vectors of B and a broadcast of A fit the registers. On cores that split 512-bit operations, half
// a vector takes half the time; on others it costs nothing. So AVX2, of which this token is a proof as well, has the
// last few columns.
kernel_table!(
    Avx512,
    [target_feature(enable = "avx512f,avx2,fma")],
    narrow: Avx2,
    half: Some(avx2::table()),
    one: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
    two: [1 2 3 4 5 6 7 8 9 10 11 12],
    cut: [1 2 3 4 5 6 7 8 9 10 11 12]
);

impl Simd<f32> for Avx512 {
    x86_arithmetic!(f32, __m512, 16, _mm512_set1_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_storeu_ps);
    type Mask = __mmask16;

    #[inline(always)]
    fn mask(self, count: usize) -> __mmask16 {
        u16::MAX >> (16 - count)
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, mask: __mmask16) -> __m512 {
        // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
        unsafe { _mm512_maskz_loadu_ps(mask, p) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, mask: __mmask16, v: __m512) {
        // SAFETY: as in `load_first`.
        unsafe { _mm512_mask_storeu_ps(p, mask, v) };
    }
}

impl Simd<f64> for Avx512 {
    x86_arithmetic!(f64, __m512d, 8, _mm512_set1_pd, _mm512_mul_pd, _mm512_fmadd_pd, _mm512_loadu_pd, _mm512_storeu_pd);
    type Mask = __mmask8;

    #[inline(always)]
    fn mask(self, count: usize) -> __mmask8 {
        u8::MAX >> (8 - count)
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f64, mask: __mmask8) -> __m512d {
        // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
        unsafe { _mm512_maskz_loadu_pd(mask, p) }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, mask: __mmask8, v: __m512d) {
        // SAFETY: as in `load_first`.
        unsafe { _mm512_mask_storeu_pd(p, mask, v) };
    }
}
