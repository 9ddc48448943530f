//! The report's numbers as tables for other programs: `laws.csv`, `widths.csv` and `comparison.csv`.

use super::comparison::comparisons;
use super::finding::Finding;
use super::group::Sorted;
use crate::laws::curve::data_sets;
use crate::rows::{Status, Subject};

/// A status in one word.
pub fn status(status: Status) -> &'static str {
    match status {
        Status::Measured => "measured",
        Status::Extrapolated => "extrapolated",
        Status::Censored => "censored",
    }
}

type Written = Result<Vec<u8>, csv::Error>;

const CURVE: [&str; 11] = [
    "criterion",
    "delta",
    "architecture",
    "activation",
    "chi1",
    "samples",
    "c_res",
    "residual",
    "data",
    "image",
    "patch",
];

fn curve(finding: &Finding<'_>) -> Vec<String> {
    let Subject { arch, activation, samples, c_res, residual, data, image, patch, .. } = finding.subject();
    vec![
        finding.criterion().to_owned(),
        finding.delta().to_string(),
        arch.clone(),
        activation.clone(),
        optional(finding.chi1),
        samples.to_string(),
        optional(*c_res),
        residual.clone().unwrap_or_default(),
        data.clone(),
        image.clone().unwrap_or_default(),
        patch.clone().unwrap_or_default(),
    ]
}

fn optional<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

fn written(columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Written {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(CURVE.iter().chain(columns))?;
    for row in rows {
        table.write_record(row)?;
    }
    table.into_inner().map_err(|error| error.into_error().into())
}

/// Each curve with both laws.
pub fn laws(sorted: &Sorted<'_>) -> Written {
    let columns = [
        "verdict",
        "b_exponential",
        "b_exponential_low",
        "b_exponential_high",
        "b_exponential_bootstrap_low",
        "b_exponential_bootstrap_high",
        "b_exponential_error",
        "growth",
        "growth_low",
        "growth_high",
        "log_c_exponential",
        "scatter_exponential",
        "aicc_exponential",
        "exponent",
        "exponent_low",
        "exponent_high",
        "exponent_bootstrap_low",
        "exponent_bootstrap_high",
        "exponent_error",
        "log_c_power",
        "scatter_power",
        "aicc_power",
        "resamples_for_exponential",
        "resamples_for_power",
        "k",
        "n",
        "censored",
        "data_sets",
        "first_depth",
        "last_depth",
    ];
    written(&columns, sorted.findings.iter().map(law_row))
}

fn law_row(finding: &Finding<'_>) -> Vec<String> {
    let mut row = curve(finding);
    let Some(laws) = &finding.laws else {
        row.push("too few depths".to_owned());
        row.resize(CURVE.len() + 30, String::new());
        return row;
    };
    let (exponential, power, growth) = (&laws.exponential, &laws.power, laws.exponential.growth());
    row.push(laws.verdict.name().to_owned());
    let numbers = [exponential.b.value, exponential.b.low, exponential.b.high];
    let rest = [exponential.bootstrap[0], exponential.bootstrap[1], exponential.error];
    let grown = [growth.value, growth.low, growth.high, exponential.log_c, exponential.scatter];
    row.extend(numbers.iter().chain(&rest).chain(&grown).map(f64::to_string));
    row.push(optional(exponential.aicc));
    let numbers = [power.b.value, power.b.low, power.b.high, power.bootstrap[0], power.bootstrap[1]];
    row.extend(numbers.iter().chain(&[power.error, power.log_c, power.scatter]).map(f64::to_string));
    row.push(optional(power.aicc));
    row.extend(laws.support.iter().map(f64::to_string));
    let counts = [crate::laws::verdict::PARAMETERS, laws.rows, laws.censored, laws.data_sets];
    row.extend(counts.iter().chain(&laws.depths).map(usize::to_string));
    row
}

/// Each required width.
pub fn widths(sorted: &Sorted<'_>) -> Written {
    let columns =
        ["depth", "data_set", "data_seed", "status", "width", "low", "high", "starts", "max_width", "lambda0"];
    let rows = sorted.findings.iter().flat_map(|finding| {
        let (sets, _) = data_sets(finding.rows());
        finding.rows().iter().zip(sets).map(move |(row, set)| {
            let mut line = curve(finding);
            line.extend([row.subject.depth.to_string(), (set + 1).to_string(), optional(row.subject.data_seed)]);
            line.extend([status(row.status).to_owned(), optional(row.width), row.low.to_string(), optional(row.high)]);
            line.extend([row.starts.to_string(), row.max_width.to_string(), row.lambda0.to_string()]);
            line
        })
    });
    written(&columns, rows)
}

/// Each cell that was both measured and predicted.
pub fn comparison(sorted: &Sorted<'_>) -> Written {
    let columns = [
        "depth",
        "data_seed",
        "measured",
        "measured_low",
        "measured_high",
        "predicted",
        "predicted_low",
        "predicted_high",
        "z",
        "agrees",
    ];
    let rows = sorted.findings.iter().flat_map(|finding| {
        comparisons(finding).into_iter().map(move |one| {
            let (measured, predicted) = (one.measured, one.predicted);
            let mut line = curve(finding);
            line.extend([measured.subject.depth.to_string(), optional(measured.subject.data_seed)]);
            line.extend([optional(measured.width), measured.low.to_string(), optional(measured.high)]);
            line.extend([predicted.width, predicted.low, predicted.high, one.z].map(|value| value.to_string()));
            line.push(one.agrees().to_string());
            line
        })
    });
    written(&columns, rows)
}
