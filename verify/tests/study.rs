//! Studies as their users run them: from a file, interrupted, in parts.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use common::{Folder, fails, ok, verify};

mod common;

/// Rows without what depends on time and machine.
fn found(path: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        let fields = row.as_object_mut().unwrap();
        fields.remove("seconds");
        fields.remove("provenance");
        row
    };
    text.lines().map(row).collect()
}

const STUDY: &str = r#"
seed = 5

[defaults]
arch = ["fc", "resnet"]
data = "sphere:n=2,d=4"

[[sweep]]
criterion = ["init-closeness", "init-positivity"]
depth = { fc = "1:3", resnet = [1, 2, 4, 8] }
data_seeds = 2
max_width = 4096

[[sweep]]
activation = ["softplus:4", "tanh"]
residual = ["1/H", "1"]
depth = 2
max_width = 4096

[[sweep]]
criterion = ["drift", "rate", "fit"]
depth = "1:2"
max_width = 16
steps = 40

[[curve]]
depth = 2
width = 16
steps = 20
"#;

/// Cells of the study: 2 sets x (3 + 4) x 2, 2 (fc) + 4 (resnet), 4 x 3, 2 curves.
const ROWS: usize = 28 + 6 + 12 + 2;

fn start(args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_verify"));
    command.args(args).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn is_cell(row: &Value) -> bool {
    row["schema"] != "fathom.lambda/1"
}

#[test]
fn a_run_that_is_killed_at_random_moments_ends_with_the_rows_of_one_that_is_not() {
    let folder = Folder::new("killed");
    let study = folder.file("study.toml", STUDY);
    let (whole, killed) = (folder.path("whole.jsonl"), folder.path("killed.jsonl"));
    let began = Instant::now();
    ok(&["width", "--config", &study, "--out", &whole]);
    let took = began.elapsed().as_millis() as u64;
    let expected = found(&whole);
    assert_eq!(expected.iter().filter(|row| is_cell(row)).count(), ROWS);

    let args = ["width", "--config", &study, "--out", &killed];
    let (mut before, mut kills, mut cut_short, mut random) = (Vec::new(), 0, 0, 1u64);
    while kills < 40 {
        let mut run = start(&args);
        // Anywhere from before the first row to a fifth of the whole.
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_millis((random >> 33) % (took / 5 + 20)));
        let ended = run.try_wait().unwrap();
        run.kill().unwrap();
        run.wait().unwrap();
        if ended.is_some_and(|status| status.success()) {
            break;
        }
        kills += 1;
        let after = std::fs::read(&killed).unwrap_or_default();
        let kept = |text: &[u8]| text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        cut_short += usize::from(kept(&after) < after.len());
        assert!(after.starts_with(&before[..kept(&before)]), "kill {kills} lost a row");
        before = after;
    }
    ok(&args);
    assert!(kills >= 3, "only {kills} kills of a run of {took} ms");
    assert_eq!(found(&killed), expected, "after {kills} kills");
    println!("{kills} kills, {cut_short} of them inside a row, {ROWS} cells once each");
}

