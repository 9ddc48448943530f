//! The chain of a fully connected network, in coordinates that keep their digits at any depth.
//!
//! As chi_1 < 1 samples draw together: all entries of K tend to 1, and lambda_0 falls below the rounding of K. So the chain
//! runs on K_11, the differences K_ii - K_11 and the squared distances D_ij = K_ii + K_jj - 2 K_ij. Samples have
//! norm 1 and c_sigma keeps it, so that at infinite width K_ii = 1 at every layer, and
//!
//! ```text
//! D' = c_sigma E[(sigma(u) - sigma(v))^2],   Var(u - v) = D,   Var(u + v) = 4 - D
//! ```
//!
//! Differences of sigma over short steps are the derivative in the middle, so that nothing cancels.

use rayon::prelude::*;

use super::chain::{Sparse, Step};
use super::sample::{LANES, Rows, covariance};
use crate::law::factor::Gaussian;
use crate::sensitivity::{Of, Sensitivity};
use crate::{Architecture, Dataset, Gram};

/// The chain's steps, and K^(H) in its coordinates.
pub(super) struct Gaps {
    pub steps: Vec<Step>,
    pub kernel: Vec<f64>,
}

/// The coordinate of the diagonal's entry i: K_11, and then K_ii - K_11.
fn diagonal(i: usize) -> usize {
    i
}

/// The coordinate of D_ij, j < i.
pub(super) fn distance(n: usize, i: usize, j: usize) -> usize {
    let (i, j) = (i.max(j), i.min(j));
    n + i * (i - 1) / 2 + j
}

/// The pairs (i, j), j < i, in order.
pub(super) fn pairs(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..n).flat_map(|i| (0..i).map(move |j| (i, j)))
}

/// The chain of `architecture`, which is fully connected and has an analytic activation.
pub(super) fn gaps(architecture: &Architecture, data: &Dataset) -> Gaps {
    let n = data.samples();
    let chain =
        Chain { sensitivity: Sensitivity::new(architecture.activation()), c_sigma: architecture.moments().c_sigma, n };
    let mut distances: Vec<f64> =
        pairs(n).map(|(i, j)| data.input(i).iter().zip(data.input(j)).map(|(x, y)| (x - y).powi(2)).sum()).collect();
    let mut steps = Vec::with_capacity(architecture.depth());
    for h in 1..architecture.depth() {
        let found: Vec<Change> = distances.par_iter().map(|&d| chain.change(Of::Value, d)).collect();
        steps.push(chain.inner(h, &distances, &found));
        distances = found.iter().map(|change| chain.c_sigma * change.value).collect();
    }
    let found: Vec<Change> = distances.par_iter().map(|&d| chain.change(Of::Slope, d)).collect();
    let (step, kernel) = chain.last(architecture.depth(), &distances, &found);
    steps.push(step);
    Gaps { steps, kernel }
}

/// E[(g(u) - g(v))^2] and its derivatives.
struct Change {
    value: f64,
    /// By D, at fixed variances.
    by_distance: f64,
    /// By Var u, or by Var v, at fixed D.
    by_variance: f64,
}

struct Chain {
    sensitivity: Sensitivity,
    c_sigma: f64,
    n: usize,
}

impl Chain {
    /// At Var u = Var v = 1.
    fn change(&self, of: Of, distance: f64) -> Change {
        let rule = self.sensitivity.rule(1.0);
        let (along, across) = ((4.0 - distance).max(0.0), distance);
        let grid = || rule.nodes.iter().flat_map(|&x| rule.nodes.iter().map(move |&y| (x, y)));
        let from: Vec<f64> = grid().map(|(x, y)| 0.5 * (along.sqrt() * x - across.sqrt() * y)).collect();
        let step: Vec<f64> = grid().map(|(_, y)| across.sqrt() * y).collect();
        let differences = self.sensitivity.difference(of, &from, &step);
        let [mut value, mut xx, mut yy] = [0.0; 3];
        for (k, ((x, y), difference)) in grid().zip(differences).enumerate() {
            let (i, j) = (k / rule.nodes.len(), k % rule.nodes.len());
            let f = rule.weights[i] * rule.weights[j] * difference * difference;
            value += f;
            xx += f * (x * x - 1.0);
            yy += f * (y * y - 1.0);
        }
        // d E[f] / d Var = E[f (z^2 - 1)] / (2 Var) along each axis. A variance moves Var(u + v) by two, each distance by -1.
        let (by_along, by_across) = (0.5 * xx / along.max(f64::MIN_POSITIVE), 0.5 * yy / across);
        Change { value, by_distance: by_across - by_along, by_variance: 2.0 * by_along }
    }

    /// Rows entering layer h: the first sample's, and then what the others differ from it by.
    fn rows(&self, h: usize, distances: &[f64]) -> Rows {
        let d = |i: usize, j: usize| if i == j { 0.0 } else { distances[distance(self.n, i, j) - self.n] };
        let covariance = Gram::from_fn(self.n, |i, j| match (i, j) {
            (0, 0) => 1.0,
            (i, 0) => -0.5 * d(i, 0),
            _ => 0.5 * (d(i, 0) + d(j, 0) - d(i, j)),
        });
        Rows::new(&covariance, h)
    }

