//! Functions of f64. Results below 2^-1022 keep fewer digits. Polynomials whose source is not named are Taylor series; the
//! others interpolate at Chebyshev nodes and were computed with 60 digits.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, PI};

use super::polynomial;

/// ln 2 minus its nearest f64.
const LN_2_LOW: f64 = 2.319_046_813_846_299_6e-17;
/// Adding this rounds to a whole number, which is then in the low bits.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

polynomial!(f64);

/// The constants are literals here.
#[derive(Clone, Copy)]
pub struct Table;

impl Table {
    /// Nothing to load.
    pub fn load() -> Self {
        Self
    }
}

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

/// x = n ln 2 + r with |r| <= ln 2 / 2: n in the low bits of the first, r, for |x| below 2^20.
#[inline(always)]
fn reduce(x: f64) -> (i64, f64) {
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = (-n).mul_add(LN_2, x);
    (shifted.to_bits() as i64 - ROUND.to_bits() as i64, (-n).mul_add(LN_2_LOW, r))
}

/// 2^n for -1022 <= n <= 1023.
#[inline(always)]
fn power_of_two(n: i64) -> f64 {
    f64::from_bits(((n + 1023) as u64) << 52)
}

/// e^x.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    let (n, r) = reduce(x.clamp(-760.0, 720.0));
    let e = polynomial(r, const { factorial_reciprocals::<14>(0, 1, 1.0) });
    // In two steps, for results below 2^-1022 and above 2^1024.
    let half = n >> 1;
    e * power_of_two(half) * power_of_two(n - half)
}

/// e^x - 1 for 0 <= x <= 700.
#[inline(always)]
fn exp_m1(x: f64) -> f64 {
    let (n, r) = reduce(x);
    let e = r * polynomial(r, const { factorial_reciprocals::<14>(1, 1, 1.0) });
    let scale = power_of_two(n);
    scale.mul_add(e, scale - 1.0)
}

/// ln(1 + x) for 0 <= x <= 1.
#[inline(always)]
fn ln_1p(x: f64) -> f64 {
    // 2 atanh(s), s = x / (2 + x) <= 1/3
    let s = x / (2.0 + x);
    2.0 * s * polynomial(s * s, const { odd_reciprocals::<17>() })
}

/// ln x for normal x > 0.
#[inline(always)]
fn ln(x: f64) -> f64 {
    // x = 2^n m with m in [1/sqrt 2, sqrt 2)
    const SQRT_HALF_BITS: u64 = FRAC_1_SQRT_2.to_bits();
    let shifted = x.to_bits().wrapping_sub(SQRT_HALF_BITS);
    let m = f64::from_bits((shifted & 0x000f_ffff_ffff_ffff) + SQRT_HALF_BITS);
    // n as a double, from its 12 bits: 2^52 + (n + 2048), less 2^52 + 2048.
    let biased = (shifted >> 52).wrapping_add(2048) & 0xfff;
    let n = f64::from_bits((1075 << 52) | biased) - (4_503_599_627_370_496.0 + 2048.0);
    let f = m - 1.0;
    let s = f / (2.0 + f);
    // ln(1 + f) = 2 atanh(s) = f - f^2 / 2 + s (f^2 / 2 + rest): what is large is exact.
    let [_, more @ ..] = const { odd_reciprocals::<13>() };
    let rest = 2.0 * (s * s) * polynomial(s * s, more);
    let half = 0.5 * f * f;
    let series = f - (half - s.mul_add(half + rest, n * LN_2_LOW));
    n.mul_add(LN_2, series)
}

