//! `info`: the program and the machine.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use fathom_kernels::Isa;
use serde::Serialize;

use crate::cli::InfoArgs;
use crate::provenance::Provenance;

/// Schema `fathom.info/1`.
#[derive(Serialize)]
struct Info {
    schema: &'static str,
    #[serde(flatten)]
    provenance: Provenance,
    compiled: Vec<&'static str>,
    available: Vec<&'static str>,
}

/// Runs the command.
///
/// # Errors
/// When stdout cannot be written.
pub fn run(args: &InfoArgs) -> Result<ExitCode> {
    let names = |all: &[Isa]| all.iter().map(|isa| isa.name()).collect();
    let info = Info {
        schema: "fathom.info/1",
        provenance: Provenance::here(),
        compiled: names(Isa::COMPILED),
        available: names(&Isa::available()),
    };
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&info)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let p = &info.provenance;
    writeln!(out, "fathom        {} ({})", p.version, p.commit)?;
    writeln!(out, "compiler      {}", p.rustc)?;
    writeln!(out, "machine       {}, {}, {} threads", p.cpu, p.platform, p.threads)?;
    writeln!(out, "caches        {}", p.caches)?;
    writeln!(out, "instructions  {} in use, of {}", p.isa, info.available.join(", "))?;
    let missing: Vec<_> = info.compiled.iter().filter(|name| !info.available.contains(name)).copied().collect();
    if !missing.is_empty() {
        writeln!(out, "              this CPU lacks {}", missing.join(", "))?;
    }
    writeln!(out, "oracles       {}", p.oracles.join(", "))?;
    Ok(ExitCode::SUCCESS)
}
