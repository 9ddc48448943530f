//! Functions of f32, within 2 units of the last place for every one of its 2^32 values.
//!
//! Where f32 suffices, it is used throughout: eight lanes of a register instead of four. Functions whose digits cancel, or whose
//! tails are steep, go through f64 with polynomials that are as short as the result allows: their error is little more
//! than the last rounding's. Coefficients are minimax fits by Remez's exchange, computed with 50 digits.

use std::f32::consts::{FRAC_1_SQRT_2, LOG2_E, PI};
use std::f64::consts::{FRAC_2_SQRT_PI, LN_2};

use super::exponential::exponential;
use super::polynomial;

polynomial!(f32);
exponential!(f32, u32, 23, 127, -110.0, 89.0);

/// The constants of the functions below.
///
/// A loop reads them through [`Table::load`] once, before it begins: a compiler that sees their values loads and
/// broadcasts each of them again wherever it is used, and these operations fill the window in which a core looks for
/// work.
#[derive(Clone, Copy)]
pub struct Table {
    log2_e: f32,
    round: f32,
    ln_2_high: f32,
    ln_2_low: f32,
    exp: [f32; 5],
    ln_1p: [f32; 5],
    ln_1p_small: [f32; 5],
    erf_near: [f32; 7],
    erf_far: [f32; 7],
    ln: [f32; 9],
    sin: [f32; 3],
    cos: [f32; 3],
    wide: wide::Table,
}

static TABLE: Table = Table {
    log2_e: LOG2_E,
    round: ROUND,
    ln_2_high: LN_2_HIGH,
    ln_2_low: LN_2_LOW,
    // (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; relative error of e^r 2^-28
    exp: [0.499_999_94, 0.166_665_17, 0.041_668_102, 0.008_369_227, 0.001_384_003_9],
    // (e - ln(1 + e)) / e^2 on [0, 1], the first terms and the others; relative error of the logarithm 2^-28
    ln_1p: [0.5, -0.333_333_02, 0.249_979_33, -0.199_651, 0.163_959_06],
    ln_1p_small: [-0.130_975_93, 0.092_184_8, -0.049_871_348, 0.017_392_915, -0.002_831_983],
    // erf(x) / x - 1 in x^2, for |x| <= 1; relative error 2^-29
    erf_near: [
        0.128_379_17,
        -0.376_126_26,
        0.112_835_79,
        -0.026_853_347,
        0.005_187_162,
        -0.000_799_785_25,
        7.806_896_6e-5,
    ],
    // -ln(1 - erf(x)) for 1 <= x <= 4; error of erf 2^-29
    erf_far: [
        0.000_353_783_9,
        1.127_039_8,
        0.638_226_03,
        0.103_037_12,
        -0.021_805_229,
        0.002_939_592,
        -0.000_185_572_78,
    ],
    // (ln(1 + x) - x) / x^2 for sqrt(1/2) <= 1 + x <= sqrt(2); relative error of the logarithm 2^-27
    ln: [
        -0.499_999_9,
        0.333_333_25,
        -0.250_013_98,
        0.200_019_08,
        -0.166_127_35,
        0.141_845_85,
        -0.132_189_24,
        0.128_810_94,
        -0.076_485_336,
    ],
    // (sin(x) / x - 1) / x^2 and (cos(x) - 1 + x^2 / 2) / x^4 in x^2 for |x| <= pi / 4; errors 2^-28 and 2^-32
    sin: [-0.166_666_57, 0.008_332_262, -0.000_195_264_13],
    cos: [0.041_666_657, -0.001_388_778_2, 2.448_037_6e-5],
    wide: wide::TABLE,
};

impl Table {
    /// The constants, of unknown value.
    #[inline(always)]
    pub fn load() -> Self {
        *std::hint::black_box(&TABLE)
    }
}

/// The leading 15 bits of ln 2, so that its products with whole numbers are exact.
const LN_2_HIGH: f32 = 0.693_145_75;
/// ln 2 minus [`LN_2_HIGH`].
const LN_2_LOW: f32 = 1.428_606_8e-6;
/// Adding this rounds to a whole number, which is then in the low bits.
const ROUND: f32 = 1.5 * (1u32 << 23) as f32;

