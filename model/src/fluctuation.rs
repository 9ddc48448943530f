//! The limiting Gaussian of sqrt(m) (G^(H)(0) - K^(H)), and the widths that it predicts: the delta method.
//!
//! A layer's Gram matrix is a mean over m rows that are independent given the layer below. So its fluctuation around the
//! population's is, to first order in m^(-1/2), the fluctuation below through the derivative of the layer's map ([`sensitivity`]),
//! and noise of its own, whose covariance is that of one row's terms. Going up through the layers this is a Gaussian chain, and a
//! draw of it costs nothing that grows with the width. What is left out is of order 1 / m relative to G, so that predictions are
//! good where the predicted width is large.
//!
//! [`sensitivity`]: crate::sensitivity

mod chain;
mod gaps;
mod grams;
mod sample;

use std::cmp::Ordering;

use rayon::prelude::*;
use thiserror::Error;

use crate::condition::NOISE;
use crate::gram::dot;
use crate::population::population;
use crate::{Architecture, Dataset, Gram, Kind};
use chain::{BLOCK, Step};
use grams::{entries, entry};
pub use sample::rows_sampled;

/// Points (samples times pixels) at most: the chain has a coordinate for each two of them.
pub const MOST_POINTS: usize = 64;

/// Networks whose fluctuation cannot be computed.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FluctuationError {
    /// Too many coordinates.
    #[error("{0} points (samples times pixels) are more than the {MOST_POINTS} whose fluctuations can be computed")]
    Points(usize),
    /// An eigenvalue that is rounding noise.
    #[error("lambda_0 = {lambda0:e} is rounding noise beside lambda_max = {lambda_max:e}")]
    Unresolved {
        /// lambda_min(K^(H)), as computed.
        lambda0: f64,
        /// lambda_max(K^(H)).
        lambda_max: f64,
    },
}

/// The law of sqrt(m) (G^(H)(0) - K^(H)) as m grows.
pub struct Fluctuation {
    steps: Vec<Step>,
    coordinates: Coordinates,
    samples: usize,
    lambda0: f64,
    lambda_max: f64,
    /// The factor L of K^(H) - 3/4 lambda_0, in the orthonormal basis of the coordinates.
    margin: Vec<f64>,
}

/// What the chain's last coordinates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coordinates {
    /// Entries of a matrix, in the basis of the samples.
    Entries,
    /// Those of [`gaps`]. Their basis is Helmert's: (1, ..., 1) / sqrt(n), and contrasts, on which the matrix is small.
    Gaps,
}

impl Fluctuation {
    /// The fluctuation of starts of `architecture` on the samples of `data`.
    ///
    /// Fully connected networks with an analytic activation have coordinates in which lambda_0 keeps its digits at any depth;
    /// others end where it falls below [`NOISE`] lambda_max.
    ///
    /// # Errors
    /// When there are too many points, or lambda_0 is not above rounding noise.
    pub fn new(architecture: &Architecture, data: &Dataset) -> Result<Self, FluctuationError> {
        let (samples, pixels) = (data.samples(), architecture.patches().pixels());
        if samples * pixels > MOST_POINTS {
            return Err(FluctuationError::Points(samples * pixels));
        }
        let deep = architecture.kind() == Kind::FullyConnected && architecture.moments().analytic;
        if deep {
            let gaps::Gaps { steps, kernel } = gaps::gaps(architecture, data);
            return Self::around(steps, Coordinates::Gaps, Coordinates::Gaps.matrix(samples, &kernel));
        }
        let population = population(architecture, data);
        let steps = grams::steps(architecture, &population);
        Self::around(steps, Coordinates::Entries, population.kernel)
    }

    fn around(steps: Vec<Step>, coordinates: Coordinates, kernel: Gram) -> Result<Self, FluctuationError> {
        let samples = kernel.n();
        if !kernel.is_finite() {
            return Err(FluctuationError::Unresolved { lambda0: f64::NAN, lambda_max: f64::NAN });
        }
        let eigenvalues = kernel.eigenvalues();
        let lambda_max = eigenvalues[samples - 1];
        let (lambda0, noise) = match coordinates {
            Coordinates::Entries => (eigenvalues[0], NOISE * lambda_max),
            Coordinates::Gaps => (lowest_of_a_graded(&kernel).unwrap_or(0.0), 0.0),
        };
        let unresolved = FluctuationError::Unresolved { lambda0, lambda_max };
        let shifted = Gram::from_fn(samples, |i, j| kernel.get(i, j) - if i == j { 0.75 * lambda0 } else { 0.0 });
        let margin = lower_factor(&shifted).filter(|_| lambda0 > noise).ok_or(unresolved)?;
        Ok(Self { steps, coordinates, samples, lambda0, lambda_max, margin })
    }

    /// lambda_0, the smallest eigenvalue of K^(H).
    pub fn lambda0(&self) -> f64 {
        self.lambda0
    }

    /// lambda_max(K^(H)).
    pub fn lambda_max(&self) -> f64 {
        self.lambda_max
    }

