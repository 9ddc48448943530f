//! The page's tables.

use super::Section;
use super::finding::Finding;
use super::group::meaning;
use super::html::typeset;
use super::number::{fixed_interval, interval, significant, whole};
use super::picture::escaped;
use crate::provenance::Provenance;
use crate::rows::{CheckedRow, Row, Status, WidthRow};

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

/// Growth by criterion and architecture.
pub fn growth(section: &Section<'_>) -> String {
    let columns = [
        ("criterion", "name"),
        ("network", "name"),
        ("factor per layer, exp(b)", "number"),
        ("exponent, m* ∝ Hᵇ", "number"),
        ("depths fitted", "number"),
        ("measured, extrapolated, censored", "number"),
    ];
    let mut rows = Vec::new();
    for finding in &section.findings {
        rows.push(growth_row(finding));
        if let Some([deep, power]) = &finding.deep {
            rows.push(vec![
                String::new(),
                format!("{}, H ≥ 2", finding.arch),
                interval(&deep.growth(), 3),
                fixed_interval(&power.b, 2),
                format!("{} to {}", deep.depths[0], deep.depths[1]),
                String::new(),
            ]);
        }
    }
    let chi1 = match section.group.chi1() {
        Some(chi1) if chi1 < 1.0 => format!(
            " The theory's factor for fc under init-closeness is χ₁⁻² = {} (χ₁ = {}).",
            significant(chi1.powi(-2), 3),
            significant(chi1, 3)
        ),
        Some(chi1) => format!(" Here χ₁ = {}, so no exponential law is expected.", significant(chi1, 3)),
        None => String::new(),
    };
    let skips = if section.findings.iter().any(|finding| finding.deep.is_some()) {
        " At H = 1 no layer lies below the last and no network has a skip: the rows “H ≥ 2” leave it out."
    } else {
        ""
    };
    format!(
        "{}<p>Values with 95 % intervals, from weighted least squares on log m*. An interval is the larger of what the \
         points' own intervals imply and what their scatter about the line implies. Below three depths there is no \
         fit.{chi1}{skips}</p>\n",
        table(&columns, rows)
    )
}

fn growth_row(finding: &Finding<'_>) -> Vec<String> {
    let depths =
        finding.exponential.map_or("too few".to_owned(), |fit| format!("{} to {}", fit.depths[0], fit.depths[1]));
    let none = || "no fit".to_owned();
    let mut row = vec![
        finding.criterion.to_owned(),
        finding.arch.to_owned(),
        finding.exponential.map_or_else(none, |fit| interval(&fit.growth(), 3)),
        finding.power.map_or_else(none, |fit| fixed_interval(&fit.b, 2)),
        depths,
    ];
    let statuses = [Status::Measured, Status::Extrapolated, Status::Censored];
    row.push(statuses.map(|status| finding.count(status).to_string()).join(", "));
    row
}

