//! Activation functions on slices.

use std::fmt;
use std::str::FromStr;

use crate::pointwise::*;
use crate::{Isa, Real};

/// An activation function sigma, applied element by element.
///
/// Values and derivatives are within 2 units of the last place (of every f32; of f64 where they are normal numbers), by the
/// same operations on every machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// ln(1 + e^(beta z)) / beta, the guide of Du et al. at beta = 1; tends to ReLU as beta grows.
    Softplus {
        /// The sharpness, above 0; values have the digits that are promised from 2^-64 on.
        beta: f64,
    },
    /// The hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-z).
    Sigmoid,
    /// The error function.
    Erf,
    /// z Phi(z), Phi the distribution function of the standard normal.
    Gelu,
    /// z sigmoid(z).
    Silu,
    /// max(z, 0), with derivative 0 at 0.
    Relu,
    /// z.
    Identity,
}

impl Activation {
    /// The softplus of sharpness 1.
    pub const SOFTPLUS: Self = Self::Softplus { beta: 1.0 };

    /// `output[i] <- sigma(input[i])`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn apply<T: Real>(self, input: &[T], output: &mut [T]) {
        self.apply_with(Isa::active(), input, output);
    }

    /// `output[i] <- sigma'(input[i])`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn derivative<T: Real>(self, input: &[T], output: &mut [T]) {
        self.derivative_with(Isa::active(), input, output);
    }

    /// [`Activation::apply`] with a chosen instruction set.
    ///
    /// # Panics
    /// When the lengths differ or the CPU lacks the set.
    pub fn apply_with<T: Real>(self, isa: Isa, input: &[T], output: &mut [T]) {
        self.visit(Mapped::<T, false> { isa, input, output });
    }

    /// [`Activation::derivative`] with a chosen instruction set.
    ///
    /// # Panics
    /// When the lengths differ or the CPU lacks the set.
    pub fn derivative_with<T: Real>(self, isa: Isa, input: &[T], output: &mut [T]) {
        self.visit(Mapped::<T, true> { isa, input, output });
    }

    /// Shows the function and its derivative.
    pub(crate) fn visit(self, visitor: impl Visitor) {
        match self {
            Self::Softplus { beta: 1.0 } => visitor.see(UnitSoftplus, Sigmoid),
            Self::Softplus { beta } if is_exact(beta) => visitor.see(Softplus { beta }, SoftplusDerivative { beta }),
            Self::Softplus { beta } => visitor.see(AnySoftplus { beta }, AnySoftplusDerivative { beta }),
            Self::Tanh => visitor.see(Tanh, TanhDerivative),
            Self::Sigmoid => visitor.see(Sigmoid, SigmoidDerivative),
            Self::Erf => visitor.see(Erf, ErfDerivative),
            Self::Gelu => visitor.see(Gelu, GeluDerivative),
            Self::Silu => visitor.see(Silu, SiluDerivative),
            Self::Relu => visitor.see(Relu {}, Step {}),
            Self::Identity => visitor.see(Identity {}, One {}),
        }
    }
}

/// What is done with a function and its derivative.
pub(crate) trait Visitor {
    fn see(self, value: impl Pointwise, slope: impl Pointwise);
}

/// Maps a slice, by the derivative if `SLOPE`.
struct Mapped<'a, T, const SLOPE: bool> {
    isa: Isa,
    input: &'a [T],
    output: &'a mut [T],
}

impl<T: Real, const SLOPE: bool> Visitor for Mapped<'_, T, SLOPE> {
    fn see(self, value: impl Pointwise, slope: impl Pointwise) {
        if SLOPE {
            map(self.isa, slope, self.input, self.output);
        } else {
            map(self.isa, value, self.input, self.output);
        }
    }
}

/// `output[i] <- e^input[i]`.
///
/// # Panics
/// When the lengths differ.
pub fn exp<T: Real>(input: &[T], output: &mut [T]) {
    exp_with(Isa::active(), input, output);
}

/// [`exp`] with a chosen instruction set.
///
/// # Panics
/// When the lengths differ or the CPU lacks the set.
pub fn exp_with<T: Real>(isa: Isa, input: &[T], output: &mut [T]) {
    map(isa, Exp, input, output);
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Softplus { beta: 1.0 } => f.write_str("softplus"),
            Self::Softplus { beta } => write!(f, "softplus:{beta}"),
            Self::Tanh => f.write_str("tanh"),
            Self::Sigmoid => f.write_str("sigmoid"),
            Self::Erf => f.write_str("erf"),
            Self::Gelu => f.write_str("gelu"),
            Self::Silu => f.write_str("silu"),
            Self::Relu => f.write_str("relu"),
            Self::Identity => f.write_str("identity"),
        }
    }
}

/// A name that is not that of an activation function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownActivation(String);

impl fmt::Display for UnknownActivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "unknown activation \"{}\": use softplus, softplus:BETA with BETA > 0, tanh, sigmoid, erf, gelu, silu, relu \
             or identity",
            self.0
        )
    }
}

