//! The conditions of the theorems on a user's data, and the terms of their widths.

use crate::architecture::{Kind, Residual};
use crate::{Architecture, Gram};

use crate::population::Population;

/// Below this fraction of lambda_max an eigenvalue computed in f64 is rounding noise.
pub const NOISE: f64 = 1e-14;

/// What the theorems ask of the data, measured; what they ask of the activation is in [`Moments`](crate::Moments).
#[derive(Clone, Debug, PartialEq)]
pub struct Conditions {
    /// lambda_min(K^(H)), lambda_0 of the theorems; NaN where K^(H) exceeds the largest number.
    pub lambda0: f64,
    /// lambda_max(K^(H)); NaN there too.
    pub lambda_max: f64,
    /// Whether lambda_0 is above rounding noise, so that its digits mean something.
    pub resolved: bool,
    /// For each layer h = 1..=H, the smallest eigenvalue of any 2 x 2 sub-matrix of the covariance that enters it: the
    /// pairs of samples, at each pixel; 0 where it is rounding noise.
    pub pairs: Vec<f64>,
    /// The smallest of those that the theorem needs: all layers, or the first of a residual network (with skips over two
    /// layers too: each inner layer starts from a block's output, so that nothing accumulates).
    pub smallest_pair: f64,
}

impl Conditions {
    /// Measures them.
    pub fn of(architecture: &Architecture, population: &Population) -> Self {
        let (lambda0, lambda_max) = if population.kernel.is_finite() {
            let eigenvalues = population.kernel.eigenvalues();
            (eigenvalues[0], eigenvalues[eigenvalues.len() - 1])
        } else {
            (f64::NAN, f64::NAN)
        };
        let pixels = architecture.patches().pixels();
        let pairs: Vec<f64> = population.covariances.iter().map(|s| smallest_pair(s, pixels)).collect();
        let needed = if architecture.kind().is_residual() { &pairs[..1] } else { &pairs[..] };
        let smallest_pair = needed.iter().copied().fold(f64::INFINITY, f64::min);
        Self { lambda0, lambda_max, resolved: lambda0 > NOISE * lambda_max, pairs, smallest_pair }
    }

    /// Whether K^(H) is positive definite, beyond rounding.
    pub fn last_gram_is_positive(&self) -> bool {
        self.lambda0 > 0.0 && self.resolved
    }
}

/// The smallest eigenvalue of `[S_ii, S_ij; S_ij, S_jj]` over pairs of samples at the same pixel, or 0 where it is rounding noise; of
/// the 1 x 1 matrices when there is one sample.
fn smallest_pair(s: &Gram, pixels: usize) -> f64 {
    let samples = s.n() / pixels;
    let mut smallest = f64::INFINITY;
    for l in 0..pixels {
        if samples == 1 {
            smallest = smallest.min(s.get(l, l));
        }
        for i in 0..samples {
            for j in 0..i {
                let (a, b) = (i * pixels + l, j * pixels + l);
                let (x, y, z) = (s.get(a, a), s.get(b, b), s.get(a, b));
                // lambda_min = det / lambda_max keeps its digits where the difference of the textbook form would not.
                let most = 0.5 * (x + y + ((x - y).powi(2) + 4.0 * z * z).sqrt());
                let least = (x * y - z * z) / most;
                smallest = smallest.min(if least > NOISE * most { least } else { 0.0 });
            }
        }
    }
    smallest
}

/// One term of a theorem's width, constants left out.
#[derive(Clone, Debug, PartialEq)]
pub struct WidthTerm {
    /// The term, as the theorem prints it.
    pub formula: &'static str,
    /// Its value.
    pub value: f64,
}

/// The width that suffices by a theorem of the paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Theorem {
    /// `5.1`, `6.1` or `7.1`.
    pub number: &'static str,
    /// The terms whose maximum the width is proportional to.
    pub terms: Vec<WidthTerm>,
    /// What multiplies them, up to a constant that the theorem does not give.
    pub factor: &'static str,
}

impl Theorem {
    /// The theorem on an architecture, for `n` samples and failure probability `delta`; `None` where the paper has none, as for
    /// activations that are not analytic, polynomials, and residual scales other than its own.
    pub fn on(architecture: &Architecture, n: usize, lambda0: f64, delta: f64) -> Option<Self> {
        let other_scale = architecture.residual().is_some_and(|residual| residual != Residual::PerDepth);
        if other_scale || !architecture.moments().analytic {
            return None;
        }
        let (n, depth) = (n as f64, architecture.depth() as f64);
        let term = |formula, value| WidthTerm { formula, value };
        let (number, factor, mut terms) = match architecture.kind() {
            Kind::FullyConnected => ("5.1", "2^O(H)", vec![term("n^4/lambda0^4", (n / lambda0).powi(4))]),
            Kind::ResNet => (
                "6.1",
                "1",
                vec![
                    term("n^4/(lambda0^4 H^6)", (n / lambda0).powi(4) / depth.powi(6)),
                    term("n^2/(lambda0^2 H^2)", (n / lambda0).powi(2) / depth.powi(2)),
                ],
            ),
            Kind::ConvResNet => (
                "7.1",
                "poly(p)",
                vec![
                    term("n^4/(lambda0^4 H^6)", (n / lambda0).powi(4) / depth.powi(6)),
                    term("n^4/(lambda0^4 H^2)", (n / lambda0).powi(4) / depth.powi(2)),
                ],
            ),
            Kind::LinearResNet | Kind::BlockResNet => return None,
        };
        terms.push(term("n/delta", n / delta));
        terms.push(term("n^2 log(Hn/delta)/lambda0^2", (n / lambda0).powi(2) * (depth * n / delta).ln()));
        Some(Self { number, terms, factor })
    }
}
