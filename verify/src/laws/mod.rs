//! How a required width grows with depth: m = c exp(b H) or m = c H^b, fitted to rows alone.
//!
//! A [`Curve`] is what is fitted: rows that differ in depth and data set only. [`tobit`] fits a law to it by maximum
//! likelihood, censored rows included; [`bootstrap`] measures again what the starts and the data sets might have shown
//! instead; [`Laws`] puts both together and names a law only where the intervals decide.

pub mod bootstrap;
pub mod curve;
pub mod estimate;
pub mod isotonic;
pub mod law;
pub mod separation;
pub mod student;
pub mod tobit;
pub mod verdict;

pub use self::curve::{Curve, curves};
pub use self::estimate::{Estimate, Z, quantile};
pub use self::law::Law;
pub use self::separation::Separation;
pub use self::verdict::{Fit, Laws, Verdict};
