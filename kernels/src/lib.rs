//! CPU kernels that are fast and equal to the bit on every machine.
//!
//! * [`gemm()`] multiplies matrices, [`conv`] convolves images; [`dense`] and [`conv::layer`] are whole layers, with what comes after
//!   the product ([`Finish`]). Operands are views with any strides: [`MatRef`], [`MatMut`], [`TensorRef`], [`TensorMut`].
//! * [`Activation`] applies an activation function or its derivative to a slice.
//! * [`gram`] sums inner products of a few long rows in f64.
//! * [`normal`] draws counter-based standard normals: any entry alone, in any order, by any thread.
//! * [`mod@reference`] holds the textbook loops that define what the fast kernels must return; [`peak`] measures what the core can do.
//!
//! [`Parallelism`] says how many threads a call may take. The instruction set ([`Isa`]) is the widest that the CPU has, or the one that
//! `FATHOM_ISA` names; [`gemm::Tuning`] forces it, and how a product is computed, for one call.
//!
//! # Same bits
//!
//! Every element of `C = alpha A B + beta C` is one chain of fused multiply-adds,
//!
//! ```text
//! acc = beta * c;  for k in 0.. { acc = (alpha * a[k]).mul_add(b[k], acc) }
//! ```
//!
//! so a result does not depend on the instruction set, the blocking, the thread count, the strides or the place of a
//! row in its batch. (Which of several NaNs survives is not part of this contract; that the result is NaN is.)

pub mod activation;
mod axis;
mod block;
mod cache;
pub mod conv;
mod cut;
pub mod dense;
mod dispatch;
mod elementary;
mod finish;
pub mod gemm;
pub mod gram;
mod kernel;
mod matrix;
pub mod normal;
mod pack;
pub mod peak;
mod place;
mod plan;
mod pointwise;
mod product;
mod real;
pub mod reference;
mod room;
mod scratch;
mod simd;
mod small;
mod sweep;
mod team;
mod tensor;
mod thin;
mod tile;

// What the tests of the whole crate share with those of its parts.
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod common;
#[cfg(test)]
extern crate self as fathom_kernels;

pub use activation::Activation;
pub use block::Blocks;
pub use cache::Caches;
pub use conv::{ConvGeometry, GeometryError};
pub use dispatch::{Isa, IsaError};
pub use finish::Finish;
pub use gemm::{Parallelism, gemm};
pub use matrix::{LayoutError, MatMut, MatRef};
pub use plan::{Order, Reading};
pub use real::Real;
pub use room::Room;
pub use tensor::{TensorMut, TensorRef};
