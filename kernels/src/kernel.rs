//! The micro-kernel: a tile of C from a packed panel of A and a packed panel of B.
//!
//! ```text
//!              b: k rows of NR elements            NR = NV vectors
//!              +-----------------+
//!              | b[0][0..NR]     |
//!              | b[1][0..NR]     |
//!              +-----------------+
//! a: k columns of MR elements
//! +---------+  +-----------------+
//! | a[0][0] |  |                 |
//! |  ...    |  |  c: MR x NR     |   row i at c + i * row_stride, in registers from the first k to the last
//! | a[0][MR]|  |                 |
//! +---------+  +-----------------+
//! ```

use crate::simd::{Portable, Simd};
use crate::{Isa, Real, pack};

#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};

/// `C <- A B + beta C` on one tile; `beta` = 0 does not read C. The panels are `k` long.
type Multiply<T> = unsafe fn(k: usize, a: *const T, b: *const T, beta: T, c: *mut T, row_stride: usize);

/// Rounds of independent chains: their sum, and multiply-adds a round. See [`chains`].
type Chains<T> = fn(rounds: usize) -> (T, usize);

/// A micro-kernel with the size of its tile and the packing that feeds it.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<T> {
    /// Rows of a tile.
    pub(crate) mr: usize,
    /// Columns of a tile.
    pub(crate) nr: usize,
    pub(crate) multiply: Multiply<T>,
    pub(crate) chains: Chains<T>,
    pub(crate) pack_a: pack::Pack<T>,
    pub(crate) pack_b: pack::Pack<T>,
}

/// The most elements that a tile of any kernel has.
pub(crate) const MAX_TILE: usize = 12 * 32;
/// The longest side that a tile of any kernel has.
pub(crate) const MAX_SIDE: usize = 32;

impl<T: Real> Kernel<T> {
    pub(crate) fn new<const MR: usize, const NR: usize>(multiply: Multiply<T>, chains: Chains<T>) -> Self {
        const { assert!(MR <= MAX_SIDE && NR <= MAX_SIDE && MR * NR <= MAX_TILE) };
        let (pack_a, pack_b) = (pack::panel::<T, MR>, pack::panel::<T, NR>);
        Self { mr: MR, nr: NR, multiply, chains, pack_a, pack_b }
    }
}

/// The f32 kernel of an instruction set, where the CPU has it.
pub(crate) fn f32(isa: Isa) -> Option<Kernel<f32>> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Avx512::detect().map(|s| s.kernel::<f32, 32>()),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Avx2::detect().map(|s| s.kernel::<f32, 16>()),
        Isa::Portable => Some(Portable.kernel()),
        #[cfg(not(target_arch = "x86_64"))]
        _ => None,
    }
}

/// The f64 kernel of an instruction set, where the CPU has it.
pub(crate) fn f64(isa: Isa) -> Option<Kernel<f64>> {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Avx512::detect().map(|s| s.kernel::<f64, 16>()),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Avx2::detect().map(|s| s.kernel::<f64, 8>()),
        Isa::Portable => Some(Portable.kernel()),
        #[cfg(not(target_arch = "x86_64"))]
        _ => None,
    }
}

/// The one micro-kernel: `C <- A B + beta C` on an `MR x (NV * LANES)` tile, each element one chain of fused
/// multiply-adds in k order that starts at `beta * c` (at 0, without a look at C, when `beta` is 0).
///
/// # Safety
/// `a` must hold `k * MR` elements and `b` `k * NV * LANES`; each row of the tile must be writable, and readable and
/// initialised unless `beta` is 0.
#[inline(always)]
pub(crate) unsafe fn multiply<T: Real, S: Simd<T>, const MR: usize, const NV: usize>(
    s: S,
    k: usize,
    mut a: *const T,
    mut b: *const T,
    beta: T,
    c: *mut T,
    row_stride: usize,
) {
    let mut acc = [[s.splat(T::ZERO); NV]; MR];
    if beta != T::ZERO {
        let beta = s.splat(beta);
        for (i, row) in acc.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                // SAFETY: inside the tile, which the caller vouches for.
                *v = s.mul(beta, unsafe { s.load(c.add(i * row_stride + j * S::LANES)) });
            }
        }
    }
    for _ in 0..k {
        // SAFETY: the panels hold k steps of MR and NV * LANES elements, and this is one of them.
        unsafe {
            let bs: [S::Vector; NV] = std::array::from_fn(|j| s.load(b.add(j * S::LANES)));
            for (i, row) in acc.iter_mut().enumerate() {
                let ai = s.splat(*a.add(i));
                for (v, &bj) in row.iter_mut().zip(&bs) {
                    *v = s.mul_add(ai, bj, *v);
                }
            }
            a = a.add(MR);
            b = b.add(NV * S::LANES);
        }
    }
    for (i, row) in acc.iter().enumerate() {
        for (j, &v) in row.iter().enumerate() {
            // SAFETY: inside the tile, which the caller vouches for.
            unsafe { s.store(c.add(i * row_stride + j * S::LANES), v) };
        }
    }
}

/// `N` independent chains of multiply-adds, `rounds` long: enough of them to hide the latency, few enough to stay in
/// registers. Returns a sum, so that nothing is optimised away, and the multiply-adds of a round.
#[inline(always)]
pub(crate) fn chains<T: Real, S: Simd<T>, const N: usize>(s: S, rounds: usize) -> (T, usize) {
    let factor = s.splat(T::from_f64(std::hint::black_box(0.5)));
    let addend = s.splat(T::from_f64(std::hint::black_box(0.25)));
    let mut acc = [addend; N];
    for _ in 0..rounds {
        for v in &mut acc {
            *v = s.mul_add(*v, factor, addend);
        }
    }
    let mut lanes = [T::ZERO; MAX_SIDE];
    let mut sum = T::ZERO;
    for v in acc {
        // SAFETY: the buffer is as long as the longest vector.
        unsafe { s.store(lanes.as_mut_ptr(), v) };
        sum += lanes[0];
    }
    (sum, N * S::LANES)
}
