//! `verify bench conv`: convolutions, forward and with both gradients, beside programs that compute the same.

use std::io::Write;

use anyhow::{Context, Result};
use fathom_kernels::Parallelism;
use serde::Serialize;

use super::comparison::{Comparison, Entry};
use super::rounds::{self, Budget};
use super::shape::Type;
use super::table::{self, Cell};
use super::team::{Batch, Member, Team, chain_operations, chains};
use super::threads;
use crate::cli::BenchConvArgs;
use crate::progress::Progress;
use crate::provenance::Provenance;

pub mod layer;
mod memory;
mod program;
mod tensors;

use layer::Layer;
use program::Program;
pub use tensors::Pass;
use tensors::Tensors;

/// One thing to time.
type Case = (Type, Layer, Pass);

/// Measures, and prints as it goes.
///
/// # Errors
/// When a peer does not start, a result is wrong, or `out` cannot be written.
pub fn run(args: &BenchConvArgs, out: &mut impl Write) -> Result<()> {
    // SAFETY: nothing has been run yet that starts threads.
    unsafe { threads::limit(args.cores) };
    let mut layers: Vec<Layer> = Vec::new();
    for &layer in args.layers.iter().flatten() {
        if !layers.contains(&layer) {
            layers.push(layer);
        }
    }
    let mut crew = Crew::start(&args.peer, args.cores)?;
    let provenance = Provenance::here();
    let progress = Progress::new((args.types.len() * layers.len() * args.passes.len()) as u64);
    let budget = Budget { rounds: args.rounds as usize, seconds: args.seconds };
    let mut all = Vec::new();
    for (&of, &layer) in args.types.iter().flat_map(|of| layers.iter().map(move |layer| (of, layer))) {
        for &pass in &args.passes {
            let case = (of, layer, pass);
            progress.start(&name(case));
            let found = compare(&mut crew, case, budget).with_context(|| name(case))?;
            progress.advance(1);
            progress.aside(|| print(args, out, (case, &found, crew.memory), all.is_empty(), &provenance))?;
            all.push(found);
        }
    }
    progress.finish();
    Ok(table::end(out, args.json, &all)?)
}

fn name((of, layer, pass): Case) -> String {
    format!("{} {of} {layer}", pass.name())
}

/// Prints a case as soon as it is done.
fn print(
    args: &BenchConvArgs,
    out: &mut impl Write,
    (case, found, memory): (Case, &Comparison, Option<u64>),
    first: bool,
    provenance: &Provenance,
) -> Result<()> {
    if args.json {
        for row in rows(case, found, (args.cores, memory), provenance) {
            writeln!(out, "{}", serde_json::to_string(&row)?)?;
        }
        return Ok(out.flush()?);
    }
    if first {
        table::head(out, found, args.cores, Cell::Median)?;
    }
    Ok(table::line(out, found, Cell::Median)?)
}

/// Times one case.
fn compare(crew: &mut Crew, case @ (_, layer, pass): Case, budget: Budget) -> Result<Comparison> {
    let everyone: Vec<usize> = (0..crew.members.len()).collect();
    for &who in &everyone {
        crew.prepare(who, &case)?;
    }
    let times = rounds::run(crew, &everyone, budget)?;
    let serial = crew.cores > 1;
    let entry = |who: usize| Entry { member: crew.members[who].clone(), times: Some(times[who].clone()) };
    Ok(Comparison {
        case: name(case),
        operations: layer.operations() * pass.times(),
        peak: times[PEAK].clone(),
        fathom: entry(FATHOM),
        serial: serial.then(|| entry(SERIAL)),
        peers: (crew.first_peer()..everyone.len()).map(entry).collect(),
    })
}

/// Positions in the crew; the serial one is there with several cores only.
const PEAK: usize = 0;
const FATHOM: usize = 1;
const SERIAL: usize = 2;

