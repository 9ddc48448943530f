//! `gram`: the infinitely wide network on the user's data, and what the theorems ask and promise.

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use fathom_model::architecture::Kind;
use fathom_model::condition::{self, Conditions, NOISE};
use fathom_model::population::population;
use fathom_model::{Architecture, Expectation, Gram};
use serde::Serialize;

use crate::cli::GramArgs;
use crate::provenance::Provenance;
use crate::rows::Subject;
use crate::samples::Samples;

/// Schema `fathom.gram/1`.
#[derive(Serialize)]
struct GramReport {
    schema: &'static str,
    #[serde(flatten)]
    subject: Subject,
    /// The samples again, under the name that the formulas use.
    n: usize,
    /// Channels, rows and columns of an input, and rows and columns of a patch.
    image: [usize; 3],
    patch: [usize; 2],
    lambda0: f64,
    lambda_max: f64,
    /// Whether lambda0 is above rounding noise.
    resolved: bool,
    c_sigma: f64,
    chi1: f64,
    /// Absent for a closed form.
    quadrature: Option<Quadrature>,
    conditions: ConditionReport,
    /// Absent where the paper has no theorem on the architecture.
    theorem: Option<Theorem>,
    /// K^(H), row by row.
    kernel: Vec<Vec<f64>>,
    seed: u64,
    provenance: Provenance,
}

#[derive(Serialize)]
struct Quadrature {
    nodes: usize,
    /// Relative change of E[sigma^2] and E[sigma'^2] when the nodes are doubled.
    change: f64,
}

#[derive(Serialize)]
struct ConditionReport {
    last_gram_positive_definite: bool,
    /// Smallest eigenvalue over the 2 x 2 sub-matrices of the layers that the theorem asks about.
    smallest_pair: f64,
    /// The same for each layer h = 1..=H.
    pairs: Vec<f64>,
    lipschitz: f64,
    /// Absent where sigma' jumps.
    smoothness: Option<f64>,
    analytic: bool,
}

#[derive(Serialize)]
struct Theorem {
    number: &'static str,
    delta: f64,
    /// What multiplies the largest term, constants left out.
    factor: &'static str,
    terms: Vec<Term>,
    largest: f64,
}

#[derive(Serialize)]
struct Term {
    formula: &'static str,
    value: f64,
}

