//! Functions of f64. Results below 2^-1022 keep fewer digits. Polynomials whose source is not named are Taylor series; the
//! others interpolate at Chebyshev nodes and were computed with 60 digits.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, PI};

use super::abreast::{Abreast, each};
use super::exponential::exponential;
use super::polynomial;

/// ln 2 minus its nearest f64.
const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
/// Adding this rounds to a whole number, which is then in the low bits.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

/// Values abreast.
type Values<const K: usize> = Abreast<f64, K>;

polynomial!(f64);

exponential!(f64, u64, 52, 1023, -800.0, 711.0);

/// The leading 42 bits of ln 2, so that its products with whole numbers are exact.
const LN_2_HIGH: f64 = 0.6931471805598903;
/// ln 2 minus [`LN_2_HIGH`].
const LN_2_LOW: f64 = 5.497923018708371e-14;
/// (e^r - 1 - r) / r^2.
const EXP: [f64; 12] = factorial_reciprocals(2, 1, 1.0);
/// (e - ln(1 + e)) / e^2 on [0, 1], the first terms; relative error of the logarithm 2^-56.
const LN_1P: [f64; 12] = [
    0.5,
    -0.3333333333333333,
    0.24999999999999672,
    -0.19999999999965892,
    0.16666666664940538,
    -0.1428571423505924,
    0.12499999039281467,
    -0.1111109846263068,
    0.09999878522597586,
    -0.09090026949930823,
    0.08328358484628749,
    -0.07670068585584243,
];
/// The terms after [`LN_1P`].
const LN_1P_SMALL: [f64; 12] = [
    0.0706277285085788,
    -0.06431289485731043,
    0.05678967802875166,
    -0.0472670385729707,
    0.03582519317444993,
    -0.023824989353669748,
    0.013379548246618666,
    -0.00608815269912409,
    0.002135791276178153,
    -0.0005384843797413849,
    8.644421097548201e-05,
    -6.61559211968369e-06,
];

/// `1/1, 1/3, 1/5, ...`
const fn odd_reciprocals<const N: usize>() -> [f64; N] {
    let mut c = [0.0; N];
    let mut i = 0;
    while i < N {
        c[i] = 1.0 / (2 * i + 1) as f64;
        i += 1;
    }
    c
}

/// `1/first!, sign/(first + step)!, 1/(first + 2 step)!, ...`
const fn factorial_reciprocals<const N: usize>(first: u32, step: u32, sign: f64) -> [f64; N] {
    let mut c = [0.0; N];
    let mut factorial = 1.0;
    let mut k = 1;
    while k <= first {
        factorial *= k as f64;
        k += 1;
    }
    let mut s = 1.0;
    let mut i = 0;
    while i < N {
        c[i] = s / factorial;
        s *= sign;
        let mut j = 0;
        while j < step {
            factorial *= k as f64;
            k += 1;
            j += 1;
        }
        i += 1;
    }
    c
}

/// ln x for normal x > 0.
#[inline(always)]
fn ln<const K: usize>(x: Values<K>) -> Values<K> {
    // x = 2^n m with m in [1/sqrt 2, sqrt 2)
    const SQRT_HALF_BITS: u64 = FRAC_1_SQRT_2.to_bits();
    let shifted = x.to_bits().wrapping_add(SQRT_HALF_BITS.wrapping_neg());
    let m = (shifted & 0x000f_ffff_ffff_ffff).wrapping_add(SQRT_HALF_BITS).to_real();
    // n as a double, from its 12 bits: 2^52 + (n + 2048), less 2^52 + 2048.
    let biased = (shifted >> 52).wrapping_add(2048) & 0xfff;
    let n = each!(biased => 0.0, f64::from_bits((1075 << 52) | biased)) - (4_503_599_627_370_496.0 + 2048.0);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    // ln(1 + f) = 2 atanh(s) = f - f^2 / 2 + s (f^2 / 2 + rest): what is large is exact.
    let [_, more @ ..] = const { odd_reciprocals::<13>() };
    let rest = 2.0 * (s * s) * polynomial(s * s, more);
    let half = 0.5 * f * f;
    let series = f - (half - s.mul_add(half + rest, n * LN_2_REST));
    n.mul_add(LN_2, series)
}

