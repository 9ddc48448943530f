//! The table for the eye, printed as it is measured, and the summary below it.

use std::io::{Result, Write};

use super::comparison::{Comparison, Entry};
use super::statistics::{Times, geometric_mean};

/// A ratio below this is behind.
const BEHIND: f64 = 0.97;
/// A larger share of interrupted batches makes a table doubtful.
const BUSY: f64 = 0.1;
/// Ratios to name at the end.
const WORST: usize = 5;
/// Width of a case.
const CASE: usize = 32;

/// Whose speed a library's cell gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The median round's.
    Median,
    /// The fastest round's.
    Fastest,
}

impl Cell {
    fn of(self, times: &Times) -> f64 {
        match self {
            Self::Median => times.median(),
            Self::Fastest => times.fastest,
        }
    }
}

/// In what a library's cell says how fast it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Floating-point operations a second, in thousand millions.
    Gflops,
    /// Values a second, in millions.
    MegaValues,
    /// Milliseconds of a call.
    Milliseconds,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Gflops => "GFLOP/s",
            Self::MegaValues => "million values/s",
            Self::Milliseconds => "milliseconds",
        }
    }

    fn of(self, found: &Comparison, seconds: f64) -> f64 {
        match self {
            Self::Gflops => found.rate(seconds) / 1e9,
            Self::MegaValues => found.rate(seconds) / 1e6,
            Self::Milliseconds => 1e3 * seconds,
        }
    }

    /// The figure for the eye.
    fn show(self, found: &Comparison, seconds: f64) -> String {
        let value = self.of(found, seconds);
        let digits = if self == Self::Milliseconds && value < 100.0 { 3 } else { 1 };
        format!("{value:.digits$}")
    }
}

/// How a table is printed.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// What is counted.
    pub unit: Unit,
    /// In which round.
    pub cell: Cell,
    /// Threads of each library.
    pub cores: usize,
}

impl Table {
    /// What the columns are, and their heads: `found` is any comparison of the table.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn head(self, out: &mut impl Write, found: &Comparison) -> Result<()> {
        for member in libraries(found).map(|entry| &entry.member) {
            writeln!(out, "{} {}", member.name, member.version)?;
        }
        let all = if self.cores == 1 { "one core".to_owned() } else { format!("{} cores", self.cores) };
        let which = if self.cell == Cell::Median { "median" } else { "fastest" };
        writeln!(out, "\n{} on {all} in the {which} round; * the best.", self.unit.name())?;
        writeln!(
            out,
            "ratio: our speed in that of the best peer, the median over the rounds; medians, fastest: of those rounds;"
        )?;
        writeln!(out, "spread: between the quartiles of the ratio;")?;
        match self.unit {
            _ if found.floor.is_none() => {}
            Unit::Milliseconds => {
                writeln!(out, "floor: what the multiply-add peak and the memory of {all} allow; share: of our time;")?;
            }
            _ => writeln!(out, "peak: our share of the multiply-add peak of {all};")?,
        }
        writeln!(out, "lost: batches in which another program took a core, after three attempts at the short ones.\n")?;
        write!(out, "{:CASE$}", "")?;
        for entry in libraries(found) {
            write!(out, "{:>w$} ", entry.member.name, w = width(entry))?;
        }
        write!(out, "  ratio medians fastest spread")?;
        match self.unit {
            _ if found.floor.is_none() => {}
            Unit::Milliseconds => write!(out, "   floor  share")?,
            _ => write!(out, "   peak")?,
        }
        writeln!(out, "  lost{}", if found.serial.is_some() { " speed-up" } else { "" })
    }

    /// One row.
    ///
    /// # Errors
    /// When `out` cannot be written.
    pub fn line(self, out: &mut impl Write, found: &Comparison) -> Result<()> {
        write!(out, "{:CASE$}", found.case)?;
        let seconds = libraries(found).filter_map(|entry| entry.times.as_ref().map(|times| self.cell.of(times)));
        let least = seconds.fold(f64::INFINITY, f64::min);
        for entry in libraries(found) {
            let w = width(entry);
            match &entry.times {
                Some(times) => {
                    let mark = if self.cell.of(times) == least { '*' } else { ' ' };
                    write!(out, "{:>w$}{mark}", self.unit.show(found, self.cell.of(times)))?;
                }
                None => write!(out, "{:>w$} ", "-")?,
            }
        }
        self.verdict(out, found)?;
        out.flush()
    }

    /// The ratios, and what else a row says of us.
    fn verdict(self, out: &mut impl Write, found: &Comparison) -> Result<()> {
        let ours = found.ours();
        let or_dash = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
        let spread = |[first, ratio, third]: [f64; 3]| format!("{:.1}%", 100.0 * (third - first) / ratio);
        write!(
            out,
            "{:>7} {:>7} {:>7} {:>6}",
            or_dash(found.ratio(ours)),
            or_dash(found.ratio_of_medians(ours)),
            or_dash(found.ratio_of_fastest(ours)),
            found.ratio_quartiles(ours).map_or_else(|| "-".to_owned(), spread),
        )?;
        if let (Some(floor), Some(share)) = (&found.floor, found.share_of_floor(ours)) {
            if self.unit == Unit::Milliseconds {
                write!(out, " {:>7}", self.unit.show(found, floor.median()))?;
            }
            write!(out, " {:>5.1}%", 100.0 * share)?;
        }
        write!(out, " {:>4.0}%", 100.0 * found.interrupted())?;
        match found.speedup() {
            Some(speedup) => writeln!(out, " {speedup:>8.2}"),
            None => writeln!(out),
        }
    }
}

