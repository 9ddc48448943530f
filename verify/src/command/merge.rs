//! `merge`: the parts of one study, joined.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::cli::MergeArgs;
use crate::progress::{note, say};
use crate::rows::{self, Row};
use crate::study::{Batch, Study, StudyFile, Table};

/// Missing rows that are named one by one.
const NAMED: usize = 20;

/// Runs the command: exit code 4 when rows are missing, and then those that there are have been written.
///
/// # Errors
/// When the parts are of several studies or contradict one another, or the result cannot be written.
pub fn run(args: &MergeArgs) -> Result<ExitCode> {
    let study = study(args)?;
    let parts = parts(&args.rows, &study)?;
    let batches = study.batches()?;
    let expected: Vec<(String, String)> = batches.iter().flat_map(Batch::rows).collect();
    let merged = merge(parts)?;
    let missing = missing(&batches, &merged);
    write(&args.out, &study, in_order(merged, &expected))?;
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for name in missing.iter().take(NAMED) {
        say(format_args!("missing: {name}"));
    }
    if missing.len() > NAMED {
        say(format_args!("missing: {} more", missing.len() - NAMED));
    }
    let resolved = Study::beside(&args.out);
    say(format_args!(
        "{} of {} rows are missing; to measure them: verify width --config {} --out {}",
        missing.len(),
        expected.len(),
        resolved.display(),
        args.out.display()
    ));
    Ok(ExitCode::from(4))
}

fn study(args: &MergeArgs) -> Result<Study> {
    let path = args.config.clone().unwrap_or_else(|| Study::beside(&args.rows[0]));
    if args.config.is_none() && !path.exists() {
        bail!(crate::Usage(format!("{} is not there: give the study by --config", path.display())));
    }
    Study::resolve(&StudyFile::read(&path)?, &Table::default(), None)
}

/// The rows of every file, all of one study.
fn parts(paths: &[PathBuf], study: &Study) -> Result<Vec<Row>> {
    let hash = study.hash();
    let mut all = Vec::new();
    for path in paths {
        // A part of a small study may have nothing to measure.
        let read = rows::read(path)?;
        read.note.iter().for_each(note);
        for row in read.rows {
            match row.provenance().config.as_deref() {
                Some(config) if config == hash => all.push(row),
                other => bail!(crate::Usage(format!(
                    "{} holds rows of another study (configuration {:.8}, not {hash:.8}): merge the parts of one study",
                    path.display(),
                    other.unwrap_or("unknown")
                ))),
            }
        }
    }
    Ok(all)
}

/// Rows, each once, and where each key is.
struct Merged {
    rows: Vec<Row>,
    places: HashMap<String, usize>,
}

/// The names of rows that are not there, but for those that no run would write.
fn missing(batches: &[Batch], merged: &Merged) -> Vec<String> {
    let lacks = |(key, name): (String, String)| (!merged.places.contains_key(&key)).then_some(name);
    let of_batch = |batch: &Batch| {
        let names: Vec<String> = batch.rows().into_iter().filter_map(lacks).collect();
        if names.is_empty() || batch.can_be_measured() { names } else { Vec::new() }
    };
    batches.iter().flat_map(of_batch).collect()
}

/// Drops what comes again.
fn merge(all: Vec<Row>) -> Result<Merged> {
    let mut merged = Merged { rows: Vec::new(), places: HashMap::new() };
    for row in all {
        let Some(key) = row.key() else {
            merged.rows.push(row);
            continue;
        };
        match merged.places.get(&key) {
            None => {
                merged.places.insert(key, merged.rows.len());
                merged.rows.push(row);
            }
            Some(&place) if merged.rows[place].found() == row.found() => {}
            Some(_) => bail!("two parts disagree on {key}: one of them was not measured by this program"),
        }
    }
    Ok(merged)
}

/// The order in which one run would have written them: a row of lambda before the first of its subject.
fn in_order(merged: Merged, expected: &[(String, String)]) -> Vec<Row> {
    let Merged { rows, places } = merged;
    let mut order = Vec::new();
    let mut taken = vec![false; rows.len()];
    let mut take = |place: usize| {
        if !std::mem::replace(&mut taken[place], true) {
            order.push(place);
        }
    };
    for (key, _) in expected {
        if let Some(&place) = places.get(key) {
            if let Some(&lambda) = rows[place].lambda_key().and_then(|key| places.get(&key)) {
                take(lambda);
            }
            take(place);
        }
    }
    (0..rows.len()).for_each(take);
    let mut rows: Vec<Option<Row>> = rows.into_iter().map(Some).collect();
    order.into_iter().filter_map(|place| rows[place].take()).collect()
}

/// Writes all rows, or nothing.
fn write(path: &Path, study: &Study, rows: Vec<Row>) -> Result<()> {
    if path.exists() {
        bail!(crate::Usage(format!("{} is there already: give another --out", path.display())));
    }
    let partial = path.with_extension(format!("{}.part", std::process::id()));
    let written = write_into(&partial, rows)
        .and_then(|()| std::fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display())));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
    written?;
    study.write_beside(path)
}

fn write_into(partial: &Path, rows: Vec<Row>) -> Result<()> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, &row)?;
        text.push(b'\n');
    }
    std::fs::write(partial, text).with_context(|| format!("cannot write {}", partial.display()))
}