/// Negates what lies in quadrants 2 and 3.
#[inline(always)]
fn sign<const K: usize>(x: Values<K>, quadrant: Abreast<u64, K>) -> Values<K> {
    each!(x, quadrant => 0.0, f64::from_bits(x.to_bits() ^ ((quadrant & 2) << 62)))
}

/// sin and cos of 2 pi x for |x| <= 1.
#[inline(always)]
fn sin_cos_turns<const K: usize>(x: Values<K>) -> (Values<K>, Values<K>) {
    let shifted = x.mul_add(4.0, ROUND);
    let quadrant = shifted.to_bits();
    let angle = (2.0 * PI) * (shifted - ROUND).mul_add(-0.25, x);
    let z = angle * angle;
    let sin = angle * polynomial(z, const { factorial_reciprocals::<9>(1, 2, -1.0) });
    let cos = polynomial(z, const { factorial_reciprocals::<9>(0, 2, -1.0) });
    let even = each!(quadrant => false, quadrant & 1 == 0);
    let (sin, cos) = (even.select(sin, cos), even.select(cos, sin));
    (sign(sin, quadrant), sign(cos, quadrant.wrapping_add(1)))
}

/// The Box-Muller transform: cosine and sine of `turn / 2^32` turns, times sqrt(-2 ln u), u from 31 bits of `radius`.
#[inline(always)]
pub fn normals<const K: usize>(radius: Abreast<u32, K>, turn: Abreast<u32, K>) -> (Values<K>, Values<K>) {
    // Bits lie at the centres of their cells: inside (0, 1), and exact.
    let u = (each!(radius => 0.0, f64::from((radius >> 1) as i32)) + 0.5) * (1.0 / (1u64 << 31) as f64);
    let radius = (-2.0 * ln(u)).sqrt();
    let turn = each!(turn => 0.0, f64::from(turn as i32)) + 0.5;
    let (sin, cos) = sin_cos_turns(turn * (1.0 / (1u64 << 32) as f64));
    (radius * cos, radius * sin)
}

/// `height` e^(-factor x^2) for a factor of 1 or 1/2, with the rounding of x^2 made good.
#[inline(always)]
fn gaussian<const K: usize>(x: Values<K>, factor: f64, height: Values<K>) -> Values<K> {
    let x = x.clamp(-40.0, 40.0);
    let square = x * x;
    let rest = factor * x.mul_add(x, -square);
    let (n, q) = exp_parts(at_least(-factor * square, -800.0));
    let q = (-rest).mul_add(1.0 + q, q);
    height.mul_add(q, height) * power_of_two(n, HALF) * constant_power(-HALF)
}

/// erf(x) for |x| <= 1.
#[inline(always)]
fn erf_near<const K: usize>(x: Values<K>) -> Values<K> {
    // erf(x) / x - 1 in x^2; error 8e-18
    let more = polynomial(
        x * x,
        [
            FRAC_2_SQRT_PI - 1.0,
            -0.37612638903183543,
            0.11283791670945006,
            -0.02686617064323777,
            0.0052239776071164225,
            -0.0008548325975389692,
            0.00012055294904839707,
            -1.492473690741966e-05,
            1.6447424703317362e-06,
            -1.6208483801871705e-07,
            1.3720064546777686e-08,
            -7.795898827002142e-10,
        ],
    );
    x.mul_add(more, x)
}

/// x e^(x^2) (1 - erf(x)) for 1 <= x <= 28.
#[inline(always)]
fn erfc_scaled<const K: usize>(x: Values<K>) -> Values<K> {
    // in (x - 4) / (x + 4); relative error 3e-18
    let t = (x - 4.0) / (x + 4.0);
    polynomial(
        t,
        [
            0.5479978305002455,
            0.05972346595980455,
            -0.10167001340782211,
            0.1161774354760031,
            -0.10500112171764223,
            0.07842032531894785,
            -0.04881471116424389,
            0.02500573078620728,
            -0.010128998861051477,
            0.0029155483794826797,
            -0.0003680055865996521,
            -0.0001391198738997508,
            8.658767197488623e-05,
            -1.1247942225383693e-05,
            -7.078862837847716e-06,
            3.057634227038778e-06,
            2.789600037917342e-07,
            -4.5447786458939603e-07,
            3.694777436555913e-08,
            5.149888204725769e-08,
            -1.3686702886533642e-08,
        ],
    )
}

