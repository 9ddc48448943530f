//! AVX-512: thirty-two vectors of 512 bits, or of 256.

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::x86::{x86_arithmetic, x86_token};
use super::{Simd, Transpose, Vectorized, Window};
use crate::Real;
use crate::kernel::{Kernel, kernel_table};

/// `v`, whose origin the compiler does not see. Of a value that is broadcast from memory and used at both lengths, it would
/// broadcast half from memory and that once more to the whole, which takes the port of a multiply-add.
macro_rules! whole {
    ($name:ident, $vector:ident) => {
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn $name(mut v: $vector) -> $vector {
            // SAFETY: no instruction.
            unsafe {
                std::arch::asm!("/* {0} */", inout(zmm_reg) v, options(pure, nomem, nostack, preserves_flags));
            }
            v
        }
    };
}
whole!(whole_ps, __m512);
whole!(whole_pd, __m512d);

x86_token!(
    Avx512,
    "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma",
    "avx512f",
    "avx512vl",
    "avx512dq",
    "avx512bw",
    "avx2",
    "fma"
);

// 24 accumulators, the vectors of B and a broadcast of A fit the registers. On cores that split 512-bit operations, half
// a vector takes half the time; on others it costs nothing. So the last few columns go to vectors of half the length.
kernel_table!(
    Avx512,
    [target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")],
    narrow: Avx2,
    squares: Avx512,
    half: [Avx512Half],
    one: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
    two: [1 2 3 4 5 6 7 8 9 10 11 12],
    three: [1 2 3 4 5 6 7 8],
    cut: [1 2 3 4 5 6 7 8 9 10 11 12],
    cut_three: [1 2 3 4 5 6 7 8],
    mixed: [2: [1 2 3 4 5 6 7 8 9 10 11 12] 3: [1 2 3 4 5 6 7 8] 4: [1 2] 5: [1] 6: [1] 7: [1] 8: [1]]
);

/// [`Window`] from the names of intrinsics: lanes are bits of a mask.
macro_rules! window {
    ($token:ident, $t:ident, $vector:ident, $mask:ident, $load:ident, $fma:ident) => {
        impl Window<$t> for $token {
            type Within = $mask;
            const MASKS_ARE_FREE: bool = true;

            #[inline(always)]
            fn window(self, first: usize, end: usize) -> $mask {
                ((1u32 << end) - 1 >> first << first) as $mask
            }
            #[inline(always)]
            unsafe fn load_within(self, p: *const $t, window: $mask) -> $vector {
                // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
                unsafe { $load(window, p) }
            }
            #[inline(always)]
            fn mul_add_within(self, window: $mask, a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: `self` proves the instruction.
                unsafe { $fma(a, b, c, window) }
            }
        }
    };
}

window!(Avx512, f32, __m512, __mmask16, _mm512_maskz_loadu_ps, _mm512_mask3_fmadd_ps);
window!(Avx512, f64, __m512d, __mmask8, _mm512_maskz_loadu_pd, _mm512_mask3_fmadd_pd);

impl Simd<f32> for Avx512 {
    x86_arithmetic!(f32, __m512, 16, _mm512_set1_ps, _mm512_mul_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_storeu_ps);
    type Mask = __mmask16;
    type Narrow = Avx512Half;

    #[inline(always)]
    fn narrow(self) -> Avx512Half {
        Avx512Half::of(self)
    }
    #[inline(always)]
    fn splats(self, x: f32) -> (__m512, __m256) {
        // SAFETY: `self` proves the instructions.
        let v = unsafe { whole_ps(_mm512_set1_ps(x)) };
        (v, Simd::<f32>::low(self, v))
    }
    #[inline(always)]
    fn low(self, v: __m512) -> __m256 {
        // SAFETY: `self` proves the instruction.
        unsafe { _mm512_castps512_ps256(v) }
    }
    #[inline(always)]
    fn widen(self, v: __m256) -> __m512 {
        // SAFETY: `self` proves the instruction.
        unsafe { _mm512_zextps256_ps512(v) }
    }

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
    type Narrow = Avx512Half;

    #[inline(always)]
    fn narrow(self) -> Avx512Half {
        Avx512Half::of(self)
    }
    #[inline(always)]
    fn splats(self, x: f64) -> (__m512d, __m256d) {
        // SAFETY: `self` proves the instructions.
        let v = unsafe { whole_pd(_mm512_set1_pd(x)) };
        (v, Simd::<f64>::low(self, v))
    }
    #[inline(always)]
    fn low(self, v: __m512d) -> __m256d {
        // SAFETY: `self` proves the instruction.
        unsafe { _mm512_castpd512_pd256(v) }
    }
    #[inline(always)]
    fn widen(self, v: __m256d) -> __m512d {
        // SAFETY: `self` proves the instruction.
        unsafe { _mm512_zextpd256_pd512(v) }
    }

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

/// The squares of [`Transpose`] from the names of intrinsics. No closures here: they would be compiled without the instructions.
macro_rules! squares {
    ($t:ident, $vector:ident, $lanes:literal, $mask:ident, $zero:ident, $load:ident, $load_some:ident, $columns:ident) => {
        type Columns = [$vector; $lanes];
        const COLUMNS: usize = $lanes;
        const ROWS: usize = 12;
        const SOME_IS_FAST: bool = true;

        #[inline(always)]
        unsafe fn load_columns(self, p: *const $t, stride: isize) -> Self::Columns {
            // SAFETY: `self` proves the instructions; the caller vouches for the elements.
            unsafe {
                let mut rows = [$zero(); $lanes];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = $load(p.offset(i as isize * stride));
                }
                $columns(rows)
            }
        }

        #[inline(always)]
        unsafe fn load_some_columns(self, p: *const $t, stride: isize, count: usize, columns: usize) -> Self::Columns {
            // SAFETY: as in `load_columns`; elements whose lanes are not set are not touched.
            unsafe {
                let mask = $mask::MAX >> ($lanes - columns);
                let mut rows = [$zero(); $lanes];
                for (i, row) in rows.iter_mut().enumerate() {
                    *row = $load_some(mask, p.offset(i.min(count - 1) as isize * stride));
                }
                $columns(rows)
            }
        }
    };
}

impl Transpose<f32> for Avx512 {
    squares!(f32, __m512, 16, u16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_maskz_loadu_ps, columns_ps);

    const FEW: usize = 4;

    #[inline(always)]
    unsafe fn turn(self, (from, stride): (*const f32, isize), (to, span): (*mut f32, usize)) {
        // SAFETY: `self` proves the instructions; the caller vouches for the elements and their places.
        unsafe {
            let [a, b] = [0, 1].map(|i| _mm512_loadu_ps(from.offset(i * stride)));
            let [c, d] = [2, 3].map(|i| _mm512_loadu_ps(from.offset(i * stride)));
            for (first, [ab, cd]) in [
                (0, [_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d)]),
                (2, [_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d)]),
            ] {
                // Quarter l of vector j: four rows of column 4 l + j.
                for (j, v) in
                    [(first, _mm512_shuffle_ps::<0x44>(ab, cd)), (first + 1, _mm512_shuffle_ps::<0xee>(ab, cd))]
                {
                    _mm_storeu_ps(to.add(j * span), _mm512_extractf32x4_ps::<0>(v));
                    _mm_storeu_ps(to.add((4 + j) * span), _mm512_extractf32x4_ps::<1>(v));
                    _mm_storeu_ps(to.add((8 + j) * span), _mm512_extractf32x4_ps::<2>(v));
                    _mm_storeu_ps(to.add((12 + j) * span), _mm512_extractf32x4_ps::<3>(v));
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const f32) -> __m512 {
        // SAFETY: `self` proves the instructions; the second vector ends with the last element that is asked for.
        unsafe {
            let places = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 14, 12, 10, 8, 6, 4, 2, 0);
            _mm512_permutex2var_ps(_mm512_loadu_ps(p), places, _mm512_loadu_ps(p.add(15)))
        }
    }
}

/// The columns of a square of sixteen rows.
#[target_feature(enable = "avx512f")]
#[inline]
fn columns_ps(rows: [__m512; 16]) -> [__m512; 16] {
    // Quarter l of vector 4 q + j: rows 4 q to 4 q + 3 of column 4 l + j.
    let mut fours = rows;
    for q in 0..4 {
        let [a, b, c, d] = [rows[4 * q], rows[4 * q + 1], rows[4 * q + 2], rows[4 * q + 3]];
        let (low_ab, low_cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
        let (high_ab, high_cd) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
        fours[4 * q] = _mm512_shuffle_ps::<0x44>(low_ab, low_cd);
        fours[4 * q + 1] = _mm512_shuffle_ps::<0xee>(low_ab, low_cd);
        fours[4 * q + 2] = _mm512_shuffle_ps::<0x44>(high_ab, high_cd);
        fours[4 * q + 3] = _mm512_shuffle_ps::<0xee>(high_ab, high_cd);
    }
    let mut columns = fours;
    for j in 0..4 {
        let [a, b, c, d] = [fours[j], fours[4 + j], fours[8 + j], fours[12 + j]];
        let (even_ab, even_cd) = (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0x88>(c, d));
        let (odd_ab, odd_cd) = (_mm512_shuffle_f32x4::<0xdd>(a, b), _mm512_shuffle_f32x4::<0xdd>(c, d));
        columns[j] = _mm512_shuffle_f32x4::<0x88>(even_ab, even_cd);
        columns[4 + j] = _mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd);
        columns[8 + j] = _mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd);
        columns[12 + j] = _mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd);
    }
    columns
}

