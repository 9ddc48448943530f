//! The control beside the headline: do activations show the exponential whose chi_1 is not below 1, and whose chi_parallel is not
//! above 1?

use super::finding::Finding;
use super::group::Sorted;
use super::number::{significant, telling};
use super::outline::{Outline, select};
use crate::laws::Verdict;

/// What the fully connected networks show for activations with chi_1 >= 1, in sentences: the controls, then those that are none
/// because chi_parallel > 1.
pub fn sentences(sorted: &Sorted<'_>, outline: &Outline, criterion: &str) -> Vec<String> {
    let mut controls: Vec<&Finding<'_>> = outline
        .activations
        .iter()
        .flat_map(|&place| select(&sorted.of(&sorted.groups[place]), criterion, Some("fc")))
        .filter(|finding| finding.chi1.is_some_and(|chi1| chi1 >= 1.0))
        .collect();
    controls.sort_by(|a, b| a.chi1.unwrap_or(0.0).total_cmp(&b.chi1.unwrap_or(0.0)));
    let fitted: Vec<&Finding<'_>> = controls.iter().filter(|finding| finding.laws.is_some()).copied().collect();
    if fitted.is_empty() {
        return vec![format!(
            "Control: none. These rows hold no fully connected network whose activation has χ₁ ≥ 1 with enough depths under \
             {criterion}; measure tanh, erf or gelu to see whether the exponential is one of the activation."
        )];
    }
    let (unstable, stable): (Vec<_>, Vec<_>) = fitted.into_iter().partition(|finding| finding.is_unstable());
    let mut lines = vec![verdict(&stable, criterion)];
    lines.extend(stable.iter().chain(&unstable).map(|finding| line(finding)));
    lines
}

fn is_growing_exponential(finding: &Finding<'_>) -> bool {
    finding.laws.as_ref().is_some_and(|laws| laws.verdict == Verdict::Exponential && laws.exponential.b.low > 0.0)
}

fn verdict(fitted: &[&Finding<'_>], criterion: &str) -> String {
    if fitted.is_empty() {
        return "Control: none. All activations with χ₁ ≥ 1 in these rows have χ_∥ > 1, for which theory has an exponential too; \
                measure tanh, erf or relu."
            .to_owned();
    }
    let exponential: Vec<&str> = fitted
        .iter()
        .filter(|finding| is_growing_exponential(finding))
        .map(|finding| finding.subject().activation.as_str())
        .collect();
    let names: Vec<&str> = fitted.iter().map(|finding| finding.subject().activation.as_str()).collect();
    let open: Vec<&str> = fitted
        .iter()
        .filter(|finding| finding.laws.as_ref().is_some_and(|laws| laws.verdict == Verdict::Undecided))
        .map(|finding| finding.subject().activation.as_str())
        .collect();
    if exponential.is_empty() {
        // What is undecided supports no general statement.
        let meaning = if open.is_empty() {
            "The exponential law belongs to activations with χ₁ < 1 or, by theory, χ_∥ > 1, and is not universal."
                .to_owned()
        } else {
            format!("No law is decided for {}, so these rows do not exclude one there.", open.join(", "))
        };
        return format!(
            "Control: with χ₁ ≥ 1 and χ_∥ ≤ 1 ({}) no growing exponential is found for the fully connected network under {criterion}. {meaning}",
            names.join(", ")
        );
    }
    format!(
        "Control: against expectation, the fully connected network shows an exponential under {criterion} for {}, whose χ₁ is \
         not below 1 and whose χ_∥ is not above 1. The theory of χ₁⁻² does not explain these rows.",
        exponential.join(", ")
    )
}

fn line(finding: &Finding<'_>) -> String {
    let Some(laws) = &finding.laws else { return String::new() };
    let [from, to] = laws.depths;
    let direction = if laws.exponential.b.value < 0.0 { ", falling" } else { "" };
    format!(
        "{} (χ₁ = {}, χ_∥ = {}): {}{}; over H = {from} to {to} a factor of {} per layer and of {} in all, exponent {}.{}",
        finding.subject().activation,
        significant(finding.chi1.unwrap_or(f64::NAN), 3),
        significant(finding.chi_parallel, 3),
        laws.verdict.name(),
        if matches!(laws.verdict, Verdict::Exponential | Verdict::Power) { direction } else { "" },
        telling(&laws.exponential.growth()),
        telling(&laws.change()),
        telling(&laws.power.b),
        finding.instability(laws)
    )
}
