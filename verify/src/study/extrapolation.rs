//! Beyond the widest run: m* by the law that what the criterion bounds falls as m^(-p), and only where the runs show it.

use super::search::Ratios;

/// Widths on which the law must be seen.
const WIDTHS: usize = 4;

/// An extrapolated m* and its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Extrapolated {
    pub width: f64,
    pub low: f64,
    pub high: f64,
    /// The law's p.
    pub power: f64,
    /// The slope of log ratio against log m that the runs show, and its standard error.
    pub slope: f64,
    pub error: f64,
}

/// Extrapolates by the law m^(-`power`) from the four widest runs, each at least 1.5 times the one before; says why when
/// it cannot.
pub fn extrapolate(ratios: &Ratios, rate: f64, power: f64) -> Result<Extrapolated, String> {
    let mut runs: Vec<(f64, &[f64])> = Vec::new();
    for (&width, starts) in ratios.iter().rev() {
        let far = runs.last().is_none_or(|&(wider, _)| width as f64 * 1.5 <= wider);
        if far && runs.len() < WIDTHS && starts.iter().all(|r| r.is_finite() && *r > 0.0 && *r < f64::MAX) {
            runs.push((width as f64, starts));
        }
    }
    if runs.len() < WIDTHS {
        return Err(format!("only {} widths to show the m^-{power} law on", runs.len()));
    }
    let (slope, error) = slope(&runs);
    if (slope + power).abs() > 2.0 * error.max(0.02) || error > 0.1 {
        return Err(format!("the m^-{power} law does not hold: slope {slope:.2} +- {error:.2}"));
    }
    // All starts, moved to the widest width by the law; then the quantile of the pass rate, by order statistics.
    let widest = runs[0].0;
    let mut moved: Vec<f64> =
        runs.iter().flat_map(|(width, starts)| starts.iter().map(move |r| r * (width / widest).powf(power))).collect();
    moved.sort_by(f64::total_cmp);
    let n = moved.len() as f64;
    let spread = 1.96 * (n * rate * (1.0 - rate)).sqrt();
    let at = |rank: f64| moved[(rank.round().max(1.0) as usize - 1).min(moved.len() - 1)];
    let width = |rank: f64| widest * at(rank).powf(1.0 / power);
    // The law itself is known to the slope's error, over the distance that it is stretched.
    let middle = width(n * rate);
    let stretch = (1.96 * error / power * (middle / widest).ln().abs()).exp();
    Ok(Extrapolated {
        width: middle,
        low: width(n * rate - spread) / stretch,
        high: width(n * rate + spread + 1.0) * stretch,
        power,
        slope,
        error,
    })
}

/// Least squares of the mean log ratio on log m, and its standard error from the scatter of the starts.
fn slope(runs: &[(f64, &[f64])]) -> (f64, f64) {
    let points: Vec<(f64, f64, f64)> = runs
        .iter()
        .map(|(width, starts)| {
            let n = starts.len() as f64;
            let mean = starts.iter().map(|r| r.ln()).sum::<f64>() / n;
            let variance = starts.iter().map(|r| (r.ln() - mean).powi(2)).sum::<f64>() / (n - 1.0);
            (width.ln(), mean, variance / n)
        })
        .collect();
    let centre = points.iter().map(|p| p.0).sum::<f64>() / points.len() as f64;
    let spread: f64 = points.iter().map(|p| (p.0 - centre).powi(2)).sum();
    let slope = points.iter().map(|p| (p.0 - centre) * p.1).sum::<f64>() / spread;
    let variance = points.iter().map(|p| (p.0 - centre).powi(2) * p.2).sum::<f64>() / spread.powi(2);
    (slope, variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratios(power: f64) -> Ratios {
        // Starts that spread by a fifth around 8 (100 / m)^power.
        let start =
            |m: usize, i: usize| 8.0 * (100.0 / m as f64).powf(power) * (0.8 + 0.02 * ((i * 7 + m) % 21) as f64);
        [100, 200, 400, 800].map(|m| (m, (0..20).map(|i| start(m, i)).collect())).into()
    }

    #[test]
    fn the_law_reaches_the_width_it_implies() {
        // 8 (100 / m)^p = 1 at m = 100 8^(1/p), where p is seen on starts that lie above 1 to the last width.
        for (power, expected) in [(0.5, 6400.0), (0.8, 1345.4)] {
            let found = extrapolate(&ratios(power), 0.5, power).unwrap();
            assert!(found.low < expected && expected < found.high, "{found:?}");
            assert!((found.width / expected).ln().abs() < 0.1, "{found:?}");
        }
    }

    #[test]
    fn without_the_law_there_is_no_extrapolation() {
        let slow = extrapolate(&ratios(0.2), 0.5, 0.5).unwrap_err();
        assert!(slow.contains("does not hold"), "{slow}");
        let few = ratios(0.5).split_off(&300);
        assert!(extrapolate(&few, 0.5, 0.5).unwrap_err().contains("only 2 widths"));
    }
}
