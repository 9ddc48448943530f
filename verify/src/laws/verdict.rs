//! Which law a curve shows, said only where its intervals decide.

use rayon::prelude::*;

use super::bootstrap::{Resample, resamples};
use super::curve::{Curve, data_sets, observations};
use super::estimate::{Estimate, Z, deviation, quantile};
use super::law::{Law, Observation, depths};
use super::student::student_t;
use super::tobit::{self, Line};
use crate::rows::WidthRow;

/// The first depth that is fitted. At H = 1 no layer lies below the last, so nothing accumulates, and no network has a skip.
pub const FIRST_DEPTH: usize = 2;
/// Fewest depths with a required width: two always lie on a line.
pub const FEWEST_DEPTHS: usize = 3;
/// Fewest data sets from whose differences an interval is taken.
pub const FEWEST_SETS: usize = 3;
/// Resamples of the bootstrap.
pub const RESAMPLES: usize = 800;
/// By so much the AICc of a law must be smaller than the other's. Models within 2 of the best have "substantial" support
/// (Burnham and Anderson 2002, 2.6).
pub const MARGIN: f64 = 2.0;
/// In so large a part of the resamples.
pub const SHARE: f64 = 0.975;
/// A flat curve changes by less than this factor over all depths fitted.
pub const FLAT: f64 = 2.0;
/// Parameters of a law: c, b and the scatter.
pub const PARAMETERS: usize = 3;

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// m = c exp(b H): its AICc is smaller by [`MARGIN`] in at least [`SHARE`] of the resamples, and the interval of b
    /// excludes 0.
    Exponential,
    /// m = c H^b: likewise.
    Power,
    /// The interval of the growth per layer holds 1, and both its ends mean a change by less than [`FLAT`] over all depths
    /// fitted.
    Flat,
    /// The interval excludes 1, but both its ends mean a change by less than [`FLAT`] over all depths fitted, too small a one
    /// to name a law.
    NearlyFlat,
    /// None of these.
    Undecided,
}

impl Verdict {
    /// One word.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Exponential => "exponential",
            Verdict::Power => "power",
            Verdict::Flat => "flat",
            Verdict::NearlyFlat => "nearly flat",
            Verdict::Undecided => "undecided",
        }
    }
}

/// A fitted law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Which law.
    pub law: Law,
    /// ln c.
    pub log_c: f64,
    /// b with its 95 % interval, see [`Laws`].
    pub b: Estimate,
    /// The interval of the bootstrap alone.
    pub bootstrap: [f64; 2],
    /// The standard error of b: the largest of the bootstrap's, the likelihood's and the data sets'.
    pub error: f64,
    /// Standard deviation of ln m* about the law beyond what the rows' own intervals explain.
    pub scatter: f64,
    /// The logarithm of the likelihood.
    pub log_likelihood: f64,
    /// Akaike's criterion with the correction for few rows; none where it is undefined.
    pub aicc: Option<f64>,
}

impl Fit {
    /// The fitted m at a depth.
    pub fn at(&self, depth: f64) -> f64 {
        (self.log_c + self.b.value * self.law.abscissa(depth)).exp()
    }

    /// exp(b): for the exponential law, the factor by which m grows per layer.
    pub fn growth(&self) -> Estimate {
        self.b.exp()
    }
}

/// Both laws of one curve, over H >= 2.
///
/// The 95 % interval of b is the hull of up to three, since none is enough by itself: the bootstrap's percentiles over starts
/// and data sets (with one data set, or three, it sees little of what separates data sets, and nothing of a law that does
/// not fit); the likelihood's (1.96 standard errors, or Student's t times what the residuals imply); and with three data
/// sets or more, Student's t on the jackknife over data sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Laws {
    /// m = c exp(b H).
    pub exponential: Fit,
    /// m = c H^b.
    pub power: Fit,
    /// n, the rows fitted, and how many of them are censored.
    pub rows: usize,
    /// Rows of which only a lower bound is known.
    pub censored: usize,
    /// Different data sets.
    pub data_sets: usize,
    /// Smallest and largest depth with a required width.
    pub depths: [usize; 2],
    /// AICc of the power law less that of the exponential one: positive where the exponential law fits better. Both have as
    /// many parameters, so the correction for few rows cancels.
    pub preference: f64,
    /// Parts of the resamples in which the exponential and the power law are better by [`MARGIN`].
    pub support: [f64; 2],
    /// What is decided.
    pub verdict: Verdict,
}

impl Laws {
    /// The laws of a curve with [`RESAMPLES`] resamples; none with fewer than [`FEWEST_DEPTHS`] depths from
    /// [`FIRST_DEPTH`] on that have a required width.
    pub fn new(curve: &Curve<'_>) -> Option<Self> {
        Self::with_resamples(curve, RESAMPLES)
    }

