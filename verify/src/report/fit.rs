//! Straight lines through log m: m = c exp(b H) and m = c H^b, by weighted least squares.

/// The 97.5 % point of the normal distribution: a 95 % interval is this many standard deviations to either side.
pub const Z: f64 = 1.959_963_984_540_054;

/// The law that is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// m = c exp(b H).
    Exponential,
    /// m = c H^b.
    Power,
}

impl Law {
    fn abscissa(self, depth: f64) -> f64 {
        match self {
            Law::Exponential => depth,
            Law::Power => depth.ln(),
        }
    }
}

/// One depth, one required width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// H.
    pub depth: usize,
    /// ln m*.
    pub log_width: f64,
    /// Standard deviation of ln m*.
    pub sigma: f64,
}

impl Point {
    /// The point of a width with its 95 % interval; none when a logarithm does not exist. An interval of no width
    /// would outweigh all others, so sigma is at least the logarithm of 2^(1/8), the step at which a search by
    /// bisection reasonably ends.
    pub fn new(depth: usize, width: f64, low: f64, high: Option<f64>) -> Option<Self> {
        let floor = std::f64::consts::LN_2 / 8.0;
        let sigma = match high {
            Some(high) => (high / low).ln() / (2.0 * Z),
            None => (width / low).ln() / Z,
        };
        let log_width = width.ln();
        (depth > 0 && log_width.is_finite()).then(|| Self {
            depth,
            log_width,
            sigma: if sigma.is_finite() { sigma.max(floor) } else { floor },
        })
    }
}

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// Whether `value` lies in the interval.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// A fitted law.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Which law.
    pub law: Law,
    /// ln c.
    pub log_c: f64,
    /// b with its 95 % interval.
    pub b: Estimate,
    /// Depths that it was fitted to.
    pub points: usize,
    /// Smallest and largest of these depths.
    pub depths: [usize; 2],
}

/// Fewest depths that a line is fitted to: two always lie on one.
pub const FEWEST: usize = 3;

impl Fit {
    /// Fits `law`; none with fewer than [`FEWEST`] depths.
    ///
    /// The half-width of b's interval is the larger of two: 1.96 standard errors as the points' own sigmas imply, and
    /// Student's t times the standard error as their scatter about the line implies.
    pub fn new(law: Law, points: &[Point]) -> Option<Self> {
        let mut depths: Vec<usize> = points.iter().map(|point| point.depth).collect();
        depths.sort_unstable();
        depths.dedup();
        if depths.len() < FEWEST {
            return None;
        }
        let weighted = |of: &dyn Fn(&Point) -> f64| -> f64 { points.iter().map(|p| of(p) / p.sigma.powi(2)).sum() };
        let x = |point: &Point| law.abscissa(point.depth as f64);
        let weight = weighted(&|_| 1.0);
        let mean_x = weighted(&x) / weight;
        let mean_y = weighted(&|p| p.log_width) / weight;
        let spread = weighted(&|p| (x(p) - mean_x).powi(2));
        let b = weighted(&|p| (x(p) - mean_x) * (p.log_width - mean_y)) / spread;
        let log_c = mean_y - b * mean_x;

        let freedom = points.len() - 2;
        let scatter = weighted(&|p| (p.log_width - log_c - b * x(p)).powi(2)) / freedom as f64;
        let half = (Z / spread.sqrt()).max(student_t(freedom) * (scatter / spread).sqrt());
        Some(Self {
            law,
            log_c,
            b: Estimate { value: b, low: b - half, high: b + half },
            points: points.len(),
            depths: [depths[0], depths[depths.len() - 1]],
        })
    }

    /// The fitted m at a depth.
    pub fn at(&self, depth: f64) -> f64 {
        (self.log_c + self.b.value * self.law.abscissa(depth)).exp()
    }

    /// exp(b): for the exponential law, the factor by which m grows per layer.
    pub fn growth(&self) -> Estimate {
        Estimate { value: self.b.value.exp(), low: self.b.low.exp(), high: self.b.high.exp() }
    }
}

