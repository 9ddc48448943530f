//! What is timed beside programs: a value that names it, and its data in memory.

use std::fmt::Display;

use anyhow::Result;
use fathom_kernels::Parallelism;

use super::comparison::Comparison;
use super::measured::Measured;
use super::program::Program;
use super::shape::Type;
use super::table::Unit;
use super::yardstick::Yardstick;

/// What one call does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Work {
    /// Floating-point operations, or values where those are counted.
    pub operations: f64,
    /// Bytes that have to come from memory or go there, 0 where everything may stay in the caches.
    pub bytes: f64,
}

/// One thing to time; printed, it is the case's name.
pub trait Subject: Copy + Display {
    /// What is counted.
    const UNIT: Unit;
    /// The limits of the machine that bound it from below.
    const YARDSTICKS: &[Yardstick];

    /// Its element type.
    fn element(&self) -> Type;

    /// What one call does.
    fn work(&self) -> Work;

    /// Whether the data of `other` serve this one too.
    fn shares(&self, other: &Self) -> bool;

    /// Draws the data and computes our own results, which those of programs are compared with.
    ///
    /// # Errors
    /// When our own results are wrong.
    fn stage(&self) -> Result<Box<dyn Data<Self>>>;

    /// One library's times as a line of JSON; `found` is the case's comparison.
    ///
    /// # Errors
    /// None that a row of numbers and names could cause.
    fn row(&self, found: &Comparison, measured: Measured<'_>) -> serde_json::Result<String>;
}

/// The data of a case in memory, whatever their element type.
pub trait Data<S> {
    /// Gives them to a program and compares its results with ours. False when the program cannot compute this.
    ///
    /// # Errors
    /// When its results are wrong, or the program is lost.
    fn prepare(&mut self, program: &mut Program) -> Result<bool>;

    /// Seconds of `calls` calls by this project.
    fn run(&mut self, subject: &S, calls: usize, parallelism: Parallelism) -> f64;

    /// What a program is asked to time: the fields of a batch beside the number of calls.
    fn question(&self, subject: &S) -> serde_json::Value;

    /// Calls after which our work repeats: a batch has a multiple of them.
    fn period(&self) -> usize {
        1
    }

    /// Bytes that calls take beside these data, where that is measured.
    fn working_bytes(&mut self) -> Option<u64> {
        None
    }
}
