//! Made-up rows for tests: searches that could have happened, of networks whose required width is known.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, StandardNormal};

use crate::laws::isotonic::{Isotonic, Passes};
use crate::provenance::Provenance;
use crate::rows::{
    CheckedRow, CrossCheckRow, CurveRow, LambdaRow, PredictedRow, Row, Status, Subject, Tried, WidthRow,
};

/// The widest width of the made-up searches.
pub const BUDGET: usize = 1 << 24;

/// chi_1 of softplus.
pub const CHI1: f64 = 0.318_46;

pub fn provenance() -> Provenance {
    Provenance {
        version: "0.1.0".into(),
        commit: "0123456789ab".into(),
        rustc: "rustc 1.89.0".into(),
        isa: "avx2".into(),
        threads: 2,
        cpu: "Example CPU @ 3.00GHz".into(),
        caches: "L1 32K, L2 1024K, L3 32768K".into(),
        platform: "linux-x86_64".into(),
        oracles: vec!["faer 0.24.4".into(), "matrixmultiply 0.3.11".into()],
        config: None,
    }
}

/// The main setting of the study.
pub fn subject(arch: &str, depth: usize, data_seed: u64) -> Subject {
    let skips = arch != "fc";
    Subject {
        arch: arch.into(),
        activation: "softplus".into(),
        depth,
        c_res: skips.then_some(0.5),
        residual: skips.then(|| "1/H".into()),
        data: "orthonormal:n=4,d=8".into(),
        data_seed: Some(data_seed),
        data_hash: format!("{data_seed:02x}"),
        samples: 4,
        input_size: 8,
        image: None,
        patch: None,
    }
}

/// A search whose starts need widths that are log-normal around `width`.
pub struct Search {
    /// m*.
    pub width: f64,
    /// Standard deviation of the logarithm of what one start needs.
    pub spread: f64,
    pub starts: usize,
    pub budget: usize,
}

impl Search {
    pub fn of(width: f64) -> Self {
        Self { width, spread: 0.6, starts: 100, budget: BUDGET }
    }

    /// The row that such a search up to the budget finds; `seed` draws the starts.
    pub fn row(&self, subject: Subject, criterion: &str, seed: u64) -> WidthRow {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let tried: Vec<Tried> = self.widths().into_iter().map(|width| self.tried(width, &mut random)).collect();
        let n = self.starts as f64;
        let [few, enough] = [-1.0, 1.0].map(|side| 0.5 * n + side * 0.98 * n.sqrt());
        let surely_below = |t: &&Tried| t.passes as f64 <= few;
        let low = tried.iter().rev().find(surely_below).map_or(1.0, |t| t.width as f64);
        let high = tried.iter().find(|t| t.passes as f64 >= enough && t.width as f64 > low).map(|t| t.width as f64);
        let runs = tried.iter().map(|t| Passes {
            log_width: (t.width as f64).ln(),
            passes: t.passes as u64,
            starts: t.starts as u64,
        });
        let crossing = Isotonic::default().crossing(runs, 0.5).map(f64::exp);
        let beyond = self.width / self.budget as f64;
        let (status, width, low, high) = match crossing {
            Some(width) => (Status::Measured, Some(width), low, high),
            None if beyond < 30.0 && criterion != "fit" => {
                let noise: f64 = StandardNormal.sample(&mut random);
                let width = (self.width * (0.1 * noise).exp()).max(self.budget as f64);
                (Status::Extrapolated, Some(width), width / 1.3, Some(width * 1.3))
            }
            None => (Status::Censored, None, self.budget as f64, None),
        };
        let censored = status == Status::Censored;
        WidthRow {
            cell: format!("{subject:?}{criterion}"),
            lambda0: lambda0(&subject),
            subject,
            criterion: criterion.into(),
            width,
            low,
            high,
            status,
            method: "isotonic regression of the pass rate in log m, exact binomial interval".into(),
            delta: 0.5,
            starts: self.starts,
            max_width: self.budget,
            lambda_max: 2.0,
            tried,
            parameters_per_sample: self.width.min(1e6).powi(2),
            seed: 7,
            cell_seed: seed,
            note: censored.then(|| "wider than the widest run".into()),
            seconds: 1.0,
            provenance: provenance(),
        }
    }

    /// A step of 2^(1/4) where pass rates change, doubling elsewhere.
    fn widths(&self) -> Vec<usize> {
        let mut widths = Vec::new();
        let mut width = 8.0;
        while width < self.budget as f64 && width < self.width * 8.0 {
            widths.push(width as usize);
            let near = (width / self.width).ln().abs() < 2.0 * self.spread;
            width *= if near { 2f64.powf(0.25) } else { 2.0 };
        }
        if self.width > self.budget as f64 {
            widths.push(self.budget);
        }
        widths.dedup();
        widths
    }

