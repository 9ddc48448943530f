//! What made the rows, and whether it can be trusted: the check of the kernels, that of the sampler, provenance.

use super::{folded, table};
use crate::provenance::Provenance;
use crate::report::finding::Finding;
use crate::report::group::Sorted;
use crate::report::number::{significant, whole};
use crate::report::picture::escaped;
use crate::rows::{CheckedRow, CrossCheckRow, Row, WidthRow};

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

/// The two-sample tests of the streamed sampler against full matrices.
pub fn crosschecks(rows: &[&CrossCheckRow]) -> String {
    if rows.is_empty() {
        return "<p>These rows hold no test of the sampler.</p>\n".to_owned();
    }
    let refuted = rows.iter().filter(|row| row.p_value < row.level).count();
    let level = rows.iter().map(|row| row.level).fold(f64::INFINITY, f64::min);
    let verdict = if refuted == 0 {
        format!("None of {} tests refutes that they agree, at level {}", rows.len(), significant(level, 2))
    } else {
        format!("{refuted} of {} tests refute that they agree: do not trust the sampled criteria", rows.len())
    };
    let smallest = rows.iter().map(|row| row.p_value).fold(f64::INFINITY, f64::min);
    let columns = [
        ("network", "name"),
        ("activation", "name"),
        ("H", "number"),
        ("n", "number"),
        ("width", "number"),
        ("statistic", "name"),
        ("test", "name"),
        ("starts in each sample", "number"),
        ("p-value", "number"),
        ("level", "number"),
    ];
    let line = |row: &&CrossCheckRow| {
        vec![
            row.subject.arch.clone(),
            row.subject.activation.clone(),
            row.subject.depth.to_string(),
            row.subject.samples.to_string(),
            whole(row.width),
            row.statistic.clone(),
            row.test.clone(),
            whole(row.starts),
            significant(row.p_value, 3),
            significant(row.level, 2),
        ]
    };
    format!(
        "<p>Networks at the start are drawn exactly in law, without their matrices. Beside them stand starts of full matrices, \
         and two-sample tests ask whether the two have one distribution. {verdict}; the smallest p-value is {}.</p>\n{}",
        significant(smallest, 2),
        table(&columns, rows.iter().map(line))
    )
}

/// Who made the rows, from which seed, and how to make them again.
pub fn provenance(rows: &[Row], sorted: &Sorted<'_>) -> String {
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
    text += "<p>To measure a whole study again, from the same seed, where it lies resolved beside its rows, and to draw this page \
             from them:</p>\n<pre><code>cargo run --release -- width --config rows.resolved.toml --out again.jsonl\n\
             cargo run --release -- report again.jsonl --out page</code></pre>\n";
    let commands: Vec<String> = sorted.findings.iter().flat_map(commands).collect();
    if !commands.is_empty() {
        let list = format!("<pre><code>{}</code></pre>\n", escaped(&commands.join("\n")));
        let steps = "<p>Those of drift, rate and fit take <code>--steps</code> too, as in the resolved study.</p>\n";
        let trained = sorted.findings.iter().any(|finding| !finding.criterion().starts_with("init-"));
        text += &folded("One curve alone", &(list + if trained { steps } else { "" }));
    }
    text
}

/// The commands that measure a curve, one for each choice of starts and widest run.
fn commands(finding: &Finding<'_>) -> Vec<String> {
    let settings = |row: &WidthRow| (row.starts, row.max_width, row.seed);
    let mut all: Vec<(usize, usize, u64)> = finding.rows().iter().map(|row| settings(row)).collect();
    all.sort_unstable();
    all.dedup();
    let of = |wanted| finding.rows().iter().copied().filter(|row| settings(row) == wanted).collect::<Vec<_>>();
    all.into_iter().map(|settings| command(finding, &of(settings))).collect()
}

/// The command that measures some rows of a curve.
fn command(finding: &Finding<'_>, rows: &[&WidthRow]) -> String {
    let subject = finding.subject();
    let ascending = |values: &mut dyn Iterator<Item = u64>| {
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        values.dedup();
        values.iter().map(u64::to_string).collect::<Vec<_>>()
    };
    let depths = ascending(&mut rows.iter().map(|row| row.subject.depth as u64)).join(",");
    let seeds = match &ascending(&mut rows.iter().filter_map(|row| row.subject.data_seed))[..] {
        // One number would be how many.
        [seed] => format!("{seed},"),
        seeds => seeds.join(","),
    };
    let mut text = format!("cargo run --release -- width --data {}", quoted(&subject.data));
    if seeds.is_empty() {
        text += &format!(" --samples {}", subject.samples);
    }
    text += &format!(" --arch {} --activation {}", subject.arch, subject.activation);
    let residual = subject.residual.as_deref().filter(|residual| *residual != "1/H").map(quoted);
    let options = [
        ("c-res", subject.c_res.map(|c_res| c_res.to_string())),
        ("residual", residual),
        ("image", subject.image.clone()),
        ("patch", subject.patch.clone()),
        ("data-seeds", Some(seeds).filter(|seeds| !seeds.is_empty())),
    ];
    for (option, value) in options {
        text += &value.map(|value| format!(" --{option} {value}")).unwrap_or_default();
    }
    let WidthRow { starts, max_width, seed, .. } = rows[0];
    text + &format!(
        " --depth {depths} --criterion {} --delta {} --starts {starts} --max-width {max_width} --seed {seed} --out rows.jsonl",
        finding.criterion(),
        finding.delta(),
    )
}

/// One word of a shell command.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn maker(maker: &Provenance, rows: usize) -> String {
    let config = maker.config.clone().unwrap_or_else(|| "none".to_owned());
    let entries = [
        ("rows", whole(rows)),
        ("study, SHA-256", config),
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
