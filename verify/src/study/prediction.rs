//! Required widths by the delta method, which no width limits.

use anyhow::{Context, Result};
use fathom_model::Architecture;
use fathom_model::fluctuation::Fluctuation;
use sha2::{Digest, Sha256};

use super::Criterion;
use crate::provenance::Provenance;
use crate::rows::{PredictedRow, Row, Subject};
use crate::samples::{Samples, hex};

/// The predictions for one subject, which share their draws.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// Of those that look at the start.
    pub criteria: Vec<Criterion>,
    /// Allowed fraction of failing starts.
    pub delta: f64,
    /// Draws from the limiting law.
    pub draws: usize,
    pub seed: u64,
}

impl Prediction {
    /// What the row of each criterion is recognised by.
    pub fn keys(&self, subject: &Subject) -> Vec<String> {
        self.criteria.iter().map(|&criterion| format!("predicted {}", self.id(subject, criterion))).collect()
    }

    /// SHA-256 of all that a row depends on.
    fn id(&self, subject: &Subject, criterion: Criterion) -> String {
        let Self { delta, draws, seed, .. } = self;
        hex(&Sha256::digest(format!("fathom.predicted/1 {} {criterion} {delta} {draws} {seed}", subject.key())))
    }

    /// Whether there is one for these samples.
    pub fn exists(architecture: &Architecture, samples: &Samples) -> bool {
        Fluctuation::new(architecture, &samples.data).is_ok()
    }

    /// One row for each criterion.
    ///
    /// # Errors
    /// When lambda_0 is rounding noise, or there are too many points.
    pub fn rows(&self, architecture: &Architecture, samples: &Samples, provenance: &Provenance) -> Result<Vec<Row>> {
        let subject = samples.subject(architecture);
        let fluctuation = Fluctuation::new(architecture, &samples.data)
            .with_context(|| format!("{} cannot be predicted and is left out", subject.name()))?;
        let draws = fluctuation.draw(self.draws, self.seed);
        let lambda0 = fluctuation.lambda0();
        let row = |&criterion: &Criterion| {
            let found = match criterion {
                Criterion::InitPositivity => draws.positivity(self.delta),
                _ => draws.closeness(self.delta),
            };
            Row::Predicted(PredictedRow {
                subject: subject.clone(),
                criterion: criterion.to_string(),
                delta: self.delta,
                width: found.width,
                low: found.low,
                high: found.high,
                draws: found.draws,
                lambda0,
                lemma_width: (subject.samples as f64 / lambda0).powi(2),
                seed: self.seed,
                cell: self.id(&subject, criterion),
                provenance: provenance.clone(),
            })
        };
        Ok(self.criteria.iter().map(row).collect())
    }
}
