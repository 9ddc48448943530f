//! e^x and what is made of it, for both types by the same steps: compensated where two roundings too many would pass 2 units
//! of the last place, and scaled where e^x is below the normal numbers before the result is.

/// The functions on a type: its bits, their digits after the point and the bias of their exponent, and arguments
/// well below those whose e^x rounds to 0, and above which e^x is infinite. Its module holds their constants.
macro_rules! exponential {
    ($real:ident, $bits:ident, $digits:literal, $bias:literal, $least:literal, $most:literal) => {
        /// Half of an exponent that is not normal.
        const HALF: i32 = $bias / 2;

        /// e^x = 2^n e^r for x from the least that is not rounded to 0 to the largest that is not infinite, with
        /// |r| <= ln 2 / 2: 2^(n + bias), a normal number, for the `bias` of this [`rounding`], and r.
        #[inline(always)]
        fn reduce<const K: usize>(x: Values<K>, rounding: impl Into<Values<K>>) -> (Values<K>, Values<K>) {
            let (power, n) = nearest(x, LOG2_E, rounding);
            (power, (-n).mul_add(LN_2_LOW, (-n).mul_add(LN_2_HIGH, x)))
        }

        /// The whole number n that is nearest to `factor * x`: 2^(n + bias), as in [`reduce`], and n.
        #[inline(always)]
        fn nearest<const K: usize>(
            x: Values<K>,
            factor: $real,
            rounding: impl Into<Values<K>>,
        ) -> (Values<K>, Values<K>) {
            let rounding = rounding.into();
            let shifted = x.mul_add(factor, rounding);
            ((shifted.to_bits() << $digits).to_real(), shifted - rounding)
        }

        /// Adding this rounds to a whole number n, and leaves n and the bias of 2^(n + bias) in the low bits.
        const fn rounding(bias: i32) -> $real {
            ROUND + ($bias + bias) as $real
        }

        /// e^r - 1 for |r| <= ln 2 / 2.
        #[inline(always)]
        fn exp_m1<const K: usize>(r: Values<K>) -> Values<K> {
            (r * r).mul_add(polynomial(r, EXP), r)
        }

        /// e^x = 2^n (1 + q), otherwise as [`reduce`]: 2^(n + bias), q.
        #[inline(always)]
        fn exp_parts<const K: usize>(x: Values<K>, rounding: impl Into<Values<K>>) -> (Values<K>, Values<K>) {
            let (power, r) = reduce(x, rounding);
            (power, exp_m1(r))
        }

        /// 2^n.
        const fn constant_power(n: i32) -> $real {
            $real::from_bits((($bias + n) as $bits) << $digits)
        }

        /// `factor` e^-|x|.
        #[inline(always)]
        fn exp_of_minus<const K: usize>(x: Values<K>, factor: $real) -> Values<K> {
            let (power, q) = exp_parts((-x.abs()).at_least($least), rounding(HALF));
            // In two steps, for results below the normal numbers.
            power.mul_add(q, power) * (constant_power(-HALF) * factor)
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
            // In two steps, for results below the normal numbers and above the largest power of two.
            let negative = x.less(0.0);
            let roundings = negative.select(rounding(HALF), rounding(-HALF));
            let (power, q) = exp_parts(x.clamp($least, $most), roundings);
            power.mul_add(q, power) * negative.select(constant_power(-HALF), constant_power(HALF))
        }

        /// The size of x up to which e^x and all on the way to it are normal numbers, and not the largest.
        pub const ORDINARY: $real = (($bias - 2) as $real) * LN_2;

        /// [`exp`] for |x| up to [`ORDINARY`], to the bit.
        #[inline(always)]
        pub fn exp_of_ordinary<const K: usize>(x: Values<K>) -> Values<K> {
            let (power, q) = exp_parts(x, rounding(0));
            power.mul_add(q, power)
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

        /// [`softplus`] of sharpness 1.
        #[inline(always)]
        pub fn unit_softplus<const K: usize>(x: Values<K>) -> Values<K> {
            softplus(x, 1.0, 1.0)
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
            // (e^2|x| - 1) / (e^2|x| + 1), both halved, with e^2|x| = 2^n (1 + 2 q)
            let (power, q) = half_exp_parts(x.abs().at_most(20.0));
            let top = power.mul_add(q, power.mul_add(0.5, -0.5));
            let bottom = top + 1.0;
            // Exact, also where 1 is the smaller, but for sums whose quotient is 1.
            let rest = top - (bottom - 1.0);
            divide(top, bottom, rest).copysign(x)
        }

        /// e^2x = 2^n (1 + 2 q): 2^n, q.
        #[inline(always)]
        fn half_exp_parts<const K: usize>(x: Values<K>) -> (Values<K>, Values<K>) {
            const HALVED: [$real; EXP.len()] = {
                let (mut c, mut i) = (EXP, 0);
                while i < c.len() {
                    c[i] *= (2u32 << i) as $real;
                    i += 1;
                }
                c
            };
            let (power, n) = nearest(x, 2.0 * LOG2_E, rounding(0));
            let high = (-n).mul_add(0.5 * LN_2_HIGH, x);
            let (r, rest) = if REST_OF_R {
                let low = (-0.5 * LN_2_LOW) * n;
                (high + low, low)
            } else {
                let r = (-n).mul_add(0.5 * LN_2_LOW, high);
                (r, r)
            };
            let q = (r * r).mul_add(polynomial(r, HALVED), rest);
            (power, if REST_OF_R { high + q } else { q })
        }

        /// `a + b`, and what its rounding lost (Knuth, The Art of Computer Programming, section 4.2.2).
        #[inline(always)]
        fn two_sum<const K: usize>(a: Values<K>, b: Values<K>) -> (Values<K>, Values<K>) {
            let sum = a + b;
            let moved = sum - a;
            (sum, (a - (sum - moved)) + (b - moved))
        }

        /// e^(-factor x^2) = 2^n e^(r + rest) for a factor of 1 or 1/2, with the rounding of x^2 made good: 2^(n + [`HALF`]), r and its
        /// rest.
        #[inline(always)]
        fn reduce_gaussian<const K: usize>(x: Values<K>, factor: $real) -> (Values<K>, Values<K>, Values<K>) {
            let x = x.clamp(-FARTHEST, FARTHEST);
            let square = x * x;
            let lost = factor * x.mul_add(x, -square);
            let exponent = (-factor * square).at_least($least);
            let (power, n) = nearest(exponent, LOG2_E, rounding(HALF));
            let (high, low) = ((-n).mul_add(LN_2_HIGH, exponent), (-n).mul_add(LN_2_LOW, -lost));
            let r = high + low;
            (power, r, low - (r - high))
        }

        /// `(a b + rest)` e^(-x^2 / 2), where `rest` is what `a b` lacks: roundings are of small terms but for the last.
        #[inline(always)]
        fn times_gaussian<const K: usize>(x: Values<K>, a: Values<K>, b: Values<K>, rest: Values<K>) -> Values<K> {
            let (power, r, r_rest) = reduce_gaussian(x, 0.5);
            let height = a * b;
            let rest = a.mul_add(b, -height) + rest;
            // e^(r + rest) = 1 + r + more
            let more = (r * r).mul_add(polynomial(r, EXP), r_rest);
            let rest = rest.mul_add(r + more, rest);
            let small = height.mul_add(r, height.mul_add(more, rest));
            (height + small) * power * constant_power(-HALF)
        }

        /// The derivative of [`erf`].
        #[inline(always)]
        pub fn erf_derivative<const K: usize>(x: Values<K>) -> Values<K> {
            let (power, r, _) = reduce_gaussian(x, 1.0);
            exp_m1(r).mul_add(FRAC_2_SQRT_PI, FRAC_2_SQRT_PI) * power * constant_power(-HALF)
        }

        /// x Phi(x), Phi the distribution function of the standard normal.
        #[inline(always)]
        pub fn gelu<const K: usize>(x: Values<K>) -> Values<K> {
            // (y + 3/4) Phi(-y) e^(y^2 / 2) is 3/8 at 0 and changes little: 3/8 + (t + 1) u, u a polynomial in t = (y - c) / (y + c).
            const SHIFT: $real = 0.75;
            let (c, u) = GELU;
            let y = x.abs().at_most(FARTHEST);
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
            let y = x.abs().at_most(FARTHEST);
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
            let x = x.at_least(LEAST_PRODUCT);
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
            let y = x.abs().at_most(-LEAST_PRODUCT);
            let distance = a[0] - y;
            // What the rounding lost where y is the larger; elsewhere that is next to nothing.
            let lost = a[0] - (distance + y);
            let (scaled_power, r) = reduce(distance, rounding(HALF));
            let q = exp_m1(r + (lost + a[1]));
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
