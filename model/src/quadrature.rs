//! Quadrature for expectations under the standard normal: Gauss-Hermite, equal steps, and steps graded around singularities.

use std::f64::consts::TAU;
use std::sync::OnceLock;

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
        let most = (REACH / step).ceil() as i64;
        let nodes: Vec<f64> = (-most..=most).map(|k| k as f64 * step).collect();
        let density = step / TAU.sqrt();
        let weights = nodes.iter().map(|z| density * (-0.5 * z * z).exp()).collect();
        Self { nodes, weights }
    }

    /// Nodes that crowd around `centers`: for a g whose singularities come as near as `near` to the real axis there, and elsewhere no
    /// nearer than in proportion to the distance from the centers. Gauss-Legendre rules on panels that double in length from one to
    /// the next; the error of each is of order 4^-32.
    ///
    /// # Panics
    /// When `near` is not positive.
    pub fn graded(centers: &[f64], near: f64) -> Self {
        assert!(near > 0.0, "singularities on the real axis ask for infinitely many nodes");
        let mut ends = vec![-REACH, REACH];
        ends.extend((1..(2.0 * REACH / LONGEST_PANEL) as i32).map(|k| LONGEST_PANEL * f64::from(k) - REACH));
        for &center in centers {
            // Further away, doubling goes on from the longest panels' ends.
            let lengths = std::iter::successors(Some(0.5 * near), |length| Some(2.0 * length));
            let distances: Vec<f64> = lengths.take_while(|length| *length < 2.0 * LONGEST_PANEL).collect();
            ends.extend(distances.iter().flat_map(|distance| [center - distance, center + distance]));
        }
        ends.retain(|end| end.abs() <= REACH);
        ends.sort_by(f64::total_cmp);
        ends.dedup();
        let (nodes, weights) = gauss_legendre();
        let mut rule = Self { nodes: Vec::new(), weights: Vec::new() };
        for panel in ends.windows(2) {
            let (middle, half) = (0.5 * (panel[0] + panel[1]), 0.5 * (panel[1] - panel[0]));
            for (node, weight) in nodes.iter().zip(weights) {
                let z = middle + half * node;
                rule.nodes.push(z);
                rule.weights.push(half * weight * (-0.5 * z * z).exp() / TAU.sqrt());
            }
        }
        rule
    }

    /// E[g(z)].
    pub fn mean(&self, g: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().zip(&self.weights).map(|(&z, w)| w * g(z)).sum()
    }
}

/// How far nodes reach: the density beyond is below 1e-22.
const REACH: f64 = 10.0;
/// The longest panel on which a Gauss-Legendre rule takes the normal density.
const LONGEST_PANEL: f64 = 2.0;
/// Nodes on a panel.
const PANEL: usize = 16;

/// Nodes and weights of the rule on [-1, 1] that is exact for polynomials up to degree 2 [`PANEL`] - 1.
fn gauss_legendre() -> &'static ([f64; PANEL], [f64; PANEL]) {
    static RULE: OnceLock<([f64; PANEL], [f64; PANEL])> = OnceLock::new();
    RULE.get_or_init(|| {
        let n = PANEL as f64;
        let (mut nodes, mut weights) = ([0.0; PANEL], [0.0; PANEL]);
        for (k, (node, weight)) in nodes.iter_mut().zip(&mut weights).enumerate() {
            let mut x = -(std::f64::consts::PI * (k as f64 + 0.75) / (n + 0.5)).cos();
            for _ in 0..6 {
                // P_n and P_(n-1) by their recurrence; (1 - x^2) P_n' = n (P_(n-1) - x P_n).
                let (mut below, mut top) = (1.0, x);
                for j in 1..PANEL {
                    let j = j as f64;
                    (below, top) = (top, ((2.0 * j + 1.0) * x * top - j * below) / (j + 1.0));
                }
                let slope = n * (below - x * top) / (1.0 - x * x);
                x -= top / slope;
                *weight = 2.0 / ((1.0 - x * x) * slope * slope);
            }
            *node = x;
        }
        (nodes, weights)
    })
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
    use super::*;

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
    fn graded_steps_integrate_as_well() {
        for (centers, near) in
            [(&[][..], 1.0), (&[0.0], 1e-7), (&[-1.3, 1.3], 1e-3), (&[-30.0, 30.0], 1e-5), (&[2.0, 2.0], 0.7)]
        {
            let rule = NormalRule::graded(centers, near);
            for (power, expected) in [(0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0), (8, 105.0)] {
                let error = (rule.mean(|z| z.powi(power)) - expected).abs() / f64::max(expected, 1.0);
                assert!(error < 1e-13, "E z^{power} around {centers:?}");
            }
            assert!(rule.nodes.is_sorted() && rule.nodes.len() < 2000, "{} nodes around {centers:?}", rule.nodes.len());
        }
        // E 1 / (1 + (z / a)^2), a pole at distance a: sqrt(pi / 2) a erfcx(a / sqrt 2).
        let a = 1e-5;
        let rule = NormalRule::graded(&[0.0], a);
        let x = a / 2f64.sqrt();
        let erfcx = 1.0 - 2.0 * x / std::f64::consts::PI.sqrt() + x * x;
        let (found, expected) = (rule.mean(|z| 1.0 / (1.0 + (z / a).powi(2))), (TAU / 4.0).sqrt() * a * erfcx);
        assert!((found / expected - 1.0).abs() < 1e-12, "{found} {expected}");
    }

    #[test]
    fn an_exponential_converges() {
        let found = NormalRule::gauss_hermite(48).mean(|z| (1.5 * z).exp());
        assert!((found / (1.125f64).exp() - 1.0).abs() < 1e-14);
    }
}