    /// The first `count` draws of sqrt(m) (G^(H)(0) - K^(H)) from `seed`, `n x n`.
    pub fn matrices(&self, count: usize, seed: u64) -> Vec<Gram> {
        let n = self.samples;
        let basis = self.coordinates.basis(n);
        let in_samples = |z: &[f64]| {
            let z = self.coordinates.matrix(n, z);
            Gram::from_fn(n, |i, j| {
                let term = |a: usize, b: usize| basis[a * n + i] * z.get(a, b) * basis[b * n + j];
                (0..n).flat_map(|a| (0..n).map(move |b| (a, b))).map(|(a, b)| term(a, b)).sum()
            })
        };
        self.each(count, seed, in_samples)
    }

    /// What `count` draws from `seed` require. The same on any number of threads.
    ///
    /// # Panics
    /// When `count` is 0.
    pub fn draw(&self, count: usize, seed: u64) -> Draws {
        assert!(count > 0, "a quantile needs at least one draw");
        let widths = self.each(count, seed, |z| {
            let z = self.coordinates.matrix(self.samples, z);
            let eigenvalues = z.eigenvalues();
            let norm = eigenvalues.iter().fold(0.0f64, |most, e| most.max(e.abs()));
            // K + Z / sqrt(m) - 3/4 lambda_0 = L (1 + L^-1 Z L^-T / sqrt(m)) L^T.
            let lowest = whitened(&self.margin, &z).eigenvalues()[0].min(0.0);
            [(4.0 * norm / self.lambda0).powi(2), lowest * lowest]
        });
        let sorted = |which: usize| {
            let mut all: Vec<f64> = widths.iter().map(|widths| widths[which]).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        Draws { closeness: sorted(0), positivity: sorted(1) }
    }

    /// `f` of the coordinates of each draw.
    fn each<R: Send>(&self, count: usize, seed: u64, f: impl Fn(&[f64]) -> R + Sync) -> Vec<R> {
        let blocks = (0..count.div_ceil(BLOCK) as u64).into_par_iter().map(|block| {
            let all = chain::draw(&self.steps, seed, block);
            let lanes = BLOCK.min(count - block as usize * BLOCK);
            let lane = |lane: usize| all.chunks_exact(BLOCK).map(|row| row[lane]).collect::<Vec<f64>>();
            (0..lanes).map(|k| f(&lane(k))).collect::<Vec<R>>()
        });
        blocks.collect::<Vec<_>>().into_iter().flatten().collect()
    }
}

impl Coordinates {
    /// The orthonormal basis: vector a is row a.
    fn basis(self, n: usize) -> Vec<f64> {
        let entry = |a: usize, i: usize| match self {
            Self::Entries => f64::from(u8::from(i == a)),
            Self::Gaps if a == 0 => 1.0 / (n as f64).sqrt(),
            Self::Gaps if i > a => 0.0,
            Self::Gaps => (if i < a { 1.0 } else { -(a as f64) }) / ((a * (a + 1)) as f64).sqrt(),
        };
        (0..n).flat_map(|a| (0..n).map(move |i| entry(a, i))).collect()
    }

    /// The matrix with the coordinates `z`, in the orthonormal basis.
    fn matrix(self, n: usize, z: &[f64]) -> Gram {
        if self == Self::Entries {
            return Gram::from_fn(n, |i, j| z[entry(i, j)]);
        }
        let more = |i: usize| if i == 0 { 0.0 } else { z[i] };
        let distance = |i: usize, j: usize| if i == j { 0.0 } else { z[gaps::distance(n, i, j)] };
        let basis = self.basis(n);
        let vector = |a: usize| &basis[a * n..(a + 1) * n];
        let distances: Vec<f64> = (0..n).flat_map(|i| (0..n).map(move |j| distance(i, j))).collect();
        // D times each vector of the basis.
        let turned: Vec<f64> =
            (0..n).flat_map(|b| distances.chunks_exact(n).map(|row| dot(row, vector(b))).collect::<Vec<_>>()).collect();
        let cross = |a: usize, b: usize| dot(vector(a), &turned[b * n..(b + 1) * n]);
        // Z_ij = (k_i + k_j - D_ij) / 2, and the contrasts of a constant vanish.
        Gram::from_fn(n, |a, b| match (a, b) {
            (0, 0) => n as f64 * z[0] + (0..n).map(more).sum::<f64>() - 0.5 * cross(0, 0),
            (_, 0) => {
                let contrast: f64 = vector(a).iter().enumerate().map(|(i, x)| x * more(i)).sum();
                0.5 * ((n as f64).sqrt() * contrast - cross(0, a))
            }
            _ => -0.5 * cross(a, b),
        })
    }
}

/// The smallest eigenvalue of a positive definite matrix, `None` of another: one over the largest of the inverse. Where rows and columns
/// differ in size, but a matrix scaled to a diagonal of ones would be well conditioned, it keeps its digits far below those of the
/// largest eigenvalue (Demmel and Veselic, 1992).
fn lowest_of_a_graded(matrix: &Gram) -> Option<f64> {
    let n = matrix.n();
    let one = Gram::from_fn(n, |i, j| f64::from(u8::from(i == j)));
    lower_factor(matrix).map(|l| 1.0 / whitened(&l, &one).eigenvalues()[n - 1])
}

/// L, lower triangular and row-major, with L L^T = `matrix`; `None` when that is not positive definite.
fn lower_factor(matrix: &Gram) -> Option<Vec<f64>> {
    let n = matrix.n();
    let mut l = vec![0.0; n * n];
    for (i, j) in entries(n) {
        let rest = matrix.get(i, j) - (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum::<f64>();
        // A NaN is not positive either.
        if i == j && rest.partial_cmp(&0.0) != Some(Ordering::Greater) {
            return None;
        }
        l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
    }
    Some(l)
}

/// L^-1 Z L^-T.
fn whitened(l: &[f64], z: &Gram) -> Gram {
    let n = z.n();
    // L^-1 from the left, and then from the left of what is transposed.
    let solve = |x: &[f64]| {
        let mut y = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let rest = x[i * n + j] - (0..i).map(|k| l[i * n + k] * y[k * n + j]).sum::<f64>();
                y[i * n + j] = rest / l[i * n + i];
            }
        }
        y
    };
    let half = solve(z.entries());
    let transposed: Vec<f64> = (0..n * n).map(|k| half[k % n * n + k / n]).collect();
    let whole = solve(&transposed);
    Gram::from_fn(n, |i, j| whole[i * n + j])
}

