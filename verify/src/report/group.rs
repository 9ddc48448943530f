//! Rows sorted for reporting: duplicates dropped, one group for each setting that figures must not mix.

use std::collections::HashMap;

use fathom_model::Moments;

use super::finding::Finding;
use crate::laws::{Laws, curve, curves};
use crate::rows::{CheckedRow, CrossCheckRow, CurveRow, LambdaRow, PredictedRow, Row, Subject, WidthRow};

/// Rows that may share a figure: one activation, residual scale and kind of data.
#[derive(Clone, Debug, Default)]
pub struct Group<'a> {
    /// `softplus`, ...
    pub activation: String,
    /// Specification or file of the samples.
    pub data: String,
    /// n.
    pub samples: usize,
    /// The residual scale and how it depends on depth; absent where no row has one.
    pub scale: Option<(f64, Option<String>)>,
    /// What was found, sorted by criterion and architecture: places in [`Sorted::findings`].
    pub findings: Vec<usize>,
    /// Population eigenvalues, sorted by architecture, depth and data set.
    pub lambdas: Vec<&'a LambdaRow>,
    /// Training runs, sorted by architecture, depth, width and seed.
    pub curves: Vec<&'a CurveRow>,
}

/// All rows, sorted.
#[derive(Clone, Debug, Default)]
pub struct Sorted<'a> {
    /// The groups in the order in which they first appear.
    pub groups: Vec<Group<'a>>,
    /// Every curve of required widths once. A network without skips belongs to the groups of all residual scales.
    pub findings: Vec<Finding<'a>>,
    /// The last verdict of `check`.
    pub checked: Option<&'a CheckedRow>,
    /// The two-sample tests of the sampler.
    pub crosschecks: Vec<&'a CrossCheckRow>,
    /// Rows that a later one of the same cell replaced.
    pub replaced: usize,
    /// Required widths that were not searched, because lambda_0 is rounding noise. They belong to no curve.
    pub unresolved: usize,
}

/// The criteria in the order of reporting, each with what it asks.
pub const CRITERIA: [(&str, &str); 5] = [
    ("init-closeness", "‖G(0) − K‖₂ ≤ λ₀/4 (at the start the Gram matrix is close to its infinite-width limit)"),
    ("init-positivity", "λ_min(G(0)) ≥ ¾ λ₀ (at the start the Gram matrix is as positive as the proof uses)"),
    ("drift", "sup ‖G(k) − G(0)‖₂ ≤ λ₀/4 until L ≤ 10⁻⁴ L(0) (training hardly moves the Gram matrix)"),
    ("rate", "L(k) ≤ (1 − ηλ₀/2)ᵏ L(0) at every step (the loss falls at least at the predicted linear rate)"),
    ("fit", "L ≤ 10⁻⁴ L(0) within the step budget (zero training loss on arbitrary labels)"),
];

/// What a criterion asks, in words.
pub fn meaning(criterion: &str) -> &'static str {
    CRITERIA.iter().find(|(name, _)| *name == criterion).map_or("", |(_, meaning)| meaning)
}

fn criterion_rank(criterion: &str) -> (usize, String) {
    let place = CRITERIA.iter().position(|(name, _)| *name == criterion);
    (place.unwrap_or(CRITERIA.len()), criterion.to_owned())
}

/// The place of an architecture in the order of reporting.
pub fn arch_place(arch: &str) -> (usize, String) {
    let place = ["fc", "resnet", "conv-resnet"].iter().position(|name| *name == arch);
    (place.unwrap_or(3), arch.to_owned())
}

/// Architectures of some subjects, in the order of reporting.
pub fn archs<'a>(subjects: impl IntoIterator<Item = &'a Subject>) -> Vec<&'a str> {
    let mut archs: Vec<&str> = subjects.into_iter().map(|subject| subject.arch.as_str()).collect();
    archs.sort_by_key(|arch| arch_place(arch));
    archs.dedup();
    archs
}

