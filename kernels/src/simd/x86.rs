//! What the x86 instruction sets share: all but their constants. Macros, because `#[target_feature]` and the names of
//! intrinsics cannot be generic.

/// Defines a token (the proof that the CPU has some features), and what it hands out: the micro-kernel, and tasks
/// compiled for the features. Needs the constants `MR` and `NV` beside it.
macro_rules! x86_token {
    ($token:ident, $features:literal, $($detected:tt),+) => {
        /// The proof that the CPU has the instructions of this file.
        #[derive(Clone, Copy)]
        pub(crate) struct $token(());

        impl $token {
            /// The proof, where the CPU and the operating system can give it.
            pub(crate) fn detect() -> Option<Self> {
                ($(is_x86_feature_detected!($detected))&&+).then_some(Self(()))
            }

            /// The micro-kernel, `MR` rows by `NV` vectors.
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

        #[target_feature(enable = $features)]
        fn run<V: Vectorized>(task: V) -> V::Output {
            task.run()
        }

        /// # Safety
        /// As [`kernel::multiply`]; and the CPU has the instructions.
        #[target_feature(enable = $features)]
        unsafe fn multiply<T: Real>(k: usize, a: *const T, b: *const T, beta: T, c: *mut T, row_stride: usize)
        where
            $token: Simd<T>,
        {
            // SAFETY: passed on from the caller; only the token's `kernel` hands this function out.
            unsafe { kernel::multiply::<T, $token, MR, NV>($token(()), k, a, b, beta, c, row_stride) }
        }

        fn chains_entry<T: Real>(rounds: usize) -> (T, usize)
        where
            $token: Simd<T>,
        {
            // SAFETY: only the token's `kernel` hands this function out, and the token is the proof.
            unsafe { chains($token(()), rounds) }
        }

        #[target_feature(enable = $features)]
        fn chains<T: Real>(s: $token, rounds: usize) -> (T, usize)
        where
            $token: Simd<T>,
        {
            kernel::chains::<T, $token, { MR * NV }>(s, rounds)
        }
    };
}
pub(super) use x86_token;

/// Implements [`Simd`] for an x86 token from the names of its vector type and intrinsics.
macro_rules! x86_simd {
    ($token:ident, $t:ident, $vector:ident, $lanes:literal, $set1:ident, $mul:ident, $fmadd:ident, $loadu:ident, $storeu:ident) => {
        impl Simd<$t> for $token {
            type Vector = $vector;
            const LANES: usize = $lanes;

            #[inline(always)]
            fn splat(self, x: $t) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction.
                unsafe { $set1(x) }
            }
            #[inline(always)]
            fn mul(self, a: $vector, b: $vector) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction.
                unsafe { $mul(a, b) }
            }
            #[inline(always)]
            fn mul_add(self, a: $vector, b: $vector, c: $vector) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction.
                unsafe { $fmadd(a, b, c) }
            }
            #[inline(always)]
            unsafe fn load(self, p: *const $t) -> $vector {
                // SAFETY: `self` proves that the CPU has the instruction; the caller vouches for the elements.
                unsafe { $loadu(p) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $t, v: $vector) {
                // SAFETY: `self` proves that the CPU has the instruction; the caller vouches for the elements.
                unsafe { $storeu(p, v) };
            }
        }
    };
}
pub(super) use x86_simd;
