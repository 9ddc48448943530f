//! The cells of a study, run one after another, a row as each is done.

use std::collections::BTreeSet;

use anyhow::Result;
use fathom_kernels::Activation;
use fathom_model::condition::{Conditions, NOISE};
use fathom_model::population::population;
use fathom_model::{Architecture, Kind};

use super::cell::METHOD;
use super::{Cell, Criterion, Settings, Starts};
use crate::cli::SearchArgs;
use crate::journal::Journal;
use crate::progress::Progress;
use crate::provenance::Provenance;
use crate::rows::{LambdaRow, Row, Status, WidthRow};
use crate::samples::Samples;

/// The cells of one data set and activation.
pub struct Sweep {
    pub samples: Samples,
    pub activation: Activation,
    pub c_res: f64,
    pub kinds: Vec<Kind>,
    /// The criteria, each with its depths.
    pub criteria: Vec<(Criterion, Vec<usize>)>,
    pub search: SearchArgs,
    pub seed: u64,
}

impl Sweep {
    /// Refuses settings that some cell could not be measured with, before any is.
    ///
    /// # Errors
    /// When there is one.
    pub fn validate(&self) -> Result<()> {
        for (_, cell) in self.cells()? {
            cell.settings.verdict()?;
        }
        Ok(())
    }

    fn settings(&self, criterion: Criterion) -> Settings {
        let (widest, starts) = if criterion.trains() { (1024, 6) } else { (1 << 20, 20) };
        Settings {
            max_width: self.search.max_width.unwrap_or(widest).max(1),
            starts: self.search.starts.unwrap_or(starts),
            delta: self.search.delta,
            steps: self.search.steps,
            seed: self.seed,
        }
    }

    /// Every architecture, and every depth that some criterion asks for.
    fn architectures(&self) -> Result<Vec<Architecture>> {
        let depths: BTreeSet<usize> = self.criteria.iter().flat_map(|(_, depths)| depths).copied().collect();
        let mut all = Vec::new();
        for &kind in &self.kinds {
            for &depth in &depths {
                all.push(Architecture::new(kind, depth, self.c_res, self.activation, self.samples.patches)?);
            }
        }
        Ok(all)
    }

    /// Every cell, those of one architecture and depth side by side.
    pub fn cells(&self) -> Result<Vec<(Architecture, Cell)>> {
        let mut cells = Vec::new();
        for architecture in self.architectures()? {
            let asked = self.criteria.iter().filter(|(_, depths)| depths.contains(&architecture.depth()));
            for &(criterion, _) in asked {
                let subject = self.samples.subject(&architecture);
                cells.push((architecture, Cell { subject, criterion, settings: self.settings(criterion) }));
            }
        }
        Ok(cells)
    }

    /// Units of work, for the progress bar: training weighs more, and so does depth.
    pub fn work(&self) -> u64 {
        let weight = |criterion: Criterion| if criterion.trains() { 4 } else { 3 };
        let cells = self.cells().unwrap_or_default();
        cells.iter().map(|(a, cell)| weight(cell.criterion) * a.depth() as u64).sum()
    }

    /// Measures every cell whose row the journal lacks, and the infinitely wide networks.
    ///
    /// # Errors
    /// When the settings describe no network, or a row cannot be written.
    pub fn run(&self, journal: &mut Journal, progress: &Progress) -> Result<()> {
        for architecture in self.architectures()? {
            let cells = self.cells()?.into_iter().filter(|(a, _)| *a == architecture).map(|(_, cell)| cell);
            self.subject(&architecture, cells.collect(), journal, progress)?;
        }
        Ok(())
    }

    fn subject(
        &self,
        architecture: &Architecture,
        cells: Vec<Cell>,
        journal: &mut Journal,
        progress: &Progress,
    ) -> Result<()> {
        let Some(first) = cells.first() else { return Ok(()) };
        let limit = population(architecture, &self.samples.data);
        let conditions = Conditions::of(architecture, &limit);
        let subject = self.samples.subject(architecture);
        let known = journal.rows().iter().any(|row| matches!(row, Row::Lambda(row) if row.subject == subject));
        if !known {
            journal.append(Row::Lambda(LambdaRow {
                subject,
                lambda0: conditions.lambda0,
                lambda_max: conditions.lambda_max,
                chi1: architecture.moments().chi1,
                provenance: Provenance::here(),
            }))?;
        }
        let network = (architecture, &self.samples.data);
        let mut starts = Starts::new(network, (&limit.kernel, conditions.lambda0), self.search.steps, first.seed());
        for cell in cells {
            let units = if cell.criterion.trains() { 4 } else { 3 } * architecture.depth() as u64;
            progress.start(&format!("{} H = {} {}", architecture.kind(), architecture.depth(), cell.criterion));
            let id = cell.id();
            if !journal.rows().iter().any(|row| matches!(row, Row::Width(row) if row.cell == id)) {
                let row = if conditions.resolved {
                    cell.measure(&mut starts, conditions.lambda_max)?
                } else {
                    cell.refuse(architecture, &conditions)
                };
                progress.line(&row.to_string());
                journal.append(Row::Width(row))?;
            }
            progress.advance(units);
        }
        Ok(())
    }
}

impl Cell {
    /// The row of a cell whose criterion means nothing, because lambda0 is rounding noise.
    fn refuse(&self, architecture: &Architecture, conditions: &Conditions) -> WidthRow {
        let note = format!("lambda0 is below {NOISE:e} lambda_max: rounding noise in double precision");
        WidthRow {
            subject: self.subject.clone(),
            criterion: self.criterion.to_string(),
            width: None,
            low: 1.0,
            high: None,
            status: Status::Censored,
            method: METHOD.to_owned(),
            delta: self.settings.delta,
            starts: 0,
            max_width: self.settings.max_width,
            lambda0: conditions.lambda0,
            lambda_max: conditions.lambda_max,
            tried: Vec::new(),
            parameters_per_sample: architecture.parameters(1.0) / self.subject.samples as f64,
            seed: self.settings.seed,
            cell_seed: self.seed(),
            cell: self.id(),
            note: Some(note),
            seconds: 0.0,
            provenance: Provenance::here(),
        }
    }
}
