//! `train`: one network, from its random start to zero loss.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use fathom_kernels::{Parallelism, Real};
use fathom_model::condition::{Conditions, Theorem};
use fathom_model::labels::Teacher;
use fathom_model::population::population;
use fathom_model::{Architecture, Dataset, Labels, Network};
use serde::Serialize;

use crate::bench::shape::Type;
use crate::cli::TrainArgs;
use crate::dump::Dump;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::rows::Subject;
use crate::samples::Samples;
use crate::training::{MOST_POINTS, Settings, Training, default_step_size, has_few_points, loss, train};

/// Schema `fathom.train/1`.
#[derive(Serialize)]
struct TrainReport {
    schema: &'static str,
    #[serde(flatten)]
    subject: Subject,
    labels: String,
    /// Labels that were replaced by random ones.
    replaced: usize,
    #[serde(rename = "type")]
    element: &'static str,
    width: usize,
    parameters: f64,
    parameters_per_sample: f64,
    eta: f64,
    /// Samples in a step; absent for full-batch descent.
    batch: Option<usize>,
    /// Steps taken, and the most that were allowed.
    steps: usize,
    max_steps: usize,
    loss_start: f64,
    loss_end: f64,
    /// The first step with L <= 1e-4 L(0), of those whose loss is known: all, or the ends of epochs.
    zero_loss_step: Option<usize>,
    /// lambda_min(K^(H)); absent where it is rounding noise, or of too many points.
    lambda0: Option<f64>,
    /// 1 - eta lambda0 / 2: by the theorems, on networks that are wide enough for them, a step multiplies the loss by at most
    /// this. Absent where there is no theorem.
    proved_rate: Option<f64>,
    /// (L(k) / L(0))^(1 / k) at the last step k.
    measured_rate: f64,
    /// Whether L(k) <= (proved rate)^k L(0) at every step whose loss is known.
    rate_holds: Option<bool>,
    /// The largest ||G^(H)(k) - G^(H)(0)||_2 / lambda0 that was seen.
    drift: Option<f64>,
    /// The largest ||A_h||_2 of a linear residual network, at the start and on the way.
    residual_norm: Option<[f64; 2]>,
    held_out: Option<HeldOut>,
    /// FNV-1a of the trained weights, in hexadecimal.
    weights_hash: String,
    /// What a reader should know, such as that a setting is outside the theorems.
    notes: Vec<String>,
    seed: u64,
    seconds: f64,
    provenance: Provenance,
}

/// Samples that were not trained on.
#[derive(Serialize)]
struct HeldOut {
    samples: usize,
    loss_start: f64,
    loss_end: f64,
}

