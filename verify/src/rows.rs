//! The rows that every measuring command writes and that figures and reports are made from: one JSON object a line.
//!
//! A row explains itself: what was configured, how it was seeded, what was found, and where it came from.

use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::provenance::Provenance;

/// One line of a results file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "schema")]
pub enum Row {
    /// The required width of one cell.
    #[serde(rename = "fathom.width/2")]
    Width(WidthRow),
    /// The required width that the delta method predicts.
    #[serde(rename = "fathom.predicted/1")]
    Predicted(PredictedRow),
    /// A two-sample test of the streamed sampler against full matrices.
    #[serde(rename = "fathom.crosscheck/1")]
    CrossCheck(CrossCheckRow),
    /// The smallest eigenvalue of K^(H), at infinite width.
    #[serde(rename = "fathom.lambda/1")]
    Lambda(LambdaRow),
    /// The loss of one training run, step by step.
    #[serde(rename = "fathom.curve/1")]
    Curve(CurveRow),
    /// The verdict of `check`.
    #[serde(rename = "fathom.checked/1")]
    Checked(CheckedRow),
}

/// What is common to all rows that measure a network: architecture, activation, data. Rows of one curve agree in all of it but
/// depth, data_seed and data_hash: several data sets make one curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// `fc`, `resnet`, `conv-resnet`, `linear-resnet` or `block-resnet`.
    pub arch: String,
    /// `softplus`, `softplus:4`, `tanh`, ...
    pub activation: String,
    /// H, the number of hidden layers.
    pub depth: usize,
    /// The residual scale, 0 < c_res < 1; absent where no layer has a skip.
    pub c_res: Option<f64>,
    /// How the residual scale depends on the depth: `1/H`, `1/sqrt(H)` or `1`; absent where no layer has a skip.
    pub residual: Option<String>,
    /// Where the samples come from: a file, or a specification such as `orthonormal:n=4,d=8`, without its seed.
    pub data: String,
    /// The seed that a specification's samples and labels, or a file's labels, were drawn from; absent where the labels are given too.
    pub data_seed: Option<u64>,
    /// SHA-256 of the normalised inputs and the labels, in hexadecimal.
    pub data_hash: String,
    /// n.
    pub samples: usize,
    /// Numbers in one input.
    pub input_size: usize,
    /// The image that each input is, `channels x rows x columns` as in `8x2x2`; absent where nothing is convolved.
    pub image: Option<String>,
    /// The patch around each of its pixels, as in `3x3`; absent where nothing is convolved.
    pub patch: Option<String>,
}

/// How a required width was settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Both sides of it were run.
    Measured,
    /// Beyond the widest run; from the law by which the criterion's quantity falls with the width, which held on the widths that were run.
    Extrapolated,
    /// Beyond the widest run; only a lower bound is known.
    Censored,
}

/// The required width m* of one cell: the smallest width at which at least a fraction `1 - delta` of the random starts
/// meets the criterion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WidthRow {
    /// What was measured.
    #[serde(flatten)]
    pub subject: Subject,
    /// `init-closeness`, `init-positivity`, `drift`, `rate` or `fit`.
    pub criterion: String,
    /// m*; absent when censored.
    pub width: Option<f64>,
    /// Lower end of the 95 % interval of m* (for a censored cell: the widest width that was run).
    pub low: f64,
    /// Upper end of the interval; absent when there is none.
    pub high: Option<f64>,
    /// Measured, extrapolated or censored.
    pub status: Status,
    /// How m* and its interval were found.
    pub method: String,
    /// Allowed fraction of failing starts.
    pub delta: f64,
    /// Random starts at each width.
    pub starts: usize,
    /// Widest width that the search may run.
    pub max_width: usize,
    /// lambda_min(K^(H)).
    pub lambda0: f64,
    /// lambda_max(K^(H)).
    pub lambda_max: f64,
    /// Every width that was run, narrowest first.
    pub tried: Vec<Tried>,
    /// Trained parameters of the network at width `width` (or `low`, when censored), divided by the samples.
    pub parameters_per_sample: f64,
    /// The seed of the whole command.
    pub seed: u64,
    /// The seed of this cell, a function of its configuration alone.
    pub cell_seed: u64,
    /// SHA-256 of the cell's configuration, in hexadecimal: what a resumed run recognises it by.
    pub cell: String,
    /// What a reader should know about this row, such as why it is censored.
    pub note: Option<String>,
    /// Wall time spent on it.
    pub seconds: f64,
    /// The program and machine that made it.
    pub provenance: Provenance,
}

/// The starts at one width.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// m.
    pub width: usize,
    /// Starts that met the criterion.
    pub passes: usize,
    /// Starts that were run.
    pub starts: usize,
    /// Median over the starts of (what the criterion bounds) / (its bound): the criterion is "at most 1".
    /// For `drift`, four times the median of sup ||G(k) - G(0)|| / lambda0.
    pub median_ratio: f64,
    /// Smallest and largest over the starts.
    pub ratio_range: [f64; 2],
}

