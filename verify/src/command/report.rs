//! `report`: figures and one page from rows that were measured before.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::ReportArgs;
use crate::progress::note;
use crate::report;
use crate::rows::{Row, read_rows};

/// Runs the command.
///
/// # Errors
/// When rows cannot be read or the report cannot be written.
pub fn run(args: &ReportArgs) -> Result<ExitCode> {
    let mut rows = Vec::new();
    for path in &args.rows {
        let read = read_rows(path)?;
        read.note.iter().for_each(note);
        rows.extend(read.rows);
    }
    write(&rows, &args.out)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the report and prints what was found, how far the networks are separated, and where the report is.
///
/// # Errors
/// When the report cannot be written.
pub fn write(rows: &[Row], folder: &Path) -> Result<()> {
    let report = report::write(rows, folder)?;
    let mut out = std::io::stdout().lock();
    for headline in &report.headlines.lines() {
        writeln!(out, "{headline}")?;
    }
    writeln!(out, "{}", report.paths[0].display())?;
    Ok(())
}
