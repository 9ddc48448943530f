//! The command line: what can be asked, and what each answer exits with.

mod bench;
mod train;
mod width;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fathom_kernels::{Activation, Isa};
use fathom_model::Kind;

pub use self::bench::{
    Bench, BenchArgs, BenchConvArgs, BenchElementwiseArgs, BenchGemmArgs, BenchLawArgs, BenchNormalArgs, BenchPeerArgs,
    BenchRoundArgs, BenchTrainArgs,
};
pub use self::train::TrainArgs;
pub use self::width::{MergeArgs, WidthArgs};
use crate::check::law;
use crate::study::{Dimensions, is_fraction};

/// Checks Fathom's numerics and measures how wide a network of a given depth must be.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXIT_CODES, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 a numeric check failed; 2 unusable arguments or data; 4 measuring stopped early, with every \
finished row kept, or a training diverged; 130 interrupted.
Data goes to stdout, progress to stderr. FATHOM_ISA=portable|avx2|avx512|neon forces an instruction set; \
RAYON_NUM_THREADS sets the threads.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check every kernel on this machine against oracles that share no code with it.
    Check(CheckArgs),
    /// Describe the infinitely wide network on your data: K^(H), the conditions of the theorems and their widths.
    Gram(GramArgs),
    /// Train one network to zero loss, and say how fast and how far from its start.
    Train(TrainArgs),
    /// Measure the required width of each architecture, depth and criterion.
    Width(WidthArgs),
    /// Join the rows of a study that was measured in parts.
    Merge(MergeArgs),
    /// Check, measure and report, from scratch.
    Reproduce(ReproduceArgs),
    /// Redraw the report from rows that were measured before.
    Report(ReportArgs),
    /// Time the kernels beside other libraries.
    Bench(BenchArgs),
    /// Describe this program and machine, as results record them.
    Info(InfoArgs),
}

/// `check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Instruction sets to check, separated by commas [default: all that this CPU has].
    #[arg(long, value_delimiter = ',', value_name = "ISA")]
    pub isa: Vec<Isa>,
    /// Check this one case again.
    #[arg(long, value_name = "NAME")]
    pub case: Option<String>,
    /// Check vector math at every one of the 2^32 values of f32, and nothing else: a long check.
    #[arg(long, conflicts_with_all = ["case", "json"])]
    pub every_value: bool,
    /// Check starts drawn exactly in law against full matrices, by two-sample tests, and nothing else.
    #[arg(long, conflicts_with_all = ["case", "every_value", "isa"])]
    pub law: bool,
    /// Starts in each sample of --law.
    #[arg(long, default_value_t = law::STARTS, value_name = "N", requires = "law")]
    #[arg(value_parser = clap::value_parser!(u32).range(20..=1_000_000))]
    pub starts: u32,
    /// Widths of --law, from 4 up: of fewer rows than samples a Gram matrix is singular.
    #[arg(long, value_delimiter = ',', default_values_t = law::WIDTHS, value_name = "LIST", requires = "law")]
    #[arg(value_parser = clap::value_parser!(u32).range(4..))]
    pub widths: Vec<u32>,
    /// The seed of --law.
    #[arg(long, default_value_t = 1, value_name = "S", requires = "law")]
    pub seed: u64,
    /// Print one JSON object of schema fathom.checked/1, or, with --law, one of fathom.crosscheck/1 for each test.
    #[arg(long)]
    pub json: bool,
}

/// The samples.
#[derive(Args, Clone, Debug)]
pub struct DataArgs {
    /// A .csv or .npy file with a sample a row, or orthonormal:n=N,d=D, sphere:n=N,d=D, images:n=N,c=C,h=H,w=W
    /// [default: orthonormal:n=4,d=8].
    #[arg(long, value_name = "FILE|SPEC")]
    pub data: Option<String>,
    /// Samples: the first N rows of a file, or orthonormal:n=N,d=2N when --data is absent.
    #[arg(long, value_name = "N", value_parser = count)]
    pub samples: Option<usize>,
    /// The image that each sample is, for conv-resnet [default: that of the data, or one row of pixels].
    #[arg(long, value_name = "CxHxW", value_parser = dimensions::<3>)]
    pub image: Option<[usize; 3]>,
    /// The patch around each pixel, with odd sides [default: 3x3, or 1x3 for images of one row].
    #[arg(long, value_name = "HxW", value_parser = dimensions::<2>)]
    pub patch: Option<[usize; 2]>,
    /// The seed of everything random: data, labels and starts.
    #[arg(long, default_value_t = 1, value_name = "S", value_parser = seed)]
    pub seed: u64,
}

