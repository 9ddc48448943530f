//! `verify bench gemm`: matrix products beside every peer.

use std::fmt;
use std::io::Write;

use anyhow::{Context, Result};
use serde::Serialize;

use super::comparison::{Comparison, Entry};
use super::measured::{Measured, Speed};
use super::peer::{CRATES, Entrant};
use super::race;
use super::rounds::{self, Budget};
use super::shape::{Shape, Type};
use super::table::{Cell, Table, Unit};
use super::team::{Case, Local, Member, Team};
use super::threads;
use super::worker::Remote;
use crate::Usage;
use crate::cli::BenchGemmArgs;

/// Who runs, as positions in the team.
struct Line {
    members: Vec<Member>,
    peak: usize,
    fathom: usize,
    serial: Option<usize>,
    peers: Vec<usize>,
}

/// Measures, and prints as it goes.
///
/// # Errors
/// When a shape or a peer is unusable, a result is wrong, or `out` cannot be written.
pub fn run(args: &BenchGemmArgs, out: &mut impl Write) -> Result<()> {
    let shapes = race::union(&args.shapes);
    if let Some(large) = shapes.iter().find(|shape| too_large(shape)) {
        return Err(Usage(format!("{large} is too large: a matrix may have {LARGEST} elements")).into());
    }
    // SAFETY: nothing has been run yet that starts threads.
    unsafe { threads::limit(args.rounds.cores) };
    let entrants = entrants(args)?;
    let mut team: Box<dyn Team<Case = Case>> = match args.rounds.cores {
        1 => Box::new(Local::load(&entrants, 1)?),
        cores => Box::new(Remote::start(&entrants, cores)?),
    };
    let line = choose(args, &entrants, &*team)?;
    let types = &args.types.types;
    let products: Vec<Product> =
        types.iter().flat_map(|&of| shapes.iter().map(move |&shape| Product { of, shape })).collect();
    let cell = if args.fastest { Cell::Fastest } else { Cell::Median };
    let table = Table { unit: Unit::Gflops, cell, cores: args.rounds.cores };
    let compare = |&Product { of, shape }: &Product| {
        compare(&mut *team, &line, (of, shape), Budget::from(&args.rounds)).with_context(|| reproduce(args, of, shape))
    };
    race::each(&args.rounds, table, &products, out, compare, |product, found, measured| {
        serde_json::to_string(&Row::new(product, found, measured))
    })
}

/// A case, for the eye.
struct Product {
    of: Type,
    shape: Shape,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.of, self.shape)
    }
}

/// Schema `fathom.bench.gemm/1`: one library's times in one case.
#[derive(Debug, Serialize)]
struct Row<'a> {
    schema: &'static str,
    /// `MxNxK`.
    shape: String,
    m: usize,
    n: usize,
    k: usize,
    /// `nn`, `tn`, `nt`, `tt`, `padded` or `spaced`.
    form: &'static str,
    /// `f32` or `f64`.
    r#type: String,
    #[serde(flatten)]
    speed: Speed,
    /// Of the multiply-add peak of all cores of the run, taken in the same rounds.
    percent_of_peak: Option<f64>,
    #[serde(flatten)]
    measured: Measured<'a>,
}

impl<'a> Row<'a> {
    fn new(&Product { of, shape }: &Product, found: &Comparison, measured: Measured<'a>) -> Self {
        let ([m, n, k], times) = (shape.sizes, measured.times());
        Self {
            schema: "fathom.bench.gemm/1",
            shape: shape.product(),
            m,
            n,
            k,
            form: shape.form.name(),
            r#type: of.to_string(),
            speed: Speed::of(found, times),
            percent_of_peak: found.share_of_floor(times).map(|share| 100.0 * share),
            measured,
        }
    }
}

/// Elements of a matrix at most: 8 GiB of f64.
const LARGEST: usize = 1 << 30;

fn too_large(shape: &Shape) -> bool {
    let [m, n, k] = shape.sizes;
    [(m, n), (m, k), (k, n)].into_iter().any(|(rows, cols)| rows * cols > LARGEST)
}

