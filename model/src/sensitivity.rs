//! How expectations of an activation change with the covariance of their variables.
//!
//! The Gaussian weight is differentiated and not sigma: for (u, v) = R z with A = R R^T and z standard normal,
//!
//! ```text
//! d E[f] = 1/2 sum_kl Y_kl E[f (z_k z_l - delta_kl)],   Y = R^-1 dA R^-T
//! ```
//!
//! (Price's theorem and two integrations by parts), so that no second derivative is asked for.

use std::borrow::Cow;

use fathom_kernels::Activation;

use crate::Expectation;
use crate::quadrature::NormalRule;

/// Two points count as one below this 1 - |correlation|: their derivatives are then taken a little apart.
const NEAR: f64 = 1e-10;

/// sigma or sigma'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// sigma.
    Value,
    /// sigma'.
    Slope,
}

/// Derivatives of E[g(u)], E[g(u)^2] and E[g(u) g(v)], for g = sigma or sigma'.
#[derive(Clone, Debug)]
pub struct Sensitivity {
    activation: Activation,
    expectation: Expectation,
    /// The same by quadrature, which closed forms have no derivatives of.
    numeric: Expectation,
}

impl Sensitivity {
    /// By quadrature, with as many nodes as the expectations take; by closed form for ReLU.
    pub fn new(activation: Activation) -> Self {
        Self { activation, expectation: Expectation::new(activation), numeric: Expectation::by_quadrature(activation) }
    }

