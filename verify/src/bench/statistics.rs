//! Medians and what else is said about rounds of timings.

use super::team::Batch;
use crate::laws;

/// Seconds a call of one library on one shape, over all rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// In the order of the rounds.
    pub rounds: Vec<f64>,
    /// The share of the rounds in which other programs took a core.
    pub interrupted: f64,
    /// Whether, in any of them, there were fewer cores than threads.
    pub confined: bool,
    /// First quartile, median and third quartile.
    pub quartiles: [f64; 3],
    /// The fastest round.
    pub fastest: f64,
}

impl Times {
    /// Of at least one round.
    pub fn new(batches: &[Batch]) -> Self {
        let rounds: Vec<f64> = batches.iter().map(|batch| batch.seconds).collect();
        let interrupted = batches.iter().filter(|batch| batch.interrupted).count() as f64 / batches.len() as f64;
        let confined = batches.iter().any(|batch| batch.confined);
        let quartiles = QUARTILES.map(|at| quantile(&rounds, at));
        let fastest = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        Self { rounds, interrupted, confined, quartiles, fastest }
    }

    /// In each round the slowest of `all`, of whom there is at least one, and who ran in the same rounds.
    pub fn slowest(all: &[&Self]) -> Self {
        let batch = |round: usize| Batch {
            seconds: all.iter().map(|times| times.rounds[round]).fold(0.0, f64::max),
            interrupted: false,
            confined: all.iter().any(|times| times.confined),
        };
        let slowest = Self::new(&(0..all[0].rounds.len()).map(batch).collect::<Vec<_>>());
        Self { interrupted: all.iter().map(|times| times.interrupted).fold(0.0, f64::max), ..slowest }
    }

    /// The median.
    pub fn median(&self) -> f64 {
        self.quartiles[1]
    }

    /// How many times as fast as `other` this was: the median over the rounds of the quotient in each. What slows a
    /// whole round, such as another program or a lower clock, cancels; in a quotient of medians it would not.
    pub fn times_as_fast_as(&self, other: &Self) -> f64 {
        self.quotients(other)[1]
    }

    /// The quartiles and, between them, the median of [`Self::times_as_fast_as`].
    pub fn quotients(&self, other: &Self) -> [f64; 3] {
        let quotients: Vec<f64> = other.rounds.iter().zip(&self.rounds).map(|(other, own)| other / own).collect();
        QUARTILES.map(|at| quantile(&quotients, at))
    }
}

const QUARTILES: [f64; 3] = [0.25, 0.5, 0.75];

/// The `at`-quantile of `values`, of which there must be some.
fn quantile(values: &[f64], at: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    laws::quantile(&sorted, at).expect("a measurement has rounds")
}

/// The geometric mean; 1 of nothing.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, count), value| (sum + value.ln(), count + 1));
    (sum / f64::from(count.max(1))).exp()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Rounds that nothing interrupted.
    pub fn times(seconds: &[f64]) -> Times {
        Times::new(
            &seconds.iter().map(|&seconds| Batch { seconds, interrupted: false, confined: false }).collect::<Vec<_>>(),
        )
    }

    #[test]
    fn quartiles_interpolate() {
        let found = times(&[4.0, 1.0, 3.0, 2.0]);
        assert_eq!(found.quartiles, [1.75, 2.5, 3.25]);
        assert_eq!((found.fastest, found.median()), (1.0, 2.5));
        assert_eq!(times(&[7.0]).quartiles, [7.0; 3]);
    }

    #[test]
    fn interruptions_are_a_share_of_the_rounds() {
        let batch = |interrupted| Batch { seconds: 1.0, interrupted, confined: false };
        assert_eq!(Times::new(&[batch(true), batch(false), batch(false), batch(false)]).interrupted, 0.25);
    }

    #[test]
    fn a_slow_round_cancels_in_the_ratio() {
        let (ours, theirs) = (times(&[1.0, 10.0, 10.0]), times(&[2.0, 20.0, 2.0]));
        assert_eq!(ours.times_as_fast_as(&theirs), 2.0);
        assert_eq!(ours.quotients(&theirs), [1.1, 2.0, 2.0]);
        assert_eq!(theirs.times_as_fast_as(&ours), 0.5);
        assert_eq!(theirs.median() / ours.median(), 0.2);
    }

    #[test]
    fn the_slowest_is_taken_round_by_round() {
        let slowest = Times::slowest(&[&times(&[1.0, 4.0, 2.0]), &times(&[3.0, 2.0, 2.0])]);
        assert_eq!((&*slowest.rounds, slowest.median()), (&[3.0, 4.0, 2.0][..], 3.0));
    }

    #[test]
    fn the_mean_of_ratios_is_geometric() {
        assert!((geometric_mean([0.5, 2.0, 8.0]) - 2.0).abs() < 1e-15);
        assert_eq!(geometric_mean([]), 1.0);
    }
}
