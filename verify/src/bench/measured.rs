//! Schema `fathom.bench.gemm/1`: one library's times in one case, as a line of JSON that explains itself.

use serde::Serialize;

use super::comparison::{Comparison, Entry};
use super::team::Case;
use crate::provenance::Provenance;

/// One line.
#[derive(Debug, Serialize)]
pub struct Row<'a> {
    schema: &'static str,
    /// `MxNxK`.
    shape: String,
    m: usize,
    n: usize,
    k: usize,
    /// `nn`, `tn`, `nt`, `tt`, `padded` or `spaced`.
    form: &'static str,
    /// `f32` or `f64`.
    r#type: String,
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
    /// At the median.
    gflops: f64,
    fastest_gflops: f64,
    /// Of the multiply-add peak of all cores of the run, taken in the same rounds.
    percent_of_peak: f64,
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
}

/// A row for each library that was timed, ours first.
pub fn rows<'a>((of, shape): Case, found: &'a Comparison, cores: usize, provenance: &'a Provenance) -> Vec<Row<'a>> {
    let row = |entry: &'a Entry, cores: usize, speedup: Option<f64>| {
        let times = entry.times.as_ref()?;
        let [m, n, k] = shape.sizes;
        let [first, median, third] = times.quartiles;
        Some(Row {
            schema: "fathom.bench.gemm/1",
            shape: shape.product(),
            m,
            n,
            k,
            form: shape.form.name(),
            r#type: of.to_string(),
            cores,
            library: &entry.member.name,
            version: &entry.member.version,
            rounds: times.rounds.len(),
            interrupted: times.interrupted,
            confined: times.confined,
            median_seconds: median,
            quartile_seconds: [first, third],
            fastest_seconds: times.fastest,
            gflops: found.rate(median),
            fastest_gflops: found.rate(times.fastest),
            percent_of_peak: 100.0 * found.share_of_peak(times),
            best_peer: found.best().map(|(member, _)| &*member.name),
            ratio: found.ratio(times),
            ratio_quartiles: found.ratio_quartiles(times).map(|[first, _, third]| [first, third]),
            ratio_of_medians: found.ratio_of_medians(times),
            ratio_of_fastest: found.ratio_of_fastest(times),
            speedup,
            provenance,
        })
    };
    let ours = row(&found.fathom, cores, found.speedup());
    let serial = found.serial.as_ref().and_then(|serial| row(serial, 1, None));
    ours.into_iter().chain(serial).chain(found.peers.iter().filter_map(|entry| row(entry, cores, None))).collect()
}
