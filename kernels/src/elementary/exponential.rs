//! e^x and what is made of it, for both types by the same steps: compensated where two roundings too many would pass 2 units
//! of the last place.

/// The functions on a type: its bits, their digits after the point and the bias of their exponent, and arguments
/// well below those whose e^x rounds to 0, and above which e^x is infinite. `Table` holds the constants.
macro_rules! exponential {
    ($real:ident, $bits:ident, $digits:literal, $bias:literal, $least:literal, $most:literal) => {
        /// Half of an exponent that is not normal.
        const HALF: i32 = $bias / 2;

        /// e^x = 2^n (1 + q) for x from the least that is not rounded to 0 to the largest that is not infinite: n in the low bits of the first, q.
        #[inline(always)]
        fn exp_parts(k: &Table, x: $real) -> ($bits, $real) {
            let shifted = x.mul_add(k.log2_e, k.round);
            let n = shifted - k.round;
            let r = (-n).mul_add(k.ln_2_low, (-n).mul_add(k.ln_2_high, x));
            (shifted.to_bits(), (r * r).mul_add(polynomial(r, k.exp), r))
        }

        /// 2^(n + bias), a normal number, for n in the low bits.
        #[inline(always)]
        fn power_of_two(n: $bits, bias: i32) -> $real {
            $real::from_bits((n << $digits).wrapping_add((($bias + bias) as $bits) << $digits))
        }

        /// The larger of the two; NaN when `x` is.
        #[inline(always)]
        fn at_least(x: $real, low: $real) -> $real {
            if x < low { low } else { x }
        }

        /// `factor` e^-|x|.
        #[inline(always)]
        fn exp_of_minus(k: &Table, x: $real, factor: $real) -> $real {
            let (n, q) = exp_parts(k, at_least(-x.abs(), $least));
            // In two steps, for results below the normal numbers.
            (1.0 + q) * power_of_two(n, HALF) * (power_of_two(0, -HALF) * factor)
        }

        /// `top / (bottom + rest)` for a `rest` below the last place of `bottom`.
        #[inline(always)]
        fn divide(top: $real, bottom: $real, rest: $real) -> $real {
            let inverse = 1.0 / bottom;
            let quotient = top * inverse;
            let remainder = (-quotient).mul_add(rest, (-quotient).mul_add(bottom, top));
            remainder.mul_add(inverse, quotient)
        }

        /// e^x.
        #[inline(always)]
        pub fn exp(k: &Table, x: $real) -> $real {
            let (n, q) = exp_parts(k, x.clamp($least, $most));
            // In two steps, for results below the normal numbers and above the largest power of two.
            let (bias, step) = if x < 0.0 { (HALF, power_of_two(0, -HALF)) } else { (-HALF, power_of_two(0, HALF)) };
            (1.0 + q) * power_of_two(n, bias) * step
        }

        /// 1 / (1 + e^-x).
        #[inline(always)]
        pub fn sigmoid(k: &Table, x: $real) -> $real {
            let e = exp_of_minus(k, x, 1.0);
            let bottom = 1.0 + e;
            divide(if x < 0.0 { e } else { 1.0 }, bottom, e - (bottom - 1.0))
        }

        /// `top / (bottom + rest)^2`: twice as in [`divide`], the first quotient's remainder carried on.
        #[inline(always)]
        fn divide_twice(top: $real, bottom: $real, rest: $real) -> $real {
            let inverse = 1.0 / bottom;
            let first = top * inverse;
            let first_rest = (-first).mul_add(rest, (-first).mul_add(bottom, top)) * inverse;
            let second = first * inverse;
            let remainder = (-second).mul_add(rest, (-second).mul_add(bottom, first)) + first_rest;
            remainder.mul_add(inverse, second)
        }

        /// `factor` e^-|x| / (1 + e^-|x|)^2 for a power of two.
        #[inline(always)]
        fn bell(k: &Table, x: $real, factor: $real) -> $real {
            let top = exp_of_minus(k, x, factor);
            let e = (1.0 / factor) * top;
            let bottom = 1.0 + e;
            divide_twice(top, bottom, e - (bottom - 1.0))
        }

        /// The derivative of [`sigmoid`].
        #[inline(always)]
        pub fn sigmoid_derivative(k: &Table, x: $real) -> $real {
            bell(k, x, 1.0)
        }

        /// The derivative of [`tanh`].
        #[inline(always)]
        pub fn tanh_derivative(k: &Table, x: $real) -> $real {
            bell(k, 2.0 * x, 4.0)
        }

        /// ln(1 + e^(beta x)) / beta for a beta that is a power of two, given with its inverse.
        #[inline(always)]
        pub fn softplus(k: &Table, x: $real, beta: $real, inverse: $real) -> $real {
            let e = exp_of_minus(k, beta * x, 1.0);
            // The signs alternate: the large terms come last, one by one.
            let rest = k.ln_1p.iter().rev().fold(polynomial(e, k.ln_1p_small), |sum, &term| sum.mul_add(e, term));
            let tail = (-e * e).mul_add(rest, e);
            tail.mul_add(inverse, x.max(0.0))
        }

        /// The hyperbolic tangent.
        #[inline(always)]
        pub fn tanh(k: &Table, x: $real) -> $real {
            // (e^2|x| - 1) / (e^2|x| + 1)
            let (n, q) = exp_parts(k, (2.0 * x.abs()).clamp(0.0, 40.0));
            let power = power_of_two(n, 0);
            let top = power.mul_add(q, power - 1.0);
            let bottom = top + 2.0;
            let rest = if top > 2.0 { 2.0 - (bottom - top) } else { top - (bottom - 2.0) };
            divide(top, bottom, rest).copysign(x)
        }
    };
}
pub(super) use exponential;