    fn tried(&self, width: usize, random: &mut ChaCha8Rng) -> Tried {
        let z = (width as f64 / self.width).ln() / self.spread;
        let rate = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
        let binomial = Binomial::new(self.starts as u64, rate.clamp(0.0, 1.0)).unwrap();
        let median_ratio = (self.width / width as f64).sqrt();
        Tried {
            width,
            passes: binomial.sample(random) as usize,
            starts: self.starts,
            median_ratio,
            ratio_range: [median_ratio * 0.6, median_ratio * 1.7],
        }
    }
}

/// A lambda0 of the right shape.
pub fn lambda0(subject: &Subject) -> f64 {
    let h = subject.depth as f64;
    match subject.arch.as_str() {
        "fc" => 0.62 * chi1(&subject.activation).min(1.0).powi(subject.depth as i32) * (1.0 + 0.5 / h),
        _ if subject.depth == 1 => 0.3,
        "resnet" => 0.08 / (h * h) * (1.0 + 0.3 / h),
        _ => 0.05 / (h * h) * (1.0 + 0.4 / h),
    }
}

/// chi_1 of the study's activations.
pub fn chi1(activation: &str) -> f64 {
    match activation {
        "softplus:2" => 0.52,
        "softplus:4" => 0.72,
        "softplus:8" => 0.86,
        "tanh" => 1.17781,
        "sigmoid" => 0.15283,
        "erf" => 1.2257,
        "gelu" => 1.07203,
        "relu" => 1.0,
        _ => CHI1,
    }
}

/// One point of the study: what is varied, and what a search of it would find.
struct Point<'a> {
    subject: Subject,
    criterion: &'a str,
}

impl Point<'_> {
    fn width(&self) -> f64 {
        let h = self.subject.depth as f64;
        let chi1 = chi1(&self.subject.activation);
        let start = match self.criterion {
            "init-closeness" => 320.0,
            "init-positivity" => 60.0,
            "drift" => 500.0,
            "rate" => 24.0,
            _ => 8.0,
        } * (self.subject.samples as f64 / 4.0);
        let strength = match self.criterion {
            "init-closeness" | "drift" => 1.0,
            "init-positivity" => 0.35,
            _ => 0.12,
        };
        let data = 1.0 + 0.02 * self.subject.data_seed.unwrap_or(0) as f64;
        match self.subject.arch.as_str() {
            "fc" if chi1 < 1.0 => start * chi1.powf(-2.0 * strength * (h - 1.0)) * data,
            "fc" => start * h.powf(0.8) * data,
            "resnet" => start * 0.9 * (1.0 + 0.4 / h) * data,
            _ => start * 1.6 * (1.0 + 0.2 / h) * data,
        }
    }

    fn rows(&self, seed: &mut u64) -> Vec<Row> {
        *seed += 1;
        let trains = !self.criterion.starts_with("init");
        let (budget, starts) = if trains { (4096, 20) } else { (BUDGET, 100) };
        let search = Search { budget, starts, ..Search::of(self.width()) };
        vec![Row::Width(search.row(self.subject.clone(), self.criterion, *seed))]
    }

    fn predicted(&self) -> Row {
        let width = self.width() * (1.0 + 0.03 * (self.subject.depth as f64).sin());
        let lambda0 = lambda0(&self.subject);
        Row::Predicted(PredictedRow {
            subject: self.subject.clone(),
            criterion: self.criterion.into(),
            delta: 0.5,
            width,
            low: width * 0.96,
            high: width * 1.04,
            draws: 4096,
            lambda0,
            lemma_width: (self.subject.samples as f64 / lambda0).powi(2),
            seed: 7,
            cell: format!("predicted {:?} {}", self.subject, self.criterion),
            provenance: provenance(),
        })
    }
}

fn lambda_row(subject: &Subject) -> Row {
    Row::Lambda(LambdaRow {
        subject: subject.clone(),
        lambda0: lambda0(subject),
        lambda_max: 2.0,
        chi1: chi1(&subject.activation),
        provenance: provenance(),
    })
}

fn curve_row(arch: &str, depth: usize) -> Row {
    let (eta, lambda0) = (0.4, if arch == "fc" { 0.5 * CHI1.powi(depth as i32) } else { 0.05 });
    let rate: f64 = eta * lambda0 * 1.6 + 0.002;
    let count = (9.2 / rate) as usize + 1;
    let steps: Vec<usize> = (0..=count).collect();
    let loss = steps.iter().map(|&k| 2.1 * (0.4 * (-2.0 * rate * k as f64).exp() + 0.6 * (-rate * k as f64).exp()));
    Row::Curve(CurveRow {
        subject: subject(arch, depth, 1),
        width: 1024 << depth,
        eta,
        lambda0,
        loss: loss.collect(),
        steps,
        drift: 0.1,
        seed: 3,
        provenance: provenance(),
    })
}

