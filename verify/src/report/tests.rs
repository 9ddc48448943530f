//! Reports of made-up rows.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::provenance::Provenance;
use crate::rows::{CheckedRow, CurveRow, LambdaRow, Status, Subject, Tried, WidthRow, read_rows};

const CHI1: f64 = 0.318_46;
const BUDGET: f64 = 65_536.0;

fn provenance() -> Provenance {
    Provenance {
        version: "0.1.0".into(),
        commit: "0123456789ab".into(),
        rustc: "rustc 1.89.0".into(),
        isa: "avx2".into(),
        threads: 2,
        cpu: "Example CPU @ 3.00GHz".into(),
        caches: "L1 32K, L2 1024K, L3 32768K".into(),
        platform: "linux-x86_64".into(),
        oracles: vec!["faer 0.24.4".into(), "matrixmultiply 0.3.11".into()],
        config: None,
    }
}

fn subject(arch: &str, depth: usize) -> Subject {
    Subject {
        arch: arch.into(),
        activation: "softplus".into(),
        depth,
        c_res: (arch != "fc").then_some(0.5),
        residual: (arch != "fc").then(|| "1/H".into()),
        data: "orthonormal:n=4,d=8".into(),
        data_seed: Some(1),
        data_hash: "00".into(),
        samples: 4,
        input_size: 8,
    }
}

/// A deterministic wiggle in [-1, 1].
fn wiggle(a: usize, b: usize) -> f64 {
    ((a * 7 + b * 13 + 3) as f64 * 2.399).sin()
}

/// A row whose true required width is `width`, as a search up to [`BUDGET`] would see it.
fn width_row(arch: &str, depth: usize, criterion: &str, width: f64) -> WidthRow {
    let status = match width / BUDGET {
        beyond if beyond > 30.0 => Status::Censored,
        beyond if beyond > 1.0 => Status::Extrapolated,
        _ => Status::Measured,
    };
    let tried = (3..17)
        .map(|power| 1usize << power)
        .filter(|&m| m as f64 >= width / 600.0 && m as f64 <= (width * 4.0).min(BUDGET))
        .map(|m| {
            let median_ratio = (width / m as f64).sqrt() * (1.0 + 0.06 * wiggle(m, depth)) * 0.85;
            let ratio_range = [median_ratio * 0.72, median_ratio * 1.45];
            Tried { width: m, passes: 10, starts: 20, median_ratio, ratio_range }
        })
        .collect();
    let censored = status == Status::Censored;
    WidthRow {
        subject: subject(arch, depth),
        criterion: criterion.into(),
        width: (!censored).then_some(width.round()),
        low: if censored { BUDGET } else { (width * 0.8).round() },
        high: (!censored).then_some((width * 1.3).round()),
        status,
        method: "isotonic".into(),
        delta: 0.1,
        starts: if criterion.starts_with("init") { 20 } else { 5 },
        max_width: BUDGET as usize,
        lambda0: CHI1.powi(depth as i32),
        lambda_max: 2.0,
        tried,
        parameters_per_sample: width * width * depth as f64 / 4.0,
        seed: 7,
        cell_seed: 11,
        cell: format!("{arch}{depth}{criterion}"),
        note: censored.then(|| "the deviation fell too little over the widths that were run".into()),
        seconds: 1.0,
        provenance: provenance(),
    }
}

fn lambda_row(arch: &str, depth: usize) -> Row {
    let h = depth as f64;
    let lambda0 = match arch {
        "fc" => 0.62 * CHI1.powi(depth as i32) * (1.0 + 0.5 / h),
        _ if depth == 1 => 0.3,
        "resnet" => 0.08 / (h * h) * (1.0 + 0.3 / h),
        _ => 0.05 / (h * h) * (1.0 + 0.4 / h),
    };
    let provenance = provenance();
    Row::Lambda(LambdaRow { subject: subject(arch, depth), lambda0, lambda_max: 2.0, chi1: CHI1, provenance })
}

fn curve_row(arch: &str, depth: usize) -> Row {
    let (eta, lambda0) = (0.4, if arch == "fc" { 0.5 * CHI1.powi(depth as i32) } else { 0.05 });
    let rate: f64 = eta * lambda0 * 1.6 + 0.002;
    let count = (9.2 / rate) as usize + 1;
    let steps: Vec<usize> = (0..=count).collect();
    let loss = steps.iter().map(|&k| 2.1 * (0.4 * (-2.0 * rate * k as f64).exp() + 0.6 * (-rate * k as f64).exp()));
    Row::Curve(CurveRow {
        subject: subject(arch, depth),
        width: 1024 << depth,
        eta,
        lambda0,
        loss: loss.collect(),
        steps,
        drift: 0.1,
        seed: 3,
        provenance: provenance(),
    })
}

