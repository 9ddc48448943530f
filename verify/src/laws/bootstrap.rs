//! What the starts and the data sets might have shown instead.
//!
//! One resample draws as many data sets as there are, with replacement; within each row it draws the passing starts at
//! each width from the binomial distribution with the rate that was seen, and moves ln m* by as much as the
//! crossing of the isotonic regression moves. An extrapolated m* was not found by counting passes: it is drawn from the
//! normal distribution that its interval implies. Both laws are fitted to each resample.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Binomial, Distribution, StandardNormal};
use sha2::{Digest, Sha256};

use super::curve::{data_sets, observations};
use super::isotonic::{Isotonic, Passes};
use super::law::{Law, Observation};
use super::tobit::{self, Line};
use crate::rows::{Status, WidthRow};

/// The fits to one resample: none where it has too few depths with a required width.
pub type Resample = [Option<Line>; 2];

/// Fits [`Law::ALL`] to `count` resamples of the rows of one curve. The generator's seed is a hash of what the rows say, so
/// the same rows give the same resamples in any file and on any machine.
pub fn resamples(rows: &[&WidthRow], count: usize) -> Vec<Resample> {
    let (numbers, sets) = data_sets(rows);
    let mut of_set: Vec<Vec<Source>> = (0..sets).map(|_| Vec::new()).collect();
    let mut isotonic = Isotonic::default();
    for ((row, number), observation) in rows.iter().zip(numbers).zip(observations(rows)) {
        of_set[number].push(Source::new(row, observation, &mut isotonic));
    }
    let mut random = ChaCha8Rng::from_seed(seed(rows));
    let mut drawn = Vec::with_capacity(rows.len());
    (0..count)
        .map(|_| {
            drawn.clear();
            for _ in 0..sets {
                let set = if sets > 1 { random.random_range(0..sets as u32) as usize } else { 0 };
                drawn.extend(of_set[set].iter().map(|source| source.draw(&mut random, &mut isotonic)));
            }
            Law::ALL.map(|law| tobit::fit(law, &drawn))
        })
        .collect()
}

/// A hash of the numbers that a fit or a resample sees.
fn seed(rows: &[&WidthRow]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for row in rows {
        let subject = serde_json::to_string(&row.subject).expect("a subject is plain data");
        let found = (row.width, row.low, row.high, row.delta, row.status == Status::Censored);
        hash.update(format!("{} {subject} {found:?}", row.criterion));
        for run in &row.tried {
            hash.update(format!(" {} {} {}", run.width, run.passes, run.starts));
        }
    }
    hash.finalize().into()
}

/// Where the observation of a row comes from.
struct Source {
    observation: Observation,
    chance: Chance,
}

enum Chance {
    /// The bound stays.
    Bound,
    /// m* has a normal distribution.
    Normal,
    /// m* is a crossing of pass rates.
    Passes {
        runs: Vec<Run>,
        rate: f64,
        /// What was seen.
        crossing: f64,
    },
}

struct Run {
    seen: Passes,
    /// None where all passed or all failed: that is what every resample shows.
    binomial: Option<Binomial>,
}

impl Source {
    fn new(row: &WidthRow, observation: Observation, isotonic: &mut Isotonic) -> Self {
        if observation.censored {
            return Self { observation, chance: Chance::Bound };
        }
        let rate = 1.0 - row.delta;
        let mut runs: Vec<Run> = row.tried.iter().filter(|tried| tried.starts > 0).map(Run::new).collect();
        runs.sort_by(|a, b| a.seen.log_width.total_cmp(&b.seen.log_width));
        let crossing = isotonic.crossing(runs.iter().map(|run| run.seen), rate);
        let chance = match crossing {
            Some(crossing) if row.status == Status::Measured => Chance::Passes { runs, rate, crossing },
            _ => Chance::Normal,
        };
        Self { observation, chance }
    }

    fn draw(&self, random: &mut ChaCha8Rng, isotonic: &mut Isotonic) -> Observation {
        let seen = self.observation;
        match &self.chance {
            Chance::Bound => seen,
            Chance::Normal => {
                let normal: f64 = StandardNormal.sample(random);
                Observation { log_width: seen.log_width + seen.sigma * normal, ..seen }
            }
            Chance::Passes { runs, rate, crossing } => {
                match isotonic.crossing(runs.iter().map(|run| run.draw(random)), *rate) {
                    Some(moved) => Observation { log_width: seen.log_width + moved - crossing, ..seen },
                    // Too few pass even at the widest run.
                    None => {
                        let widest = runs.last().map_or(seen.log_width, |run| run.seen.log_width);
                        Observation { log_width: widest, censored: true, ..seen }
                    }
                }
            }
        }
    }
}

impl Run {
    fn new(tried: &crate::rows::Tried) -> Self {
        let (passes, starts) = (tried.passes as u64, tried.starts as u64);
        let seen = Passes { log_width: (tried.width as f64).ln(), passes, starts };
        let mixed = passes > 0 && passes < starts;
        let binomial = mixed.then(|| Binomial::new(starts, passes as f64 / starts as f64).ok()).flatten();
        Self { seen, binomial }
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> Passes {
        let passes = self.binomial.as_ref().map_or(self.seen.passes, |binomial| binomial.sample(random));
        Passes { passes, ..self.seen }
    }
}