/// The error function.
#[inline(always)]
pub fn erf<const K: usize>(x: Values<K>) -> Values<K> {
    let size = x.abs().clamp(1.0, 28.0);
    let far = (1.0 - gaussian(x, 1.0, erfc_scaled(size) / size)).copysign(x);
    x.abs().more(1.0).select(far, erf_near(x))
}

/// The derivative of [`erf`].
#[inline(always)]
pub fn erf_derivative<const K: usize>(x: Values<K>) -> Values<K> {
    gaussian(x, 1.0, FRAC_2_SQRT_PI.into())
}

/// |x| Phi(-|x|) for |x| >= sqrt 2.
#[inline(always)]
fn gelu_tail<const K: usize>(x: Values<K>) -> Values<K> {
    let y = (FRAC_1_SQRT_2 * x.abs()).clamp(1.0, 28.0);
    gaussian(x, 0.5, FRAC_1_SQRT_2 * erfc_scaled(y))
}

/// x Phi(x), Phi the distribution function of the standard normal.
#[inline(always)]
pub fn gelu<const K: usize>(x: Values<K>) -> Values<K> {
    let tail = gelu_tail(x);
    let far = x.less(0.0).select(-tail, x - tail);
    let half = 0.5 * x;
    let near = half.mul_add(erf_near(FRAC_1_SQRT_2 * x), half);
    (x * x).more(2.0).select(far, near.copysign(x))
}

/// The derivative of [`gelu`].
#[inline(always)]
pub fn gelu_derivative<const K: usize>(x: Values<K>) -> Values<K> {
    // The root, and the derivative over the distance to it, within 1/4 of it; relative error 4e-18.
    const ROOT: [f64; 2] = [-0.7517915246935645, 1.4956759177009883e-17];
    let distance = (x - ROOT[0]) - ROOT[1];
    let close = distance
        * polynomial(
            distance,
            [
                0.4314939923140469,
                0.3882849829905519,
                -0.018199676398671375,
                -0.11400823329718508,
                -0.014771522148162585,
                0.01942167983349949,
                0.0045392283706867645,
                -0.0022395378107645768,
                -0.0007448264312676933,
                0.0001863328832464612,
                8.6149497315732e-05,
                -1.1126510180291502e-05,
                -7.628051568501066e-06,
            ],
        );
    let y = x.abs().clamp(1e-300, 40.0);
    let density = gaussian(x, 0.5, (0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2).into());
    let tail = gelu_tail(x) / y - y * density;
    let far = x.less(0.0).select(tail, 1.0 - tail);
    let near = x.clamp(-2.0, 2.0).mul_add(density, erf_near(FRAC_1_SQRT_2 * x).mul_add(0.5, 0.5));
    let wide = (x * x).more(2.0).select(far, near);
    distance.abs().less(0.25).select(close, wide)
}

/// x sigmoid(x).
#[inline(always)]
pub fn silu<const K: usize>(x: Values<K>) -> Values<K> {
    // e^x is below the normal numbers before x e^x is: scaled until the end.
    const SCALE: f64 = (1u64 << 60) as f64;
    let x = at_least(x, -800.0);
    let scaled = exp_of_minus(x, SCALE);
    let e = (1.0 / SCALE) * scaled;
    let negative = x.less(0.0);
    let (factor, back) = (negative.select(scaled, 1.0), negative.select(1.0 / SCALE, 1.0));
    let top = x * factor;
    let bottom = 1.0 + e;
    let inverse = 1.0 / bottom;
    let quotient = top * inverse;
    let remainder = (-quotient).mul_add(e - (bottom - 1.0), (-quotient).mul_add(bottom, top)) + x.mul_add(factor, -top);
    let value = (remainder.mul_add(inverse, quotient) * back).copysign(x);
    x.more(1e300).select(x, value)
}