/// Runs the command.
///
/// # Errors
/// When the data or the settings cannot be used, or stdout cannot be written.
pub fn run(args: &GramArgs) -> Result<ExitCode> {
    let samples = Samples::load(&args.data)?;
    let network = &args.network;
    let architecture = Architecture::new(args.arch, args.depth, network.c_res, network.activation, samples.patches)?;
    let report = describe(args, &samples, &architecture);
    let mut out = std::io::stdout().lock();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut out, &report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(args: &GramArgs, samples: &Samples, architecture: &Architecture) -> GramReport {
    let limit = population(architecture, &samples.data);
    let conditions = Conditions::of(architecture, &limit);
    let moments = architecture.moments();
    let n = samples.data.samples();
    let theorem = condition::Theorem::on(architecture, n, conditions.lambda0, args.delta);
    let patches = architecture.patches();
    GramReport {
        schema: "fathom.gram/1",
        subject: samples.subject(architecture),
        n,
        image: [patches.channels, patches.image[0], patches.image[1]],
        patch: patches.patch,
        lambda0: conditions.lambda0,
        lambda_max: conditions.lambda_max,
        resolved: conditions.resolved,
        c_sigma: moments.c_sigma,
        chi1: moments.chi1,
        quadrature: Expectation::new(architecture.activation())
            .convergence()
            .map(|(nodes, change)| Quadrature { nodes, change }),
        conditions: ConditionReport {
            last_gram_positive_definite: conditions.last_gram_is_positive(),
            smallest_pair: conditions.smallest_pair,
            pairs: conditions.pairs,
            lipschitz: moments.lipschitz,
            smoothness: moments.smoothness.is_finite().then_some(moments.smoothness),
            analytic: moments.analytic,
        },
        theorem: theorem.filter(|_| conditions.resolved).map(|theorem| Theorem {
            number: theorem.number,
            delta: args.delta,
            factor: theorem.factor,
            largest: theorem.terms.iter().fold(0.0, |most, term| most.max(term.value)),
            terms: theorem.terms.into_iter().map(|term| Term { formula: term.formula, value: term.value }).collect(),
        }),
        kernel: rows(&limit.kernel),
        seed: args.data.seed,
        provenance: Provenance::here(),
    }
}

fn rows(gram: &Gram) -> Vec<Vec<f64>> {
    gram.entries().chunks(gram.n()).map(<[f64]>::to_vec).collect()
}

fn print(out: &mut impl Write, r: &GramReport) -> std::io::Result<()> {
    let c_res = r.subject.c_res.map_or_else(String::new, |c| format!(", c_res {c}"));
    writeln!(out, "{} of depth {}, {}{c_res}", r.subject.arch, r.subject.depth, r.subject.activation)?;
    writeln!(out, "{} samples of {} numbers from {}", r.n, r.subject.input_size, r.subject.data)?;
    if r.subject.arch == Kind::ConvResNet.name() {
        let ([c, h, w], [ph, pw]) = (r.image, r.patch);
        writeln!(out, "images of {c} channels and {h}x{w} pixels, patches of {ph}x{pw}")?;
    }
    writeln!(out, "c_sigma {:.6}, chi_1 {:.6}", r.c_sigma, r.chi1)?;
    match &r.quadrature {
        Some(q) => writeln!(
            out,
            "quadrature with {} nodes; doubling them changes 1 part in {:.0e}",
            q.nodes,
            1.0 / q.change.max(1e-16)
        )?,
        None => writeln!(out, "expectations in closed form")?,
    }
    writeln!(out, "\nK^(H), the Gram matrix of the last layer at infinite width")?;
    if r.resolved {
        writeln!(out, "  lambda_0    {:.6e}", r.lambda0)?;
    } else {
        writeln!(out, "  lambda_0    below {:.1e}: rounding noise, no digit of it is known", NOISE * r.lambda_max)?;
    }
    writeln!(out, "  lambda_max  {:.6e}", r.lambda_max)?;

    writeln!(out, "\nThe three conditions")?;
    let c = &r.conditions;
    let verdict = match (c.last_gram_positive_definite, r.resolved) {
        (true, _) => "yes",
        (false, false) => "cannot be told from zero in double precision",
        (false, true) => "no",
    };
    writeln!(out, "  1. last Gram matrix positive definite: {verdict}")?;
    let which = if r.subject.c_res.is_some() { "the first layer" } else { "every layer" };
    let smallest = match c.smallest_pair {
        0.0 => "rounding noise".to_owned(),
        pair => format!("{pair:.6e}"),
    };
    writeln!(out, "  2. smallest eigenvalue of any 2x2 sub-matrix of {which}: {smallest}")?;
    let smooth = c.smoothness.map_or_else(|| "not smooth".to_owned(), |s| format!("smooth with {s:.6}"));
    writeln!(out, "  3. activation Lipschitz with {:.6}, {smooth}", c.lipschitz)?;
    if !c.analytic {
        writeln!(out, "     not an analytic function other than a polynomial: outside the theorems, a control")?;
    }

    if !r.resolved {
        return writeln!(out, "\nWithout lambda_0 there is no width to print.");
    }
    let Some(t) = &r.theorem else {
        return writeln!(out, "\nThe paper has no theorem on this network.");
    };
    writeln!(out, "\nTheorem {}: width of order {} times the largest of (delta = {})", t.number, t.factor, t.delta)?;
    for term in &t.terms {
        let mark = if term.value == t.largest { "  <- largest" } else { "" };
        writeln!(out, "  {:<28} {:.3e}{mark}", term.formula, term.value)?;
    }
    writeln!(out, "The theorem's width suffices; it is far above what is needed (see verify width).")
}
