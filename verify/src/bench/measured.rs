//! What a row of every `fathom.bench` schema says of one library's times in one case.

use serde::Serialize;

use super::comparison::{Comparison, Entry};
use super::statistics::Times;
use crate::provenance::Provenance;

/// The fields that all these schemas share.
#[derive(Clone, Debug, Serialize)]
pub struct Measured<'a> {
    /// Threads that the library was allowed.
    cores: usize,
    library: &'a str,
    version: &'a str,
    rounds: usize,
    /// The share of the rounds in which other programs took a core.
    interrupted: f64,
    /// Whether an affinity mask or a quota allowed fewer than `cores` cores.
    confined: bool,
    /// Of one call, over the rounds.
    median_seconds: f64,
    quartile_seconds: [f64; 2],
    fastest_seconds: f64,
    /// The fastest library other than this project; absent where there is none.
    best_peer: Option<&'a str>,
    /// How many times as fast as the best peer: the median over the rounds.
    ratio: Option<f64>,
    ratio_quartiles: Option<[f64; 2]>,
    ratio_of_medians: Option<f64>,
    ratio_of_fastest: Option<f64>,
    /// How many times as fast as on one core; for this project on several.
    speedup: Option<f64>,
    provenance: &'a Provenance,
    #[serde(skip)]
    times: &'a Times,
    #[serde(skip)]
    ours: bool,
}

impl<'a> Measured<'a> {
    /// Each library that was timed, ours first.
    pub fn all(found: &'a Comparison, cores: usize, provenance: &'a Provenance) -> Vec<Self> {
        let one = |entry: &'a Entry, cores: usize, ours: bool| Self::new(found, entry, (cores, ours), provenance);
        let ours = one(&found.fathom, cores, true);
        let serial = found.serial.as_ref().and_then(|serial| one(serial, 1, false));
        ours.into_iter().chain(serial).chain(found.peers.iter().filter_map(|entry| one(entry, cores, false))).collect()
    }

    fn new(
        found: &'a Comparison,
        entry: &'a Entry,
        (cores, ours): (usize, bool),
        provenance: &'a Provenance,
    ) -> Option<Self> {
        let times = entry.times.as_ref()?;
        let [first, median, third] = times.quartiles;
        Some(Self {
            cores,
            library: &entry.member.name,
            version: &entry.member.version,
            rounds: times.rounds.len(),
            interrupted: times.interrupted,
            confined: times.confined,
            median_seconds: median,
            quartile_seconds: [first, third],
            fastest_seconds: times.fastest,
            best_peer: found.best().map(|(member, _)| &*member.name),
            ratio: found.ratio(times),
            ratio_quartiles: found.ratio_quartiles(times).map(|[first, _, third]| [first, third]),
            ratio_of_medians: found.ratio_of_medians(times),
            ratio_of_fastest: found.ratio_of_fastest(times),
            speedup: found.speedup().filter(|_| ours),
            provenance,
            times,
            ours,
        })
    }

    /// The library's times.
    pub fn times(&self) -> &'a Times {
        self.times
    }

    /// Whether the library is this project, on all threads.
    pub fn is_ours(&self) -> bool {
        self.ours
    }
}

/// What rows that count floating-point operations have beside [`Measured`].
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// At the median.
    gflops: f64,
    fastest_gflops: f64,
}

impl Speed {
    /// That of `times`.
    pub fn of(found: &Comparison, times: &Times) -> Self {
        Self { gflops: found.rate(times.median()) / 1e9, fastest_gflops: found.rate(times.fastest) / 1e9 }
    }
}
