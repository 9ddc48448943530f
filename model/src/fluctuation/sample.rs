//! Covariances of what a layer's rows add up, from one large sample of rows.
//!
//! Fourth moments of sigma over n correlated normals have no quadrature beyond a few n. The sample is fixed by its stream, so that the
//! covariance is a function of the layer.

use fathom_kernels::{gram, normal};
use rayon::prelude::*;

use crate::Gram;
use crate::law::factor::Gaussian;

/// Rows side by side.
pub(super) const LANES: usize = 256;
/// Blocks whose sum one thread takes.
const CHUNK: usize = 64;
/// The seed of the samples; streams are layers.
const SEED: u64 = 0x5a3c_96e1_b4d2_78f0;

/// Rows u ~ N(0, S), points outermost: `points x LANES`.
pub(super) struct Rows {
    law: Gaussian,
    stream: u64,
}

impl Rows {
    /// Rows entering layer h.
    pub fn new(covariance: &Gram, h: usize) -> Self {
        Self { law: Gaussian::new(covariance), stream: 2 * h as u64 }
    }

    pub fn block(&self, block: u64) -> Vec<f64> {
        self.law.draw((SEED, self.stream), block, LANES)
    }

    /// Output weights of the same rows, `pixels x LANES`.
    pub fn output(&self, pixels: usize, block: u64) -> Vec<f64> {
        let mut a = vec![0.0; pixels * LANES];
        normal::fill(SEED, self.stream + 1, block * a.len() as u64, &mut a);
        a
    }
}

/// Rows that are sampled for `size` features: a million, or fewer where the features are many.
pub fn rows_sampled(size: usize) -> usize {
    ((1usize << 34) / (size * size)).next_power_of_two().clamp(1 << 15, 1 << 20)
}

/// The covariance of `size` features of a row; `features` gives those of a block, `size x LANES`.
pub(super) fn covariance(size: usize, features: impl Fn(u64) -> Vec<f64> + Sync) -> Gram {
    let count = rows_sampled(size);
    let blocks = count / LANES;
    let with_one = size + 1;
    let sums: Vec<Vec<f64>> = (0..blocks)
        .into_par_iter()
        .step_by(CHUNK)
        .map(|first| {
            let mut sums = vec![0.0; with_one * with_one];
            for block in first..(first + CHUNK).min(blocks) {
                let mut x = features(block as u64);
                x.resize(with_one * LANES, 1.0);
                gram::add(&x, with_one, &mut sums);
            }
            sums
        })
        .collect();
    let mut total = vec![0.0; with_one * with_one];
    for sums in sums {
        total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    let count = count as f64;
    let mean = |k: usize| total[size * with_one + k] / count;
    Gram::from_fn(size, |i, j| total[i * with_one + j] / count - mean(i) * mean(j))
}
