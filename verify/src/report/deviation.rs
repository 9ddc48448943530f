//! Figure: how far a Gram matrix is from where the proof wants it, against width: its move in training (drift) or its
//! distance from the infinite-width limit at the start (init-closeness).

use super::axis::{Axis, Kind, Scale};
use super::figure::{Datum, Element, Entry, Figure, GREY, INK, Look, Panel, Sample, Stroke};
use super::finding::Finding;
use super::group::{Group, archs};
use crate::rows::{Tried, WidthRow};

/// Most depths of one panel: more lines cannot be told apart.
const MOST: usize = 6;

/// What the criteria bound the deviation by, in units of lambda0.
const BOUND: f64 = 0.25;

/// What is shown for one criterion.
struct Subject {
    criterion: &'static str,
    column: &'static str,
    title: &'static str,
    axis: &'static str,
    caption: &'static str,
    /// The power p of the law m^(-p), and its name.
    law: (f64, &'static str),
}

const SUBJECTS: [Subject; 2] = [
    Subject {
        criterion: "drift",
        column: "drift_over_lambda0",
        title: "How far training moves the Gram matrix, against width",
        axis: "sup ‖G(k) − G(0)‖₂ / λ₀",
        caption: "The largest move of the last hidden layer's Gram matrix during training, in units of λ₀: median and \
                  whole range over the starts, on the first data set, at widths about a doubling apart. Below ¼ (dashed) the paper's induction goes \
                  through. The proof bounds the move by a multiple of 1/√m; wide networks move less, as 1/m (Huang and \
                  Yau 2020; Dyer and Gur-Ari 2020).",
        law: (1.0, "1/m"),
    },
    Subject {
        criterion: "init-closeness",
        column: "deviation_over_lambda0",
        title: "How far the Gram matrix starts from its limit, against width",
        axis: "‖G(0) − K‖₂ / λ₀",
        caption: "The distance between the random Gram matrix at the start and its infinite-width limit, in units of \
                  λ₀: median and whole range over the starts, on the first data set, at widths about a doubling apart. Below ¼ \
                  (dashed) the paper's lemma holds.",
        law: (0.5, "1/√m"),
    },
];

/// The figures of a group, for each of the two criteria that has rows.
pub fn figures(group: &Group<'_>, findings: &[&Finding<'_>]) -> Vec<Figure> {
    SUBJECTS.iter().filter_map(|subject| figure(group, findings, subject)).collect()
}

/// The rows that are drawn: the first data set's, and of many depths some.
fn drawn<'a>(finding: &Finding<'a>) -> Vec<&'a WidthRow> {
    let mut rows: Vec<&WidthRow> = finding.rows().iter().filter(|row| !row.tried.is_empty()).copied().collect();
    // The rows of one depth come in the order of their data sets.
    rows.dedup_by_key(|row| row.subject.depth);
    let last = rows.len().saturating_sub(1);
    if last < MOST {
        return rows;
    }
    (0..MOST).map(|i| rows[(i * last + (MOST - 1) / 2) / (MOST - 1)]).collect()
}

