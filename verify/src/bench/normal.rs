//! `verify bench normal`: standard normals, beside programs that draw others.

use std::fmt;
use std::io::Write;
use std::time::Instant;

use anyhow::{Result, bail};
use fathom_kernels::{Parallelism, Real, normal};
use serde::Serialize;
use serde_json::json;

use super::comparison::Comparison;
use super::elementwise::in_second_level;
use super::measured::Measured;
use super::program::Program;
use super::race;
use super::shape::Type;
use super::subject::{Data, Subject, Work};
use super::table::Unit;
use super::yardstick::Yardstick;
use crate::cli::BenchNormalArgs;

/// Measures, and prints as it goes.
///
/// # Errors
/// When there is more than one core, a peer does not start, a sample is not standard normal, or `out` cannot be written.
pub fn run(args: &BenchNormalArgs, out: &mut impl Write) -> Result<()> {
    args.rounds.one_core("normal")?;
    let draw = |&of: &Type| Draw { of, elements: args.elements.unwrap_or_else(|| in_second_level(of)) };
    race::run((&args.rounds, &args.peers), &args.types.types.iter().map(draw).collect::<Vec<_>>(), out)
}

/// One thing to time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Draw {
    of: Type,
    elements: usize,
}

impl fmt::Display for Draw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "normal {} {}", self.of, self.elements)
    }
}

/// Schema `fathom.bench.normal/1`: one library's times in one element type.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    r#type: String,
    elements: usize,
    /// At the median.
    values_per_second: f64,
    fastest_values_per_second: f64,
    #[serde(flatten)]
    measured: Measured<'a>,
}

impl Subject for Draw {
    const UNIT: Unit = Unit::MegaValues;
    const YARDSTICKS: &[Yardstick] = &[];

    fn element(&self) -> Type {
        self.of
    }

    fn work(&self) -> Work {
        Work { operations: self.elements as f64, bytes: 0.0 }
    }

    fn shares(&self, other: &Self) -> bool {
        self == other
    }

    fn stage(&self) -> Result<Box<dyn Data<Self>>> {
        Ok(match self.of {
            Type::F32 => Box::new(Sample::<f32>::drawn(self.elements)?),
            Type::F64 => Box::new(Sample::<f64>::drawn(self.elements)?),
        })
    }

    fn row(&self, found: &Comparison, measured: Measured<'_>) -> serde_json::Result<String> {
        let times = measured.times();
        serde_json::to_string(&Row {
            schema: "fathom.bench.normal/1",
            r#type: self.of.to_string(),
            elements: self.elements,
            values_per_second: found.rate(times.median()),
            fastest_values_per_second: found.rate(times.fastest),
            measured,
        })
    }
}

/// What is drawn, and where the next draw begins in the stream.
struct Sample<T> {
    values: Vec<T>,
    next: u64,
}

impl<T: Real> Sample<T> {
    fn drawn(elements: usize) -> Result<Self> {
        let mut sample = Self { values: vec![T::ZERO; elements], next: 0 };
        sample.draw();
        standard_normal(&sample.values, "fathom")?;
        Ok(sample)
    }

    fn draw(&mut self) {
        normal::fill(1, 0, self.next, &mut self.values);
        self.next += self.values.len() as u64;
    }
}

/// Standard errors by which a mean or a variance may miss: one sample in 500 million does by chance.
const ERRORS: f64 = 6.0;

/// Refuses a sample whose mean is too far from 0 or whose variance is from 1. No two generators draw the same numbers.
fn standard_normal<T: Real>(values: &[T], library: &str) -> Result<()> {
    let n = values.len() as f64;
    let mean = values.iter().map(|x| x.to_f64()).sum::<f64>() / n;
    let variance = values.iter().map(|x| (x.to_f64() - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let checks = [("mean", mean, 0.0, (1.0 / n).sqrt()), ("variance", variance, 1.0, (2.0 / (n - 1.0)).sqrt())];
    for (name, found, expected, error) in checks {
        // Not "beyond": a NaN is within nothing.
        let within = (found - expected).abs() <= ERRORS * error;
        if !within {
            bail!(
                "the {name} of {n} normals by {library} is {found}, more than {ERRORS} standard errors from {expected}"
            );
        }
    }
    Ok(())
}

impl<T: Real> Data<Draw> for Sample<T> {
    fn prepare(&mut self, program: &mut Program) -> Result<bool> {
        if !program.prepare(json!({ "type": T::NAME, "elements": self.values.len() }))? {
            return Ok(false);
        }
        let theirs: Vec<T> = program.found("y", self.values.len())?;
        standard_normal(&theirs, &program.member.name)?;
        Ok(true)
    }

    fn run(&mut self, _: &Draw, calls: usize, _: Parallelism) -> f64 {
        let started = Instant::now();
        for _ in 0..calls {
            self.draw();
        }
        std::hint::black_box(&mut self.values);
        started.elapsed().as_secs_f64()
    }

    fn question(&self, _: &Draw) -> serde_json::Value {
        json!({})
    }
}

#[cfg(test)]
mod tests {
    use super::super::race::tests::rows;
    use super::*;

    #[test]
    fn a_case_becomes_rows() {
        let (found, rows) = rows(Draw { of: Type::F64, elements: 64 });
        assert_eq!((found.case.as_str(), found.operations), ("normal f64 64", 64.0));
        let row = &rows[0];
        assert_eq!((rows.len(), &row["type"], &row["elements"]), (1, &"f64".into(), &64.into()));
        assert!(row["values_per_second"].as_f64().unwrap() > 0.0 && row["percent_of_peak"].is_null());
    }

    #[test]
    fn what_is_not_standard_normal_is_refused() {
        let mut values = vec![0.0f64; 1 << 14];
        normal::fill(1, 0, 0, &mut values);
        assert!(standard_normal(&values, "us").is_ok());
        let error = |values: Vec<f64>| standard_normal(&values, "them").unwrap_err().to_string();
        assert!(error(values.iter().map(|x| x + 0.1).collect()).contains("the mean of 16384 normals by them"));
        assert!(error(values.iter().map(|x| 1.1 * x).collect()).contains("the variance"));
        assert!(error(vec![f64::NAN; 9]).contains("NaN"));
    }
}
