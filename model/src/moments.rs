//! Constants of an activation function.

use fathom_kernels::Activation;

use crate::Expectation;
use crate::sensitivity::{Of, Sensitivity};

/// Expectations under the standard normal, and the constants of the paper's Condition on sigma.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// c_sigma = 1 / E[sigma(z)^2].
    pub c_sigma: f64,
    /// chi_1 = c_sigma E[sigma'(z)^2].
    pub chi1: f64,
    /// chi_parallel = c_sigma d E[sigma(sqrt(q) z)^2] / dq at q = 1: by how much a layer multiplies a small change of a sample's
    /// variance, as chi_1 is for the angle between two samples. (Roberts, Yaida and Hanin 2022 call them the parallel and the
    /// perpendicular susceptibility.)
    pub chi_parallel: f64,
    /// L: the supremum of |sigma'|.
    pub lipschitz: f64,
    /// beta: the supremum of |sigma''|; infinite where sigma' jumps.
    pub smoothness: f64,
    /// Whether sigma is analytic and not a polynomial, as the theorems ask.
    pub analytic: bool,
}

impl Moments {
    /// The constants of an activation.
    pub fn of(activation: Activation) -> Self {
        let expectation = Expectation::new(activation);
        let c_sigma = 1.0 / expectation.product(1.0, 1.0, 1.0);
        let chi1 = c_sigma * expectation.slope_product(1.0, 1.0, 1.0);
        let chi_parallel = c_sigma * Sensitivity::new(activation).d_square(Of::Value, 1.0);
        let (lipschitz, smoothness) = bounds(activation);
        let analytic = !matches!(activation, Activation::Relu | Activation::Identity);
        Self { c_sigma, chi1, chi_parallel, lipschitz, smoothness, analytic }
    }
}

/// The suprema of |sigma'| and |sigma''|.
fn bounds(activation: Activation) -> (f64, f64) {
    use std::f64::consts::{E, FRAC_2_SQRT_PI, PI};
    match activation {
        Activation::Softplus { beta } => (1.0, beta / 4.0),
        Activation::Tanh => (1.0, 4.0 / (3.0 * 3f64.sqrt())),
        Activation::Sigmoid => (0.25, 1.0 / (6.0 * 3f64.sqrt())),
        // sigma'' is largest where z^2 = 1/2.
        Activation::Erf => (FRAC_2_SQRT_PI, FRAC_2_SQRT_PI * (2.0 / E).sqrt()),
        // sigma' = Phi + z phi is largest at z = sqrt 2, where sigma'' = (2 - z^2) phi vanishes.
        Activation::Gelu => (1.128_904_145_185_158_7, 2.0 / (2.0 * PI).sqrt()),
        // sigma' = s (1 + z (1 - s)) is largest at z = 2.399357280520547, where z tanh(z / 2) = 2.
        Activation::Silu => (1.099_839_320_124_070_3, 0.5),
        Activation::Relu => (1.0, f64::INFINITY),
        Activation::Identity => (1.0, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_agree_with_their_published_digits() {
        for (activation, c_sigma, chi1) in [
            (Activation::SOFTPLUS, 1.08549, 0.31846),
            (Activation::Tanh, 2.53618, 1.17781),
            (Activation::Erf, 2.15258, 1.22570),
            (Activation::Gelu, 2.35172, 1.07203),
            (Activation::Silu, 2.81076, 1.06663),
            (Activation::Sigmoid, 3.40856, 0.15283),
            (Activation::Relu, 2.0, 1.0),
            (Activation::Identity, 1.0, 1.0),
        ] {
            let moments = Moments::of(activation);
            assert!((moments.c_sigma - c_sigma).abs() < 5.1e-6, "c_sigma of {activation}: {}", moments.c_sigma);
            assert!((moments.chi1 - chi1).abs() < 5.1e-6, "chi_1 of {activation}: {}", moments.chi1);
        }
    }

    #[test]
    fn a_change_of_the_variance_grows_as_chi_parallel_says() {
        for activation in [Activation::SOFTPLUS, Activation::Tanh, Activation::Gelu, Activation::Silu, Activation::Relu]
        {
            let Moments { c_sigma, chi_parallel, .. } = Moments::of(activation);
            let expectation = Expectation::new(activation);
            let map = |q: f64| c_sigma * expectation.product(q, q, q);
            let slope = (map(1.001) - map(0.999)) / 0.002;
            assert!((slope - chi_parallel).abs() < 1e-5, "{activation}: {slope} against {chi_parallel}");
        }
        // What is homogeneous keeps every change; of the others, these two alone lose their variance.
        assert!((Moments::of(Activation::Relu).chi_parallel - 1.0).abs() < 1e-12);
        assert!((Moments::of(Activation::Identity).chi_parallel - 1.0).abs() < 1e-12);
        assert!((Moments::of(Activation::Gelu).chi_parallel - 1.144_063).abs() < 1e-6);
        assert!(Moments::of(Activation::Silu).chi_parallel > 1.1 && Moments::of(Activation::Erf).chi_parallel < 0.5);
    }

    #[test]
    fn sharper_softplus_tends_to_relu() {
        let chi1 = |beta| Moments::of(Activation::Softplus { beta }).chi1;
        let all = [1.0, 2.0, 4.0, 8.0].map(chi1);
        assert!(all.windows(2).all(|pair| pair[0] < pair[1]) && all[3] < 1.0, "{all:?}");
    }

    #[test]
    fn bounds_hold_and_are_reached() {
        let z: Vec<f64> = (-200_000..200_000).map(|i| f64::from(i) * 1e-4).collect();
        for activation in [
            Activation::SOFTPLUS,
            Activation::Softplus { beta: 4.0 },
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::Erf,
            Activation::Gelu,
            Activation::Silu,
        ] {
            let mut slope = vec![0.0; z.len()];
            activation.derivative(&z, &mut slope);
            let steepest = slope.iter().fold(0f64, |most, s| most.max(s.abs()));
            let bend = slope.windows(2).fold(0f64, |most, s| most.max((s[1] - s[0]).abs() / 1e-4));
            let Moments { lipschitz, smoothness, .. } = Moments::of(activation);
            assert!((steepest / lipschitz - 1.0).abs() < 1e-8, "{activation}: {steepest} against {lipschitz}");
            assert!((bend / smoothness - 1.0).abs() < 1e-6, "{activation}: {bend} against {smoothness}");
        }
    }
}
