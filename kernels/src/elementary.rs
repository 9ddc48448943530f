//! Elementary functions, written so that the compiler can vectorise them: no branch, no table, no call.
//!
//! Every operation is one of IEEE 754's or a fused multiply-add, so all instruction sets agree to the bit. Ranges that a
//! formula does not cover are computed too and dropped by a select.

pub(crate) mod abreast;
pub(crate) mod double;
mod exponential;
pub(crate) mod single;

/// `c[0] + c[1] x + c[2] x^2 + ...`, as two polynomials in x^2, so that operations wait less for one another than by Horner's rule.
macro_rules! polynomial {
    ($real:ident) => {
        #[inline(always)]
        fn polynomial<const N: usize, const K: usize>(x: Abreast<$real, K>, c: [$real; N]) -> Abreast<$real, K> {
            let square = x * x;
            let part = |first: usize| {
                let last = first + (N - 1 - first) / 2 * 2;
                let mut sum = Abreast::from(c[last]);
                for i in (first..last).step_by(2).rev() {
                    sum = sum.mul_add(square, c[i]);
                }
                sum
            };
            part(1).mul_add(x, part(0))
        }
    };
}
use polynomial;

/// `c[0] + c[1] x + c[2] x^2 + ...` by Horner's rule, whose last steps alone leave errors when |x| is well below 1.
macro_rules! horner {
    ($real:ident) => {
        #[inline(always)]
        fn horner<const N: usize, const K: usize>(x: Abreast<$real, K>, c: [$real; N]) -> Abreast<$real, K> {
            let mut sum = Abreast::from(c[N - 1]);
            for i in (0..N - 1).rev() {
                sum = sum.mul_add(x, c[i]);
            }
            sum
        }
    };
}
use horner;
