//! Functions of one variable, applied to slices.

use crate::dispatch::vectorize;
use crate::elementary::abreast::Abreast;
use crate::elementary::{double, single};
use crate::simd::Vectorized;
use crate::{Isa, Real};

/// A function of one variable, of a few values abreast. `#[inline(always)]`, as [`Vectorized`] asks.
pub trait Pointwise: Copy {
    /// The function where it takes fewer operations, to the same bits.
    type Ordinary: Pointwise;

    /// That, and up to which size of its arguments, if there is such a range.
    #[inline(always)]
    fn ordinary<T: Real>(self) -> Option<(Self::Ordinary, T)> {
        None
    }
    /// Its values in f32.
    fn single<const K: usize>(self, z: Abreast<f32, K>) -> Abreast<f32, K>;
    /// Its values in f64.
    fn double<const K: usize>(self, z: Abreast<f64, K>) -> Abreast<f64, K>;
}

/// `output[i] <- function(input[i])`, compiled for each instruction set.
struct Map<'a, T, F> {
    function: F,
    input: &'a [T],
    output: &'a mut [T],
}

/// Values of a slice that go through a function abreast. More of them than a set has registers for, and still faster:
/// reading them back from the stack costs less than waiting.
pub(crate) const ABREAST: usize = 8;
/// The neighbours that the compiler makes vectors of.
pub(crate) const LANES: usize = 16;

impl<T: Real, F: Pointwise> Vectorized for Map<'_, T, F> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { function, input, output } = self;
        let len = input.len();
        let (mut room, mut values) = ([T::ZERO; LANES], [T::ZERO; LANES]);
        let short = len < LANES;
        if short {
            room[..len].copy_from_slice(input);
        }
        let (from, to) = if short { (&room[..], &mut values[..]) } else { (input, &mut *output) };
        if from.len() < ABREAST * LANES {
            blocks::<T, F, 1>(function, from, to);
        } else {
            blocks::<T, F, ABREAST>(function, from, to);
        }
        if short {
            output.copy_from_slice(&values[..len]);
        }
    }
}

/// `output[i] <- function(input[i])` for at least `K` times [`LANES`] values, that many at a time. The last may be values that are
/// there already.
#[inline(always)]
fn blocks<T: Real, F: Pointwise, const K: usize>(function: F, input: &[T], output: &mut [T]) {
    let (len, block) = (input.len(), K * LANES);
    for start in (0..len).step_by(block) {
        let start = start.min(len - block);
        let (input, output) = (&input[start..start + block], &mut output[start..start + block]);
        match function.ordinary::<T>() {
            Some((ordinary, most)) if are_within(input, most) => apply::<T, F::Ordinary, K>(ordinary, input, output),
            _ => apply::<T, F, K>(function, input, output),
        }
    }
}

/// Whether no value is larger than `most`, or NaN.
#[inline(always)]
fn are_within<T: Real>(values: &[T], most: T) -> bool {
    // All of them, so that the compiler makes vectors.
    values.iter().fold(true, |all, value| all & (value.abs() <= most))
}

/// `output[i] <- function(input[i])` for `K` times [`LANES`] values.
#[inline(always)]
fn apply<T: Real, F: Pointwise, const K: usize>(function: F, input: &[T], output: &mut [T]) {
    assert!(input.len() == K * LANES && output.len() == K * LANES);
    for lane in 0..LANES {
        let mut z = [T::ZERO; K];
        for (i, z) in z.iter_mut().enumerate() {
            *z = input[i * LANES + lane];
        }
        let Abreast(values) = T::pointwise(function, Abreast(z));
        for (i, value) in values.into_iter().enumerate() {
            output[i * LANES + lane] = value;
        }
    }
}