impl Transpose<f64> for Avx512 {
    squares!(f64, __m512d, 8, u8, _mm512_setzero_pd, _mm512_loadu_pd, _mm512_maskz_loadu_pd, columns_pd);

    #[inline(always)]
    unsafe fn turn(self, (from, stride): (*const f64, isize), (to, span): (*mut f64, usize)) {
        // SAFETY: as for f32.
        unsafe {
            let (a, b) = (_mm512_loadu_pd(from), _mm512_loadu_pd(from.offset(stride)));
            // Quarter l of vector j: two rows of column 2 l + j.
            for (j, v) in [(0, _mm512_unpacklo_pd(a, b)), (1, _mm512_unpackhi_pd(a, b))] {
                let quarters = _mm512_castpd_ps(v);
                let to = to.cast::<f32>();
                let place = |l: usize| 2 * (2 * l + j) * span;
                _mm_storeu_ps(to.add(place(0)), _mm512_extractf32x4_ps::<0>(quarters));
                _mm_storeu_ps(to.add(place(1)), _mm512_extractf32x4_ps::<1>(quarters));
                _mm_storeu_ps(to.add(place(2)), _mm512_extractf32x4_ps::<2>(quarters));
                _mm_storeu_ps(to.add(place(3)), _mm512_extractf32x4_ps::<3>(quarters));
            }
        }
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const f64) -> __m512d {
        // SAFETY: `self` proves the instructions; the second vector ends with the last element that is asked for.
        unsafe {
            let places = _mm512_set_epi64(15, 13, 11, 9, 6, 4, 2, 0);
            _mm512_permutex2var_pd(_mm512_loadu_pd(p), places, _mm512_loadu_pd(p.add(7)))
        }
    }
}

