//! Plain Rust on arrays: for CPUs without a set of their own here, and to check the others against.

use std::array;

use super::{Simd, Transpose, Vectorized, Window, no_halves};
use crate::Real;
use crate::kernel::{Kernel, kernel_table};

/// Needs no instructions beyond the build's own.
#[derive(Clone, Copy)]
pub(crate) struct Portable(());

const LANES: usize = 4;

impl<T: Real> Simd<T> for Portable {
    type Vector = [T; LANES];
    type Mask = usize;
    no_halves!(T);
    const LANES: usize = LANES;

    #[inline(always)]
    fn splat(self, x: T) -> [T; LANES] {
        [x; LANES]
    }
    #[inline(always)]
    fn mul(self, a: [T; LANES], b: [T; LANES]) -> [T; LANES] {
        array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    fn mul_add(self, a: [T; LANES], b: [T; LANES], c: [T; LANES]) -> [T; LANES] {
        array::from_fn(|i| a[i].mul_add(b[i], c[i]))
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
    #[inline(always)]
    fn mask(self, count: usize) -> usize {
        count
    }
    #[inline(always)]
    unsafe fn load_first(self, p: *const T, count: usize) -> [T; LANES] {
        // SAFETY: the caller vouches for the first `count` elements.
        array::from_fn(|i| if i < count { unsafe { *p.add(i) } } else { T::ZERO })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut T, count: usize, v: [T; LANES]) {
        for (i, &x) in v.iter().enumerate().take(count) {
            // SAFETY: the caller vouches for the first `count` elements.
            unsafe { *p.add(i) = x };
        }
    }
}

impl<T: Real> Window<T> for Portable {
    type Within = (usize, usize);

    #[inline(always)]
    fn window(self, first: usize, end: usize) -> (usize, usize) {
        (first, end)
    }
    #[inline(always)]
    unsafe fn load_within(self, p: *const T, (first, end): (usize, usize)) -> [T; LANES] {
        // SAFETY: the caller vouches for the elements of the lanes.
        array::from_fn(|i| if first <= i && i < end { unsafe { *p.wrapping_add(i) } } else { T::ZERO })
    }
    #[inline(always)]
    fn mul_add_within(self, (first, end): (usize, usize), a: [T; LANES], b: [T; LANES], c: [T; LANES]) -> [T; LANES] {
        array::from_fn(|i| if first <= i && i < end { a[i].mul_add(b[i], c[i]) } else { c[i] })
    }
}

impl<T: Real> Transpose<T> for Portable {
    type Columns = [[T; LANES]; LANES];
    const COLUMNS: usize = LANES;
    const ROWS: usize = 4;

    #[inline(always)]
    unsafe fn load_columns(self, p: *const T, stride: isize) -> [[T; LANES]; LANES] {
        // SAFETY: the caller vouches for the elements.
        array::from_fn(|j| array::from_fn(|i| unsafe { *p.offset(i as isize * stride).add(j) }))
    }

    #[inline(always)]
    unsafe fn load_every_second(self, p: *const T) -> [T; LANES] {
        // SAFETY: the caller vouches for the elements.
        array::from_fn(|i| unsafe { *p.add(2 * i) })
    }
}

kernel_table!(
    Portable,
    [],
    narrow: Portable,
    squares: Portable,
    half: [],
    one: [1 2 3 4],
    two: [1 2 3 4],
    three: [1 2 3],
    cut: [1 2 3 4],
    cut_three: [1 2 3],
    mixed: []
);

impl Portable {
    /// Every CPU has the build's base set.
    pub(crate) fn detect() -> Self {
        Self(())
    }

    /// Runs `task` compiled for the build's base instructions.
    pub(crate) fn run<V: Vectorized>(self, task: V) -> V::Output {
        task.run()
    }
}
