//! Figure: loss against step, with the linear rate that the theory predicts.

use std::collections::HashSet;

use super::axis::{Axis, Kind, Scale};
use super::figure::{Datum, Element, Entry, Figure, GREY, Look, Panel, Sample, Stroke};
use super::group::{Group, archs};
use super::number::whole;
use crate::rows::{CurveRow, thinned};

/// Most points of one line: more would not show.
const MOST: usize = 240;
/// Where the longest run has so many times the steps of the shortest, a logarithmic axis is needed to see both.
const UNEVEN: f64 = 30.0;

/// The figure, one panel for each architecture; none without rows.
pub fn figure(group: &Group<'_>) -> Option<Figure> {
    let archs = archs(group.curves.iter().map(|row| &row.subject));
    let losses = group.curves.iter().flat_map(|row| row.loss.iter().copied());
    let y = Axis::spanning("loss L(k)", "loss", Scale::Log, Kind::Real, losses)?;
    let panels: Vec<Panel> = archs.into_iter().filter_map(|arch| panel(group, arch, &y)).collect();
    let key = vec![
        Entry::new(Sample::line(Stroke::solid(GREY, 1.8)), "gradient descent"),
        Entry::new(Sample::line(Stroke::dashed(GREY, 1.3)), "predicted: (1 − ηλ₀/2)ᵏ L(0)"),
    ];
    let figure = Figure {
        stem: "loss".to_owned(),
        title: "Training loss against step".to_owned(),
        subtitle: group.setting(),
        panels,
        key,
        caption: "Full-batch gradient descent with a constant step, all layers trained, one random start a line. A \
                  wide enough network stays below the dashed line of its colour; far below is no contradiction, for \
                  the prediction is an upper bound. One start does not show how often the bound holds: the rate \
                  criterion counts that."
            .to_owned(),
    };
    (!figure.panels.is_empty()).then(|| figure.with_shared_legend())
}

fn panel(group: &Group<'_>, arch: &str, y: &Axis) -> Option<Panel> {
    let mut rows: Vec<&CurveRow> = group.curves.iter().filter(|row| row.subject.arch == arch).copied().collect();
    // Of several data sets the first.
    let mut seen = HashSet::new();
    rows.retain(|row| seen.insert((row.subject.depth, row.width, row.seed)));
    let lengths = || rows.iter().filter_map(|row| row.steps.last()).map(|&step| step.max(1) as f64);
    let (shortest, longest) = lengths().fold((f64::INFINITY, 1.0f64), |(low, high), v| (low.min(v), high.max(v)));
    let scale = if longest / shortest > UNEVEN { Scale::Log } else { Scale::Linear };
    let steps = rows.iter().flat_map(|row| row.steps.iter().map(|&step| step as f64));
    let x = Axis::spanning("step k", "step", scale, Kind::Real, steps)?;

    let mut depths: Vec<usize> = rows.iter().map(|row| row.subject.depth).collect();
    depths.dedup();
    let (mut elements, mut legend) = (Vec::new(), Vec::new());
    for row in &rows {
        let index = depths.iter().position(|&depth| depth == row.subject.depth).unwrap_or(0);
        let color = Look::graded(index, depths.len()).color;
        let name = format!("H = {}, m = {}", row.subject.depth, whole(row.width));
        let series = format!("{arch}, {name}, seed {}", row.seed);
        let stroke = Stroke::solid(color, 1.8);
        elements.push(Element::line(&series, "predicted", predicted(row), Stroke::dashed(color, 1.3)));
        elements.push(Element::line(&series, "loss", losses(row), stroke));
        let entry = Entry::new(Sample::line(stroke), name);
        if !legend.contains(&entry) {
            legend.push(entry);
        }
    }
    Some(Panel { title: arch.to_owned(), id: arch.to_owned(), x, y: y.clone(), elements, legend })
}

fn losses(row: &CurveRow) -> Vec<Datum> {
    let count = row.steps.len().min(row.loss.len());
    thinned(count, MOST).into_iter().map(|i| Datum::bare(row.steps[i] as f64, row.loss[i])).collect()
}

fn predicted(row: &CurveRow) -> Vec<Datum> {
    let Some(&start) = row.loss.first() else { return Vec::new() };
    let factor = 1.0 - row.eta * row.lambda0 / 2.0;
    // Straight on linear steps, smooth on logarithmic ones.
    let indices = thinned(row.steps.len(), MOST / 4);
    indices.into_iter().map(|i| Datum::bare(row.steps[i] as f64, start * factor.powf(row.steps[i] as f64))).collect()
}