fn figure(group: &Group<'_>, findings: &[&Finding<'_>], subject: &Subject) -> Option<Figure> {
    let of_criterion = findings.iter().filter(|finding| finding.criterion() == subject.criterion);
    let rows: Vec<&WidthRow> = of_criterion.flat_map(|finding| drawn(finding)).collect();
    let tried = || rows.iter().flat_map(|row| &row.tried);
    let widths = tried().map(|tried| tried.width as f64);
    let x = Axis::spanning("width m", "width", Scale::Log, Kind::Real, widths)?;
    let [low, high] = [0, 1].map(|end| tried().map(move |tried| tried.ratio_range[end] * BOUND));
    let medians = tried().map(|tried| tried.median_ratio * BOUND);
    let values = medians.chain(low).chain(high).chain([BOUND]);
    let y = Axis::spanning(subject.axis, subject.column, Scale::Log, Kind::Real, values)?;
    let archs = archs(rows.iter().map(|row| &row.subject));
    let (power, law) = subject.law;
    let panels: Vec<Panel> = archs.into_iter().map(|arch| panel(&rows, arch, [&x, &y], power)).collect();
    let mut key = vec![Entry::new(Sample::line(Stroke::dashed(INK, 1.3)), "bound of the criterion: ¼")];
    if panels.iter().flat_map(|panel| &panel.elements).any(|element| element.role == "guide") {
        key.push(Entry::new(Sample::line(Stroke::dotted(GREY, 1.6)), format!("guide: ∝ {law}")));
    }
    let caption = format!(
        "{} Lines that run beside the dotted guide support extrapolating by {law}; they prove nothing about widths that \
         were not run.",
        subject.caption
    );
    let (stem, title) = (format!("deviation-{}", subject.criterion), subject.title.to_owned());
    Some(Figure { stem, title, subtitle: group.setting(), panels, key, caption }.with_shared_legend())
}

fn panel(rows: &[&WidthRow], arch: &str, [x, y]: [&Axis; 2], power: f64) -> Panel {
    let rows: Vec<&WidthRow> = rows.iter().filter(|row| row.subject.arch == arch).copied().collect();
    let bound = x.range.map(|width| Datum::bare(width, BOUND)).to_vec();
    let mut elements = vec![Element::line(arch, "bound", bound, Stroke::dashed(INK, 1.3))];
    elements.extend(guide(&rows, arch, y, power));
    let mut legend = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let look = Look::graded(i, rows.len());
        let stroke = Stroke::solid(look.color, 1.5);
        let series = format!("{arch}, H = {}", row.subject.depth);
        let data: Vec<Datum> = thinned(&row.tried)
            .into_iter()
            .map(|tried| Datum {
                x: tried.width as f64,
                y: tried.median_ratio * BOUND,
                low: Some(tried.ratio_range[0] * BOUND),
                high: Some(tried.ratio_range[1] * BOUND),
            })
            .collect();
        elements.push(Element::line(&series, "", data.clone(), stroke));
        elements.push(Element::points(&series, "median and range", data, look, true));
        legend.push(Entry::new(Sample::marked(stroke, look, true), format!("H = {}", row.subject.depth)));
    }
    Panel { title: arch.to_owned(), id: arch.to_owned(), x: x.clone(), y: y.clone(), elements, legend }
}

/// Widths at least a doubling apart, nearly: the search lies close where pass rates change.
fn thinned(tried: &[Tried]) -> Vec<&Tried> {
    let mut kept: Vec<&Tried> = Vec::new();
    for tried in tried {
        if kept.last().is_none_or(|last| tried.width as f64 >= 1.9 * last.width as f64) {
            kept.push(tried);
        }
    }
    kept
}

/// A line of slope -`power` through the centre of the panel's points, as long as they reach.
fn guide(rows: &[&WidthRow], arch: &str, y: &Axis, power: f64) -> Option<Element> {
    let points: Vec<[f64; 2]> = rows
        .iter()
        .flat_map(|row| &row.tried)
        // Those that have diverged lie beyond the axis.
        .filter(|tried| y.shows(tried.median_ratio * BOUND))
        .map(|tried| [(tried.width as f64).ln(), (tried.median_ratio * BOUND).ln()])
        .collect();
    let mean = |axis: usize| points.iter().map(|point| point[axis]).sum::<f64>() / points.len() as f64;
    let [x, y] = [mean(0), mean(1)];
    let ends = points.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], p| [low.min(p[0]), high.max(p[0])]);
    let data = ends.map(|end| Datum::bare(end.exp(), (y - (end - x) * power).exp())).to_vec();
    (ends[1] > ends[0]).then(|| Element::line(arch, "guide", data, Stroke::dotted(GREY, 1.6)))
}
