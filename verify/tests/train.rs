//! `train`: what it finds, what it writes, and what it refuses.

use std::path::Path;
use std::process::Command;

use fathom_kernels::{Activation, Isa, Parallelism};
use fathom_model::architecture::Patches;
use fathom_model::stochastic::StochasticDescent;
use fathom_model::{Architecture, Dataset, Kind, Network};
use serde_json::Value;

use common::{Folder, fails, ok};

mod common;

/// Trains, and returns the JSON object.
fn train(args: &[&str]) -> Value {
    serde_json::from_str(&ok(&[&["train", "--json", "--width", "24"], args].concat())).unwrap()
}

fn number(row: &Value, key: &str) -> f64 {
    row[key].as_f64().unwrap_or_else(|| panic!("{key} of {row}"))
}

#[test]
fn every_architecture_is_trained_to_zero_loss() {
    for arch in ["fc", "resnet", "conv-resnet", "linear-resnet", "block-resnet"] {
        let row = train(&["--arch", arch, "--depth", "3", "--data", "images:n=3,c=1,h=2,w=3"]);
        assert_eq!((&row["schema"], &row["arch"]), (&"fathom.train/1".into(), &arch.into()));
        let (start, end) = (number(&row, "loss_start"), number(&row, "loss_end"));
        assert!(end <= 1e-4 * start && row["zero_loss_step"].is_u64(), "{row}");
        let measured = (end / start).powf(1.0 / number(&row, "steps"));
        assert!((number(&row, "measured_rate") - measured).abs() < 1e-12);
        assert_eq!(row["proved_rate"].is_f64(), !["linear-resnet", "block-resnet"].contains(&arch), "{row}");
        if row["proved_rate"].is_f64() {
            let expected = 1.0 - number(&row, "eta") * number(&row, "lambda0") / 2.0;
            assert!((number(&row, "proved_rate") - expected).abs() < 1e-15 && row["rate_holds"] == true, "{row}");
        }
        assert!(number(&row, "drift") > 0.0 && number(&row, "parameters_per_sample") > 1.0);
        assert_eq!(row["residual_norm"].is_array(), arch == "linear-resnet");
        assert_eq!(row["weights_hash"].as_str().unwrap().len(), 16);
        assert!(row["provenance"].is_object());
    }
    let text = ok(&["train", "--arch", "linear-resnet", "--depth", "3", "--width", "32"]);
    assert!(text.contains("below 1 at every step seen") && text.contains("no theorem"), "{text}");
}

#[test]
fn labels_of_every_kind_are_fitted_and_held_out_samples_measured() {
    let folder = Folder::new("labels");
    let targets = folder.file("y.csv", "y\n0\n1\n2\n3\n0\n1\n2\n3\n");
    let data = ["--data", "sphere:n=6,d=5", "--type", "f32"];
    for (labels, replaced) in [("random", 6), ("corrupted:0.5", 3), ("as-given", 0)] {
        let row = train(&[&data[..], &["--labels", labels, "--targets", &targets, "--held-out", "2"]].concat());
        assert!(number(&row, "loss_end") <= 1e-4 * number(&row, "loss_start"), "{row}");
        assert_eq!((&row["labels"], &row["replaced"]), (&labels.into(), &replaced.into()));
        assert_eq!(row["held_out"]["samples"], 2);
    }
    let taught = ["--arch", "resnet", "--labels", "teacher:4", "--held-out", "9"];
    let row = train(&[&data[..], &taught].concat());
    assert!(number(&row["held_out"], "loss_end") > 0.0 && number(&row["held_out"], "loss_start") > 0.0);
    assert!(row["notes"].to_string().contains("not trained on"), "{row}");
    // Holding samples out changes nothing for those that are trained on.
    let alone = train(&[&data[..], &taught[..4]].concat());
    assert_eq!(alone["weights_hash"], row["weights_hash"]);
}

#[test]
fn weights_depend_on_neither_threads_nor_instruction_set() {
    let args = ["train", "--json", "--arch", "block-resnet", "--depth", "3", "--width", "40", "--steps", "20"];
    for batch in [&[][..], &["--batch", "3"]] {
        let mut hashes = Vec::new();
        for isa in Isa::available() {
            for threads in ["1", "2"] {
                let mut command = Command::new(env!("CARGO_BIN_EXE_verify"));
                command.args(args).args(batch).env("FATHOM_ISA", isa.name()).env("RAYON_NUM_THREADS", threads);
                let row: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
                hashes.push(row["weights_hash"].as_str().unwrap().to_owned());
            }
        }
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{hashes:?}");
    }
}

/// A dumped array of floats, in file order.
fn array(folder: &Path, name: &str) -> Vec<f64> {
    let bytes = std::fs::read(folder.join(format!("{name}.npy"))).unwrap();
    npyz::NpyFile::new(&bytes[..]).unwrap().into_vec().unwrap()
}