/// The network, but for its architecture, depth and width.
#[derive(Args, Clone, Copy, Debug)]
pub struct NetworkArgs {
    /// softplus, softplus:BETA, tanh, sigmoid, erf, gelu, silu, relu or identity; linear-resnet always has the identity.
    #[arg(long, default_value_t = Activation::SOFTPLUS, value_name = "A")]
    pub activation: Activation,
    /// The residual scale, between 0 and 1.
    #[arg(long, default_value_t = 0.5, value_name = "R")]
    pub c_res: f64,
}

/// `gram`.
#[derive(Args, Debug)]
pub struct GramArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub data: DataArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    /// fc, resnet, conv-resnet, linear-resnet or block-resnet.
    #[arg(long, default_value_t = Kind::FullyConnected)]
    pub arch: Kind,
    /// H, the number of hidden layers.
    #[arg(long, default_value_t = 2, value_name = "H", value_parser = count)]
    pub depth: usize,
    /// The failure probability in the theorem's width.
    #[arg(long, default_value_t = 0.1, value_name = "P", value_parser = probability)]
    pub delta: f64,
    /// Print one JSON object of schema fathom.gram/1.
    #[arg(long)]
    pub json: bool,
}

/// How much `reproduce` measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// Within a minute on 2 cores.
    Quick,
    /// More depths, starts and width: within an hour.
    Standard,
    /// Overnight.
    Full,
}

/// `reproduce`.
#[derive(Args, Debug)]
pub struct ReproduceArgs {
    /// How much to measure.
    #[arg(long, value_enum, default_value_t = Profile::Quick)]
    pub profile: Profile,
    /// The folder of the rows, figures and report.
    #[arg(long, default_value = "fathom-out", value_name = "DIR")]
    pub out: PathBuf,
    /// The seed of everything random [default: the profile's, 1].
    #[arg(long, value_name = "S", value_parser = seed)]
    pub seed: Option<u64>,
}

/// `report`.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Files of rows, written by width or reproduce.
    #[arg(required = true, value_name = "ROWS.jsonl")]
    pub rows: Vec<PathBuf>,
    /// The folder to write to.
    #[arg(long, default_value = "fathom-out", value_name = "DIR")]
    pub out: PathBuf,
}

/// `info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// Print one JSON object of schema fathom.info/1.
    #[arg(long)]
    pub json: bool,
}

/// A whole number above 0, such that no product of two wraps around.
fn count(text: &str) -> Result<usize, String> {
    let value = text.parse().ok().filter(|value| (1..=MOST).contains(value));
    value.ok_or_else(|| format!("\"{text}\" is not a whole number from 1 to {MOST}"))
}

/// The most of anything.
const MOST: usize = u32::MAX as usize;

/// A seed that a study's file can hold.
fn seed(text: &str) -> Result<u64, String> {
    let value = text.parse().ok().filter(|seed| *seed <= i64::MAX as u64);
    value.ok_or_else(|| format!("\"{text}\" is not a seed, a whole number from 0 to {}", i64::MAX))
}

fn dimensions<const N: usize>(text: &str) -> Result<[usize; N], String> {
    text.parse().map(|Dimensions(parts)| parts)
}

fn probability(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|&p| is_fraction(p));
    value.ok_or_else(|| format!("\"{text}\" is not a number between 0 and 1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn images_and_patches_are_joined_by_x() {
        assert_eq!(dimensions("3x32x32"), Ok([3, 32, 32]));
        assert!(dimensions::<2>("3").is_err() && dimensions::<2>("3x0").is_err() && dimensions::<2>("3x3x3").is_err());
    }
}
