//! `verify bench`: our kernels beside the libraries that they must beat.
//!
//! Times are taken in rounds ([`rounds`]): in each, everyone runs one batch of the same product, so that a machine that
//! others use too, or whose clock moves, slows all of them alike; what is reported is the median of the rounds' ratios.
//! On one core all libraries share a process ([`team`]), on several each has its own ([`worker`]).

mod blas;
mod comparison;
pub mod conv;
mod crates;
pub mod gemm;
mod operands;
mod peer;
mod pipe;
mod rounds;
mod row;
pub mod shape;
mod stage;
mod statistics;
mod table;
mod team;
mod threads;
mod worker;

pub use peer::Entrant;
pub use worker::serve;
