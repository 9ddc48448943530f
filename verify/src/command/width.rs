//! `width`: the required width of each cell.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;

use crate::cli::WidthArgs;
use crate::journal::Journal;
use crate::progress::Progress;
use crate::rows::Row;
use crate::samples::Samples;
use crate::study::Sweep;

/// Runs the command.
///
/// # Errors
/// When the data or the settings cannot be used, or a row cannot be written.
pub fn run(args: &WidthArgs) -> Result<ExitCode> {
    let sweep = Sweep {
        samples: Samples::load(&args.data)?,
        activation: args.network.activation,
        c_res: args.network.c_res,
        kinds: args.arch.clone(),
        criteria: args.criterion.iter().map(|&criterion| (criterion, args.depth.0.clone())).collect(),
        search: args.search,
        seed: args.data.seed,
    };
    sweep.validate()?;
    let mut journal = Journal::open(&args.out)?;
    let progress = Progress::new(sweep.work());
    sweep.run(&mut journal, &progress)?;
    progress.finish();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{:<12} {:<16} {:>3} {:>12}  95 % interval", "arch", "criterion", "H", "m*")?;
    let cells: BTreeSet<String> = sweep.cells()?.iter().map(|(_, cell)| cell.id()).collect();
    for row in journal.rows() {
        if let Row::Width(row) = row
            && cells.contains(&row.cell)
        {
            writeln!(out, "{row}")?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