#[test]
fn a_dump_holds_what_it_takes_to_train_again() {
    let folder = Folder::new("dump");
    let dump = folder.path("deep/dump");
    let settings = ["--depth", "3", "--batch", "3", "--data", "images:n=5,c=2,h=2,w=3", "--activation", "tanh"];
    let row = train(&[&["--arch", "conv-resnet", "--dump", &dump], &settings[..]].concat());
    assert!(row["zero_loss_step"].is_u64(), "{row}");
    let dump = Path::new(&dump);
    let replay: Value = serde_json::from_slice(&std::fs::read(dump.join("settings.json")).unwrap()).unwrap();
    assert_eq!(replay["layers"][1]["skip"], 1);
    assert!(replay["layers"][0]["skip"].is_null() && replay["weights_hash"] == row["weights_hash"]);

    let images = Patches { channels: 2, image: [2, 3], patch: [3, 3] };
    let architecture = Architecture::new(Kind::ConvResNet, 3, 0.5, Activation::Tanh, images).unwrap();
    let data = Dataset::new(array(dump, "inputs").chunks(12).map(<[f64]>::to_vec).collect(), array(dump, "labels"));
    let data = data.unwrap();
    // Any seed: the weights are those of the dump.
    let mut network = Network::<f64>::random(architecture, 24, 99, Parallelism::Serial);
    for h in 1..=3 {
        network.weights_mut(h).copy_from_slice(&array(dump, &format!("weight_{h}")));
        assert_eq!(array(dump, &format!("gradient_{h}")).len(), network.weights(h).len());
    }
    network.output_mut().copy_from_slice(&array(dump, "output"));
    let mut descent = StochasticDescent::new(network, &data, number(&replay, "eta"), 3, 1);
    for loss in array(dump, "loss") {
        assert!((descent.loss() / loss - 1.0).abs() < 1e-9);
        (0..2).for_each(|_| descent.step());
    }
    assert_eq!(std::fs::read_dir(dump.parent().unwrap()).unwrap().count(), 1, "nothing but the dump is left");
    let again = fails(&["train", "--dump", dump.to_str().unwrap()]);
    assert!(again.0 == 2 && again.1.contains("holds something already"), "{}", again.1);
}

/// A limit on the size of files stands in for a full disk.
#[cfg(unix)]
#[test]
fn a_dump_that_does_not_fit_leaves_nothing_behind() {
    let folder = Folder::new("dump-full");
    let dump = folder.path("dump");
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let args = ["-c", limited, env!("CARGO_BIN_EXE_verify"), "train", "--width", "64", "--dump", &dump];
    let output = Command::new("sh").args(args).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: cannot write the dump to") && stderr.lines().count() == 1, "{stderr}");
    assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
}

#[test]
fn a_training_that_diverges_exits_with_4() {
    let folder = Folder::new("diverged");
    let dump = folder.path("dump");
    for batch in [&[][..], &["--batch", "2"]] {
        let args = [&["train", "--width", "16", "--eta", "1e9", "--dump", &dump], batch].concat();
        let (code, stderr) = fails(&args);
        assert!(code == 4 && stderr.contains("training diverged") && stderr.lines().count() == 1, "{code}: {stderr}");
        assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 0);
    }
}

#[test]
fn unusable_arguments_are_one_clear_line_and_exit_code_2() {
    let folder = Folder::new("train-bad");
    let data = folder.file("x.csv", "1,2\n3,4\n5,9\n");
    let short = folder.file("short.csv", "1\n0\n");
    let wide = folder.file("wide.csv", "1,2\n0,1\n3,4\n");
    for (args, message) in [
        (vec!["--width", "0"], "\"0\" is not a whole number from 1 to 4294967295"),
        (vec!["--steps", "-1"], "unexpected argument"),
        (vec!["--batch", "0"], "\"0\" is not a whole number from 1 to 4294967295"),
        (vec!["--eta", "0"], "\"0\" is not a number above 0"),
        (vec!["--eta", "inf"], "\"inf\" is not a number above 0"),
        (vec!["--type", "f16"], "f16"),
        (vec!["--arch", "vgg"], "linear-resnet or block-resnet"),
        (vec!["--labels", "true"], "use as-given, random, corrupted:FRACTION"),
        (vec!["--labels", "corrupted:1.5"], "a FRACTION from 0 to 1"),
        (vec!["--held-out", "2", "--data", "sphere:n=4,d=6"], "give --labels teacher:WIDTH or --targets FILE"),
        (vec!["--held-out", "3", "--data", &data], "ask for more rows than the file's 3"),
        (vec!["--samples", "4", "--data", &data], "asks for more rows than the file's 3"),
        (vec!["--targets", &short, "--data", &data], "there are 2 labels for 3 samples"),
        (vec!["--targets", &wide, "--data", &data], "row 1 has 2 numbers, and a label is one"),
        (vec!["--targets", "/nowhere.csv"], "cannot read /nowhere.csv"),
        (vec!["--dump", "/"], "give a new folder"),
        (vec!["--dump", &data], "holds something already"),
        (vec!["--arch", "conv-resnet", "--data", "images:n=3,c=1,h=32,w=32"], "give --eta"),
    ] {
        let (code, stderr) = fails(&[&["train"], &args[..]].concat());
        assert!(code == 2 && stderr.contains(message), "{args:?}: {code}, {stderr}");
    }
}
