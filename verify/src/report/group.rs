//! Rows sorted for reporting: duplicates dropped, one group for each setting that figures must not mix.

use std::collections::HashMap;

use crate::rows::{CheckedRow, CurveRow, LambdaRow, Row, Subject, WidthRow};

/// Rows that may share a figure: one activation, residual scale and data set.
#[derive(Clone, Debug, Default)]
pub struct Group<'a> {
    /// `softplus`, ...
    pub activation: String,
    /// Specification or file of the samples.
    pub data: String,
    /// n.
    pub samples: usize,
    /// The residual scale; absent where no row has one.
    pub c_res: Option<f64>,
    /// Required widths, sorted by criterion, architecture and depth.
    pub widths: Vec<&'a WidthRow>,
    /// Population eigenvalues, sorted by architecture and depth.
    pub lambdas: Vec<&'a LambdaRow>,
    /// Training runs, sorted by architecture, depth, width and seed.
    pub curves: Vec<&'a CurveRow>,
}

/// All rows, sorted.
#[derive(Clone, Debug, Default)]
pub struct Sorted<'a> {
    /// The groups in the order in which they first appear.
    pub groups: Vec<Group<'a>>,
    /// The last verdict of `check`.
    pub checked: Option<&'a CheckedRow>,
    /// Rows that a later one of the same cell replaced.
    pub replaced: usize,
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

fn arch_rank(arch: &str) -> (usize, String) {
    let place = ["fc", "resnet", "conv-resnet"].iter().position(|name| *name == arch);
    (place.unwrap_or(3), arch.to_owned())
}

/// Architectures of some subjects, in the order of reporting.
pub fn archs<'a>(subjects: impl IntoIterator<Item = &'a Subject>) -> Vec<&'a str> {
    let mut archs: Vec<&str> = subjects.into_iter().map(|subject| subject.arch.as_str()).collect();
    archs.sort_by_key(|arch| arch_rank(arch));
    archs.dedup();
    archs
}

impl Group<'_> {
    /// chi_1, which depends on the activation alone.
    pub fn chi1(&self) -> Option<f64> {
        self.lambdas.first().map(|row| row.chi1)
    }

    /// The criteria present, in the order of reporting.
    pub fn criteria(&self) -> Vec<&str> {
        let mut criteria: Vec<&str> = self.widths.iter().map(|row| row.criterion.as_str()).collect();
        criteria.dedup();
        criteria
    }

    /// The setting in words.
    pub fn setting(&self) -> String {
        let c_res = self.c_res.map(|c_res| format!(", c_res = {c_res}")).unwrap_or_default();
        format!("{}, n = {}, data {}{c_res}", self.activation, self.samples, shortened(&self.data))
    }
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
    /// Sorts rows. Of several rows of one cell (a resumed run leaves such) the last one counts.
    pub fn new(rows: &'a [Row]) -> Self {
        let mut kept: Vec<Option<&Row>> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut replaced = 0;
        for row in rows {
            let cell = cell(row);
            if let Some(earlier) = places.insert(cell, kept.len()) {
                kept[earlier] = None;
                replaced += 1;
            }
            kept.push(Some(row));
        }
        let kept: Vec<&Row> = kept.into_iter().flatten().collect();
        let mut sorted = Self { replaced, ..Self::default() };
        sorted.checked = kept.iter().rev().find_map(|row| match row {
            Row::Checked(row) => Some(row),
            _ => None,
        });
        sorted.groups = keys(&kept);
        for group in &mut sorted.groups {
            fill(group, &kept);
        }
        sorted
    }
}

fn subject(row: &Row) -> Option<&Subject> {
    match row {
        Row::Width(row) => Some(&row.subject),
        Row::Lambda(row) => Some(&row.subject),
        Row::Curve(row) => Some(&row.subject),
        Row::Predicted(row) => Some(&row.subject),
        Row::CrossCheck(row) => Some(&row.subject),
        Row::Checked(_) => None,
    }
}

/// What a figure shows once.
fn cell(row: &Row) -> String {
    let of = |s: &Subject| {
        format!("{}|{}|{}|{:?}|{}|{}", s.arch, s.activation, s.depth, s.c_res.map(f64::to_bits), s.data, s.samples)
    };
    match row {
        Row::Width(row) => format!("width|{}|{}", of(&row.subject), row.criterion),
        Row::Lambda(row) => format!("lambda|{}", of(&row.subject)),
        Row::Curve(row) => format!("curve|{}|{}|{}", of(&row.subject), row.width, row.seed),
        Row::Predicted(row) => format!("predicted|{}|{}", of(&row.subject), row.criterion),
        Row::CrossCheck(row) => format!("crosscheck|{}|{}|{}", of(&row.subject), row.width, row.statistic),
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
        let mut alike: Vec<&mut Group<'_>> = keys.iter_mut().filter(same).collect();
        if alike.iter().any(|group| subject.c_res.is_none() || group.c_res == subject.c_res) {
            continue;
        }
        if let Some(open) = alike.iter_mut().find(|group| group.c_res.is_none()) {
            open.c_res = subject.c_res;
            continue;
        }
        keys.push(Group {
            activation: subject.activation.clone(),
            data: subject.data.clone(),
            samples: subject.samples,
            c_res: subject.c_res,
            ..Group::default()
        });
    }
    keys
}

fn fill<'a>(group: &mut Group<'a>, rows: &[&'a Row]) {
    for &row in rows {
        let belongs = subject(row).is_some_and(|subject| {
            subject.activation == group.activation
                && subject.data == group.data
                && subject.samples == group.samples
                && (subject.c_res.is_none() || subject.c_res == group.c_res)
        });
        match row {
            _ if !belongs => {}
            Row::Width(row) => group.widths.push(row),
            Row::Lambda(row) => group.lambdas.push(row),
            Row::Curve(row) => group.curves.push(row),
            Row::Predicted(_) | Row::CrossCheck(_) | Row::Checked(_) => {}
        }
    }
    let rank = |subject: &Subject| (arch_rank(&subject.arch), subject.depth);
    group.widths.sort_by_cached_key(|row| (criterion_rank(&row.criterion), rank(&row.subject)));
    group.lambdas.sort_by_cached_key(|row| rank(&row.subject));
    group.curves.sort_by_cached_key(|row| (rank(&row.subject), row.width, row.seed));
}
