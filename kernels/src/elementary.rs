//! Elementary functions, written so that the compiler can vectorise them: no branch, no table, no call.
//!
//! Every operation is one of IEEE 754's or a fused multiply-add, so all instruction sets agree to the bit. Ranges that a
//! formula does not cover are computed too and dropped by a select.

pub(crate) mod abreast;
pub(crate) mod double;
mod exponential;
pub(crate) mod single;

/// `c[0] + c[1] x + c[2] x^2 + ...`, as four polynomials in x^4 (two in x^2 when it is short), so that operations wait less for
/// one another than by Horner's rule.
macro_rules! polynomial {
    ($real:ident) => {
        #[inline(always)]
        fn polynomial<const N: usize, const K: usize>(x: Abreast<$real, K>, c: [$real; N]) -> Abreast<$real, K> {
            let square = x * x;
            let (parts, power) = if N < 11 { (2, square) } else { (4, square * square) };
            let part = |first: usize| {
                let last = first + (N - 1 - first) / parts * parts;
                let mut sum = Abreast::from(c[last]);
                for i in (first..last).step_by(parts).rev() {
                    sum = sum.mul_add(power, c[i]);
                }
                sum
            };
            let low = part(1).mul_add(x, part(0));
            if parts == 2 { low } else { part(3).mul_add(x, part(2)).mul_add(square, low) }
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
