//! Functions of f32, within 2 units of the last place for every one of its 2^32 values.
//!
//! Coefficients are minimax fits by Remez's exchange, but GELU's, which interpolate at Chebyshev nodes; computed with 50 digits.

use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, LN_2, LOG2_E, PI};

use super::abreast::{Abreast, each};
use super::exponential::exponential;
use super::{horner, polynomial};

/// Values abreast.
type Values<const K: usize> = Abreast<f32, K>;

polynomial!(f32);
horner!(f32);
exponential!(f32, u32, 23, 127, -110.0, 89.0);

/// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; relative error of e^r 2^-28.
const EXP: [f32; 5] = [0.499_999_94, 0.166_665_17, 0.041_668_102, 0.008_369_227, 0.001_384_003_9];
/// (e - ln(1 + e)) / e^2 on [0, 1], the first terms; relative error of the logarithm 2^-28.
const LN_1P: [f32; 5] = [0.5, -0.333_333_02, 0.249_979_33, -0.199_651, 0.163_959_06];
/// The terms after [`LN_1P`].
const LN_1P_SMALL: [f32; 5] = [-0.130_975_93, 0.092_184_8, -0.049_871_348, 0.017_392_915, -0.002_831_983];
/// erf(x) / x - 1 in x^2, for |x| <= 1; relative error 2^-29.
const ERF_NEAR: [f32; 7] =
    [0.128_379_17, -0.376_126_26, 0.112_835_79, -0.026_853_347, 0.005_187_162, -0.000_799_785_25, 7.806_896_6e-5];
/// -ln(1 - erf(x)) for 1 <= x <= 4; error of erf 2^-29.
const ERF_FAR: [f32; 7] =
    [0.000_353_783_9, 1.127_039_8, 0.638_226_03, 0.103_037_12, -0.021_805_229, 0.002_939_592, -0.000_185_572_78];
/// (ln(1 + x) - x) / x^2 for sqrt(1/2) <= 1 + x <= sqrt(2); relative error of the logarithm 2^-27.
const LN: [f32; 9] = [
    -0.499_999_9,
    0.333_333_25,
    -0.250_013_98,
    0.200_019_08,
    -0.166_127_35,
    0.141_845_85,
    -0.132_189_24,
    0.128_810_94,
    -0.076_485_336,
];
/// (sin(x) / x - 1) / x^2 in x^2 for |x| <= pi / 4; error 2^-28.
const SIN: [f32; 3] = [-0.166_666_57, 0.008_332_262, -0.000_195_264_13];
/// (cos(x) - 1 + x^2 / 2) / x^4 in x^2 for |x| <= pi / 4; error 2^-32.
const COS: [f32; 3] = [0.041_666_657, -0.001_388_778_2, 2.448_037_6e-5];

/// Whether [`tanh`] makes good what rounding takes from r.
const REST_OF_R: bool = false;
/// Where e^(-x^2 / 2) is rounded to 0, and further.
const FARTHEST: f32 = 15.0;
/// The least x whose x e^x is not rounded to 0, and less.
const LEAST_PRODUCT: f32 = -120.0;
/// The scale at which e^x is computed where x e^x is a normal number and e^x is not.
const SCALE: f32 = (1u64 << 40) as f32;
/// a and c = e^-a near the root of 1 + e^-y - y: c is an f32, and a is in two parts.
const SILU_ROOT: ([f32; 2], f32) = ([1.278_464_6, -5.958_946e-8], 0.278_464_56);
/// u in (y - 4) / (y + 4), as [`gelu`] has it; relative error 2^-26.
const GELU: (f32, [f32; 11]) = (
    4.0,
    [
        0.07345054,
        -0.1275546,
        0.1104594,
        -0.063931905,
        0.02401861,
        -0.0039616264,
        -0.0011747753,
        0.00073253136,
        3.4789715e-05,
        -0.00010182212,
        -1.941502e-05,
    ],
);
/// The root of 1 - Phi(y) - y phi(y), in two parts.
const GELU_ROOT: [f32; 2] = [0.751_791_54, -1.211_445e-8];
/// s at 0, in two parts, and u in (y - 3) / (y + 3), as [`gelu_derivative`] has them; relative error 2^-25.
const GELU_SLOPE: ([f32; 2], f32, [f32; 10]) = (
    [0.665_078, 1.079_839_6e-8],
    3.0,
    [
        -0.18678032,
        0.06680489,
        -0.01320878,
        -0.00086602865,
        0.0010700201,
        2.5215431e-05,
        -0.00011853397,
        -1.1597262e-05,
        1.4110475e-05,
        4.1908447e-06,
    ],
);

