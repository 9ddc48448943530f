//! Exact binomial tests of a pass rate.

/// Of n starts, how many passes refute a pass rate of `rate`, from below and from above, each with 97.5 % confidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// At most this many passes: the rate is smaller.
    pub too_few: usize,
    /// At least this many passes: the rate is larger.
    pub enough: usize,
}

/// One side of a 95 % interval.
const TAIL: f64 = 0.025;

impl Verdict {
    /// The two counts, or `None` when `n` starts can never refute the rate on both sides.
    pub fn new(n: usize, rate: f64) -> Option<Self> {
        let mass = masses(n, rate);
        // How many counts from an end have no more than the tail together.
        let within = |masses: &mut dyn Iterator<Item = &f64>| {
            let sums = masses.scan(0.0, |sum, mass| {
                *sum += mass;
                Some(*sum)
            });
            sums.take_while(|&sum| sum <= TAIL).count()
        };
        let too_few = within(&mut mass.iter()).checked_sub(1)?;
        let enough = n + 1 - within(&mut mass.iter().rev());
        (enough <= n).then_some(Self { too_few, enough })
    }

    /// The fewest starts that can refute the rate on both sides.
    pub fn fewest_starts(rate: f64) -> usize {
        // All of them pass, or none does.
        let least = |rate: f64| (TAIL.ln() / rate.ln()).ceil();
        least(rate).max(least(1.0 - rate)) as usize
    }
}

/// P(X = k) for k = 0..=n, X binomial.
fn masses(n: usize, rate: f64) -> Vec<f64> {
    let mut log_choose = 0.0;
    (0..=n)
        .map(|k| {
            if k > 0 {
                log_choose += ((n - k + 1) as f64 / k as f64).ln();
            }
            (log_choose + k as f64 * rate.ln() + (n - k) as f64 * (1.0 - rate).ln()).exp()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_agree_with_tables() {
        // P(X <= 5 | 20, 1/2) = 0.0207, P(X <= 6) = 0.0577; six heads of six have probability 1/64.
        assert_eq!(Verdict::new(20, 0.5), Some(Verdict { too_few: 5, enough: 15 }));
        assert_eq!(Verdict::new(6, 0.5), Some(Verdict { too_few: 0, enough: 6 }));
        assert_eq!(Verdict::new(5, 0.5), None);
        assert_eq!(Verdict::fewest_starts(0.5), 6);
        // 0.9^36 = 0.0225, 0.9^35 = 0.025032.
        assert_eq!(Verdict::fewest_starts(0.9), 36);
        for rate in [0.5, 0.9, 0.99, 0.3] {
            let fewest = Verdict::fewest_starts(rate);
            assert!(Verdict::new(fewest, rate).is_some() && Verdict::new(fewest - 1, rate).is_none(), "{rate}");
        }
        assert_eq!(Verdict::fewest_starts(1.0 - 1e-4), 36_887);
    }

    #[test]
    fn masses_add_up_to_one() {
        for (n, rate) in [(1, 0.5), (20, 0.9), (500, 0.3)] {
            assert!((masses(n, rate).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }
}
