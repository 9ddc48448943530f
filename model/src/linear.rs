//! The region in which a linear residual network has no bad critical point.
//!
//! Theorem 2.2 of Hardt and Ma (arXiv 1611.04231): of x -> (I + A_H) ... (I + A_2) x with ||A_h||_2 < 1 for all h, every
//! critical point of the squared loss is a global minimum. It holds with a first layer and an output that are trained too,
//! as long as a is not 0 (derived): f = a^T B s_1 W^(1) x, where B, the product of all I + A_h, is invertible. The gradient
//! to W^(1) is s_1 B^T a (X r)^T, with residuals r, so at a critical point X r = 0, and no linear function does better.

use crate::tangent::columns_gram;
use crate::{Kind, Network};
use fathom_kernels::Real;

/// The largest ||A_h||_2 over h = 2..=H, A_h = s_h W^(h), of a [`Kind::LinearResNet`]; `None` for other kinds and for one
/// layer, which has no A_h. Takes O(H m^3) operations.
///
/// # Panics
/// When a weight is not finite.
pub fn largest_residual_norm<T: Real>(network: &Network<T>) -> Option<f64> {
    let (architecture, width) = (network.architecture(), network.width());
    if architecture.kind() != Kind::LinearResNet {
        return None;
    }
    let norm = |h: usize| {
        let scale = architecture.layer(h).scale / (width as f64).sqrt();
        let weights: Vec<f64> = network.weights(h).iter().map(|w| w.to_f64()).collect();
        let squares = columns_gram(&weights, width).eigenvalues();
        scale * squares[width - 1].sqrt()
    };
    (2..=architecture.depth()).map(norm).reduce(f64::max)
}
