//! The program as its users meet it: outputs, files and exit codes.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use common::{Folder, fails, ok, verify};

mod common;

fn rows(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn gram_describes_a_csv_file() {
    let folder = Folder::new("gram");
    let data = folder.file("x.csv", "a,b,c\n1,0,0\n0,2,0\n0,0,3\n");
    for arch in ["fc", "resnet", "conv-resnet"] {
        let text = ok(&["gram", "--data", &data, "--arch", arch, "--depth", "3", "--json"]);
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["schema"], "fathom.gram/1");
        assert_eq!(json["n"], 3);
        let (least, most) = (json["lambda0"].as_f64().unwrap(), json["lambda_max"].as_f64().unwrap());
        let kernel = &json["kernel"];
        let trace: f64 = (0..3).map(|i| kernel[i][i].as_f64().unwrap()).sum();
        assert!(least > 0.0 && least <= trace / 3.0 && trace / 3.0 <= most, "{text}");
        assert_eq!(kernel[0][1], kernel[1][0]);
    }
    // Orthonormal inputs and one layer: K is chi_1 times the identity.
    let json: Value = serde_json::from_str(&ok(&["gram", "--data", &data, "--depth", "1", "--json"])).unwrap();
    assert!((json["lambda0"].as_f64().unwrap() - json["chi1"].as_f64().unwrap()).abs() < 1e-12);
    let text = ok(&["gram", "--data", &data, "--activation", "softplus:4", "--depth", "2"]);
    for part in ["lambda_0", "three conditions", "Theorem 5.1", "2^O(H)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = ok(&["gram", "--data", &data, "--depth", "40"]);
    assert!(text.contains("rounding noise"), "{text}");
}

#[test]
fn unusable_input_is_one_clear_line_and_exit_code_2() {
    let folder = Folder::new("bad");
    let parallel = folder.file("parallel.csv", "1,2\n3,4\n-2,-4\n");
    let nan = folder.file("nan.csv", "1,2\nNaN,4\n");
    let text = folder.file("text.csv", "1,2\n3,four\n");
    let empty = folder.file("empty.csv", "");
    let npy = folder.file("broken.npy", "no array");
    let ragged = folder.file("ragged.csv", "1,2\n3\n");
    for (args, message) in [
        (vec!["gram", "--data", &parallel], "rows 1 and 3 are parallel"),
        (vec!["gram", "--data", &nan], "row 2, column 1 is NaN"),
        (vec!["gram", "--data", &text], "row 2, column 2: \"four\" is not a number"),
        (vec!["gram", "--data", &empty], "there are no samples"),
        (vec!["gram", "--data", &npy], "broken.npy"),
        (vec!["gram", "--data", &ragged], "row 2 has 1 numbers"),
        (vec!["gram", "--data", "/nowhere.csv"], "cannot read /nowhere.csv"),
        (vec!["gram", "--data", "ball:n=3"], "cannot read \"ball:n=3\" as data"),
        (vec!["gram", "--data", "sphere:n=4,d=6", "--samples", "3"], "contradicts"),
        (vec!["gram", "--arch", "vgg"], "use fc, resnet, conv-resnet"),
        (vec!["gram", "--activation", "softplus:-1"], "softplus:BETA with BETA > 0"),
        (vec!["gram", "--arch", "resnet", "--c-res", "1.5"], "c_res must lie between 0 and 1"),
        (vec!["gram", "--depth", "0"], "\"0\" is not a whole number from 1 to"),
        (vec!["gram", "--arch", "conv-resnet", "--patch", "1x2"], "odd sides"),
        (vec!["gram", "--image", "3x3x3"], "give --image"),
        (vec!["width", "--criterion", "speed", "--out", "x"], "use init-closeness"),
        (vec!["width", "--starts", "5", "--out", "x"], "give --starts 6 or more"),
        (vec!["width", "--starts", "5", "--delta", "0.0001", "--out", "x"], "give --starts 36887 or more"),
        (vec!["width", "--delta", "1e-17", "--out", "x"], "not a number between 0 and 1"),
        (vec!["width", "--depth", "1:9999999999999999", "--out", "x"], "deeper than"),
        (vec!["width", "--data-seeds", "99999999999999999", "--out", "x"], "data sets are more than"),
        (vec!["width", "--starts", "99999999999999999", "--out", "x"], "not a whole number from 1 to"),
        (vec!["width", "--max-width", "4611686018427387905", "--out", "x"], "not a whole number from 1 to"),
        (vec!["width", "--seed", "18446744073709551615", "--out", "x"], "not a seed"),
        (vec!["width", "--budget", "nan", "--out", "x"], "`budget` must be above 0"),
        (vec!["gram", "--samples", "18446744073709551615"], "not a whole number from 1 to"),
        (vec!["gram", "--data", "images:n=2,c=4294967296,h=4294967296,w=1"], "has more than 4294967296 numbers"),
        (vec!["gram", "--arch", "conv-resnet", "--image", "9223372036854775809x2x4"], "whose product is at most"),
        (vec!["train", "--held-out", "18446744073709551615", "--labels", "teacher:2"], "not a whole number from 1 to"),
        (vec!["check", "--law", "--widths", "1"], "1 is not in 4.."),
        (vec!["report", "."], "cannot read ."),
        (vec!["merge", "/nowhere.jsonl", "--out", "x"], "nowhere.resolved.toml is not there"),
        (vec!["check", "--isa", "sse9"], "unknown instruction set"),
        (vec!["check", "--case", "nonsense"], "there is no case \"nonsense\""),
        (vec!["report", "/nowhere.jsonl"], "cannot read /nowhere.jsonl"),
        (vec!["bench", "gemm", "--shapes", "4x"], "\"4x\" is no shape"),
        (vec!["bench", "gemm", "--shapes", "16777216"], "too large"),
        (vec!["bench", "gemm", "--types", "f16"], "[possible values: f32, f64]"),
        (vec!["bench", "gemm", "--peers", "nobody"], "there is no peer \"nobody\""),
        (vec!["bench", "gemm", "--cores", "0"], "\"0\" is not a number of cores"),
        (vec!["bench", "gemm", "--blas", "/nowhere.so"], "cannot open the BLAS /nowhere.so"),
        (vec!["bench", "gemm", "--blas", "/nowhere.so", "--cores", "2"], "cannot open the BLAS /nowhere.so"),
    ] {
        let (code, stderr) = fails(&args);
        assert!(stderr.contains(message), "{args:?}: {stderr}");
        assert_eq!(code, 2, "{args:?}: {stderr}");
    }
    assert!(!Path::new("x").exists(), "a refused sweep leaves no file");
}

#[test]
fn rows_of_networks_that_diverge_are_read_again_and_drawn() {
    let folder = Folder::new("diverged");
    let out = folder.path("rows.jsonl");
    // Narrow networks of ReLU lose all their units: no kernel, no step size.
    let relu = ["width", "--arch", "fc", "--activation", "relu", "--depth", "4", "--max-width", "4", "--steps", "20"];
    let args = [&relu[..], &["--starts", "20", "--criterion", "drift,rate,fit", "--out", &out]].concat();
    ok(&args);
    let first = std::fs::read_to_string(&out).unwrap();
    ok(&args);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), first, "the second run found every row");
    let rate = rows(&out).into_iter().find(|row| row["criterion"] == "rate").unwrap();
    let narrowest = &rate["tried"][0];
    assert!(narrowest["passes"].as_u64() < narrowest["starts"].as_u64(), "dead networks fit nothing: {narrowest}");
    ok(&["report", &out, "--out", &folder.path("page")]);
}