/// The leading 15 bits of ln 2, so that its products with whole numbers are exact.
const LN_2_HIGH: f32 = 0.693_145_75;
/// ln 2 minus [`LN_2_HIGH`].
const LN_2_LOW: f32 = 1.428_606_8e-6;
/// Adding this rounds to a whole number, which is then in the low bits.
const ROUND: f32 = 1.5 * (1u32 << 23) as f32;

/// The error function.
#[inline(always)]
pub fn erf<const K: usize>(x: Values<K>) -> Values<K> {
    let size = x.abs().clamp(0.0, 4.0);
    let near = polynomial(size * size, ERF_NEAR);
    let (power, q) = exp_parts(-polynomial(size, ERF_FAR), rounding(0));
    let far = 1.0 - power.mul_add(q, power);
    size.more(1.0).select(far.copysign(x), near.mul_add(x, x))
}

/// The Box-Muller transform: cosine and sine of `turn / 2^32` turns, times sqrt(-2 ln u), u from 31 bits of `radius`. Bits
/// lie at the centres of their cells.
#[inline(always)]
pub fn normals<const K: usize>(radius: Abreast<u32, K>, turn: Abreast<u32, K>) -> (Values<K>, Values<K>) {
    let radius = (-2.0 * ln_unit(radius >> 1)).sqrt();
    let (sin, cos) = sin_cos_turns(each!(turn => 0, turn as i32));
    (radius * cos, radius * sin)
}

/// ln u for u = (bits + 1/2) / 2^31 below 1, as exact close to 1 as close to 0.
#[inline(always)]
fn ln_unit<const K: usize>(bits: Abreast<u32, K>) -> Values<K> {
    const SQRT_HALF: u32 = FRAC_1_SQRT_2.to_bits();
    const UNIT: f32 = 1.0 / (1u32 << 31) as f32;
    // 2^31 u = 2^n m with m in [1/sqrt 2, sqrt 2)
    let shifted = (each!(bits => 0.0, bits as i32 as f32) + 0.5).to_bits().wrapping_add(SQRT_HALF.wrapping_neg());
    let m = (shifted & 0x007f_ffff).wrapping_add(SQRT_HALF).to_real();
    let n = each!(shifted => 0.0, ((shifted as i32 >> 23) - 31) as f32);
    // Close to 1, what is missing to it has the digits.
    let missing = UNIT * (each!(bits => 0.0, (i32::MAX as u32 - bits) as i32 as f32) + 0.5);
    let near = missing.less(1.0 - FRAC_1_SQRT_2);
    let (n, x) = (near.select(0.0, n), near.select(-missing, m - 1.0));
    let series = (x * x).mul_add(polynomial(x, LN), x);
    n.mul_add(LN_2_HIGH, n.mul_add(LN_2_LOW, series))
}

/// sin and cos of 2 pi (turn + 1/2) / 2^32.
#[inline(always)]
fn sin_cos_turns<const K: usize>(turn: Abreast<i32, K>) -> (Values<K>, Values<K>) {
    let quadrant = turn.wrapping_add(1 << 29) >> 30;
    let within = each!(turn, quadrant => 0.0, turn.wrapping_sub(quadrant << 30) as f32);
    let angle = (2.0 * PI / (1u64 << 32) as f32) * (within + 0.5);
    let square = angle * angle;
    let sin = (angle * square).mul_add(polynomial(square, SIN), angle);
    let cos = (square * square).mul_add(polynomial(square, COS), square.mul_add(-0.5, 1.0));
    let even = each!(quadrant => false, quadrant & 1 == 0);
    let (sin, cos) = (even.select(sin, cos), even.select(cos, sin));
    (sign(sin, quadrant), sign(cos, quadrant.wrapping_add(1)))
}

/// Negates what lies in quadrants 2 and 3.
#[inline(always)]
fn sign<const K: usize>(x: Values<K>, quadrant: Abreast<i32, K>) -> Values<K> {
    each!(x, quadrant => 0.0, f32::from_bits(x.to_bits() ^ ((quadrant as u32 & 2) << 30)))
}
