//! The width study: how wide a network must be for a criterion to hold.

mod binomial;
mod cell;
mod criterion;
mod extrapolation;
mod search;
mod starts;
mod sweep;

pub use cell::{Cell, Settings};
pub use criterion::Criterion;
pub use starts::{Starts, ZERO_LOSS, finite, train};
pub use sweep::Sweep;
