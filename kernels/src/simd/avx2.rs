//! AVX2 and FMA: sixteen vectors of 256 bits.

use std::arch::x86_64::*;

use super::x86::{x86_arithmetic, x86_token};
use super::{Simd, Transpose, Vectorized, Window, no_halves};
use crate::Real;
use crate::kernel::{Kernel, kernel_table};

x86_token!(Avx2, "avx2,fma", "avx2", "fma");

// 12 accumulators, the vectors of B and a broadcast of A fill the registers; a mask takes one more.
kernel_table!(
    Avx2,
    [target_feature(enable = "avx2,fma")],
    narrow: Avx2,
    squares: Avx2,
    half: [],
    one: [1 2 3 4 5 6 7 8 9 10 11 12],
    two: [1 2 3 4 5 6],
    three: [1 2 3],
    cut: [1 2 3 4 5],
    cut_three: [1 2 3],
    mixed: []
);

/// The first lanes of a vector: all bits set in each of them, and how many there are.
#[derive(Clone, Copy)]
pub(crate) struct Mask {
    lanes: __m256i,
    count: usize,
}

/// The mask whose first `8 - from` lanes of 32 bits are set.
///
/// # Safety
/// `from` is at most 8.
#[inline(always)]
unsafe fn lanes(_: Avx2, from: usize) -> __m256i {
    static WINDOW: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    // SAFETY: the token proves the instruction; eight elements from `from` on lie in the window.
    unsafe { _mm256_loadu_si256(WINDOW.as_ptr().add(from).cast()) }
}

/// [`Window`] from the names of intrinsics; `$words` lanes of 32 bits make one of an element.
macro_rules! window {
    ($t:ident, $vector:ident, $words:literal, $load:ident, $fma:ident, $blend:ident, $cast:ident) => {
        impl Window<$t> for Avx2 {
            type Within = __m256i;

            #[inline(always)]
            fn window(self, first: usize, end: usize) -> __m256i {
                let [first, end] = [first, end].map(|lane| 8 - ($words * lane).min(8));
                // SAFETY: `self` proves the instructions; both are at most 8.
                unsafe { _mm256_andnot_si256(lanes(self, first), lanes(self, end)) }
            }
            #[inline(always)]
            unsafe fn load_within(self, p: *const $t, window: __m256i) -> $vector {
                // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
                unsafe { $load(p, window) }
            }
            #[inline(always)]
            fn mul_add_within(self, window: __m256i, a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: `self` proves the instructions.
                unsafe { $blend(c, $fma(a, b, c), $cast(window)) }
            }
        }
    };
}

window!(f32, __m256, 1, _mm256_maskload_ps, _mm256_fmadd_ps, _mm256_blendv_ps, _mm256_castsi256_ps);
window!(f64, __m256d, 2, _mm256_maskload_pd, _mm256_fmadd_pd, _mm256_blendv_pd, _mm256_castsi256_pd);

impl Simd<f32> for Avx2 {
    x86_arithmetic!(f32, __m256, 8, _mm256_set1_ps, _mm256_mul_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_storeu_ps);
    type Mask = Mask;
    no_halves!(f32);

    #[inline(always)]
    fn mask(self, count: usize) -> Mask {
        // SAFETY: bounded here.
        Mask { lanes: unsafe { lanes(self, 8 - count.min(8)) }, count }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, mask: Mask) -> __m256 {
        // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
        unsafe { _mm256_maskload_ps(p, mask.lanes) }
    }
    #[inline(always)]
    unsafe fn store_first(self, mut p: *mut f32, mask: Mask, v: __m256) {
        // In pieces: the masked store takes some forty micro-operations on several CPUs.
        // SAFETY: `self` proves the instructions; the pieces add up to `count` elements.
        unsafe {
            if mask.count == 8 {
                return _mm256_storeu_ps(p, v);
            }
            let mut rest = _mm256_castps256_ps128(v);
            if mask.count & 4 != 0 {
                _mm_storeu_ps(p, rest);
                p = p.add(4);
                rest = _mm256_extractf128_ps::<1>(v);
            }
            if mask.count & 2 != 0 {
                _mm_storel_pd(p.cast(), _mm_castps_pd(rest));
                p = p.add(2);
                rest = _mm_movehl_ps(rest, rest);
            }
            if mask.count & 1 != 0 {
                _mm_store_ss(p, rest);
            }
        }
    }
}

// No closures here: they would be compiled without the instructions.
impl Transpose<f32> for Avx2 {
    type Columns = [__m256; 4];
    const COLUMNS: usize = 4;
    const ROWS: usize = 10;