#[test]
fn a_file_that_holds_no_rows_is_left_alone() {
    let folder = Folder::new("precious");
    let precious = folder.file("precious.txt", "my only copy");
    let args = ["width", "--arch", "fc", "--depth", "1", "--samples", "2", "--max-width", "64", "--out"];
    let (code, stderr) = fails(&[&args[..], &[&precious]].concat());
    assert!(code == 2 && stderr.contains("is no row: give another --out"), "{code} {stderr}");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "my only copy");
    // A last row that lacks its line break alone is kept.
    let out = folder.path("rows.jsonl");
    ok(&[&args[..], &[&out]].concat());
    let whole = std::fs::read_to_string(&out).unwrap();
    std::fs::write(&out, whole.trim_end()).unwrap();
    ok(&[&args[..], &[&out]].concat());
    assert_eq!(std::fs::read_to_string(&out).unwrap(), whole);
}

#[cfg(unix)]
#[test]
fn nobody_need_read_the_progress() {
    let folder = Folder::new("unread");
    let (read, unread) = (folder.path("read.jsonl"), folder.path("unread.jsonl"));
    ok(&[&SMALL[..], &["--out", &read]].concat());
    let closed = "exec \"$0\" \"$@\" 2>/dev/full";
    let args = [&["-c", closed, env!("CARGO_BIN_EXE_verify")], &SMALL[..], &["--out", &unread]].concat();
    assert!(Command::new("sh").args(args).output().unwrap().status.success());
    assert_eq!(rows(&read).len(), rows(&unread).len());
}

