//! The chain of any architecture: the fluctuations of P and b, the features' Gram matrix and mean, entry by entry.
//!
//! With y the rows of the layer that a skip reaches (times sqrt(m)), of second moments P and mean b, and u ~ N(0, S) the fresh
//! ones, a layer's rows add y sigma(u)^T + sigma(u) y^T and sigma(u) sigma(u)^T. Given the layers below, y is fixed and u is
//! independent of it, so that to first order
//!
//! ```text
//! dP' = dP + s (db mu^T + b dmu^T + ...) + s^2 dE[sigma sigma^T] + noise,   db' = db + s dmu + noise
//! ```
//!
//! where dmu and dE come from dS = W(dP) of the layer below (Price's theorem), and, with V = Cov(sigma), T_j,kl = Cov(sigma_j,
//! sigma_k sigma_l) and F the covariances of products, the noise has the covariances
//!
//! ```text
//! P_ij, P_kl:  s^2 (P_ik V_jl + P_il V_jk + P_jk V_il + P_jl V_ik)
//!              + s^3 (b_i T_j,kl + b_j T_i,kl + b_k T_l,ij + b_l T_k,ij) + s^4 F_ij,kl
//! P_ij, b_k:   s^2 (b_i V_jk + b_j V_ik) + s^3 T_k,ij
//! b_i, b_k:    s^2 V_ik
//! ```

use super::chain::{Sparse, Step};
use super::sample::{LANES, Rows, covariance};
use crate::architecture::Patches;
use crate::law::factor::Gaussian;
use crate::population::Population;
use crate::sensitivity::{Of, Sensitivity};
use crate::{Architecture, Expectation, Gram};

/// The entry (i, j) of a symmetric matrix among its lower triangle, row by row.
pub(super) fn entry(i: usize, j: usize) -> usize {
    let (i, j) = (i.max(j), i.min(j));
    i * (i + 1) / 2 + j
}

/// The entries (i, j), j <= i, in order.
pub(super) fn entries(n: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..n).flat_map(|i| (0..=i).map(move |j| (i, j)))
}

/// The steps of a network whose last coordinates are the entries of G^(H).
pub(super) fn steps(architecture: &Architecture, population: &Population) -> Vec<Step> {
    let chain = Chain {
        architecture,
        population,
        sensitivity: Sensitivity::new(architecture.activation()),
        expectation: Expectation::new(architecture.activation()),
        taps: Taps::new(&architecture.patches(), population.covariances[0].n()),
    };
    let depth = architecture.depth();
    (1..depth).map(|h| chain.inner(h)).chain([chain.last()]).collect()
}

struct Chain<'a> {
    architecture: &'a Architecture,
    population: &'a Population,
    sensitivity: Sensitivity,
    expectation: Expectation,
    taps: Taps,
}

