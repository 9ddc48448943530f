//! What a study would take.

use std::io::Write;

use anyhow::Result;

use crate::study::{Batch, Speed};

/// Prints a line for every cell and one for all of them.
///
/// # Errors
/// When it cannot be printed.
pub fn print(out: &mut impl Write, batches: &[Batch]) -> Result<()> {
    let threads = rayon::current_num_threads();
    let speed = Speed::measure();
    writeln!(out, "{:>10} {:>10} {:>10}  cell, widest run", "flops", "memory", "time")?;
    let (mut flops, mut seconds, mut bytes, mut cells) = (0.0, 0.0, 0.0f64, 0);
    for batch in batches {
        let cost = batch.cost();
        let time = speed.seconds(batch, threads);
        let held = cost.bytes * threads as f64;
        for (i, (name, widest)) in batch.widest().into_iter().enumerate() {
            cells += 1;
            let first = [format!("{:.1e}", cost.flops), memory(held), duration(time)];
            let [flops, memory, time] = if i == 0 { first } else { ["", "", "with above"].map(str::to_owned) };
            let widest = if widest > 0 { format!(", m <= {widest}") } else { String::new() };
            writeln!(out, "{flops:>10} {memory:>10} {time:>10}  {name}{widest}")?;
        }
        flops += cost.flops;
        seconds += time;
        bytes = bytes.max(held);
    }
    writeln!(
        out,
        "{flops:>10.1e} {:>10} {:>10}  at most, for {cells} cells on {threads} threads: as if every required width lay at the \
         widest run, and every training took all its steps",
        memory(bytes),
        duration(seconds),
    )?;
    writeln!(
        out,
        "by operations counted as the documentation says, at {:.1e} a second and thread for starts drawn in law and {:.1e} for \
         training, as just measured",
        speed.init, speed.trained
    )?;
    Ok(())
}

/// Bytes for the eye.
pub fn memory(bytes: f64) -> String {
    let (value, unit) = match bytes {
        b if b >= 1e9 => (b / 1e9, "GB"),
        b => (b / 1e6, "MB"),
    };
    format!("{value:.1} {unit}")
}

/// Seconds for the eye.
pub fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}