    #[inline(always)]
    unsafe fn load_columns(self, p: *const f32, stride: isize) -> [__m256; 4] {
        // Rows 0 to 3 in the low half of each vector, rows 4 to 7 in the high half.
        // SAFETY: `self` proves the instructions; the caller vouches for the elements.
        unsafe {
            let q = p.offset(4 * stride);
            let r0 = _mm256_insertf128_ps::<1>(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(q));
            let r1 = _mm256_insertf128_ps::<1>(
                _mm256_castps128_ps256(_mm_loadu_ps(p.offset(stride))),
                _mm_loadu_ps(q.offset(stride)),
            );
            let r2 = _mm256_insertf128_ps::<1>(
                _mm256_castps128_ps256(_mm_loadu_ps(p.offset(2 * stride))),
                _mm_loadu_ps(q.offset(2 * stride)),
            );
            let r3 = _mm256_insertf128_ps::<1>(
                _mm256_castps128_ps256(_mm_loadu_ps(p.offset(3 * stride))),
                _mm_loadu_ps(q.offset(3 * stride)),
            );
            let (low01, high01) = (_mm256_unpacklo_ps(r0, r1), _mm256_unpackhi_ps(r0, r1));
            let (low23, high23) = (_mm256_unpacklo_ps(r2, r3), _mm256_unpackhi_ps(r2, r3));
            [
                _mm256_shuffle_ps::<0x44>(low01, low23),
                _mm256_shuffle_ps::<0xee>(low01, low23),
                _mm256_shuffle_ps::<0x44>(high01, high23),
                _mm256_shuffle_ps::<0xee>(high01, high23),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const f32) -> __m256 {
        // SAFETY: `self` proves the instructions; the second vector ends with the last element that is asked for.
        unsafe {
            // Elements 0, 2, 8, 10 of the low halves, and 4, 6, 12, 14 of the high ones.
            let both = _mm256_shuffle_ps::<0xd8>(_mm256_loadu_ps(p), _mm256_loadu_ps(p.add(7)));
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0xd8>(_mm256_castps_pd(both)))
        }
    }
}

impl Simd<f64> for Avx2 {
    x86_arithmetic!(f64, __m256d, 4, _mm256_set1_pd, _mm256_mul_pd, _mm256_fmadd_pd, _mm256_loadu_pd, _mm256_storeu_pd);
    type Mask = Mask;
    no_halves!(f64);

    #[inline(always)]
    fn mask(self, count: usize) -> Mask {
        // SAFETY: bounded here.
        Mask { lanes: unsafe { lanes(self, 8 - 2 * count.min(4)) }, count }
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const f64, mask: Mask) -> __m256d {
        // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
        unsafe { _mm256_maskload_pd(p, mask.lanes) }
    }
    #[inline(always)]
    unsafe fn store_first(self, mut p: *mut f64, mask: Mask, v: __m256d) {
        // SAFETY: `self` proves the instructions; the pieces add up to `count` elements.
        unsafe {
            if mask.count == 4 {
                return _mm256_storeu_pd(p, v);
            }
            let mut rest = _mm256_castpd256_pd128(v);
            if mask.count & 2 != 0 {
                _mm_storeu_pd(p, rest);
                p = p.add(2);
                rest = _mm256_extractf128_pd::<1>(v);
            }
            if mask.count & 1 != 0 {
                _mm_store_sd(p, rest);
            }
        }
    }
}

impl Transpose<f64> for Avx2 {
    type Columns = [__m256d; 2];
    const COLUMNS: usize = 2;
    const ROWS: usize = 10;

    #[inline(always)]
    unsafe fn load_columns(self, p: *const f64, stride: isize) -> [__m256d; 2] {
        // SAFETY: `self` proves the instructions; the caller vouches for the elements.
        unsafe {
            let q = p.offset(2 * stride);
            let r0 = _mm256_insertf128_pd::<1>(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(q));
            let r1 = _mm256_insertf128_pd::<1>(
                _mm256_castpd128_pd256(_mm_loadu_pd(p.offset(stride))),
                _mm_loadu_pd(q.offset(stride)),
            );
            [_mm256_unpacklo_pd(r0, r1), _mm256_unpackhi_pd(r0, r1)]
        }
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const f64) -> __m256d {
        // SAFETY: `self` proves the instructions; the second vector ends with the last element that is asked for.
        unsafe {
            // Elements 0 and 4 of the low halves, and 2 and 6 of the high ones.
            let both = _mm256_shuffle_pd::<0b1010>(_mm256_loadu_pd(p), _mm256_loadu_pd(p.add(3)));
            _mm256_permute4x64_pd::<0xd8>(both)
        }
    }
}
