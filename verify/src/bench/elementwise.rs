//! `verify bench elementwise`: vector math on arrays that the second-level cache holds, beside programs that compute the
//! same.

use std::fmt;
use std::io::Write;

use anyhow::Result;
use serde::Serialize;

use super::comparison::Comparison;
use super::measured::Measured;
use super::race;
use super::shape::Type;
use super::subject::{Data, Subject, Work};
use super::table::Unit;
use super::yardstick::Yardstick;
use crate::cli::BenchElementwiseArgs;

mod arrays;
pub mod function;

use arrays::Arrays;
use function::Function;

/// Measures, and prints as it goes.
///
/// # Errors
/// When there is more than one core, a peer does not start, a result is wrong, or `out` cannot be written.
pub fn run(args: &BenchElementwiseArgs, out: &mut impl Write) -> Result<()> {
    args.rounds.one_core("elementwise")?;
    let functions = race::union(&args.functions);
    let all = args.types.types.iter().flat_map(|&of| {
        let elements = args.elements.unwrap_or_else(|| in_second_level(of));
        functions.iter().map(move |&function| Map { of, function, elements })
    });
    race::run((&args.rounds, &args.peers), &all.collect::<Vec<_>>(), out)
}

/// Elements of an array by default: an input and an output, together 128 KiB, lie in any second-level cache but in no first.
pub fn in_second_level(of: Type) -> usize {
    match of {
        Type::F32 => 1 << 14,
        Type::F64 => 1 << 13,
    }
}

/// One thing to time.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Map {
    of: Type,
    function: Function,
    elements: usize,
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.function, self.of, self.elements)
    }
}

/// Schema `fathom.bench.elementwise/1`: one library's times in one case.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    /// Such as `softplus`; with an apostrophe, its derivative.
    function: String,
    r#type: String,
    elements: usize,
    /// At the median.
    values_per_second: f64,
    fastest_values_per_second: f64,
    #[serde(flatten)]
    measured: Measured<'a>,
}

impl Subject for Map {
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
            Type::F32 => Box::new(Arrays::<f32>::computed(self)),
            Type::F64 => Box::new(Arrays::<f64>::computed(self)),
        })
    }

    fn row(&self, found: &Comparison, measured: Measured<'_>) -> serde_json::Result<String> {
        let times = measured.times();
        serde_json::to_string(&Row {
            schema: "fathom.bench.elementwise/1",
            function: self.function.to_string(),
            r#type: self.of.to_string(),
            elements: self.elements,
            values_per_second: found.rate(times.median()),
            fastest_values_per_second: found.rate(times.fastest),
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
        let case = Map { of: Type::F32, function: "gelu'".parse().unwrap(), elements: 100 };
        let (found, rows) = rows(case);
        assert_eq!((found.case.as_str(), found.operations), ("gelu' f32 100", 100.0));
        let row = &rows[0];
        assert_eq!((rows.len(), &row["function"], &row["elements"]), (1, &"gelu'".into(), &100.into()));
        assert!(row["values_per_second"].as_f64().unwrap() > 0.0 && row["ratio"].is_null());
    }
}
