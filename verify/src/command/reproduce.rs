//! `reproduce`: check, measure, report.

use std::process::ExitCode;

use anyhow::Result;

use super::{check, report, width};
use crate::cli::{Profile, ReproduceArgs};
use crate::interrupt;
use crate::progress::{Progress, say};
use crate::provenance::Provenance;
use crate::rows::Row;
use crate::study::{Run, Study, StudyFile, Table, units};

impl Profile {
    /// Its study, which is a file like any other.
    fn study(self) -> &'static str {
        match self {
            Self::Quick => include_str!("../../studies/quick.toml"),
            Self::Standard => include_str!("../../studies/standard.toml"),
            Self::Full => include_str!("../../studies/full.toml"),
        }
    }
}

/// Runs the command: exit code 1 when the kernels fail their check, and then nothing is measured.
///
/// # Errors
/// When a row or the report cannot be written, or the user has asked to stop.
pub fn run(args: &ReproduceArgs) -> Result<ExitCode> {
    let study = Study::resolve(&StudyFile::parse(args.profile.study())?, &Table::default(), args.seed)?;
    let batches = study.batches()?;
    let provenance = Provenance { config: Some(study.hash()), ..Provenance::here() };
    let mut journal = width::open(&args.out.join("rows.jsonl"), &study)?;

    width::warn_of_memory(&batches);
    say("1. checking the kernels");
    let outcome = check::check(&[], None, true)?;
    // That nobody reads it stops nothing.
    let _ = check::print(&mut std::io::stderr().lock(), &outcome);
    journal.append(Row::Checked(outcome.row(provenance.clone())))?;
    if !outcome.passed() {
        return Ok(ExitCode::from(1));
    }

    say("2. measuring the required width");
    interrupt::listen()?;
    let progress = Progress::new(batches.iter().map(units).sum());
    let outcome = Run::new(&mut journal, &progress, &provenance).all(&batches);
    progress.finish();
    outcome?;

    say("3. drawing the report");
    report::write(journal.rows(), &args.out)?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn every_profile_is_a_study_that_can_be_measured() {
        for profile in Profile::value_variants() {
            let study = Study::resolve(&StudyFile::parse(profile.study()).unwrap(), &Table::default(), None).unwrap();
            assert!(!study.batches().unwrap().is_empty(), "{profile:?}");
        }
    }
}
