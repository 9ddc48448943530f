//! Maximum likelihood for a straight line through logarithms, some of which are only known to lie above a bound.
//!
//! ln m* of a row is N(ln c + b x, sigma^2 + v): sigma is the row's own, v is what the rows scatter about the law beyond
//! that (data sets that differ, a law that does not fit), one number for all rows. A censored row contributes
//! the probability of lying above its bound (Tobin 1958). Without censored rows this is weighted least squares with
//! weights 1 / (sigma^2 + v).

use super::law::{Law, Observation, depths};

/// Fewest depths with a required width that determine a line.
const FEWEST: usize = 2;
/// log c and b, which the rows also fix.
const COEFFICIENTS: usize = 2;

/// A maximum of the likelihood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// ln c.
    pub log_c: f64,
    /// b.
    pub b: f64,
    /// v, the variance beyond the rows' own.
    pub excess: f64,
    /// The logarithm of the likelihood.
    pub log_likelihood: f64,
    /// The standard error of b, from the observed information at this v.
    pub error: f64,
    /// What `error` is to be multiplied by if the residuals are all that is trusted: the root of the sum of their
    /// squares in units of their variances, over the degrees of freedom.
    pub scale: f64,
    /// Degrees of freedom: rows with a required width, less the two parameters of the line.
    pub freedom: usize,
}

/// Fits `law` by maximum likelihood; none with fewer than two depths that have a required width, or where a number is not
/// finite.
pub fn fit(law: Law, observations: &[Observation]) -> Option<Line> {
    if depths(observations).0 < FEWEST {
        return None;
    }
    let sample = Sample::new(law, observations)?;
    let excess = sample.excess();
    let peak = sample.climb(excess);
    let [_, _, h_bb] = peak.hessian;
    let curvature = h_bb - peak.hessian[1] * peak.hessian[1] / peak.hessian[0];
    let freedom = sample.measured.saturating_sub(COEFFICIENTS);
    let line = Line {
        log_c: peak.line[0] - peak.line[1] * sample.centre,
        b: peak.line[1],
        excess,
        log_likelihood: peak.value,
        error: (-1.0 / curvature).sqrt(),
        scale: if freedom > 0 { (peak.squares / freedom as f64).sqrt() } else { f64::INFINITY },
        freedom,
    };
    (line.b.is_finite() && line.error.is_finite()).then_some(line)
}

/// The data with x centred, so that the two parameters of the line hardly depend on one another.
struct Sample {
    rows: Vec<Centred>,
    centre: f64,
    measured: usize,
}

struct Centred {
    x: f64,
    y: f64,
    variance: f64,
    censored: bool,
}

/// The likelihood at one line and one v.
#[derive(Clone, Copy, Debug)]
struct Peak {
    line: [f64; 2],
    value: f64,
    /// With respect to the line's height and slope.
    gradient: [f64; 2],
    /// Height twice, height and slope, slope twice.
    hessian: [f64; 3],
    /// With respect to v.
    slope_in_excess: f64,
    /// Squares of the residuals of rows with a required width, in units of their variances.
    squares: f64,
}

impl Sample {
    fn new(law: Law, observations: &[Observation]) -> Option<Self> {
        let finite = |o: &Observation| o.log_width.is_finite() && o.sigma.is_finite() && o.depth > 0;
        if !observations.iter().all(finite) {
            return None;
        }
        let x = |o: &Observation| law.abscissa(o.depth as f64);
        let centre = observations.iter().map(x).sum::<f64>() / observations.len() as f64;
        let row = |o: &Observation| Centred {
            x: x(o) - centre,
            y: o.log_width,
            variance: o.sigma * o.sigma,
            censored: o.censored,
        };
        let measured = observations.iter().filter(|o| !o.censored).count();
        Some(Self { rows: observations.iter().map(row).collect(), centre, measured })
    }

    /// The likelihood and its derivatives.
    fn at(&self, line: [f64; 2], excess: f64) -> Peak {
        let mut peak =
            Peak { line, value: 0.0, gradient: [0.0; 2], hessian: [0.0; 3], slope_in_excess: 0.0, squares: 0.0 };
        for row in &self.rows {
            let variance = row.variance + excess;
            let residual = row.y - line[0] - line[1] * row.x;
            // First and second derivative with respect to the line's value at this row.
            let (first, second);
            if row.censored {
                let root = variance.sqrt();
                let z = -residual / root;
                let (log_tail, mills) = below(z);
                peak.value += log_tail;
                first = mills / root;
                second = -mills * (z + mills) / variance;
                peak.slope_in_excess -= 0.5 * mills * z / variance;
            } else {
                let square = residual * residual / variance;
                peak.value -= 0.5 * ((std::f64::consts::TAU * variance).ln() + square);
                first = residual / variance;
                second = -1.0 / variance;
                peak.slope_in_excess += 0.5 * (square - 1.0) / variance;
                peak.squares += square;
            }
            peak.gradient[0] += first;
            peak.gradient[1] += first * row.x;
            peak.hessian[0] += second;
            peak.hessian[1] += second * row.x;
            peak.hessian[2] += second * row.x * row.x;
        }
        peak
    }