/// What was measured, by criterion: delta, starts, widest width.
pub fn setting(section: &Section<'_>) -> String {
    let group = section.group;
    let columns = [
        ("criterion", "name"),
        ("asks for", "words"),
        ("δ", "number"),
        ("starts at each width", "number"),
        ("widest run allowed", "number"),
    ];
    let rows = group.criteria().into_iter().map(|criterion| {
        let of: Vec<&WidthRow> = group.widths.iter().filter(|row| row.criterion == criterion).copied().collect();
        vec![
            criterion.to_owned(),
            meaning(criterion).to_owned(),
            range(of.iter().map(|row| row.delta), |delta| significant(delta, 2)),
            range(of.iter().map(|row| row.starts as f64), |starts| whole(starts as usize)),
            range(of.iter().map(|row| row.max_width as f64), |width| whole(width as usize)),
        ]
    });
    let c_res = group.c_res.map_or(String::new(), |c_res| typeset(&format!(" Residual scale c_res = {c_res}.")));
    format!(
        "<p>Activation {}, n\u{a0}=\u{a0}{} samples, data {}.{c_res} δ is the fraction of starts that may fail. All layers are \
         trained, in full batches. The 95 % interval of m* comes from exact binomial intervals of the fraction of \
         passing starts at the widths that were run.</p>\n{}",
        escaped(&group.activation),
        group.samples,
        escaped(&group.data),
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

/// Every required width.
pub fn widths(sections: &[Section<'_>]) -> String {
    let columns = [
        ("network", "name"),
        ("criterion", "name"),
        ("H", "number"),
        ("m*", "number"),
        ("low", "number"),
        ("high", "number"),
        ("status", "name"),
        ("parameters per sample", "number"),
        ("note", "note"),
    ];
    let mut text = String::new();
    for section in sections.iter().filter(|section| !section.group.widths.is_empty()) {
        if sections.len() > 1 {
            text += &format!("<h3>{}</h3>\n", escaped(&section.group.setting()));
        }
        text += &table(&columns, section.group.widths.iter().map(|row| width_row(row)));
    }
    if text.is_empty() { "<p>These rows hold no required widths.</p>\n".to_owned() } else { text }
}

fn width_row(row: &WidthRow) -> Vec<String> {
    let shown = |width: f64| if width.abs() < 1e7 { whole(width.round() as usize) } else { significant(width, 3) };
    let required = match (row.status, row.width) {
        (Status::Censored, _) => format!("> {}", shown(row.low)),
        (_, width) => width.map(shown).unwrap_or_default(),
    };
    let status = match row.status {
        Status::Measured => "measured",
        Status::Extrapolated => "extrapolated",
        Status::Censored => "censored",
    };
    vec![
        row.subject.arch.clone(),
        row.criterion.clone(),
        row.subject.depth.to_string(),
        required,
        shown(row.low),
        row.high.map(shown).unwrap_or_default(),
        status.to_owned(),
        significant(row.parameters_per_sample, 3),
        row.note.clone().unwrap_or_default(),
    ]
}

/// What `check` found.
pub fn checked(row: Option<&CheckedRow>) -> String {
    let Some(row) = row else {
        return "<p>These rows hold no check of the kernels. Run <code>verify check</code>.</p>\n".to_owned();
    };
    let verdict = match row.failures {
        0 => format!("All {} cases passed.", whole(row.cases)),
        1 => format!("1 of {} cases failed: do not trust the numbers above.", whole(row.cases)),
        failures => {
            format!("{} of {} cases failed: do not trust the numbers above.", whole(failures), whole(row.cases))
        }
    };
    let listed = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    format!(
        "<p>{verdict} The worst error was {} of its bound, c k ε Σ|a||b|. Instruction sets checked: {}. Compiled in \
         but skipped, because this CPU lacks them: {}.</p>\n",
        significant(row.worst_error_ratio, 2),
        escaped(&listed(&row.isas)),
        escaped(&listed(&row.skipped))
    )
}

/// Who made the rows, from which seed, and how to make them again.
pub fn provenance(rows: &[Row]) -> String {
    let mut makers: Vec<(&Provenance, usize)> = Vec::new();
    let mut seeds: Vec<String> = Vec::new();
    for row in rows {
        if let Row::Width(row) = row {
            seeds.push(row.seed.to_string());
        }
        let maker = row.provenance();
        match makers.iter_mut().find(|(known, _)| *known == maker) {
            Some((_, count)) => *count += 1,
            None => makers.push((maker, 1)),
        }
    }
    seeds.sort();
    seeds.dedup();
    let mut text: String = makers.iter().map(|(maker, count)| self::maker(maker, *count)).collect();
    if !seeds.is_empty() {
        text += &format!("<p>Seed of the measurements: {}.</p>\n", seeds.join(", "));
    }
    text + "<p>To measure it all again:</p>\n<pre><code>cargo run --release -- reproduce</code></pre>\n"
}

fn maker(maker: &Provenance, rows: usize) -> String {
    let entries = [
        ("rows", whole(rows)),
        ("Fathom", maker.version.clone()),
        ("commit", maker.commit.clone()),
        ("compiler", maker.rustc.clone()),
        ("CPU", maker.cpu.clone()),
        ("caches", maker.caches.clone()),
        ("instruction set", maker.isa.clone()),
        ("threads", maker.threads.to_string()),
        ("platform", maker.platform.clone()),
        ("checked against", maker.oracles.join(", ")),
    ];
    let entry = |(name, value): &(&str, String)| format!("<dt>{name}</dt><dd>{}</dd>\n", escaped(value));
    format!("<dl>\n{}</dl>\n", entries.iter().map(entry).collect::<String>())
}
