//! Gram matrices of a network with real weights: G^(h), and the full tangent kernel.

use fathom_kernels::{MatMut, MatRef, Parallelism, Real, gemm};

use crate::descent::Point;
use crate::population::patch_sums;
use crate::{Gram, Network};

/// Rows in a chunk of a sum over the width. Chunks are added in order in f64, so that rounding does not grow with the width; within a
/// chunk it is that of the element type, about 2e-6 of the largest entry in f32.
pub(crate) const CHUNK: usize = 1024;

/// X^T X for `X` of `cols` columns, row-major: a fixed sum of chunks, in order.
pub(crate) fn columns_gram<T: Real>(x: &[T], cols: usize) -> Gram {
    let mut gram = Gram::zeros(cols);
    let mut chunk_gram = vec![T::ZERO; cols * cols];
    for chunk in x.chunks(CHUNK * cols) {
        let view = MatRef::row_major(chunk, chunk.len() / cols, cols).expect("whole rows");
        let out = MatMut::row_major(&mut chunk_gram, cols, cols).expect("a square");
        gemm(T::ONE, view.t(), view, T::ZERO, out, Parallelism::Serial);
        for (sum, term) in gram.entries_mut().iter_mut().zip(&chunk_gram) {
            *sum += term.to_f64();
        }
    }
    gram
}

/// G^(h)_ij = <d f_i / d W^(h), d f_j / d W^(h)>, 1 <= h <= H. With h = H, the Gram matrix of the paper's proofs.
pub fn layer_gram<T: Real>(network: &Network<T>, point: &Point<T>, h: usize) -> Gram {
    let patches = network.architecture().patches();
    let points = point.residuals.len() * patches.pixels();
    let deltas = columns_gram(&point.backward.deltas[h - 1], points);
    let below = patch_sums(&patches, &columns_gram(&point.forward.features[h - 1], points));
    deltas.block_sums_of_product(&below, patches.pixels())
}

/// G_ij = <d f_i / d theta, d f_j / d theta> over all weights and a: the sum of G^(1) to G^(H) and a's own part.
pub fn tangent_kernel<T: Real>(network: &Network<T>, point: &Point<T>) -> Gram {
    let depth = network.architecture().depth();
    let p = network.architecture().patches().pixels();
    let top = columns_gram(&point.forward.features[depth], point.residuals.len() * p);
    let mut kernel = Gram::from_fn(point.residuals.len(), |i, j| (0..p).map(|l| top.get(i * p + l, j * p + l)).sum());
    for h in 1..=depth {
        kernel.add(&layer_gram(network, point, h));
    }
    kernel
}
