//! `reproduce` and `report`: check, measure, draw.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use fathom_kernels::Activation;
use fathom_model::condition::Conditions;
use fathom_model::population::population;
use fathom_model::{Architecture, Kind};

use crate::cli::{DataArgs, Profile, ReportArgs, ReproduceArgs, SearchArgs};
use crate::journal::Journal;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::rows::{CurveRow, Row};
use crate::samples::Samples;
use crate::study::{Criterion, train};
use crate::width::Sweep;

/// What a profile measures.
struct Plan {
    /// Deepest network for the init criteria, and for those that train.
    init_depth: usize,
    trained_depth: usize,
    /// Widest network for either.
    init_width: usize,
    trained_width: usize,
    /// Starts at each width for either.
    init_starts: usize,
    trained_starts: usize,
    /// Steps of descent.
    steps: usize,
    /// Widths and depth of the runs whose loss is drawn.
    curve_width: usize,
    curve_depth: usize,
}

impl Profile {
    fn plan(self) -> Plan {
        match self {
            Self::Quick => Plan {
                init_depth: 4,
                trained_depth: 3,
                init_width: 1 << 20,
                trained_width: 512,
                init_starts: 20,
                trained_starts: 6,
                steps: 1000,
                curve_width: 512,
                curve_depth: 3,
            },
            Self::Standard => Plan {
                init_depth: 6,
                trained_depth: 4,
                init_width: 1 << 23,
                trained_width: 1024,
                init_starts: 40,
                trained_starts: 10,
                steps: 3000,
                curve_width: 1024,
                curve_depth: 4,
            },
            Self::Full => Plan {
                init_depth: 8,
                trained_depth: 6,
                init_width: 1 << 25,
                trained_width: 4096,
                init_starts: 100,
                trained_starts: 20,
                steps: 10_000,
                curve_width: 2048,
                curve_depth: 6,
            },
        }
    }
}
