//! The script of a Slurm job array that measures a study in parts.

use std::io::Write;

use anyhow::Result;

use crate::study::{Batch, Speed, Study};

/// Cores of each task.
const CORES: usize = 4;
/// What a part takes on average, in seconds, when the number of parts is left open.
const PART: f64 = 7200.0;
/// Room for the program itself.
const BASE_BYTES: f64 = 5e8;

/// Prints the script.
///
/// # Errors
/// When it cannot be printed.
pub fn print(out: &mut impl Write, study: &Study, batches: &[Batch], shards: Option<usize>) -> Result<()> {
    let seconds: f64 = batches.iter().map(|batch| Speed::NOMINAL.seconds(batch, CORES)).sum();
    let longest = batches.iter().map(|batch| Speed::NOMINAL.seconds(batch, CORES)).fold(0.0, f64::max);
    let count = shards.unwrap_or((seconds / PART).ceil() as usize).clamp(1, batches.len().max(1));
    // Half as much again as the nominal time, in whole hours.
    let hours = (1.5 * (seconds / count as f64).max(longest) / 3600.0).ceil().max(1.0);
    let bytes = batches.iter().map(|batch| batch.cost().bytes).fold(0.0, f64::max) * CORES as f64 + BASE_BYTES;
    write!(
        out,
        "#!/bin/bash
#SBATCH --job-name=fathom
#SBATCH --array=0-{last}
#SBATCH --cpus-per-task={CORES}
#SBATCH --mem={megabytes:.0}M
#SBATCH --time={hours:.0}:00:00
# Each task measures the part that its number names, of the study at the end of this script. A task that was cut short goes on when
# it is submitted again. When all have ended:
#   verify merge rows.*.jsonl --out rows.jsonl
set -euo pipefail
export RAYON_NUM_THREADS=\"$SLURM_CPUS_PER_TASK\"
exec verify width --config /dev/stdin --shard \"$SLURM_ARRAY_TASK_ID/{count}\" \\
    --out \"rows.$SLURM_ARRAY_TASK_ID.jsonl\" <<'STUDY'
{study}STUDY
",
        study = study.to_toml(),
        last = count - 1,
        megabytes = (bytes / 1e6).ceil(),
    )?;
    Ok(())
}
