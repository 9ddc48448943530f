//! `verify check`: the kernels, under every instruction set that this CPU has, against oracles that share no code with
//! them.
//!
//! A result must equal the textbook `mul_add` loop bit for bit and, where the inputs are whole numbers, the sum in whole
//! numbers; keep within its error bound of the sum in twice the precision ([`exact`]); agree with faer and
//! matrixmultiply to within both bounds; and leave alone what lies between its elements.

mod case;
mod convolution;
pub mod every_value;
mod exact;
mod gemm;
pub mod law;
mod oracle;
mod peers;
mod shapes;
mod stored;
mod two_sample;
mod values;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use fathom_kernels::Isa;
use rayon::prelude::*;
use serde::Serialize;

use crate::provenance::Provenance;
use crate::rows::CheckedRow;
use case::{Case, Runner};
use oracle::{Finding, Verdict};

pub use oracle::LONG;

/// What to check.
#[derive(Clone, Debug)]
pub struct Options {
    /// Instruction sets to check. Those that the CPU lacks are listed in [`Outcome::skipped`].
    pub isas: Vec<Isa>,
    /// One case alone, by the name that a failure printed; without an instruction set in it, under all of `isas`.
    pub case: Option<String>,
    /// A part of the table: every edge of a tile and block, but fewer combinations, and nothing large.
    pub quick: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { isas: Isa::COMPILED.to_vec(), case: None, quick: false }
    }
}

/// A result that an oracle disagrees with. Displayed as two lines: what is wrong, and how to see it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The case's name, which `--case` takes.
    pub case: String,
    /// The instruction set.
    pub isa: String,
    /// `f32` or `f64`.
    pub dtype: String,
    /// What is wrong: which oracle disagrees.
    pub problem: String,
    /// Index of the first element concerned.
    pub element: String,
    /// What the kernel returned there.
    pub found: String,
    /// What it should have returned.
    pub expected: String,
    /// Elements concerned.
    pub count: usize,
}

impl Failure {
    fn new(case: &Case, isa: Isa, finding: Finding) -> Self {
        let Finding { against, element, found, expected, count } = finding;
        let (isa_name, dtype, problem) = (isa.to_string(), case.dtype().to_string(), against.to_string());
        Self { case: case.name(Some(isa)), isa: isa_name, dtype, problem, element, found, expected, count }
    }

    /// The command that runs this case alone.
    pub fn reproduction(&self) -> String {
        format!("FATHOM_ISA={} cargo run --release -- check --case {}", self.isa, self.case)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, isa, dtype, problem, element, found, expected, count } = self;
        write!(f, "{case} ({isa}, {dtype}) {problem} at {element}: found {found}, expected {expected}")?;
        if *count > 1 {
            write!(f, "; {count} elements in all")?;
        }
        write!(f, "\n    {}", self.reproduction())
    }
}

/// A `--case` that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseError {
    /// The table has no such case.
    Unknown(String),
    /// The case asks for an instruction set that is not to be checked or that the CPU lacks.
    Isa(String, Isa),
}

impl fmt::Display for CaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "there is no case \"{name}\": --case takes a name as a failure prints it")
            }
            Self::Isa(name, isa) => {
                write!(f, "case \"{name}\" needs {isa}, which this CPU lacks or FATHOM_ISA leaves out")
            }
        }
    }
}

impl std::error::Error for CaseError {}

/// What was found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Cases that were run: entries of the table times instruction sets.
    pub cases: usize,
    /// Cases with at least one failure.
    pub failed: usize,
    /// Every failure, in the table's order.
    pub failures: Vec<Failure>,
    /// The largest error as a fraction of its bound; infinite when a result that should be a number is none.
    pub worst_error_ratio: f64,
    /// The case that had it.
    pub worst_case: String,
    /// The same over sums of at least [`LONG`] products, where a fraction near 1 would be suspicious.
    pub worst_long_error_ratio: f64,
    /// Instruction sets that were checked.
    pub isas: Vec<Isa>,
    /// Instruction sets that were asked for but that this CPU lacks.
    pub skipped: Vec<Isa>,
    /// Wall time.
    pub seconds: f64,
}

impl Outcome {
    /// Whether every case passed, and there was one.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.cases > 0
    }

    /// The outcome as a row of results.
    pub fn row(&self, provenance: Provenance) -> CheckedRow {
        let names = |isas: &[Isa]| isas.iter().map(Isa::to_string).collect();
        CheckedRow {
            cases: self.cases,
            failures: self.failed,
            // JSON has no infinity.
            worst_error_ratio: self.worst_error_ratio.min(f64::MAX),
            isas: names(&self.isas),
            skipped: names(&self.skipped),
            seconds: self.seconds,
            provenance,
        }
    }

    fn add(&mut self, case: &Case, verdicts: Vec<Verdict>) {
        for (&isa, verdict) in self.isas.iter().zip(verdicts) {
            self.cases += 1;
            self.failed += usize::from(!verdict.findings.is_empty());
            self.failures.extend(verdict.findings.into_iter().map(|finding| Failure::new(case, isa, finding)));
            if verdict.error_ratio > self.worst_error_ratio {
                (self.worst_error_ratio, self.worst_case) = (verdict.error_ratio, case.name(Some(isa)));
            }
            self.worst_long_error_ratio = self.worst_long_error_ratio.max(verdict.long_error_ratio);
        }
    }
}

