//! Values that go through a function abreast.
//!
//! A core looks a few hundred operations ahead for one that need not wait. A function's own operations wait for one
//! another, and a few values of it, one after the other, fill that window. Abreast, an operation is done to all of
//! them before the next one begins, so that neighbours do not wait for each other.

use std::ops::{Add, BitAnd, Div, Mul, Neg, Shl, Shr, Sub};

/// `K` values; what is done to it is done to each. The compiler makes vectors of each, over the lanes of a loop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Abreast<T, const K: usize>(pub [T; K]);

/// An expression's result for each value of those named. A loop, because a closure handed on might be compiled for the build's
/// base set.
macro_rules! each {
    ($($value:ident),+ => $zero:expr, $result:expr) => {{
        let mut all = [$zero; K];
        for i in 0..K {
            $(let $value = $value.0[i];)+
            all[i] = $result;
        }
        Abreast(all)
    }};
}
pub(super) use each;

/// An operator between values abreast, and with one value for all of them.
macro_rules! operator {
    ($real:ident, $trait:ident, $name:ident) => {
        impl<const K: usize> $trait for Abreast<$real, K> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                let a = self;
                each!(a, other => 0.0, a.$name(other))
            }
        }

        impl<const K: usize> $trait<$real> for Abreast<$real, K> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: $real) -> Self {
                self.$name(Self::from(other))
            }
        }

        impl<const K: usize> $trait<Abreast<$real, K>> for $real {
            type Output = Abreast<$real, K>;
            #[inline(always)]
            fn $name(self, other: Abreast<$real, K>) -> Abreast<$real, K> {
                Abreast::from(self).$name(other)
            }
        }
    };
}

macro_rules! abreast {
    ($real:ident, $bits:ident) => {
        operator!($real, Add, add);
        operator!($real, Sub, sub);
        operator!($real, Mul, mul);
        operator!($real, Div, div);

        impl<const K: usize> From<$real> for Abreast<$real, K> {
            #[inline(always)]
            fn from(x: $real) -> Self {
                Self([x; K])
            }
        }

        impl<const K: usize> Neg for Abreast<$real, K> {
            type Output = Self;
            #[inline(always)]
            fn neg(self) -> Self {
                let x = self;
                each!(x => 0.0, -x)
            }
        }

        impl<const K: usize> Abreast<$real, K> {
            /// `self * factor + addend`, rounded once.
            #[inline(always)]
            pub fn mul_add(self, factor: impl Into<Self>, addend: impl Into<Self>) -> Self {
                let (x, factor, addend) = (self, factor.into(), addend.into());
                each!(x, factor, addend => 0.0, x.mul_add(factor, addend))
            }
            #[inline(always)]
            pub fn abs(self) -> Self {
                let x = self;
                each!(x => 0.0, x.abs())
            }
            #[inline(always)]
            pub fn sqrt(self) -> Self {
                let x = self;
                each!(x => 0.0, x.sqrt())
            }
            #[inline(always)]
            pub fn copysign(self, sign: Self) -> Self {
                let x = self;
                each!(x, sign => 0.0, x.copysign(sign))
            }
            /// The larger of the two, or the one that is a number.
            #[inline(always)]
            pub fn max(self, low: $real) -> Self {
                let x = self;
                each!(x => 0.0, x.max(low))
            }
            /// Between the two; NaN stays NaN.
            #[inline(always)]
            pub fn clamp(self, low: $real, high: $real) -> Self {
                let x = self;
                each!(x => 0.0, x.clamp(low, high))
            }
            /// The smaller of the two; NaN stays NaN.
            #[inline(always)]
            pub fn at_most(self, high: $real) -> Self {
                self.more(high).select(high, self)
            }
            /// The larger of the two; NaN stays NaN.
            #[inline(always)]
            pub fn at_least(self, low: $real) -> Self {
                self.less(low).select(low, self)
            }
            /// Which are below `other`.
            #[inline(always)]
            pub fn less(self, other: $real) -> Abreast<bool, K> {
                let x = self;
                each!(x => false, x < other)
            }
            /// Which are at most `other`.
            #[inline(always)]
            pub fn most(self, other: $real) -> Abreast<bool, K> {
                let x = self;
                each!(x => false, x <= other)
            }
            /// Which are above `other`.
            #[inline(always)]
            pub fn more(self, other: $real) -> Abreast<bool, K> {
                let x = self;
                each!(x => false, x > other)
            }
            #[inline(always)]
            pub fn to_bits(self) -> Abreast<$bits, K> {
                let x = self;
                each!(x => 0, x.to_bits())
            }
        }

        impl<const K: usize> Abreast<$bits, K> {
            /// The values of these bits.
            #[inline(always)]
            pub fn to_real(self) -> Abreast<$real, K> {
                let x = self;
                each!(x => 0.0, $real::from_bits(x))
            }
        }
    };
}
abreast!(f32, u32);
abreast!(f64, u64);

impl<const K: usize> Abreast<f32, K> {
    /// The same values in f64.
    #[inline(always)]
    pub fn widened(self) -> Abreast<f64, K> {
        let x = self;
        each!(x => 0.0, f64::from(x))
    }
}

impl<const K: usize> Abreast<f64, K> {
    /// The nearest f32 of each.
    #[inline(always)]
    pub fn narrowed(self) -> Abreast<f32, K> {
        let x = self;
        each!(x => 0.0, x as f32)
    }
}

/// Integers wrap.
macro_rules! whole {
    ($whole:ident) => {
        impl<const K: usize> Abreast<$whole, K> {
            #[inline(always)]
            pub fn wrapping_add(self, other: $whole) -> Self {
                let x = self;
                each!(x => 0, x.wrapping_add(other))
            }
        }

        impl<const K: usize> Shl<u32> for Abreast<$whole, K> {
            type Output = Self;
            #[inline(always)]
            fn shl(self, count: u32) -> Self {
                let x = self;
                each!(x => 0, x << count)
            }
        }

        impl<const K: usize> Shr<u32> for Abreast<$whole, K> {
            type Output = Self;
            #[inline(always)]
            fn shr(self, count: u32) -> Self {
                let x = self;
                each!(x => 0, x >> count)
            }
        }

        impl<const K: usize> BitAnd<$whole> for Abreast<$whole, K> {
            type Output = Self;
            #[inline(always)]
            fn bitand(self, mask: $whole) -> Self {
                let x = self;
                each!(x => 0, x & mask)
            }
        }
    };
}
whole!(u32);
whole!(i32);
whole!(u64);

impl<const K: usize> Abreast<bool, K> {
    /// `yes` where this holds, `no` elsewhere.
    #[inline(always)]
    pub fn select<T: Copy>(self, yes: impl Into<Abreast<T, K>>, no: impl Into<Abreast<T, K>>) -> Abreast<T, K> {
        let (Abreast(yes), Abreast(mut all)) = (yes.into(), no.into());
        for i in 0..K {
            if self.0[i] {
                all[i] = yes[i];
            }
        }
        Abreast(all)
    }
}
