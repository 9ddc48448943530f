//! `reproduce`: check, measure, report.

use std::process::ExitCode;

use anyhow::Result;
use fathom_kernels::Activation;
use fathom_model::condition::Conditions;
use fathom_model::population::population;
use fathom_model::{Architecture, Kind};

use super::{check, report};
use crate::cli::{DataArgs, Profile, ReproduceArgs, SearchArgs};
use crate::journal::Journal;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::rows::{CurveRow, Row};
use crate::samples::Samples;
use crate::study::{Criterion, Sweep, finite, train};

/// The residual scale of the study.
const C_RES: f64 = 0.5;

/// What a profile measures.
struct Plan {
    /// Deepest network for the init criteria, and for those that train.
    init_depth: usize,
    trained_depth: usize,
    /// Widest network for either.
    init_width: usize,
    trained_width: usize,
    /// Starts at each width for either.
    init_starts: usize,
    trained_starts: usize,
    /// Steps of descent.
    steps: usize,
    /// Widths and depth of the runs whose loss is drawn.
    curve_width: usize,
    curve_depth: usize,
}

impl Profile {
    fn plan(self) -> Plan {
        match self {
            Self::Quick => Plan {
                init_depth: 5,
                trained_depth: 3,
                init_width: 1 << 20,
                trained_width: 512,
                init_starts: 40,
                trained_starts: 8,
                steps: 1000,
                curve_width: 512,
                curve_depth: 3,
            },
            Self::Standard => Plan {
                init_depth: 8,
                trained_depth: 5,
                init_width: 1 << 22,
                trained_width: 1024,
                init_starts: 100,
                trained_starts: 12,
                steps: 3000,
                curve_width: 1024,
                curve_depth: 4,
            },
            Self::Full => Plan {
                init_depth: 12,
                trained_depth: 8,
                init_width: 1 << 24,
                trained_width: 4096,
                init_starts: 200,
                trained_starts: 20,
                steps: 10_000,
                curve_width: 2048,
                curve_depth: 6,
            },
        }
    }
}

/// Runs the command: exit code 1 when the kernels fail their check, and then nothing is measured.
///
/// # Errors
/// When a row or the report cannot be written.
pub fn run(args: &ReproduceArgs) -> Result<ExitCode> {
    let plan = args.profile.plan();
    let mut journal = Journal::open(&args.out.join("rows.jsonl"))?;

    eprintln!("1. checking the kernels");
    let outcome = check::check(&[], None, true)?;
    check::print(&mut std::io::stderr().lock(), &outcome)?;
    journal.append(Row::Checked(outcome.row(Provenance::here())))?;
    if !outcome.passed() {
        return Ok(ExitCode::from(1));
    }

    eprintln!("2. measuring the required width");
    let data = DataArgs { data: None, samples: None, image: None, patch: None, seed: args.seed };
    let samples = Samples::load(&data)?;
    let sweeps = [plan.init(&samples, args.seed), plan.trained(&samples, args.seed)];
    let progress = Progress::new(sweeps.iter().map(Sweep::work).sum::<u64>() + CURVES);
    for sweep in &sweeps {
        sweep.run(&mut journal, &progress)?;
    }
    for kind in Kind::PAPER {
        plan.curve(kind, &samples, args.seed, &mut journal, &progress)?;
        progress.advance(CURVES / 3);
    }
    progress.finish();

    eprintln!("3. drawing the report");
    report::write(journal.rows(), &args.out)?;
    Ok(ExitCode::SUCCESS)
}

/// Units of work for the loss curves.
const CURVES: u64 = 9;

impl Plan {
    fn init(&self, samples: &Samples, seed: u64) -> Sweep {
        let criteria = [Criterion::InitCloseness, Criterion::InitPositivity];
        self.sweep(samples, seed, &criteria, self.init_depth, (self.init_width, self.init_starts))
    }

    fn trained(&self, samples: &Samples, seed: u64) -> Sweep {
        let criteria = [Criterion::Drift, Criterion::Rate, Criterion::Fit];
        self.sweep(samples, seed, &criteria, self.trained_depth, (self.trained_width, self.trained_starts))
    }

    fn sweep(
        &self,
        samples: &Samples,
        seed: u64,
        criteria: &[Criterion],
        depth: usize,
        (width, starts): (usize, usize),
    ) -> Sweep {
        Sweep {
            samples: samples.clone(),
            activation: Activation::SOFTPLUS,
            c_res: C_RES,
            kinds: Kind::PAPER.to_vec(),
            criteria: criteria.iter().map(|&criterion| (criterion, (1..=depth).collect())).collect(),
            search: SearchArgs { max_width: Some(width), starts: Some(starts), delta: 0.5, steps: self.steps },
            seed,
        }
    }

    /// Trains one network and keeps its loss curve, unless the journal has it.
    fn curve(
        &self,
        kind: Kind,
        samples: &Samples,
        seed: u64,
        journal: &mut Journal,
        progress: &Progress,
    ) -> Result<()> {
        let architecture = Architecture::new(kind, self.curve_depth, C_RES, Activation::SOFTPLUS, samples.patches)?;
        let (subject, width) = (samples.subject(&architecture), self.curve_width);
        let same = |row: &CurveRow| row.subject == subject && row.width == width && row.seed == seed;
        if journal.rows().iter().any(|row| matches!(row, Row::Curve(row) if same(row))) {
            return Ok(());
        }
        progress.start(&format!("{kind} H = {} loss", self.curve_depth));
        let lambda0 = Conditions::of(&architecture, &population(&architecture, &samples.data)).lambda0;
        let run = train(&architecture, &samples.data, width, seed, self.steps);
        let steps = thinned_steps(run.loss.len());
        journal.append(Row::Curve(CurveRow {
            subject,
            width,
            eta: run.eta,
            lambda0,
            loss: steps.iter().map(|&k| finite(run.loss[k])).collect(),
            steps,
            drift: finite(run.drift / lambda0),
            seed,
            provenance: Provenance::here(),
        }))
    }
}

/// At most 200 steps of 0..len, the first and the last among them.
fn thinned_steps(len: usize) -> Vec<usize> {
    let stride = len.div_ceil(200).max(1);
    let mut steps: Vec<usize> = (0..len).step_by(stride).collect();
    if steps.last() != Some(&(len - 1)) {
        steps.push(len - 1);
    }
    steps
}
