//! The commands, one to a file: each takes its arguments and returns its exit code.

pub mod bench;
pub mod check;
pub mod gram;
pub mod info;
pub mod merge;
pub mod report;
pub mod reproduce;
pub mod train;
pub mod width;
