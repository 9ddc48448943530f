//! Functions of f64. Results below 2^-1022 keep fewer digits. Polynomials whose source is not named are Taylor series; minimax
//! fits are by Remez's exchange; the others interpolate at Chebyshev nodes. All were computed with 50 digits at least.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, PI};

use super::abreast::{Abreast, each};
use super::exponential::exponential;
use super::{horner, polynomial};

/// ln 2 minus its nearest f64.
const LN_2_REST: f64 = 2.319_046_813_846_299_6e-17;
/// Adding this rounds to a whole number, which is then in the low bits.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

/// Values abreast.
type Values<const K: usize> = Abreast<f64, K>;

polynomial!(f64);
horner!(f64);

exponential!(f64, u64, 52, 1023, -800.0, 711.0);

/// The leading 42 bits of ln 2, so that its products with whole numbers are exact.
const LN_2_HIGH: f64 = 0.6931471805598903;
/// ln 2 minus [`LN_2_HIGH`].
const LN_2_LOW: f64 = 5.497923018708371e-14;
/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, a minimax fit; relative error of e^r 2^-57.
const EXP: [f64; 10] = [
    0.5000000000000011,
    0.1666666666666641,
    0.04166666666653044,
    0.008333333333496486,
    0.001388888894357561,
    0.00019841269502529868,
    2.4801493140040225e-05,
    2.755758965570892e-06,
    2.763023777361712e-07,
    2.4999122622693704e-08,
];
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

/// Up to where [`ERF_NEAR`] holds, and from where on [`ERF_FAR`].
const ERF_SPLIT: f64 = 1.0;
/// erf(x) / x - 1 in x^2, a minimax fit; relative error 2^-56.9.
const ERF_NEAR: [f64; 12] = [
    0.12837916709551256,
    -0.3761263890318352,
    0.112837916709442,
    -0.026866170643113415,
    0.005223977606130842,
    -0.0008548325929766244,
    0.0001205529358693695,
    -1.4924712439534814e-05,
    1.6447132699786621e-06,
    -1.6206318752969208e-07,
    1.3710988704190523e-08,
    -7.779462971761597e-10,
];
/// log2(1 - erf(x)) in x - [`ERF_SPLIT`], up to x = 6, a minimax fit; error of erf 2^-54.8.
const ERF_FAR: [f64; 17] = [
    -2.6684166967815997,
    -3.807225345853523,
    -1.2163466576907453,
    -0.05995998993909624,
    0.014475748999679223,
    -0.0028535029423982297,
    0.00034235320766088767,
    3.799920249137999e-05,
    -3.936068452052804e-05,
    1.4122986734815082e-05,
    -3.2499592449406345e-06,
    4.2588980427802405e-07,
    1.2601900328294958e-08,
    -2.0343863612420676e-08,
    4.689929700326965e-09,
    -5.317315194211199e-10,
    2.5543467371199498e-11,
];
/// 2^r for |r| <= 1/2, a minimax fit; relative error 2^-52, for what is small beside 1.
const EXP_2: [f64; 11] = [
    1.0,
    0.6931471805599498,
    0.24022650695908765,
    0.055504108664458256,
    0.009618129108035304,
    0.0013333558228660531,
    0.00015403529960571305,
    1.5252658055543514e-05,
    1.3215662986224207e-06,
    1.0208550192712557e-07,
    7.037271082724867e-09,
];
/// Whether [`tanh`] makes good what rounding takes from r, without which it would pass 2 units.
const REST_OF_R: bool = true;
/// Where e^(-x^2 / 2) is rounded to 0, and further.
const FARTHEST: f64 = 40.0;
/// The least x whose x e^x is not rounded to 0, and less.
const LEAST_PRODUCT: f64 = -800.0;
/// The scale at which e^x is computed where x e^x is a normal number and e^x is not.
const SCALE: f64 = (1u64 << 60) as f64;
/// a and c = e^-a near the root of 1 + e^-y - y: c is an f64, and a is in two parts.
const SILU_ROOT: ([f64; 2], f64) = ([1.2784645427610737, 1.0389522622732797e-16], 0.2784645427610738);
/// u in (y - 6) / (y + 6), as [`gelu`] has it; relative error 1.8e-17.
const GELU: (f64, [f64; 22]) = (
    6.0,
    [
        0.06226037169001623,
        -0.11648655063153214,
        0.12984010183134642,
        -0.11373697866114572,
        0.08338967317014029,
        -0.0520335711508412,
        0.027520172188854147,
        -0.012061699053205786,
        0.004147397602835819,
        -0.0009583790454238144,
        4.4291309015522616e-05,
        7.210484771352713e-05,
        -2.91832197402668e-05,
        1.4580465004736345e-06,
        2.8365854635055296e-06,
        -8.724477856217539e-07,
        -1.5752481904505057e-07,
        1.394327584610754e-07,
        3.009551436411171e-10,
        -1.713777082979267e-08,
        7.045224239179674e-10,
        1.3425463955229678e-09,
    ],
);
/// The root of 1 - Phi(y) - y phi(y), in two parts.
const GELU_ROOT: [f64; 2] = [0.7517915246935645, -1.4956759177009883e-17];
/// s at 0, in two parts, and u in (y - 5) / (y + 5), as [`gelu_derivative`] has them; relative error 1.1e-17.
const GELU_SLOPE: ([f64; 2], f64, [f64; 21]) = (
    [0.6650779951314343, -2.7253976025140898e-17],
    5.0,
    [
        -0.21364249986802886,
        0.12384591959822498,
        -0.06335810604435481,
        0.02782298457521176,
        -0.01001515301828862,
        0.002680842088956589,
        -0.0003786583661736765,
        -6.187225491017895e-05,
        4.6676488526037845e-05,
        -6.029520538636726e-06,
        -3.17169069077277e-06,
        1.1789646990058678e-06,
        1.8136189873928668e-07,
        -1.5994783131668902e-07,
        -9.209002635607975e-09,
        2.1573270121819627e-08,
        7.773132243362671e-10,
        -2.995754463652363e-09,
        -2.856575290551684e-10,
        3.2995810437994676e-10,
        8.051207210421322e-11,
    ],
);

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

