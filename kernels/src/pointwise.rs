//! Functions of one variable, applied to slices.

use crate::dispatch::vectorize;
use crate::elementary::{double, single};
use crate::simd::Vectorized;
use crate::{Isa, Real};

/// A function of one variable. `#[inline(always)]`, as [`Vectorized`] asks.
pub trait Pointwise: Copy {
    /// Its value in f32.
    fn single(self, k: &single::Table, z: f32) -> f32;
    /// Its value in f64.
    fn double(self, k: &double::Table, z: f64) -> f64;
}

/// `output[i] <- function(input[i])`, compiled for each instruction set.
struct Map<'a, T, F> {
    function: F,
    input: &'a [T],
    output: &'a mut [T],
}

impl<T: Real, F: Pointwise> Vectorized for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let table = T::table();
        // Two at a time, half the slice apart: they share the constants, which are loaded for each use, and fill each
        // other's waits.
        let half = self.input.len() / 2;
        let (inputs, outputs) = (self.input.split_at(half), self.output.split_at_mut(half));
        let pairs = inputs.0.iter().zip(inputs.1).zip(outputs.0.iter_mut().zip(&mut *outputs.1));
        for ((&a, &b), (at_a, at_b)) in pairs {
            *at_a = T::pointwise(self.function, &table, a);
            *at_b = T::pointwise(self.function, &table, b);
        }
        if self.input.len() % 2 == 1 {
            outputs.1[half] = T::pointwise(self.function, &table, inputs.1[half]);
        }
    }
}

macro_rules! pointwise {
    ($($name:ident = $function:ident;)*) => { $(
        #[derive(Clone, Copy)]
        pub struct $name;
        impl Pointwise for $name {
            #[inline(always)]
            fn single(self, k: &single::Table, z: f32) -> f32 {
                single::$function(k, z)
            }
            #[inline(always)]
            fn double(self, k: &double::Table, z: f64) -> f64 {
                double::$function(k, z)
            }
        }
    )* };
}

pointwise! {
    Exp = exp;
    Tanh = tanh;
    TanhDerivative = tanh_derivative;
    Sigmoid = sigmoid;
    SigmoidDerivative = sigmoid_derivative;
    Erf = erf;
    ErfDerivative = erf_derivative;
    Gelu = gelu;
    GeluDerivative = gelu_derivative;
    Silu = silu;
    SiluDerivative = silu_derivative;
}

/// A function whose f32 values are those in f64, rounded.
macro_rules! rounded {
    ($name:ident($($field:ident)?), $k:pat, $z:ident => $value:expr) => {
        #[derive(Clone, Copy)]
        pub struct $name { $(pub $field: f64)? }
        impl Pointwise for $name {
            #[inline(always)]
            fn single(self, _: &single::Table, z: f32) -> f32 {
                self.double(&double::Table::load(), f64::from(z)) as f32
            }
            #[inline(always)]
            fn double(self, $k: &double::Table, $z: f64) -> f64 {
                $(let $field = self.$field;)?
                $value
            }
        }
    };
}

rounded!(Relu(), _, z => if z <= 0.0 { 0.0 } else { z });
// NaN stays NaN.
rounded!(Step(), _, z => if z <= 0.0 { 0.0 } else { 1.0 + 0.0 * z.clamp(0.0, 1.0) });
rounded!(Identity(), _, z => z);
rounded!(One(), _, _z => 1.0);
rounded!(AnySoftplus(beta), k, z => double::softplus(k, z, beta, 1.0 / beta));
rounded!(AnySoftplusDerivative(beta), k, z => double::sigmoid(k, beta * z));

/// The softplus whose sharpness is a power of two: its products are exact.
#[derive(Clone, Copy)]
pub struct Softplus {
    pub beta: f64,
}

impl Pointwise for Softplus {
    #[inline(always)]
    fn single(self, k: &single::Table, z: f32) -> f32 {
        single::softplus(k, z, self.beta as f32, (1.0 / self.beta) as f32)
    }
    #[inline(always)]
    fn double(self, k: &double::Table, z: f64) -> f64 {
        AnySoftplus { beta: self.beta }.double(k, z)
    }
}

#[derive(Clone, Copy)]
pub struct SoftplusDerivative {
    pub beta: f64,
}

impl Pointwise for SoftplusDerivative {
    #[inline(always)]
    fn single(self, k: &single::Table, z: f32) -> f32 {
        single::sigmoid(k, self.beta as f32 * z)
    }
    #[inline(always)]
    fn double(self, k: &double::Table, z: f64) -> f64 {
        AnySoftplusDerivative { beta: self.beta }.double(k, z)
    }
}

/// Whether products with `beta` and its inverse are exact in f32.
pub fn is_power_of_two(beta: f64) -> bool {
    beta.to_bits() << 12 == 0 && (2f64.powi(-64)..=2f64.powi(64)).contains(&beta)
}

/// Applies `function` element by element.
///
/// # Panics
/// When the lengths differ or the CPU lacks the set.
pub fn map<T: Real>(isa: Isa, function: impl Pointwise, input: &[T], output: &mut [T]) {
    assert_eq!(input.len(), output.len(), "activation: input and output differ in length");
    vectorize(isa, Map { function, input, output });
}
