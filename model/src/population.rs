//! The infinitely wide network: one recursion for the covariance of its layers, and K^(H).
//!
//! A point is a sample and one of its pixels (networks that do not convolve have one pixel). The state is the Gram
//! matrix P of the points' features over the width, and the features' mean b. With S = W(P), the sums of P over patches
//! (S = P where a patch is one pixel), and mu the mean of sigma under S, a layer without a skip does
//!
//! ```text
//! P <- s^2 E_S[sigma(u) sigma(v)],   b <- s mu
//! ```
//!
//! and a skip adds P' + s (b' mu^T + mu b'^T) and b', with P' and b' of the layer that it reaches, whichever that is: the
//! rows of W^(h) are drawn anew, so that given all layers below, sigma(W^(h) phi(x^(h-1))) has independent rows of law S,
//! and x^(h-r) enters by its own P' and mean alone. The last layer gives
//! K^(H)_ij = s_H^2 sum over pixels l of S_{ij,ll} E_S[sigma'(u_l) sigma'(v_l)]. Definitions 5.1, 6.1 and 7.1, mended: the
//! last layer's covariance is that of layer H - 1, the cross term is b_i sigma(v) + b_j sigma(u), and K^(H) of a
//! residual network carries c_res^2 / H^2.

use rayon::prelude::*;

use crate::architecture::Patches;
use crate::{Architecture, Dataset, Expectation, Gram};

/// What the recursion passes through, layer by layer.
#[derive(Clone, Debug)]
pub struct Population {
    /// S of the points entering layer h, for h = 1..=H; the first is that of the inputs.
    pub covariances: Vec<Gram>,
    /// P and b of x^(h), for h = 0..H; the b of the inputs is zero, since nothing uses it.
    pub states: Vec<(Gram, Vec<f64>)>,
    /// K^(H), n x n.
    pub kernel: Gram,
}

/// Runs the recursion for the samples of `data`.
pub fn population(architecture: &Architecture, data: &Dataset) -> Population {
    let patches = architecture.patches();
    let expectation = Expectation::new(architecture.activation());
    let inputs = input_gram(&patches, data);
    let points = inputs.n();
    // No skip reaches the inputs.
    let mut states = vec![(inputs, vec![0.0; points])];
    let mut covariances = Vec::with_capacity(architecture.depth());
    for h in 1..=architecture.depth() {
        let layer = architecture.layer(h);
        let s = layer.scale;
        let covariance = patch_sums(&patches, &states[h - 1].0);
        if h < architecture.depth() {
            let mut p = pairwise(&covariance, |uu, uv, vv| s * s * expectation.product(uu, uv, vv));
            let mu: Vec<f64> = (0..points).map(|a| expectation.mean(covariance.get(a, a))).collect();
            let mut b: Vec<f64> = mu.iter().map(|mu| s * mu).collect();
            if let Some(reach) = layer.skip {
                let (below, c) = &states[h - reach];
                p = Gram::from_fn(points, |i, j| {
                    let cross = s * (c[i] * mu[j] + mu[i] * c[j]);
                    (below.get(i, j) + cross) + p.get(i, j)
                });
                b.iter_mut().zip(c).for_each(|(b, c)| *b += c);
            }
            states.push((p, b));
        }
        covariances.push(covariance);
    }
    let kernel = last_kernel(architecture, &expectation, &covariances[architecture.depth() - 1]);
    Population { covariances, states, kernel }
}

fn last_kernel(architecture: &Architecture, expectation: &Expectation, covariance: &Gram) -> Gram {
    let pixels = architecture.patches().pixels();
    let scale = architecture.layer(architecture.depth()).scale.powi(2);
    symmetric(covariance.n() / pixels, |i, j| {
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
    symmetric(covariance.n(), |a, b| f(covariance.get(a, a), covariance.get(a, b), covariance.get(b, b)))
}

/// The symmetric matrix with entry `f(i, j)`, j <= i, on all threads.
fn symmetric(n: usize, f: impl Fn(usize, usize) -> f64 + Sync) -> Gram {
    let rows: Vec<Vec<f64>> = (0..n).into_par_iter().map(|i| (0..=i).map(|j| f(i, j)).collect()).collect();
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