/// The derivative of [`silu`].
#[inline(always)]
pub fn silu_derivative<const K: usize>(x: Values<K>) -> Values<K> {
    // It is e (1 + e - y) / (1 + e)^2 at x = -y, with e = e^-y, and that less than 1 at x = y. Close to the root y0
    // of 1 + e - y, with d = y0 - y, 1 + e - y = d + (y0 - 1) (e^d - 1). e is scaled: it is below the normal
    // numbers before y e is.
    const ROOT: [f64; 2] = [1.2784645427610737, 1.0946994183093437e-16];
    const AT_ROOT: f64 = 0.2784645427610738;
    const SCALE: f64 = 4096.0;
    let y = x.abs().clamp(0.0, 800.0);
    let scaled = exp_of_minus(y, SCALE);
    let e = (1.0 / SCALE) * scaled;
    let distance = (ROOT[0] - y) + ROOT[1];
    let (n, q) = exp_parts(distance.clamp(-1.0, 2.0));
    let power = power_of_two(n, 0);
    let close = power.mul_add(q, power - 1.0).mul_add(AT_ROOT, distance);
    let factor = distance.abs().less(0.5).select(close, (1.0 - y) + e);
    let bottom = 1.0 + e;
    let below = divide_twice(scaled * factor, bottom, e - (bottom - 1.0)) * (1.0 / SCALE);
    x.more(0.0).select(1.0 - below, below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The distance between two values in units of the last place of the second.
    fn ulps(found: f64, expected: f64) -> f64 {
        if found == expected || (found.is_nan() && expected.is_nan()) {
            return 0.0;
        }
        if expected.abs() < f64::MIN_POSITIVE {
            // Below the normal numbers only the magnitude is promised.
            return if found.abs() < 2.0 * f64::MIN_POSITIVE { 0.0 } else { f64::INFINITY };
        }
        let unit = expected.abs().next_up() - expected.abs();
        (found - expected).abs() / unit
    }

    #[test]
    #[allow(clippy::approx_constant)] // a table of computed values may hold a famous one
    fn agree_with_values_of_sixty_digits() {
        // Columns: x, exp, softplus, sigmoid, tanh, erf, gelu, silu; from mpmath 1.4, rounded to f64.
        for row in include!("values.in") {
            let [x, exp_x, softplus_x, sigmoid_x, tanh_x, erf_x, gelu_x, silu_x] = row;
            let x = Abreast([x]);
            for (name, Abreast([found]), expected, bound) in [
                ("exp", exp(x), exp_x, 2.0),
                ("softplus", softplus(x, 1.0, 1.0), softplus_x, 2.0),
                ("sigmoid", sigmoid(x), sigmoid_x, 2.0),
                ("tanh", tanh(x), tanh_x, 2.0),
                ("erf", erf(x), erf_x, 2.0),
                ("gelu", gelu(x), gelu_x, 5.0),
                ("silu", silu(x), silu_x, 2.0),
            ] {
                let distance = ulps(found, expected);
                assert!(distance <= bound, "{name}({x:?}) = {found:e}, not {expected:e}: {distance} ulp");
            }
        }
    }

    #[test]
    fn ln_and_sin_cos_agree_with_the_platform() {
        for i in 1..20_000 {
            let x = f64::from(i) / 20_000.0;
            for x in [x, x * x * x * 1e-9, 1.0 - x * 1e-12] {
                let Abreast([found]) = ln(Abreast([x]));
                assert!(ulps(found, x.ln()) <= 2.0, "ln({x:e}) = {found:e}");
            }
            let (Abreast([sin]), Abreast([cos])) = sin_cos_turns(Abreast([x]));
            let (expected_sin, expected_cos) = (2.0 * PI * x).sin_cos();
            assert!((sin - expected_sin).abs() < 1e-15 && (cos - expected_cos).abs() < 1e-15, "{x}");
        }
    }
}
