//! e^x and what is made of it, for both types by the same steps: compensated where two roundings too many would pass 2 units
//! of the last place, and scaled where e^x is below the normal numbers before the result is.

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

        /// `top / (bottom + rest)` for a `rest` below the last place of `bottom`: its first value, what that leaves of `top`, and
        /// the inverse by which to divide it.
        #[inline(always)]
        fn quotient<const K: usize>(
            top: Values<K>,
            bottom: Values<K>,
            rest: Values<K>,
        ) -> (Values<K>, Values<K>, Values<K>) {
            let inverse = 1.0 / bottom;
            let first = top * inverse;
            (first, (-first).mul_add(rest, (-first).mul_add(bottom, top)), inverse)
        }

        /// `top / (bottom + rest)`.
        #[inline(always)]
        fn divide<const K: usize>(top: Values<K>, bottom: Values<K>, rest: Values<K>) -> Values<K> {
            let (first, left, inverse) = quotient(top, bottom, rest);
            left.mul_add(inverse, first)
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
            logistic(x, exp_of_minus(x, 1.0))
        }

        /// [`sigmoid`], given e^-|x|.
        #[inline(always)]
        fn logistic<const K: usize>(x: Values<K>, e: Values<K>) -> Values<K> {
            let bottom = 1.0 + e;
            divide(x.less(0.0).select(e, 1.0), bottom, e - (bottom - 1.0))
        }

        /// `(top + top_rest) / (bottom + rest)^2`, given the [`quotient`] of `top`, what it leaves with `top_rest`, and the inverse.
        #[inline(always)]
        fn divide_again<const K: usize>(
            (first, left, inverse): (Values<K>, Values<K>, Values<K>),
            bottom: Values<K>,
            rest: Values<K>,
        ) -> Values<K> {
            let second = first * inverse;
            let remainder = (-second).mul_add(rest, (-second).mul_add(bottom, first)) + left * inverse;
            remainder.mul_add(inverse, second)
        }

        /// `factor` e^-|x| / (1 + e^-|x|)^2 for a power of two.
        #[inline(always)]
        fn bell<const K: usize>(x: Values<K>, factor: $real) -> Values<K> {
            let top = exp_of_minus(x, factor);
            let e = (1.0 / factor) * top;
            let bottom = 1.0 + e;
            let rest = e - (bottom - 1.0);
            divide_again(quotient(top, bottom, rest), bottom, rest)
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

        /// ln(1 + e^(beta x)) / beta for a beta that is a power of two and no less than 1/2, given with its inverse.
        #[inline(always)]
        pub fn softplus<const K: usize>(x: Values<K>, beta: $real, inverse: $real) -> Values<K> {
            let e = exp_of_minus(beta * x, 1.0);
            let tail = (-e * e).mul_add(ln_1p_rest(e), e);
            tail.mul_add(inverse, x.max(0.0))
        }

        /// (e - ln(1 + e)) / e^2 on [0, 1].
        #[inline(always)]
        fn ln_1p_rest<const K: usize>(e: Values<K>) -> Values<K> {
            // The signs alternate: the large terms come last, one by one.
            LN_1P.iter().rev().fold(polynomial(e, LN_1P_SMALL), |sum, &term| sum.mul_add(e, term))
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

        /// `a + b`, and what its rounding lost (Knuth, The Art of Computer Programming, section 4.2.2).
        #[inline(always)]
        fn two_sum<const K: usize>(a: Values<K>, b: Values<K>) -> (Values<K>, Values<K>) {
            let sum = a + b;
            let moved = sum - a;
            (sum, (a - (sum - moved)) + (b - moved))
        }

        /// e^(-factor x^2) = 2^n e^r for a factor of 1 or 1/2, with the rounding of x^2 made good: n in the low bits, r.
        #[inline(always)]
        fn reduce_gaussian<const K: usize>(x: Values<K>, factor: $real) -> (Abreast<$bits, K>, Values<K>) {
            let x = x.clamp(-FARTHEST, FARTHEST);
            let square = x * x;
            let rest = factor * x.mul_add(x, -square);
            let (n, r) = reduce(at_least(-factor * square, $least));
            (n, r - rest)
        }

        /// `height` e^(-factor x^2).
        #[inline(always)]
        fn gaussian<const K: usize>(x: Values<K>, factor: $real, height: Values<K>) -> Values<K> {
            let (n, r) = reduce_gaussian(x, factor);
            height.mul_add(exp_m1(r), height) * power_of_two(n, HALF) * constant_power(-HALF)
        }

        /// `(a b + rest)` e^(-x^2 / 2), where `rest` is what `a b` lacks: roundings are of small terms but for the last.
        #[inline(always)]
        fn times_gaussian<const K: usize>(x: Values<K>, a: Values<K>, b: Values<K>, rest: Values<K>) -> Values<K> {
            let (n, r) = reduce_gaussian(x, 0.5);
            let height = a * b;
            let rest = a.mul_add(b, -height) + rest;
            // e^r = 1 + r + more
            let more = (r * r) * polynomial(r, EXP);
            let rest = rest.mul_add(r + more, rest);
            let small = height.mul_add(r, height.mul_add(more, rest));
            (height + small) * power_of_two(n, HALF) * constant_power(-HALF)
        }

        /// The derivative of [`erf`].
        #[inline(always)]
        pub fn erf_derivative<const K: usize>(x: Values<K>) -> Values<K> {
            gaussian(x, 1.0, FRAC_2_SQRT_PI.into())
        }

        /// x Phi(x), Phi the distribution function of the standard normal.
        #[inline(always)]
        pub fn gelu<const K: usize>(x: Values<K>) -> Values<K> {
            // (y + 3/4) Phi(-y) e^(y^2 / 2) is 3/8 at 0 and changes little: 3/8 + (t + 1) u, u a polynomial in t = (y - c) / (y + c).
            const SHIFT: $real = 0.75;
            let (c, u) = GELU;
            let y = x.abs().clamp(0.0, FARTHEST);
            let double = 2.0 * (y / (y + c));
            let u = horner(double - 1.0, u);
            let flat = double.mul_add(u, 0.5 * SHIFT);
            let bottom = y + SHIFT;
            let (fraction, left, inverse) = quotient(y, bottom, y - (bottom - SHIFT));
            let tail = times_gaussian(y, fraction, flat, left * inverse * flat);
            x.less(0.0).select(-tail, x - tail).copysign(x)
        }

        /// The derivative of [`gelu`].
        #[inline(always)]
        pub fn gelu_derivative<const K: usize>(x: Values<K>) -> Values<K> {
            // It is (y0 - y) s e^(-y^2 / 2) at x = -y, y0 its root, and that less than 1 at x = y, where s is 1/(2 y0) at 0 and changes
            // little: 1/(2 y0) + (t + 1) u, u a polynomial in t = (y - c) / (y + c).
            let (at_zero, c, u) = GELU_SLOPE;
            let y = x.abs().clamp(0.0, FARTHEST);
            let double = 2.0 * (y / (y + c));
            let u = horner(double - 1.0, u);
            let s = double.mul_add(u, at_zero[0]);
            let s_rest = double.mul_add(u, at_zero[0] - s) + at_zero[1];
            let (distance, lost) = two_sum(GELU_ROOT[0].into(), -y);
            let below = times_gaussian(y, distance, s, distance.mul_add(s_rest, (lost + GELU_ROOT[1]) * s));
            x.more(0.0).select(1.0 - below, below)
        }

        /// x sigmoid(x).
        #[inline(always)]
        pub fn silu<const K: usize>(x: Values<K>) -> Values<K> {
            // e^x is below the normal numbers before x e^x is: scaled until the end.
            let x = at_least(x, LEAST_PRODUCT);
            let scaled = exp_of_minus(x, SCALE);
            let e = (1.0 / SCALE) * scaled;
            let negative = x.less(0.0);
            let (factor, back) = (negative.select(scaled, 1.0), negative.select(1.0 / SCALE, 1.0));
            let top = x * factor;
            let bottom = 1.0 + e;
            let (first, left, inverse) = quotient(top, bottom, e - (bottom - 1.0));
            let value = ((left + x.mul_add(factor, -top)).mul_add(inverse, first) * back).copysign(x);
            x.more(-LEAST_PRODUCT).select(x, value)
        }

        /// The derivative of [`silu`].
        #[inline(always)]
        pub fn silu_derivative<const K: usize>(x: Values<K>) -> Values<K> {
            // It is e (1 + e - y) / (1 + e)^2 at x = -y, with e = e^-y, and that less than 1 at x = y. 1 + e - y has a root; for
            // a = -ln c near it and its first part b, it is (1 + c - b) + (b - y) + c (e^(a - y) - 1), whose terms are small there.
            // e is scaled: it is below the normal numbers before y e is.
            let (a, c) = SILU_ROOT;
            let y = x.abs().clamp(0.0, -LEAST_PRODUCT);
            let distance = a[0] - y;
            // What the rounding lost where y is the larger; elsewhere that is next to nothing.
            let lost = a[0] - (distance + y);
            let (n, r) = reduce(distance);
            let q = exp_m1(r + (lost + a[1]));
            let scaled_power = power_of_two(n, HALF);
            let scaled = q.mul_add(c, c) * scaled_power;
            let power = scaled_power * constant_power(-HALF);
            let less = power.mul_add(q, power - 1.0);
            let factor = less.mul_add(c, distance);
            let factor_rest = less.mul_add(c, distance - factor) + (lost + (c - (a[0] - 1.0)));
            let e = scaled * constant_power(-HALF);
            let bottom = 1.0 + e;
            let rest = e - (bottom - 1.0);
            // 1 / (1 + e) = inverse (1 + missing)
            let inverse = 1.0 / bottom;
            let missing = (-inverse).mul_add(rest, (-inverse).mul_add(bottom, 1.0));
            let (first, second) = (scaled * inverse, factor * inverse);
            let second_rest = factor_rest.mul_add(inverse, factor.mul_add(inverse, -second));
            let second_rest = (missing + missing).mul_add(second, second_rest);
            let first_rest = scaled.mul_add(inverse, -first);
            let below = first.mul_add(second, first.mul_add(second_rest, first_rest * second)) * constant_power(-HALF);
            x.more(0.0).select(1.0 - below, below)
        }
    };
}
pub(super) use exponential;
