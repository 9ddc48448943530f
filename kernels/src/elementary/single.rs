//! Functions of f32, within 2 units of the last place for every one of its 2^32 values.
//!
//! Where f32 suffices, it is used throughout: eight lanes of a register instead of four. Functions whose digits cancel, or whose
//! tails are steep, go through f64 with polynomials that are as short as the result allows: their error is little more
//! than the last rounding's. Coefficients are minimax fits by Remez's exchange, computed with 50 digits.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E, PI};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2};

use super::abreast::{Abreast, each};
use super::exponential::exponential;
use super::polynomial;

/// Values abreast.
type Values<const K: usize> = Abreast<f32, K>;

polynomial!(f32);
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
    let (n, q) = exp_parts(-polynomial(size, ERF_FAR));
    let far = 1.0 - (1.0 + q) * power_of_two(n, 0);
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

/// The same functions in f64, to 28 bits.
mod wide {
    use super::{FRAC_2_SQRT_PI, LN_2};
    use crate::elementary::abreast::Abreast;
    use crate::elementary::polynomial;
    use std::f64::consts::LOG2_E;

    /// Values abreast.
    type Values<const K: usize> = Abreast<f64, K>;

    polynomial!(f64);

    const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

    /// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; relative error of e^r 2^-28.
    const EXP: [f64; 5] =
        [0.4999999345150015, 0.16666520680471048, 0.04166838750294369, 0.008368739372811594, 0.0013815542581021023];
    /// Phi(-y) e^(y^2 / 2) in (y - 4) / (y + 4) for y in [0, 14.6]; relative error 2^-28.
    const MILLS: [f64; 11] = [
        0.09441064168950594,
        -0.17039772363103597,
        0.1243792148361966,
        -0.07170730172596035,
        0.030865498583928803,
        -0.00849321442939708,
        0.0005030080967278166,
        0.0006425453040150607,
        -0.00017346622144945951,
        -4.791583375712749e-05,
        1.1494805417926125e-05,
    ];
    /// (Phi(-y) e^(y^2 / 2) - y / sqrt(2 pi)) / (y0 - y) likewise, y0 its root; relative error 2^-30.
    const GELU_SLOPE: [f64; 10] = [
        0.46221124429754884,
        -0.10336589961699306,
        0.06046291345823244,
        -0.028083329136240662,
        0.009505308920681136,
        -0.0017884145136665482,
        -0.0001565840034554308,
        0.00018558396022105402,
        -1.3036271916887709e-05,
        -1.608979659468986e-05,
    ];

    /// x = n ln 2 + r: 2^52 times n modulo 2^64, and e^r - 1.
    #[inline(always)]
    fn exp_parts<const K: usize>(x: Values<K>) -> (Abreast<u64, K>, Values<K>) {
        let shifted = x.mul_add(LOG2_E, ROUND);
        let r = (ROUND - shifted).mul_add(LN_2, x);
        (shifted.to_bits() << 52, (r * r).mul_add(polynomial(r, EXP), r))
    }

    /// e^x for |x| <= 700.
    #[inline(always)]
    pub fn exp<const K: usize>(x: Values<K>) -> Values<K> {
        let (power, q) = exp_parts(x);
        (1.0 + q) * power.wrapping_add(1f64.to_bits()).to_real()
    }

    /// e^x - 1 for |x| <= 700, with 28 bits of it near 0 as well.
    #[inline(always)]
    fn exp_m1<const K: usize>(x: Values<K>) -> Values<K> {
        let (power, q) = exp_parts(x);
        let power = power.wrapping_add(1f64.to_bits()).to_real();
        power.mul_add(q, power - 1.0)
    }

    /// x sigmoid(x).
    #[inline(always)]
    pub fn silu<const K: usize>(x: Values<K>) -> Values<K> {
        let x = x.clamp(-120.0, f64::INFINITY);
        x / (1.0 + exp(-x.min(120.0)))
    }

    /// The derivative of [`silu`].
    #[inline(always)]
    pub fn silu_derivative<const K: usize>(x: Values<K>) -> Values<K> {
        // It is e (1 + e - y) / (1 + e)^2 at x = -y, with e = e^-y, and that less than 1 at x = y. The root y0 of
        // 1 + e - y is split off: with d = y0 - y, 1 + e - y = d + (y0 - 1) (e^d - 1).
        const ROOT: f64 = 1.2784645427610737;
        let d = ROOT - x.abs().clamp(0.0, 120.0);
        let e = (ROOT - 1.0) * exp(d);
        let below = e * exp_m1(d).mul_add(ROOT - 1.0, d) / ((1.0 + e) * (1.0 + e));
        x.more(0.0).select(1.0 - below, below)
    }

    /// The derivative of the error function.
    #[inline(always)]
    pub fn erf_derivative<const K: usize>(x: Values<K>) -> Values<K> {
        let x = x.clamp(-12.0, 12.0);
        FRAC_2_SQRT_PI * exp(-x * x)
    }

    /// Where Phi(-y) e^(y^2 / 2) is a polynomial for y in [0, 15]: (y - 4) / (y + 4).
    #[inline(always)]
    fn tail_coordinate<const K: usize>(y: Values<K>) -> Values<K> {
        (y - 4.0) / (y + 4.0)
    }

    /// x Phi(x).
    #[inline(always)]
    pub fn gelu<const K: usize>(x: Values<K>) -> Values<K> {
        let y = x.abs().clamp(0.0, 14.6);
        let mills = polynomial(tail_coordinate(y), MILLS);
        (x.max(0.0) - y * mills * exp(-0.5 * y * y)).copysign(x)
    }

    /// The derivative of [`gelu`].
    #[inline(always)]
    pub fn gelu_derivative<const K: usize>(x: Values<K>) -> Values<K> {
        // It is (Phi(-y) e^(y^2 / 2) - y / sqrt(2 pi)) e^(-y^2 / 2) at x = -y, and that less than 1 at x = y.
        const ROOT: f64 = 0.7517915246935645;
        let y = x.abs().clamp(0.0, 14.6);
        let quotient = polynomial(tail_coordinate(y), GELU_SLOPE);
        let below = (ROOT - y) * quotient * exp(-0.5 * y * y);
        x.more(0.0).select(1.0 - below, below)
    }
}

macro_rules! through_f64 {
    ($($(#[$doc:meta])* $name:ident($x:ident) = $value:expr;)*) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name<const K: usize>($x: Values<K>) -> Values<K> {
            let $x = $x.widened();
            $value.narrowed()
        }
    )* };
}

through_f64! {
    /// The derivative of [`erf`].
    erf_derivative(x) = wide::erf_derivative(x);
    /// x Phi(x), Phi the distribution function of the standard normal.
    gelu(x) = wide::gelu(x);
    /// The derivative of [`gelu`].
    gelu_derivative(x) = wide::gelu_derivative(x);
    /// x sigmoid(x).
    silu(x) = wide::silu(x);
    /// The derivative of [`silu`].
    silu_derivative(x) = wide::silu_derivative(x);
}
