//! Records what the program is built from, for the provenance of its results.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../Cargo.lock");
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/index");
    println!("cargo::rerun-if-changed=src");

    let run = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let commit = run("git", &["rev-parse", "--short=12", "HEAD"]).map_or_else(
        || "unknown".to_owned(),
        |commit| match run("git", &["status", "--porcelain", "--untracked-files=no"]).as_deref() {
            Some("") => commit,
            _ => format!("{commit}+"),
        },
    );
    println!("cargo::rustc-env=FATHOM_COMMIT={commit}");

    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    println!("cargo::rustc-env=FATHOM_RUSTC={}", run(&rustc, &["--version"]).unwrap_or_else(|| "unknown".to_owned()));

    let lock = std::fs::read_to_string("../Cargo.lock").unwrap_or_default();
    let oracles = ["faer", "private-gemm-x86", "matrixmultiply"].map(|name| version(&lock, name));
    println!("cargo::rustc-env=FATHOM_ORACLES={}", oracles.join(";"));
    let peers = ["faer", "private-gemm-x86", "gemm", "matrixmultiply"].map(|name| version(&lock, name));
    println!("cargo::rustc-env=FATHOM_PEERS={}", peers.join(";"));
}

/// `name x.y.z` from the lock file.
fn version(lock: &str, name: &str) -> String {
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    let version = entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next());
    format!("{name} {}", version.unwrap_or("unknown"))
}
