//! `verify bench`: our kernels beside the libraries that they must beat.
//!
//! Times are taken in rounds ([`rounds`]): in each, everyone runs one batch of the same work, so that a machine that
//! others use too, or whose clock moves, slows all of them alike; what is reported is the median of the rounds' ratios.
//! In [`gemm`], on one core all libraries share a process ([`team`]), and on several each has its own ([`worker`]). What else
//! is timed has programs for peers ([`program`]), and one crew ([`crew`]) that times any [`subject`].

mod blas;
mod comparison;
pub mod conv;
mod crates;
mod crew;
pub mod elementwise;
pub mod gemm;
pub mod law;
mod measured;
pub mod normal;
mod operands;
mod peer;
mod pipe;
mod program;
mod race;
mod rounds;
pub mod shape;
mod stage;
mod statistics;
mod stream;
mod subject;
mod table;
mod team;
mod threads;
pub mod train;
mod worker;
mod yardstick;

pub use peer::Entrant;
pub use worker::serve;
