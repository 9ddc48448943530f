//! One cell of a study: an architecture, a depth and a criterion, whose m* is one row.

use std::fmt;
use std::time::Instant;

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use super::Criterion;
use super::binomial::Verdict;
use super::extrapolation::extrapolate;
use super::search::{Found, Ratios, passes, search};
use super::starts::Starts;
use crate::provenance::Provenance;
use crate::rows::{Status, Subject, Tried, WidthRow};
use crate::samples::hex;

/// How the m* of a cell is searched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The widest network to run.
    pub max_width: usize,
    /// Random starts at each width.
    pub starts: usize,
    /// The fraction of starts that may fail.
    pub delta: f64,
    /// Steps of descent at most.
    pub steps: usize,
    /// The seed of the command.
    pub seed: u64,
}

impl Settings {
    /// The passes that decide, of this many starts.
    ///
    /// # Errors
    /// When there are too few starts for a 95 % interval.
    pub fn verdict(&self) -> Result<Verdict> {
        match Verdict::new(self.starts, 1.0 - self.delta) {
            Some(verdict) => Ok(verdict),
            None => bail!(crate::Usage(format!(
                "{} starts are too few for a 95 % interval at --delta {}: give --starts {} or more",
                self.starts,
                self.delta,
                Verdict::fewest_starts(1.0 - self.delta)
            ))),
        }
    }
}

/// How m* and its interval are found, but where m* lies beyond the widest run.
pub const METHOD: &str = "m*: isotonic regression of the pass rate on log m; interval: exact binomial at each width";

/// How they are found there.
const BEYOND: &str = "m* and interval: order statistics of the starts at the widest runs, moved by the law of m";

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    pub subject: Subject,
    pub criterion: Criterion,
    pub settings: Settings,
}

impl Cell {
    /// SHA-256 of all that its row depends on.
    pub fn id(&self) -> String {
        let Settings { max_width, starts, delta, steps, seed } = self.settings;
        let steps = if self.criterion.trains() { steps } else { 0 };
        let subject = self.subject.key();
        let settings = format!("{} {max_width} {starts} {delta} {steps} {seed}", self.criterion);
        hex(&Sha256::digest(format!("fathom.width/2 {subject} {settings}")))
    }

    /// What its row is recognised by.
    pub fn key(&self) -> String {
        format!("width {}", self.id())
    }

    /// The seed of its starts: a function of subject and seed alone, so that criteria look at the same starts.
    pub fn seed(&self) -> u64 {
        let subject = self.subject.key();
        let digest = Sha256::digest(format!("{subject} {}", self.settings.seed));
        u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
    }

    /// Searches m*. `starts` must be those of the subject, with [`Cell::seed`].
    ///
    /// # Errors
    /// When there are too few starts for an interval.
    pub fn measure(&self, starts: &mut Starts<'_>, lambda_max: f64, provenance: &Provenance) -> Result<WidthRow> {
        let began = Instant::now();
        let rate = 1.0 - self.settings.delta;
        let evaluate = |width: usize| starts.ratios(self.criterion, width, self.settings.starts);
        let (found, ratios) = search(self.settings.verdict()?, rate, self.settings.max_width, evaluate);
        let (estimate, note) = self.settle(&found, &ratios, rate);
        let at = estimate.width.unwrap_or(estimate.low);
        Ok(WidthRow {
            subject: self.subject.clone(),
            criterion: self.criterion.to_string(),
            width: estimate.width,
            low: estimate.low,
            high: estimate.high,
            status: estimate.status,
            method: if estimate.status == Status::Extrapolated { BEYOND } else { METHOD }.to_owned(),
            delta: self.settings.delta,
            starts: self.settings.starts,
            max_width: self.settings.max_width,
            lambda0: starts.lambda0,
            lambda_max,
            tried: ratios.into_iter().map(|(width, ratios)| tried(width, ratios)).collect(),
            parameters_per_sample: starts.architecture.parameters(at) / self.subject.samples as f64,
            seed: self.settings.seed,
            cell_seed: self.seed(),
            cell: self.id(),
            note,
            seconds: began.elapsed().as_secs_f64(),
            provenance: provenance.clone(),
        })
    }

    /// Measured, extrapolated or censored; and why.
    fn settle(&self, found: &Found, ratios: &Ratios, rate: f64) -> (Estimate, Option<String>) {
        let (low, high) = (found.low as f64, found.high.map(|high| high as f64));
        let power = self.criterion.power_of_width();
        if let Some(width) = found.width {
            // m* was run, but the widest run is too narrow for the upper end: the law may close the interval.
            let law = match high {
                None => power.and_then(|power| extrapolate(ratios, rate, power).ok()),
                Some(_) => None,
            };
            let note = match (high, law) {
                (None, Some(e)) => Some(format!("upper end by the m^-{} law, which the runs show", e.power)),
                (None, None) => Some("the widest run does not close the interval".to_owned()),
                _ => None,
            };
            let high = high.or(law.map(|e| e.high.max(width)));
            return (Estimate { width: Some(width), low, high, status: Status::Measured }, note);
        }
        let widest = self.settings.max_width as f64;
        let censored = Estimate { width: None, low: widest, high: None, status: Status::Censored };
        let Some(power) = power else {
            return (censored, Some("wider than the widest run".to_owned()));
        };
        match extrapolate(ratios, rate, power) {
            Ok(e) => {
                let width = e.width.max(widest);
                let (width, high, status) = (Some(width), Some(e.high.max(width)), Status::Extrapolated);
                let note = format!("by the m^-{power} law; the runs show slope {:.3} +- {:.3}", e.slope, e.error);
                (Estimate { width, low: e.low.max(low), high, status }, Some(note))
            }
            Err(why) => (censored, Some(format!("wider than the widest run, and {why}"))),
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject.name(), self.criterion)
    }
}

struct Estimate {
    width: Option<f64>,
    low: f64,
    high: Option<f64>,
    status: Status,
}

fn tried(width: usize, mut ratios: Vec<f64>) -> Tried {
    let (passes, starts) = (passes(&ratios), ratios.len());
    ratios.sort_by(f64::total_cmp);
    // Halved first: the sum of two of the largest numbers, which stand for what has diverged, is infinite.
    let median_ratio = 0.5 * ratios[(starts - 1) / 2] + 0.5 * ratios[starts / 2];
    Tried { width, passes, starts, median_ratio, ratio_range: [ratios[0], ratios[starts - 1]] }
}