/// The residual scale r of a layer, as a formula.
pub fn scale_formula(residual: Option<&str>) -> &'static str {
    match residual {
        Some("1/sqrt(H)") => "c_res/√H",
        Some("1") => "c_res",
        _ => "c_res/H",
    }
}

impl Group<'_> {
    /// chi_1, which depends on the activation alone.
    pub fn chi1(&self) -> Option<f64> {
        self.lambdas.first().map(|row| row.chi1)
    }

    /// The setting in words.
    pub fn setting(&self) -> String {
        let scale = self.scale.as_ref().map(|scale| format!(", {}", self::scale(scale))).unwrap_or_default();
        format!("{}, n = {}, data {}{scale}", self.activation, self.samples, shortened(&self.data))
    }

    /// Whether a subject belongs to it. One without a residual scale belongs to every scale of its setting.
    pub fn holds(&self, subject: &Subject) -> bool {
        self.activation == subject.activation
            && self.data == subject.data
            && self.samples == subject.samples
            && (subject.c_res.is_none() || self.scale == scale_of(subject))
    }
}

/// A residual scale in words.
pub fn scale((c_res, residual): &(f64, Option<String>)) -> String {
    format!("c_res = {c_res}, r = {}", scale_formula(residual.as_deref()))
}

/// The residual scale of a subject.
pub fn scale_of(subject: &Subject) -> Option<(f64, Option<String>)> {
    subject.c_res.map(|c_res| (c_res, subject.residual.clone()))
}

/// A long path loses its middle.
fn shortened(text: &str) -> String {
    const MOST: usize = 48;
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= MOST {
        return text.to_owned();
    }
    let (head, tail) = (&chars[..MOST / 2], &chars[chars.len() - MOST / 2..]);
    format!("{}…{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

impl<'a> Sorted<'a> {
    /// Sorts rows and fits the laws. Of several rows of one cell (a resumed run leaves such) the last one counts.
    pub fn new(rows: &'a [Row]) -> Self {
        let mut kept: Vec<Option<&Row>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut replaced = 0;
        for row in rows {
            let cell = cell(row);
            if let Some(earlier) = places.insert(cell, kept.len()) {
                kept[earlier] = None;
                // Each run checks the kernels.
                replaced += usize::from(!matches!(row, Row::Checked(_)));
            }
            kept.push(Some(row));
        }
        let kept: Vec<&Row> = kept.into_iter().flatten().collect();
        let mut sorted = Self { replaced, findings: findings(&kept), groups: keys(&kept), ..Self::default() };
        for row in &kept {
            match row {
                Row::Width(row) => sorted.unresolved += usize::from(row.tried.is_empty()),
                Row::Checked(row) => sorted.checked = Some(row),
                Row::CrossCheck(row) => sorted.crosschecks.push(row),
                _ => {}
            }
        }
        for group in &mut sorted.groups {
            fill(group, &kept, &sorted.findings);
        }
        sorted
    }

    /// What was found in a group, by criterion and architecture.
    pub fn of<'s>(&'s self, group: &Group<'_>) -> Vec<&'s Finding<'a>> {
        group.findings.iter().map(|&place| &self.findings[place]).collect()
    }
}

fn findings<'a>(rows: &[&'a Row]) -> Vec<Finding<'a>> {
    let widths = rows.iter().filter_map(|row| match row {
        Row::Width(row) if !row.tried.is_empty() => Some(row),
        _ => None,
    });
    let curves = curves(widths);
    let laws = Laws::of_all(&curves);
    let mut predicted: HashMap<String, Vec<&'a PredictedRow>> = HashMap::new();
    let mut chi1: HashMap<&str, f64> = HashMap::new();
    for &row in rows {
        match row {
            Row::Predicted(row) => {
                let key = curve::key(&row.subject, &row.criterion, row.delta);
                predicted.entry(key).or_default().push(row);
            }
            Row::Lambda(row) => _ = chi1.insert(&row.subject.activation, row.chi1),
            _ => {}
        }
    }
    let finding = |(curve, laws): (curve::Curve<'a>, Option<Laws>)| {
        let WidthRow { subject, criterion, delta, .. } = curve.rows[0];
        let mut predicted = predicted.remove(&curve::key(subject, criterion, *delta)).unwrap_or_default();
        predicted.sort_by_key(|row| (row.subject.depth, row.subject.data_seed));
        let chi_parallel = chi_parallel(&subject.activation);
        Finding { chi1: chi1.get(subject.activation.as_str()).copied(), chi_parallel, curve, laws, predicted }
    };
    curves.into_iter().zip(laws).map(finding).collect()
}

