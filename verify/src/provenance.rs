//! Where a result came from: program, compiler, machine.

use serde::{Deserialize, Serialize};

/// The program and the machine that made a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of this program.
    pub version: String,
    /// Git commit that it was built from, with `+` when the tree had changes; `unknown` outside a repository.
    pub commit: String,
    /// The compiler.
    pub rustc: String,
    /// Instruction set of the kernels.
    pub isa: String,
    /// Threads of the rayon pool.
    pub threads: usize,
    /// Model name of the CPU.
    pub cpu: String,
    /// Data and unified caches, as `L1 32K, L2 512K, L3 32768K`.
    pub caches: String,
    /// Operating system and architecture.
    pub platform: String,
    /// Versions of the libraries that results are checked against.
    pub oracles: Vec<String>,
    /// SHA-256 of the resolved study that a row belongs to, in hexadecimal; absent outside a study.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
}

impl Provenance {
    /// This program on this machine.
    pub fn here() -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("FATHOM_COMMIT").to_owned(),
            rustc: env!("FATHOM_RUSTC").to_owned(),
            isa: fathom_kernels::Isa::active().to_string(),
            threads: rayon::current_num_threads(),
            cpu: cpu(),
            caches: caches(),
            platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
            oracles: env!("FATHOM_ORACLES").split(';').map(str::to_owned).collect(),
            config: None,
        }
    }
}

/// The version of a crate that is compiled in beside this one, as its lock file has it.
pub fn version(name: &str) -> &'static str {
    let mut versions = env!("FATHOM_PEERS").split(';').filter_map(|entry| entry.split_once(' '));
    versions.find(|(known, _)| *known == name).map_or("unknown", |(_, version)| version)
}

fn cpu() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Bytes of memory that programs may still take, where the system says.
pub fn available_memory() -> Option<f64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(1024.0 * line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok()?)
}

fn caches() -> String {
    let read = |index: usize, file: &str| {
        let path = format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{file}");
        std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    };
    let found: Vec<String> = (0..8)
        .filter(|&i| read(i, "type").is_some_and(|kind| kind != "Instruction"))
        .filter_map(|i| Some(format!("L{} {}", read(i, "level")?, read(i, "size")?)))
        .collect();
    if found.is_empty() { "unknown".to_owned() } else { found.join(", ") }
}
