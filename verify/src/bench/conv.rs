//! `verify bench conv`: convolutions, forward and with both gradients, beside programs that compute the same.

use std::fmt;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::comparison::Comparison;
use super::measured::{Measured, Speed};
use super::race;
use super::shape::Type;
use super::subject::{Data, Subject, Work};
use super::table::Unit;
use super::yardstick::Yardstick;
use crate::cli::BenchConvArgs;

pub mod layer;
mod memory;
mod tensors;

use layer::Layer;
pub use tensors::Pass;
use tensors::Tensors;

/// Measures, and prints as it goes.
///
/// # Errors
/// When a peer does not start, a result is wrong, or `out` cannot be written.
pub fn run(args: &BenchConvArgs, out: &mut impl Write) -> Result<()> {
    let layers = race::union(&args.layers);
    let mut all = Vec::new();
    for &of in &args.types.types {
        for &layer in &layers {
            all.extend(args.passes.iter().map(|&pass| Convolution { of, layer, pass }));
        }
    }
    race::run((&args.rounds, &args.peers), &all, out)
}

/// One thing to time.
#[derive(Clone, Copy, Debug)]
struct Convolution {
    of: Type,
    layer: Layer,
    pass: Pass,
}

impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.pass.name(), self.of, self.layer)
    }
}

/// Schema `fathom.bench.conv/1`: one library's times in one case.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    /// `NxCxHxW:OkK`, with the stride and the dilation where they are not 1.
    layer: String,
    /// `forward`, or `all`: with both gradients.
    pass: &'static str,
    r#type: String,
    /// Taps on padding counted.
    #[serde(flatten)]
    speed: Speed,
    percent_of_peak: Option<f64>,
    /// Resident memory that the three passes take on one thread beside their tensors; for this project.
    working_bytes: Option<u64>,
    #[serde(flatten)]
    measured: Measured<'a>,
}

impl Subject for Convolution {
    const UNIT: Unit = Unit::Gflops;
    const YARDSTICKS: &[Yardstick] = &[Yardstick::Peak];

    fn element(&self) -> Type {
        self.of
    }

    fn work(&self) -> Work {
        Work { operations: self.layer.operations() * self.pass.times(), bytes: 0.0 }
    }

    fn shares(&self, other: &Self) -> bool {
        (self.of, self.layer) == (other.of, other.layer)
    }

    fn stage(&self) -> Result<Box<dyn Data<Self>>> {
        Ok(match self.of {
            Type::F32 => Box::new(Tensors::<f32>::computed(self.layer)),
            Type::F64 => Box::new(Tensors::<f64>::computed(self.layer)),
        })
    }

    fn row(&self, found: &Comparison, measured: Measured<'_>) -> serde_json::Result<String> {
        let times = measured.times();
        serde_json::to_string(&Row {
            schema: "fathom.bench.conv/1",
            layer: self.layer.to_string(),
            pass: self.pass.name(),
            r#type: self.of.to_string(),
            speed: Speed::of(found, times),
            percent_of_peak: found.share_of_floor(times).map(|share| 100.0 * share),
            working_bytes: found.working_bytes.filter(|_| measured.is_ours()),
            measured,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::rows;
    use super::*;

    #[test]
    fn a_case_becomes_rows() {
        let case = Convolution { of: Type::F64, layer: "1x2x5x5:3k3".parse().unwrap(), pass: Pass::All };
        let (found, rows) = rows(case);
        assert_eq!((found.case.as_str(), found.operations), ("all f64 1x2x5x5:3k3", (3 * 2 * 25 * 3 * 2 * 9) as f64));
        let row = &rows[0];
        assert_eq!(
            (rows.len(), &row["layer"], &row["pass"], &row["library"]),
            (1, &"1x2x5x5:3k3".into(), &"all".into(), &"fathom".into())
        );
        assert!(row["gflops"].as_f64().unwrap() > 0.0 && row["best_peer"].is_null());
    }
}
