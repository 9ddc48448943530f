//! The two laws, and what they are fitted to.

/// A law for the required width. Both are straight lines: ln m = ln c + b x, with x = H or x = ln H.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// m = c exp(b H).
    Exponential,
    /// m = c H^b.
    Power,
}

impl Law {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Exponential, Self::Power];

    /// x at a depth.
    pub fn abscissa(self, depth: f64) -> f64 {
        match self {
            Law::Exponential => depth,
            Law::Power => depth.ln(),
        }
    }
}

/// One row as a fit sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation {
    /// H.
    pub depth: usize,
    /// ln m*; where censored, the logarithm of the widest width that was run.
    pub log_width: f64,
    /// Standard deviation of ln m*, from the row's interval.
    pub sigma: f64,
    /// Whether m* is only known to lie above.
    pub censored: bool,
}

/// How many different depths have a required width, and the first and the last of them.
pub fn depths(observations: &[Observation]) -> (usize, [usize; 2]) {
    let mut depths: Vec<usize> = observations.iter().filter(|o| !o.censored).map(|o| o.depth).collect();
    depths.sort_unstable();
    depths.dedup();
    (depths.len(), [depths.first().copied().unwrap_or(0), depths.last().copied().unwrap_or(0)])
}