/// Multiply-adds in registers, this project, and programs.
struct Crew {
    members: Vec<Member>,
    programs: Vec<Program>,
    cores: usize,
    /// Calls in a batch, for each member.
    calls: Vec<usize>,
    case: Option<Case>,
    stage: Option<Box<dyn Stage>>,
    /// What the three passes of the case take beside their tensors.
    memory: Option<u64>,
}

/// The tensors of a case, whatever their element type.
trait Stage {
    fn run(&mut self, pass: Pass, calls: usize, parallelism: Parallelism) -> f64;
    fn prepare(&self, program: &mut Program) -> Result<()>;
    fn chains(&self, cores: usize, calls: usize) -> f64;
    fn memory(&mut self) -> Option<u64>;
}

impl<T: super::peer::Element> Stage for Tensors<T> {
    fn run(&mut self, pass: Pass, calls: usize, parallelism: Parallelism) -> f64 {
        self.run(pass, calls, parallelism)
    }

    fn prepare(&self, program: &mut Program) -> Result<()> {
        program.prepare(self)
    }

    fn chains(&self, cores: usize, calls: usize) -> f64 {
        chains::<T>(cores, calls)
    }

    fn memory(&mut self) -> Option<u64> {
        memory::working(self)
    }
}

impl Crew {
    fn start(peers: &[String], cores: usize) -> Result<Self> {
        let member = |name: &str| Member { name: name.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let mut members = vec![member("peak"), member("fathom")];
        if cores > 1 {
            members.push(member("serial"));
        }
        let programs = peers.iter().map(|command| Program::start(command, cores)).collect::<Result<Vec<_>>>()?;
        members.extend(programs.iter().map(|program| program.member.clone()));
        let calls = vec![1; members.len()];
        Ok(Self { members, programs, cores, calls, case: None, stage: None, memory: None })
    }

    fn first_peer(&self) -> usize {
        self.members.len() - self.programs.len()
    }

    /// Seconds of `calls` calls of a member (of the peak: rounds of multiply-adds).
    fn time(&mut self, who: usize, calls: usize) -> Result<f64> {
        let pass = self.case.expect("prepared").2;
        let first_peer = self.first_peer();
        let stage = self.stage.as_mut().expect("prepared");
        let parallelism = if who == FATHOM && self.cores > 1 { Parallelism::Rayon } else { Parallelism::Serial };
        Ok(match who {
            PEAK => stage.chains(self.cores, calls),
            who if who < first_peer => stage.run(pass, calls, parallelism),
            who => self.programs[who - first_peer].run(pass, calls)?,
        })
    }
}

/// How long a batch should last.
const BATCH: f64 = 2e-3;

impl Team for Crew {
    type Case = Case;

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn prepare(&mut self, who: usize, &case: &Case) -> Result<bool> {
        if self.case.is_none_or(|(of, layer, _)| (of, layer) != (case.0, case.1)) {
            // The tensors of the last case go first.
            self.stage = None;
            let mut stage: Box<dyn Stage> = match case.0 {
                Type::F32 => Box::new(Tensors::<f32>::random(case.1)),
                Type::F64 => Box::new(Tensors::<f64>::random(case.1)),
            };
            stage.run(Pass::All, 1, Parallelism::Serial);
            self.memory = stage.memory();
            for program in &mut self.programs {
                stage.prepare(program)?;
            }
            self.stage = Some(stage);
        }
        self.case = Some(case);
        let mut calls = 1;
        loop {
            let seconds = self.time(who, calls)?.min(self.time(who, calls)?);
            if seconds >= BATCH / 2.0 {
                self.calls[who] = ((calls as f64 * BATCH / seconds).round() as usize).max(1);
                return Ok(true);
            }
            calls *= 2;
        }
    }

