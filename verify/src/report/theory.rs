//! Figure: what is measured beside what theory says without fitting anything: the delta method's required width, and the
//! lemma's n^2 / lambda0^2.

use super::axis::{Axis, Kind, Scale};
use super::figure::{Datum, Element, Entry, Figure, GREY, Panel, Sample, Stroke};
use super::finding::Finding;
use super::group::Group;
use super::required_width::failing;
use super::series::{Detail, Series, heights, key, predictions};

/// A prediction this much deeper than the last measurement gets a panel of its own.
const DEEPER: f64 = 2.0;

/// From this depth on, depths of networks with skips are spaced by their logarithm.
const LONG: f64 = 12.0;

/// The figure of one criterion, a panel for each architecture, and one more where predictions reach far beyond measurements;
/// none without predictions.
pub fn figure(group: &Group<'_>, criterion: &str, findings: &[&Finding<'_>]) -> Option<Figure> {
    let predicted: Vec<&Finding<'_>> =
        findings.iter().filter(|finding| !finding.predicted.is_empty()).copied().collect();
    let series = Series::apart(&predicted, 0.0);
    let mut panels = Vec::new();
    for series in &series {
        let measured = deepest(series.finding)?;
        let last = predictions(series.finding).last().map_or(0.0, |datum| datum.x);
        let beside = if last >= DEEPER * measured as f64 { measured + 1 } else { usize::MAX };
        panels.extend(panel(series, beside, format!("{}, beside what is measured", series.name)));
        if beside < usize::MAX {
            panels.extend(panel(series, usize::MAX, format!("{}, to depth {last}", series.name)));
        }
    }
    let detail = Detail { law: None, predicted: true, deepest: usize::MAX };
    let mut entries = key(&series, detail);
    entries.push(Entry::new(Sample::line(lemma_stroke()), "lemma: n²/λ₀², without its constant"));
    let figure = Figure {
        stem: format!("theory-{criterion}"),
        title: format!("Measured and predicted required width: {criterion}"),
        subtitle: format!("{}, {}", group.setting(), failing(&predicted)),
        panels,
        key: entries,
        caption: "Dotted: the width at which the Gram matrix's fluctuation, linearised around infinite width, meets the \
                  criterion. It is computed from the activation and the data alone, with nothing fitted to the points, and also \
                  reaches depths whose width no machine could run. The band reaches from the lowest to the highest end of the data \
                  sets' Monte Carlo intervals. The lemma's n²/λ₀² lacks the constant that the paper does not state: compare slopes \
                  only. With skips λ₀ falls about as H⁻², so that this line rises as H⁴."
            .to_owned(),
    };
    (!figure.panels.is_empty()).then_some(figure)
}

fn lemma_stroke() -> Stroke {
    Stroke::dashed(GREY, 1.3)
}

fn deepest(finding: &Finding<'_>) -> Option<usize> {
    finding.points().last().map(|point| point.depth)
}

/// n^2 / lambda0^2 at each predicted depth.
fn lemma(finding: &Finding<'_>, deepest: usize) -> Vec<Datum> {
    let of_depth = finding.predicted.chunk_by(|a, b| a.subject.depth == b.subject.depth);
    let data = of_depth.map(|rows| Datum::bare(rows[0].subject.depth as f64, rows[0].lemma_width));
    data.filter(|datum| datum.x <= deepest as f64 && datum.y.is_finite()).collect()
}

fn panel(series: &Series<'_, '_>, deepest: usize, title: String) -> Option<Panel> {
    let detail = Detail { law: None, predicted: true, deepest };
    let shown = |datum: &Datum| datum.x <= deepest as f64;
    let predicted: Vec<Datum> = predictions(series.finding).into_iter().filter(shown).collect();
    let lemma = lemma(series.finding, deepest);
    let depths = predicted.iter().map(|datum| datum.x);
    let depths = depths.chain(series.points(deepest).into_iter().map(|point| point.depth as f64));
    // Without skips the law is expected to be exponential, and straight on an even axis.
    let even = series.finding.arch() == "fc" || depths.clone().all(|depth| depth < LONG);
    let scale = if even { Scale::Linear } else { Scale::Log };
    let x = Axis::spanning("depth H", "depth", scale, Kind::Whole, depths)?;
    let mut values = heights(std::slice::from_ref(series), detail);
    values.extend(predicted.iter().flat_map(|datum| [Some(datum.y), datum.low, datum.high]).flatten());
    values.extend(lemma.iter().map(|datum| datum.y));
    let y = Axis::spanning("required width m*", "width", Scale::Log, Kind::Real, values)?;
    let mut elements = vec![Element::line(&series.name, "lemma", lemma, lemma_stroke())];
    elements.extend(series.elements(detail));
    Some(Panel { id: title.clone(), title, x, y, elements, legend: Vec::new() })
}