impl std::error::Error for UnknownActivation {}

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        Ok(match name {
            "softplus" => Self::SOFTPLUS,
            "tanh" => Self::Tanh,
            "sigmoid" => Self::Sigmoid,
            "erf" => Self::Erf,
            "gelu" => Self::Gelu,
            "silu" => Self::Silu,
            "relu" => Self::Relu,
            "identity" => Self::Identity,
            _ => match name.strip_prefix("softplus:").and_then(|beta| beta.parse::<f64>().ok()) {
                Some(beta) if beta > 0.0 && beta.is_finite() => Self::Softplus { beta },
                _ => return Err(UnknownActivation(name.to_owned())),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elementary::{double, single};

    const ALL: [Activation; 11] = [
        Activation::SOFTPLUS,
        Activation::Softplus { beta: 4.0 },
        Activation::Softplus { beta: 0.0625 },
        Activation::Softplus { beta: 0.7 },
        Activation::Tanh,
        Activation::Sigmoid,
        Activation::Erf,
        Activation::Gelu,
        Activation::Silu,
        Activation::Relu,
        Activation::Identity,
    ];

    #[test]
    fn names_round_trip() {
        for activation in ALL {
            assert_eq!(activation.to_string().parse(), Ok(activation));
        }
        for name in ["softplus:0", "softplus:-1", "softplus:inf", "softplus:", "Tanh", ""] {
            assert!(name.parse::<Activation>().is_err(), "{name}");
        }
    }

    #[test]
    fn derivatives_match_central_differences() {
        let z: Vec<f64> = (-60..60).map(|i| f64::from(i) / 10.0 + 0.0123).collect();
        let h = 1e-5;
        for activation in ALL {
            let at = |shift: f64| {
                let moved: Vec<f64> = z.iter().map(|z| z + shift).collect();
                let mut value = vec![0.0; z.len()];
                activation.apply(&moved, &mut value);
                value
            };
            let (above, below) = (at(h), at(-h));
            let mut derivative = vec![0.0; z.len()];
            activation.derivative(&z, &mut derivative);
            for i in 0..z.len() {
                let difference = (above[i] - below[i]) / (2.0 * h);
                assert!((derivative[i] - difference).abs() < 1e-9, "{activation}'({}) = {}", z[i], derivative[i]);
            }
        }
    }

    /// Values of sigma and of its derivative.
    fn pair<T: Real>(activation: Activation, z: T) -> (f64, f64) {
        let (mut value, mut slope) = ([T::ZERO], [T::ZERO]);
        activation.apply(&[z], &mut value);
        activation.derivative(&[z], &mut slope);
        (value[0].to_f64(), slope[0].to_f64())
    }

    #[test]
    fn limits_zeros_and_nan() {
        fn check<T: Real>() {
            let (high, low) = (T::from_f64(f64::INFINITY), T::from_f64(f64::NEG_INFINITY));
            let infinity = f64::INFINITY;
            for (activation, [below, above], [falling, rising]) in [
                (Activation::SOFTPLUS, [0.0, infinity], [0.0, 1.0]),
                (Activation::Softplus { beta: 8.0 }, [0.0, infinity], [0.0, 1.0]),
                (Activation::Softplus { beta: 0.3 }, [0.0, infinity], [0.0, 1.0]),
                (Activation::Tanh, [-1.0, 1.0], [0.0, 0.0]),
                (Activation::Sigmoid, [0.0, 1.0], [0.0, 0.0]),
                (Activation::Erf, [-1.0, 1.0], [0.0, 0.0]),
                (Activation::Gelu, [0.0, infinity], [0.0, 1.0]),
                (Activation::Silu, [0.0, infinity], [0.0, 1.0]),
                (Activation::Relu, [0.0, infinity], [0.0, 1.0]),
                (Activation::Identity, [-infinity, infinity], [1.0, 1.0]),
            ] {
                assert_eq!(pair(activation, low), (below, falling), "{activation} at -infinity in {}", T::NAME);
                assert_eq!(pair(activation, high), (above, rising), "{activation} at infinity in {}", T::NAME);
                let (value, slope) = pair(activation, T::from_f64(f64::NAN));
                assert!(value.is_nan() && (slope.is_nan() || activation == Activation::Identity), "{activation}");
                let large = pair(activation, T::from_f64(if size_of::<T>() == 4 { 3e38 } else { 1.7e308 })).0;
                assert!(large == above || large.is_finite() && above == infinity, "{activation}: {large}");
            }
            for activation in [Activation::Tanh, Activation::Erf, Activation::Gelu, Activation::Silu] {
                assert!(pair(activation, T::from_f64(-0.0)).0.is_sign_negative(), "{activation}(-0)");
                assert!(pair(activation, T::ZERO).0.is_sign_positive(), "{activation}(0)");
            }
            let mut e = [T::ZERO; 4];
            exp(&[low, high, T::ZERO, T::from_f64(f64::NAN)], &mut e);
            assert!(e[0] == T::ZERO && e[1] == high && e[2] == T::ONE && e[3].to_f64().is_nan());
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn softplus_of_any_sharpness_agrees_with_values_of_ninety_digits() {
        for [beta, z, value, slope] in include!("elementary/softplus.in") {
            let activation = Activation::Softplus { beta };
            let (found, found_slope) = pair(activation, z);
            for (found, expected) in [(found, value), (found_slope, slope)] {
                let ulps = (found - expected).abs() / (expected.next_up() - expected);
                assert!(ulps <= 2.0, "{activation} at {z:e}: {found:e}, not {expected:e}: {ulps} units");
            }
            let (found, found_slope) = pair(activation, z as f32);
            for (found, expected) in [(found, value), (found_slope, slope)] {
                let unit = f64::from((expected as f32).next_up()) - f64::from(expected as f32);
                let ulps = (found - expected).abs() / unit;
                assert!(ulps <= 2.0, "{activation} at {z:e} in f32: {found:e}, not {expected:e}: {ulps} units");
            }
        }
    }

    #[test]
    fn a_value_depends_on_nothing_but_its_argument() {
        fn check<T: Real>() {
            let z: Vec<T> = (0..300).map(|i| T::from_f64(f64::from(i) * 0.061 - 9.0)).collect();
            for activation in ALL {
                let alone: Vec<(f64, f64)> = z.iter().map(|&z| pair(activation, z)).collect();
                for first in [0, 1, 7] {
                    for len in (0..40).chain([63, 64, 65, 127, 128, 129, 145, 200, 256, 293]) {
                        let (mut value, mut slope) = (vec![T::ZERO; len], vec![T::ZERO; len]);
                        activation.apply(&z[first..first + len], &mut value);
                        activation.derivative(&z[first..first + len], &mut slope);
                        for i in 0..len {
                            let found = (value[i].to_f64(), slope[i].to_f64());
                            assert_eq!(found, alone[first + i], "{activation} of {len} from {first}");
                        }
                    }
                }
            }
        }
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn same_bits_on_every_instruction_set() {
        let edges = [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e-310, -1e-310, 1e300, -745.2, 709.9];
        let z: Vec<f64> = (0..1000).map(|i| (f64::from(i) - 500.0) * 0.0817).chain(edges).collect();
        let narrow: Vec<f32> = z.iter().map(|&z| z as f32).collect();
        for activation in ALL {
            for isa in Isa::available() {
                let mut pairs = Vec::new();
                for set in [Isa::Portable, isa] {
                    let (mut value, mut slope) = (vec![0.0; z.len()], vec![0.0; z.len()]);
                    activation.apply_with(set, &z, &mut value);
                    activation.derivative_with(set, &z, &mut slope);
                    let (mut value32, mut slope32) = (vec![0f32; z.len()], vec![0f32; z.len()]);
                    activation.apply_with(set, &narrow, &mut value32);
                    activation.derivative_with(set, &narrow, &mut slope32);
                    // Any NaN will do.
                    let bits = |x: f64| if x.is_nan() { u64::MAX } else { x.to_bits() };
                    let wide = [value32, slope32].into_iter().flatten().map(f64::from);
                    pairs.push([value, slope].into_iter().flatten().chain(wide).map(bits).collect::<Vec<_>>());
                }
                assert_eq!(pairs[0], pairs[1], "{activation} on {isa}");
            }
        }
    }

    #[test]
    fn powers_do_not_depend_on_their_neighbours() {
        fn check<T: Real>(limit: f64) {
            // Up to the last that take fewer operations.
            let ordinary: Vec<T> = (-512..=512).map(|i| T::from_f64(f64::from(i) / 512.0 * limit)).collect();
            for other in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.001 * limit, -1.1 * limit] {
                for isa in Isa::available() {
                    let (mut alone, mut beside) = (vec![T::ZERO; ordinary.len()], vec![T::ZERO; 2 * ordinary.len()]);
                    exp_with(isa, &ordinary, &mut alone);
                    let mixed: Vec<T> = ordinary.iter().flat_map(|&x| [x, T::from_f64(other)]).collect();
                    exp_with(isa, &mixed, &mut beside);
                    let found: Vec<T> = beside.iter().copied().step_by(2).collect();
                    assert_eq!(found, alone, "{isa} beside {other}");
                    let others: Vec<f64> = beside.iter().skip(1).step_by(2).map(|x| x.to_f64()).collect();
                    let expected = T::from_f64(T::from_f64(other).to_f64().exp()).to_f64();
                    let close = |&x: &f64| {
                        x == expected || x.is_nan() && expected.is_nan() || (x / expected - 1.0).abs() < 1e-6
                    };
                    assert!(others.iter().all(close), "{isa}: {other}");
                }
            }
        }
        check::<f32>(f64::from(single::ORDINARY));
        check::<f64>(double::ORDINARY);
    }
}
