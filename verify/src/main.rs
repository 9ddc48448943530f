//! `verify`: checks the kernels, measures how wide a network of a given depth must be, and reports what was found.

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use progress::say;

mod bench;
mod check;
mod cli;
mod command;
mod dump;
mod interrupt;
mod journal;
mod laws;
mod progress;
mod provenance;
mod report;
mod rows;
mod samples;
mod study;
#[cfg(test)]
mod synthetic;
mod training;

/// What the user asked for cannot be done as asked.
#[derive(Debug)]
struct Usage(String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Measuring stopped early: exit code 4.
#[derive(Debug)]
struct Incomplete;

impl std::fmt::Display for Incomplete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("measuring stopped early; every finished row is kept, and the same command goes on from there")
    }
}

impl std::error::Error for Incomplete {}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) => {
            // A reader that has gone away, as in `verify ... | head`, is no failure.
            if error.chain().any(|cause| {
                cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
            }) {
                return ExitCode::SUCCESS;
            }
            say(format_args!("error: {error:#}"));
            exit_code(&error)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    // Before any kernel runs, so that a bad FATHOM_ISA is one clear line.
    fathom_kernels::Isa::from_environment()?;
    match &cli.command {
        Command::Check(args) => command::check::run(args),
        Command::Gram(args) => command::gram::run(args),
        Command::Train(args) => command::train::run(args),
        Command::Width(args) => command::width::run(args),
        Command::Merge(args) => command::merge::run(args),
        Command::Reproduce(args) => command::reproduce::run(args),
        Command::Report(args) => command::report::run(args),
        Command::Bench(args) => command::bench::run(args),
        Command::Info(args) => command::info::run(args),
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.downcast_ref::<interrupt::Interrupted>().is_some() {
        return ExitCode::from(interrupt::EXIT);
    }
    // A context, which only `downcast_ref` sees through.
    if error.downcast_ref::<Incomplete>().is_some() || error.downcast_ref::<training::Diverged>().is_some() {
        return ExitCode::from(4);
    }
    // A failed check is no error: its command gives 1 itself.
    ExitCode::from(2)
}