#[test]
fn curves_that_differ_in_their_patches_alone_are_told_apart() {
    let folder = Folder::new("patches");
    let study = folder.file(
        "study.toml",
        "[defaults]\narch = \"conv-resnet\"\ndata = \"sphere:n=2,d=8\"\ndepth = \"1:3\"\nmax_width = 256\nimage = \"2x1x4\"\n\
         [[sweep]]\npatch = \"1x3\"\n[[sweep]]\npatch = \"1x1\"\n",
    );
    let (out, page) = (folder.path("rows.jsonl"), folder.path("page"));
    ok(&["width", "--config", &study, "--out", &out]);
    let text = ok(&["report", &out, "--out", &page]);
    assert!(text.contains("conv-resnet 2x1x4, patch 1x3") && text.contains("conv-resnet 2x1x4, patch 1x1"), "{text}");
    let widths = std::fs::read_to_string(Path::new(&page).join("widths.csv")).unwrap();
    assert_eq!(widths.lines().count(), 7, "{widths}");
}

#[test]
fn an_instruction_set_that_cannot_be_had_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_verify")).args(["info"]).env("FATHOM_ISA", "mmx").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("FATHOM_ISA takes one of portable"));
}

const SMALL: [&str; 11] = [
    "width",
    "--arch",
    "fc,resnet",
    "--depth",
    "1:2",
    "--criterion",
    "init-closeness,init-positivity",
    "--samples",
    "2",
    "--max-width",
    "4096",
];

#[test]
fn width_writes_rows_that_a_second_run_goes_on_from() {
    let folder = Folder::new("width");
    let out = folder.path("rows.jsonl");
    let args = [&SMALL[..], &["--out", &out]].concat();
    let text = ok(&args);
    let first = rows(&out);
    let widths: Vec<&Value> = first.iter().filter(|row| row["schema"] == "fathom.width/2").collect();
    assert_eq!(widths.len(), 8);
    for row in &widths {
        let (low, width, high) = (row["low"].as_f64(), row["width"].as_f64(), row["high"].as_f64());
        assert_eq!(row["status"], "measured", "{row}");
        assert!(low <= width && width <= high, "{row}");
        for key in ["arch", "activation", "depth", "criterion", "parameters_per_sample", "provenance", "cell_seed"] {
            assert!(!row[key].is_null(), "{key} of {row}");
        }
    }
    assert_eq!(text.lines().count(), 9, "{text}");

    // A second run measures nothing; a torn and a missing row are measured again, to the bit.
    let before = std::fs::read_to_string(&out).unwrap();
    ok(&args);
    assert_eq!(std::fs::read_to_string(&out).unwrap(), before);
    let cut = before.trim_end().rfind('\n').unwrap() + 40;
    std::fs::write(&out, &before[..cut]).unwrap();
    let output = verify(&args);
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("torn"));
    let forget = |row: &Value| {
        let mut row = row.clone();
        row.as_object_mut().unwrap().remove("seconds");
        row
    };
    let again = rows(&out);
    assert_eq!(again.iter().map(forget).collect::<Vec<_>>(), first.iter().map(forget).collect::<Vec<_>>());
}

