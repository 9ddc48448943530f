//! The factor of a covariance, and Gaussian draws by it.

use fathom_kernels::{MatMut, MatRef, Parallelism, gemm, normal};

use crate::Gram;

/// A centred Gaussian vector, by the factor of its covariance.
pub(crate) struct Gaussian {
    /// `size x rank`.
    factor: Vec<f64>,
    size: usize,
    rank: usize,
}

impl Gaussian {
    /// That of a covariance whose coordinates may be of very different sizes.
    pub fn new(covariance: &Gram) -> Self {
        let (factor, rank) = graded_cholesky(covariance);
        Self { factor, size: covariance.n(), rank }
    }

    /// `count` draws side by side, `size x count`: those of `block`, of as many each, in a stream of a seed.
    pub fn draw(&self, (seed, stream): (u64, u64), block: u64, count: usize) -> Vec<f64> {
        let mut out = vec![0.0; self.size * count];
        if self.rank > 0 {
            let mut normals = vec![0.0; self.rank * count];
            normal::fill(seed, stream, block * normals.len() as u64, &mut normals);
            let z = MatRef::row_major(&normals, self.rank, count).expect("whole rows");
            let factor = MatRef::row_major(&self.factor, self.size, self.rank).expect("whole rows");
            let out = MatMut::row_major(&mut out, self.size, count).expect("whole rows");
            gemm(1.0, factor, z, 0.0, out, Parallelism::Serial);
        }
        out
    }
}

/// L (row-major, points x rank) with L L^T = S to rounding, for S positive semi-definite: Cholesky with the largest
/// remaining diagonal as pivot, stopped where only rounding is left. Patches of few channels give singular S.
pub(crate) fn cholesky(covariance: &Gram) -> (Vec<f64>, usize) {
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

/// The same where coordinates may be of very different sizes: S is factored as a correlation.
fn graded_cholesky(covariance: &Gram) -> (Vec<f64>, usize) {
    let n = covariance.n();
    let scales: Vec<f64> = (0..n).map(|k| covariance.get(k, k).max(0.0).sqrt()).collect();
    let inverse = |k: usize| if scales[k] > 0.0 { 1.0 / scales[k] } else { 0.0 };
    let (mut factor, rank) = cholesky(&Gram::from_fn(n, |i, j| inverse(i) * covariance.get(i, j) * inverse(j)));
    for (row, scale) in factor.chunks_exact_mut(rank.max(1)).zip(scales) {
        row.iter_mut().for_each(|x| *x *= scale);
    }
    (factor, rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiny_coordinates_are_factored_as_well_as_large_ones() {
        let scales = [1.0, 1e-16, 1e-20, 0.0];
        let s = Gram::from_fn(4, |i, j| scales[i] * scales[j] * if i == j { 1.0 } else { 0.5 });
        let (l, rank) = graded_cholesky(&s);
        assert_eq!(rank, 3);
        for i in 0..4 {
            for j in 0..4 {
                let product: f64 = (0..rank).map(|k| l[i * rank + k] * l[j * rank + k]).sum();
                assert!((product - s.get(i, j)).abs() <= 1e-14 * scales[i] * scales[j]);
            }
        }
    }

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
