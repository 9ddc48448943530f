//! Networks whose required width is measured: one recurrence, its gradients, and its infinitely wide limit.
//!
//! ```text
//! x^(h) = skip_h x^(h-1) + s_h sigma(W^(h) phi_h(x^(h-1))),   f = <a, x^(H)>
//! ```
//!
//! Fully connected, residual, convolutional residual and linear residual networks are settings of it
//! ([`Architecture`]), and so are skips over two layers, which add x^(h-2) instead. [`Network`] runs it with real
//! matrices, [`population`] takes the width to infinity, [`law`] draws it at any width without the matrices,
//! and [`fluctuation`] says how far from the limit it is then. Equation
//! and theorem numbers are those of Du, Lee, Li, Wang and Zhai, "Gradient Descent Finds Global Minima of Deep Neural
//! Networks" (arXiv 1811.03804v4), with its errata mended.

pub mod architecture;
pub mod condition;
pub mod dataset;
pub mod descent;
pub mod expectation;
pub mod fluctuation;
pub mod gram;
pub mod labels;
pub mod law;
pub mod linear;
pub mod moments;
pub mod network;
pub mod permutation;
pub mod population;
pub mod quadrature;
pub mod sensitivity;
mod step;
pub mod stochastic;
pub mod tangent;

pub use architecture::{Architecture, ArchitectureError, Kind, Residual};
pub use dataset::{Dataset, DatasetError};
pub use expectation::Expectation;
pub use fathom_kernels::Activation;
pub use gram::Gram;
pub use labels::Labels;
pub use moments::Moments;
pub use network::Network;
