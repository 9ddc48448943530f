//! Figures of small multiples: the same axes over and over, one thing changed from panel to panel or from line to line.

use super::axis::{Axis, Kind, Scale};
use super::figure::{Figure, Look, Panel};
use super::finding::Finding;
use super::group::{CRITERIA, Group, Sorted, archs, scale};
use super::outline::{Outline, select};
use super::required_width::failing;
use super::series::{Detail, Series, heights, key};

/// From so many times the shallowest network on, depths are spaced by their logarithm.
const LONG: usize = 12;
/// Most panels of one figure.
const MOST_PANELS: usize = 12;

/// A panel to be.
struct Part<'s, 'a> {
    title: String,
    series: Vec<Series<'s, 'a>>,
}

/// What a figure of small multiples says about itself.
struct Words {
    stem: &'static str,
    title: &'static str,
    subtitle: String,
    caption: &'static str,
}

/// The criteria side by side in the main setting; none with fewer than two.
pub fn criteria(sorted: &Sorted<'_>, group: &Group<'_>) -> Option<Figure> {
    let all = sorted.of(group);
    let part = |(criterion, _): &(&'static str, &str)| {
        let findings = select(&all, criterion, None);
        let series = Series::apart(&findings, 3.0);
        (!series.is_empty()).then(|| Part { title: (*criterion).to_owned(), series })
    };
    let parts: Vec<Part<'_, '_>> = CRITERIA.iter().filter_map(part).collect();
    let words = Words {
        stem: "criteria",
        title: "Required width against depth under each criterion",
        subtitle: format!("{}, {}", group.setting(), failing(&all)),
        caption: "All panels have one scale of widths. The criteria bound different quantities, and none is “the” \
                  necessary width: a network that misses one may still train.",
    };
    (parts.len() > 1).then(|| figure(parts, words)).flatten()
}

/// One criterion against the number of samples, a panel for each architecture.
pub fn samples(sorted: &Sorted<'_>, outline: &Outline, criterion: &str) -> Option<Figure> {
    let name = |group: &Group<'_>| format!("n = {}", group.samples);
    let words = Words {
        stem: "samples",
        title: "Required width against depth for more samples",
        subtitle: format!("{criterion}, {}", sorted.groups[outline.main].activation),
        caption: "All panels have one scale of widths. How steep the curves are says how the width grows with depth; how far \
                  apart they lie, how it grows with the number of samples.",
    };
    graded(sorted, &outline.samples, criterion, &name, words)
}

/// One criterion against the residual scale, a panel for each architecture with skips.
pub fn scales(sorted: &Sorted<'_>, outline: &Outline, criterion: &str) -> Option<Figure> {
    let name = |group: &Group<'_>| group.scale.as_ref().map_or("no skip".to_owned(), scale);
    let words = Words {
        stem: "residual-scale",
        title: "Required width against depth by residual scale",
        subtitle: format!("{criterion}, {}", sorted.groups[outline.main].activation),
        caption: "The theorems are about the scale c_res/H. A scale that falls more slowly, or not at all, is an ablation: \
                  it shows what dividing by the depth is good for.",
    };
    graded(sorted, &outline.scales, criterion, &name, words)
}

/// One criterion for each activation, a panel for each architecture; lines in the order of chi_1.
pub fn activations(sorted: &Sorted<'_>, outline: &Outline, criterion: &str) -> Option<Figure> {
    let mut places = outline.activations.clone();
    let chi1 = |place: &usize| sorted.groups[*place].chi1().unwrap_or(f64::INFINITY);
    places.sort_by(|a, b| chi1(a).total_cmp(&chi1(b)));
    let main = &sorted.groups[outline.main];
    let words = Words {
        stem: "activations",
        title: "Required width against depth by activation",
        subtitle: format!("{criterion}, n = {}", main.samples),
        caption: "From the smallest χ₁ (dark) to the largest (light). In a fully connected network λ₀ falls by χ₁ per \
                  layer only if χ₁ < 1.",
    };
    graded(sorted, &places, criterion, &|group| group.activation.clone(), words)
}

