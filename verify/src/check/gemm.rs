//! Matrix products: `C <- alpha A B + beta C` in any layout.

use std::fmt;

use fathom_kernels::{Real, gemm::gemm_tuned, reference};

use super::case::{Dtype, How, Runner};
use super::exact::{Exact, extra_roundings};
use super::oracle::{Oracles, Verdict};
use super::peers::{self, Element};
use super::stored::{Stored, indices};
use super::values::{Source, Values};

/// How a matrix lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `r`: row after row.
    RowMajor,
    /// `c`: column after column.
    ColMajor,
    /// `t`: the transposed view of a row-major matrix.
    Transposed,
    /// `p`: rows with gaps between them.
    PaddedRows,
    /// `q`: columns with gaps between them.
    PaddedCols,
    /// `s`: gaps between neighbours and between rows.
    Strided,
    /// `u`: gaps between neighbours and between columns.
    StridedCols,
    /// `b`: one row, repeated; for operands that are only read.
    Broadcast,
}

impl Layout {
    /// The layouts that an output can have.
    pub const DISTINCT: [Self; 7] = [
        Self::RowMajor,
        Self::ColMajor,
        Self::Transposed,
        Self::PaddedRows,
        Self::PaddedCols,
        Self::Strided,
        Self::StridedCols,
    ];

    fn strides(self, [rows, cols]: [usize; 2]) -> [usize; 2] {
        match self {
            Self::RowMajor => [cols, 1],
            Self::ColMajor | Self::Transposed => [1, rows],
            Self::PaddedRows => [cols + 3, 1],
            Self::PaddedCols => [1, rows + 5],
            Self::Strided => [2 * cols + 3, 2],
            Self::StridedCols => [3, 3 * rows + 1],
            Self::Broadcast => [0, 1],
        }
    }

    fn letter(self) -> char {
        match self {
            Self::RowMajor => 'r',
            Self::ColMajor => 'c',
            Self::Transposed => 't',
            Self::PaddedRows => 'p',
            Self::PaddedCols => 'q',
            Self::Strided => 's',
            Self::StridedCols => 'u',
            Self::Broadcast => 'b',
        }
    }
}

/// A product.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The element type.
    pub dtype: Dtype,
    /// m, n and k.
    pub sizes: [usize; 3],
    /// Of A, B and C.
    pub layouts: [Layout; 3],
    /// The scale of A B.
    pub alpha: f64,
    /// The scale of C.
    pub beta: f64,
    /// What A, B and C hold.
    pub values: Values,
    /// Blocks and threads.
    pub how: How,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sizes: [m, n, k], layouts, alpha, beta, values, how, .. } = self;
        let layouts: String = layouts.iter().map(|layout| layout.letter()).collect();
        write!(f, "{m}x{n}x{k}-{layouts}-a{alpha}-b{beta}-{values}{how}")
    }
}

impl Product {
    /// Runs the case, which is called `name`, under every instruction set.
    pub fn run<T: Element>(&self, runner: &Runner, name: &str) -> Vec<Verdict> {
        let (alpha, beta) = (T::from_f64(self.alpha), T::from_f64(self.beta));
        let (a, b, c) = self.operands::<T>(name);
        let transposed = self.layouts.map(|layout| layout == Layout::Transposed);
        let (view_a, view_b) = (a.view(transposed[0]), b.view(transposed[1]));

        let mut textbook = c.clone();
        reference::gemm(alpha, view_a, view_b, beta, textbook.view_mut(transposed[2]));
        let oracles = self.oracles(&a, &b, c, textbook.elements());
        runner.judge(self.how, &oracles, |tuning, out, parallelism| {
            gemm_tuned(tuning, alpha, view_a, view_b, beta, out.view_mut(transposed[2]), parallelism);
        })
    }

    /// A, B and C. What must not be read is NaN: A and B when alpha is 0, C when beta is 0, and gaps in A and B.
    fn operands<T: Real>(&self, name: &str) -> (Stored<T, 2>, Stored<T, 2>, Stored<T, 2>) {
        let [m, n, k] = self.sizes;
        let nan = T::from_f64(f64::NAN);
        let mut source = Source::named(name);
        let mut factor = |layout: Layout, shape: [usize; 2]| {
            Stored::new(shape, layout.strides(shape), nan, |index| {
                let value = source.factor(self.values, index, shape);
                if self.alpha == 0.0 { nan } else { value }
            })
        };
        let (a, b) = (factor(self.layouts[0], [m, k]), factor(self.layouts[1], [k, n]));
        let canary = T::from_f64(-1.0e30);
        let c = Stored::new([m, n], self.layouts[2].strides([m, n]), canary, |_| {
            let value = source.addend(self.values);
            if self.beta == 0.0 { nan } else { value }
        });
        (a, b, c)
    }

    fn oracles<T: Element>(
        &self,
        a: &Stored<T, 2>,
        b: &Stored<T, 2>,
        before: Stored<T, 2>,
        textbook: Vec<T>,
    ) -> Oracles<T, 2> {
        let (a, b, c) = (a.elements(), b.elements(), before.elements());
        let whole = (self.values == Values::Whole).then(|| self.whole(&a, &b, &c));
        let exact =
            (self.values != Values::Special).then(|| (self.exact(&a, &b, &c), extra_roundings(self.alpha, self.beta)));
        let plain = self.alpha == 1.0 && self.beta == 0.0 && !self.sizes.contains(&0);
        let peers = if plain && exact.is_some() {
            peers::products(&peers::Operands { sizes: self.sizes, a: &a, b: &b })
        } else {
            Vec::new()
        };
        Oracles { before, textbook, whole, exact, peers }
    }

    /// The exact result in whole numbers; every partial sum fits the mantissa, so there is nothing to round.
    fn whole<T: Real>(&self, a: &[T], b: &[T], c: &[T]) -> Vec<T> {
        let [m, n, k] = self.sizes;
        let (alpha, beta) = (self.alpha as i64, self.beta as i64);
        let integer = |x: T| x.to_f64() as i64;
        let element = |[i, j]: [usize; 2]| {
            let product = || (0..k).map(|l| integer(a[i * k + l]) * integer(b[l * n + j])).sum::<i64>();
            let product = if alpha == 0 { 0 } else { alpha * product() };
            T::from_f64((product + if beta == 0 { 0 } else { beta * integer(c[i * n + j]) }) as f64)
        };
        indices([m, n]).map(element).collect()
    }

    /// The result in twice the precision.
    fn exact<T: Real>(&self, a: &[T], b: &[T], c: &[T]) -> Vec<Exact> {
        let [_, n, k] = self.sizes;
        // Scales as the kernel gets them: 0.7 is not the same number in both types.
        let (alpha, beta) = (T::from_f64(self.alpha).to_f64(), T::from_f64(self.beta).to_f64());
        let mut sums: Vec<Exact> = c.iter().map(|&c| Exact::start(beta, c.to_f64())).collect();
        if alpha == 0.0 || n == 0 || k == 0 {
            return sums;
        }
        let b: Vec<f64> = b.iter().map(|&b| b.to_f64()).collect();
        for (row, a) in sums.chunks_exact_mut(n).zip(a.chunks_exact(k)) {
            for (&a, b) in a.iter().zip(b.chunks_exact(n)) {
                row.iter_mut().zip(b).for_each(|(sum, &b)| sum.add(alpha, a.to_f64(), b));
            }
        }
        sums
    }
}
