//! `width`: the required width of each cell of a study.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::WidthArgs;
use crate::interrupt;
use crate::journal::Journal;
use crate::progress::{Progress, note, say};
use crate::provenance::{Provenance, available_memory};
use crate::rows::Row;
use crate::study::{Batch, Run, Shard, Study, StudyFile, Table, units};

mod dry_run;
mod slurm;

/// Runs the command.
///
/// # Errors
/// When the study cannot be measured as asked, a row cannot be written, or the user has asked to stop.
pub fn run(args: &WidthArgs) -> Result<ExitCode> {
    let study = study(args)?;
    let batches = study.batches()?;
    let mut out = std::io::stdout().lock();
    if args.emit.is_some() {
        slurm::print(&mut out, &study, &batches, args.shards.map(usize::from))?;
        return Ok(ExitCode::SUCCESS);
    }
    let batches = match shard(args.shard)? {
        Some(shard) => {
            let all = batches.len();
            let part = shard.of(batches);
            say(format_args!("part {shard} of the study: {} of {all} groups of cells", part.len()));
            part
        }
        None => batches,
    };
    if args.dry_run {
        dry_run::print(&mut out, &batches)?;
        return Ok(ExitCode::SUCCESS);
    }
    let Some(path) = &args.out else { bail!(crate::Usage("give --out ROWS.jsonl".to_owned())) };
    warn_of_memory(&batches);
    let mut journal = open(path, &study)?;
    interrupt::listen()?;
    let progress = Progress::new(batches.iter().map(units).sum());
    let provenance = Provenance { config: Some(study.hash()), ..Provenance::here() };
    let outcome = Run::new(&mut journal, &progress, &provenance).all(&batches);
    progress.finish();
    outcome?;
    print(&mut out, journal.rows(), &batches)?;
    Ok(ExitCode::SUCCESS)
}

/// The study's file, or a single sweep, with the options before it.
fn study(args: &WidthArgs) -> Result<Study> {
    let file = match &args.config {
        Some(path) => StudyFile::read(path)?,
        None => StudyFile { sweep: vec![Table::default()], ..StudyFile::default() },
    };
    Study::resolve(&file, &args.table.table(), args.seed)
}

fn shard(given: Option<Shard>) -> Result<Option<Shard>> {
    match given {
        Some(shard) => Ok(Some(shard)),
        None => Shard::from_slurm(|name| std::env::var(name).ok()).map_err(|message| crate::Usage(message).into()),
    }
}

/// Opens the rows of a study, and writes what it resolves to beside them.
///
/// # Errors
/// When they are those of another study, or cannot be written.
pub fn open(path: &Path, study: &Study) -> Result<Journal> {
    let journal = Journal::open(path)?;
    let hash = study.hash();
    let others = journal.rows().iter().filter_map(|row| row.provenance().config.as_deref());
    if let Some(other) = others.into_iter().find(|other| *other != hash) {
        bail!(crate::Usage(format!(
            "{} holds rows of another study (configuration {:.8}, not {hash:.8}): give another --out",
            path.display(),
            other
        )));
    }
    study.write_beside(path)?;
    Ok(journal)
}

/// Says so when the widest runs would not fit, which a smaller max_width or budget mends.
pub fn warn_of_memory(batches: &[Batch]) {
    let widest =
        batches.iter().map(|batch| batch.cost().bytes).fold(0.0, f64::max) * rayon::current_num_threads() as f64;
    if let Some(available) = available_memory().filter(|available| *available < widest) {
        note(format_args!(
            "the widest networks would take {} on {} threads, and {} are free: give a smaller --max-width or --budget, or \
             fewer threads by RAYON_NUM_THREADS",
            dry_run::memory(widest),
            rayon::current_num_threads(),
            dry_run::memory(available)
        ));
    }
}

fn print(out: &mut impl Write, rows: &[Row], batches: &[Batch]) -> Result<()> {
    let keys: HashSet<String> = batches.iter().flat_map(Batch::rows).map(|(key, _)| key).collect();
    writeln!(out, "{:<12} {:<16} {:>3} {:>12}  95 % interval", "arch", "criterion", "H", "m*")?;
    for row in rows {
        match row {
            _ if row.key().is_none_or(|key| !keys.contains(&key)) => {}
            Row::Width(width) => writeln!(out, "{width}")?,
            Row::Predicted(predicted) => writeln!(out, "{predicted}")?,
            _ => {}
        }
    }
    Ok(())
}