/// The fully connected network grows tenfold per layer, reaching past the budget at H = 4 and far past it at H = 5;
/// residual networks stay flat.
fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let criteria = [
        ("init-closeness", 320.0, 10.0),
        ("init-positivity", 60.0, 2.0),
        ("drift", 500.0, 10.0),
        ("rate", 24.0, 1.6),
        ("fit", 8.0, 1.3),
    ];
    for (i, (criterion, start, growth)) in criteria.into_iter().enumerate() {
        for depth in 1..=5 {
            let noise = |arch: usize| 1.0 + 0.08 * wiggle(depth + 10 * i, arch);
            let grown: f64 = start * f64::powi(growth, depth as i32 - 1);
            rows.push(Row::Width(width_row("fc", depth, criterion, grown * noise(0))));
            rows.push(Row::Width(width_row("resnet", depth, criterion, start * 0.9 * noise(1))));
            rows.push(Row::Width(width_row("conv-resnet", depth, criterion, start * 1.6 * noise(2))));
        }
    }
    for arch in ["fc", "resnet", "conv-resnet"] {
        rows.extend((1..=6).map(|depth| lambda_row(arch, depth)));
        rows.extend((1..=4).map(|depth| curve_row(arch, depth)));
    }
    rows.push(Row::Checked(CheckedRow {
        cases: 4812,
        failures: 0,
        worst_error_ratio: 0.0312,
        isas: vec!["portable".into(), "avx2".into()],
        skipped: vec!["avx512".into()],
        seconds: 12.0,
        provenance: provenance(),
    }));
    rows
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fathom-report-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_full_report_holds_every_figure_three_ways() {
    let out = folder("full");
    let file = out.join("rows.jsonl");
    let lines: Vec<String> = rows().iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
    fs::write(&file, lines.concat()).unwrap();
    let report = write(&read_rows(&file).unwrap().rows, &out).unwrap();
    assert!(report.paths.iter().all(|path| fs::metadata(path).unwrap().len() > 100));
    for stem in [
        "required-width-init-closeness",
        "required-width-init-positivity",
        "required-width-drift",
        "required-width-rate",
        "required-width-fit",
        "lambda0",
        "loss",
        "deviation-drift",
        "deviation-init-closeness",
    ] {
        for ending in ["svg", "png", "csv"] {
            assert!(out.join(format!("figures/{stem}.{ending}")).is_file(), "{stem}.{ending}");
        }
    }
    assert_eq!(report.paths.len(), 1 + 9 * 3);
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 18);
    for absent in ["<script", "src=\"http", "href=\"http", "NaN", "url("] {
        assert!(!page.contains(absent), "{absent}");
    }
    for present in ["4812 cases passed", "avx512", "cargo run --release -- reproduce", "> 65\u{202f}536"] {
        assert!(page.contains(&picture::escaped(present)), "{present}");
    }
    if std::env::var_os("FATHOM_KEEP_REPORT").is_none() {
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn the_headline_says_what_was_found() {
    let rows = rows();
    let sorted = Sorted::new(&rows);
    let lines = headlines(&sections(&sorted));
    assert_eq!(lines.len(), 3);
    assert!(
        lines[0].starts_with("fc: ") && lines[0].contains("3 measured, 1 extrapolated, 1 censored"),
        "{}",
        lines[0]
    );
    assert!(lines[0].contains("χ₁⁻² = 9.86 lies inside the interval"), "{}", lines[0]);
    assert!(lines[1].starts_with("resnet: ") && lines[1].contains("Flat within its interval"), "{}", lines[1]);
    assert!(lines[2].starts_with("conv-resnet: ") && lines[2].contains("H = 2 to 5"), "{}", lines[2]);
}

#[test]
fn growth_in_a_residual_network_is_called_growth() {
    let grows =
        |depth: usize| Row::Width(width_row("resnet", depth, "init-closeness", 50.0 * f64::powi(3.0, depth as i32)));
    let rows: Vec<Row> = (1..=4).map(grows).collect();
    let sorted = Sorted::new(&rows);
    let lines = headlines(&sections(&sorted));
    assert!(lines[0].contains("Not flat: 1 lies outside the interval") && lines[0].contains("grows"), "{}", lines[0]);
}

#[test]
fn too_few_depths_are_named_as_such() {
    let rows: Vec<Row> = (1..=2).map(|h| Row::Width(width_row("fc", h, "init-closeness", 100.0))).collect();
    let out = folder("few");
    let report = write(&rows, &out).unwrap();
    assert!(report.headlines[0].contains("no growth factor") && report.headlines[0].contains("a line needs 3"));
    assert!(out.join("figures/required-width-init-closeness.png").is_file());
    assert!(!out.join("figures/loss.svg").exists());
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn the_last_of_two_rows_of_a_cell_counts() {
    let rows: Vec<Row> = [100.0, 200.0].map(|m| Row::Width(width_row("fc", 1, "fit", m))).into();
    let sorted = Sorted::new(&rows);
    assert_eq!((sorted.replaced, sorted.groups.len()), (1, 1));
    assert_eq!(sorted.groups[0].widths.len(), 1);
    assert_eq!(sorted.groups[0].widths[0].width, Some(200.0));
}

#[test]
fn settings_do_not_share_a_figure() {
    let mut rows = rows();
    for (activation, c_res) in [("tanh", 0.5), ("softplus", 0.9)] {
        for depth in 1..=3 {
            let mut row = width_row("resnet", depth, "fit", 30.0);
            row.subject.activation = activation.into();
            row.subject.c_res = Some(c_res);
            rows.push(Row::Width(row));
        }
    }
    let sorted = Sorted::new(&rows);
    let keys: Vec<(&str, Option<f64>)> = sorted.groups.iter().map(|g| (g.activation.as_str(), g.c_res)).collect();
    assert_eq!(keys, [("softplus", Some(0.5)), ("tanh", Some(0.5)), ("softplus", Some(0.9))]);
    // The fully connected network has no residual scale: it stands beside each.
    assert!(sorted.groups[2].widths.iter().any(|row| row.subject.arch == "fc"));
    let sections = sections(&sorted);
    let mut stems: Vec<&str> = sections.iter().flat_map(|s| &s.figures).map(|figure| figure.stem.as_str()).collect();
    let count = stems.len();
    stems.sort_unstable();
    stems.dedup();
    assert_eq!(stems.len(), count);
}

#[test]
fn the_data_file_holds_what_is_drawn() {
    let rows = rows();
    let sorted = Sorted::new(&rows);
    let sections = sections(&sorted);
    let csv = String::from_utf8(sections[0].figures[0].csv().unwrap()).unwrap();
    assert!(csv.starts_with("panel,series,element,depth,width,low,high\n"));
    assert!(csv.contains("semilog,fc,censored,5,65536,,\n"));
    assert_eq!(csv.lines().filter(|line| line.starts_with("semilog,") && line.contains(",measured,")).count(), 13);
    assert!(csv.contains("log-log,resnet,fit,"));
}

#[test]
fn an_unwritable_directory_is_one_clear_error() {
    let out = folder("blocked");
    fs::write(out.join("file"), "").unwrap();
    let error = write(&rows()[..1], &out.join("file")).unwrap_err();
    assert!(format!("{error:#}").contains("cannot make the directory"), "{error:#}");
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn only_a_torn_last_line_is_forgiven() {
    let folder = folder("read");
    let path = folder.join("rows.jsonl");
    let line = serde_json::to_string(&rows()[0]).unwrap();
    fs::write(&path, format!("{line}\n{line}\n{}", &line[..40])).unwrap();
    let read = read_rows(&path).unwrap();
    assert_eq!(read.rows.len(), 2);
    assert!(read.note.unwrap().contains("line 3"));
    fs::write(&path, format!("{line}\n{}\n{line}\n", &line[..40])).unwrap();
    let error = format!("{:#}", read_rows(&path).unwrap_err());
    assert!(error.contains("rows.jsonl, line 2"), "{error}");
    fs::write(&path, "").unwrap();
    assert!(format!("{:#}", read_rows(&path).unwrap_err()).contains("measure first"));
    fs::write(&path, &line).unwrap();
    assert_eq!(read_rows(&path).unwrap(), crate::rows::RowsRead { rows: rows()[..1].to_vec(), note: None });
    assert!(format!("{:#}", read_rows(&folder.join("absent")).unwrap_err()).contains("absent"));
    fs::remove_dir_all(folder).unwrap();
}
