//! The five criteria. None of them is "the" necessary width: each bounds a different quantity.

use std::fmt;
use std::str::FromStr;

/// What must hold at a width that suffices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Criterion {
    /// ||G(0) - K||_2 <= lambda0 / 4: the paper's lemma on the start.
    InitCloseness,
    /// lambda_min(G(0)) >= 3/4 lambda0: what the proof then uses.
    InitPositivity,
    /// sup over k of ||G(k) - G(0)||_2 <= lambda0 / 4 until L <= 1e-4 L(0): the paper's induction.
    Drift,
    /// L(k) <= (1 - eta lambda0 / 2)^k L(0) for all k: the theorem's conclusion.
    Rate,
    /// L <= 1e-4 L(0) within the budget of steps: zero training loss.
    Fit,
}

impl Criterion {
    /// All five.
    pub const ALL: [Self; 5] = [Self::InitCloseness, Self::InitPositivity, Self::Drift, Self::Rate, Self::Fit];

    /// Its name in options and rows.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitCloseness => "init-closeness",
            Self::InitPositivity => "init-positivity",
            Self::Drift => "drift",
            Self::Rate => "rate",
            Self::Fit => "fit",
        }
    }

    /// Whether a network must be trained to see it.
    pub fn trains(self) -> bool {
        matches!(self, Self::Drift | Self::Rate | Self::Fit)
    }

    /// The power p of the law m^(-p) by which what it bounds falls with the width, so that a width beyond the widest run
    /// may be extrapolated. A start is 1/2 away from its limit: sums of m independent terms. Training moves the kernel by
    /// 1 (Huang and Yau 2020; Dyer and Gur-Ari 2020), faster than the paper's proof needs, which bounds the move by 1/2.
    pub fn power_of_width(self) -> Option<f64> {
        match self {
            Self::InitCloseness => Some(0.5),
            Self::Drift => Some(1.0),
            Self::InitPositivity | Self::Rate | Self::Fit => None,
        }
    }
}

impl fmt::Display for Criterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Criterion {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|criterion| criterion.name() == name);
        let names = Self::ALL.map(Self::name).join(", ");
        known.ok_or_else(|| format!("unknown criterion \"{name}\": use {names}"))
    }
}