/// sin and cos of 2 pi x for |x| <= 1.
#[inline(always)]
fn sin_cos_turns(x: f64) -> (f64, f64) {
    let shifted = x.mul_add(4.0, ROUND);
    let quadrant = shifted.to_bits();
    let angle = (2.0 * PI) * (shifted - ROUND).mul_add(-0.25, x);
    let z = angle * angle;
    let sin = angle * polynomial(z, const { factorial_reciprocals::<9>(1, 2, -1.0) });
    let cos = polynomial(z, const { factorial_reciprocals::<9>(0, 2, -1.0) });
    let (s, c) = if quadrant & 1 == 0 { (sin, cos) } else { (cos, sin) };
    // Quadrants 2 and 3 negate the sine, 1 and 2 the cosine.
    let sign = |x: f64, bit: u64| f64::from_bits(x.to_bits() ^ (bit << 63));
    (sign(s, (quadrant >> 1) & 1), sign(c, ((quadrant + 1) >> 1) & 1))
}

/// The Box-Muller transform: cosine and sine of `turn / 2^32` turns, times sqrt(-2 ln u), u from 31 bits of `radius`.
#[inline(always)]
pub fn normals(_: &Table, radius: u32, turn: u32) -> (f64, f64) {
    // Bits lie at the centres of their cells: inside (0, 1), and exact.
    let u = (f64::from((radius >> 1) as i32) + 0.5) * (1.0 / (1u64 << 31) as f64);
    let radius = (-2.0 * ln(u)).sqrt();
    let turn = f64::from(turn as i32) + 0.5;
    let (sin, cos) = sin_cos_turns(turn * (1.0 / (1u64 << 32) as f64));
    (radius * cos, radius * sin)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid(x: f64) -> f64 {
    let e = exp(-x.abs());
    let numerator = if x < 0.0 { e } else { 1.0 };
    numerator / (1.0 + e)
}

/// The derivative of [`sigmoid`], even in x.
#[inline(always)]
pub fn sigmoid_derivative(x: f64) -> f64 {
    let e = exp(-x.abs());
    e / ((1.0 + e) * (1.0 + e))
}

/// ln(1 + e^x).
#[inline(always)]
pub fn softplus(x: f64) -> f64 {
    x.max(0.0) + ln_1p(exp(-x.abs()))
}

/// The hyperbolic tangent.
#[inline(always)]
pub fn tanh(x: f64) -> f64 {
    let e = exp_m1((2.0 * x.abs()).clamp(0.0, 80.0));
    (e / (e + 2.0)).copysign(x)
}

/// The derivative of [`tanh`].
#[inline(always)]
pub fn tanh_derivative(x: f64) -> f64 {
    4.0 * sigmoid_derivative(2.0 * x)
}

/// e^(-factor x^2) for a factor of 1 or 1/2, with the rounding of x^2 made good.
#[inline(always)]
fn gaussian(x: f64, factor: f64) -> f64 {
    let x = x.clamp(-40.0, 40.0);
    let square = x * x;
    let rest = x.mul_add(x, -square);
    let e = exp(-factor * square);
    e.mul_add(-factor * rest, e)
}

/// erf(x) for |x| <= 1.
#[inline(always)]
fn erf_near(x: f64) -> f64 {
    // erf(x) / x in x^2; relative error 8e-18
    x * polynomial(
        x * x,
        [
            FRAC_2_SQRT_PI,
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
    )
}

/// e^(x^2) (1 - erf(x)) for 1 <= x <= 28.
#[inline(always)]
fn erfc_scaled(x: f64) -> f64 {
    // times x, in (x - 4) / (x + 4); relative error 3e-18
    let t = (x - 4.0) / (x + 4.0);
    let scaled = polynomial(
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
    );
    scaled / x
}

/// The error function.
#[inline(always)]
pub fn erf(x: f64) -> f64 {
    let size = x.abs();
    let far = (1.0 - gaussian(x, 1.0) * erfc_scaled(size.clamp(1.0, 28.0))).copysign(x);
    if size > 1.0 { far } else { erf_near(x) }
}

/// The derivative of [`erf`].
#[inline(always)]
pub fn erf_derivative(x: f64) -> f64 {
    FRAC_2_SQRT_PI * gaussian(x, 1.0)
}

/// Phi(x), the distribution function of the standard normal.
#[inline(always)]
fn normal_cdf(x: f64) -> f64 {
    let y = x * FRAC_1_SQRT_2;
    let size = y.abs();
    let tail = 0.5 * gaussian(x, 0.5) * erfc_scaled(size.clamp(1.0, 28.0));
    let far = if y < 0.0 { tail } else { 1.0 - tail };
    if size > 1.0 { far } else { 0.5 + 0.5 * erf_near(y) }
}

/// x Phi(x).
#[inline(always)]
pub fn gelu(x: f64) -> f64 {
    x.clamp(-40.0, f64::INFINITY) * normal_cdf(x)
}

/// The derivative of [`gelu`].
#[inline(always)]
pub fn gelu_derivative(x: f64) -> f64 {
    let y = x.clamp(-40.0, 40.0);
    let density = gaussian(y, 0.5) / (2.0 * PI).sqrt();
    y.mul_add(density, normal_cdf(x))
}

/// x sigmoid(x).
#[inline(always)]
pub fn silu(x: f64) -> f64 {
    x.clamp(-760.0, f64::INFINITY) * sigmoid(x)
}

/// The derivative of [`silu`].
#[inline(always)]
pub fn silu_derivative(x: f64) -> f64 {
    let y = x.clamp(-760.0, 760.0);
    sigmoid(x) * y.mul_add(sigmoid(-x), 1.0)
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
            for (name, found, expected, bound) in [
                ("exp", exp(x), exp_x, 2.0),
                ("softplus", softplus(x), softplus_x, 3.0),
                ("sigmoid", sigmoid(x), sigmoid_x, 3.0),
                ("tanh", tanh(x), tanh_x, 4.0),
                ("erf", erf(x), erf_x, 3.0),
                ("gelu", gelu(x), gelu_x, 6.0),
                ("silu", silu(x), silu_x, 4.0),
            ] {
                let distance = ulps(found, expected);
                assert!(distance <= bound, "{name}({x:e}) = {found:e}, not {expected:e}: {distance} ulp");
            }
        }
    }

    #[test]
    fn ln_and_sin_cos_agree_with_the_platform() {
        for i in 1..20_000 {
            let x = f64::from(i) / 20_000.0;
            for x in [x, x * x * x * 1e-9, 1.0 - x * 1e-12] {
                assert!(ulps(ln(x), x.ln()) <= 2.0, "ln({x:e}) = {:e}", ln(x));
            }
            let (sin, cos) = sin_cos_turns(x);
            let (expected_sin, expected_cos) = (2.0 * PI * x).sin_cos();
            assert!((sin - expected_sin).abs() < 1e-15 && (cos - expected_cos).abs() < 1e-15, "{x}");
        }
    }

    #[test]
    fn limits_and_nan() {
        for f in [exp, sigmoid, sigmoid_derivative, softplus, tanh, tanh_derivative, erf, erf_derivative, gelu, silu] {
            assert!(f(f64::NAN).is_nan());
        }
        assert!(gelu_derivative(f64::NAN).is_nan() && silu_derivative(f64::NAN).is_nan());
        let infinity = f64::INFINITY;
        assert_eq!((exp(-infinity), exp(infinity)), (0.0, infinity));
        assert_eq!((sigmoid(-infinity), sigmoid(infinity)), (0.0, 1.0));
        assert_eq!((softplus(-infinity), softplus(infinity)), (0.0, infinity));
        assert_eq!((tanh(-infinity), tanh(infinity)), (-1.0, 1.0));
        assert_eq!((erf(-infinity), erf(infinity)), (-1.0, 1.0));
        assert_eq!((gelu(-infinity), gelu(infinity)), (0.0, infinity));
        assert_eq!((silu(-infinity), silu(infinity)), (0.0, infinity));
        for derivative in [gelu_derivative, silu_derivative] {
            assert_eq!((derivative(-infinity), derivative(infinity)), (0.0, 1.0));
        }
        assert!(tanh(-0.0).is_sign_negative() && erf(-0.0).is_sign_negative());
    }
}
