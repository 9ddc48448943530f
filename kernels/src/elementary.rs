//! Elementary functions, written so that the compiler can vectorise them: no branch, no table, no call.
//!
//! Every operation is one of IEEE 754's or a fused multiply-add, so all instruction sets agree to the bit. Ranges that a
//! formula does not cover are computed too and dropped by a select.

pub(crate) mod double;
mod exponential;
pub(crate) mod single;

/// `c[0] + c[1] x + c[2] x^2 + ...`, as four polynomials in x^4 (two in x^2 when it is short), so that operations wait less for
/// one another than by Horner's rule.
macro_rules! polynomial {
    ($real:ident) => {
        #[inline(always)]
        fn polynomial<const N: usize>(x: $real, c: [$real; N]) -> $real {
            let square = x * x;
            let (parts, power) = if N < 11 { (2, square) } else { (4, square * square) };
            let mut sums = [0.0; 4];
            for i in (0..N).rev() {
                let sum = &mut sums[i % parts];
                *sum = if i + parts >= N { c[i] } else { sum.mul_add(power, c[i]) };
            }
            let [a, b, c, d] = sums;
            let low = b.mul_add(x, a);
            if parts == 2 { low } else { d.mul_add(x, c).mul_add(square, low) }
        }
    };
}
use polynomial;