    /// The rule for a variable that enters sigma times `spread`.
    pub(crate) fn rule(&self, spread: f64) -> Cow<'_, NormalRule> {
        self.numeric.rule(spread)
    }

    /// g, element by element.
    pub(crate) fn apply(&self, of: Of, z: &[f64]) -> Vec<f64> {
        let mut g = vec![0.0; z.len()];
        match of {
            Of::Value => self.activation.apply(z, &mut g),
            Of::Slope => self.activation.derivative(z, &mut g),
        }
        g
    }

    /// d E[sigma(u)] / d var.
    pub fn d_mean(&self, var: f64) -> f64 {
        if var == 0.0 {
            return 0.0;
        }
        if self.activation == Activation::Relu {
            return self.expectation.mean(var) / (2.0 * var);
        }
        self.weighted(var, |z| self.apply(Of::Value, z))
    }

    /// d E[g(u)^2] / d var.
    pub fn d_square(&self, of: Of, var: f64) -> f64 {
        match (self.activation, of) {
            _ if var == 0.0 => 0.0,
            (Activation::Relu, Of::Value) => 0.5,
            (Activation::Relu, Of::Slope) => 0.0,
            _ => self.weighted(var, |z| self.apply(of, z).iter().map(|g| g * g).collect()),
        }
    }

    /// d E[f(u)] / d var = E[f(u) (z^2 - 1)] / (2 var).
    fn weighted(&self, var: f64, f: impl Fn(&[f64]) -> Vec<f64>) -> f64 {
        let rule = self.rule(var.sqrt());
        let u: Vec<f64> = rule.nodes.iter().map(|z| var.sqrt() * z).collect();
        let terms = f(&u).into_iter().zip(rule.nodes.iter().zip(&rule.weights));
        terms.map(|(f, (z, w))| w * f * (z * z - 1.0)).sum::<f64>() / (2.0 * var)
    }

    /// The derivatives of E[g(u) g(v)] by Var u, Cov(u, v) and Var v.
    pub fn d_product(&self, of: Of, [uu, uv, vv]: [f64; 3]) -> [f64; 3] {
        let size = (uu * vv).sqrt();
        if size == 0.0 {
            return [0.0; 3];
        }
        if self.activation == Activation::Relu {
            // Both are homogeneous in u and in v: of degree 1, and of degree 0.
            let (across, half) = match of {
                Of::Value => (self.expectation.slope_product(uu, uv, vv), 0.5 * self.expectation.product(uu, uv, vv)),
                Of::Slope => {
                    let sine = ((size - uv) * (size + uv)).max(NEAR * size * size).sqrt();
                    (1.0 / (std::f64::consts::TAU * sine), 0.0)
                }
            };
            let along = half - 0.5 * uv * across;
            return [along / uu, across, along / vv];
        }
        let correlation = (uv / size).clamp(NEAR - 1.0, 1.0 - NEAR);
        let (along, across) = (0.5 * (1.0 + correlation), 0.5 * (1.0 - correlation));
        let [xx, xy, yy] = self.moments(of, [uu.sqrt(), vv.sqrt()], [along.sqrt(), across.sqrt()]);
        let (xx, yy, xy) = (xx / (4.0 * along), yy / (4.0 * across), xy / (2.0 * (along * across).sqrt()));
        [0.5 * (xx + yy + xy) / uu, (xx - yy) / size, 0.5 * (xx + yy - xy) / vv]
    }

    /// E[g(u) g(v) (x^2 - 1)], E[g(u) g(v) x y] and E[g(u) g(v) (y^2 - 1)] for u = s_u (a x + b y) and v = s_v (a x - b y).
    fn moments(&self, of: Of, [su, sv]: [f64; 2], [a, b]: [f64; 2]) -> [f64; 3] {
        let mut sums = [0.0; 3];
        self.numeric.over_plane(su.max(sv), [a, b], |x, wx, ys| {
            let gu = self.apply(of, &ys.nodes.iter().map(|y| su * (a * x + b * y)).collect::<Vec<_>>());
            let gv = self.apply(of, &ys.nodes.iter().map(|y| sv * (a * x - b * y)).collect::<Vec<_>>());
            for (k, (y, wy)) in ys.nodes.iter().zip(&ys.weights).enumerate() {
                let f = wx * wy * gu[k] * gv[k];
                sums[0] += f * (x * x - 1.0);
                sums[1] += f * x * y;
                sums[2] += f * (y * y - 1.0);
            }
        });
        sums
    }

    /// g(from + step) - g(from), element by element, to about nine digits however short the step is; for analytic sigma.
    pub(crate) fn difference(&self, of: Of, from: &[f64], step: &[f64]) -> Vec<f64> {
        // What is short, and nearby, beside the length over which sigma bends.
        let length = match self.activation {
            Activation::Softplus { beta } => 1.0 / beta.max(1.0),
            _ => 1.0,
        };
        // Below, the midpoint's derivative is closer than the difference of two values.
        let short = 1e-4 * length;
        // Where sigma'' is taken from sigma'.
        let nearby = length / 512.0;
        let at = |weight: f64, shift: f64| -> Vec<f64> {
            from.iter().zip(step).map(|(x, d)| x + weight * d + shift).collect()
        };
        let (start, end) = (self.apply(of, from), self.apply(of, &at(1.0, 0.0)));
        let bend: Vec<f64> = match of {
            Of::Value => self.apply(Of::Slope, &at(0.5, 0.0)),
            Of::Slope => {
                let slopes = [-2.0, -1.0, 1.0, 2.0].map(|k| self.apply(Of::Slope, &at(0.5, k * nearby)));
                let [a, b, c, d] = &slopes;
                (0..from.len()).map(|k| (8.0 * (c[k] - b[k]) - (d[k] - a[k])) / (12.0 * nearby)).collect()
            }
        };
        (0..from.len()).map(|k| if step[k].abs() < short { step[k] * bend[k] } else { end[k] - start[k] }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_expectations() {
        const STEP: f64 = 1e-4;
        for activation in ["softplus", "softplus:4", "tanh", "erf", "gelu", "relu", "identity"] {
            let activation: Activation = activation.parse().unwrap();
            let (expectation, sensitivity) = (Expectation::new(activation), Sensitivity::new(activation));
            let near = |found: f64, below: f64, above: f64, what: &str| {
                let expected = (above - below) / (2.0 * STEP);
                assert!((found - expected).abs() < 1e-6, "{activation}, {what}: {found} against {expected}");
            };
            for a in [[1.0, 0.0, 1.0], [0.7, -0.4, 1.3], [2.0, 1.4, 1.1]] {
                for (of, which) in [(Of::Value, "sigma"), (Of::Slope, "sigma'")] {
                    let value = |a: [f64; 3]| match of {
                        Of::Value => expectation.product(a[0], a[1], a[2]),
                        Of::Slope => expectation.slope_product(a[0], a[1], a[2]),
                    };
                    let found = sensitivity.d_product(of, a);
                    for (k, &found) in found.iter().enumerate() {
                        let moved = |by: f64| std::array::from_fn(|i| if i == k { a[i] + by } else { a[i] });
                        near(found, value(moved(-STEP)), value(moved(STEP)), &format!("{which} {k} at {a:?}"));
                    }
                    let square = |by: f64| value([a[0] + by; 3]);
                    near(sensitivity.d_square(of, a[0]), square(-STEP), square(STEP), which);
                }
                near(sensitivity.d_mean(a[0]), expectation.mean(a[0] - STEP), expectation.mean(a[0] + STEP), "mean");
            }
        }
    }

    #[test]
    fn differences_keep_their_digits_over_short_steps() {
        // tanh(x + d) - tanh(x) = sinh(d) / (cosh(x) cosh(x + d)); its derivative is 1 - tanh^2.
        let sensitivity = Sensitivity::new(Activation::Tanh);
        for x in [-1.3f64, 0.2, 2.0] {
            for d in [1e-20f64, -1e-9, 0.9e-4, -1.1e-4, 0.3] {
                let exact = d.sinh() / (x.cosh() * (x + d).cosh());
                let slope = -exact * (x.tanh() + (x + d).tanh());
                for (of, exact) in [(Of::Value, exact), (Of::Slope, slope)] {
                    let found = sensitivity.difference(of, &[x], &[d])[0];
                    assert!((found / exact - 1.0).abs() < 1e-8, "{of:?} at {x} by {d}: {found:e}, not {exact:e}");
                }
            }
        }
    }
}