/// The error function.
#[inline(always)]
pub fn erf(k: &Table, x: f32) -> f32 {
    let size = x.abs().clamp(0.0, 4.0);
    let near = polynomial(size * size, k.erf_near);
    let (n, q) = exp_parts(k, -polynomial(size, k.erf_far));
    let far = 1.0 - (1.0 + q) * power_of_two(n, 0);
    if size > 1.0 { far.copysign(x) } else { near.mul_add(x, x) }
}

/// The Box-Muller transform: cosine and sine of `turn / 2^32` turns, times sqrt(-2 ln u), u from 31 bits of `radius`. Bits
/// lie at the centres of their cells.
#[inline(always)]
pub fn normals(k: &Table, radius: u32, turn: u32) -> (f32, f32) {
    let radius = (-2.0 * ln_unit(k, radius >> 1)).sqrt();
    let (sin, cos) = sin_cos_turns(k, turn as i32);
    (radius * cos, radius * sin)
}

/// ln u for u = (bits + 1/2) / 2^31 below 1, as exact close to 1 as close to 0.
#[inline(always)]
fn ln_unit(k: &Table, bits: u32) -> f32 {
    const SQRT_HALF: u32 = FRAC_1_SQRT_2.to_bits();
    const UNIT: f32 = 1.0 / (1u32 << 31) as f32;
    // 2^31 u = 2^n m with m in [1/sqrt 2, sqrt 2)
    let shifted = (bits as i32 as f32 + 0.5).to_bits().wrapping_sub(SQRT_HALF);
    let m = f32::from_bits((shifted & 0x007f_ffff) + SQRT_HALF);
    let n = ((shifted as i32 >> 23) - 31) as f32;
    // Close to 1, what is missing to it has the digits.
    let missing = UNIT * ((i32::MAX as u32 - bits) as i32 as f32 + 0.5);
    let near = missing < 1.0 - FRAC_1_SQRT_2;
    let (n, x) = if near { (0.0, -missing) } else { (n, m - 1.0) };
    let series = (x * x).mul_add(polynomial(x, k.ln), x);
    n.mul_add(k.ln_2_high, n.mul_add(k.ln_2_low, series))
}

/// sin and cos of 2 pi (turn + 1/2) / 2^32.
#[inline(always)]
fn sin_cos_turns(k: &Table, turn: i32) -> (f32, f32) {
    let quadrant = turn.wrapping_add(1 << 29) >> 30;
    let angle = (2.0 * PI / (1u64 << 32) as f32) * (turn.wrapping_sub(quadrant << 30) as f32 + 0.5);
    let square = angle * angle;
    let sin = (angle * square).mul_add(polynomial(square, k.sin), angle);
    let cos = (square * square).mul_add(polynomial(square, k.cos), (-0.5f32).mul_add(square, 1.0));
    let (sin, cos) = if quadrant & 1 == 0 { (sin, cos) } else { (cos, sin) };
    // Quadrants 2 and 3 negate the sine, 1 and 2 the cosine.
    let sign = |x: f32, quadrant: i32| f32::from_bits(x.to_bits() ^ ((quadrant as u32 & 2) << 30));
    (sign(sin, quadrant), sign(cos, quadrant + 1))
}

/// The same functions in f64, to 28 bits.
mod wide {
    use super::{FRAC_2_SQRT_PI, LN_2};
    use crate::elementary::polynomial;
    use std::f64::consts::LOG2_E;

    polynomial!(f64);

    const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

    #[derive(Clone, Copy)]
    pub struct Table {
        log2_e: f64,
        round: f64,
        ln_2: f64,
        exp: [f64; 5],
        mills: [f64; 11],
        gelu_slope: [f64; 10],
    }

    pub const TABLE: Table = Table {
        log2_e: LOG2_E,
        round: ROUND,
        ln_2: LN_2,
        // (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2; relative error of e^r 2^-28
        exp: [
            0.4999999345150015,
            0.16666520680471048,
            0.04166838750294369,
            0.008368739372811594,
            0.0013815542581021023,
        ],
        // Phi(-y) e^(y^2 / 2) in (y - 4) / (y + 4) for y in [0, 14.6]; relative error 2^-28
        mills: [
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
        ],
        // (Phi(-y) e^(y^2 / 2) - y / sqrt(2 pi)) / (y0 - y) likewise, y0 its root; relative error 2^-30
        gelu_slope: [
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
        ],
    };