/// beta x, and by what its rounding has changed -|beta x|.
#[inline(always)]
fn scaled<const K: usize>(x: Values<K>, beta: f64) -> (Values<K>, Values<K>) {
    let product = beta * x;
    let rest = x.mul_add(beta, -product);
    // Of infinite products nothing is left.
    let rest = rest.abs().less(1.0).select(rest, 0.0);
    (product, product.less(0.0).select(rest, -rest))
}

/// ln(1 + e^(beta x)) / beta for any beta from 2^-64 on. What rounding takes from beta x and 1 / beta goes into the exponential, which is
/// divided by beta before it falls below the normal numbers.
#[inline(always)]
pub fn any_softplus<const K: usize>(x: Values<K>, beta: f64) -> Values<K> {
    let inverse = 1.0 / beta;
    let (product, rest) = scaled(x, beta);
    let share = exp_of_minus(product, inverse);
    let share = share.mul_add(rest + (-beta).mul_add(inverse, 1.0), share);
    let e = beta * share;
    (-share * e).mul_add(ln_1p_rest(e), share) + x.max(0.0)
}

/// 1 / (1 + e^(-beta x)) for any beta.
#[inline(always)]
pub fn any_sigmoid<const K: usize>(x: Values<K>, beta: f64) -> Values<K> {
    let (product, rest) = scaled(x, beta);
    let e = exp_of_minus(product, 1.0);
    logistic(product, e.mul_add(rest, e))
}

/// The error function.
#[inline(always)]
pub fn erf<const K: usize>(x: Values<K>) -> Values<K> {
    let near = x.mul_add(horner(x * x, ERF_NEAR), x);
    let size = x.abs();
    // From there on it is 1.
    let size = size.less(6.0).select(size, 6.0);
    let log = polynomial(size - ERF_SPLIT, ERF_FAR);
    let (power, n) = nearest(log, 1.0, rounding(0));
    let far = (-power).mul_add(polynomial(log - n, EXP_2), 1.0);
    x.abs().more(ERF_SPLIT).select(far.copysign(x), near)
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

    fn check(name: &str, x: f64, Abreast([found]): Values<1>, expected: f64) {
        let distance = ulps(found, expected);
        assert!(distance <= 2.0, "{name}({x:e}) = {found:e}, not {expected:e}: {distance} ulp");
    }

    // Values and derivatives from mpmath 1.4, rounded to f64.

    #[test]
    #[allow(clippy::approx_constant)] // a table of computed values may hold a famous one
    fn agree_with_values_of_sixty_digits() {
        for [x, exp_x, softplus_x, sigmoid_x, tanh_x, erf_x, gelu_x, silu_x] in include!("values.in") {
            check("exp", x, exp(Abreast([x])), exp_x);
            check("softplus", x, softplus(Abreast([x]), 1.0, 1.0), softplus_x);
            check("sigmoid", x, sigmoid(Abreast([x])), sigmoid_x);
            check("tanh", x, tanh(Abreast([x])), tanh_x);
            check("erf", x, erf(Abreast([x])), erf_x);
            check("gelu", x, gelu(Abreast([x])), gelu_x);
            check("silu", x, silu(Abreast([x])), silu_x);
        }
    }

    #[test]
    #[allow(clippy::approx_constant)]
    fn agree_with_derivatives_of_sixty_digits() {
        for [x, sigmoid_x, tanh_x, erf_x, gelu_x, silu_x] in include!("slopes.in") {
            check("sigmoid'", x, sigmoid_derivative(Abreast([x])), sigmoid_x);
            check("tanh'", x, tanh_derivative(Abreast([x])), tanh_x);
            check("erf'", x, erf_derivative(Abreast([x])), erf_x);
            check("gelu'", x, gelu_derivative(Abreast([x])), gelu_x);
            check("silu'", x, silu_derivative(Abreast([x])), silu_x);
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
