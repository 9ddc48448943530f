//! A table of cases, each timed and printed in its turn.

use std::io::Write;

use anyhow::{Context, Result};

use super::comparison::Comparison;
use super::crew::Crew;
use super::measured::Measured;
use super::rounds::Budget;
use super::subject::Subject;
use super::table::{self, Cell, Table};
use super::threads;
use crate::cli::{BenchPeerArgs, BenchRoundArgs};
use crate::progress::Progress;
use crate::provenance::Provenance;

/// Times `subjects`, in order, and prints each as soon as it is done.
///
/// # Errors
/// When a peer does not start, a result is wrong, or `out` cannot be written.
pub fn run<S: Subject>(
    (rounds, peers): (&BenchRoundArgs, &BenchPeerArgs),
    subjects: &[S],
    out: &mut impl Write,
) -> Result<()> {
    // SAFETY: nothing has been run yet that starts threads.
    unsafe { threads::limit(rounds.cores) };
    let mut crew = Crew::start(&peers.peer, rounds.cores)?;
    let table = Table { unit: S::UNIT, cell: Cell::Median, cores: rounds.cores };
    let compare = |subject: &S| crew.compare(*subject, Budget::from(rounds)).with_context(|| subject.to_string());
    each(rounds, table, subjects, out, compare, S::row)
}

/// Prints what `compare` finds of each of `cases`: a line of `table`, or of JSON for each library, made by `row`.
///
/// # Errors
/// When `compare` fails or `out` cannot be written.
pub fn each<C: ToString>(
    rounds: &BenchRoundArgs,
    table: Table,
    cases: &[C],
    out: &mut impl Write,
    mut compare: impl FnMut(&C) -> Result<Comparison>,
    row: impl Fn(&C, &Comparison, Measured<'_>) -> serde_json::Result<String>,
) -> Result<()> {
    let provenance = Provenance::here();
    let progress = Progress::new(cases.len() as u64);
    let mut all: Vec<Comparison> = Vec::with_capacity(cases.len());
    for case in cases {
        progress.start(&case.to_string());
        let found = compare(case)?;
        progress.advance(1);
        progress.aside(|| -> Result<()> {
            if rounds.json {
                for measured in Measured::all(&found, rounds.cores, &provenance) {
                    writeln!(out, "{}", row(case, &found, measured)?)?;
                }
                return Ok(out.flush()?);
            }
            if all.is_empty() {
                table.head(out, &found)?;
            }
            Ok(table.line(out, &found)?)
        })?;
        all.push(found);
    }
    progress.finish();
    Ok(table::end(out, rounds.json, &all)?)
}

/// The members of all `lists`, in order, each once.
pub fn union<T: Copy + PartialEq>(lists: &[Vec<T>]) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for &one in lists.iter().flatten() {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A case timed in two rounds without a peer, and its rows.
    pub fn rows<S: Subject>(subject: S) -> (Comparison, Vec<serde_json::Value>) {
        let mut crew = Crew::start(&[], 1).unwrap();
        let found = crew.compare(subject, Budget { rounds: 2, seconds: 0.0 }).unwrap();
        let provenance = Provenance::here();
        let row = |measured| serde_json::from_str(&subject.row(&found, measured).unwrap()).unwrap();
        let rows = Measured::all(&found, 1, &provenance).into_iter().map(row).collect();
        (found, rows)
    }

    #[test]
    fn a_union_keeps_the_order() {
        assert_eq!(union(&[vec![3, 1], vec![], vec![1, 2, 3]]), [3, 1, 2]);
    }
}