    /// x = n ln 2 + r: 2^52 times n modulo 2^64, and e^r - 1.
    #[inline(always)]
    fn exp_parts(k: &Table, x: f64) -> (u64, f64) {
        let shifted = x.mul_add(k.log2_e, k.round);
        let r = (k.round - shifted).mul_add(k.ln_2, x);
        (shifted.to_bits() << 52, (r * r).mul_add(polynomial(r, k.exp), r))
    }

    /// e^x for |x| <= 700.
    #[inline(always)]
    pub fn exp(k: &Table, x: f64) -> f64 {
        let (power, q) = exp_parts(k, x);
        (1.0 + q) * f64::from_bits(1f64.to_bits().wrapping_add(power))
    }

    /// e^x - 1 for |x| <= 700, with 28 bits of it near 0 as well.
    #[inline(always)]
    fn exp_m1(k: &Table, x: f64) -> f64 {
        let (power, q) = exp_parts(k, x);
        let power = f64::from_bits(1f64.to_bits().wrapping_add(power));
        power.mul_add(q, power - 1.0)
    }

    /// x sigmoid(x).
    #[inline(always)]
    pub fn silu(k: &Table, x: f64) -> f64 {
        let x = x.clamp(-120.0, f64::INFINITY);
        x / (1.0 + exp(k, -x.min(120.0)))
    }

    /// The derivative of [`silu`].
    #[inline(always)]
    pub fn silu_derivative(k: &Table, x: f64) -> f64 {
        // It is e (1 + e - y) / (1 + e)^2 at x = -y, with e = e^-y, and that less than 1 at x = y. The root y0 of
        // 1 + e - y is split off: with d = y0 - y, 1 + e - y = d + (y0 - 1) (e^d - 1).
        const ROOT: f64 = 1.2784645427610737;
        let d = ROOT - x.abs().clamp(0.0, 120.0);
        let e = (ROOT - 1.0) * exp(k, d);
        let below = e * (ROOT - 1.0).mul_add(exp_m1(k, d), d) / ((1.0 + e) * (1.0 + e));
        if x > 0.0 { 1.0 - below } else { below }
    }

    /// The derivative of the error function.
    #[inline(always)]
    pub fn erf_derivative(k: &Table, x: f64) -> f64 {
        let x = x.clamp(-12.0, 12.0);
        FRAC_2_SQRT_PI * exp(k, -x * x)
    }

    /// Where Phi(-y) e^(y^2 / 2) is a polynomial for y in [0, 15]: (y - 4) / (y + 4).
    #[inline(always)]
    fn tail_coordinate(y: f64) -> f64 {
        (y - 4.0) / (y + 4.0)
    }

    /// x Phi(x).
    #[inline(always)]
    pub fn gelu(k: &Table, x: f64) -> f64 {
        let y = x.abs().clamp(0.0, 14.6);
        let mills = polynomial(tail_coordinate(y), k.mills);
        (x.max(0.0) - y * mills * exp(k, -0.5 * y * y)).copysign(x)
    }

    /// The derivative of [`gelu`].
    #[inline(always)]
    pub fn gelu_derivative(k: &Table, x: f64) -> f64 {
        // It is (Phi(-y) e^(y^2 / 2) - y / sqrt(2 pi)) e^(-y^2 / 2) at x = -y, and that less than 1 at x = y.
        const ROOT: f64 = 0.7517915246935645;
        let y = x.abs().clamp(0.0, 14.6);
        let quotient = polynomial(tail_coordinate(y), k.gelu_slope);
        let below = (ROOT - y) * quotient * exp(k, -0.5 * y * y);
        if x > 0.0 { 1.0 - below } else { below }
    }
}

macro_rules! through_f64 {
    ($($(#[$doc:meta])* $name:ident($k:ident, $x:ident) = $value:expr;)*) => { $(
        $(#[$doc])*
        #[inline(always)]
        pub fn $name($k: &Table, $x: f32) -> f32 {
            let $x = f64::from($x);
            $value as f32
        }
    )* };
}

through_f64! {
    /// The derivative of [`erf`].
    erf_derivative(k, x) = wide::erf_derivative(&k.wide, x);
    /// x Phi(x), Phi the distribution function of the standard normal.
    gelu(k, x) = wide::gelu(&k.wide, x);
    /// The derivative of [`gelu`].
    gelu_derivative(k, x) = wide::gelu_derivative(&k.wide, x);
    /// x sigmoid(x).
    silu(k, x) = wide::silu(&k.wide, x);
    /// The derivative of [`silu`].
    silu_derivative(k, x) = wide::silu_derivative(&k.wide, x);
}
