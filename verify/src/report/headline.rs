//! What the report says first.

use super::HEADLINE;
use super::comparison::comparisons;
use super::control;
use super::finding::Finding;
use super::group::Sorted;
use super::number::{significant, telling};
use super::outline::{Outline, select};
use crate::laws::Separation;

/// The findings of the main setting under init-closeness, as plain text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Headlines {
    /// The setting in words.
    pub setting: String,
    /// A few sentences for each architecture, which start with its name and a colon.
    pub findings: Vec<String>,
    /// How far the fully connected network's growth lies from each other one's.
    pub separations: Vec<String>,
    /// Whether activations that should show no exponential show none: a verdict, and a sentence for each.
    pub control: Vec<String>,
    /// How often measured and predicted widths agree; empty where nothing was predicted.
    pub theory: Vec<String>,
}

impl Headlines {
    /// What the rows say.
    pub fn new(sorted: &Sorted<'_>, outline: &Outline) -> Self {
        let group = &sorted.groups[outline.main];
        let findings = select(&sorted.of(group), HEADLINE, None);
        Self {
            setting: group.setting(),
            findings: findings.iter().map(|finding| finding.sentence()).collect(),
            separations: separations(&findings),
            control: if findings.is_empty() { Vec::new() } else { control::sentences(sorted, outline, HEADLINE) },
            theory: agreement(sorted).into_iter().collect(),
        }
    }

    /// All lines in order.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{HEADLINE}, {}", self.setting)];
        if self.findings.is_empty() {
            lines.push(format!("No required width was measured for {HEADLINE}."));
        }
        lines.extend([&self.findings, &self.separations, &self.control, &self.theory].into_iter().flatten().cloned());
        lines
    }
}

fn separations(findings: &[&Finding<'_>]) -> Vec<String> {
    let Some(first) = findings.iter().find(|finding| finding.arch() == "fc") else { return Vec::new() };
    let others = findings.iter().filter(|finding| finding.arch() != "fc");
    others.filter_map(|other| separation(first, other)).collect()
}

fn separation(first: &Finding<'_>, second: &Finding<'_>) -> Option<String> {
    let separation = Separation::new(first.laws.as_ref()?, second.laws.as_ref()?);
    Some(format!(
        "{} against {}: separated by {} standard errors; ln growth per layer differs by {}, standard error {}.",
        first.arch(),
        second.arch(),
        significant(separation.z().abs(), 3),
        telling(&separation.difference),
        significant(separation.error, 2)
    ))
}

fn agreement(sorted: &Sorted<'_>) -> Option<String> {
    let all: Vec<bool> = sorted.findings.iter().flat_map(|f| comparisons(f)).map(|one| one.agrees()).collect();
    let agree = all.iter().filter(|&&agrees| agrees).count();
    (!all.is_empty()).then(|| {
        format!(
            "Theory: the delta method, with nothing fitted, agrees with {agree} of {} measured widths within their joint 95 % \
             intervals ({} %).",
            all.len(),
            significant(100.0 * agree as f64 / all.len() as f64, 3)
        )
    })
}