/// A limit on the size of files stands in for a full disk: writing fails half-way through a row.
#[cfg(unix)]
#[test]
fn a_full_disk_keeps_what_was_measured_and_exits_with_4() {
    let folder = Folder::new("full");
    let out = folder.path("rows.jsonl");
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let args = [&["-c", limited, env!("CARGO_BIN_EXE_verify")], &SMALL[..], &["--out", &out]].concat();
    let output = Command::new("sh").args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("stopped early") && stderr.contains("rows.jsonl"), "{stderr}");
    let kept = rows(&out).len();
    assert!(std::fs::read_to_string(&out).unwrap().ends_with('\n') && kept > 0);
    ok(&[&SMALL[..], &["--out", &out]].concat());
    assert!(rows(&out).len() > kept);
}

#[test]
fn rows_do_not_depend_on_the_threads_or_the_order() {
    let folder = Folder::new("threads");
    let (one, two) = (folder.path("one.jsonl"), folder.path("two.jsonl"));
    let run = |threads: &str, arch: &str, out: &str| {
        let trained = ["width", "--depth", "2", "--criterion", "drift,fit", "--samples", "2", "--max-width", "32"];
        let args = [&trained[..], &["--steps", "50", "--arch", arch, "--out", out]].concat();
        let mut command = Command::new(env!("CARGO_BIN_EXE_verify"));
        assert!(command.args(args).env("RAYON_NUM_THREADS", threads).output().unwrap().status.success());
    };
    run("1", "fc,resnet", &one);
    run("2", "resnet,fc", &two);
    let found = |path: &str| {
        let mut all: Vec<String> = rows(path)
            .into_iter()
            .map(|mut row| {
                let row = row.as_object_mut().unwrap();
                row.remove("seconds");
                row.remove("provenance");
                serde_json::to_string(row).unwrap()
            })
            .collect();
        all.sort();
        all
    };
    assert_eq!(found(&one), found(&two));
}

#[test]
fn beyond_the_widest_run_a_cell_is_censored_or_extrapolated() {
    let folder = Folder::new("censored");
    let out = folder.path("rows.jsonl");
    ok(&[
        "width",
        "--arch",
        "fc",
        "--depth",
        "3",
        "--criterion",
        "init-closeness,init-positivity",
        "--max-width",
        "64",
        "--out",
        &out,
    ]);
    let rows = rows(&out);
    let of = |criterion: &str| rows.iter().find(|row| row["criterion"] == criterion).unwrap();
    let closeness = of("init-closeness");
    assert_ne!(closeness["status"], "measured", "{closeness}");
    assert!(closeness["note"].is_string());
    if closeness["status"] == "censored" {
        assert!(closeness["width"].is_null() && closeness["low"] == 64.0, "{closeness}");
    } else {
        assert!(closeness["width"].as_f64().unwrap() > 64.0, "{closeness}");
    }
}

