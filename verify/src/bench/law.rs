//! `verify bench law`: random starts drawn exactly in law, which no other program does.

use std::io::Write;
use std::time::Instant;

use anyhow::Result;
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::law::{Law, Precision};
use fathom_model::{Architecture, Dataset};
use serde::Serialize;

use super::shape::Type;
use crate::cli::BenchLawArgs;
use crate::provenance::Provenance;

/// Schema `fathom.bench.law/1`: the speed of one architecture in one element type.
#[derive(Debug, Serialize)]
struct Row {
    schema: &'static str,
    r#type: String,
    arch: String,
    activation: String,
    samples: usize,
    depth: usize,
    width: usize,
    cores: usize,
    rounds: u32,
    /// Rows times layers of the network, at the median round.
    rows_per_second: f64,
    fastest_rows_per_second: f64,
    /// Of one start, at the median round.
    seconds: f64,
    provenance: Provenance,
}

/// Measures, and prints as it goes.
///
/// # Errors
/// When the arguments describe no network, no threads can be started, or `out` cannot be written.
pub fn run(args: &BenchLawArgs, out: &mut impl Write) -> Result<()> {
    let size = 2 * args.samples;
    let data = Spec::Orthonormal { samples: args.samples, size }.draw(1)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(args.cores).build()?;
    for &of in &args.types.types {
        for &kind in &args.arch {
            let architecture = Architecture::new(kind, args.depth, 0.5, args.activation, Patches::vector(size))?;
            let row = pool.install(|| time(args, &architecture, &data, of));
            if args.json {
                writeln!(out, "{}", serde_json::to_string(&row)?)?;
            } else {
                let Row { arch, activation, samples, depth, width, cores, rounds, seconds, .. } = &row;
                let (median, fastest) = (row.rows_per_second / 1e6, row.fastest_rows_per_second / 1e6);
                writeln!(
                    out,
                    "{arch} {of} {activation} n={samples} depth {depth} width {width}, {cores} cores: {median:.1} million rows x layers/s (fastest {fastest:.1}; {seconds:.3} s a start, {rounds} rounds)"
                )?;
            }
        }
    }
    Ok(())
}

fn time(args: &BenchLawArgs, architecture: &Architecture, data: &Dataset, of: Type) -> Row {
    let precision = match of {
        Type::F32 => Precision::Single,
        Type::F64 => Precision::Double,
    };
    let law = Law::new(architecture, data, precision);
    let round = |seed: u32| {
        let started = Instant::now();
        std::hint::black_box(law.last_gram(args.width, u64::from(seed)));
        started.elapsed().as_secs_f64()
    };
    let mut times: Vec<f64> = (0..args.rounds).map(round).collect();
    times.sort_by(f64::total_cmp);
    let (rows, seconds) = ((args.width * args.depth) as f64, times[times.len() / 2]);
    Row {
        schema: "fathom.bench.law/1",
        r#type: of.to_string(),
        arch: architecture.kind().to_string(),
        activation: architecture.activation().to_string(),
        samples: args.samples,
        depth: args.depth,
        width: args.width,
        cores: args.cores,
        rounds: args.rounds,
        rows_per_second: rows / seconds,
        fastest_rows_per_second: rows / times[0],
        seconds,
        provenance: Provenance::here(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn every_type_and_architecture_is_a_row() {
        let line = "verify bench law --width 1000 --depth 2 --rounds 1 --arch fc,resnet --json";
        let cli = crate::cli::Cli::parse_from(line.split(' '));
        let crate::cli::Command::Bench(args) = cli.command else { panic!("not a bench") };
        let crate::cli::Bench::Law(args) = args.what else { panic!("not of the law") };
        let mut out = Vec::new();
        run(&args, &mut out).unwrap();
        let rows: Vec<serde_json::Value> =
            String::from_utf8(out).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(rows.len(), 4);
        assert!(rows.iter().all(|row| row["rows_per_second"].as_f64().unwrap() > 0.0 && row["width"] == 1000));
    }
}
