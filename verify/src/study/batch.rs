//! The cells of a study, those that look at the same starts side by side.

use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Result, bail};
use fathom_model::Architecture;
use fathom_model::fluctuation::MOST_POINTS;

use super::curve::Curve;
use super::prediction::Prediction;
use super::resolved::{Study, Sweep};
use super::{Cell, Criterion, Settings, cost};
use crate::cli::DataArgs;
use crate::samples::{Samples, is_file};

/// What is measured together: cells of one subject that look at the same starts, or one training.
#[derive(Clone)]
pub struct Batch {
    pub architecture: Architecture,
    pub samples: Rc<Samples>,
    pub work: Work,
}

/// What a batch measures; a row is the answer to each.
#[derive(Clone)]
pub enum Work {
    /// Required widths by criteria that all train, or all do not.
    Widths(Vec<Cell>),
    /// Required widths by the delta method.
    Predict(Prediction),
    /// One loss curve.
    Curve(Curve),
}

impl Batch {
    /// Every row it makes: its key (see [`crate::rows::Row::key`]) and its name for the eye.
    pub fn rows(&self) -> Vec<(String, String)> {
        let subject = self.samples.subject(&self.architecture);
        match &self.work {
            Work::Widths(cells) => cells.iter().map(|cell| (cell.key(), cell.to_string())).collect(),
            Work::Predict(prediction) => {
                let names =
                    prediction.criteria.iter().map(|criterion| format!("{} {criterion}, predicted", subject.name()));
                prediction.keys(&subject).into_iter().zip(names).collect()
            }
            Work::Curve(curve) => vec![(curve.key(&subject), format!("{} loss curve", subject.name()))],
        }
    }

    /// Whether its rows exist. There is no prediction where lambda_0 is rounding noise; this takes a while to find out.
    pub fn can_be_measured(&self) -> bool {
        match self.work {
            Work::Predict(_) => Prediction::exists(&self.architecture, &self.samples),
            Work::Widths(_) | Work::Curve(_) => true,
        }
    }

    /// The name of every row, and the widest network that it may take.
    pub fn widest(&self) -> Vec<(String, usize)> {
        let names = self.rows().into_iter().map(|(_, name)| name);
        match &self.work {
            Work::Widths(cells) => names.zip(cells.iter().map(|cell| cell.settings.max_width)).collect(),
            Work::Predict(_) => names.map(|name| (name, 0)).collect(),
            Work::Curve(curve) => names.map(|name| (name, curve.width)).collect(),
        }
    }
}

impl Study {
    /// All batches, in the order of the tables; what several tables ask for comes once.
    ///
    /// # Errors
    /// When data cannot be used, settings describe no network, there are too few starts for an interval, or two tables
    /// ask for one m* in different ways.
    pub fn batches(&self) -> Result<Vec<Batch>> {
        let mut list =
            Enumeration { seed: self.seed, loaded: HashMap::new(), known: HashMap::new(), batches: Vec::new() };
        for sweep in &self.sweep {
            list.each(sweep, |list, architecture, samples| list.widths(sweep, architecture, samples))?;
        }
        for sweep in &self.predict {
            list.each(sweep, |list, architecture, samples| list.predict(sweep, architecture, samples))?;
        }
        for sweep in &self.curve {
            list.each(sweep, |list, architecture, samples| list.curve(sweep, architecture, samples))?;
        }
        Ok(list.batches)
    }
}

/// The batches so far.
struct Enumeration {
    seed: u64,
    loaded: HashMap<String, Rc<Samples>>,
    /// The id and image of each (subject, criterion, delta) that has a cell.
    known: HashMap<String, String>,
    batches: Vec<Batch>,
}

impl Enumeration {
    /// Every architecture and data set of a table, in order.
    fn each(
        &mut self,
        sweep: &Sweep,
        mut add: impl FnMut(&mut Self, Architecture, Rc<Samples>) -> Result<()>,
    ) -> Result<()> {
        for data in &sweep.data {
            let looks_at_starts = sweep.criterion.iter().any(|criterion| !criterion.trains());
            if is_file(data) && sweep.data_seeds.len() > 1 && looks_at_starts {
                bail!(crate::Usage(format!(
                    "{data} is one data set, of which data_seeds draw the labels alone: criteria that look at the start take one"
                )));
            }
            for &seed in &sweep.data_seeds {
                let samples = self.load(sweep, data, seed)?;
                for architecture in architectures(sweep, &samples)? {
                    add(self, architecture, samples.clone())?;
                }
            }
        }
        Ok(())
    }

    fn load(&mut self, sweep: &Sweep, data: &str, seed: u64) -> Result<Rc<Samples>> {
        let Sweep { samples, image, patch, .. } = *sweep;
        let args = DataArgs { data: Some(data.to_owned()), samples, image, patch, seed };
        let name = format!("{args:?}");
        if let Some(known) = self.loaded.get(&name) {
            return Ok(known.clone());
        }
        let samples = Rc::new(Samples::load(&args)?);
        self.loaded.insert(name, samples.clone());
        Ok(samples)
    }

