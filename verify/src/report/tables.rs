//! The page's tables.

mod made;
mod widths;

pub use self::made::{checked, crosschecks, provenance};
pub use self::widths::widths;

use super::comparison::{Comparison, comparisons};
use super::finding::Finding;
use super::group::{Group, meaning};
use super::html::typeset;
use super::number::{significant, telling, whole};
use crate::laws::verdict::{FLAT, MARGIN, RESAMPLES, SHARE};
use crate::laws::{Law, Laws, Verdict};
use crate::rows::{Status, WidthRow};

/// A column: its heading and the class of its cells.
type Column<'a> = (&'a str, &'a str);

fn table(columns: &[Column<'_>], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let heading = |(text, class): &Column<'_>| format!("<th class=\"{class}\">{}</th>", typeset(text));
    let head: String = columns.iter().map(heading).collect();
    let mut body = String::new();
    for row in rows {
        let cell = |(text, (_, class)): (&String, &Column<'_>)| format!("<td class=\"{class}\">{}</td>", typeset(text));
        let cells: String = row.iter().zip(columns).map(cell).collect();
        body += &format!("<tr>{cells}</tr>\n");
    }
    format!("<div class=\"scroll\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n")
}

/// HTML that a reader may unfold.
pub fn folded(title: &str, html: &str) -> String {
    format!("<details>\n<summary>{}</summary>\n{html}</details>\n", typeset(title))
}

/// The laws of some curves; `name` says what sets a curve's setting apart from the others', if anything.
pub fn laws(findings: &[&Finding<'_>], name: &dyn Fn(&Finding<'_>) -> String) -> String {
    let mut columns = vec![
        ("network", "name"),
        ("growth per layer", "number"),
        ("exponent", "number"),
        ("law", "name"),
        ("ΔAICc (resamples for exp., power)", "number"),
        ("scatter", "number"),
        ("H", "number"),
        ("rows", "number"),
    ];
    let names: Vec<String> = findings.iter().map(|finding| name(finding)).collect();
    let criteria: Vec<&str> = findings.iter().map(|finding| finding.criterion()).collect();
    let named = names.iter().any(|name| !name.is_empty());
    let several = criteria.windows(2).any(|pair| pair[0] != pair[1]);
    if several {
        columns.insert(0, ("criterion", "name"));
    }
    if named {
        columns.insert(0, ("setting", "name"));
    }
    let row = |(finding, name): (&&Finding<'_>, String)| {
        let mut row = law_row(finding);
        if several {
            row.insert(0, finding.criterion().to_owned());
        }
        if named {
            row.insert(0, name);
        }
        row
    };
    table(&columns, findings.iter().zip(names).map(row))
}

fn law_row(finding: &Finding<'_>) -> Vec<String> {
    let counts = [Status::Measured, Status::Extrapolated, Status::Censored].map(|status| finding.count(status));
    let counts = counts.map(|count| count.to_string()).join(" + ");
    let Some(laws) = &finding.laws else {
        let dash = || "–".to_owned();
        let none = "too few depths".to_owned();
        return vec![finding.network(), dash(), dash(), none, dash(), dash(), dash(), counts];
    };
    vec![
        finding.network(),
        telling(&laws.exponential.growth()),
        telling(&laws.power.b),
        law(laws),
        preference(laws),
        scatter(laws),
        format!("{} to {}", laws.depths[0], laws.depths[1]),
        counts,
    ]
}

fn law(laws: &Laws) -> String {
    let name = laws.verdict.name();
    let falls = match laws.verdict {
        Verdict::Exponential => laws.exponential.b.value < 0.0,
        Verdict::Power => laws.power.b.value < 0.0,
        Verdict::Flat | Verdict::NearlyFlat | Verdict::Undecided => false,
    };
    if falls { format!("{name}, falling") } else { name.to_owned() }
}

fn preference(laws: &Laws) -> String {
    if laws.exponential.aicc.is_none() {
        return "too few rows".to_owned();
    }
    let [exponential, power] = laws.support.map(|part| (100.0 * part).round());
    format!("{} ({exponential} %, {power} %)", significant(laws.preference, 2))
}

/// The factor by which rows scatter about the law that fits better.
fn scatter(laws: &Laws) -> String {
    let law = if laws.preference >= 0.0 { Law::Exponential } else { Law::Power };
    format!("× {}", significant(laws.of(law).scatter.exp(), 3))
}

/// How laws are fitted and named.
pub fn rule() -> String {
    let text = format!(
        "Growth per layer is exp(b) of m = c exp(bH), the exponent is b of m = c Hᵇ. Rows are measured + extrapolated + censored. \
         Fits start at H = 2: at H = 1 no layer lies below the last, so nothing accumulates, and no network has a skip. A row of \
         one data set has ln m* with the variance of its own interval plus one that all rows share, the scatter; a censored row \
         counts with the probability that it lies above the widest run (a Tobit likelihood). ΔAICc is the AICc of the power law \
         less that of the exponential; in brackets, in how many of {RESAMPLES} bootstrap resamples over starts and data sets \
         either law is better by at least {MARGIN}. Intervals are 95 %, and reach as far as the furthest of: the bootstrap's \
         percentiles; the likelihood's, with Student's t on the residuals; and, from three data sets on, Student's t on a \
         jackknife over data sets. A law is named only if its AICc is smaller by at least {MARGIN}, also in at least {} % of \
         the resamples, and the interval of its b excludes 0. A curve is flat if the interval of its growth holds 1 and neither \
         end means a change by a factor of {FLAT} over all depths fitted, and nearly flat if it excludes 1 but means no such \
         change either. All else is undecided: a name describes these depths, \
         and proves nothing about deeper networks.",
        significant(100.0 * SHARE, 3)
    );
    format!("<p>{}</p>\n", typeset(&text))
}

/// What was measured, by criterion: delta, starts, widest width.
pub fn setting(group: &Group<'_>, findings: &[&Finding<'_>]) -> String {
    let columns = [
        ("criterion", "name"),
        ("asks for", "words"),
        ("δ", "number"),
        ("starts at each width", "number"),
        ("widest run allowed", "number"),
        ("method", "note"),
    ];
    let mut criteria: Vec<&str> = findings.iter().map(|finding| finding.criterion()).collect();
    criteria.dedup();
    let rows = criteria.into_iter().map(|criterion| {
        let of: Vec<&WidthRow> = findings
            .iter()
            .filter(|finding| finding.criterion() == criterion)
            .flat_map(|finding| finding.rows().iter().copied())
            .collect();
        let mut methods: Vec<&str> = of.iter().map(|row| row.method.as_str()).collect();
        methods.sort_unstable();
        methods.dedup();
        vec![
            criterion.to_owned(),
            meaning(criterion).to_owned(),
            range(of.iter().map(|row| row.delta), |delta| significant(delta, 2)),
            range(of.iter().map(|row| row.starts as f64), |starts| whole(starts as usize)),
            range(of.iter().map(|row| row.max_width as f64), |width| whole(width as usize)),
            methods.join("; "),
        ]
    });
    format!(
        "<h3>What was measured, and how</h3>\n<p>{}. δ is the fraction of starts that may fail. All layers are trained, in \
         full batches. The 95 % interval of m* comes from exact binomial intervals of the fraction of passing starts at the \
         widths that were run.</p>\n{}",
        typeset(&group.setting()),
        table(&columns, rows)
    )
}

fn range(values: impl Iterator<Item = f64>, show: impl Fn(f64) -> String) -> String {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    match values.as_slice() {
        [] => String::new(),
        [only] => show(*only),
        [first, .., last] => format!("{} to {}", show(*first), show(*last)),
    }
}

/// Measured against predicted: a line for each curve, and each cell folded below.
pub fn comparison(findings: &[Finding<'_>]) -> String {
    let columns = [
        ("setting", "name"),
        ("network", "name"),
        ("criterion", "name"),
        ("H", "number"),
        ("cells", "number"),
        ("agree", "number"),
        ("measured / predicted", "number"),
        ("largest difference, standard errors", "number"),
    ];
    let compared: Vec<(&Finding<'_>, Vec<Comparison<'_>>)> =
        findings.iter().map(|finding| (finding, comparisons(finding))).filter(|(_, all)| !all.is_empty()).collect();
    let cells: usize = compared.iter().map(|(_, all)| all.len()).sum();
    let agree: usize = compared.iter().flat_map(|(_, all)| all).filter(|one| one.agrees()).count();
    let rows = compared.iter().map(|(finding, all)| {
        let largest = all.iter().map(|one| one.z).max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(f64::NAN);
        vec![
            short_setting(finding),
            finding.arch().to_owned(),
            finding.criterion().to_owned(),
            range(all.iter().map(|one| one.measured.subject.depth as f64), |depth| whole(depth as usize)),
            all.len().to_string(),
            all.iter().filter(|one| one.agrees()).count().to_string(),
            range(all.iter().map(Comparison::ratio), |ratio| significant(ratio, 3)),
            significant(largest, 2),
        ]
    });
    let verdict = format!(
        "Of {cells} cells that were both measured and predicted, {agree} ({} %) agree within their joint 95 % interval. If the \
         method were exact, at least 95 % would: the measured intervals reach out to widths that were run. It linearises around infinite width, so that it may be off where m* is small.",
        significant(100.0 * agree as f64 / cells.max(1) as f64, 3)
    );
    let summary = table(&columns, rows);
    let all = compared.iter().flat_map(|(finding, all)| all.iter().map(|one| comparison_row(finding, one)));
    let columns = [
        ("setting", "name"),
        ("network", "name"),
        ("criterion", "name"),
        ("H", "number"),
        ("measured", "number"),
        ("predicted", "number"),
        ("difference, standard errors", "number"),
        ("agree", "name"),
    ];
    format!("<p>{}</p>\n{summary}{}", typeset(&verdict), folded("Every cell", &table(&columns, all)))
}

fn comparison_row(finding: &Finding<'_>, one: &Comparison<'_>) -> Vec<String> {
    let shown = |value: f64, low: f64, high: Option<f64>| {
        let high = high.map_or("?".to_owned(), |high| significant(high, 3));
        format!("{} [{}, {high}]", significant(value, 3), significant(low, 3))
    };
    vec![
        short_setting(finding),
        finding.arch().to_owned(),
        finding.criterion().to_owned(),
        one.measured.subject.depth.to_string(),
        shown(one.measured.width.unwrap_or(f64::NAN), one.measured.low, one.measured.high),
        shown(one.predicted.width, one.predicted.low, Some(one.predicted.high)),
        significant(one.z, 2),
        if one.agrees() { "yes" } else { "no" }.to_owned(),
    ]
}

/// Activation, n and residual scale.
fn short_setting(finding: &Finding<'_>) -> String {
    let subject = finding.subject();
    let scale = super::group::scale_of(subject).map(|scale| format!(", {}", super::group::scale(&scale)));
    format!("{}, n = {}{}", subject.activation, subject.samples, scale.unwrap_or_default())
}
