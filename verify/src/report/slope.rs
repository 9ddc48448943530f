//! Figure: the growth per layer of each activation against what theory has for deep fully connected networks.

use super::axis::{Axis, Kind, Scale};
use super::figure::{Datum, Element, Entry, Figure, GREY, Look, Panel, Sample, Stroke};
use super::finding::Finding;
use super::group::{Sorted, archs};
use super::outline::{Outline, select};

/// The figure; none unless two activations have a fit.
pub fn figure(sorted: &Sorted<'_>, outline: &Outline, criterion: &str) -> Option<Figure> {
    let findings: Vec<&Finding<'_>> = outline
        .activations
        .iter()
        .flat_map(|&place| select(&sorted.of(&sorted.groups[place]), criterion, None))
        .filter(|finding| finding.laws.is_some() && finding.chi1.is_some())
        .collect();
    let expected = || findings.iter().filter_map(|finding| finding.chi1).map(|chi1| chi1.powi(-2));
    let (low, high) = expected().fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
    if high <= low {
        return None;
    }
    let x = Axis::spanning("χ₁⁻²", "chi1_to_the_minus_2", Scale::Log, Kind::Real, expected())?;
    let growths = findings.iter().filter_map(|finding| Some(finding.laws.as_ref()?.exponential.growth()));
    let values = growths.flat_map(|growth| [growth.value, growth.low, growth.high]).chain([1.0, high]);
    let y = Axis::spanning("growth of m* per layer", "growth", Scale::Log, Kind::Real, values)?;
    let dots = Stroke::dotted(GREY, 1.6);
    let diagonal = [1.0, x.range[1]].map(|at| Datum::bare(at, at)).to_vec();
    let level = x.range.map(|at| Datum::bare(at, 1.0)).to_vec();
    let mut elements = vec![
        Element::line("theory for fc", "guide", diagonal, dots),
        Element::line("no growth", "guide", level, Stroke::dashed(GREY, 1.0)),
    ];
    let unstable: Vec<Datum> = findings
        .iter()
        .filter(|finding| finding.arch() == "fc" && finding.is_unstable())
        .filter_map(|finding| Some(Datum::bare(finding.chi1?.powi(-2), finding.chi_parallel.powi(2))))
        .collect();
    let mut legend = Vec::new();
    for (i, arch) in archs(findings.iter().map(|finding| finding.subject())).into_iter().enumerate() {
        let look = Look::of_arch(arch, i);
        let of_arch = findings.iter().filter(|finding| finding.arch() == arch);
        let data = of_arch.filter_map(|finding| datum(finding)).collect();
        elements.push(Element::points(arch, "growth", data, look, true).nudged(i as f64 * 7.0 - 7.0));
        legend.push(Entry::new(Sample::marker(look, true), arch));
    }
    legend.push(Entry::new(Sample::line(dots), "theory for deep fc networks: χ₁⁻², where χ₁ < 1"));
    if !unstable.is_empty() {
        let look = Look { color: GREY, ..Look::of_arch("fc", 0) };
        elements.push(Element::points("theory where chi_parallel > 1", "guide", unstable, look, false));
        legend.push(Entry::new(Sample::marker(look, false), "theory for deep fc networks: χ∥², where χ∥ > 1"));
    }
    legend.push(Entry::new(Sample::line(Stroke::dashed(GREY, 1.0)), "no growth"));
    let names: Vec<String> = ordered(&findings);
    Some(Figure {
        stem: "growth-against-chi1".to_owned(),
        title: "Growth per layer of each activation against theory".to_owned(),
        subtitle: format!("{criterion}, exponential fit over H ≥ 2; from left to right: {}", names.join(", ")),
        panels: vec![Panel { title: String::new(), id: "growth".to_owned(), x, y, elements, legend }],
        key: Vec::new(),
        caption: "One point for each activation and network, with its 95 % interval. Left of χ₁⁻² = 1 are the controls, \
                  activations with χ₁ > 1, whose λ₀ does not fall with depth; where χ_∥ > 1, the variance of a sample is unstable \
                  instead. The growth is that of the exponential fit, \
                  whether or not the exponential is the law named."
            .to_owned(),
    })
}

fn datum(finding: &Finding<'_>) -> Option<Datum> {
    let growth = finding.laws.as_ref()?.exponential.growth();
    Some(Datum { x: finding.chi1?.powi(-2), y: growth.value, low: Some(growth.low), high: Some(growth.high) })
}

/// The activations from left to right.
fn ordered(findings: &[&Finding<'_>]) -> Vec<String> {
    let mut named: Vec<(f64, &str)> = findings
        .iter()
        .filter_map(|finding| Some((finding.chi1?.powi(-2), finding.subject().activation.as_str())))
        .collect();
    named.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(b.1)));
    named.dedup();
    named.into_iter().map(|(_, name)| name.to_owned()).collect()
}