/// Ends a table with [`summary`]; rows of JSON are left alone, and it goes to stderr.
///
/// # Errors
/// When `out` cannot be written.
pub fn end(out: &mut impl Write, json: bool, all: &[Comparison]) -> Result<()> {
    if json {
        return summary(&mut std::io::stderr().lock(), all);
    }
    writeln!(out)?;
    summary(out, all)
}

/// The mean ratio, how many cases are behind, and the worst of them.
///
/// # Errors
/// When `out` cannot be written.
fn summary(out: &mut impl Write, all: &[Comparison]) -> Result<()> {
    let mut ratios: Vec<(f64, &Comparison)> =
        all.iter().filter_map(|found| Some((found.ratio(found.ours())?, found))).collect();
    if ratios.is_empty() {
        return writeln!(out, "no peer to compare with");
    }
    ratios.sort_by(|(x, _), (y, _)| x.total_cmp(y));
    let behind = ratios.iter().filter(|(ratio, _)| *ratio < BEHIND).count();
    let mean = geometric_mean(ratios.iter().map(|&(ratio, _)| ratio));
    let (count, cases) = (ratios.len(), if ratios.len() == 1 { "case" } else { "cases" });
    writeln!(out, "{count} {cases}: geometric mean of the ratios {mean:.3}, {behind} below {BEHIND}")?;
    let speedups: Vec<f64> = all.iter().filter_map(Comparison::speedup).collect();
    if !speedups.is_empty() {
        let slower = speedups.iter().filter(|&&speedup| speedup < BEHIND).count();
        let mean = geometric_mean(speedups);
        writeln!(out, "against ourselves on one core: geometric mean {mean:.3}, {slower} below {BEHIND}")?;
    }
    let lost = all.iter().map(Comparison::interrupted).sum::<f64>() / all.len() as f64;
    if lost > BUSY {
        let percent = 100.0 * lost;
        writeln!(
            out,
            "other programs took a core in {percent:.0} % of the batches: measure again when the machine is idle"
        )?;
    }
    let confined = all.iter().filter(|found| found.confined()).count();
    if confined > 0 {
        writeln!(
            out,
            "an affinity mask or a quota left fewer cores than threads in {confined} of these: they say nothing"
        )?;
    }
    for (ratio, found) in ratios.iter().take(WORST) {
        let peer = found.best().map_or("", |(member, _)| &*member.name);
        writeln!(out, "  {ratio:.3}  {} ({peer})", found.case)?;
    }
    Ok(())
}

fn libraries(found: &Comparison) -> impl Iterator<Item = &Entry> {
    std::iter::once(&found.fathom).chain(&found.serial).chain(&found.peers)
}

fn width(entry: &Entry) -> usize {
    entry.member.name.len().max(7)
}

#[cfg(test)]
mod tests {
    use super::super::comparison::tests::example;
    use super::*;

    fn printed(print: impl FnOnce(&mut Vec<u8>) -> Result<()>) -> String {
        let mut out = Vec::new();
        print(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn columns_stand_under_their_heads() {
        for unit in [Unit::Gflops, Unit::MegaValues, Unit::Milliseconds] {
            let floor = example("").floor.filter(|_| unit != Unit::MegaValues);
            let found = Comparison { floor, ..example("f32 1000") };
            let table = Table { unit, cell: Cell::Median, cores: 2 };
            let head = printed(|out| table.head(out, &found));
            let line = printed(|out| table.line(out, &found));
            let columns = head.lines().last().unwrap();
            assert_eq!(columns.len(), line.trim_end_matches('\n').len(), "{head}{line}");
            assert_eq!(line.matches('*').count(), 1);
            let end = columns.find("best").unwrap() + "best".len();
            assert_eq!(line.as_bytes()[end], b'*', "{head}{line}");
        }
    }

    #[test]
    fn the_summary_names_the_worst() {
        let text = printed(|out| summary(out, &[example("f32 10"), example("f32 7x5x3:tn")]));
        assert!(text.contains("2 cases: geometric mean of the ratios 0.750, 2 below 0.97"), "{text}");
        assert!(text.contains("0.750  f32 7x5x3:tn (best)"), "{text}");
        assert!(text.contains("one core: geometric mean 1.500, 0 below"), "{text}");
        assert_eq!(printed(|out| summary(out, &[])), "no peer to compare with\n");
    }
}
