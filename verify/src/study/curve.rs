//! The loss of one network, step by step.

use fathom_model::Architecture;
use fathom_model::condition::Conditions;
use fathom_model::population::population;

use super::starts::{finite, train};
use crate::provenance::Provenance;
use crate::rows::{CurveRow, Row, Subject, thinned};
use crate::samples::Samples;

/// Steps of a row at most, but for the last.
const STEPS: usize = 200;

/// One training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Curve {
    pub width: usize,
    /// Steps of descent at most.
    pub steps: usize,
    pub seed: u64,
}

impl Curve {
    /// What its row is recognised by.
    pub fn key(&self, subject: &Subject) -> String {
        CurveRow::key(subject, self.width, self.seed)
    }

    /// Trains the network.
    pub fn measure(&self, architecture: &Architecture, samples: &Samples, provenance: &Provenance) -> Row {
        let lambda0 = Conditions::of(architecture, &population(architecture, &samples.data)).lambda0;
        let run = train(architecture, &samples.data, self.width, self.seed, self.steps);
        let steps = thinned(run.loss.len(), STEPS);
        Row::Curve(CurveRow {
            subject: samples.subject(architecture),
            width: self.width,
            eta: finite(run.eta),
            lambda0,
            loss: steps.iter().map(|&k| finite(run.loss[k])).collect(),
            steps,
            drift: finite(run.drift / lambda0),
            seed: self.seed,
            provenance: provenance.clone(),
        })
    }
}
