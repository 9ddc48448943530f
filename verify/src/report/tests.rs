//! Reports of made-up rows.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::rows::{Status, WidthRow, read_rows};
use crate::synthetic::{BUDGET, Search, Study, chi1, subject};

fn width_row(arch: &str, depth: usize, criterion: &str, width: f64) -> WidthRow {
    Search::of(width).row(subject(arch, depth, 1), criterion, (width * 64.0) as u64 + depth as u64)
}

fn headlines(rows: &[Row]) -> Headlines {
    let sorted = Sorted::new(rows);
    Headlines::new(&sorted, &Outline::new(&sorted).unwrap())
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("fathom-report-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn a_standard_study_holds_every_figure_three_ways() {
    let out = folder("standard");
    let file = out.join("rows.jsonl");
    let rows = Study::standard().rows();
    let lines: Vec<String> = rows.iter().map(|row| serde_json::to_string(row).unwrap() + "\n").collect();
    fs::write(&file, lines.concat()).unwrap();
    let report = write(&read_rows(&file).unwrap().rows, &out).unwrap();
    assert!(report.paths.iter().all(|path| fs::metadata(path).unwrap().len() > 100));
    let stems = [
        "required-width-init-closeness",
        "criteria",
        "theory-init-closeness",
        "growth-against-chi1",
        "activations",
        "samples",
        "residual-scale",
        "lambda0",
        "loss",
        "deviation-drift",
        "deviation-init-closeness",
    ];
    for stem in stems {
        for ending in ["svg", "png", "csv"] {
            assert!(out.join(format!("figures/{stem}.{ending}")).is_file(), "{stem}.{ending}");
        }
    }
    // The page, three tables, and the figures.
    assert_eq!(report.paths.len(), 1 + 3 + 3 * stems.len());
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 2 * stems.len());
    for absent in ["<script", "src=\"http", "href=\"http", "NaN", "not a number", "url("] {
        assert!(!page.contains(absent), "{absent}");
    }
    let presents = [
        "4812 cases passed",
        "avx512",
        "cargo run --release -- width --config rows.resolved.toml",
        "kolmogorov-smirnov",
        "undecided",
    ];
    for present in presents {
        assert!(page.contains(&picture::escaped(present)), "{present}");
    }
    if std::env::var_os("FATHOM_KEEP_REPORT").is_none() {
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_quick_study_says_what_was_found() {
    let out = folder("quick");
    let report = write(&Study::quick().rows(), &out).unwrap();
    let Headlines { findings, separations, control, theory, .. } = &report.headlines;
    assert_eq!((findings.len(), separations.len(), control.len(), theory.len()), (3, 2, 1, 0));
    assert!(findings[0].starts_with("fc: over H = 2 to 5"), "{}", findings[0]);
    assert!(findings[0].contains("χ₁⁻² = 9.86, lies inside the interval"), "{}", findings[0]);
    assert!(findings[1].starts_with("resnet: ") && findings[2].starts_with("conv-resnet: "), "{findings:?}");
    assert!(separations[0].starts_with("fc against resnet: separated by "), "{}", separations[0]);
    assert!(control[0].starts_with("Control: none."), "{}", control[0]);
    assert!(out.join("figures/criteria.png").is_file() && !out.join("figures/activations.png").exists());
    if std::env::var_os("FATHOM_KEEP_REPORT").is_none() {
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn the_numbers_of_a_study_are_these() {
    let rows = Study { varied: false, ..Study::standard() }.rows();
    let lines = headlines(&rows).lines();
    let golden = include_str!("headlines.txt");
    assert_eq!(lines.join("\n"), golden.trim_end(), "{}", lines.join("\n"));
    let sorted = Sorted::new(&rows);
    let laws = String::from_utf8(data::laws(&sorted).unwrap()).unwrap();
    let columns = laws.lines().next().unwrap().split(',').count();
    assert!(laws.lines().all(|line| line.matches(',').count() >= columns - 1));
    // One line a curve: five criteria, three networks.
    assert_eq!(laws.lines().count(), 16);
    let widths = String::from_utf8(data::widths(&sorted).unwrap()).unwrap();
    let measured = rows.iter().filter(|row| matches!(row, Row::Width(_))).count();
    assert_eq!(widths.lines().count(), 1 + measured);
}

#[test]
fn the_control_speaks_for_or_against_the_exponential() {
    let made = |activation: &str, growth: f64| {
        let mut rows = Study { data_sets: 2, ..Study::quick() }.rows();
        for depth in 1..=7 {
            for data_seed in 1..=2 {
                let mut subject = subject("fc", depth, data_seed);
                subject.activation = activation.into();
                let search = Search::of(400.0 * growth.powi(depth as i32));
                rows.push(Row::Width(search.row(subject, "init-closeness", depth as u64 + 100 * data_seed)));
            }
        }
        let lambda = rows.iter().find_map(|row| if let Row::Lambda(row) = row { Some(row.clone()) } else { None });
        let mut lambda = lambda.unwrap();
        lambda.subject.activation = activation.into();
        lambda.chi1 = chi1(activation);
        rows.push(Row::Lambda(lambda));
        headlines(&rows).control
    };
    let flat = made("tanh", 1.0);
    assert_eq!(flat.len(), 2);
    assert!(flat[0].contains("no growing exponential is found") && flat[0].contains("is not universal"), "{flat:?}");
    assert!(flat[1].starts_with("tanh (χ₁ = 1.18, χ_∥ = 0.461): flat"), "{flat:?}");
    let growing = made("tanh", 5.0);
    assert!(growing[0].contains("against expectation"), "{growing:?}");
    // The variance of a sample is unstable under GELU: it is no control, and an exponential is no surprise.
    let unstable = made("gelu", 1.144_063 * 1.144_063);
    assert!(unstable[0].starts_with("Control: none."), "{unstable:?}");
    assert!(unstable[1].starts_with("gelu (χ₁ = 1.07, χ_∥ = 1.14)"), "{unstable:?}");
    assert!(unstable[1].ends_with("χ_∥² = 1.31, lies inside the interval."), "{unstable:?}");
}

#[test]
fn growth_in_a_residual_network_is_called_growth() {
    let grows =
        |depth: usize| Row::Width(width_row("resnet", depth, "init-closeness", 50.0 * f64::powi(3.0, depth as i32)));
    let rows: Vec<Row> = (1..=4).map(grows).collect();
    let line = &headlines(&rows).findings[0];
    assert!(line.contains("grows") && line.contains("1 lies outside the interval"), "{line}");
    assert!(line.contains("3 rows are too few for AICc"), "{line}");
}

#[test]
fn too_few_depths_are_named_as_such() {
    let rows: Vec<Row> = (1..=2).map(|h| Row::Width(width_row("fc", h, "init-closeness", 100.0))).collect();
    let out = folder("few");
    let report = write(&rows, &out).unwrap();
    let line = &report.headlines.findings[0];
    assert!(line.contains("no growth factor") && line.contains("a line needs 3"), "{line}");
    assert!(out.join("figures/required-width-init-closeness.png").is_file());
    assert!(!out.join("figures/loss.svg").exists());
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn the_last_of_two_rows_of_a_cell_counts() {
    let rows: Vec<Row> = [100.0, 200.0].map(|m| Row::Width(width_row("fc", 1, "fit", m))).into();
    let sorted = Sorted::new(&rows);
    assert_eq!((sorted.replaced, sorted.groups.len(), sorted.findings.len()), (1, 1, 1));
    let Row::Width(last) = &rows[1] else { unreachable!() };
    assert_eq!(sorted.findings[0].rows(), [last]);
}

#[test]
fn what_was_not_searched_is_counted_and_belongs_to_no_curve() {
    let mut rows: Vec<Row> = (2..=4).map(|h| Row::Width(width_row("fc", h, "init-closeness", 100.0))).collect();
    let Row::Width(mut refused) = rows[0].clone() else { unreachable!() };
    (refused.subject.depth, refused.tried, refused.width, refused.low) = (30, Vec::new(), None, 1.0);
    (refused.status, refused.high, refused.starts) = (Status::Censored, None, 0);
    rows.push(Row::Width(refused));
    let sorted = Sorted::new(&rows);
    assert_eq!((sorted.unresolved, sorted.findings[0].rows().len()), (1, 3));
    let out = folder("unresolved");
    write(&rows, &out).unwrap();
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("1 required width was not searched") && !page.contains("--starts 0"));
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn curves_that_differ_in_delta_have_names_of_their_own() {
    let rows: Vec<Row> = [0.5, 0.1]
        .into_iter()
        .flat_map(|delta| {
            (2..=4).map(move |h| {
                let row = width_row("fc", h, "init-closeness", 100.0 / delta);
                Row::Width(WidthRow { delta, ..row })
            })
        })
        .collect();
    let sorted = Sorted::new(&rows);
    let chapters = chapters(&sorted, &Outline::new(&sorted).unwrap());
    let csv = String::from_utf8(chapters[0].figures[0].csv().unwrap()).unwrap();
    assert!(csv.contains("semilog,fc,") && csv.contains("fc, δ = 0.1"), "{csv}");
}

#[test]
fn more_data_sets_do_not_make_a_setting_the_main_one() {
    let mut rows: Vec<Row> = (1..=4).map(|h| Row::Width(width_row("fc", h, "init-closeness", 100.0))).collect();
    for (depth, data_seed) in (1..=3).flat_map(|depth| (1..=9).map(move |seed| (depth, seed))) {
        let mut subject = subject("fc", depth, data_seed);
        subject.activation = "tanh".into();
        rows.push(Row::Width(Search::of(100.0).row(subject, "init-closeness", data_seed)));
    }
    let sorted = Sorted::new(&rows);
    assert_eq!(sorted.groups[Outline::new(&sorted).unwrap().main].activation, "softplus");
}

#[test]
fn settings_are_sorted_by_what_sets_them_apart() {
    let rows = Study { data_sets: 1, ..Study::standard() }.rows();
    let sorted = Sorted::new(&rows);
    let outline = Outline::new(&sorted).unwrap();
    let main = &sorted.groups[outline.main];
    assert_eq!(
        (main.activation.as_str(), main.samples, main.scale.clone()),
        ("softplus", 4, Some((0.5, Some("1/H".into()))))
    );
    assert_eq!((outline.activations.len(), outline.samples.len(), outline.scales.len()), (9, 4, 5));
    assert!(outline.others.is_empty());
    // The fully connected network has no residual scale: it stands beside each, and is fitted once.
    for &place in &outline.scales {
        assert!(sorted.of(&sorted.groups[place]).iter().any(|finding| finding.arch() == "fc"));
    }
    let fc = sorted.findings.iter().filter(|f| f.arch() == "fc" && f.criterion() == HEADLINE);
    assert_eq!(fc.count(), 12);
    assert!(sorted.findings.iter().any(|finding| finding.count(Status::Censored) > 0));
}

#[test]
fn the_data_file_holds_what_is_drawn() {
    let rows = Study { varied: false, ..Study::standard() }.rows();
    let sorted = Sorted::new(&rows);
    let chapters = chapters(&sorted, &Outline::new(&sorted).unwrap());
    let figure = &chapters[0].figures[0];
    let csv = String::from_utf8(figure.csv().unwrap()).unwrap();
    assert!(csv.starts_with("panel,series,element,depth,width,low,high\n"));
    assert!(csv.contains("log-log,resnet,fit,") && csv.contains("semilog,fc,predicted by the delta method,3,"));
    // The semilog panel ends a layer below the deepest fully connected network, the delta method in between.
    let deepest = |panel: &str| {
        let of_panel = csv.lines().filter(|line| line.starts_with(panel));
        of_panel.filter_map(|line| line.split(',').nth(3)?.parse::<f64>().ok()).fold(0.0, f64::max)
    };
    assert_eq!((deepest("semilog"), deepest("log-log")), (8.0, 64.0));
    assert!(csv.contains("semilog,fc,extrapolated,7,") || csv.contains(&format!("censored,7,{BUDGET}")), "{csv}");
}

#[test]
fn an_unwritable_directory_is_one_clear_error() {
    let out = folder("blocked");
    fs::write(out.join("file"), "").unwrap();
    let error = write(&Study::quick().rows()[..1], &out.join("file")).unwrap_err();
    assert!(format!("{error:#}").contains("cannot make the directory"), "{error:#}");
    fs::remove_dir_all(out).unwrap();
}

#[test]
fn only_a_torn_last_line_is_forgiven() {
    let folder = folder("read");
    let path = folder.join("rows.jsonl");
    let line = serde_json::to_string(&Study::quick().rows()[0]).unwrap();
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
    assert_eq!(
        read_rows(&path).unwrap(),
        crate::rows::RowsRead { rows: Study::quick().rows()[..1].to_vec(), note: None }
    );
    assert!(format!("{:#}", read_rows(&folder.join("absent")).unwrap_err()).contains("absent"));
    fs::remove_dir_all(folder).unwrap();
}