    fn widths(&mut self, sweep: &Sweep, architecture: Architecture, samples: Rc<Samples>) -> Result<()> {
        for trains in [false, true] {
            let mut cells = Vec::new();
            for &criterion in sweep.criterion.iter().filter(|criterion| criterion.trains() == trains) {
                let settings = settings(sweep, criterion, (&architecture, &samples), self.seed);
                settings.verdict()?;
                let cell = Cell { subject: samples.subject(&architecture), criterion, settings };
                if self.is_new(&cell, &architecture)? {
                    cells.push(cell);
                }
            }
            if !cells.is_empty() {
                self.batches.push(Batch { architecture, samples: samples.clone(), work: Work::Widths(cells) });
            }
        }
        Ok(())
    }

    /// Whether no earlier table asks for this cell.
    fn is_new(&mut self, cell: &Cell, architecture: &Architecture) -> Result<bool> {
        let subject = cell.subject.key();
        let asked = format!("{subject} {} {}", cell.criterion, cell.settings.delta);
        let settings = format!("{} {:?}", cell.id(), architecture.patches());
        match self.known.insert(asked, settings.clone()) {
            None => Ok(true),
            Some(known) if known == settings => Ok(false),
            Some(_) => bail!(crate::Usage(format!(
                "two tables ask for {cell} with different starts, max_width, budget, steps or image: keep one of them"
            ))),
        }
    }

    fn predict(&mut self, sweep: &Sweep, architecture: Architecture, samples: Rc<Samples>) -> Result<()> {
        let subject = samples.subject(&architecture);
        let points = samples.data.samples() * architecture.patches().pixels();
        if points > MOST_POINTS {
            bail!(crate::Usage(format!(
                "{} has {points} points (samples times pixels), and the delta method takes at most {MOST_POINTS}",
                subject.name()
            )));
        }
        let (delta, draws, seed) = (sweep.delta.unwrap_or(0.5), sweep.draws.unwrap_or(1), self.seed);
        let mut criteria = Vec::new();
        for &criterion in &sweep.criterion {
            let asked = format!("predicted {} {criterion} {delta}", subject.key());
            match self.known.insert(asked, draws.to_string()) {
                None => criteria.push(criterion),
                Some(known) if known == draws.to_string() => {}
                Some(_) => bail!(crate::Usage(format!(
                    "two [[predict]] tables ask for {} {criterion} with different draws: keep one of them",
                    subject.name()
                ))),
            }
        }
        if !criteria.is_empty() {
            let work = Work::Predict(Prediction { criteria, delta, draws, seed });
            self.batches.push(Batch { architecture, samples, work });
        }
        Ok(())
    }

    fn curve(&mut self, sweep: &Sweep, architecture: Architecture, samples: Rc<Samples>) -> Result<()> {
        let (width, steps) = (sweep.width.unwrap_or(1), sweep.steps.unwrap_or(0));
        let curve = Curve { width, steps, seed: self.seed };
        let key = curve.key(&samples.subject(&architecture));
        match self.known.insert(key, steps.to_string()) {
            None => self.batches.push(Batch { architecture, samples, work: Work::Curve(curve) }),
            Some(known) if known == steps.to_string() => {}
            Some(_) => bail!(crate::Usage("two [[curve]] tables differ in nothing but steps: keep one".to_owned())),
        }
        Ok(())
    }
}

/// Every architecture of a table on these samples. What a kind does not use (c_res without skips, the activation of a linear
/// network) varies nothing.
fn architectures(sweep: &Sweep, samples: &Samples) -> Result<Vec<Architecture>> {
    let mut all: Vec<Architecture> = Vec::new();
    for &activation in &sweep.activation {
        for &residual in &sweep.residual {
            for &c_res in &sweep.c_res {
                for kind in &sweep.arch {
                    for &depth in &sweep.depth[kind] {
                        let one = Architecture::new(*kind, depth, c_res, activation, samples.patches)?;
                        let one = one.with_residual(residual);
                        if !all.iter().any(|known| samples.subject(known) == samples.subject(&one)) {
                            all.push(one);
                        }
                    }
                }
            }
        }
    }
    Ok(all)
}

fn settings(
    sweep: &Sweep,
    criterion: Criterion,
    (architecture, samples): (&Architecture, &Samples),
    seed: u64,
) -> Settings {
    let of = |value: Option<super::table::Either<usize>>| value.and_then(|value| value.of(criterion)).unwrap_or(1);
    let (starts, steps, widest) = (of(sweep.starts), sweep.steps.unwrap_or(0), of(sweep.max_width));
    let flops = |width: usize| cost::starts(architecture, samples.data.samples(), criterion, (width, starts, steps));
    let max_width = match sweep.budget.and_then(|budget| budget.of(criterion)) {
        Some(budget) => cost::widest(widest, |width| flops(width).flops <= budget),
        None => widest,
    };
    Settings { max_width, starts, delta: sweep.delta.unwrap_or(0.5), steps, seed }
}
