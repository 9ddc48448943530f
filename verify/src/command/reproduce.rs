//! `reproduce`: check, measure, report.

use std::collections::HashSet;
use std::process::ExitCode;

use anyhow::Result;

use super::{report, width};
use crate::check;
use crate::cli::{Profile, ReproduceArgs};
use crate::interrupt;
use crate::journal::Journal;
use crate::progress::{Progress, say};
use crate::provenance::Provenance;
use crate::rows::{CrossCheckRow, Row};
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

/// Runs the command: exit code 1 when the kernels or the sampler fail their check, and then nothing is measured.
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
    let outcome = super::check::check(&[], None, true)?;
    // That nobody reads it stops nothing.
    let _ = super::check::print(&mut std::io::stderr().lock(), &outcome);
    journal.append(Row::Checked(outcome.row(provenance.clone())))?;
    if !outcome.passed() {
        return Ok(ExitCode::from(1));
    }

    say("2. holding starts drawn in law against full matrices");
    if !cross_checked(&mut journal, &provenance)? {
        return Ok(ExitCode::from(1));
    }

    say("3. measuring the required width");
    interrupt::listen()?;
    let progress = Progress::new(batches.iter().map(units).sum());
    let outcome = Run::new(&mut journal, &progress, &provenance).all(&batches);
    progress.finish();
    outcome?;

    say("4. drawing the report");
    report::write(journal.rows(), &args.out)?;
    Ok(ExitCode::SUCCESS)
}

/// Whether the two-sample tests of the sampler, which come into the journal once, refute nothing.
///
/// # Errors
/// When a row cannot be written.
fn cross_checked(journal: &mut Journal, provenance: &Provenance) -> Result<bool> {
    let settings = check::law::Settings::default();
    let verdicts = |journal: &Journal| -> Vec<bool> {
        let verdict = |row: &Row| if let Row::CrossCheck(row) = row { Some(row.p_value >= row.level) } else { None };
        journal.rows().iter().filter_map(verdict).collect()
    };
    if verdicts(journal).len() < settings.tests() {
        let progress = Progress::new(0);
        let rows = check::law::run(&settings, |done, total| progress.at(done as u64, total as u64))?;
        progress.finish();
        let known: HashSet<String> = journal.rows().iter().filter_map(Row::key).collect();
        for row in rows {
            let row = Row::CrossCheck(CrossCheckRow { provenance: provenance.clone(), ..row });
            if row.key().is_none_or(|key| !known.contains(&key)) {
                journal.append(row)?;
            }
        }
    }
    let verdicts = verdicts(journal);
    let refuted = verdicts.iter().filter(|agrees| !**agrees).count();
    say(format_args!("{refuted} of {} tests refute that they have one law", verdicts.len()));
    Ok(refuted == 0)
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
