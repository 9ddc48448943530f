//! Curves: rows that agree in everything but depth and data set.

use std::collections::HashMap;

use super::estimate::Z;
use super::law::Observation;
use crate::rows::{Status, Subject, WidthRow};

/// A required width against depth, on one or several data sets of a kind.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Its rows by depth, those of one depth in the order of their data sets.
    pub rows: Vec<&'a WidthRow>,
}

/// What the rows of one curve share, in one string.
pub fn key(subject: &Subject, criterion: &str, delta: f64) -> String {
    let c_res = subject.c_res.map(f64::to_bits);
    let Subject { arch, activation, residual, data, samples, input_size, image, patch, .. } = subject;
    let pixels: String = image.iter().chain(patch).map(|sides| format!("|{sides}")).collect();
    format!("{criterion}|{delta}|{arch}|{activation}|{c_res:?}|{residual:?}|{data}|{samples}|{input_size}{pixels}")
}

/// The curves of some rows, in the order in which they first appear.
pub fn curves<'a>(rows: impl IntoIterator<Item = &'a WidthRow>) -> Vec<Curve<'a>> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut curves: Vec<Curve<'a>> = Vec::new();
    for row in rows {
        let place = *places.entry(key(&row.subject, &row.criterion, row.delta)).or_insert(curves.len());
        if place == curves.len() {
            curves.push(Curve { rows: Vec::new() });
        }
        curves[place].rows.push(row);
    }
    for curve in &mut curves {
        curve.rows.sort_by(|a, b| {
            (a.subject.depth, a.subject.data_seed, &a.subject.data_hash).cmp(&(
                b.subject.depth,
                b.subject.data_seed,
                &b.subject.data_hash,
            ))
        });
    }
    curves
}

/// The data set of a row.
fn data_set(row: &WidthRow) -> (Option<u64>, &str) {
    // The seed names a generated data set whatever its numbers; a file has its hash alone. Networks of one data seed
    // share the hash but for the labels, so the seed goes first.
    match row.subject.data_seed {
        Some(seed) => (Some(seed), ""),
        None => (None, &row.subject.data_hash),
    }
}

/// For each of some rows the number of its data set, counted from 0, and how many there are.
pub fn data_sets(rows: &[&WidthRow]) -> (Vec<usize>, usize) {
    let mut known: Vec<(Option<u64>, &str)> = rows.iter().map(|row| data_set(row)).collect();
    known.sort_unstable();
    known.dedup();
    let numbers = rows.iter().map(|row| known.binary_search(&data_set(row)).unwrap_or(0)).collect();
    (numbers, known.len())
}

/// The smallest standard deviation of ln m* that a fit believes. An interval of no width would outweigh all others; this is
/// the logarithm of 2^(1/8), half the step at which the search stops.
pub const FLOOR: f64 = std::f64::consts::LN_2 / 8.0;

/// The standard deviation of ln m* that a row's interval implies.
fn sigma(row: &WidthRow) -> f64 {
    let sigma = match (row.high, row.width) {
        (Some(high), _) => (high / row.low).ln() / (2.0 * Z),
        (None, Some(width)) => (width / row.low).ln() / Z,
        (None, None) => FLOOR,
    };
    if sigma.is_finite() { sigma.max(FLOOR) } else { FLOOR }
}

/// What a fit sees of some rows, in their order. A censored row has no interval: its observation is as uncertain as those of
/// the other rows, in the median.
///
/// # Panics
/// If a row's depth is 0.
pub fn observations(rows: &[&WidthRow]) -> Vec<Observation> {
    let is_known = |row: &WidthRow| row.status != Status::Censored && row.width.is_some_and(|width| width > 0.0);
    let mut sigmas: Vec<f64> = rows.iter().filter(|row| is_known(row)).map(|row| sigma(row)).collect();
    sigmas.sort_by(f64::total_cmp);
    let typical = sigmas.get(sigmas.len() / 2).copied().unwrap_or(FLOOR);
    let observation = |row: &&WidthRow| {
        assert!(row.subject.depth > 0, "a network has at least one hidden layer");
        let censored = !is_known(row);
        let width = row.width.filter(|_| !censored).unwrap_or(row.low).max(1.0);
        Observation {
            depth: row.subject.depth,
            log_width: width.ln(),
            sigma: if censored { typical } else { sigma(row) },
            censored,
        }
    };
    rows.iter().map(observation).collect()
}
