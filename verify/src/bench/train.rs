//! `verify bench train`: steps of full-batch descent, beside programs that take the same steps.

use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::comparison::Comparison;
use super::measured::{Measured, Speed};
use super::race;
use super::shape::Type;
use super::stream::last_level;
use super::subject::{Data, Subject, Work};
use super::table::Unit;
use super::yardstick::Yardstick;
use crate::cli::BenchTrainArgs;

mod descent;
pub mod step;

use descent::Trained;
use step::Step;

/// Measures, and prints as it goes.
///
/// # Errors
/// When a peer does not start, a result is wrong, or `out` cannot be written.
pub fn run(args: &BenchTrainArgs, out: &mut impl Write) -> Result<()> {
    let sizes = race::union(&args.cases);
    let delays: Vec<Option<usize>> =
        if args.delay.is_empty() { vec![None] } else { args.delay.iter().map(|&delay| Some(delay)).collect() };
    let mut all = Vec::new();
    for (&kind, &size) in args.arch.iter().flat_map(|kind| sizes.iter().map(move |size| (kind, size))) {
        all.extend(delays.iter().map(|&delay| Step { kind, size, delay }));
    }
    race::run((&args.rounds, &args.peers), &all, out)
}

/// Schema `fathom.bench.train/1`: one library's times in one case.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    /// `WIDTHxDEPTHxSAMPLES`.
    case: String,
    arch: &'static str,
    width: usize,
    depth: usize,
    samples: usize,
    input_size: usize,
    /// Steps that our weights take up together, where the command line says how many.
    delay: Option<usize>,
    r#type: String,
    /// Of a step.
    operations: f64,
    /// That a step moves which reads every weight twice and writes it once; 0 where the weights fit the last-level cache.
    bytes: f64,
    #[serde(flatten)]
    speed: Speed,
    /// What `operations` take at the multiply-add peak, or `bytes` at the speed of memory: the larger, at the median.
    floor_seconds: Option<f64>,
    /// The floor in percent of the time of a step: above 100 for who writes the weights less often than once a step.
    percent_of_floor: Option<f64>,
    #[serde(flatten)]
    measured: Measured<'a>,
}

impl Subject for Step {
    const UNIT: Unit = Unit::Milliseconds;
    const YARDSTICKS: &[Yardstick] = &[Yardstick::Peak, Yardstick::Bandwidth];

    fn element(&self) -> Type {
        Type::F32
    }

    fn work(&self) -> Work {
        let weights = (self.parameters() * size_of::<f32>()) as f64;
        // Read by the forward pass, and again by the backward pass, which could update each block that it has read.
        let bytes = if weights > last_level() as f64 { 3.0 * weights } else { 0.0 };
        Work { operations: self.operations(), bytes }
    }

    fn shares(&self, other: &Self) -> bool {
        self == other
    }

    fn stage(&self) -> Result<Box<dyn Data<Self>>> {
        Ok(Box::new(Trained::begin(self)?))
    }

    fn row(&self, found: &Comparison, measured: Measured<'_>) -> serde_json::Result<String> {
        let (times, Work { operations, bytes }) = (measured.times(), self.work());
        serde_json::to_string(&Row {
            schema: "fathom.bench.train/1",
            case: self.size.to_string(),
            arch: self.kind.name(),
            width: self.size.width,
            depth: self.size.depth,
            samples: self.size.samples,
            input_size: step::INPUT_SIZE,
            delay: self.delay,
            r#type: self.element().to_string(),
            operations,
            bytes,
            speed: Speed::of(found, times),
            floor_seconds: found.floor.as_ref().map(|floor| floor.median()),
            percent_of_floor: found.share_of_floor(times).map(|share| 100.0 * share),
            measured,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::rows;
    use super::*;
    use fathom_model::Kind;

    #[test]
    fn a_case_becomes_rows() {
        let (found, rows) = rows(Step { kind: Kind::ResNet, size: "16x2x3".parse().unwrap(), delay: None });
        let row = &rows[0];
        assert_eq!((found.case.as_str(), rows.len()), ("resnet 16x2x3", 1));
        assert_eq!((&row["case"], &row["arch"], &row["bytes"]), (&"16x2x3".into(), &"resnet".into(), &0.0.into()));
        assert!(row["median_seconds"].as_f64().unwrap() > 0.0 && row["floor_seconds"].as_f64().unwrap() > 0.0);
    }

    #[test]
    fn weights_move_where_no_cache_holds_them() {
        let bytes = |size: &str| Step { kind: Kind::ResNet, size: size.parse().unwrap(), delay: None }.work().bytes;
        assert_eq!(bytes("64x2x10"), 0.0);
        // A gigabyte of weights.
        assert_eq!(bytes("16384x2x10"), 12.0 * (16384.0 * 256.0 + 16384.0 * 16384.0 + 16384.0));
    }
}
