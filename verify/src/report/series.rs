//! One curve as elements of a panel: its points, the lines between them, its fit and what is predicted for it.

use super::figure::{Datum, Element, Entry, Form, GREY, Look, Marker, Sample, Stroke, tint};
use super::finding::Finding;
use super::number::telling;
use super::pooled::Pooled;
use crate::laws::{Fit, Law, Laws};
use crate::rows::Status;

/// A curve with its look and its name.
pub struct Series<'s, 'a> {
    /// The curve.
    pub finding: &'s Finding<'a>,
    /// What it is called in the legend and in the data file.
    pub name: String,
    /// Its look.
    pub look: Look,
    /// Pixels by which it is moved to the right.
    pub nudge: f64,
}

/// What is drawn of a curve.
#[derive(Clone, Copy, Debug)]
pub struct Detail {
    /// The fit of this law.
    pub law: Option<Law>,
    /// What the delta method predicts.
    pub predicted: bool,
    /// Deepest network shown.
    pub deepest: usize,
}

impl<'s, 'a> Series<'s, 'a> {
    /// Curves side by side, each a little apart from the next. They are called by their architectures, and where several have one, by
    /// what else tells them apart.
    pub fn apart(findings: &[&'s Finding<'a>], step: f64) -> Vec<Self> {
        let middle = (findings.len() as f64 - 1.0) / 2.0;
        let alike = |finding: &Finding<'a>, among: &[&'s Finding<'a>]| {
            among.iter().filter(|other| other.arch() == finding.arch()).count()
        };
        let series = |(i, finding): (usize, &&'s Finding<'a>)| Self {
            finding,
            name: if alike(finding, findings) > 1 { finding.network() } else { finding.arch().to_owned() },
            look: Look::of_arch(if alike(finding, &findings[..i]) > 0 { "" } else { finding.arch() }, i),
            nudge: (i as f64 - middle) * step,
        };
        findings.iter().enumerate().map(series).collect()
    }

    /// The points down to the deepest network shown.
    pub fn points(&self, deepest: usize) -> Vec<Pooled> {
        self.finding.points().into_iter().filter(|point| point.depth <= deepest).collect()
    }

    /// What is drawn, backmost first.
    pub fn elements(&self, detail: Detail) -> Vec<Element> {
        let points = self.points(detail.deepest);
        let mut elements = Vec::new();
        if detail.predicted {
            elements.extend(self.predicted(detail.deepest));
        }
        elements.extend(self.joins(&points));
        if let (Some(law), Some(laws)) = (detail.law, &self.finding.laws) {
            elements.extend(self.fit(laws.of(law), laws, detail.deepest));
        }
        elements.extend(self.marks(&points));
        elements.into_iter().map(|element| element.nudged(self.nudge)).collect()
    }

    /// The delta method's required width with its band, the median over data sets.
    fn predicted(&self, deepest: usize) -> Vec<Element> {
        let data: Vec<Datum> =
            predictions(self.finding).into_iter().filter(|datum| datum.x <= deepest as f64).collect();
        if data.is_empty() {
            return Vec::new();
        }
        let stroke = Stroke::dotted(self.look.color, 1.8);
        vec![
            Element::band(&self.name, "", data.clone(), tint(self.look.color, 0.22)),
            Element::line(&self.name, "predicted by the delta method", data, stroke),
        ]
    }

    /// Lines between neighbours: solid where both are measured, dashed to what is extrapolated.
    fn joins(&self, points: &[Pooled]) -> Vec<Element> {
        let known: Vec<(Status, Datum)> =
            points.iter().filter_map(|point| Some((point.status, datum(point)?))).collect();
        let join = |pair: &[(Status, Datum)]| {
            let measured = pair.iter().all(|(status, _)| *status == Status::Measured);
            let color = tint(self.look.color, 0.45);
            let stroke = if measured { Stroke::solid(color, 2.4) } else { Stroke::dashed(color, 2.0) };
            Element::line(&self.name, "", pair.iter().map(|(_, datum)| *datum).collect(), stroke)
        };
        known.windows(2).map(join).collect()
    }

    /// The fitted line: solid over the measured depths, dashed on to the last extrapolated one.
    fn fit(&self, fit: &Fit, laws: &Laws, deepest: usize) -> Vec<Element> {
        let rows = self.finding.rows().iter();
        let measured = rows.filter(|row| row.status == Status::Measured).map(|row| row.subject.depth);
        let [first, last] = [laws.depths[0], laws.depths[1].min(deepest)];
        let turn = measured.max().unwrap_or(first).clamp(first, last.max(first));
        let steps = if fit.law == Law::Power { 24 } else { 1 };
        let data = |[from, to]: [usize; 2]| -> Vec<Datum> {
            let at = |i: usize| from as f64 + (to - from) as f64 * i as f64 / steps as f64;
            (0..=steps).map(|i| Datum::bare(at(i), fit.at(at(i)))).collect()
        };
        let mut lines = Vec::new();
        if turn > first {
            lines.push(Element::line(&self.name, "fit", data([first, turn]), Stroke::solid(self.look.color, 1.0)));
        }
        if last > turn {
            let stroke = Stroke::dashed(self.look.color, 1.0);
            lines.push(Element::line(&self.name, "fit, extrapolated", data([turn, last]), stroke));
        }
        lines
    }

    fn marks(&self, points: &[Pooled]) -> Vec<Element> {
        let of = |status: Status| points.iter().filter(move |point| point.status == status);
        let known = |status| of(status).filter_map(datum).collect::<Vec<Datum>>();
        let (name, look) = (&self.name, self.look);
        let arrows = Element {
            series: name.clone(),
            role: "censored",
            data: of(Status::Censored).map(|point| Datum::bare(point.depth as f64, point.low)).collect(),
            form: Form::Arrows { look },
            nudge: 0.0,
        };
        let all = [
            Element::points(name, "measured", known(Status::Measured), look, true),
            Element::points(name, "extrapolated", known(Status::Extrapolated), look, false),
            arrows,
        ];
        all.into_iter().filter(|element| !element.data.is_empty()).collect()
    }

    /// Its entry in a legend, with what the fit found.
    pub fn fitted_entry(&self, law: Law) -> Entry {
        let sample = |line: bool| {
            let stroke = Stroke::solid(self.look.color, 1.0);
            if line { Sample::marked(stroke, self.look, true) } else { Sample::marker(self.look, true) }
        };
        match &self.finding.laws {
            Some(laws) => Entry::new(sample(true), format!("{}: {}", self.name, fitted(laws, law))),
            None => Entry::new(sample(false), format!("{}: no fit, too few depths", self.name)),
        }
    }

    /// Its entry in a legend, by name alone.
    pub fn entry(&self) -> Entry {
        let stroke = Stroke::solid(tint(self.look.color, 0.45), 2.4);
        Entry::new(Sample::marked(stroke, self.look, true), self.name.clone())
    }
}

