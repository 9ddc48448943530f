//! Gauss-Hermite quadrature for expectations under the standard normal.

use crate::gram::symmetric_eigenvalues;

/// Nodes z and weights w with E[g(z)] = sum of w g(z) for polynomials g up to degree 2N - 1, z standard normal.
#[derive(Clone, Debug)]
pub struct GaussHermite {
    /// The nodes, ascending.
    pub nodes: Vec<f64>,
    /// Their weights, which add up to 1.
    pub weights: Vec<f64>,
}

impl GaussHermite {
    /// The rule of `count` nodes, less those whose weight is below 1e-30.
    ///
    /// The nodes are the eigenvalues of the Jacobi matrix (Golub and Welsch, 1969), polished by Newton's method on the
    /// orthonormal Hermite polynomial; a weight is one over the sum of the squares of all lower polynomials.
    pub fn new(count: usize) -> Self {
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
    use super::GaussHermite;

    #[test]
    fn moments_of_the_normal_are_exact() {
        for count in [1, 2, 5, 48, 96, 384] {
            let rule = GaussHermite::new(count);
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
    fn an_exponential_converges() {
        let found = GaussHermite::new(48).mean(|z| (1.5 * z).exp());
        assert!((found / (1.125f64).exp() - 1.0).abs() < 1e-14);
    }
}