/// The required width of one cell by the delta method: ||G - K|| from its limiting Gaussian law, without drawing a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictedRow {
    /// What was computed.
    #[serde(flatten)]
    pub subject: Subject,
    /// `init-closeness` or `init-positivity`.
    pub criterion: String,
    /// Allowed fraction of failing starts.
    pub delta: f64,
    /// m*.
    pub width: f64,
    /// Lower end of its 95 % Monte Carlo interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Draws from the limiting law.
    pub draws: usize,
    /// lambda_min(K^(H)).
    pub lambda0: f64,
    /// n^2 / lambda0^2: the lemma's width without its constant and logarithm.
    pub lemma_width: f64,
    /// The seed of the whole command.
    pub seed: u64,
    /// SHA-256 of the cell's configuration, in hexadecimal.
    pub cell: String,
    /// The program and machine that made it.
    pub provenance: Provenance,
}

/// Whether starts drawn exactly in law, and those of full matrices, have one distribution: a two-sample test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CrossCheckRow {
    /// What was drawn.
    #[serde(flatten)]
    pub subject: Subject,
    /// m.
    pub width: usize,
    /// What was compared: `closeness` (||G - K||), `lambda-min` or `entry`.
    pub statistic: String,
    /// `kolmogorov-smirnov`, ...
    pub test: String,
    /// Starts in each sample.
    pub starts: usize,
    /// The p-value.
    pub p_value: f64,
    /// The level below which it refutes that the two agree.
    pub level: f64,
    /// The seed of the whole command.
    pub seed: u64,
    /// The program and machine that made it.
    pub provenance: Provenance,
}

/// The infinitely wide network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LambdaRow {
    /// What was computed.
    #[serde(flatten)]
    pub subject: Subject,
    /// lambda_min(K^(H)).
    pub lambda0: f64,
    /// lambda_max(K^(H)).
    pub lambda_max: f64,
    /// chi_1 = c_sigma E[sigma'(z)^2]: lambda0 of a fully connected network shrinks by this per layer when below 1.
    pub chi1: f64,
    /// The program and machine that made it.
    pub provenance: Provenance,
}

/// One training run by full-batch gradient descent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveRow {
    /// What was trained.
    #[serde(flatten)]
    pub subject: Subject,
    /// m.
    pub width: usize,
    /// The step size.
    pub eta: f64,
    /// lambda_min(K^(H)).
    pub lambda0: f64,
    /// Steps at which the loss is given, ascending from 0.
    pub steps: Vec<usize>,
    /// L(k) at these steps.
    pub loss: Vec<f64>,
    /// sup over all steps of ||G(k) - G(0)||_2 / lambda0.
    pub drift: f64,
    /// The seed of the start.
    pub seed: u64,
    /// The program and machine that made it.
    pub provenance: Provenance,
}

/// What `check` found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckedRow {
    /// Cases that were checked.
    pub cases: usize,
    /// Cases that failed.
    pub failures: usize,
    /// Worst error as a fraction of the bound c k eps sum |a||b|.
    pub worst_error_ratio: f64,
    /// Instruction sets that were checked.
    pub isas: Vec<String>,
    /// Instruction sets that are compiled in but that this CPU lacks.
    pub skipped: Vec<String>,
    /// Wall time.
    pub seconds: f64,
    /// The program and machine that made it.
    pub provenance: Provenance,
}

impl Subject {
    /// Its settings in a few words.
    pub fn name(&self) -> String {
        let Self { arch, depth, activation, .. } = self;
        let data_seed = self.data_seed.map(|seed| format!(" #{seed}")).unwrap_or_default();
        let scale = match (self.c_res, self.residual.as_deref()) {
            (Some(c_res), Some("1/H")) => format!(" c_res {c_res}"),
            (Some(c_res), Some(residual)) => format!(" c_res {c_res} x {residual}"),
            _ => String::new(),
        };
        format!("{arch} H={depth} {activation}{scale} {}{data_seed}", self.data)
    }

    /// It as JSON: what rows of one subject have in common, to the bit.
    pub fn key(&self) -> String {
        serde_json::to_string(self).expect("a subject is plain data")
    }
}

impl CurveRow {
    /// What a curve of `subject` is recognised by.
    pub fn key(subject: &Subject, width: usize, seed: u64) -> String {
        format!("curve {} {width} {seed}", subject.key())
    }
}

/// Indices of about `most` of `count` values, the first and the last among them.
pub fn thinned(count: usize, most: usize) -> Vec<usize> {
    let stride = count.div_ceil(most).max(1);
    let mut indices: Vec<usize> = (0..count).step_by(stride).collect();
    if count > 0 && indices.last() != Some(&(count - 1)) {
        indices.push(count - 1);
    }
    indices
}

