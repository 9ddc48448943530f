//! `bench`: our kernels beside other libraries.

use std::process::ExitCode;

use anyhow::Result;

use crate::bench;
use crate::cli::{Bench, BenchArgs};

/// Runs the command.
///
/// # Errors
/// When an argument is unusable, a library's result is wrong, or stdout cannot be written.
pub fn run(args: &BenchArgs) -> Result<ExitCode> {
    match &args.what {
        Bench::Gemm(args) => bench::gemm::run(args, &mut std::io::stdout().lock())?,
        Bench::Conv(args) => bench::conv::run(args, &mut std::io::stdout().lock())?,
        Bench::Elementwise(args) => bench::elementwise::run(args, &mut std::io::stdout().lock())?,
        Bench::Normal(args) => bench::normal::run(args, &mut std::io::stdout().lock())?,
        Bench::Law(args) => bench::law::run(args, &mut std::io::stdout().lock())?,
        Bench::Train(args) => bench::train::run(args, &mut std::io::stdout().lock())?,
        Bench::Worker(args) => bench::serve(&args.entrant, args.cores)?,
    }
    Ok(ExitCode::SUCCESS)
}