/// The settings that differ from the main one in several things, a panel each.
pub fn others(sorted: &Sorted<'_>, outline: &Outline, criterion: &str) -> Option<Figure> {
    let part = |&place: &usize| {
        let group = &sorted.groups[place];
        let findings = select(&sorted.of(group), criterion, None);
        let series = Series::apart(&findings, 3.0);
        (!series.is_empty()).then(|| Part { title: group.setting(), series })
    };
    let parts: Vec<Part<'_, '_>> = outline.others.iter().filter_map(part).take(MOST_PANELS).collect();
    let words = Words {
        stem: "other-settings",
        title: "Required width against depth in other settings",
        subtitle: criterion.to_owned(),
        caption: "All panels have one scale of widths.",
    };
    figure(parts, words)
}

/// A panel for each architecture, a line for each setting.
fn graded<'s, 'a>(
    sorted: &'s Sorted<'a>,
    places: &[usize],
    criterion: &str,
    name: &dyn Fn(&Group<'_>) -> String,
    words: Words,
) -> Option<Figure> {
    let groups: Vec<&Group<'_>> = places.iter().map(|&place| &sorted.groups[place]).collect();
    let subjects = groups.iter().flat_map(|group| sorted.of(group)).map(Finding::subject);
    let part = |arch: &str| {
        let of = |group: &Group<'_>| select(&sorted.of(group), criterion, Some(arch));
        // A setting may have several curves, as for several images: each has its place then.
        let most = groups.iter().map(|group| of(group).len()).max().unwrap_or(1).max(1);
        let count = most * groups.len();
        let middle = (count as f64 - 1.0) / 2.0;
        let lines = |(i, group): (usize, &&Group<'_>)| {
            let found = of(group);
            let line = |(k, &finding): (usize, &&'s Finding<'a>)| {
                let place = most * i + k;
                let nudge = (place as f64 - middle) * (16.0 / count as f64).clamp(1.0, 4.0);
                let more = if found.len() > 1 { format!(", {}", finding.network()) } else { String::new() };
                Series { finding, name: name(group) + &more, look: Look::graded(place, count), nudge }
            };
            found.iter().enumerate().map(line).collect::<Vec<_>>()
        };
        let mut series: Vec<Series<'_, '_>> = groups.iter().enumerate().flat_map(lines).collect();
        // A network without skips is the same in all residual scales.
        series.dedup_by(|a, b| std::ptr::eq(a.finding, b.finding));
        (series.len() > 1).then(|| Part { title: arch.to_owned(), series })
    };
    let parts: Vec<Part<'_, '_>> = archs(subjects).into_iter().filter_map(part).collect();
    figure(parts, words)
}

/// Panels on one scale of widths; none without parts.
fn figure(parts: Vec<Part<'_, '_>>, words: Words) -> Option<Figure> {
    let detail = Detail { law: None, predicted: false, deepest: usize::MAX };
    let values: Vec<f64> = parts.iter().flat_map(|part| heights(&part.series, detail)).collect();
    let y = Axis::spanning("required width m*", "width", Scale::Log, Kind::Real, values)?;
    let mut entries = Vec::new();
    for part in &parts {
        for entry in key(&part.series, detail) {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    let panels: Vec<Panel> = parts.iter().filter_map(|part| panel(part, &y)).collect();
    let figure = Figure {
        stem: words.stem.to_owned(),
        title: words.title.to_owned(),
        subtitle: words.subtitle,
        panels,
        key: entries,
        caption: format!("{} Points are medians over the data sets.", words.caption),
    };
    (!figure.panels.is_empty()).then(|| figure.with_shared_legend())
}

fn panel(part: &Part<'_, '_>, y: &Axis) -> Option<Panel> {
    let detail = Detail { law: None, predicted: false, deepest: usize::MAX };
    let points = || part.series.iter().flat_map(|series| series.points(usize::MAX)).map(|point| point.depth);
    let long = points().max()? >= LONG * points().min()?.max(1);
    let scale = if long { Scale::Log } else { Scale::Linear };
    let x = Axis::spanning("depth H", "depth", scale, Kind::Whole, points().map(|depth| depth as f64))?;
    Some(Panel {
        title: part.title.clone(),
        id: part.title.clone(),
        x,
        y: y.clone(),
        elements: part.series.iter().flat_map(|series| series.elements(detail)).collect(),
        legend: part.series.iter().map(Series::entry).collect(),
    })
}