    /// The best line for one v, by Newton's method. The logarithm of the likelihood is concave in the line, and quadratic
    /// without censored rows: then one step is exact.
    fn climb(&self, excess: f64) -> Peak {
        const STEPS: usize = 60;
        let mut peak = self.at([self.rows.iter().map(|row| row.y).sum::<f64>() / self.rows.len() as f64, 0.0], excess);
        for _ in 0..STEPS {
            let [hh, hs, ss] = peak.hessian;
            let determinant = hh * ss - hs * hs;
            let step = [
                (hs * peak.gradient[1] - ss * peak.gradient[0]) / determinant,
                (hs * peak.gradient[0] - hh * peak.gradient[1]) / determinant,
            ];
            let gain = step[0] * peak.gradient[0] + step[1] * peak.gradient[1];
            // Also ends where the determinant is 0 and the step is not a number.
            if gain.is_nan() || gain < 1e-13 {
                break;
            }
            let mut part = 1.0;
            let next = loop {
                let next = self.at([peak.line[0] + part * step[0], peak.line[1] + part * step[1]], excess);
                if next.value >= peak.value || part < 1e-9 {
                    break next;
                }
                part /= 2.0;
            };
            if next.value < peak.value {
                break;
            }
            peak = next;
        }
        peak
    }

    /// The v of the largest likelihood: 0 where it falls from there on, else the zero of its derivative along the best
    /// lines, by the Illinois method.
    fn excess(&self) -> f64 {
        const STEPS: usize = 60;
        let slope = |v: f64| self.climb(v).slope_in_excess;
        let scale = self.rows.iter().map(|row| row.variance).sum::<f64>() / self.rows.len() as f64;
        let (mut low, mut at_low) = (0.0, slope(0.0));
        if at_low.is_nan() || at_low <= 0.0 {
            return 0.0;
        }
        let (mut high, mut at_high) = (scale, slope(scale));
        while at_high > 0.0 && high < 1e12 {
            (low, at_low) = (high, at_high);
            high *= 4.0;
            at_high = slope(high);
        }
        for _ in 0..STEPS {
            let middle = high - at_high * (high - low) / (at_high - at_low);
            let at_middle = slope(middle);
            if at_middle == 0.0 || (high - low).abs() < 1e-9 * high.abs() {
                return middle;
            }
            if (at_middle > 0.0) == (at_high > 0.0) {
                at_low /= 2.0;
            } else {
                (low, at_low) = (high, at_high);
            }
            let done = (middle - high).abs() < 1e-9 * middle.abs();
            (high, at_high) = (middle, at_middle);
            if done {
                break;
            }
        }
        high.max(0.0)
    }
}