/// Waits until the file has so many lines.
fn wait_for_rows(path: &str, rows: usize) {
    let began = Instant::now();
    while std::fs::read_to_string(path).map_or(0, |text| text.lines().count()) < rows {
        assert!(began.elapsed() < Duration::from_secs(600), "no {rows} rows in {path}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A study whose later cells take long.
const LONG: &str = "[[sweep]]\ndepth = \"1:40\"\nstarts = 200\nmax_width = 65536\narch = [\"resnet\"]\n";

#[cfg(unix)]
#[test]
fn ctrl_c_finishes_the_row_and_exits_with_130() {
    let folder = Folder::new("ctrl-c");
    let study = folder.file("study.toml", LONG);
    let out = folder.path("rows.jsonl");
    let args = ["width", "--config", &study, "--out", &out];
    let run = start(&args);
    // A row of lambda: its cell is being measured.
    wait_for_rows(&out, 1);
    interrupt(&run);
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("of 40 rows are done and kept; the same command goes on"), "{stderr}");
    let text = std::fs::read_to_string(&out).unwrap();
    assert!(text.ends_with('\n') && text.lines().count() >= 2);
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["schema"], "fathom.width/2");
}

#[cfg(unix)]
#[test]
fn a_second_ctrl_c_stops_at_once() {
    let folder = Folder::new("ctrl-c-twice");
    // One row that would take minutes.
    let (out, data) = (folder.path("rows.jsonl"), "sphere:n=16,d=32");
    let long = ["width", "--arch", "resnet", "--depth", "64", "--data", data, "--starts", "4000", "--out", &out];
    let mut run = start(&long);
    wait_for_rows(&out, 1);
    interrupt(&run);
    std::thread::sleep(Duration::from_millis(300));
    assert!(run.try_wait().unwrap().is_none(), "the row takes longer than this");
    interrupt(&run);
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert!(String::from_utf8_lossy(&output.stderr).contains("again stops at once"));
    assert_eq!(found(&out).len(), 1);
}

#[cfg(unix)]
fn interrupt(run: &Child) {
    // SAFETY: a signal to a child that has not been waited for, so that its number is still its own.
    assert_eq!(unsafe { libc::kill(run.id() as i32, libc::SIGINT) }, 0);
}

#[test]
fn two_runs_on_one_file_do_not_mix() {
    let folder = Folder::new("locked");
    let study = folder.file("study.toml", LONG);
    let out = folder.path("rows.jsonl");
    let args = ["width", "--config", &study, "--out", &out];
    let mut run = start(&args);
    wait_for_rows(&out, 1);
    let (code, stderr) = fails(&args);
    assert!(code == 2 && stderr.contains("another run is writing to"), "{stderr}");
    run.kill().unwrap();
    run.wait().unwrap();
    // Its lock ends with it; but rows of another study do not join these.
    let (code, stderr) = fails(&["width", "--config", &study, "--depth", "1", "--out", &out]);
    assert!(code == 2 && stderr.contains("rows of another study"), "{stderr}");
}

#[test]
fn parts_merged_are_the_rows_of_one_run() {
    let folder = Folder::new("parts");
    let study = folder.file("study.toml", STUDY);
    let whole = folder.path("whole.jsonl");
    ok(&["width", "--config", &study, "--out", &whole]);
    let parts: Vec<String> = (0..3).map(|i| folder.path(&format!("part-{i}.jsonl"))).collect();
    for (i, part) in parts.iter().enumerate() {
        // One by the option, the others as Slurm numbers them.
        let mut command = Command::new(env!("CARGO_BIN_EXE_verify"));
        command.args(["width", "--config", &study, "--out", part]).env("RAYON_NUM_THREADS", (1 + i).to_string());
        match i {
            0 => command.args(["--shard", "0/3"]),
            _ => command.env("SLURM_ARRAY_TASK_ID", i.to_string()).env("SLURM_ARRAY_TASK_COUNT", "3"),
        };
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let counts: Vec<usize> = parts.iter().map(|part| found(part).len()).collect();
    assert!(counts.iter().all(|&count| count > 5), "{counts:?}");

    let merged = folder.path("merged.jsonl");
    // A file that is named twice adds nothing.
    ok(&["merge", &parts[2], &parts[0], &parts[1], &parts[0], "--out", &merged]);
    assert_eq!(found(&merged), found(&whole));
    let beside = |path: &str| std::fs::read_to_string(Path::new(path).with_extension("resolved.toml")).unwrap();
    assert_eq!(beside(&merged), beside(&whole));

    // Without a part, what is missing is named, and measured by the command that is printed.
    let partial = folder.path("partial.jsonl");
    let (code, stderr) = fails(&["merge", &parts[0], &parts[2], "--out", &partial]);
    assert_eq!(code, 4, "{stderr}");
    assert!(stderr.contains("missing: ") && stderr.contains("verify width --config"), "{stderr}");
    let resolved = folder.path("partial.resolved.toml");
    ok(&["width", "--config", &resolved, "--out", &partial]);
    let sorted = |path: &str| {
        let mut rows: Vec<String> = found(path).iter().map(Value::to_string).collect();
        rows.sort();
        rows
    };
    assert_eq!(sorted(&partial), sorted(&whole));
}

#[test]
fn rows_that_do_not_belong_together_are_not_merged() {
    let folder = Folder::new("mixed");
    let (one, two, out) = (folder.path("one.jsonl"), folder.path("two.jsonl"), folder.path("out.jsonl"));
    let small = ["width", "--arch", "fc", "--depth", "1", "--samples", "2", "--max-width", "64"];
    ok(&[&small[..], &["--out", &one]].concat());
    ok(&[&small[..], &["--seed", "2", "--out", &two]].concat());
    let (code, stderr) = fails(&["merge", &one, &two, "--out", &out]);
    assert!(code == 2 && stderr.contains("two.jsonl holds rows of another study"), "{stderr}");
    let changed = std::fs::read_to_string(&one).unwrap().replace("\"passes\":", "\"passes\":1");
    std::fs::write(&two, changed).unwrap();
    let (code, stderr) = fails(&["merge", &one, &two, "--out", &out]);
    assert!(code == 2 && stderr.contains("two parts disagree"), "{stderr}");
    assert!(!Path::new(&out).exists());
    ok(&["merge", &one, "--out", &out]);
    assert!(fails(&["merge", &one, "--out", &out]).1.contains("is there already"));
}

#[test]
fn options_stand_before_the_environment_this_before_the_file_and_this_before_the_default() {
    let folder = Folder::new("precedence");
    let study = folder.file("study.toml", "seed = 3\n[[sweep]]\narch = \"fc\"\ndepth = 1\nsamples = 2\nstarts = 8\n");
    let starts = |name: &str, environment: Option<&str>, option: Option<&str>| {
        let out = folder.path(name);
        let mut command = Command::new(env!("CARGO_BIN_EXE_verify"));
        command.args(["width", "--config", &study, "--max-width", "16", "--out", &out]);
        environment.map(|starts| command.env("FATHOM_STARTS", starts));
        option.map(|starts| command.args(["--starts", starts]));
        assert!(command.output().unwrap().status.success());
        let row = found(&out).pop().unwrap();
        assert_eq!((&row["seed"], &row["max_width"], &row["delta"]), (&3.into(), &16.into(), &0.5.into()));
        row["starts"].as_u64().unwrap()
    };
    assert_eq!(starts("file", None, None), 8);
    assert_eq!(starts("environment", Some("9"), None), 9);
    assert_eq!(starts("option", Some("9"), Some("10")), 10);
}

#[test]
fn a_study_that_cannot_be_measured_is_one_clear_error() {
    let folder = Folder::new("bad-study");
    let out = folder.path("rows.jsonl");
    for (text, message) in [
        ("[[sweep]]\nstart = 3\n", "line 2"),
        ("[[sweep]]\nstart = 3\n", "unknown field `start`"),
        ("[[sweep]]\nstarts = 5\n", "give --starts 6 or more"),
        ("[[sweep]]\narch = \"resnet\"\nc_res = 2\n", "c_res must lie between 0 and 1"),
        ("[[sweep]]\ndata = \"/nowhere.csv\"\n", "cannot read /nowhere.csv"),
        ("[[sweep]]\n[[sweep]]\nstarts = 40\n", "two tables ask for fc H=1"),
        ("", "needs a [[sweep]]"),
    ] {
        let study = folder.file("study.toml", text);
        let (code, stderr) = fails(&["width", "--config", &study, "--out", &out]);
        assert!(code == 2 && stderr.contains(message), "{text}: {code} {stderr}");
    }
    let (code, stderr) = fails(&["width", "--config", "/nowhere.toml", "--out", &out]);
    assert!(code == 2 && stderr.contains("cannot read /nowhere.toml"), "{stderr}");
    assert!(fails(&["width", "--shard", "3/3", "--out", &out]).1.contains("give I/N"));
    assert!(fails(&["width"]).1.contains("--out"));
    assert!(!Path::new(&out).exists());
}

#[test]
fn predictions_stand_beside_what_is_measured() {
    let folder = Folder::new("predicted");
    let text = "
        [defaults]
        data = \"sphere:n=3,d=12\"
        [[sweep]]
        arch = \"fc\"
        depth = 2
        starts = 100
        [[predict]]
        arch = [\"fc\", \"resnet\"]
        depth = { fc = [2, 40], resnet = 3 }
        criterion = [\"init-closeness\", \"init-positivity\"]
    ";
    let (study, out) = (folder.file("study.toml", text), folder.path("rows.jsonl"));
    ok(&["width", "--config", &study, "--out", &out]);
    let rows = found(&out);
    let predicted: Vec<&Value> = rows.iter().filter(|row| row["schema"] == "fathom.predicted/1").collect();
    assert_eq!(predicted.len(), 6);
    let number = |row: &Value, key: &str| row[key].as_f64().unwrap();
    for row in &predicted {
        let [low, width, high] = ["low", "width", "high"].map(|key| number(row, key));
        assert!(1.0 <= low && low <= width && width <= high, "{row}");
        assert!((number(row, "lemma_width") * (number(row, "lambda0") / 3.0).powi(2) - 1.0).abs() < 1e-12, "{row}");
    }
    let measured = rows.iter().find(|row| row["schema"] == "fathom.width/2").unwrap();
    let beside = predicted[0];
    assert_eq!((&beside["depth"], &beside["criterion"]), (&2.into(), &"init-closeness".into()));
    assert!(
        number(beside, "low") < number(measured, "high") && number(measured, "low") < number(beside, "high"),
        "{beside}"
    );
    // Nothing is computed twice.
    let before = std::fs::read(&out).unwrap();
    ok(&["width", "--config", &study, "--out", &out]);
    assert_eq!(std::fs::read(&out).unwrap(), before);
}

#[test]
fn a_dry_run_prints_every_cell_and_measures_none() {
    let folder = Folder::new("dry");
    let study = folder.file("study.toml", STUDY);
    let text = ok(&["width", "--config", &study, "--dry-run"]);
    assert!(text.contains("resnet H=8 softplus c_res 0.5 sphere:n=2,d=4 #6 init-positivity, m <= 4096"), "{text}");
    assert!(text.contains(&format!("for {ROWS} cells")), "{text}");
    // A budget narrows what may be run: 20 starts of 2 points and 1 layer take 1920 operations for each row.
    let text = ok(&["width", "--arch", "fc", "--depth", "1", "--samples", "2", "--budget", "1920000", "--dry-run"]);
    assert!(text.contains("m <= 1000\n"), "{text}");
}

#[test]
fn a_part_without_cells_is_merged_too() {
    let folder = Folder::new("empty-part");
    let paths = ["0", "1"].map(|part| folder.path(&format!("rows.{part}.jsonl")));
    for (part, path) in ["0/2", "1/2"].iter().zip(&paths) {
        ok(&["width", "--arch", "fc", "--depth", "1", "--max-width", "8", "--shard", part, "--out", path]);
    }
    ok(&["merge", &paths[0], &paths[1], "--out", &folder.path("rows.jsonl")]);
}

#[test]
fn what_cannot_be_predicted_stops_nothing() {
    let folder = Folder::new("unpredictable");
    // All but linear, of more samples than dimensions.
    let study = "[[predict]]\narch = \"resnet\"\ndepth = 1\nactivation = \"softplus:0.01\"\n\
                 data = [\"sphere:n=6,d=2\", \"orthonormal:n=2,d=4\"]\n";
    let (study, out) = (folder.file("study.toml", study), folder.path("rows.jsonl"));
    let text = ok(&["width", "--config", &study, "--dry-run"]);
    assert!(text.contains("init-closeness, predicted") && text.contains("for 2 cells"), "{text}");
    let output = verify(&["width", "--config", &study, "--out", &out]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("cannot be predicted and is left out"), "{stderr}");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("predicted") && found(&out).len() == 1, "{text}");
    // Nothing is missing of what no run could write.
    let parts = ["0/2", "1/2"].map(|part| {
        let rows = folder.path(&format!("rows.{}.jsonl", &part[..1]));
        ok(&["width", "--config", &study, "--shard", part, "--out", &rows]);
        rows
    });
    let merged = folder.path("merged.jsonl");
    ok(&["merge", &parts[0], &parts[1], "--config", &study, "--out", &merged]);
    assert_eq!(found(&merged), found(&out));
    let two = "[[predict]]\narch = \"fc\"\n\n[[predict]]\narch = \"fc\"\ndraws = 100\n";
    let output = verify(&["width", "--config", &folder.file("two.toml", two), "--dry-run"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("with different draws"), "{stderr}");
}

#[test]
fn a_training_that_does_not_come_to_its_end_meets_nothing() {
    let folder = Folder::new("unfinished");
    let rows = |steps: &str| {
        let out = folder.path(&format!("{steps}.jsonl"));
        let criteria = "drift,rate,fit";
        ok(&["width", "--arch", "resnet", "--depth", "2", "--criterion", criteria, "--steps", steps, "--out", &out]);
        std::fs::read_to_string(out).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, many) = (rows("1"), rows("2000"));
    let censored = |rows: &[String]| rows.iter().filter(|row| row.contains("\"status\":\"censored\"")).count();
    assert_eq!((censored(&one), censored(&many)), (3, 0), "{one:?}");
}

#[test]
fn seeds_of_a_file_draw_its_labels_alone() {
    let folder = Folder::new("labels");
    let data = folder.file("data.csv", "1,0,0\n0,1,0\n0,0,1\n");
    let width = |more: &[&str]| {
        let out = folder.path("rows.jsonl");
        let _ = std::fs::remove_file(&out);
        let all = [&["width", "--arch", "fc", "--depth", "1", "--data", &data, "--out", &out], more].concat();
        (verify(&all), out)
    };
    let (output, _) = width(&["--criterion", "init-closeness", "--data-seeds", "2"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && stderr.contains("the labels alone"), "{stderr}");
    let (output, rows) = width(&["--criterion", "fit", "--data-seeds", "7,"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(std::fs::read_to_string(rows).unwrap().contains("\"data_seed\":7,"));
}

#[test]
fn a_job_array_measures_every_part() {
    let folder = Folder::new("slurm");
    let study = folder.file("it's.toml", STUDY);
    let script = ok(&["width", "--config", &study, "--emit", "slurm", "--shards", "2"]);
    for part in ["#SBATCH --array=0-1\n", "#SBATCH --mem=", "SLURM_ARRAY_TASK_ID/2", "[[sweep]]"] {
        assert!(script.contains(part), "{part}: {script}");
    }
    // What the command line says stands in it too.
    let other = ok(&["width", "--config", &study, "--emit", "slurm", "--seed", "9", "--max-width", "16"]);
    assert!(other.contains("seed = 9\n") && other.contains("init = 16\n"), "{other}");
    // The script is run as Slurm would run each task.
    let path = folder.file("job.sh", &script);
    let program = Path::new(env!("CARGO_BIN_EXE_verify")).parent().unwrap();
    for task in ["0", "1"] {
        let mut command = Command::new("bash");
        command.arg(&path).current_dir(&folder.0).env("SLURM_CPUS_PER_TASK", "2").env("SLURM_ARRAY_TASK_ID", task);
        command.env("PATH", format!("{}:{}", program.display(), std::env::var("PATH").unwrap()));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    ok(&["merge", &folder.path("rows.0.jsonl"), &folder.path("rows.1.jsonl"), "--out", &folder.path("rows.jsonl")]);
    assert!(verify(&["width", "--emit", "pbs"]).status.code() == Some(2));
}