macro_rules! pointwise {
    ($($name:ident = $function:ident $(, $within:ident for $ordinary:ident)?;)*) => { $(
        #[derive(Clone, Copy)]
        pub struct $name;
        impl Pointwise for $name {
            pointwise!(@ $($within $ordinary)?);
            #[inline(always)]
            fn single<const K: usize>(self, z: Abreast<f32, K>) -> Abreast<f32, K> {
                single::$function(z)
            }
            #[inline(always)]
            fn double<const K: usize>(self, z: Abreast<f64, K>) -> Abreast<f64, K> {
                double::$function(z)
            }
        }
    )* };
    (@) => { type Ordinary = Self; };
    (@ $within:ident $ordinary:ident) => {
        type Ordinary = $ordinary;

        #[inline(always)]
        fn ordinary<T: Real>(self) -> Option<($ordinary, T)> {
            let most = if size_of::<T>() == size_of::<f32>() { f64::from(single::$within) } else { double::$within };
            Some(($ordinary, T::from_f64(most)))
        }
    };
}

pointwise! {
    Exp = exp, ORDINARY for ExpOfOrdinary;
    ExpOfOrdinary = exp_of_ordinary;
    UnitSoftplus = unit_softplus;
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
    ($name:ident($($field:ident)?), $z:ident => $value:expr) => {
        #[derive(Clone, Copy)]
        pub struct $name { $(pub $field: f64)? }
        impl Pointwise for $name {
            type Ordinary = Self;

            #[inline(always)]
            fn single<const K: usize>(self, z: Abreast<f32, K>) -> Abreast<f32, K> {
                self.double(z.widened()).narrowed()
            }
            #[inline(always)]
            fn double<const K: usize>(self, $z: Abreast<f64, K>) -> Abreast<f64, K> {
                $(let $field = self.$field;)?
                $value
            }
        }
    };
}

rounded!(Relu(), z => z.most(0.0).select(0.0, z));
// NaN stays NaN.
rounded!(Step(), z => z.most(0.0).select(0.0, 1.0 + 0.0 * z.clamp(0.0, 1.0)));
rounded!(Identity(), z => z);
rounded!(One(), _z => Abreast::from(1.0));
rounded!(AnySoftplus(beta), z => double::any_softplus(z, beta));
rounded!(AnySoftplusDerivative(beta), z => double::any_sigmoid(z, beta));

/// The softplus whose sharpness is a power of two and at least 1/2: its products are exact, and what is divided by it is no smaller than
/// the exponential.
#[derive(Clone, Copy)]
pub struct Softplus {
    pub beta: f64,
}

impl Pointwise for Softplus {
    type Ordinary = Self;

    #[inline(always)]
    fn single<const K: usize>(self, z: Abreast<f32, K>) -> Abreast<f32, K> {
        single::softplus(z, self.beta as f32, (1.0 / self.beta) as f32)
    }
    #[inline(always)]
    fn double<const K: usize>(self, z: Abreast<f64, K>) -> Abreast<f64, K> {
        double::softplus(z, self.beta, 1.0 / self.beta)
    }
}

#[derive(Clone, Copy)]
pub struct SoftplusDerivative {
    pub beta: f64,
}

impl Pointwise for SoftplusDerivative {
    type Ordinary = Self;

    #[inline(always)]
    fn single<const K: usize>(self, z: Abreast<f32, K>) -> Abreast<f32, K> {
        single::sigmoid(self.beta as f32 * z)
    }
    #[inline(always)]
    fn double<const K: usize>(self, z: Abreast<f64, K>) -> Abreast<f64, K> {
        double::sigmoid(self.beta * z)
    }
}

/// Whether [`Softplus`] takes this sharpness.
pub fn is_exact(beta: f64) -> bool {
    beta.to_bits() << 12 == 0 && (0.5..=2f64.powi(64)).contains(&beta)
}

/// Applies `function` element by element.
///
/// # Panics
/// When the lengths differ or the CPU lacks the set.
pub fn map<T: Real>(isa: Isa, function: impl Pointwise, input: &[T], output: &mut [T]) {
    assert_eq!(input.len(), output.len(), "activation: input and output differ in length");
    vectorize(isa, Map { function, input, output });
}