/// For a standard normal Z: ln P(Z <= z), and the density at z over that probability.
fn below(z: f64) -> (f64, f64) {
    const LOG_ROOT_TAU: f64 = 0.918_938_533_204_672_7;
    if z < -30.0 {
        // The asymptotic series of the tail, Abramowitz and Stegun 26.2.12; its error is below 1e-8 from here on.
        let square = z * z;
        let series = 1.0 - 1.0 / square + 3.0 / (square * square) - 15.0 / square.powi(3);
        return (-0.5 * square - LOG_ROOT_TAU - (-z).ln() + series.ln(), -z / series);
    }
    let tail = 0.5 * libm::erfc(-z / std::f64::consts::SQRT_2);
    (tail.ln(), (-0.5 * z * z - LOG_ROOT_TAU).exp() / tail)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::*;

    fn observations(of: impl Fn(f64) -> f64, depths: std::ops::RangeInclusive<usize>, sigma: f64) -> Vec<Observation> {
        let at = |depth: usize| Observation { depth, log_width: of(depth as f64), sigma, censored: false };
        depths.map(at).collect()
    }

    #[test]
    fn an_exact_exponential_is_found_with_the_propagated_error() {
        let line = fit(Law::Exponential, &observations(|h| 3.0 + 2.3 * h, 1..=4, 0.1)).unwrap();
        assert!((line.b - 2.3).abs() < 1e-12 && (line.log_c - 3.0).abs() < 1e-12);
        // sum (H - mean)^2 = 5, so the standard error of b is 0.1 / sqrt(5).
        assert!((line.error - 0.1 / 5f64.sqrt()).abs() < 1e-12 && line.excess == 0.0);
        // ln L = -n/2 ln(2 pi sigma^2) without residuals.
        let expected = -2.0 * (std::f64::consts::TAU * 0.01).ln();
        assert!((line.log_likelihood - expected).abs() < 1e-9 && line.freedom == 2);
    }

    #[test]
    fn an_exact_power_is_found() {
        let line = fit(Law::Power, &observations(|h| 1.0 - 1.5 * h.ln(), 2..=9, 0.2)).unwrap();
        assert!((line.b + 1.5).abs() < 1e-12 && (line.log_c - 1.0).abs() < 1e-12);
    }

    #[test]
    fn scatter_beyond_the_sigmas_becomes_the_excess() {
        // Residuals of about +-0.5 against sigmas of 0.01: sigma^2 + v is their mean square.
        let wave = |h: f64| 2.0 * h + if (h as usize).is_multiple_of(2) { 0.5 } else { -0.5 };
        let noisy = observations(wave, 1..=10, 0.01);
        let line = fit(Law::Exponential, &noisy).unwrap();
        let square = |o: &Observation| (o.log_width - line.log_c - line.b * o.depth as f64).powi(2);
        let mean = noisy.iter().map(square).sum::<f64>() / 10.0;
        assert!((line.excess + 1e-4 - mean).abs() < 1e-7 * mean, "{line:?} {mean}");
        // Then the residuals in their own units have sum 10, over 8 degrees of freedom.
        assert!((line.scale - 1.25f64.sqrt()).abs() < 1e-6, "{line:?}");
    }

    #[test]
    fn a_wide_interval_counts_for_little() {
        let mut bent = observations(|h| h, 1..=4, 0.1);
        bent.push(Observation { depth: 5, log_width: 50.0, sigma: 1e4, censored: false });
        assert!((fit(Law::Exponential, &bent).unwrap().b - 1.0).abs() < 1e-3);
    }

    #[test]
    fn a_bound_far_below_the_line_says_nothing_and_one_above_pulls() {
        let bare = observations(|h| h, 1..=4, 0.1);
        let with = |log_width: f64| {
            let bound = Observation { depth: 5, log_width, sigma: 0.1, censored: true };
            fit(Law::Exponential, &[bare.clone(), vec![bound]].concat()).unwrap()
        };
        assert!((with(2.0).b - 1.0).abs() < 1e-9);
        assert!(with(7.0).b > 1.05);
        // An unreachable bound is a number all the same.
        assert!(with(500.0).b.is_finite());
    }

    #[test]
    fn censored_data_gives_back_the_parameters_it_was_made_with() {
        let (log_c, b, sigma, excess) = (2.0, 0.7, 0.15, 0.04f64);
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let (mut slopes, mut heights, mut excesses, mut naive, mut covered) = (0.0, 0.0, 0.0, 0.0, 0);
        const RUNS: usize = 400;
        for _ in 0..RUNS {
            let mut sample = Vec::new();
            for depth in (2..=9).cycle().take(24) {
                let noise: f64 = StandardNormal.sample(&mut random);
                let log_width = log_c + b * depth as f64 + noise * (sigma * sigma + excess).sqrt();
                let bound = 6.2;
                let censored = log_width > bound;
                sample.push(Observation { depth, log_width: log_width.min(bound), sigma, censored });
            }
            let line = fit(Law::Exponential, &sample).unwrap();
            let as_measured: Vec<_> = sample.iter().map(|o| Observation { censored: false, ..*o }).collect();
            slopes += line.b;
            heights += line.log_c;
            excesses += line.excess;
            naive += fit(Law::Exponential, &as_measured).unwrap().b;
            covered += usize::from((line.b - b).abs() < 2.1 * line.error * line.scale.max(1.0));
        }
        let mean = |sum: f64| sum / RUNS as f64;
        assert!((mean(slopes) - b).abs() < 0.01, "{}", mean(slopes));
        assert!((mean(heights) - log_c).abs() < 0.04, "{}", mean(heights));
        // Maximum likelihood is biased low by the two parameters of the line.
        assert!((mean(excesses) - excess).abs() < 0.012, "{}", mean(excesses));
        // A bound that is taken for a width flattens the line: the test is one that the likelihood could fail.
        assert!(mean(naive) < b - 0.1, "{}", mean(naive));
        // 95 % of 400, give or take three standard deviations of the binomial.
        assert!((367..=393).contains(&covered), "{covered}");
    }

    #[test]
    fn the_tail_joins_its_asymptotic_series() {
        let (exact, series) = (below(-29.999), below(-30.001));
        // The derivative of the logarithm of the tail is the ratio itself.
        assert!((exact.0 - series.0 - 0.002 * 0.5 * (exact.1 + series.1)).abs() < 1e-6, "{exact:?} {series:?}");
        assert!((exact.1 / series.1 - 1.0).abs() < 1e-4);
        assert!((below(0.0).0 + std::f64::consts::LN_2).abs() < 1e-15);
        assert!(below(-1e8).0.is_finite() && below(9.0).0.abs() < 1e-15);
    }

    #[test]
    fn one_depth_is_too_few_and_what_is_not_finite_is_refused() {
        assert!(fit(Law::Exponential, &observations(|h| h, 3..=3, 0.1)).is_none());
        assert!(fit(Law::Power, &[]).is_none());
        assert!(fit(Law::Power, &observations(|_| f64::NAN, 1..=4, 0.1)).is_none());
        let mut censored = observations(|h| h, 1..=4, 0.1);
        censored.iter_mut().skip(1).for_each(|o| o.censored = true);
        assert!(fit(Law::Exponential, &censored).is_none());
    }
}