    fn batch(&mut self, who: usize) -> Result<Batch> {
        let calls = self.calls[who];
        // The member before has taken the caches, and threads may be asleep: an untimed call first, where one is cheap.
        if calls > 1 {
            self.time(who, 1)?;
        }
        let before = threads::interruptions();
        let mut seconds = self.time(who, calls)? / calls as f64;
        if who == PEAK {
            let (of, layer, pass) = self.case.expect("prepared");
            seconds *= layer.operations() * pass.times() / chain_operations(of, self.cores);
        }
        let interrupted = threads::interruptions() != before;
        if self.cores > 1 {
            threads::rest();
        }
        Ok(Batch { seconds, interrupted, confined: threads::confined(self.cores) })
    }
}

/// Schema `fathom.bench.conv/1`: one library's times in one case.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    /// `NxCxHxW:OkK`, with the stride and the dilation where they are not 1.
    layer: String,
    /// `forward`, or `all`: with both gradients.
    pass: &'static str,
    r#type: String,
    cores: usize,
    library: &'a str,
    version: &'a str,
    rounds: usize,
    interrupted: f64,
    median_seconds: f64,
    quartile_seconds: [f64; 2],
    fastest_seconds: f64,
    /// At the median, taps on padding counted.
    gflops: f64,
    percent_of_peak: f64,
    best_peer: Option<&'a str>,
    /// How many times as fast as the best peer: the median over the rounds.
    ratio: Option<f64>,
    ratio_of_fastest: Option<f64>,
    /// How many times as fast as on one core; for this project on several.
    speedup: Option<f64>,
    /// Resident memory that the three passes take on one thread beside their tensors; for this project.
    working_bytes: Option<u64>,
    provenance: &'a Provenance,
}

/// A row for each library that was timed, ours first.
fn rows<'a>(
    (of, layer, pass): Case,
    found: &'a Comparison,
    (cores, memory): (usize, Option<u64>),
    provenance: &'a Provenance,
) -> Vec<Row<'a>> {
    let row = |entry: &'a Entry, cores: usize, ours: bool| {
        let times = entry.times.as_ref()?;
        let [first, median, third] = times.quartiles;
        Some(Row {
            schema: "fathom.bench.conv/1",
            layer: layer.to_string(),
            pass: pass.name(),
            r#type: of.to_string(),
            cores,
            library: &entry.member.name,
            version: &entry.member.version,
            rounds: times.rounds.len(),
            interrupted: times.interrupted,
            median_seconds: median,
            quartile_seconds: [first, third],
            fastest_seconds: times.fastest,
            gflops: found.rate(median),
            percent_of_peak: 100.0 * found.share_of_peak(times),
            best_peer: found.best().map(|(member, _)| &*member.name),
            ratio: found.ratio(times),
            ratio_of_fastest: found.ratio_of_fastest(times),
            speedup: found.speedup().filter(|_| ours),
            working_bytes: memory.filter(|_| ours),
            provenance,
        })
    };
    let ours = row(&found.fathom, cores, true);
    let serial = found.serial.as_ref().and_then(|serial| row(serial, 1, false));
    ours.into_iter().chain(serial).chain(found.peers.iter().filter_map(|entry| row(entry, cores, false))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_becomes_rows() {
        let mut crew = Crew::start(&[], 1).unwrap();
        let case = (Type::F64, "1x2x5x5:3k3".parse().unwrap(), Pass::All);
        let found = compare(&mut crew, case, Budget { rounds: 2, seconds: 0.0 }).unwrap();
        assert_eq!((found.case.as_str(), found.operations), ("all f64 1x2x5x5:3k3", (3 * 2 * 25 * 3 * 2 * 9) as f64));
        let provenance = Provenance::here();
        let rows = rows(case, &found, (1, Some(7)), &provenance);
        assert_eq!(rows.len(), 1);
        let row = serde_json::to_value(&rows[0]).unwrap();
        assert_eq!(
            (&row["layer"], &row["pass"], &row["working_bytes"]),
            (&"1x2x5x5:3k3".into(), &"all".into(), &7.into())
        );
        assert!(row["gflops"].as_f64().unwrap() > 0.0 && row["best_peer"].is_null());
    }
}
