//! Figure: required width against depth, one criterion, a curve for each architecture.

use super::axis::{Axis, Kind, Scale};
use super::figure::{Datum, Element, Entry, Figure, Form, GREY, Look, Marker, Panel, Sample, Stroke, tint};
use super::finding::{Finding, point};
use super::fit::{Fit, Law};
use super::group::{Group, meaning};
use super::number::{fixed_interval, significant};
use crate::rows::{Status, WidthRow};

/// The figure of one criterion; none without findings.
pub fn figure(group: &Group<'_>, criterion: &str, findings: &[&Finding<'_>]) -> Option<Figure> {
    let guide = guide(group, findings);
    let panels =
        [Law::Exponential, Law::Power].into_iter().filter_map(|law| panel(law, findings, guide.as_ref())).collect();
    let figure = Figure {
        stem: format!("required-width-{criterion}"),
        title: format!("Required width against depth: {criterion}"),
        subtitle: format!("{}, {}", group.setting(), failing(findings)),
        panels,
        key: key(findings),
        caption: caption(criterion, guide.is_some()),
    };
    (!figure.panels.is_empty()).then_some(figure)
}

fn failing(findings: &[&Finding<'_>]) -> String {
    let mut deltas: Vec<f64> = findings.iter().flat_map(|finding| &finding.rows).map(|row| row.delta).collect();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let shown: Vec<String> = deltas.iter().map(|&delta| significant(delta, 2)).collect();
    format!("δ = {}", shown.join(" or "))
}

/// The theory's slope through the centre of the fully connected network's points.
struct Guide {
    factor: f64,
    ends: [Datum; 2],
}

fn guide(group: &Group<'_>, findings: &[&Finding<'_>]) -> Option<Guide> {
    let chi1 = group.chi1().filter(|&chi1| chi1 < 1.0)?;
    let finding = findings.iter().find(|finding| finding.arch == "fc" && finding.criterion == "init-closeness")?;
    let points: Vec<_> = finding.rows.iter().filter_map(|row| point(row)).collect();
    let (first, last) = (points.first()?.depth as f64, points.last()?.depth as f64);
    let count = points.len() as f64;
    let depth = points.iter().map(|point| point.depth as f64).sum::<f64>() / count;
    let log_width = points.iter().map(|point| point.log_width).sum::<f64>() / count;
    let factor = chi1.powi(-2);
    let at = |h: f64| Datum::bare(h, (log_width + (h - depth) * factor.ln()).exp());
    Some(Guide { factor, ends: [at(first - 0.35), at(last + 0.35)] })
}

