//! NEON: thirty-two vectors of 128 bits.

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use super::{Simd, Transpose, Vectorized, Window, no_halves};
use crate::Real;
use crate::kernel::{Kernel, kernel_table};

/// The proof that the CPU has the instructions of this file.
#[derive(Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    /// The proof, where the CPU and the operating system can give it.
    pub(crate) fn detect() -> Option<Self> {
        is_aarch64_feature_detected!("neon").then_some(Self(()))
    }

    /// Runs `task` compiled for these instructions.
    pub(crate) fn run<V: Vectorized>(self, task: V) -> V::Output {
        // SAFETY: `self` proves that the CPU has the instructions.
        unsafe { run(task) }
    }
}

#[target_feature(enable = "neon")]
fn run<V: Vectorized>(task: V) -> V::Output {
    task.run()
}

// 24 accumulators, the vectors of B and a broadcast of A fit the registers; a mask is a number and takes none.
kernel_table!(
    Neon,
    [target_feature(enable = "neon")],
    narrow: Neon,
    squares: Neon,
    half: [],
    one: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
    two: [1 2 3 4 5 6 7 8 9 10 11 12],
    three: [1 2 3],
    cut: [1 2 3 4 5 6 7 8 9 10 11 12],
    cut_three: [1 2 3],
    mixed: []
);