impl Chain<'_> {
    /// Layer h < H: the entries of P, then b.
    fn inner(&self, h: usize) -> Step {
        let layer = self.architecture.layer(h);
        let (s, covariance) = (layer.scale, &self.population.covariances[h - 1]);
        let n = covariance.n();
        let base = layer.skip.map(|reach| &self.population.states[h - reach]);
        let d_means: Vec<f64> = (0..n).map(|i| self.sensitivity.d_mean(covariance.get(i, i))).collect();
        let mut below: Sparse = entries(n)
            .map(|(i, j)| {
                let mut row = self.taps.second_moment(s * s, (i, j), self.price(Of::Value, covariance, i, j));
                if let Some((_, b)) = base {
                    row.extend(self.taps.of(s * b[i] * d_means[j], j, j));
                    row.extend(self.taps.of(s * d_means[i] * b[j], i, i));
                }
                row
            })
            .collect();
        below.extend((0..n).map(|i| self.taps.of(s * d_means[i], i, i).collect()));
        let skip = layer.skip.map(|reach| {
            let mu: Vec<f64> = (0..n).map(|i| self.expectation.mean(covariance.get(i, i))).collect();
            let at = |i: usize| n * (n + 1) / 2 + i;
            let moments = entries(n).map(|(i, j)| vec![(entry(i, j), 1.0), (at(i), s * mu[j]), (at(j), s * mu[i])]);
            (reach, moments.chain((0..n).map(|i| vec![(at(i), 1.0)])).collect())
        });
        Step { below, skip, noise: Gaussian::new(&self.noise(h)) }
    }

    /// The derivatives of E[g(u_i) g(v_j)] by S_ii, S_ij and S_jj; those of E[g(u_i)^2] are in the middle.
    fn price(&self, of: Of, covariance: &Gram, i: usize, j: usize) -> [f64; 3] {
        if i == j {
            return [0.0, self.sensitivity.d_square(of, covariance.get(i, i)), 0.0];
        }
        self.sensitivity.d_product(of, [covariance.get(i, i), covariance.get(i, j), covariance.get(j, j)])
    }

    /// The covariance of layer h's own noise.
    fn noise(&self, h: usize) -> Gram {
        let layer = self.architecture.layer(h);
        let (s, n) = (layer.scale, self.population.covariances[h - 1].n());
        let moments = self.moments(h);
        let pairs: Vec<_> = entries(n).collect();
        let at = |i: usize| pairs.len() + i;
        let base = layer.skip.map(|reach| &self.population.states[h - reach]);
        Gram::from_fn(pairs.len() + n, |x, y| {
            // y <= x: when y is of b, so is x.
            let (v, t) = (|i, k| moments.get(at(i), at(k)), |j, pair| moments.get(at(j), pair));
            match (pairs.get(x), pairs.get(y), base) {
                (None, None, _) => s * s * moments.get(x, y),
                (None, Some(&(i, j)), Some((_, b))) => {
                    let k = x - pairs.len();
                    s * s * (b[i] * v(j, k) + b[j] * v(i, k)) + s.powi(3) * moments.get(x, y)
                }
                (None, Some(_), None) => s.powi(3) * moments.get(x, y),
                (Some(&(i, j)), Some(&(k, l)), Some((p, b))) => {
                    let squares =
                        p.get(i, k) * v(j, l) + p.get(i, l) * v(j, k) + p.get(j, k) * v(i, l) + p.get(j, l) * v(i, k);
                    let cubes = b[i] * t(j, y) + b[j] * t(i, y) + b[k] * t(l, x) + b[l] * t(k, x);
                    s * s * squares + s.powi(3) * cubes + s.powi(4) * moments.get(x, y)
                }
                _ => s.powi(4) * moments.get(x, y),
            }
        })
    }

    /// The covariances of sigma_i sigma_j and, after them, of sigma_i, at layer h.
    fn moments(&self, h: usize) -> Gram {
        let rows = Rows::new(&self.population.covariances[h - 1], h);
        let n = self.population.covariances[h - 1].n();
        covariance(n * (n + 1) / 2 + n, |block| {
            let sigma = self.sensitivity.apply(Of::Value, &rows.block(block));
            let lanes = |i: usize| &sigma[i * LANES..(i + 1) * LANES];
            let products = entries(n).flat_map(|(i, j)| lanes(i).iter().zip(lanes(j)).map(|(a, b)| a * b));
            products.chain(sigma.iter().copied()).collect()
        })
    }

    /// Layer H: G_ij = s^2 sum over pixels of S_{il,jr} times the mean of a_l a_r sigma'(u_il) sigma'(u_jr).
    fn last(&self) -> Step {
        let h = self.architecture.depth();
        let (pixels, covariance) = (self.architecture.patches().pixels(), &self.population.covariances[h - 1]);
        let (n, square) = (covariance.n() / pixels, self.architecture.layer(h).scale.powi(2));
        let map = |i: usize, j: usize| -> Vec<(usize, f64)> {
            let pixel = |l: usize| {
                let (a, b) = (i * pixels + l, j * pixels + l);
                let s = covariance.get(a, b);
                let slopes = self.expectation.slope_product(covariance.get(a, a), s, covariance.get(b, b));
                let [aa, ab, bb] = self.price(Of::Slope, covariance, a, b);
                self.taps.second_moment(square, (a, b), [s * aa, slopes + s * ab, s * bb])
            };
            (0..pixels).flat_map(pixel).collect()
        };
        let below = entries(n).map(|(i, j)| map(i, j)).collect();
        let rows = Rows::new(covariance, h);
        let noise = self::covariance(n * (n + 1) / 2, |block| {
            let mut slopes = self.sensitivity.apply(Of::Slope, &rows.block(block));
            let a = rows.output(pixels, block);
            for sample in slopes.chunks_exact_mut(a.len()) {
                sample.iter_mut().zip(&a).for_each(|(s, a)| *s *= a);
            }
            let mut features = vec![0.0; n * (n + 1) / 2 * LANES];
            for ((i, j), out) in entries(n).zip(features.chunks_exact_mut(LANES)) {
                for (a, b) in (0..pixels).flat_map(|l| (0..pixels).map(move |r| (i * pixels + l, j * pixels + r))) {
                    let factor = square * covariance.get(a, b);
                    let (x, y) = (&slopes[a * LANES..(a + 1) * LANES], &slopes[b * LANES..(b + 1) * LANES]);
                    out.iter_mut().zip(x.iter().zip(y)).for_each(|(out, (x, y))| *out += factor * x * y);
                }
            }
            features
        });
        Step { below, skip: None, noise: Gaussian::new(&noise) }
    }
}

/// How S = W(P) reads P.
struct Taps {
    /// For each entry of S, the entries of P that it adds.
    of: Vec<Vec<usize>>,
}

impl Taps {
    fn new(patches: &Patches, points: usize) -> Self {
        let pixels = patches.pixels();
        let around: Vec<Vec<Option<usize>>> = (0..pixels).map(|l| patches.around(l).collect()).collect();
        let of = entries(points).map(|(a, b)| {
            let (i, l, j, r) = (a / pixels * pixels, a % pixels, b / pixels * pixels, b % pixels);
            let taps = around[l].iter().zip(&around[r]);
            taps.filter_map(|(&l, &r)| Some(entry(i + l?, j + r?))).collect()
        });
        Self { of: of.collect() }
    }

    /// `factor` dS_ab.
    fn of(&self, factor: f64, a: usize, b: usize) -> impl Iterator<Item = (usize, f64)> {
        self.of[entry(a, b)].iter().map(move |&column| (column, factor))
    }

    /// `factor` times the sum of the derivatives by S_aa, S_ab and S_bb, times their changes.
    fn second_moment(&self, factor: f64, (a, b): (usize, usize), [aa, ab, bb]: [f64; 3]) -> Vec<(usize, f64)> {
        let off = if a == b { None } else { Some([(aa, a), (bb, b)]) };
        let sides = off.into_iter().flatten().flat_map(|(by, c)| self.of(factor * by, c, c));
        self.of(factor * ab, a, b).chain(sides).collect()
    }
}