/// Runs the command: exit code 4 when the training diverges.
///
/// # Errors
/// When the data or the settings cannot be used, the training diverges, or the dump cannot be written.
pub fn run(args: &TrainArgs) -> Result<ExitCode> {
    let held_out = args.held_out.unwrap_or(0);
    let (mut samples, mut held_out) = Samples::load_and_hold_out(&args.data, args.targets.as_deref(), held_out)?;
    let network = &args.network;
    let architecture = Architecture::new(args.arch, args.depth, network.c_res, network.activation, samples.patches)?;
    if let (Some(_), Labels::AsGiven | Labels::Random | Labels::Corrupted { .. }, None) =
        (&held_out, args.labels, &args.targets)
    {
        bail!(crate::Usage(format!(
            "--held-out needs labels that a network could learn, not {}: give --labels teacher:WIDTH or --targets FILE",
            args.labels
        )));
    }
    if let (Labels::Teacher { width }, Some(data)) = (args.labels, &held_out) {
        held_out = Some(Teacher::new(&architecture, width, &samples.data, args.data.seed)?.label(data)?);
    }
    let (data, replaced) = args.labels.apply(&architecture, &samples.data, args.data.seed)?;
    samples.relabel(data);
    let trained = match args.element {
        Type::F32 => train_in::<f32>(args, &architecture, &samples.data, held_out.as_ref())?,
        Type::F64 => train_in::<f64>(args, &architecture, &samples.data, held_out.as_ref())?,
    };
    let report = describe(args, (&architecture, &samples), trained, replaced);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is left of a training, whatever its element type.
struct Trained {
    settings: Settings,
    training: Training,
    held_out: Option<HeldOut>,
    weights_hash: String,
    element: &'static str,
    seconds: f64,
}

fn train_in<T: Real>(
    args: &TrainArgs,
    architecture: &Architecture,
    data: &Dataset,
    held_out: Option<&Dataset>,
) -> Result<Trained> {
    let began = Instant::now();
    let dump = args.dump.as_deref().map(Dump::begin).transpose()?;
    let network = Network::<T>::random(*architecture, args.width, args.data.seed, Parallelism::Rayon);
    let eta = match args.eta {
        Some(eta) => eta,
        None if has_few_points(architecture, data) => default_step_size(&network, data),
        None => bail!(crate::Usage(format!(
            "samples times pixels are more than {MOST_POINTS}, too many for a tangent kernel: give --eta"
        ))),
    };
    let settings = Settings { eta, batch: args.batch, steps: args.steps, seed: args.data.seed };
    if let Some(dump) = &dump {
        dump.start(&network, data, settings)?;
    }
    let loss_start = held_out.map(|data| loss(&network, data));
    let progress = Progress::new(args.steps as u64);
    let (training, trained) = train(network, data, settings, &progress)?;
    progress.finish();
    if let Some(dump) = dump {
        dump.finish(&trained, data, settings, &training)?;
    }
    let held_out = held_out.zip(loss_start).map(|(data, loss_start)| {
        let loss_end = loss(&trained, data);
        HeldOut { samples: data.samples(), loss_start, loss_end }
    });
    let (weights_hash, seconds) = (format!("{:016x}", trained.hash()), began.elapsed().as_secs_f64());
    Ok(Trained { settings, training, held_out, weights_hash, element: T::NAME, seconds })
}

fn describe(
    args: &TrainArgs,
    (architecture, samples): (&Architecture, &Samples),
    trained: Trained,
    replaced: usize,
) -> TrainReport {
    let Trained { settings: Settings { eta, .. }, training, .. } = &trained;
    let (steps, loss_end) = training.curve[training.curve.len() - 1];
    let loss_start = training.curve[0].1;
    let lambda0 = lambda0(architecture, &samples.data);
    let proved_rate = lambda0.filter(|_| Theorem::on(architecture, 1, 1.0, 1.0).is_some()).map(|l| 1.0 - eta * l / 2.0);
    let bound = |k: usize, rate: f64| loss_start * rate.powf(k as f64);
    let parameters = architecture.parameters(args.width as f64);
    TrainReport {
        schema: "fathom.train/1",
        subject: samples.subject(architecture),
        labels: args.labels.to_string(),
        replaced,
        element: trained.element,
        width: args.width,
        parameters,
        parameters_per_sample: parameters / samples.data.samples() as f64,
        eta: *eta,
        batch: args.batch,
        steps,
        max_steps: args.steps,
        loss_start,
        loss_end,
        zero_loss_step: training.reached,
        lambda0,
        proved_rate,
        measured_rate: if steps == 0 { 1.0 } else { (loss_end / loss_start).powf(1.0 / steps as f64) },
        rate_holds: proved_rate.map(|rate| training.curve.iter().all(|&(k, loss)| loss <= bound(k, rate))),
        drift: training.drift.zip(lambda0).map(|(drift, lambda0)| drift / lambda0),
        residual_norm: training.first_residual_norm.zip(training.largest_residual_norm).map(|(a, b)| [a, b]),
        notes: notes(args, architecture, lambda0),
        held_out: trained.held_out,
        weights_hash: trained.weights_hash,
        seed: args.data.seed,
        seconds: trained.seconds,
        provenance: Provenance::here(),
    }
}

/// lambda_min(K^(H)), where it can be had and means something.
fn lambda0(architecture: &Architecture, data: &Dataset) -> Option<f64> {
    if !has_few_points(architecture, data) {
        return None;
    }
    let conditions = Conditions::of(architecture, &population(architecture, data));
    conditions.last_gram_is_positive().then_some(conditions.lambda0)
}

fn notes(args: &TrainArgs, architecture: &Architecture, lambda0: Option<f64>) -> Vec<String> {
    let activation = architecture.activation();
    let all = [
        (Theorem::on(architecture, 1, 1.0, 1.0).is_none(), "the paper has no theorem on this architecture".to_owned()),
        (!architecture.moments().analytic, format!("the theorems leave out the activation {activation}")),
        (args.batch.is_some(), "the theorems are about full-batch descent".to_owned()),
        (args.held_out.is_some(), "the theorems say nothing of samples that were not trained on".to_owned()),
        (lambda0.is_none(), "lambda_0 is not known: rounding noise, 0, or of too many samples times pixels".to_owned()),
    ];
    all.into_iter().filter_map(|(holds, note)| holds.then_some(note)).collect()
}

fn print(out: &mut impl Write, r: &TrainReport) -> std::io::Result<()> {
    let s = &r.subject;
    let c_res = s.c_res.map_or_else(String::new, |c| format!(", c_res {c}"));
    writeln!(out, "{} of depth {} and width {}, {}{c_res}, in {}", s.arch, s.depth, r.width, s.activation, r.element)?;
    writeln!(out, "{} samples of {} numbers from {}", s.samples, s.input_size, s.data)?;
    writeln!(out, "labels {}, {} of them replaced by random ones", r.labels, r.replaced)?;
    writeln!(out, "{} parameters, {:.1} for each sample", r.parameters, r.parameters_per_sample)?;
    let batch = r.batch.map_or_else(|| "all samples".to_owned(), |batch| format!("batches of {batch}"));
    writeln!(out, "steps of eta {:.6e} on {batch}, {} at most", r.eta, r.max_steps)?;

    writeln!(out, "\nloss          {:.6e} at the start, {:.6e} after {} steps", r.loss_start, r.loss_end, r.steps)?;
    match r.zero_loss_step {
        Some(step) => writeln!(out, "zero loss     L <= 1e-4 L(0) after {step} steps")?,
        None => writeln!(out, "zero loss     not reached: L is {:.3e} of L(0)", r.loss_end / r.loss_start)?,
    }
    writeln!(out, "rate          {:.9} a step", r.measured_rate)?;
    if let (Some(rate), Some(holds)) = (r.proved_rate, r.rate_holds) {
        let verdict = if holds { "kept at every step seen" } else { "not kept at every step" };
        writeln!(out, "              the theorem's bound, 1 - eta lambda_0 / 2, is {rate:.9}: {verdict}")?;
    }
    if let (Some(lambda0), Some(drift)) = (r.lambda0, r.drift) {
        writeln!(out, "drift         ||G^(H)(k) - G^(H)(0)|| up to {drift:.4} lambda_0, with lambda_0 {lambda0:.6e}")?;
    }
    if let Some([first, largest]) = r.residual_norm {
        let verdict = if largest < 1.0 { "below" } else { "not below" };
        writeln!(
            out,
            "largest ||A|| {first:.4} at the start, {largest:.4} on the way: {verdict} 1 at every step seen"
        )?;
    }
    if let Some(h) = &r.held_out {
        let (start, end) = (h.loss_start / h.samples as f64, h.loss_end / h.samples as f64);
        writeln!(
            out,
            "held out      {start:.6e} for each of {} samples at the start, {end:.6e} at the end",
            h.samples
        )?;
        let (start, end) = (r.loss_start / s.samples as f64, r.loss_end / s.samples as f64);
        writeln!(out, "              {start:.6e} and {end:.6e} for each sample that was trained on")?;
    }
    writeln!(out, "weights       FNV-1a {}", r.weights_hash)?;
    for note in &r.notes {
        writeln!(out, "note: {note}")?;
    }
    let p = &r.provenance;
    writeln!(
        out,
        "{:.1} s; fathom {} ({}), {} on {} threads, seed {}",
        r.seconds, p.version, p.commit, p.isa, p.threads, r.seed
    )
}
