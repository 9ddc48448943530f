//! The infinitely wide network: one recursion for the covariance of its layers, and K^(H).
//!
//! A point is a sample and one of its pixels (networks that do not convolve have one pixel). The state is the Gram
//! matrix P of the points' features over the width, and the features' mean b. With S = W(P), the sums of P over patches
//! (S = P where a patch is one pixel), and mu the mean of sigma under S, one layer of the recurrence does
//!
//! ```text
//! P <- skip (P + s (b mu^T + mu b^T)) + s^2 E_S[sigma(u) sigma(v)],   b <- skip b + s mu
//! ```
//!
//! and the last gives K^(H)_ij = s_H^2 sum over pixels l of S_{ij,ll} E_S[sigma'(u_l) sigma'(v_l)]. Definitions 5.1, 6.1
//! and 7.1, mended: the last layer's covariance is that of layer H - 1, the cross term is b_i sigma(v) + b_j sigma(u),
//! and K^(H) of a residual network carries c_res^2 / H^2.

use rayon::prelude::*;

use crate::architecture::Patches;
use crate::{Architecture, Dataset, Expectation, Gram};

/// What the recursion passes through, layer by layer.
#[derive(Clone, Debug)]
pub struct Population {
    /// S of the points entering layer h, for h = 1..=H; the first is that of the inputs.
    pub covariances: Vec<Gram>,
    /// K^(H), n x n.
    pub kernel: Gram,
}

/// Runs the recursion for the samples of `data`.
pub fn population(architecture: &Architecture, data: &Dataset) -> Population {
    let patches = architecture.patches();
    let expectation = Expectation::new(architecture.activation());
    let mut p = input_gram(&patches, data);
    let mut b = vec![0.0; p.n()];
    let mut covariances = Vec::with_capacity(architecture.depth());
    for h in 1..=architecture.depth() {
        let layer = architecture.layer(h);
        let (skip, s) = (f64::from(layer.skip), layer.scale);
        let covariance = patch_sums(&patches, &p);
        if h < architecture.depth() {
            let products = pairwise(&covariance, |uu, uv, vv| expectation.product(uu, uv, vv));
            let mu: Vec<f64> = (0..p.n()).map(|a| expectation.mean(covariance.get(a, a))).collect();
            p = Gram::from_fn(p.n(), |i, j| {
                let cross = s * (b[i] * mu[j] + mu[i] * b[j]);
                skip * (p.get(i, j) + cross) + s * s * products.get(i, j)
            });
            b.iter_mut().zip(&mu).for_each(|(b, mu)| *b = skip * *b + s * mu);
        }
        covariances.push(covariance);
    }
    let kernel = last_kernel(architecture, &expectation, &covariances[architecture.depth() - 1]);
    Population { covariances, kernel }
}

fn last_kernel(architecture: &Architecture, expectation: &Expectation, covariance: &Gram) -> Gram {
    let pixels = architecture.patches().pixels();
    let scale = architecture.layer(architecture.depth()).scale.powi(2);
    Gram::from_fn(covariance.n() / pixels, |i, j| {
        let pixel = |l: usize| {
            let (a, b) = (i * pixels + l, j * pixels + l);
            let uv = covariance.get(a, b);
            uv * expectation.slope_product(covariance.get(a, a), uv, covariance.get(b, b))
        };
        scale * (0..pixels).map(pixel).sum::<f64>()
    })
}

/// The symmetric matrix of `f(S_aa, S_ab, S_bb)`.
fn pairwise(covariance: &Gram, f: impl Fn(f64, f64, f64) -> f64 + Sync) -> Gram {
    let n = covariance.n();
    let rows: Vec<Vec<f64>> = (0..n)
        .into_par_iter()
        .map(|a| (0..=a).map(|b| f(covariance.get(a, a), covariance.get(a, b), covariance.get(b, b))).collect())
        .collect();
    Gram::from_fn(n, |i, j| rows[i][j])
}

/// P^(0): inner products over the channels of every two points.
pub fn input_gram(patches: &Patches, data: &Dataset) -> Gram {
    let p = patches.pixels();
    let at = |point: usize, channel: usize| data.input(point / p)[channel * p + point % p];
    Gram::from_fn(data.samples() * p, |a, b| (0..patches.channels).map(|c| at(a, c) * at(b, c)).sum())
}

/// W(P): S_{ij,lr} = sum over taps o of P_{ij,l+o,r+o}, zero outside the image.
pub fn patch_sums(patches: &Patches, p: &Gram) -> Gram {
    if patches.taps() == 1 {
        return p.clone();
    }
    let pixels = patches.pixels();
    let around: Vec<Vec<Option<usize>>> = (0..pixels).map(|l| patches.around(l).collect()).collect();
    Gram::from_fn(p.n(), |a, b| {
        let (i, l, j, r) = (a / pixels * pixels, a % pixels, b / pixels * pixels, b % pixels);
        let taps = around[l].iter().zip(&around[r]);
        taps.filter_map(|(&l, &r)| Some(p.get(i + l?, j + r?))).sum()
    })
}