/// The arithmetic of [`Simd`] from the names of intrinsics.
macro_rules! arithmetic {
    ($t:ident, $vector:ident, $lanes:literal, $dup:ident, $mul:ident, $fma:ident, $load:ident, $store:ident) => {
        type Vector = $vector;
        /// How many lanes.
        type Mask = usize;
        no_halves!($t);
        const LANES: usize = $lanes;

        #[inline(always)]
        fn splat(self, x: $t) -> $vector {
            // SAFETY: `self` proves that the CPU has the instruction.
            unsafe { $dup(x) }
        }
        #[inline(always)]
        fn mul(self, a: $vector, b: $vector) -> $vector {
            // SAFETY: `self` proves that the CPU has the instruction.
            unsafe { $mul(a, b) }
        }
        #[inline(always)]
        fn mul_add(self, a: $vector, b: $vector, c: $vector) -> $vector {
            // The addend comes first here.
            // SAFETY: `self` proves that the CPU has the instruction.
            unsafe { $fma(c, a, b) }
        }
        #[inline(always)]
        unsafe fn load(self, p: *const $t) -> $vector {
            // SAFETY: `self` proves that the CPU has the instruction; the caller vouches for the elements.
            unsafe { $load(p) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut $t, v: $vector) {
            // SAFETY: `self` proves that the CPU has the instruction; the caller vouches for the elements.
            unsafe { $store(p, v) };
        }
        #[inline(always)]
        fn mask(self, count: usize) -> usize {
            count
        }
    };
}

/// [`Window`] from the names of intrinsics.
macro_rules! window {
    ($t:ident, $vector:ident, $mask:ident, $word:ident, $load:ident, $dup:ident, $less:ident, $without:ident, $select:ident) => {
        impl Window<$t> for Neon {
            /// The mask, and the first lane and the end.
            type Within = ($mask, usize, usize);

            #[inline(always)]
            fn window(self, first: usize, end: usize) -> ($mask, usize, usize) {
                const LANES: [$word; 4] = [0, 1, 2, 3];
                // SAFETY: `self` proves the instructions; the array has all lanes.
                unsafe {
                    let lanes = $load(LANES.as_ptr());
                    ($without($less(lanes, $dup(end as $word)), $less(lanes, $dup(first as $word))), first, end)
                }
            }
            #[inline(always)]
            unsafe fn load_within(self, p: *const $t, (_, first, end): ($mask, usize, usize)) -> $vector {
                let mut room = [0.0; <Self as Simd<$t>>::LANES];
                for (i, x) in room.iter_mut().enumerate().take(end).skip(first) {
                    // SAFETY: the caller vouches for the elements of the lanes.
                    *x = unsafe { *p.wrapping_add(i) };
                }
                // SAFETY: the room has all lanes.
                unsafe { self.load(room.as_ptr()) }
            }
            #[inline(always)]
            fn mul_add_within(self, (mask, ..): ($mask, usize, usize), a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: `self` proves the instruction.
                unsafe { $select(mask, Simd::<$t>::mul_add(self, a, b, c), c) }
            }
        }
    };
}

window!(f32, float32x4_t, uint32x4_t, u32, vld1q_u32, vdupq_n_u32, vcltq_u32, vbicq_u32, vbslq_f32);
window!(f64, float64x2_t, uint64x2_t, u64, vld1q_u64, vdupq_n_u64, vcltq_u64, vbicq_u64, vbslq_f64);

impl Simd<f32> for Neon {
    arithmetic!(f32, float32x4_t, 4, vdupq_n_f32, vmulq_f32, vfmaq_f32, vld1q_f32, vst1q_f32);

    #[inline(always)]
    unsafe fn load_first(self, p: *const f32, count: usize) -> float32x4_t {
        // SAFETY: `self` proves the instructions; the pieces add up to `count` elements.
        unsafe {
            let none = vdup_n_f32(0.0);
            match count {
                1 => vcombine_f32(vld1_lane_f32::<0>(p, none), none),
                2 => vcombine_f32(vld1_f32(p), none),
                3 => vcombine_f32(vld1_f32(p), vld1_lane_f32::<0>(p.add(2), none)),
                _ => vld1q_f32(p),
            }
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, count: usize, v: float32x4_t) {
        // SAFETY: `self` proves the instructions; the pieces add up to `count` elements.
        unsafe {
            match count {
                1 => vst1q_lane_f32::<0>(p, v),
                2 => vst1_f32(p, vget_low_f32(v)),
                3 => {
                    vst1_f32(p, vget_low_f32(v));
                    vst1q_lane_f32::<2>(p.add(2), v);
                }
                _ => vst1q_f32(p, v),
            }
        }
    }
}

impl Simd<f64> for Neon {
    arithmetic!(f64, float64x2_t, 2, vdupq_n_f64, vmulq_f64, vfmaq_f64, vld1q_f64, vst1q_f64);

    #[inline(always)]
    unsafe fn load_first(self, p: *const f64, count: usize) -> float64x2_t {
        // SAFETY: `self` proves the instructions, which touch `count` elements.
        unsafe { if count == 1 { vcombine_f64(vld1_f64(p), vdup_n_f64(0.0)) } else { vld1q_f64(p) } }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, count: usize, v: float64x2_t) {
        // SAFETY: `self` proves the instructions, which touch `count` elements.
        unsafe { if count == 1 { vst1_f64(p, vget_low_f64(v)) } else { vst1q_f64(p, v) } };
    }
}

// No closures in the functions below: they would be compiled without the instructions, where the build's base set lacks
// them.

impl Transpose<f32> for Neon {
    type Columns = [float32x4_t; 4];
    const COLUMNS: usize = 4;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn load_columns(self, p: *const f32, stride: isize) -> [float32x4_t; 4] {
        // SAFETY: `self` proves the instructions; the caller vouches for the elements.
        unsafe {
            let (r0, r1) = (vld1q_f32(p), vld1q_f32(p.offset(stride)));
            let (r2, r3) = (vld1q_f32(p.offset(2 * stride)), vld1q_f32(p.offset(3 * stride)));
            // Pairs of rows, of which each half is a pair of one column.
            let even01 = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1));
            let odd01 = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
            let even23 = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3));
            let odd23 = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
            [
                vreinterpretq_f32_f64(vzip1q_f64(even01, even23)),
                vreinterpretq_f32_f64(vzip1q_f64(odd01, odd23)),
                vreinterpretq_f32_f64(vzip2q_f64(even01, even23)),
                vreinterpretq_f32_f64(vzip2q_f64(odd01, odd23)),
            ]
        }
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const f32) -> float32x4_t {
        // SAFETY: `self` proves the instructions; the second vector ends with the last element that is asked for.
        unsafe {
            let (first, second) = (vld1q_f32(p), vld1q_f32(p.add(3)));
            vcombine_f32(vget_low_f32(vuzp1q_f32(first, first)), vget_low_f32(vuzp2q_f32(second, second)))
        }
    }
}

impl Transpose<f64> for Neon {
    type Columns = [float64x2_t; 2];
    const COLUMNS: usize = 2;
    const ROWS: usize = 12;

    #[inline(always)]
    unsafe fn load_columns(self, p: *const f64, stride: isize) -> [float64x2_t; 2] {
        // SAFETY: `self` proves the instructions; the caller vouches for the elements.
        unsafe {
            let (r0, r1) = (vld1q_f64(p), vld1q_f64(p.offset(stride)));
            [vzip1q_f64(r0, r1), vzip2q_f64(r0, r1)]
        }
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const f64) -> float64x2_t {
        // SAFETY: `self` proves the instructions; the second vector ends with the last element that is asked for.
        unsafe { vzip2q_f64(vdupq_n_f64(*p), vld1q_f64(p.add(1))) }
    }
}
