//! The functions that are timed.

use std::fmt;
use std::str::FromStr;

use fathom_kernels::{Activation, Real, activation};

/// A function of one variable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Function {
    /// e^z.
    Exp,
    /// An activation function.
    Value(Activation),
    /// Its derivative, written with an apostrophe.
    Derivative(Activation),
}

/// What networks use; the rest costs nothing.
const ACTIVATIONS: [Activation; 6] =
    [Activation::SOFTPLUS, Activation::Sigmoid, Activation::Tanh, Activation::Erf, Activation::Gelu, Activation::Silu];

impl Function {
    /// All of them, values first.
    fn all() -> Vec<Self> {
        let values = ACTIVATIONS.map(Self::Value);
        [Self::Exp].into_iter().chain(values).chain(ACTIVATIONS.map(Self::Derivative)).collect()
    }

    /// `output[i] <- f(input[i])`.
    pub fn apply<T: Real>(self, input: &[T], output: &mut [T]) {
        match self {
            Self::Exp => activation::exp(input, output),
            Self::Value(of) => of.apply(input, output),
            Self::Derivative(of) => of.derivative(input, output),
        }
    }
}

/// Read back by [`FromStr`].
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exp => f.write_str("exp"),
            Self::Value(of) => write!(f, "{of}"),
            Self::Derivative(of) => write!(f, "{of}'"),
        }
    }
}

impl FromStr for Function {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = Self::all();
        all.iter().copied().find(|function| function.to_string() == text).ok_or_else(|| {
            let names: Vec<String> = all.iter().map(Self::to_string).collect();
            format!("\"{text}\" is no function: give all, or some of {}", names.join(", "))
        })
    }
}

/// All functions, or the one that `text` names.
///
/// # Errors
/// What a function may be, when it is neither.
pub fn parse(text: &str) -> Result<Vec<Function>, String> {
    if text == "all" { Ok(Function::all()) } else { Ok(vec![text.parse()?]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_reads_back_what_it_prints() {
        let all = parse("all").unwrap();
        assert_eq!(all.len(), 1 + 2 * ACTIVATIONS.len());
        for function in all {
            assert_eq!(parse(&function.to_string()), Ok(vec![function]));
        }
        assert_eq!(parse("tanh'"), Ok(vec![Function::Derivative(Activation::Tanh)]));
    }

    #[test]
    fn what_is_no_function_is_refused() {
        for text in ["", "exp'", "relu", "softplus:2", "tanh''", "Tanh"] {
            assert!(parse(text).unwrap_err().contains("silu'"), "{text}");
        }
    }
}