impl Row {
    /// What a second row of the same cell would have in common with it; `None` where each row stands for itself.
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Width(row) => Some(format!("width {}", row.cell)),
            Self::Predicted(row) => Some(format!("predicted {}", row.cell)),
            Self::Lambda(row) => Some(format!("lambda {}", row.subject.key())),
            Self::Curve(row) => Some(CurveRow::key(&row.subject, row.width, row.seed)),
            Self::CrossCheck(row) => {
                Some(format!("crosscheck {} {} {} {}", row.subject.key(), row.width, row.statistic, row.seed))
            }
            Self::Checked(_) => None,
        }
    }

    /// The key of the row of the infinitely wide network that a required width comes with.
    pub fn lambda_key(&self) -> Option<String> {
        match self {
            Self::Width(row) => Some(format!("lambda {}", row.subject.key())),
            _ => None,
        }
    }

    /// What was found, without how long it took and where: the same bits on every machine and in every order.
    pub fn found(&self) -> serde_json::Value {
        let mut row = serde_json::to_value(self).expect("a row is plain data");
        if let Some(fields) = row.as_object_mut() {
            fields.remove("seconds");
            fields.remove("provenance");
        }
        row
    }

    /// The program and machine that made it.
    pub fn provenance(&self) -> &Provenance {
        match self {
            Self::Width(row) => &row.provenance,
            Self::Predicted(row) => &row.provenance,
            Self::CrossCheck(row) => &row.provenance,
            Self::Lambda(row) => &row.provenance,
            Self::Curve(row) => &row.provenance,
            Self::Checked(row) => &row.provenance,
        }
    }
}

/// The rows of a results file.
#[derive(Clone, Debug, PartialEq)]
pub struct RowsRead {
    /// In the order of the file.
    pub rows: Vec<Row>,
    /// What the user should know, such as that a torn last line was dropped.
    pub note: Option<String>,
}

/// Reads a results file. A last line without its line break that does not parse was torn by an interrupted run: it is
/// dropped, with a note. Any other line that does not parse is an error that names file and line, and so is a file
/// without rows.
pub fn read_rows(path: &Path) -> anyhow::Result<RowsRead> {
    let shown = path.display();
    let read = read(path)?;
    if read.rows.is_empty() {
        bail!("{shown} holds no rows: measure first, with `verify width --out {shown}` or `verify reproduce`");
    }
    Ok(read)
}

/// As [`read_rows`], but a file may have no rows.
pub fn read(path: &Path) -> anyhow::Result<RowsRead> {
    parse(&std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?, path)
}

/// The rows in `bytes`, the text of the file at `path`; there may be none. Otherwise as [`read_rows`].
pub fn parse(bytes: &[u8], path: &Path) -> anyhow::Result<RowsRead> {
    let shown = path.display();
    let mut read = RowsRead { rows: Vec::new(), note: None };
    for (i, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let complete = line.ends_with(b"\n");
        if line.trim_ascii().is_empty() {
            continue;
        }
        match serde_json::from_slice(line) {
            Ok(row) => read.rows.push(row),
            Err(_) if !complete => {
                read.note = Some(format!("{shown}: line {} was cut off when it was written; it is left out", i + 1));
            }
            Err(_) if schema(line).as_deref() == Some("fathom.width/1") => bail!(
                "{shown}, line {}: a row of schema fathom.width/1, from an older version: measure again, into a new file",
                i + 1
            ),
            Err(error) => bail!("{shown}, line {}: not a row of results: {error}", i + 1),
        }
    }
    Ok(read)
}

/// The name and version that a line carries.
fn schema(line: &[u8]) -> Option<String> {
    let value: serde_json::Value = serde_json::from_slice(line).ok()?;
    Some(value.get("schema")?.as_str()?.to_owned())
}

/// One line for the eye.
impl std::fmt::Display for PredictedRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { subject: Subject { arch, depth, .. }, criterion, width, low, high, .. } = self;
        let width = format!("~{width:.2e}");
        write!(f, "{arch:<12} {criterion:<16} {depth:>3} {width:>12}  {low:.2e} to {high:.2e}, predicted")
    }
}

/// One line for the eye.
impl std::fmt::Display for WidthRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (arch, criterion, depth) = (&self.subject.arch, &self.criterion, self.subject.depth);
        let width = match (self.status, self.width) {
            (Status::Measured, Some(width)) => format!("{width:.0}"),
            (_, Some(width)) => format!("~{width:.2e}"),
            (_, None) => format!("> {:.0}", self.low),
        };
        let interval = match (self.status, self.high) {
            (Status::Censored, _) => self.note.clone().unwrap_or_default(),
            (Status::Measured, Some(high)) => format!("{:.0} to {high:.0}", self.low),
            (Status::Measured, None) => format!("from {:.0}", self.low),
            (Status::Extrapolated, high) => {
                format!("{:.2e} to {:.2e}, extrapolated", self.low, high.unwrap_or(f64::NAN))
            }
        };
        write!(f, "{arch:<12} {criterion:<16} {depth:>3} {width:>12}  {interval}")
    }
}