/// A fit in a legend: the growth per layer with the verdict, or the exponent.
fn fitted(laws: &Laws, law: Law) -> String {
    match law {
        Law::Exponential => {
            format!("× {} per layer; {}", telling(&laws.exponential.growth()), laws.verdict.name())
        }
        Law::Power => format!("b = {}", telling(&laws.power.b)),
    }
}

fn datum(point: &Pooled) -> Option<Datum> {
    Some(Datum { x: point.depth as f64, y: point.width?, low: Some(point.low), high: point.high })
}

/// What is predicted at each depth: the median over data sets, from the lowest end of their intervals to the highest.
pub fn predictions(finding: &Finding<'_>) -> Vec<Datum> {
    let of_depth = finding.predicted.chunk_by(|a, b| a.subject.depth == b.subject.depth);
    of_depth
        .map(|rows| {
            let mut widths: Vec<f64> = rows.iter().map(|row| row.width).collect();
            widths.sort_by(f64::total_cmp);
            // Widths may reach 10^100: their product might overflow.
            let middle = [(widths.len() - 1) / 2, widths.len() / 2].map(|place| widths[place].sqrt());
            Datum {
                x: rows[0].subject.depth as f64,
                y: middle[0] * middle[1],
                low: rows.iter().map(|row| row.low).reduce(f64::min),
                high: rows.iter().map(|row| row.high).reduce(f64::max),
            }
        })
        .collect()
}

/// All that a vertical axis must hold for some series, with room for the arrows of censored widths.
pub fn heights(series: &[Series<'_, '_>], detail: Detail) -> Vec<f64> {
    let points: Vec<Pooled> = series.iter().flat_map(|series| series.points(detail.deepest)).collect();
    let mut values: Vec<f64> =
        points.iter().flat_map(|point| [point.width, Some(point.low), point.high]).flatten().collect();
    values.retain(|&value| value.is_finite() && value > 0.0);
    let (low, high) = values.iter().fold((f64::INFINITY, 0.0f64), |(low, high), &v| (low.min(v), high.max(v)));
    let room = (high / low).max(10.0).powf(0.09);
    let arrows = points.iter().filter(|point| point.status == Status::Censored).map(|point| point.low * room);
    values.extend(arrows);
    values
}

/// How to read the marks of some series.
pub fn key(series: &[Series<'_, '_>], detail: Detail) -> Vec<Entry> {
    let look = Look { color: GREY, marker: Marker::Circle };
    let points: Vec<Pooled> = series.iter().flat_map(|series| series.points(detail.deepest)).collect();
    let any = |status| points.iter().any(|point| point.status == status);
    let mut key = Vec::new();
    if any(Status::Measured) {
        key.push(Entry::new(
            Sample::marker(look, true),
            "measured: median over data sets; bar: from the lowest to the highest end of their intervals",
        ));
    }
    if any(Status::Extrapolated) {
        let sample = Sample::marked(Stroke::dashed(tint(GREY, 0.6), 2.0), look, false);
        key.push(Entry::new(sample, "extrapolated from narrower networks"));
    }
    if any(Status::Censored) {
        key.push(Entry::new(Sample::arrow(GREY), "required width lies above"));
    }
    if detail.law.is_some() && series.iter().any(|series| series.finding.laws.is_some()) {
        key.push(Entry::new(Sample::line(Stroke::solid(GREY, 1.0)), "fit over H ≥ 2"));
    }
    if detail.predicted && series.iter().any(|series| !series.finding.predicted.is_empty()) {
        key.push(Entry::new(Sample::line(Stroke::dotted(GREY, 1.8)), "delta method, no parameter fitted"));
    }
    key
}