/// Widths that draws require: each draw's own, from which on it meets the criterion at the start.
#[derive(Clone, Debug, PartialEq)]
pub struct Draws {
    closeness: Vec<f64>,
    positivity: Vec<f64>,
}

/// A predicted m*.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// m*.
    pub width: f64,
    /// Lower end of its 95 % interval, from the finite number of draws.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Draws.
    pub draws: usize,
}

impl Draws {
    /// m* of ||G(0) - K||_2 <= lambda_0 / 4 with probability 1 - delta: the quantile of (4 ||Z||_2 / lambda_0)^2.
    pub fn closeness(&self, delta: f64) -> Prediction {
        quantile(&self.closeness, 1.0 - delta)
    }

    /// m* of lambda_min(G(0)) >= 3/4 lambda_0 with probability 1 - delta. A draw Z meets it from the width on at which K + Z /
    /// sqrt(m) does, since lambda_min is concave.
    pub fn positivity(&self, delta: f64) -> Prediction {
        quantile(&self.positivity, 1.0 - delta)
    }
}

/// The quantile at `rate` of ascending widths, at least 1, between the order statistics that enclose it with a probability of 95
/// % (the binomial law of their ranks, by its normal limit).
fn quantile(widths: &[f64], rate: f64) -> Prediction {
    let count = widths.len() as f64;
    let spread = 1.96 * (count * rate * (1.0 - rate)).sqrt();
    let at = |rank: f64| widths[(rank.ceil() as usize).clamp(1, widths.len()) - 1].max(1.0);
    let middle = count * rate;
    Prediction { width: at(middle), low: at(middle - spread), high: at(middle + spread + 1.0), draws: widths.len() }
}

#[cfg(test)]
mod tests {
    use super::lowest_of_a_graded;
    use crate::Gram;
    use crate::dataset::Spec;

    #[test]
    fn the_smallest_eigenvalue_keeps_its_digits() {
        // Any cosines: the mean of the samples need not be what K is largest on.
        for seed in 1..=100 {
            for samples in [1, 2, 3, 4, 9] {
                let data = Spec::Sphere { samples, size: 9 }.draw(seed).unwrap();
                let inner =
                    |i: usize, j: usize| data.input(i).iter().zip(data.input(j)).map(|(a, b)| a * b).sum::<f64>();
                let matrix = Gram::from_fn(samples, inner);
                let (found, expected) = (lowest_of_a_graded(&matrix).unwrap(), matrix.eigenvalues()[0]);
                assert!((found - expected).abs() < 1e-13, "{samples} samples, seed {seed}: {found}, not {expected}");
            }
        }
        // Far below the largest, where the difference of two eigenvalues would have no digits: c in the corner, and e beside b.
        let graded = |c: f64, b: f64, e: f64| Gram::from_fn(2, |i, j| if i == j { [c, e][i] } else { b });
        for (c, b, e) in [(4.0f64, 1e-20f64, 1e-38), (1.0, 3e-11, 1e-20), (1e-30, 0.0, 1.0)] {
            let expected = 2.0 * (c * e - b * b) / (c + e + ((c - e) * (c - e) + 4.0 * b * b).sqrt());
            let found = lowest_of_a_graded(&graded(c, b, e)).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-14, "{c:e} {b:e} {e:e}: {found:e}, not {expected:e}");
        }
        assert_eq!(lowest_of_a_graded(&graded(1.0, 2.0, 1.0)), None);
    }
}
