//! Quadrature for expectations under the standard normal: Gauss-Hermite, and equal steps.

use crate::gram::symmetric_eigenvalues;

/// Nodes z and weights w with E[g(z)] near the sum of w g(z), z standard normal.
#[derive(Clone, Debug)]
pub struct NormalRule {
    /// The nodes, ascending.
    pub nodes: Vec<f64>,
    /// Their weights, which add up to 1.
    pub weights: Vec<f64>,
}

impl NormalRule {
    /// The rule of `count` nodes that is exact for polynomials up to degree 2 `count` - 1, less those whose weight is below
    /// 1e-30.
    ///
    /// The nodes are the eigenvalues of the Jacobi matrix (Golub and Welsch, 1969), polished by Newton's method on the
    /// orthonormal Hermite polynomial; a weight is one over the sum of the squares of all lower polynomials.
    pub fn gauss_hermite(count: usize) -> Self {
        let mut jacobi = vec![0.0; count * count];
        for i in 1..count {
            let off = (i as f64).sqrt();
            jacobi[i * count + i - 1] = off;
            jacobi[(i - 1) * count + i] = off;
        }
        let mut rule = Self { nodes: Vec::new(), weights: Vec::new() };
        for mut z in symmetric_eigenvalues(&jacobi, count) {
            for _ in 0..3 {
                let (top, below, _) = hermite(z, count);
                z -= top / ((count as f64).sqrt() * below);
            }
            let (_, _, squares) = hermite(z, count);
            if squares < 1e30 {
                rule.nodes.push(z);
                rule.weights.push(1.0 / squares);
            }
        }
        rule
    }

    /// Nodes `step` apart. For a g that is analytic and bounded within a of the real axis the error is of order e^(-2 pi a /
    /// step) and, of the normal density itself, e^(-2 pi^2 / step^2) (Trefethen and Weideman, 2014).
    ///
    /// # Panics
    /// When `step` is not above 1e-6: there would be too many nodes.
    pub fn equal_steps(step: f64) -> Self {
        assert!(step > 1e-6, "nodes {step} apart are too many");
        /// Density beyond: below 1e-22.
        const REACH: f64 = 10.0;
        let most = (REACH / step).ceil() as i64;
        let nodes: Vec<f64> = (-most..=most).map(|k| k as f64 * step).collect();
        let density = step / std::f64::consts::TAU.sqrt();
        let weights = nodes.iter().map(|z| density * (-0.5 * z * z).exp()).collect();
        Self { nodes, weights }
    }

    /// E[g(z)].
    pub fn mean(&self, g: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().zip(&self.weights).map(|(&z, w)| w * g(z)).sum()
    }
}

/// The orthonormal Hermite polynomials of degree `n` and `n - 1` at z, and the sum of the squares of degrees 0 to n - 1.
fn hermite(z: f64, n: usize) -> (f64, f64, f64) {
    let (mut below, mut top, mut squares) = (0.0, 1.0, 0.0);
    for k in 0..n {
        squares += top * top;
        (below, top) = (top, (z * top - (k as f64).sqrt() * below) / ((k + 1) as f64).sqrt());
    }
    (top, below, squares)
}

#[cfg(test)]
mod tests {
    use super::NormalRule;

    #[test]
    fn moments_of_the_normal_are_exact() {
        for count in [1, 2, 5, 48, 96, 384] {
            let rule = NormalRule::gauss_hermite(count);
            let mut expected = 1.0;
            for power in (0..(2 * count).min(20)).step_by(2) {
                let found = rule.mean(|z| z.powi(power as i32));
                assert!((found / expected - 1.0f64).abs() < 1e-12, "E z^{power} = {found} with {count} nodes");
                assert!(rule.mean(|z| z.powi(power as i32 + 1)).abs() < 1e-12 * expected);
                expected *= (power + 1) as f64;
            }
        }
    }

    #[test]
    fn equal_steps_integrate_as_well() {
        let rule = NormalRule::equal_steps(0.4);
        for (power, expected) in [(0, 1.0), (2, 1.0), (4, 3.0), (8, 105.0)] {
            assert!((rule.mean(|z| z.powi(power)) / expected - 1.0).abs() < 1e-13, "E z^{power}");
        }
    }

    #[test]
    fn an_exponential_converges() {
        let found = NormalRule::gauss_hermite(48).mean(|z| (1.5 * z).exp());
        assert!((found / (1.125f64).exp() - 1.0).abs() < 1e-14);
    }
}
