//! Figure: the smallest eigenvalue of the infinitely wide network's Gram matrix against depth.

use fathom_model::condition::NOISE;

use super::axis::{Axis, Kind, Scale};
use super::figure::{Datum, Element, Entry, Figure, Look, Panel, Sample, Stroke};
use super::group::{Group, archs};
use super::number::significant;
use crate::rows::LambdaRow;

/// Where depths reach so many times beyond the shallowest network's last, they get a panel with a logarithmic axis.
const SQUASHED: usize = 2;

/// The figure; none without rows.
pub fn figure(group: &Group<'_>) -> Option<Figure> {
    // What is rounding noise has no place on the axis.
    let is_known = |row: &&&LambdaRow| row.lambda0 > NOISE * row.lambda_max && row.lambda0.is_finite();
    let mut rows: Vec<&LambdaRow> = group.lambdas.iter().filter(is_known).copied().collect();
    // Of several data sets the first.
    rows.dedup_by(|a, b| a.subject.arch == b.subject.arch && a.subject.depth == b.subject.depth);
    let all = rows.iter().map(|row| row.subject.depth).max()?;
    let ends = rows.chunk_by(|a, b| a.subject.arch == b.subject.arch).filter_map(<[_]>::last);
    let shallow = ends.map(|row| row.subject.depth).min().unwrap_or(all).max(3);
    let panels: Vec<Panel> = if all > SQUASHED * shallow {
        let near: Vec<&LambdaRow> = rows.iter().filter(|row| row.subject.depth <= shallow + 1).copied().collect();
        [panel(&near, group.chi1(), Scale::Linear), panel(&rows, group.chi1(), Scale::Log)]
            .into_iter()
            .flatten()
            .collect()
    } else {
        panel(&rows, group.chi1(), Scale::Linear).into_iter().collect()
    };
    let figure = Figure {
        stem: "lambda0".to_owned(),
        title: "Smallest eigenvalue at infinite width against depth".to_owned(),
        subtitle: group.setting(),
        panels,
        key: Vec::new(),
        caption: caption(group.chi1()),
    };
    (!figure.panels.is_empty()).then(|| figure.with_shared_legend())
}

fn panel(rows: &[&LambdaRow], chi1: Option<f64>, scale: Scale) -> Option<Panel> {
    let depths = rows.iter().map(|row| row.subject.depth as f64);
    let x = Axis::spanning("depth H (hidden layers)", "depth", scale, Kind::Whole, depths)?;
    let values = rows.iter().map(|row| row.lambda0);
    let y = Axis::spanning("λ₀, smallest eigenvalue of K⁽ᴴ⁾", "lambda0", Scale::Log, Kind::Real, values)?;
    let (mut elements, mut marks, mut legend) = (Vec::new(), Vec::new(), Vec::new());
    for (i, arch) in archs(rows.iter().map(|row| &row.subject)).into_iter().enumerate() {
        let look = Look::of_arch(arch, i);
        let of_arch = rows.iter().filter(|row| row.subject.arch == arch);
        let data: Vec<Datum> = of_arch.map(|row| Datum::bare(row.subject.depth as f64, row.lambda0)).collect();
        let stroke = Stroke::solid(look.color, 1.6);
        legend.push(Entry::new(Sample::marked(stroke, look, true), arch));
        if let Some((line, words)) = guide(arch, &data, chi1) {
            let stroke = Stroke::dotted(look.color, 1.6);
            elements.push(Element::line(arch, "guide", line, stroke));
            legend.push(Entry::new(Sample::line(stroke), words));
        }
        elements.push(Element::line(arch, "", data.clone(), stroke));
        marks.push(Element::points(arch, "computed", data, look, true));
    }
    elements.extend(marks);
    let id = if scale == Scale::Linear { "semilog" } else { "log-log" };
    Some(Panel { title: id.to_owned(), id: id.to_owned(), x, y, elements, legend })
}

/// The theory's shape through the deepest value: the laws hold for deep networks, and a residual network of depth 1
/// has no skip.
fn guide(arch: &str, data: &[Datum], chi1: Option<f64>) -> Option<(Vec<Datum>, String)> {
    let last = *data.last()?;
    let first = data.first()?.x;
    if arch == "fc" {
        let chi1 = chi1.filter(|&chi1| chi1 < 1.0)?;
        let at = |h: f64| Datum::bare(h, last.y * chi1.powf(h - last.x));
        let words = format!("fc, theory: × χ₁ = {} per layer", significant(chi1, 3));
        return (last.x > first).then(|| (curve(first, last.x, at), words));
    }
    let first = first.max(2.0);
    let at = |h: f64| Datum::bare(h, last.y * (last.x / h).powi(2));
    (last.x > first).then(|| (curve(first, last.x, at), format!("{arch}, guide: ∝ H⁻²")))
}

/// Points close enough to look like a curve on any axis.
fn curve(first: f64, last: f64, at: impl Fn(f64) -> Datum) -> Vec<Datum> {
    const STEPS: u32 = 24;
    (0..=STEPS).map(|i| at(first + (last - first) * f64::from(i) / f64::from(STEPS))).collect()
}

fn caption(chi1: Option<f64>) -> String {
    let law = match chi1 {
        Some(chi1) if chi1 < 1.0 => format!(
            "In the fully connected network it shrinks by χ₁ = {} per layer once H is large (dotted), because this \
             activation has χ₁ < 1. ",
            significant(chi1, 3)
        ),
        Some(chi1) => format!(
            "This activation has χ₁ = {}, which is not below 1: no exponential fall is expected in the fully \
             connected network. ",
            significant(chi1, 3)
        ),
        None => String::new(),
    };
    format!(
        "Computed by quadrature, without any random network. {law}In residual networks it falls no faster than H⁻² \
         (dotted, through the deepest value). By itself this says nothing about any finite width."
    )
}
