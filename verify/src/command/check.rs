//! `check`: the kernels against their oracles.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use fathom_kernels::Isa;

use crate::check::every_value::{functions, sweep};
use crate::check::{self, LONG, Options, Outcome};
use crate::cli::CheckArgs;
use crate::progress::{Progress, heard_or_not, say};
use crate::provenance::Provenance;
use crate::rows::Row;

/// Runs the command: exit code 1 when a case fails.
///
/// # Errors
/// When the case does not exist, or stdout cannot be written.
pub fn run(args: &CheckArgs) -> Result<ExitCode> {
    if args.every_value {
        return every_value(&args.isa);
    }
    if args.law {
        return law(args);
    }
    let outcome = check(&args.isa, args.case.clone(), false)?;
    let mut text = Vec::new();
    if args.json {
        writeln!(text, "{}", serde_json::to_string(&Row::Checked(outcome.row(Provenance::here())))?)?;
    } else {
        print(&mut text, &outcome)?;
    }
    // Whoever reads it or not, the exit code says what was found.
    heard_or_not(std::io::stdout().lock().write_all(&text))?;
    Ok(ExitCode::from(if outcome.passed() { 0 } else { 1 }))
}

/// Two-sample tests of the law: exit code 1 when their family fails.
fn law(args: &CheckArgs) -> Result<ExitCode> {
    let mut out = Vec::new();
    let widths = args.widths.iter().map(|&width| width as usize).collect();
    let settings = check::law::Settings { widths, starts: args.starts as usize, seed: args.seed };
    let progress = Progress::new(0);
    progress.start("starts in law and with full matrices");
    let rows = check::law::run(&settings, |done, total| progress.at(done as u64, total as u64))?;
    progress.finish();
    let refuted = rows.iter().filter(|row| row.p_value < row.level).count();
    if args.json {
        for row in rows {
            writeln!(out, "{}", serde_json::to_string(&Row::CrossCheck(row))?)?;
        }
    } else {
        writeln!(out, "{:<12} {:>6}  {:<11} {:>7}", "architecture", "width", "statistic", "p-value")?;
        for row in &rows {
            let mark = if row.p_value < row.level { "  FAILED" } else { "" };
            writeln!(
                out,
                "{:<12} {:>6}  {:<11} {:>7.4}{mark}",
                row.subject.arch, row.width, row.statistic, row.p_value
            )?;
        }
        let (tests, level) = (rows.len(), check::law::FAMILY_LEVEL);
        let verdict = if refuted == 0 { "one law" } else { "FAILED" };
        writeln!(
            out,
            "{tests} exact Kolmogorov-Smirnov tests of {} against {} starts, {refuted} below {level} / {tests}: {verdict}",
            args.starts, args.starts
        )?;
    }
    heard_or_not(std::io::stdout().lock().write_all(&out))?;
    if refuted > 0 {
        let widths = args.widths.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let (starts, seed) = (args.starts, args.seed);
        say(format_args!("FAILED: verify check --law --starts {starts} --widths {widths} --seed {seed}"));
    }
    Ok(ExitCode::from(if refuted == 0 { 0 } else { 1 }))
}

/// Checks the instruction sets given, or, when none are, the one that `FATHOM_ISA` forces, or all. Failures go to
/// stderr, each with the line that reproduces it.
///
/// # Errors
/// When the case does not exist.
pub fn check(isas: &[Isa], case: Option<String>, quick: bool) -> Result<Outcome> {
    let isas = wanted(isas)?;
    let progress = Progress::new(0);
    progress.start("checking the kernels");
    let outcome = check::run(&Options { isas, case, quick }, |done, total| progress.at(done as u64, total as u64))?;
    progress.finish();
    for failure in &outcome.failures {
        say(format_args!("FAILED {failure}"));
    }
    Ok(outcome)
}

/// The instruction sets given, or, when none are, the one that `FATHOM_ISA` forces, or all.
fn wanted(isas: &[Isa]) -> Result<Vec<Isa>> {
    let forced = std::env::var_os("FATHOM_ISA").is_some_and(|isa| !isa.is_empty());
    let isas = match isas {
        [] if forced => vec![Isa::active()],
        [] => Isa::COMPILED.to_vec(),
        some => some.to_vec(),
    };
    match isas.as_slice() {
        &[missing] if !missing.is_available() => Err(fathom_kernels::IsaError::Missing(missing).into()),
        _ => Ok(isas),
    }
}

/// Vector math at every value, on the best of the instruction sets wanted: all have the same bits, which the other check
/// sees to.
fn every_value(isas: &[Isa]) -> Result<ExitCode> {
    let isa = wanted(isas)?.into_iter().rfind(|isa| isa.is_available()).expect("the portable set is always there");
    let functions = functions();
    let progress = Progress::new(functions.len() as u64);
    let mut passed = true;
    for function in &functions {
        progress.start(function.name);
        let sweep = sweep(function, isa, 1);
        passed &= sweep.passed();
        progress.advance(1);
        progress.aside(|| heard_or_not(writeln!(std::io::stdout().lock(), "{sweep}")))?;
    }
    progress.finish();
    Ok(ExitCode::from(if passed { 0 } else { 1 }))
}

/// The outcome, for the eye.
///
/// # Errors
/// When `out` cannot be written.
pub fn print(out: &mut impl Write, outcome: &Outcome) -> std::io::Result<()> {
    let names = |isas: &[Isa]| isas.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
    let verdict = if outcome.passed() { "all pass" } else { "FAILED" };
    let Outcome { cases, failed, seconds, worst_error_ratio, worst_case, worst_long_error_ratio, .. } = outcome;
    writeln!(out, "{cases} cases on {}, {failed} failed: {verdict} ({seconds:.1} s)", names(&outcome.isas))?;
    if !outcome.skipped.is_empty() {
        writeln!(out, "not checked, since this CPU lacks it: {}", names(&outcome.skipped))?;
    }
    writeln!(out, "worst error: {worst_error_ratio:.3} of the bound c k eps sum |a||b|, c = 1 ({worst_case})")?;
    writeln!(out, "worst error of sums of {LONG} products or more: {worst_long_error_ratio:.4} of the bound")
}