fn tail() -> Vec<Row> {
    let mut rows = Vec::new();
    for arch in ["fc", "resnet", "conv-resnet"] {
        rows.extend((1..=4).map(|depth| curve_row(arch, depth)));
        for (i, statistic) in ["closeness", "lambda-min", "entry"].into_iter().enumerate() {
            rows.extend([64, 256, 2048].map(|width| {
                Row::CrossCheck(CrossCheckRow {
                    subject: subject(arch, 3, 1),
                    width,
                    statistic: statistic.into(),
                    test: "kolmogorov-smirnov".into(),
                    starts: 1000,
                    p_value: 0.07 + 0.3 * i as f64 + width as f64 / 1e4,
                    level: 0.001,
                    seed: 7,
                    provenance: provenance(),
                })
            }));
        }
    }
    rows.push(Row::Checked(CheckedRow {
        cases: 4812,
        failures: 0,
        worst_error_ratio: 0.0312,
        isas: vec!["portable".into(), "avx2".into()],
        skipped: vec!["avx512".into()],
        seconds: 12.0,
        provenance: provenance(),
    }));
    rows
}

/// A study as a profile of `reproduce` leaves it.
pub struct Study {
    pub data_sets: u64,
    pub fc_depths: Vec<usize>,
    pub skip_depths: Vec<usize>,
    pub trained_depths: Vec<usize>,
    pub predicted_depths: Vec<usize>,
    /// Whether activations, samples and residual scales are varied, one at a time.
    pub varied: bool,
}

impl Study {
    /// One data set, few depths, one setting.
    pub fn quick() -> Self {
        Self {
            data_sets: 1,
            fc_depths: (1..=5).collect(),
            skip_depths: (1..=5).collect(),
            trained_depths: (1..=3).collect(),
            predicted_depths: Vec::new(),
            varied: false,
        }
    }

    /// The shape of the standard study.
    pub fn standard() -> Self {
        Self {
            data_sets: 3,
            fc_depths: (1..=7).collect(),
            skip_depths: vec![1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64],
            trained_depths: (1..=5).collect(),
            predicted_depths: vec![2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64],
            varied: true,
        }
    }

    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut seed = 0;
        for subject in self.subjects() {
            for criterion in self.criteria(&subject) {
                rows.extend(Point { subject: subject.clone(), criterion }.rows(&mut seed));
            }
            if subject.data_seed == Some(1) {
                rows.push(lambda_row(&subject));
            }
        }
        for arch in ["fc", "resnet"] {
            for (&depth, data_seed) in
                self.predicted_depths.iter().flat_map(|d| (1..=self.data_sets).map(move |s| (d, s)))
            {
                let subject = subject(arch, depth, data_seed);
                rows.push(Point { subject, criterion: "init-closeness" }.predicted());
            }
        }
        rows.extend(tail());
        rows
    }

    fn criteria(&self, subject: &Subject) -> Vec<&'static str> {
        let mut criteria = vec!["init-closeness", "init-positivity"];
        let main = subject.activation == "softplus"
            && subject.samples == 4
            && subject.c_res.is_none_or(|c_res| c_res == 0.5)
            && subject.residual.as_deref().is_none_or(|residual| residual == "1/H");
        if main && self.trained_depths.contains(&subject.depth) {
            criteria.extend(["drift", "rate", "fit"]);
        }
        criteria
    }

    fn subjects(&self) -> Vec<Subject> {
        let mut subjects = Vec::new();
        for arch in ["fc", "resnet", "conv-resnet"] {
            let depths = if arch == "fc" { &self.fc_depths } else { &self.skip_depths };
            for data_seed in 1..=self.data_sets {
                for &depth in depths {
                    subjects.push(subject(arch, depth, data_seed));
                    if self.varied {
                        subjects.extend(variations(&subject(arch, depth, data_seed)));
                    }
                }
            }
        }
        subjects
    }
}

/// The main setting with one thing changed.
fn variations(main: &Subject) -> Vec<Subject> {
    let mut all = Vec::new();
    for activation in ["softplus:2", "softplus:4", "softplus:8", "tanh", "sigmoid", "erf", "gelu", "relu"] {
        all.push(Subject { activation: activation.into(), ..main.clone() });
    }
    for n in [8, 16, 32] {
        let data = format!("orthonormal:n={n},d={}", 2 * n);
        all.push(Subject { data, samples: n, input_size: 2 * n, ..main.clone() });
    }
    if main.c_res.is_some() {
        all.extend([0.25, 0.9].map(|c_res| Subject { c_res: Some(c_res), ..main.clone() }));
        all.extend(["1/sqrt(H)", "1"].map(|residual| Subject { residual: Some(residual.into()), ..main.clone() }));
    }
    all
}
