//! The page's chapters: what stands where, and which chapters a file of rows has.

use super::HEADLINE;
use super::comparison::comparisons;
use super::figure::Figure;
use super::finding::Finding;
use super::group::{Group, Sorted};
use super::outline::{Outline, select};
use super::{deviation, lambda, loss, multiples, required_width, slope, tables, theory};

/// A heading with what stands under it.
pub struct Chapter {
    /// The anchor.
    pub id: &'static str,
    /// The heading.
    pub title: String,
    /// HTML before the figures.
    pub before: String,
    /// The figures.
    pub figures: Vec<Figure>,
    /// HTML after the figures.
    pub after: String,
}

/// All chapters with content, in order.
pub fn chapters(sorted: &Sorted<'_>, outline: &Outline) -> Vec<Chapter> {
    let all = [
        main(sorted, outline),
        laws(sorted, outline),
        theory(sorted, outline),
        activations(sorted, outline),
        samples(sorted, outline),
        scales(sorted, outline),
        others(sorted, outline),
        background(sorted, outline),
    ];
    let is_empty =
        |chapter: &Chapter| chapter.figures.is_empty() && chapter.before.is_empty() && chapter.after.is_empty();
    all.into_iter().filter(|chapter| !is_empty(chapter)).collect()
}

fn group<'s, 'a>(sorted: &'s Sorted<'a>, outline: &Outline) -> &'s Group<'a> {
    &sorted.groups[outline.main]
}

fn main(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let group = group(sorted, outline);
    let findings = sorted.of(group);
    let figure = required_width::figure(group, HEADLINE, &select(&findings, HEADLINE, None));
    Chapter {
        id: "required-width",
        title: "Required width against depth".to_owned(),
        before: String::new(),
        figures: figure.into_iter().collect(),
        after: String::new(),
    }
}

fn laws(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let group = group(sorted, outline);
    let findings = sorted.of(group);
    let mut figures: Vec<Figure> = multiples::criteria(sorted, group).into_iter().collect();
    // A file of one criterion other than the headline's has no other figure.
    if figures.is_empty() {
        let criteria = findings.first().map(|finding| finding.criterion()).filter(|criterion| *criterion != HEADLINE);
        let figure = |criterion| required_width::figure(group, criterion, &select(&findings, criterion, None));
        figures.extend(criteria.and_then(figure));
    }
    let (mut before, mut after) = (String::new(), String::new());
    if !findings.is_empty() {
        before = tables::laws(&findings, &|_| String::new()) + &tables::rule();
        after = tables::setting(group, &findings);
    }
    Chapter { id: "laws", title: "Laws, under each criterion".to_owned(), before, figures, after }
}

fn theory(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let group = group(sorted, outline);
    let findings = sorted.of(group);
    let mut figures = Vec::new();
    for criterion in [HEADLINE, "init-positivity"] {
        figures.extend(theory::figure(group, criterion, &select(&findings, criterion, None)));
    }
    let compared = sorted.findings.iter().any(|finding| !comparisons(finding).is_empty());
    Chapter {
        id: "theory",
        title: "Measured against predicted".to_owned(),
        before: String::new(),
        figures,
        after: if compared { tables::comparison(&sorted.findings) } else { String::new() },
    }
}

fn activations(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let mut figures = Vec::new();
    if outline.activations.len() > 1 {
        figures.extend(slope::figure(sorted, outline, HEADLINE));
        figures.extend(multiples::activations(sorted, outline, HEADLINE));
    }
    let name = |finding: &Finding<'_>| finding.subject().activation.clone();
    let after = varied(sorted, &outline.activations, &name);
    Chapter { id: "activations", title: "By activation".to_owned(), before: String::new(), figures, after }
}

fn samples(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let figure = (outline.samples.len() > 1).then(|| multiples::samples(sorted, outline, HEADLINE)).flatten();
    let name = |finding: &Finding<'_>| format!("n = {}", finding.subject().samples);
    let after = varied(sorted, &outline.samples, &name);
    let figures = figure.into_iter().collect();
    Chapter { id: "samples", title: "By number of samples".to_owned(), before: String::new(), figures, after }
}

fn scales(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let figure = (outline.scales.len() > 1).then(|| multiples::scales(sorted, outline, HEADLINE)).flatten();
    let name = |finding: &Finding<'_>| {
        super::group::scale_of(finding.subject()).map_or("no skip".to_owned(), |scale| super::group::scale(&scale))
    };
    let after = varied(sorted, &outline.scales, &name);
    let figures = figure.into_iter().collect();
    Chapter { id: "residual-scale", title: "By residual scale".to_owned(), before: String::new(), figures, after }
}

fn others(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let figures = multiples::others(sorted, outline, HEADLINE).into_iter().collect();
    let findings: Vec<&Finding<'_>> =
        outline.others.iter().flat_map(|&place| sorted.of(&sorted.groups[place])).collect();
    let name = |finding: &Finding<'_>| {
        let group = outline.others.iter().map(|&place| &sorted.groups[place]);
        group.clone().find(|group| group.holds(finding.subject())).map_or(String::new(), Group::setting)
    };
    let after = if findings.is_empty() { String::new() } else { tables::laws(&findings, &name) };
    Chapter { id: "others", title: "Other settings".to_owned(), before: String::new(), figures, after }
}

fn background(sorted: &Sorted<'_>, outline: &Outline) -> Chapter {
    let group = group(sorted, outline);
    let mut figures: Vec<Figure> = Vec::new();
    figures.extend(lambda::figure(group));
    figures.extend(loss::figure(group));
    figures.extend(deviation::figures(group, &sorted.of(group)));
    let title = "What lies behind it: eigenvalues, losses, deviations".to_owned();
    Chapter { id: "background", title, before: String::new(), figures, after: String::new() }
}

/// The tables of settings that differ in one thing: the headline's criterion open, the others folded.
fn varied(sorted: &Sorted<'_>, places: &[usize], name: &dyn Fn(&Finding<'_>) -> String) -> String {
    if places.len() < 2 {
        return String::new();
    }
    let mut findings: Vec<&Finding<'_>> = Vec::new();
    for finding in places.iter().flat_map(|&place| sorted.of(&sorted.groups[place])) {
        if !findings.iter().any(|known| std::ptr::eq(*known, finding)) {
            findings.push(finding);
        }
    }
    let mut text = String::new();
    for (criterion, _) in super::group::CRITERIA {
        let mut of = select(&findings, criterion, None);
        of.sort_by_key(|finding| super::group::arch_place(finding.arch()));
        if of.len() < 2 {
            continue;
        }
        let table = tables::laws(&of, name);
        text += &if criterion == HEADLINE { table } else { tables::folded(&format!("Under {criterion}"), &table) };
    }
    text
}