    /// g of the first sample, and then the differences of the others' from it: `n x LANES` both ways.
    fn apply(&self, of: Of, rows: &[f64]) -> Vec<f64> {
        let first = &rows[..LANES];
        let mut out = self.sensitivity.apply(of, first);
        for step in rows[LANES..].chunks_exact(LANES) {
            out.extend(self.sensitivity.difference(of, first, step));
        }
        out
    }

    /// `factor` times K_ii + K_jj.
    fn variances(factor: f64, i: usize, j: usize) -> impl Iterator<Item = (usize, f64)> {
        let others = [i, j].into_iter().filter(|&k| k > 0).map(move |k| (diagonal(k), factor));
        [(0, 2.0 * factor)].into_iter().chain(others)
    }

    /// Layer h < H.
    fn inner(&self, h: usize, distances: &[f64], changes: &[Change]) -> Step {
        let (n, c) = (self.n, self.c_sigma);
        let growth = c * self.sensitivity.d_square(Of::Value, 1.0);
        let mut below: Sparse = (0..n).map(|i| vec![(diagonal(i), growth)]).collect();
        below.extend(pairs(n).zip(changes).map(|((i, j), change)| {
            let own = (distance(n, i, j), c * change.by_distance);
            Self::variances(c * change.by_variance, i, j).chain([own]).collect()
        }));
        let rows = self.rows(h, distances);
        let noise = covariance(n + pairs(n).count(), |block| {
            let sigma = self.apply(Of::Value, &rows.block(block));
            self.features(&sigma, |_, difference, _| c * difference * difference, |square| c * square)
        });
        Step { below, skip: None, noise: Gaussian::new(&noise) }
    }

    /// What a row adds to each coordinate, `size x LANES`: `on_diagonal` of the squares of g (or their difference from the
    /// first), and `of_pair` of (the pair's number, g_i - g_j, g_i^2 + g_j^2).
    fn features(
        &self,
        g: &[f64],
        of_pair: impl Fn(usize, f64, f64) -> f64,
        on_diagonal: impl Fn(f64) -> f64,
    ) -> Vec<f64> {
        let n = self.n;
        let at = |i: usize, lane: usize| if i == 0 { 0.0 } else { g[i * LANES + lane] };
        let mut out = Vec::with_capacity((n + n * (n - 1) / 2) * LANES);
        for i in 0..n {
            out.extend((0..LANES).map(|lane| {
                let (first, more) = (g[lane], at(i, lane));
                on_diagonal(if i == 0 { first * first } else { more * (2.0 * first + more) })
            }));
        }
        for (k, (i, j)) in pairs(n).enumerate() {
            out.extend((0..LANES).map(|lane| {
                let (first, a, b) = (g[lane], at(i, lane), at(j, lane));
                of_pair(k, a - b, (first + a).powi(2) + (first + b).powi(2))
            }));
        }
        out
    }

    /// Layer H. G_ij = c S_ij M_ij, with M the mean of a^2 sigma' sigma'^T; where D belongs to S and E to M, the squared distances of
    /// G are c (D (M_ii + M_jj) / 2 + E (S_ii + S_jj) / 2 - D E / 2), but for a product of two small differences.
    fn last(&self, h: usize, distances: &[f64], changes: &[Change]) -> (Step, Vec<f64>) {
        let (n, c) = (self.n, self.c_sigma);
        let rule = self.sensitivity.rule(1.0);
        let slopes = self.sensitivity.apply(Of::Slope, &rule.nodes);
        let square: f64 = slopes.iter().zip(&rule.weights).map(|(s, w)| w * s * s).sum();
        let growth = self.sensitivity.d_square(Of::Slope, 1.0);
        let mut kernel = vec![0.0; n];
        kernel[0] = c * square;
        let mut below: Sparse = (0..n).map(|i| vec![(diagonal(i), c * (square + growth))]).collect();
        for ((i, j), (&d, change)) in pairs(n).zip(distances.iter().zip(changes)) {
            let rest = 1.0 - 0.5 * d;
            kernel.push(c * (d * square + change.value * rest));
            let by_variance = c * (0.5 * d * growth + rest * change.by_variance + 0.5 * change.value);
            let by_distance = c * (square + rest * change.by_distance - 0.5 * change.value);
            below.push(Self::variances(by_variance, i, j).chain([(distance(n, i, j), by_distance)]).collect());
        }
        let rows = self.rows(h, distances);
        let noise = covariance(kernel.len(), |block| {
            let mut slopes = self.apply(Of::Slope, &rows.block(block));
            let a = rows.output(1, block);
            slopes.chunks_exact_mut(LANES).for_each(|g| g.iter_mut().zip(&a).for_each(|(g, a)| *g *= a));
            let of_pair = |k: usize, difference: f64, squares: f64| {
                let d: f64 = distances[k];
                c * (0.5 * d * squares + (1.0 - 0.5 * d) * difference * difference)
            };
            self.features(&slopes, of_pair, |square| c * square)
        });
        (Step { below, skip: None, noise: Gaussian::new(&noise) }, kernel)
    }
}
