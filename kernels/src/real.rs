//! The two element types.

use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

use std::sync::OnceLock;

use crate::Isa;
use crate::elementary::abreast::Abreast;
use crate::elementary::{double, single};
use crate::kernel::Kernel;
use crate::pointwise::Pointwise;

/// An element type of the kernels: `f32` or `f64`. Sealed.
pub trait Real:
    sealed::Sealed
    + Copy
    + Send
    + Sync
    + Debug
    + Display
    + Default
    + PartialEq
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + 'static
{
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;
    /// The distance from one to the next larger value, 2^-23 or 2^-52.
    const EPSILON: Self;
    /// `"f32"` or `"f64"`.
    const NAME: &'static str;

    /// `self * factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// The value without its sign.
    fn abs(self) -> Self;
    /// The nearest value to `x`.
    fn from_f64(x: f64) -> Self;
    /// The same value as an `f64`; exact.
    fn to_f64(self) -> f64;
    /// The bit pattern, widened to 64 bits.
    fn bits(self) -> u64;
}

pub(crate) mod sealed {
    use super::{Abreast, Isa, Kernel, Pointwise};

    /// What only the two element types of this crate can offer: their micro-kernels.
    pub trait Sealed: Sized + 'static {
        /// The micro-kernel of an instruction set; `None` where this CPU or this build lacks the set.
        fn kernel(isa: Isa) -> Option<&'static Kernel<Self>>;

        /// The micro-kernels of [`Isa::active`].
        ///
        /// # Panics
        /// As [`Isa::active`].
        fn active_kernel() -> &'static Kernel<Self>;

        /// `function(z)`, in this type's own arithmetic. `#[inline(always)]`.
        fn pointwise<const K: usize>(function: impl Pointwise, z: Abreast<Self, K>) -> Abreast<Self, K>;

        /// Two independent standard normals from 64 random bits. `#[inline(always)]`.
        fn normals<const K: usize>(
            radius: Abreast<u32, K>,
            turn: Abreast<u32, K>,
        ) -> (Abreast<Self, K>, Abreast<Self, K>);
    }
}

macro_rules! real {
    ($t:ident, $method:ident) => {
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const EPSILON: Self = $t::EPSILON;
            const NAME: &'static str = stringify!($t);

            #[inline(always)]
            fn mul_add(self, factor: Self, addend: Self) -> Self {
                $t::mul_add(self, factor, addend)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn bits(self) -> u64 {
                u64::from(self.to_bits())
            }
        }

        impl sealed::Sealed for $t {
            fn kernel(isa: Isa) -> Option<&'static Kernel<Self>> {
                crate::kernel::$t(isa)
            }

            #[inline]
            fn active_kernel() -> &'static Kernel<Self> {
                static ACTIVE: OnceLock<&'static Kernel<$t>> = OnceLock::new();
                ACTIVE.get_or_init(|| Self::kernel(Isa::active()).expect("the active instruction set is available"))
            }

            #[inline(always)]
            fn pointwise<const K: usize>(function: impl Pointwise, z: Abreast<Self, K>) -> Abreast<Self, K> {
                function.$method(z)
            }

            #[inline(always)]
            fn normals<const K: usize>(
                radius: Abreast<u32, K>,
                turn: Abreast<u32, K>,
            ) -> (Abreast<Self, K>, Abreast<Self, K>) {
                $method::normals(radius, turn)
            }
        }
    };
}

real!(f32, single);
real!(f64, double);
