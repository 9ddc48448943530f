//! The kernels of an instruction set, compiled for its instructions and listed.

use crate::kernel::Kernel;

/// Gives a token its kernels: those one vector wide for the first list of heights, two for the second, two of which the
/// last is cut for `cut`, likewise of three vectors, and flatter ones that are
/// wider. What is short is transposed by `narrow`, and whole squares by `squares`. A macro, because `#[target_feature]` cannot be generic and constants cannot be looped over in types.
macro_rules! kernel_table {
    (
        $token:ident,
        [$($attribute:meta)?],
        narrow: $narrow:ident,
        squares: $square:ident,
        half: [$($half:ident)?],
        one: [$($one:literal)+],
        two: [$($two:literal)+],
        three: [$($three:literal)+],
        cut: [$($cut:literal)+],
        cut_three: [$($cut_three:literal)+],
        mixed: [$($width:literal: [$($mixed:literal)+])*]
    ) => {
        impl $token {
            /// The kernels of this set.
            #[allow(dead_code)] // halves are found through the kernels of the whole
            pub(crate) fn kernel<T: Real>(self) -> &'static Kernel<T>
            where
                $token: Window<T>,
                $narrow: Transpose<T>,
                $square: Transpose<T>,
                $($half: Window<T>,)?
            {
                // SAFETY: the token proves it.
                unsafe { Self::table() }
            }

            /// The kernels.
            ///
            /// # Safety
            /// The CPU has the instructions.
            pub(super) const unsafe fn table<T: Real>() -> &'static Kernel<T>
            where
                $token: Window<T>,
                $narrow: Transpose<T>,
                $square: Transpose<T>,
                $($half: Window<T>,)?
            {
                #[allow(unused_imports)] // not all sets have halves
                use $crate::kernel::{ASK, CUT, HALF, NEAR, PACK, PANEL, STREAM, TURN, WHOLE};
                const {
                &Kernel {
                    lanes: <$token as Simd<T>>::LANES,
                    masks_are_free: <$token as Window<T>>::MASKS_ARE_FREE,
                    whole: &[
                        &[$(tiles::<T, $one, 1, WHOLE, NEAR>),+],
                        &[$(tiles::<T, $two, 2, WHOLE, NEAR>),+],
                        &[$(tiles::<T, $three, 3, WHOLE, NEAR>),+],
                        &[tiles::<T, 1, 4, WHOLE, NEAR>, tiles::<T, 2, 4, WHOLE, NEAR>],
                        &[tiles::<T, 1, 5, WHOLE, NEAR>],
                        &[tiles::<T, 1, 6, WHOLE, NEAR>],
                        &[tiles::<T, 1, 7, WHOLE, NEAR>],
                        &[tiles::<T, 1, 8, WHOLE, NEAR>],
                    ],
                    edge: &[
                        &[$(tiles::<T, $one, 1, CUT, NEAR>),+],
                        &[$(tiles::<T, $cut, 2, CUT, NEAR>),+],
                        &[$(tiles::<T, $cut_three, 3, CUT, NEAR>),+],
                        &[tiles::<T, 1, 4, CUT, NEAR>, tiles::<T, 2, 4, CUT, NEAR>],
                        &[tiles::<T, 1, 5, CUT, NEAR>],
                        &[tiles::<T, 1, 6, CUT, NEAR>],
                        &[tiles::<T, 1, 7, CUT, NEAR>],
                        &[tiles::<T, 1, 8, CUT, NEAR>],
                    ],
                    mixed: &[&[], $(&[$(tiles::<T, $mixed, $width, HALF, NEAR>),+]),*],
                    streaming: &[
                        &[],
                        &[$(tiles::<T, $two, 2, WHOLE, STREAM>),+],
                        &[
                            tiles::<T, 1, 3, WHOLE, STREAM>,
                            tiles::<T, 2, 3, WHOLE, STREAM>,
                            tiles::<T, 3, 3, WHOLE, STREAM>,
                        ],
                        &[tiles::<T, 1, 4, WHOLE, STREAM>, tiles::<T, 2, 4, WHOLE, STREAM>],
                        &[],
                        &[],
                        &[],
                        &[tiles::<T, 1, 8, WHOLE, STREAM>],
                    ],
                    panel: &[$(tiles::<T, $two, 2, WHOLE, PANEL>),+],
                    packing: [
                        &[$(tiles::<T, $two, 2, WHOLE, PACK>),+],
                        &[$(tiles::<T, $three, 3, WHOLE, PACK>),+],
                    ],
                    turning: &[$(tiles::<T, $three, 3, WHOLE, TURN>),+],
                    turned: [<$square as Transpose<T>>::FEW, <$square as Transpose<T>>::COLUMNS],
                    asking: &[$(tiles::<T, $three, 3, WHOLE, ASK>),+],
                    gather: &[
                        &[
                            gather::<T, 1, 1>,
                            gather::<T, 2, 1>,
                            gather::<T, 3, 1>,
                            gather::<T, 4, 1>,
                            gather::<T, 5, 1>,
                            gather::<T, 6, 1>,
                        ],
                        &[
                            gather::<T, 1, 2>,
                            gather::<T, 2, 2>,
                            gather::<T, 3, 2>,
                            gather::<T, 4, 2>,
                            gather::<T, 5, 2>,
                            gather::<T, 6, 2>,
                        ],
                    ],
                    scan: &[
                        &[$(scan::<T, $two, 1>),+],
                        &[$(scan::<T, $two, 2>),+],
                    ],
                    columns: columns::<T>,
                    columns_rows: <$square as Transpose<T>>::ROWS,
                    small: small::<T>,
                    sweep: sweep::<T>,
                    deal: deal::<T>,
                    copy: copy::<T>,
                    transpose: transpose::<T>,
                    every_second: every_second::<T>,
                    sort: sort::<T>,
                    chains: chains_entry::<T>,
                    // SAFETY: halves take the same instructions.
                    half: $crate::kernel::last(&[None, $(Some(unsafe { $half::table() }))?]),
                }
            }
            }
        }

        /// # Safety
        /// As [`Multiply`](crate::kernel::Multiply); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn tiles<T: Real, const MR: usize, const NV: usize, const END: u8, const LOOK: u8>(
            run: &$crate::kernel::Run<'_, T>,
        ) where
            $token: Simd<T>,
            $square: Transpose<T>,
        {
            // SAFETY: passed on from the caller; the token's `kernel` alone hands this function out.
            unsafe { $crate::kernel::tiles::<T, $token, $square, MR, NV, END, LOOK>(($token(()), $square(())), run) }
        }

        /// # Safety
        /// As [`Collect`](crate::kernel::gather::Collect); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn gather<T: Real, const MR: usize, const NV: usize>(tile: &$crate::kernel::gather::Gather<'_, T>)
        where
            $token: Simd<T>,
            $narrow: Transpose<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::kernel::gather::gather::<T, $token, $narrow, MR, NV>($token(()), $narrow(()), tile) }
        }

        /// # Safety
        /// As [`Scan`](crate::kernel::scanline::Scan); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn scan<T: Real, const MR: usize, const NV: usize>(tile: &$crate::kernel::scanline::Scanline<'_, T>)
        where
            $token: Window<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::kernel::scanline::scan::<T, $token, MR, NV>($token(()), tile) }
        }

        /// # Safety
        /// As [`thin::columns`](crate::thin::columns); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn columns<T: Real>(job: &$crate::thin::Columns<T>)
        where
            $square: Transpose<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::thin::columns::<T, $square>($square(()), job) }
        }

        /// # Safety
        /// As [`small::small`](crate::small::small); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn small<T: Real>(run: &mut $crate::kernel::Run<'_, T>, shape: (usize, usize))
        where
            $token: Window<T>,
            $narrow: Transpose<T>,
            $square: Transpose<T>,
            $($half: Window<T>,)?
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::small::small($token(()), <$token>::table::<T>(), run, shape) }
        }

        /// # Safety
        /// As [`sweep::sweep`](crate::sweep::sweep); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn sweep<T: Real>(run: &$crate::kernel::Run<'_, T>, shape: (usize, usize))
        where
            $token: Simd<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::sweep::sweep::<T, $token, { [$($one),+].len() }>($token(()), run, shape) }
        }

        /// # Safety
        /// As [`pack::deal`](crate::pack::deal); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn deal<T: Real>(
            source: (*const T, isize),
            strips: (usize, usize),
            rows: (usize, bool),
            panels: (*mut T, usize),
        ) where
            $token: Simd<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::pack::deal::<T, $token>($token(()), source, strips, rows, panels) }
        }

        /// # Safety
        /// As [`Arrange`](crate::kernel::Arrange); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn copy<T: Real>(source: *const T, stride: isize, width: usize, len: usize, panel: *mut T, row: usize)
        where
            $token: Simd<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::pack::copy::<T, $token>($token(()), source, stride, width, len, panel, row) }
        }

        /// # Safety
        /// As [`Arrange`](crate::kernel::Arrange); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn transpose<T: Real>(
            source: *const T,
            stride: isize,
            width: usize,
            len: usize,
            panel: *mut T,
            row: usize,
        ) where
            $narrow: Transpose<T>,
            $square: Transpose<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe {
                $crate::pack::transpose::<T, $square, $narrow>(
                    ($square(()), $narrow(())),
                    (source, stride),
                    (width, len),
                    (panel, row),
                )
            }
        }

        /// # Safety
        /// As [`Arrange`](crate::kernel::Arrange); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn every_second<T: Real>(
            source: *const T,
            stride: isize,
            width: usize,
            len: usize,
            panel: *mut T,
            row: usize,
        ) where
            $square: Transpose<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe {
                $crate::pack::every_second::<T, $square>($square(()), source, stride, width, len, panel, row)
            }
        }

        /// # Safety
        /// As [`pack::sort`](crate::pack::sort); and the CPU has the instructions.
        $(#[$attribute])?
        unsafe fn sort<T: Real>(
            source: (*const T, isize),
            filters: (usize, usize),
            order: $crate::pack::Taps,
            panel: *mut T,
        ) where
            $narrow: Transpose<T>,
        {
            // SAFETY: as for `tiles`.
            unsafe { $crate::pack::sort::<T, $narrow>($narrow(()), source, filters, order, panel) }
        }

        fn chains_entry<T: Real>(rounds: usize) -> (T, usize)
        where
            $token: Simd<T>,
        {
            $(#[$attribute])?
            fn chains<T: Real>(s: $token, rounds: usize) -> (T, usize)
            where
                $token: Simd<T>,
            {
                $crate::kernel::chains::<T, $token, { [$($one),+].len() }>(s, rounds)
            }
            #[allow(unused_unsafe)] // the portable set needs no proof
            // SAFETY: as for `tiles`.
            unsafe {
                chains($token(()), rounds)
            }
        }
    };
}
pub(crate) use kernel_table;

/// The last of some choices.
pub(crate) const fn last<T>(choices: &[Option<&'static Kernel<T>>]) -> Option<&'static Kernel<T>> {
    choices[choices.len() - 1]
}
