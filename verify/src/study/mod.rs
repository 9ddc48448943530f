//! The width study: how wide a network must be for a criterion to hold.

mod batch;
mod binomial;
mod cell;
mod cost;
mod criterion;
mod curve;
mod extrapolation;
mod prediction;
mod resolved;
mod run;
mod search;
mod shard;
mod starts;
mod table;

pub use batch::Batch;
pub use cell::{Cell, Settings};
pub use cost::Speed;
pub use criterion::Criterion;
pub use resolved::{Study, is_fraction};
pub use run::{Run, units};
pub use shard::Shard;
pub use starts::{Starts, ZERO_LOSS};
pub use table::{DataSeeds, Depths, Dimensions, Either, List, Scalar, StudyFile, Table, depths};