/// Whoever may be asked to run: the crates that are picked, and every BLAS, whose name shows when it is loaded.
fn entrants(args: &BenchGemmArgs) -> Result<Vec<Entrant>, Usage> {
    let mut entrants = vec![Entrant::Peak, Entrant::Fathom];
    if args.rounds.cores > 1 {
        entrants.push(Entrant::Serial);
    }
    entrants.extend(CRATES.into_iter().filter(|name| picked(args, name)).map(Entrant::Crate));
    if args.blas.is_empty()
        && let Some(unknown) = args.peers.iter().find(|&peer| peer != "all" && !CRATES.contains(&&**peer))
    {
        return Err(no_such_peer(unknown, &CRATES.map(str::to_owned)));
    }
    entrants.extend(args.blas.iter().cloned().map(Entrant::Blas));
    Ok(entrants)
}

fn picked(args: &BenchGemmArgs, name: &str) -> bool {
    args.peers.iter().any(|peer| peer == "all" || peer.eq_ignore_ascii_case(name))
}

fn no_such_peer(unknown: &str, known: &[String]) -> Usage {
    let known = known.join(", ");
    Usage(format!("there is no peer \"{unknown}\": give all, or some of {known}; --blas PATH adds a BLAS"))
}

/// Who of the team runs.
fn choose(args: &BenchGemmArgs, entrants: &[Entrant], team: &dyn Team<Case = Case>) -> Result<Line, Usage> {
    let members = distinct(team.members());
    let position = |wanted: Entrant| entrants.iter().position(|entrant| *entrant == wanted);
    let is_peer = |entrant: &Entrant| matches!(entrant, Entrant::Crate(_) | Entrant::Blas(_));
    let peers: Vec<usize> = (0..entrants.len()).filter(|&who| is_peer(&entrants[who])).collect();
    let names: Vec<String> = peers.iter().map(|&who| members[who].name.to_lowercase()).collect();
    let known = |peer: &str| peer == "all" || CRATES.contains(&peer) || names.contains(&peer.to_lowercase());
    if let Some(unknown) = args.peers.iter().find(|peer| !known(peer)) {
        let mut all = CRATES.map(str::to_owned).to_vec();
        all.extend(names.into_iter().filter(|name| !CRATES.contains(&&**name)));
        return Err(no_such_peer(unknown, &all));
    }
    Ok(Line {
        peak: position(Entrant::Peak).expect("always there"),
        fathom: position(Entrant::Fathom).expect("always there"),
        serial: position(Entrant::Serial),
        peers: peers.into_iter().filter(|&who| picked(args, &members[who].name)).collect(),
        members,
    })
}

/// The members, of whom the second of a name, such as another build of the same BLAS, is called `NAME-2`.
fn distinct(members: &[Member]) -> Vec<Member> {
    let mut all: Vec<Member> = Vec::new();
    for member in members {
        let same = all.iter().filter(|other| other.name.split('-').next() == Some(&member.name)).count();
        let name = if same == 0 { member.name.clone() } else { format!("{}-{}", member.name, same + 1) };
        all.push(Member { name, ..member.clone() });
    }
    all
}

/// Times one case.
fn compare(team: &mut dyn Team<Case = Case>, line: &Line, (of, shape): Case, budget: Budget) -> Result<Comparison> {
    let everyone = [line.peak, line.fathom].into_iter().chain(line.serial).chain(line.peers.iter().copied());
    let mut able = Vec::new();
    for who in everyone {
        if team.prepare(who, &(of, shape))? {
            able.push(who);
        }
    }
    let times = rounds::run(team, &able, budget)?;
    let entry = |who: usize| {
        let at = able.iter().position(|&other| other == who);
        Entry { member: line.members[who].clone(), times: at.map(|at| times[at].clone()) }
    };
    Ok(Comparison {
        case: format!("{of} {shape}"),
        operations: shape.operations(),
        floor: entry(line.peak).times,
        fathom: entry(line.fathom),
        serial: line.serial.map(entry),
        peers: line.peers.iter().map(|&who| entry(who)).collect(),
        working_bytes: None,
    })
}

/// The command that runs one case of this one again.
fn reproduce(args: &BenchGemmArgs, of: Type, shape: Shape) -> String {
    let blas: String = args.blas.iter().map(|path| format!(" --blas {path}")).collect();
    let peers = args.peers.join(",");
    let cores = args.rounds.cores;
    format!("verify bench gemm --shapes {shape} --types {of} --peers {peers} --cores {cores}{blas}")
}
