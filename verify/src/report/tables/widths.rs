//! Tables of every required width.

use super::{folded, table};
use crate::report::finding::Finding;
use crate::report::group::Sorted;
use crate::report::number::{significant, whole};
use crate::rows::{Status, WidthRow};

/// Every required width, a folded table for each setting; one setting alone is open.
pub fn widths(sorted: &Sorted<'_>) -> String {
    let mut shown: Vec<*const Finding<'_>> = Vec::new();
    let mut tables = Vec::new();
    for group in &sorted.groups {
        let mut rows: Vec<&WidthRow> = Vec::new();
        for finding in sorted.of(group) {
            // A network without skips belongs to several settings, and is listed in the first.
            if !shown.contains(&std::ptr::from_ref(finding)) {
                shown.push(finding);
                rows.extend(finding.rows());
            }
        }
        if !rows.is_empty() {
            tables.push((group.setting(), self::rows(&rows)));
        }
    }
    match tables.as_slice() {
        [] => "<p>These rows hold no required widths.</p>\n".to_owned(),
        [(_, only)] => only.clone(),
        several => several.iter().map(|(setting, table)| folded(setting, table)).collect(),
    }
}

fn rows(rows: &[&WidthRow]) -> String {
    let columns = [
        ("network", "name"),
        ("criterion", "name"),
        ("H", "number"),
        ("data seed", "number"),
        ("m*", "number"),
        ("low", "number"),
        ("high", "number"),
        ("status", "name"),
        ("parameters per sample", "number"),
        ("note", "note"),
    ];
    table(&columns, rows.iter().map(|row| width_row(row)))
}

fn width_row(row: &WidthRow) -> Vec<String> {
    let shown = |width: f64| if width.abs() < 1e7 { whole(width.round() as usize) } else { significant(width, 3) };
    let required = match (row.status, row.width) {
        (Status::Censored, _) => format!("> {}", shown(row.low)),
        (_, width) => width.map(shown).unwrap_or_default(),
    };
    vec![
        row.subject.arch.clone(),
        row.criterion.clone(),
        row.subject.depth.to_string(),
        row.subject.data_seed.map(|seed| seed.to_string()).unwrap_or_default(),
        required,
        shown(row.low),
        row.high.map(shown).unwrap_or_default(),
        crate::report::data::status(row.status).to_owned(),
        significant(row.parameters_per_sample, 3),
        row.note.clone().unwrap_or_default(),
    ]
}