#[test]
fn a_report_is_drawn_from_rows_alone() {
    let folder = Folder::new("report");
    let (out, page) = (folder.path("rows.jsonl"), folder.path("report"));
    ok(&[&SMALL[..], &["--out", &out]].concat());
    let text = ok(&["report", &out, "--out", &page]);
    assert!(text.contains("report.html"), "{text}");
    let html = std::fs::read_to_string(Path::new(&page).join("report.html")).unwrap();
    assert!(html.contains("<svg") && html.contains("init-closeness") && !html.contains("src=\"http"));
    assert!(Path::new(&page).join("figures").read_dir().unwrap().count() >= 3);

    let broken = folder.file("broken.jsonl", "{\"schema\": \"fathom.width/9\"}\n");
    assert!(fails(&["report", &broken, "--out", &page]).1.contains("broken.jsonl, line 1"));
    let older = folder.file("older.jsonl", "{\"schema\": \"fathom.width/1\"}\n");
    assert!(fails(&["report", &older, "--out", &page]).1.contains("measure again"));
    let empty = folder.file("empty.jsonl", "");
    assert!(fails(&["report", &empty, "--out", &page]).1.contains("holds no rows"));
}

#[test]
fn info_names_the_machine() {
    let json: Value = serde_json::from_str(&ok(&["info", "--json"])).unwrap();
    assert_eq!(json["schema"], "fathom.info/1");
    assert!(json["oracles"].as_array().unwrap().iter().any(|oracle| oracle.as_str().unwrap().starts_with("faer 0.24")));
}

/// The rows of `bench gemm --json`, whose times may be anything above zero.
fn benched(args: &[&str]) -> Vec<Value> {
    let text = ok(&[&["bench", "gemm", "--rounds", "3", "--json"], args].concat());
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for row in &rows {
        assert_eq!(row["schema"], "fathom.bench.gemm/1");
        assert_eq!(row["rounds"], 3);
        let [first, third] = [0, 1].map(|i| row["quartile_seconds"][i].as_f64().unwrap());
        let [fastest, median] = ["fastest_seconds", "median_seconds"].map(|key| row[key].as_f64().unwrap());
        assert!(0.0 < fastest && fastest <= first && first <= median && median <= third, "{row}");
        assert!(row["gflops"].as_f64() > Some(0.0) && row["percent_of_peak"].as_f64() > Some(0.0), "{row}");
        assert!(row["ratio"].as_f64() > Some(0.0) && row["provenance"].is_object(), "{row}");
    }
    rows
}

#[test]
fn bench_times_products_beside_peers_on_one_core() {
    let rows = benched(&["--shapes", "7x5x3", "--peers", "matrixmultiply"]);
    let found: Vec<_> = rows.iter().map(|row| (row["type"].as_str(), row["library"].as_str())).collect();
    let each = |of| [(Some(of), Some("fathom")), (Some(of), Some("matrixmultiply"))];
    assert_eq!(found, [each("f32"), each("f64")].concat());
    assert!(rows.iter().all(|row| row["shape"] == "7x5x3" && row["form"] == "nn" && row["cores"] == 1));
    assert!(rows.iter().all(|row| row["best_peer"] == "matrixmultiply" && row["speedup"].is_null()));

    let text = ok(&["bench", "gemm", "--shapes", "8,8:tn,6:spaced", "--rounds", "3", "--types", "f64"]);
    for part in ["faer 0.24", "gemm 0.19", "f64 8x8x8:tn", "f64 6x6x6:spaced", "3 cases: geometric mean"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn bench_gives_each_library_a_process_on_several_cores() {
    let rows = benched(&["--shapes", "7x5x3", "--types", "f32", "--peers", "faer,matrixmultiply", "--cores", "2"]);
    let found: Vec<_> = rows.iter().map(|row| (row["library"].as_str().unwrap(), row["cores"].as_u64())).collect();
    let expected = [("fathom", Some(2)), ("serial", Some(1)), ("faer", Some(2)), ("matrixmultiply", Some(2))];
    assert_eq!(found, expected);
    assert!(rows[0]["speedup"].as_f64() > Some(0.0), "{}", rows[0]);
    assert_eq!(rows[0]["provenance"]["threads"], 2);
}
