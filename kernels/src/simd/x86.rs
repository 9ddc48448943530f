//! What the x86 instruction sets share: all but their constants. Macros, because `#[target_feature]` and the names of
//! intrinsics cannot be generic.

/// Defines a token: the proof that the CPU has some features. It runs tasks compiled for them.
macro_rules! x86_token {
    ($token:ident, $features:literal, $($detected:tt),+) => {
        /// The proof that the CPU has the instructions of this file.
        #[derive(Clone, Copy)]
        pub(crate) struct $token(pub(super) ());

        impl $token {
            /// The proof, where the CPU and the operating system can give it.
            pub(crate) fn detect() -> Option<Self> {
                ($(is_x86_feature_detected!($detected))&&+).then_some(Self(()))
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
    };
}
pub(super) use x86_token;

/// The arithmetic of [`Simd`](super::Simd) from the names of intrinsics.
macro_rules! x86_arithmetic {
    ($t:ident, $vector:ident, $lanes:literal, $set1:ident, $mul:ident, $fmadd:ident, $loadu:ident, $storeu:ident) => {
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
    };
}
pub(super) use x86_arithmetic;
