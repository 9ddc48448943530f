//! A random start of any width, exactly in law, without its matrices.
//!
//! Given x^(h-1), the rows of W^(h) phi(x^(h-1)) are independent N(0, S) vectors with one entry for each point (a sample
//! and a pixel), S the inner products of the points' patches. So a layer is drawn row by row from the Gram matrix of the
//! layer below, in time that grows with m but not with m^2. A skip adds the same row of the layer that it reaches.

use fathom_kernels::{Isa, MatMut, MatRef, Parallelism, gemm, normal};

use crate::population::{input_gram, patch_sums};
use crate::tangent::{CHUNK, columns_gram};
use crate::{Architecture, Dataset, Gram};

/// G^(H)(0) of a random start of width `m`, drawn from `seed`.
///
/// Residual networks hold m numbers for each point; others a fixed amount of memory.
///
/// # Panics
/// When `width` is 0 or the samples are not of the architecture's size.
pub fn last_gram(architecture: &Architecture, data: &Dataset, width: usize, seed: u64) -> Gram {
    assert!(width > 0, "a network must be at least 1 wide");
    let patches = architecture.patches();
    assert_eq!(data.input_size(), patches.input_size(), "the samples are not of the architecture's input size");
    let depth = architecture.depth();
    let (activation, root_width) = (architecture.activation(), (width as f64).sqrt());
    let keeps_rows = (1..depth).any(|h| architecture.feeds_skip(h));
    let points = data.samples() * patches.pixels();

    // The layer that the next skip reaches: one at a time, since skips lie one after another.
    let mut rows = vec![0.0; if keeps_rows { width * points } else { 0 }];
    let mut covariance = patch_sums(&patches, &input_gram(&patches, data));
    for h in 1..depth {
        let layer = architecture.layer(h);
        let scale = layer.scale / root_width;
        let mut draw = Rows::new(&covariance, seed, h as u64);
        let mut gram = Gram::zeros(points);
        let mut fresh = vec![0.0; CHUNK * points];
        for first in (0..width).step_by(CHUNK) {
            let count = CHUNK.min(width - first);
            let fresh = &mut fresh[..count * points];
            activation.apply(draw.chunk(first, count), fresh);
            fresh.iter_mut().for_each(|v| *v *= scale);
            if layer.skip.is_some() {
                let kept = &rows[first * points..(first + count) * points];
                fresh.iter_mut().zip(kept).for_each(|(v, x)| *v += x);
            }
            if architecture.feeds_skip(h) {
                rows[first * points..(first + count) * points].copy_from_slice(fresh);
            }
            gram.add(&columns_gram(fresh, points));
        }
        covariance = patch_sums(&patches, &gram);
    }
    last_layer(architecture, &covariance, width, seed)
}

/// G^(H) from the covariance of the points entering layer H.
fn last_layer(architecture: &Architecture, covariance: &Gram, width: usize, seed: u64) -> Gram {
    let (depth, pixels, points) = (architecture.depth(), architecture.patches().pixels(), covariance.n());
    let mut draw = Rows::new(covariance, seed, depth as u64);
    let mut gram = Gram::zeros(points);
    let (mut slopes, mut a) = (vec![0.0; CHUNK * points], vec![0.0; CHUNK * pixels]);
    for first in (0..width).step_by(CHUNK) {
        let count = CHUNK.min(width - first);
        let (slopes, a) = (&mut slopes[..count * points], &mut a[..count * pixels]);
        architecture.activation().derivative(draw.chunk(first, count), slopes);
        normal::fill(seed, depth as u64 + 1, (first * pixels) as u64, a);
        for (row, a) in slopes.chunks_exact_mut(points).zip(a.chunks_exact(pixels)) {
            for sample in row.chunks_exact_mut(pixels) {
                sample.iter_mut().zip(a).for_each(|(s, a)| *s *= a);
            }
        }
        gram.add(&columns_gram(slopes, points));
    }
    let scale = architecture.layer(depth).scale.powi(2) / width as f64;
    gram.entries_mut().iter_mut().for_each(|x| *x *= scale);
    gram.block_sums_of_product(covariance, pixels)
}

/// Independent N(0, S) rows, in chunks.
struct Rows {
    /// L with S = L L^T, `points x rank`.
    factor: Vec<f64>,
    points: usize,
    rank: usize,
    seed: u64,
    stream: u64,
    normals: Vec<f64>,
    rows: Vec<f64>,
    isa: Isa,
}

impl Rows {
    fn new(covariance: &Gram, seed: u64, stream: u64) -> Self {
        let points = covariance.n();
        let (factor, rank) = cholesky(covariance);
        let (normals, rows) = (vec![0.0; CHUNK * rank], vec![0.0; CHUNK * points]);
        Self { factor, points, rank, seed, stream, normals, rows, isa: Isa::active() }
    }

    /// Rows `first..first + count`, at most [`CHUNK`] of them.
    fn chunk(&mut self, first: usize, count: usize) -> &[f64] {
        let normals = &mut self.normals[..count * self.rank];
        normal::fill_with(self.isa, self.seed, self.stream, (first * self.rank) as u64, normals);
        let z = MatRef::row_major(normals, count, self.rank).expect("whole rows");
        let factor = MatRef::row_major(&self.factor, self.points, self.rank).expect("whole rows");
        let rows = &mut self.rows[..count * self.points];
        let out = MatMut::row_major(rows, count, self.points).expect("whole rows");
        gemm(1.0, z, factor.t(), 0.0, out, Parallelism::Serial);
        rows
    }
}

/// L (row-major, points x rank) with L L^T = S to rounding, for S positive semi-definite: Cholesky with the largest
/// remaining diagonal as pivot, stopped where only rounding is left. Patches of few channels give singular S.
fn cholesky(covariance: &Gram) -> (Vec<f64>, usize) {
    let n = covariance.n();
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let mut diagonal: Vec<f64> = (0..n).map(|i| covariance.get(i, i)).collect();
    let negligible = n as f64 * f64::EPSILON * diagonal.iter().copied().fold(0.0, f64::max);
    while columns.len() < n {
        let (pivot, &rest) =
            diagonal.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).expect("a matrix has a diagonal");
        if rest <= negligible {
            break;
        }
        let root = rest.sqrt();
        let column: Vec<f64> = (0..n)
            .map(|i| {
                let known: f64 = columns.iter().map(|c| c[i] * c[pivot]).sum();
                if i == pivot { root } else { (covariance.get(i, pivot) - known) / root }
            })
            .collect();
        for (d, c) in diagonal.iter_mut().zip(&column) {
            *d -= c * c;
        }
        diagonal[pivot] = 0.0;
        columns.push(column);
    }
    let rank = columns.len();
    let factor = (0..n * rank).map(|k| columns[k % rank][k / rank]).collect();
    (factor, rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cholesky_reproduces_singular_matrices() {
        // Rank 2 of 4.
        let x: [[f64; 2]; 4] = [[1.0, 0.0], [1.0, 1.0], [0.3, -2.0], [0.0, 0.0]];
        let s = Gram::from_fn(4, |i, j| x[i][0] * x[j][0] + x[i][1] * x[j][1]);
        let (l, rank) = cholesky(&s);
        assert_eq!(rank, 2);
        for i in 0..4 {
            for j in 0..4 {
                let product: f64 = (0..rank).map(|k| l[i * rank + k] * l[j * rank + k]).sum();
                assert!((product - s.get(i, j)).abs() < 1e-14);
            }
        }
    }
}
