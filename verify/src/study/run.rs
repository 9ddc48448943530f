//! Batches, one after another, a row as each cell is done.

use std::collections::HashSet;

use anyhow::Result;
use fathom_model::condition::{Conditions, NOISE};
use fathom_model::population::population;

use super::batch::{Batch, Work};
use super::cell::METHOD;
use super::cost::Speed;
use super::{Cell, Starts};
use crate::interrupt::{self, Interrupted};
use crate::journal::Journal;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::rows::{LambdaRow, Row, Status, WidthRow};

/// A run of some batches into a journal.
pub struct Run<'a> {
    pub journal: &'a mut Journal,
    pub progress: &'a Progress,
    pub provenance: &'a Provenance,
    /// Keys of the rows that the journal has.
    done: HashSet<String>,
}

/// Units of the progress bar: milliseconds at nominal speeds.
pub fn units(batch: &Batch) -> u64 {
    (1e3 * Speed::NOMINAL.seconds(batch, 2)).ceil() as u64
}

impl<'a> Run<'a> {
    /// Goes on from what `journal` has.
    pub fn new(journal: &'a mut Journal, progress: &'a Progress, provenance: &'a Provenance) -> Self {
        let done = journal.rows().iter().filter_map(Row::key).collect();
        Self { journal, progress, provenance, done }
    }

    /// Measures every row of `batches` that the journal lacks.
    ///
    /// # Errors
    /// When a row cannot be written, or the user has asked to stop.
    pub fn all(&mut self, batches: &[Batch]) -> Result<()> {
        let keys: Vec<String> = batches.iter().flat_map(Batch::rows).map(|(key, _)| key).collect();
        for batch in batches {
            if batch.rows().iter().any(|(key, _)| !self.done.contains(key)) {
                self.batch(batch, &keys)?;
            }
            self.progress.advance(units(batch));
        }
        Ok(())
    }

    fn batch(&mut self, batch: &Batch, keys: &[String]) -> Result<()> {
        match &batch.work {
            Work::Widths(cells) => self.widths(batch, cells, keys),
            Work::Predict(prediction) => {
                self.begin(&batch.rows()[0].1, keys)?;
                match prediction.rows(&batch.architecture, &batch.samples, self.provenance) {
                    Ok(rows) => {
                        for row in rows {
                            if row.key().is_none_or(|key| !self.done.contains(&key)) {
                                self.append(row)?;
                            }
                        }
                    }
                    Err(why) => self.progress.line(&format!("note: {why:#}")),
                }
                Ok(())
            }
            Work::Curve(curve) => {
                self.begin(&batch.rows()[0].1, keys)?;
                self.append(curve.measure(&batch.architecture, &batch.samples, self.provenance))
            }
        }
    }

    /// Says what comes next, unless the user has asked to stop.
    fn begin(&self, what: &str, keys: &[String]) -> Result<()> {
        if interrupt::asked() {
            let done = keys.iter().filter(|key| self.done.contains(*key)).count();
            return Err(Interrupted { done, all: keys.len() }.into());
        }
        self.progress.start(what);
        Ok(())
    }

    fn append(&mut self, row: Row) -> Result<()> {
        let key = row.key();
        self.journal.append(row)?;
        self.done.extend(key);
        Ok(())
    }

    fn widths(&mut self, batch: &Batch, cells: &[Cell], keys: &[String]) -> Result<()> {
        let Batch { architecture, samples, .. } = batch;
        self.begin(&cells[0].to_string(), keys)?;
        let limit = population(architecture, &samples.data);
        let conditions = Conditions::of(architecture, &limit);
        let lambda = Row::Lambda(LambdaRow {
            subject: samples.subject(architecture),
            lambda0: conditions.lambda0,
            lambda_max: conditions.lambda_max,
            chi1: architecture.moments().chi1,
            provenance: self.provenance.clone(),
        });
        // JSON has no NaN.
        if conditions.lambda0.is_finite() && lambda.key().is_some_and(|key| !self.done.contains(&key)) {
            self.append(lambda)?;
        }
        let network = (architecture, &samples.data);
        let steps = cells[0].settings.steps;
        let mut starts = conditions
            .resolved
            .then(|| Starts::new(network, (&limit.kernel, conditions.lambda0), steps, cells[0].seed()));
        let mut first = true;
        for cell in cells {
            if self.done.contains(&cell.key()) {
                continue;
            }
            if !std::mem::take(&mut first) {
                self.begin(&cell.to_string(), keys)?;
            }
            let row = match &mut starts {
                Some(starts) => cell.measure(starts, conditions.lambda_max, self.provenance)?,
                None => refuse(cell, batch, &conditions, self.provenance),
            };
            let line = row.to_string();
            self.append(Row::Width(row))?;
            self.progress.line(&line);
        }
        Ok(())
    }
}

/// The row of a cell whose criterion means nothing, because lambda0 is rounding noise.
fn refuse(cell: &Cell, batch: &Batch, conditions: &Conditions, provenance: &Provenance) -> WidthRow {
    let note = if conditions.lambda0.is_finite() {
        format!("lambda0 is below {NOISE:e} lambda_max: rounding noise in double precision")
    } else {
        "K^(H) exceeds the largest number in double precision".to_owned()
    };
    let known = |x: f64| if x.is_finite() { x } else { 0.0 };
    WidthRow {
        subject: cell.subject.clone(),
        criterion: cell.criterion.to_string(),
        width: None,
        low: 1.0,
        high: None,
        status: Status::Censored,
        method: METHOD.to_owned(),
        delta: cell.settings.delta,
        starts: 0,
        max_width: cell.settings.max_width,
        lambda0: known(conditions.lambda0),
        lambda_max: known(conditions.lambda_max),
        tried: Vec::new(),
        parameters_per_sample: batch.architecture.parameters(1.0) / cell.subject.samples as f64,
        seed: cell.settings.seed,
        cell_seed: cell.seed(),
        cell: cell.id(),
        note: Some(note),
        seconds: 0.0,
        provenance: provenance.clone(),
    }
}
