//! Which settings a study has: one that it is about, and those that differ from it in one thing.

use super::finding::Finding;
use super::group::{Group, Sorted};

/// The settings of a study, as places in [`Sorted::groups`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The setting with the most required widths, those of several data sets counted once; the first of several.
    pub main: usize,
    /// It, and those that differ from it in the activation alone.
    pub activations: Vec<usize>,
    /// In the samples alone, fewest first.
    pub samples: Vec<usize>,
    /// In the residual scale alone.
    pub scales: Vec<usize>,
    /// In more than one of these.
    pub others: Vec<usize>,
}

impl Outline {
    /// Sorts the groups; none without groups.
    pub fn new(sorted: &Sorted<'_>) -> Option<Self> {
        let points = |group: &Group<'_>| sorted.of(group).iter().map(|finding| finding.points().len()).sum::<usize>();
        let groups = &sorted.groups;
        let main = (0..groups.len()).rev().max_by_key(|&place| points(&groups[place]))?;
        let mut outline = Self { main, ..Self::default() };
        for (place, group) in groups.iter().enumerate() {
            let main = &groups[main];
            let activation = group.activation == main.activation;
            let data = group.data == main.data && group.samples == main.samples;
            let scale = group.scale == main.scale || group.scale.is_none() || main.scale.is_none();
            match (activation, data, scale) {
                (true, true, true) => {
                    outline.activations.push(place);
                    outline.samples.push(place);
                    outline.scales.push(place);
                }
                (false, true, true) => outline.activations.push(place),
                (true, false, true) if group.samples != main.samples => outline.samples.push(place),
                (true, true, false) => outline.scales.push(place),
                _ => outline.others.push(place),
            }
        }
        outline.samples.sort_by_key(|&place| groups[place].samples);
        outline.scales.sort_by(|&a, &b| scale_rank(&groups[a]).total_cmp(&scale_rank(&groups[b])));
        Some(outline)
    }
}

/// Residual scales that fall with depth first, and of those the smallest.
fn scale_rank(group: &Group<'_>) -> f64 {
    let Some((c_res, residual)) = &group.scale else { return 0.0 };
    let fall = match residual.as_deref() {
        Some("1/sqrt(H)") => 1.0,
        Some("1") => 2.0,
        _ => 0.0,
    };
    // c_res lies below 1.
    fall + c_res
}

/// The findings of one criterion, and of one architecture if given.
pub fn select<'s, 'a>(findings: &[&'s Finding<'a>], criterion: &str, arch: Option<&str>) -> Vec<&'s Finding<'a>> {
    let matches =
        |finding: &&&'s Finding<'a>| finding.criterion() == criterion && arch.is_none_or(|arch| finding.arch() == arch);
    findings.iter().filter(matches).copied().collect()
}
