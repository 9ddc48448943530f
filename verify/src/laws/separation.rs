//! Whether two networks grow differently with depth.

use super::estimate::Estimate;
use super::verdict::Laws;

/// The difference of two growth rates, ln growth per layer, in units of its standard error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Separation {
    /// The difference, with a 95 % interval.
    pub difference: Estimate,
    /// Its standard error.
    pub error: f64,
}

impl Separation {
    /// How much faster the first grows than the second; the two are measured independently of one another.
    pub fn new(first: &Laws, second: &Laws) -> Self {
        let (a, b) = (&first.exponential, &second.exponential);
        let value = a.b.value - b.b.value;
        // The intervals need not be symmetric: each contributes its nearer side (Zou and Donner 2008).
        let low = value - (a.b.value - a.b.low).hypot(b.b.high - b.b.value);
        let high = value + (a.b.high - a.b.value).hypot(b.b.value - b.b.low);
        Self { difference: Estimate { value, low, high }, error: a.error.hypot(b.error) }
    }

    /// The difference in standard errors.
    pub fn z(&self) -> f64 {
        self.difference.value / self.error
    }
}