/// The columns of a square of eight rows.
#[target_feature(enable = "avx512f")]
#[inline]
fn columns_pd(rows: [__m512d; 8]) -> [__m512d; 8] {
    // Quarter l of vector 2 q + j: rows 2 q and 2 q + 1 of column 2 l + j.
    let mut twos = rows;
    for q in 0..4 {
        twos[2 * q] = _mm512_unpacklo_pd(rows[2 * q], rows[2 * q + 1]);
        twos[2 * q + 1] = _mm512_unpackhi_pd(rows[2 * q], rows[2 * q + 1]);
    }
    let mut columns = twos;
    for j in 0..2 {
        let [a, b, c, d] = [twos[j], twos[2 + j], twos[4 + j], twos[6 + j]];
        let (even_ab, even_cd) = (_mm512_shuffle_f64x2::<0x88>(a, b), _mm512_shuffle_f64x2::<0x88>(c, d));
        let (odd_ab, odd_cd) = (_mm512_shuffle_f64x2::<0xdd>(a, b), _mm512_shuffle_f64x2::<0xdd>(c, d));
        columns[j] = _mm512_shuffle_f64x2::<0x88>(even_ab, even_cd);
        columns[2 + j] = _mm512_shuffle_f64x2::<0x88>(odd_ab, odd_cd);
        columns[4 + j] = _mm512_shuffle_f64x2::<0xdd>(even_ab, even_cd);
        columns[6 + j] = _mm512_shuffle_f64x2::<0xdd>(odd_ab, odd_cd);
    }
    columns
}

