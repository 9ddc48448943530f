//! Symmetric matrices of inner products, and their eigenvalues.

use faer::{Mat, Par, Side};

/// A symmetric n x n matrix in f64.
#[derive(Clone, Debug, PartialEq)]
pub struct Gram {
    n: usize,
    entries: Vec<f64>,
}

/// The eigenvalues of a symmetric `n x n` matrix (row-major; the lower triangle is read), ascending.
///
/// From then on faer's global parallelism is [`Par::Seq`], so that the bits do not depend on the pool.
///
/// # Panics
/// When an entry is not finite.
pub fn symmetric_eigenvalues(entries: &[f64], n: usize) -> Vec<f64> {
    assert!(entries.iter().all(|x| x.is_finite()), "the matrix has entries that are not finite");
    faer::set_global_parallelism(Par::Seq);
    let matrix = Mat::from_fn(n, n, |i, j| entries[i.max(j) * n + i.min(j)]);
    matrix.self_adjoint_eigenvalues(Side::Lower).expect("a finite symmetric matrix has eigenvalues")
}

/// The inner product, in order.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Gram {
    /// The matrix of zeros.
    pub fn zeros(n: usize) -> Self {
        Self { n, entries: vec![0.0; n * n] }
    }

    /// The matrix with entry `f(i, j)`, asked for j <= i only.
    pub fn from_fn(n: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut gram = Self::zeros(n);
        for i in 0..n {
            for j in 0..=i {
                let entry = f(i, j);
                gram.entries[i * n + j] = entry;
                gram.entries[j * n + i] = entry;
            }
        }
        gram
    }

    /// Whether no entry is infinite or NaN.
    pub fn is_finite(&self) -> bool {
        self.entries.iter().all(|x| x.is_finite())
    }

    /// n.
    pub fn n(&self) -> usize {
        self.n
    }

    /// Entry (i, j).
    #[inline]
    pub fn get(&self, i: usize, j: usize) -> f64 {
        self.entries[i * self.n + j]
    }

    /// All entries, row by row.
    pub fn entries(&self) -> &[f64] {
        &self.entries
    }

    /// All entries, row by row, to write. The matrix must stay symmetric.
    pub fn entries_mut(&mut self) -> &mut [f64] {
        &mut self.entries
    }

    /// The eigenvalues, ascending.
    ///
    /// # Panics
    /// When an entry is not finite.
    pub fn eigenvalues(&self) -> Vec<f64> {
        symmetric_eigenvalues(&self.entries, self.n)
    }

    /// The largest absolute eigenvalue of `self - other`: ||self - other||_2.
    ///
    /// # Panics
    /// When the sizes differ or an entry is not finite.
    pub fn distance(&self, other: &Self) -> f64 {
        assert_eq!(self.n, other.n, "Gram matrices of different sizes");
        let difference = Self::from_fn(self.n, |i, j| self.get(i, j) - other.get(i, j));
        let eigenvalues = difference.eigenvalues();
        eigenvalues.iter().fold(0.0, |most, e| most.max(e.abs()))
    }

    /// `self += other`.
    ///
    /// # Panics
    /// When the sizes differ.
    pub fn add(&mut self, other: &Self) {
        assert_eq!(self.n, other.n, "Gram matrices of different sizes");
        for (mine, theirs) in self.entries.iter_mut().zip(&other.entries) {
            *mine += theirs;
        }
    }

    /// The n x n matrix of the sums over the `p x p` blocks of a product of two np x np matrices, entry by entry.
    ///
    /// # Panics
    /// When the sizes differ or are no multiple of `p`.
    pub fn block_sums_of_product(&self, other: &Self, p: usize) -> Self {
        assert!(self.n == other.n && self.n.is_multiple_of(p), "blocks of {p} in {} and {}", self.n, other.n);
        Self::from_fn(self.n / p, |i, j| {
            let block = (0..p).flat_map(|l| (0..p).map(move |r| (i * p + l, j * p + r)));
            block.map(|(a, b)| self.get(a, b) * other.get(a, b)).sum()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Gram;

    #[test]
    fn eigenvalues_and_distance_of_a_known_matrix() {
        let a = Gram::from_fn(2, |i, j| if i == j { 2.0 } else { 1.0 });
        let eigenvalues = a.eigenvalues();
        assert!((eigenvalues[0] - 1.0).abs() < 1e-14 && (eigenvalues[1] - 3.0).abs() < 1e-14);
        assert!((a.distance(&Gram::zeros(2)) - 3.0).abs() < 1e-14);
        assert_eq!(a.distance(&a), 0.0);
    }
}