fn panel(law: Law, findings: &[&Finding<'_>], guide: Option<&Guide>) -> Option<Panel> {
    let (id, scale, title) = match law {
        Law::Exponential => ("semilog", Scale::Linear, "semilog: m* = c exp(bH) is a straight line"),
        Law::Power => ("log-log", Scale::Log, "log-log: m* = c Hᵇ is a straight line"),
    };
    let rows = || findings.iter().flat_map(|finding| &finding.rows);
    let depths = rows().map(|row| row.subject.depth as f64);
    let x = Axis::spanning("depth H (hidden layers)", "depth", scale, Kind::Whole, depths)?;
    let y = Axis::spanning("required width m*", "width", Scale::Log, Kind::Real, heights(findings))?;

    let mut elements = Vec::new();
    let mut legend = Vec::new();
    let guide = guide.filter(|_| law == Law::Exponential);
    let dots = Stroke::dotted(GREY, 1.6);
    for (i, finding) in findings.iter().enumerate() {
        let look = Look::of_arch(finding.arch, i);
        let nudge = (i as f64 - (findings.len() - 1) as f64 / 2.0) * 7.0;
        if let Some(guide) = guide.filter(|_| finding.arch == "fc") {
            elements.push(Element::line("theory for fc", "guide", guide.ends.to_vec(), dots).nudged(nudge));
        }
        let fit = finding.drawn(law);
        elements.extend(joins(finding, look, nudge));
        elements.extend(fit.iter().flat_map(|fit| fit_lines(finding, fit, look)).map(|line| line.nudged(nudge)));
        elements.extend(marks(finding, look, nudge));
        let stroke = Stroke::solid(look.color, 1.0);
        legend.push(match fit {
            Some(fit) => Entry::new(Sample::marked(stroke, look, true), fit_words(finding, fit)),
            None => Entry::new(Sample::marker(look, true), format!("{}: no fit, too few depths", finding.arch)),
        });
    }
    if let Some(guide) = guide {
        let words = format!("theory for fc: × χ₁⁻² = {} per layer", significant(guide.factor, 3));
        legend.push(Entry::new(Sample::line(dots), words));
    }
    Some(Panel { title: title.to_owned(), id: id.to_owned(), x, y, elements, legend })
}

/// All that the vertical axis must hold, with room for the arrows of censored widths.
fn heights(findings: &[&Finding<'_>]) -> Vec<f64> {
    let rows = || findings.iter().flat_map(|finding| &finding.rows);
    let mut values: Vec<f64> = rows().flat_map(|row| [row.width, Some(row.low), row.high]).flatten().collect();
    values.retain(|&value| value.is_finite() && value > 0.0);
    let (low, high) = values.iter().fold((f64::INFINITY, 0.0f64), |(low, high), &v| (low.min(v), high.max(v)));
    let room = (high / low).max(10.0).powf(0.09);
    let arrows = rows().filter(|row| row.status == Status::Censored).map(|row| row.low * room);
    values.extend(arrows.collect::<Vec<f64>>());
    values
}

fn fit_words(finding: &Finding<'_>, fit: &Fit) -> String {
    let depths = if finding.deep.is_some() { ", H ≥ 2" } else { "" };
    let arch = format!("{}{depths}", finding.arch);
    let b = fixed_interval(&fit.b, 2);
    match fit.law {
        Law::Exponential => format!("{arch}: b = {b}, eᵇ = {}", significant(fit.growth().value, 3)),
        Law::Power => format!("{arch}: b = {b}"),
    }
}

fn datum(row: &WidthRow) -> Option<Datum> {
    let width = row.width?;
    Some(Datum { x: row.subject.depth as f64, y: width, low: Some(row.low), high: row.high })
}

/// Lines between neighbours: solid where both are measured, dashed to what is extrapolated.
fn joins(finding: &Finding<'_>, look: Look, nudge: f64) -> Vec<Element> {
    let drawn: Vec<(&WidthRow, Datum)> = finding
        .rows
        .iter()
        .filter(|row| row.status != Status::Censored)
        .filter_map(|row| Some((*row, datum(row)?)))
        .collect();
    drawn
        .windows(2)
        .map(|pair| {
            let measured = pair.iter().all(|(row, _)| row.status == Status::Measured);
            let color = tint(look.color, 0.45);
            let stroke = if measured { Stroke::solid(color, 2.4) } else { Stroke::dashed(color, 2.0) };
            Element::line(finding.arch, "", pair.iter().map(|(_, datum)| *datum).collect(), stroke).nudged(nudge)
        })
        .collect()
}

/// The fitted line: solid over the measured depths, dashed on to the last extrapolated one.
fn fit_lines(finding: &Finding<'_>, fit: &Fit, look: Look) -> Vec<Element> {
    let measured = finding.rows.iter().filter(|row| row.status == Status::Measured).map(|row| row.subject.depth);
    let [first, last] = fit.depths;
    let turn = measured.max().unwrap_or(first).clamp(first, last);
    let data = |depths: [usize; 2]| depths.map(|h| Datum::bare(h as f64, fit.at(h as f64))).to_vec();
    let mut lines = Vec::new();
    if turn > first {
        lines.push(Element::line(finding.arch, "fit", data([first, turn]), Stroke::solid(look.color, 1.0)));
    }
    if last > turn {
        lines.push(Element::line(
            finding.arch,
            "fit, extrapolated",
            data([turn, last]),
            Stroke::dashed(look.color, 1.0),
        ));
    }
    lines
}

fn marks(finding: &Finding<'_>, look: Look, nudge: f64) -> Vec<Element> {
    let of = |status: Status| finding.rows.iter().filter(move |row| row.status == status);
    let points = |status| of(status).filter_map(|row| datum(row)).collect::<Vec<Datum>>();
    let censored: Vec<Datum> = of(Status::Censored).map(|row| Datum::bare(row.subject.depth as f64, row.low)).collect();
    let arrows = Element {
        series: finding.arch.to_owned(),
        role: "censored",
        data: censored,
        form: Form::Arrows { look },
        nudge,
    };
    let all = [
        Element::points(finding.arch, "measured", points(Status::Measured), look, true).nudged(nudge),
        Element::points(finding.arch, "extrapolated", points(Status::Extrapolated), look, false).nudged(nudge),
        arrows,
    ];
    all.into_iter().filter(|element| !element.data.is_empty()).collect()
}

fn key(findings: &[&Finding<'_>]) -> Vec<Entry> {
    let look = Look { color: GREY, marker: Marker::Circle };
    let any = |status| findings.iter().any(|finding| finding.count(status) > 0);
    let mut key = Vec::new();
    if any(Status::Measured) {
        key.push(Entry::new(Sample::marker(look, true), "measured, 95 % interval"));
    }
    if any(Status::Extrapolated) {
        let sample = Sample::marked(Stroke::dashed(tint(GREY, 0.6), 2.0), look, false);
        key.push(Entry::new(sample, "extrapolated by the 1/√m law"));
    }
    if any(Status::Censored) {
        key.push(Entry::new(Sample::arrow(GREY), "required width lies above"));
    }
    if findings.iter().any(|finding| finding.exponential.is_some()) {
        key.push(Entry::new(Sample::line(Stroke::solid(GREY, 1.0)), "fit"));
    }
    key
}

fn caption(criterion: &str, guided: bool) -> String {
    let guide = if guided {
        " The dotted line has the theory's slope for the fully connected network, at a height set to the data: compare \
         slopes only."
    } else {
        ""
    };
    format!(
        "The smallest width at which at least 1 − δ of the random starts meet {criterion}: {}. This is one criterion, \
         not “the” necessary width.{guide}",
        meaning(criterion)
    )
}
