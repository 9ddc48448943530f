//! Figure: required width against depth, one criterion, a curve for each architecture.

use super::axis::{Axis, Kind, Scale};
use super::figure::{Entry, Figure, Panel};
use super::finding::Finding;
use super::group::{Group, meaning};
use super::number::significant;
use super::series::{Detail, Series, heights, key};
use crate::laws::Law;

/// A depth so much beyond the one at which growth ends what can be run would squash it on an even axis.
const SQUASHED: usize = 2;

/// The figure of one criterion; none without findings.
pub fn figure(group: &Group<'_>, criterion: &str, findings: &[&Finding<'_>]) -> Option<Figure> {
    let series = Series::apart(findings, 5.0);
    let all = series.iter().flat_map(|series| series.points(usize::MAX)).map(|point| point.depth).max()?;
    let cut = cut(&series, all);
    let panels: Vec<Panel> = [(Law::Exponential, cut), (Law::Power, all)]
        .into_iter()
        .filter_map(|(law, deepest)| panel(law, &series, deepest))
        .collect();
    let semilog = panels.first().map(|panel| panel.x.data[1] as usize);
    let detail = Detail { law: Some(Law::Exponential), predicted: true, deepest: all };
    let figure = Figure {
        stem: format!("required-width-{criterion}"),
        title: format!("Required width against depth: {criterion}"),
        subtitle: format!("{}, {}", group.setting(), failing(findings)),
        panels,
        key: key(&series, detail),
        caption: caption(criterion, semilog.filter(|&ends| ends < all)),
    };
    (!figure.panels.is_empty()).then_some(figure)
}

/// How deep the semilog panel reaches: a little beyond the network that stops first, if others go on much further.
fn cut(series: &[Series<'_, '_>], all: usize) -> usize {
    let ends = series.iter().filter_map(|series| series.points(usize::MAX).last().map(|point| point.depth));
    match ends.min() {
        Some(shallow) if shallow >= 3 && all > SQUASHED * shallow => shallow + 1,
        _ => all,
    }
}

/// The allowed fraction of failing starts.
pub fn failing(findings: &[&Finding<'_>]) -> String {
    let mut deltas: Vec<f64> = findings.iter().map(|finding| finding.delta()).collect();
    deltas.sort_by(f64::total_cmp);
    deltas.dedup();
    let shown: Vec<String> = deltas.iter().map(|&delta| significant(delta, 2)).collect();
    format!("δ = {}", shown.join(" or "))
}

fn panel(law: Law, series: &[Series<'_, '_>], deepest: usize) -> Option<Panel> {
    let (id, scale, title) = match law {
        Law::Exponential => ("semilog", Scale::Linear, "semilog: m* = c exp(bH) is a straight line"),
        Law::Power => ("log-log", Scale::Log, "log-log: m* = c Hᵇ is a straight line"),
    };
    let detail = Detail { law: Some(law), predicted: true, deepest };
    let depths = series.iter().flat_map(|series| series.points(deepest)).map(|point| point.depth as f64);
    let x = Axis::spanning("depth H (hidden layers)", "depth", scale, Kind::Whole, depths)?;
    let y = Axis::spanning("required width m*", "width", Scale::Log, Kind::Real, heights(series, detail))?;
    // Above these are only predictions, whose lines are cut off at the axes.
    let shown = x.data[1] as usize;
    let elements = series.iter().flat_map(|series| series.elements(Detail { deepest: shown, ..detail })).collect();
    let legend: Vec<Entry> = series.iter().map(|series| series.fitted_entry(law)).collect();
    Some(Panel { title: title.to_owned(), id: id.to_owned(), x, y, elements, legend })
}

/// `semilog_ends`: the deepest depth of the semilog panel, where others go on.
fn caption(criterion: &str, semilog_ends: Option<usize>) -> String {
    let cut = semilog_ends
        .map_or(String::new(), |depth| format!(" The left panel ends at H = {depth}, the right one shows all depths."));
    format!(
        "The smallest width at which at least 1 − δ of the random starts meet {criterion}: {}. This is one criterion, \
         not “the” necessary width. Points are medians over the data sets; bars reach from the lowest to the highest end \
         of their intervals.{cut}",
        meaning(criterion)
    )
}