/// chi_parallel of a row's activation; NaN of one that this program does not know.
fn chi_parallel(activation: &str) -> f64 {
    activation.parse().map_or(f64::NAN, |activation| Moments::of(activation).chi_parallel)
}

fn subject(row: &Row) -> Option<&Subject> {
    match row {
        Row::Width(row) => Some(&row.subject),
        Row::Lambda(row) => Some(&row.subject),
        Row::Curve(row) => Some(&row.subject),
        // What is predicted stands beside what was measured, and a cross-check is in no figure.
        Row::Predicted(_) | Row::CrossCheck(_) | Row::Checked(_) => None,
    }
}

/// What a figure shows once.
fn cell(row: &Row) -> String {
    let of = Subject::key;
    match row {
        Row::Width(row) => format!("width|{}|{}|{}", of(&row.subject), row.criterion, row.delta),
        Row::Predicted(row) => format!("predicted|{}|{}|{}", of(&row.subject), row.criterion, row.delta),
        Row::CrossCheck(row) => {
            format!("cross-check|{}|{}|{}|{}", of(&row.subject), row.width, row.statistic, row.test)
        }
        Row::Lambda(row) => format!("lambda|{}", of(&row.subject)),
        Row::Curve(row) => format!("curve|{}|{}|{}", of(&row.subject), row.width, row.seed),
        Row::Checked(_) => "checked".to_owned(),
    }
}

/// Empty groups, one for each setting. A row without a residual scale belongs to every scale of its setting.
fn keys<'a>(rows: &[&Row]) -> Vec<Group<'a>> {
    let mut keys: Vec<Group<'a>> = Vec::new();
    for subject in rows.iter().filter_map(|row| subject(row)) {
        let same = |group: &&mut Group<'_>| {
            group.activation == subject.activation && group.data == subject.data && group.samples == subject.samples
        };
        let scale = scale_of(subject);
        let mut alike: Vec<&mut Group<'_>> = keys.iter_mut().filter(same).collect();
        if alike.iter().any(|group| scale.is_none() || group.scale == scale) {
            continue;
        }
        if let Some(open) = alike.iter_mut().find(|group| group.scale.is_none()) {
            open.scale = scale;
            continue;
        }
        keys.push(Group {
            activation: subject.activation.clone(),
            data: subject.data.clone(),
            samples: subject.samples,
            scale,
            ..Group::default()
        });
    }
    keys
}

fn fill<'a>(group: &mut Group<'a>, rows: &[&'a Row], findings: &[Finding<'a>]) {
    for &row in rows {
        match row {
            Row::Lambda(row) if group.holds(&row.subject) => group.lambdas.push(row),
            Row::Curve(row) if group.holds(&row.subject) => group.curves.push(row),
            _ => {}
        }
    }
    group.findings = (0..findings.len()).filter(|&place| group.holds(findings[place].subject())).collect();
    group.findings.sort_by_cached_key(|&place| {
        let finding = &findings[place];
        (criterion_rank(finding.criterion()), arch_place(finding.arch()))
    });
    let rank = |subject: &Subject| (arch_place(&subject.arch), subject.depth, subject.data_seed);
    group.lambdas.sort_by_cached_key(|row| rank(&row.subject));
    group.curves.sort_by_cached_key(|row| (rank(&row.subject), row.width, row.seed));
}