/// Runs the cases, several at once on the current rayon pool, and reports how many of how many are done. What is found
/// depends on neither the threads nor their timing.
///
/// # Errors
/// When [`Options::case`] names no case, or one that cannot be run here.
pub fn run(options: &Options, progress: impl Fn(usize, usize) + Sync) -> Result<Outcome, CaseError> {
    let started = Instant::now();
    let (mut isas, skipped): (Vec<Isa>, Vec<Isa>) = options.isas.iter().partition(|isa| isa.is_available());
    let cases = match &options.case {
        None => shapes::table(options.quick),
        Some(name) => {
            let (case, isa) = find(name).ok_or_else(|| CaseError::Unknown(name.clone()))?;
            if let Some(isa) = isa {
                isas.retain(|&other| other == isa);
                if isas.is_empty() {
                    return Err(CaseError::Isa(name.clone(), isa));
                }
            }
            vec![case]
        }
    };
    // Three threads on any machine. Without them the cases still run, on one.
    let runner = Runner { isas, pool: rayon::ThreadPoolBuilder::new().num_threads(3).build().ok() };
    let (done, total) = (AtomicUsize::new(0), cases.len() * runner.isas.len());
    let verdicts: Vec<Vec<Verdict>> = cases
        .par_iter()
        .map(|case| {
            let verdicts = case.run(&runner);
            progress(done.fetch_add(verdicts.len(), Ordering::Relaxed) + verdicts.len(), total);
            verdicts
        })
        .collect();
    let mut outcome = Outcome {
        cases: 0,
        failed: 0,
        failures: Vec::new(),
        worst_error_ratio: 0.0,
        worst_case: String::new(),
        worst_long_error_ratio: 0.0,
        isas: runner.isas,
        skipped,
        seconds: 0.0,
    };
    cases.iter().zip(verdicts).for_each(|(case, verdicts)| outcome.add(case, verdicts));
    outcome.seconds = started.elapsed().as_secs_f64();
    Ok(outcome)
}

/// The case of that name, and the instruction set in it.
fn find(name: &str) -> Option<(Case, Option<Isa>)> {
    // The name as it is, and what is left of it without each instruction set.
    let mut wanted = vec![(name.to_owned(), None)];
    wanted.extend(Isa::COMPILED.iter().map(|&isa| (name.replacen(&format!("-{isa}-"), "-", 1), Some(isa))));
    wanted.retain(|(plain, isa)| isa.is_none() || plain != name);
    let all = [true, false].into_iter().flat_map(shapes::table);
    all.into_iter().find_map(|case| {
        let plain = case.name(None);
        wanted.iter().find(|(wanted, _)| *wanted == plain).map(|&(_, isa)| (case, isa))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(case: &str) -> Options {
        Options { case: Some(case.to_owned()), ..Options::default() }
    }

    /// A case that takes no time.
    fn small_case() -> Case {
        shapes::table(true).pop().unwrap()
    }

    #[test]
    fn a_case_can_be_run_alone_by_the_name_it_prints() {
        for case in shapes::table(true).iter().rev().step_by(397) {
            let isa = Isa::Portable;
            let outcome = run(&only(&case.name(Some(isa))), |_, _| ()).unwrap();
            assert!(outcome.passed() && outcome.isas == [isa] && outcome.cases == 1, "{outcome:?}");
            let everywhere = run(&only(&case.name(None)), |_, _| ()).unwrap();
            assert_eq!(everywhere.cases, Isa::available().len());
            assert_eq!(everywhere.cases + everywhere.skipped.len(), Isa::COMPILED.len());
        }
    }

    #[test]
    fn a_name_without_a_case_is_refused() {
        let error = run(&only("gemm-f32-1x2x3"), |_, _| ()).unwrap_err();
        assert!(error.to_string().contains("gemm-f32-1x2x3"));
        let name = small_case().name(Some(Isa::Portable));
        let nowhere = Options { isas: Vec::new(), ..only(&name) };
        assert!(run(&nowhere, |_, _| ()).unwrap_err().to_string().contains("needs portable"));
    }

    #[test]
    fn a_failure_says_what_failed_and_how_to_see_it_again() {
        let case = &small_case();
        let finding = Finding {
            against: oracle::Against::Textbook,
            element: "[2, 1]".to_owned(),
            found: "1.5".to_owned(),
            expected: "1.25".to_owned(),
            count: 3,
        };
        let verdict = Verdict { findings: vec![finding], error_ratio: f64::INFINITY, long_error_ratio: 0.5 };
        let mut outcome = run(&Options { isas: vec![Isa::Portable], ..only(&case.name(None)) }, |_, _| ()).unwrap();
        outcome.add(case, vec![verdict]);
        assert!(!outcome.passed() && outcome.failed == 1 && outcome.worst_error_ratio.is_infinite());
        assert_eq!(outcome.row(Provenance::here()).worst_error_ratio, f64::MAX);
        let text = outcome.failures[0].to_string();
        let lines: Vec<&str> = text.lines().collect();
        let name = case.name(Some(Isa::Portable));
        assert_eq!(
            lines,
            [
                format!(
                    "{name} (portable, f64) differs from the textbook loop at [2, 1]: found 1.5, expected 1.25; 3 elements in all"
                ),
                format!("    FATHOM_ISA=portable cargo run --release -- check --case {name}"),
            ]
        );
    }

    #[test]
    fn progress_ends_at_the_total() {
        let last = std::sync::Mutex::new((0, 0));
        let note = |done: usize, total: usize| {
            let mut last = last.lock().unwrap();
            *last = (done.max(last.0), total);
        };
        let outcome = run(&only(&small_case().name(None)), note).unwrap();
        assert_eq!(*last.lock().unwrap(), (outcome.cases, outcome.cases));
    }
}
