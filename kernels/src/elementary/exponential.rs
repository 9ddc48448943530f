//! e^x and what is made of it, for both types by the same steps: compensated where two roundings too many would pass 2 units
//! of the last place.

/// The functions on a type: its bits, their digits after the point and the bias of their exponent, and arguments
/// well below those whose e^x rounds to 0, and above which e^x is infinite. Its module holds their constants.
macro_rules! exponential {
    ($real:ident, $bits:ident, $digits:literal, $bias:literal, $least:literal, $most:literal) => {
        /// Half of an exponent that is not normal.
        const HALF: i32 = $bias / 2;

        /// e^x = 2^n e^r for x from the least that is not rounded to 0 to the largest that is not infinite, with
        /// |r| <= ln 2 / 2: n in the low bits of the first, r.
        #[inline(always)]
        fn reduce<const K: usize>(x: Values<K>) -> (Abreast<$bits, K>, Values<K>) {
            let shifted = x.mul_add(LOG2_E, ROUND);
            let n = shifted - ROUND;
            (shifted.to_bits(), (-n).mul_add(LN_2_LOW, (-n).mul_add(LN_2_HIGH, x)))
        }

        /// e^r - 1 for |r| <= ln 2 / 2.
        #[inline(always)]
        fn exp_m1<const K: usize>(r: Values<K>) -> Values<K> {
            (r * r).mul_add(polynomial(r, EXP), r)
        }

        /// e^x = 2^n (1 + q), as in [`reduce`]: n, q.
        #[inline(always)]
        fn exp_parts<const K: usize>(x: Values<K>) -> (Abreast<$bits, K>, Values<K>) {
            let (n, r) = reduce(x);
            (n, exp_m1(r))
        }

        /// 2^(n + bias), a normal number, for n in the low bits.
        #[inline(always)]
        fn power_of_two<const K: usize>(n: Abreast<$bits, K>, bias: i32) -> Values<K> {
            (n << $digits).wrapping_add((($bias + bias) as $bits) << $digits).to_real()
        }

        /// 2^n.
        const fn constant_power(n: i32) -> $real {
            $real::from_bits((($bias + n) as $bits) << $digits)
        }

        /// The larger of the two; NaN when `x` is.
        #[inline(always)]
        fn at_least<const K: usize>(x: Values<K>, low: $real) -> Values<K> {
            x.less(low).select(low, x)
        }

        /// `factor` e^-|x|.
        #[inline(always)]
        fn exp_of_minus<const K: usize>(x: Values<K>, factor: $real) -> Values<K> {
            let (n, q) = exp_parts(at_least(-x.abs(), $least));
            // In two steps, for results below the normal numbers.
            (1.0 + q) * power_of_two(n, HALF) * (constant_power(-HALF) * factor)
        }

        /// `top / (bottom + rest)` for a `rest` below the last place of `bottom`.
        #[inline(always)]
        fn divide<const K: usize>(top: Values<K>, bottom: Values<K>, rest: Values<K>) -> Values<K> {
            let inverse = 1.0 / bottom;
            let quotient = top * inverse;
            let remainder = (-quotient).mul_add(rest, (-quotient).mul_add(bottom, top));
            remainder.mul_add(inverse, quotient)
        }

        /// e^x.
        #[inline(always)]
        pub fn exp<const K: usize>(x: Values<K>) -> Values<K> {
            let (n, q) = exp_parts(x.clamp($least, $most));
            // In two steps, for results below the normal numbers and above the largest power of two.
            let negative = x.less(0.0);
            let power = negative.select(power_of_two(n, HALF), power_of_two(n, -HALF));
            (1.0 + q) * power * negative.select(constant_power(-HALF), constant_power(HALF))
        }

        /// 1 / (1 + e^-x).
        #[inline(always)]
        pub fn sigmoid<const K: usize>(x: Values<K>) -> Values<K> {
            let e = exp_of_minus(x, 1.0);
            let bottom = 1.0 + e;
            divide(x.less(0.0).select(e, 1.0), bottom, e - (bottom - 1.0))
        }

        /// `top / (bottom + rest)^2`: twice as in [`divide`], the first quotient's remainder carried on.
        #[inline(always)]
        fn divide_twice<const K: usize>(top: Values<K>, bottom: Values<K>, rest: Values<K>) -> Values<K> {
            let inverse = 1.0 / bottom;
            let first = top * inverse;
            let remainder = (-first).mul_add(rest, (-first).mul_add(bottom, top));
            divide_again(first, remainder, bottom, rest, inverse)
        }

        /// `(first + remainder / bottom) / (bottom + rest)`.
        #[inline(always)]
        fn divide_again<const K: usize>(
            first: Values<K>,
            remainder: Values<K>,
            bottom: Values<K>,
            rest: Values<K>,
            inverse: Values<K>,
        ) -> Values<K> {
            let first_rest = remainder * inverse;
            let second = first * inverse;
            let remainder = (-second).mul_add(rest, (-second).mul_add(bottom, first)) + first_rest;
            remainder.mul_add(inverse, second)
        }

        /// `factor` e^-|x| / (1 + e^-|x|)^2 for a power of two.
        #[inline(always)]
        fn bell<const K: usize>(x: Values<K>, factor: $real) -> Values<K> {
            let top = exp_of_minus(x, factor);
            let e = (1.0 / factor) * top;
            let bottom = 1.0 + e;
            divide_twice(top, bottom, e - (bottom - 1.0))
        }

        /// The derivative of [`sigmoid`].
        #[inline(always)]
        pub fn sigmoid_derivative<const K: usize>(x: Values<K>) -> Values<K> {
            bell(x, 1.0)
        }

        /// The derivative of [`tanh`].
        #[inline(always)]
        pub fn tanh_derivative<const K: usize>(x: Values<K>) -> Values<K> {
            bell(2.0 * x, 4.0)
        }

        /// ln(1 + e^(beta x)) / beta for a beta that is a power of two, given with its inverse.
        #[inline(always)]
        pub fn softplus<const K: usize>(x: Values<K>, beta: $real, inverse: $real) -> Values<K> {
            let e = exp_of_minus(beta * x, 1.0);
            // The signs alternate: the large terms come last, one by one.
            let rest = LN_1P.iter().rev().fold(polynomial(e, LN_1P_SMALL), |sum, &term| sum.mul_add(e, term));
            let tail = (-e * e).mul_add(rest, e);
            tail.mul_add(inverse, x.max(0.0))
        }

        /// The hyperbolic tangent.
        #[inline(always)]
        pub fn tanh<const K: usize>(x: Values<K>) -> Values<K> {
            // (e^2|x| - 1) / (e^2|x| + 1)
            let (n, q) = exp_parts((2.0 * x.abs()).clamp(0.0, 40.0));
            let power = power_of_two(n, 0);
            let top = power.mul_add(q, power - 1.0);
            let bottom = top + 2.0;
            let rest = top.more(2.0).select(2.0 - (bottom - top), top - (bottom - 2.0));
            divide(top, bottom, rest).copysign(x)
        }
    };
}
pub(super) use exponential;