    /// The laws of several curves, in their order, on all threads.
    pub fn of_all(curves: &[Curve<'_>]) -> Vec<Option<Self>> {
        curves.par_iter().map(Self::new).collect()
    }

    /// As [`Laws::new`], with so many resamples.
    pub fn with_resamples(curve: &Curve<'_>, count: usize) -> Option<Self> {
        let rows: Vec<&WidthRow> = curve.rows.iter().filter(|row| row.subject.depth >= FIRST_DEPTH).copied().collect();
        let seen = observations(&rows);
        let (distinct, ends) = depths(&seen);
        if distinct < FEWEST_DEPTHS {
            return None;
        }
        let drawn = resamples(&rows, count);
        let [exponential, power] = Law::ALL.map(|law| fit(law, &rows, &seen, &drawn));
        let (exponential, power) = (exponential?, power?);
        let support = support(&drawn);
        let mut laws = Self {
            preference: 2.0 * (exponential.log_likelihood - power.log_likelihood),
            exponential,
            power,
            rows: rows.len(),
            censored: seen.iter().filter(|o| o.censored).count(),
            data_sets: data_sets(&rows).1,
            depths: ends,
            support,
            verdict: Verdict::Undecided,
        };
        laws.verdict = laws.decide();
        Some(laws)
    }

    /// The rule, as [`Verdict`] states it.
    fn decide(&self) -> Verdict {
        let excludes_zero = |fit: &Fit| !fit.b.contains(0.0);
        if self.exponential.aicc.is_some() {
            if self.support[0] >= SHARE && self.preference >= MARGIN && excludes_zero(&self.exponential) {
                return Verdict::Exponential;
            }
            if self.support[1] >= SHARE && -self.preference >= MARGIN && excludes_zero(&self.power) {
                return Verdict::Power;
            }
        }
        let change = self.change();
        let small = change.high <= FLAT && change.low >= 1.0 / FLAT;
        match (small, change.contains(1.0)) {
            (true, true) => Verdict::Flat,
            (true, false) => Verdict::NearlyFlat,
            (false, _) => Verdict::Undecided,
        }
    }

    /// The factor by which m changes over all depths fitted, by the exponential law.
    pub fn change(&self) -> Estimate {
        let layers = (self.depths[1] - self.depths[0]) as f64;
        let Estimate { value, low, high } = self.exponential.b;
        Estimate { value: layers * value, low: layers * low, high: layers * high }.exp()
    }

    /// The fit of a law.
    pub fn of(&self, law: Law) -> &Fit {
        match law {
            Law::Exponential => &self.exponential,
            Law::Power => &self.power,
        }
    }
}

/// Akaike's criterion for `k` parameters and `n` rows, with the correction of Hurvich and Tsai (1989); undefined for
/// n <= k + 1.
pub fn aicc(log_likelihood: f64, k: usize, n: usize) -> Option<f64> {
    let (k, n) = (k as f64, n as f64);
    (n > k + 1.0).then(|| 2.0 * k - 2.0 * log_likelihood + 2.0 * k * (k + 1.0) / (n - k - 1.0))
}

fn place(law: Law) -> usize {
    match law {
        Law::Exponential => 0,
        Law::Power => 1,
    }
}

fn fit(law: Law, rows: &[&WidthRow], seen: &[Observation], drawn: &[Resample]) -> Option<Fit> {
    let line = tobit::fit(law, seen)?;
    let mut slopes: Vec<f64> = drawn.iter().filter_map(|resample| Some(resample[place(law)]?.b)).collect();
    slopes.sort_by(f64::total_cmp);
    let bootstrap = [0.025, 0.975].map(|fraction| quantile(&slopes, fraction).unwrap_or(line.b));
    let between = jackknife(law, rows, seen);
    let half = (Z * line.error).max(student_t(line.freedom) * line.scale * line.error).max(between.half);
    let b = Estimate { value: line.b, low: bootstrap[0].min(line.b), high: bootstrap[1].max(line.b) }.widened(half);
    Some(Fit {
        law,
        log_c: line.log_c,
        b,
        bootstrap,
        error: deviation(&slopes).max(line.error * line.scale.max(1.0)).max(between.error),
        scatter: line.excess.sqrt(),
        log_likelihood: line.log_likelihood,
        aicc: aicc(line.log_likelihood, PARAMETERS, seen.len()),
    })
}

/// A standard error, and half an interval's width.
struct Between {
    error: f64,
    half: f64,
}

/// What the slopes without one data set after the other imply; nothing with fewer than [`FEWEST_SETS`].
fn jackknife(law: Law, rows: &[&WidthRow], seen: &[Observation]) -> Between {
    let (numbers, sets) = data_sets(rows);
    let without = |set: usize| -> Option<Line> {
        let rest = seen.iter().zip(&numbers).filter(|(_, number)| **number != set).map(|(o, _)| *o);
        tobit::fit(law, &rest.collect::<Vec<Observation>>())
    };
    let slopes: Vec<f64> = (0..sets).filter_map(|set| Some(without(set)?.b)).collect();
    if sets < FEWEST_SETS || slopes.len() < sets {
        return Between { error: 0.0, half: 0.0 };
    }
    let error = deviation(&slopes) * (sets as f64 - 1.0) / (sets as f64).sqrt();
    Between { error, half: student_t(sets - 1) * error }
}

/// In which parts of the resamples each law is better by [`MARGIN`]; one that could not be fitted supports neither.
fn support(drawn: &[Resample]) -> [f64; 2] {
    let preferences = drawn.iter().filter_map(|[exponential, power]| {
        Some(2.0 * (exponential.as_ref()?.log_likelihood - power.as_ref()?.log_likelihood))
    });
    let mut counts = [0usize; 2];
    for preference in preferences {
        counts[0] += usize::from(preference >= MARGIN);
        counts[1] += usize::from(-preference >= MARGIN);
    }
    counts.map(|count| count as f64 / drawn.len().max(1) as f64)
}

#[cfg(test)]
mod tests;
