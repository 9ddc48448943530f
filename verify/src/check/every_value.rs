//! Vector math at every value of f32, against functions of f64 that share no code with it.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI, SQRT_2};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use fathom_kernels::activation::exp_with;
use fathom_kernels::{Activation, Isa};
use rayon::prelude::*;

/// The most that a result may be off, in units of the last place.
pub const BOUND: f64 = 2.0;
/// Values that are computed in one call.
const BATCH: u64 = 1 << 14;

/// A function of vector math, with the same in f64.
pub struct Function {
    /// What it is called: a derivative ends in '.
    pub name: &'static str,
    kernel: Kernel,
    oracle: fn(f64) -> f64,
}

enum Kernel {
    Exp,
    Value(Activation),
    Derivative(Activation),
}

/// How far a function is off.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The function's name.
    pub name: &'static str,
    /// Where it was run.
    pub isa: Isa,
    /// Values that were tried.
    pub values: u64,
    /// The largest error in units of the last place; infinite where a NaN, an infinity or a number is not what it should be.
    pub worst: f64,
    /// Where it is that far off, and what was found there.
    pub at: f32,
    /// See [`Sweep::at`].
    pub found: f32,
    /// The function there.
    pub expected: f64,
}

impl Sweep {
    /// Whether the worst value keeps the bound.
    pub fn passed(&self) -> bool {
        self.worst <= BOUND
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, isa, values, worst, at, found, expected } = self;
        let verdict = if self.passed() { "" } else { "  FAILED" };
        let isa = isa.name();
        write!(f, "{name:<10} {isa:<9} {worst:.3} ulp at {at:e}: {found:e} for {expected:e} ({values} values){verdict}")
    }
}

/// All of them.
pub fn functions() -> Vec<Function> {
    use Kernel::{Derivative, Exp, Value};
    let function = |name, kernel, oracle| Function { name, kernel, oracle };
    vec![
        function("exp", Exp, f64::exp),
        function("softplus", Value(Activation::SOFTPLUS), softplus),
        function("softplus'", Derivative(Activation::SOFTPLUS), sigmoid),
        function("sigmoid", Value(Activation::Sigmoid), sigmoid),
        function("sigmoid'", Derivative(Activation::Sigmoid), |x| sigmoid(x) * sigmoid(-x)),
        function("tanh", Value(Activation::Tanh), f64::tanh),
        function("tanh'", Derivative(Activation::Tanh), |x| 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x)),
        function("erf", Value(Activation::Erf), libm::erf),
        function("erf'", Derivative(Activation::Erf), |x| FRAC_2_SQRT_PI * (-x * x).exp()),
        function("gelu", Value(Activation::Gelu), |x| at_most_zero(x) * normal_cdf(x)),
        function("gelu'", Derivative(Activation::Gelu), |x| {
            let density = 0.5 * FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * (-0.5 * x * x).exp();
            if density == 0.0 { normal_cdf(x) } else { x.mul_add(density, normal_cdf(x)) }
        }),
        function("silu", Value(Activation::Silu), |x| at_most_zero(x) * sigmoid(x)),
        function("silu'", Derivative(Activation::Silu), |x| {
            let (up, down) = (sigmoid(x), sigmoid(-x));
            if down == 0.0 || up == 0.0 { up } else { up * x.mul_add(down, 1.0) }
        }),
    ]
}

/// `x`, but finite where it is multiplied by what is 0 there.
fn at_most_zero(x: f64) -> f64 {
    x.clamp(-1e30, f64::INFINITY)
}

fn sigmoid(x: f64) -> f64 {
    if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) }
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p() + 0.0 * x.clamp(-1.0, 1.0)
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x / SQRT_2)
}

/// Tries every `stride`-th of the 2^32 values, on the current rayon pool.
pub fn sweep(function: &Function, isa: Isa, stride: u64) -> Sweep {
    let values = (1u64 << 32).div_ceil(stride);
    let tried = AtomicU64::new(0);
    let worst = (0..values.div_ceil(BATCH)).into_par_iter().map(|batch| {
        let x: Vec<f32> = (batch * BATCH..values.min((batch + 1) * BATCH))
            .map(|index| f32::from_bits((index * stride) as u32))
            .collect();
        let worst = worst_of(function, isa, &x);
        tried.fetch_add(x.len() as u64, Ordering::Relaxed);
        worst
    });
    // The first of the worst, whatever the threads did.
    let worst = worst.reduce_with(|a, b| if b.0 > a.0 || b.0 == a.0 && b.1.to_bits() < a.1.to_bits() { b } else { a });
    let (worst, at, found) = worst.expect("there are values");
    let expected = (function.oracle)(f64::from(at));
    Sweep { name: function.name, isa, values: tried.into_inner(), worst, at, found, expected }
}

/// The largest error among some values, where it is, and what was found there.
fn worst_of(function: &Function, isa: Isa, x: &[f32]) -> (f64, f32, f32) {
    let mut y = vec![0.0; x.len()];
    match function.kernel {
        Kernel::Exp => exp_with(isa, x, &mut y),
        Kernel::Value(activation) => activation.apply_with(isa, x, &mut y),
        Kernel::Derivative(activation) => activation.derivative_with(isa, x, &mut y),
    }
    let mut worst = (0.0, x[0], y[0]);
    for (&x, &y) in x.iter().zip(&y) {
        let error = error(y, (function.oracle)(f64::from(x)));
        if error > worst.0 {
            worst = (error, x, y);
        }
    }
    worst
}

/// The distance of `found` from `expected` in units of the last place that f32 has there.
fn error(found: f32, expected: f64) -> f64 {
    let nearest = expected as f32;
    if expected.is_nan() || found.is_nan() || found.is_infinite() || nearest.is_infinite() {
        let same = found == nearest || found.is_nan() && expected.is_nan();
        return if same { 0.0 } else { f64::INFINITY };
    }
    // The power of two at or below the result, but no less than the smallest normal number.
    let binade = f64::from_bits(expected.abs().max(f64::from(f32::MIN_POSITIVE)).to_bits() & !0 << 52);
    (f64::from(found) - expected).abs() / (binade * f64::from(f32::EPSILON))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_in_units_of_the_last_place() {
        assert_eq!(error(1.0, 1.0), 0.0);
        assert_eq!(error(1.0 + f32::EPSILON, 1.0), 1.0);
        assert_eq!(error(1.0 - f32::EPSILON / 2.0, 1.0), 0.5);
        assert_eq!(error(f32::from_bits(3), f64::from(f32::from_bits(1))), 2.0);
        assert_eq!(error(f32::INFINITY, 1e39), 0.0);
        assert!(error(f32::MAX, 1e39).is_infinite() && error(f32::NAN, 0.0).is_infinite());
        assert_eq!(error(f32::NAN, f64::NAN), 0.0);
    }

    #[test]
    fn a_sample_of_all_values_keeps_the_bound_on_every_instruction_set() {
        for isa in Isa::available() {
            for function in functions() {
                let sweep = sweep(&function, isa, 65_521);
                assert!(sweep.passed() && sweep.values == (1u64 << 32).div_ceil(65_521), "{sweep}");
            }
        }
    }

    #[test]
    fn a_function_that_is_off_is_found_out() {
        let wrong = Function { name: "wrong", kernel: Kernel::Exp, oracle: |x| x.exp() * (1.0 + 5e-7) };
        let sweep = sweep(&wrong, Isa::Portable, 1_000_003);
        assert!(!sweep.passed() && sweep.to_string().contains("FAILED"), "{sweep}");
    }
}