/// The 97.5 % point of Student's t: NIST/SEMATECH e-Handbook, table 1.3.6.7.2, up to 30 degrees of freedom, and beyond
/// that Abramowitz and Stegun 26.7.5 (there right to five digits).
fn student_t(freedom: usize) -> f64 {
    const TABLE: [f64; 30] = [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ];
    if let Some(&t) = TABLE.get(freedom.saturating_sub(1)) {
        return t;
    }
    let n = freedom as f64;
    Z + (Z.powi(3) + Z) / (4.0 * n) + (5.0 * Z.powi(5) + 16.0 * Z.powi(3) + 3.0 * Z) / (96.0 * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: impl Fn(f64) -> f64, depths: std::ops::RangeInclusive<usize>, sigma: f64) -> Vec<Point> {
        depths.map(|depth| Point { depth, log_width: of(depth as f64), sigma }).collect()
    }

    #[test]
    fn an_exact_exponential_is_found_with_the_propagated_interval() {
        let fit = Fit::new(Law::Exponential, &points(|h| 3.0 + 2.3 * h, 1..=4, 0.1)).unwrap();
        assert!((fit.b.value - 2.3).abs() < 1e-12 && (fit.log_c - 3.0).abs() < 1e-12);
        // sum (H - mean)^2 = 5, so the standard error of b is 0.1 / sqrt(5).
        assert!((fit.b.high - fit.b.value - Z * 0.1 / 5f64.sqrt()).abs() < 1e-12);
        assert!((fit.growth().value - 2.3f64.exp()).abs() < 1e-10);
        assert!((fit.at(2.0).ln() - 7.6).abs() < 1e-12);
        assert_eq!((fit.points, fit.depths), (4, [1, 4]));
    }

    #[test]
    fn an_exact_power_is_found() {
        let fit = Fit::new(Law::Power, &points(|h| 1.0 - 1.5 * h.ln(), 2..=9, 0.2)).unwrap();
        assert!((fit.b.value + 1.5).abs() < 1e-12 && (fit.log_c - 1.0).abs() < 1e-12);
        assert!((fit.at(4.0).ln() - (1.0 - 1.5 * 4f64.ln())).abs() < 1e-12);
    }

    #[test]
    fn scatter_beyond_the_sigmas_widens_the_interval() {
        // Residuals of +-0.5 against sigmas of 0.01: the interval must come from the scatter.
        let noisy = points(|h| 2.0 * h + if (h as usize).is_multiple_of(2) { 0.5 } else { -0.5 }, 1..=10, 0.01);
        let fit = Fit::new(Law::Exponential, &noisy).unwrap();
        let spread: f64 = (1..=10).map(|h| (f64::from(h) - 5.5).powi(2)).sum();
        let residuals: f64 =
            noisy.iter().map(|p| (p.log_width - fit.log_c - fit.b.value * p.depth as f64).powi(2)).sum();
        let expected = 2.306 * (residuals / 8.0 / spread).sqrt();
        assert!((fit.b.high - fit.b.value - expected).abs() < 1e-9);
        assert!(fit.b.contains(2.0));
    }

    #[test]
    fn a_wide_interval_counts_for_little() {
        let mut bent = points(|h| h, 1..=4, 0.1);
        bent.push(Point { depth: 5, log_width: 50.0, sigma: 1e4 });
        assert!((Fit::new(Law::Exponential, &bent).unwrap().b.value - 1.0).abs() < 1e-3);
    }

    #[test]
    fn two_depths_are_too_few() {
        assert!(Fit::new(Law::Exponential, &points(|h| h, 1..=2, 0.1)).is_none());
        assert!(Fit::new(Law::Power, &[]).is_none());
    }

    #[test]
    fn a_point_floors_its_sigma_and_refuses_what_has_no_logarithm() {
        let floor = std::f64::consts::LN_2 / 8.0;
        assert_eq!(Point::new(1, 64.0, 64.0, Some(64.0)).unwrap().sigma, floor);
        assert_eq!(Point::new(1, 64.0, 0.0, Some(64.0)).unwrap().sigma, floor);
        let wide = Point::new(1, 64.0, 16.0, Some(256.0)).unwrap().sigma;
        assert!((wide - 16f64.ln() / (2.0 * Z)).abs() < 1e-12);
        assert!(Point::new(1, 0.0, 1.0, None).is_none() && Point::new(0, 1.0, 1.0, None).is_none());
    }

    #[test]
    fn student_t_joins_its_table() {
        assert_eq!(student_t(1), 12.706);
        assert!((student_t(31) - 2.0395).abs() < 1e-4 && (student_t(120) - 1.9799).abs() < 1e-4);
    }
}