pub(crate) use half::Avx512Half;

/// Vectors of 256 bits.
mod half {
    use std::arch::x86_64::*;

    use super::super::avx2::Avx2;
    use super::super::x86::x86_arithmetic;
    use super::super::{Simd, Transpose, Window, no_halves};
    use super::Avx512;
    use crate::Real;
    use crate::kernel::{Kernel, kernel_table};

    /// The proof that an [`Avx512`](super::Avx512) is, for half its vectors.
    #[derive(Clone, Copy)]
    pub(crate) struct Avx512Half(());

    impl Avx512Half {
        /// The same proof.
        #[inline(always)]
        pub(crate) fn of(_: Avx512) -> Self {
            Self(())
        }
    }

    kernel_table!(
        Avx512Half,
        [target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")],
        narrow: Avx2,
        squares: Avx2,
        half: [],
        one: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
        two: [1],
        three: [1],
        cut: [1],
        cut_three: [1],
        mixed: []
    );

    window!(Avx512Half, f32, __m256, __mmask8, _mm256_maskz_loadu_ps, _mm256_mask3_fmadd_ps);
    window!(Avx512Half, f64, __m256d, __mmask8, _mm256_maskz_loadu_pd, _mm256_mask3_fmadd_pd);

    impl Simd<f32> for Avx512Half {
        x86_arithmetic!(
            f32,
            __m256,
            8,
            _mm256_set1_ps,
            _mm256_mul_ps,
            _mm256_fmadd_ps,
            _mm256_loadu_ps,
            _mm256_storeu_ps
        );
        type Mask = __mmask8;
        no_halves!(f32);

        #[inline(always)]
        fn mask(self, count: usize) -> __mmask8 {
            u8::MAX >> (8 - count)
        }
        #[inline(always)]
        unsafe fn load_first(self, p: *const f32, mask: __mmask8) -> __m256 {
            // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
            unsafe { _mm256_maskz_loadu_ps(mask, p) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f32, mask: __mmask8, v: __m256) {
            // SAFETY: as in `load_first`.
            unsafe { _mm256_mask_storeu_ps(p, mask, v) };
        }
    }

    impl Simd<f64> for Avx512Half {
        x86_arithmetic!(
            f64,
            __m256d,
            4,
            _mm256_set1_pd,
            _mm256_mul_pd,
            _mm256_fmadd_pd,
            _mm256_loadu_pd,
            _mm256_storeu_pd
        );
        type Mask = __mmask8;
        no_halves!(f64);

        #[inline(always)]
        fn mask(self, count: usize) -> __mmask8 {
            0xf >> (4 - count)
        }
        #[inline(always)]
        unsafe fn load_first(self, p: *const f64, mask: __mmask8) -> __m256d {
            // SAFETY: `self` proves the instruction, which does not touch elements whose lanes are not set.
            unsafe { _mm256_maskz_loadu_pd(mask, p) }
        }
        #[inline(always)]
        unsafe fn store_first(self, p: *mut f64, mask: __mmask8, v: __m256d) {
            // SAFETY: as in `load_first`.
            unsafe { _mm256_mask_storeu_pd(p, mask, v) };
        }
    }
}
