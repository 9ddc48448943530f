//! `width` and `merge`: studies and their parts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fathom_kernels::Activation;
use fathom_model::Kind;
use fathom_model::architecture::Residual;

use super::{count, probability, seed};
use crate::study::{Criterion, DataSeeds, Depths, Dimensions, Either, List, Scalar, Shard, Table, depths};

/// `width`.
#[derive(Args, Debug)]
#[command(
    after_help = "An option stands before its environment variable, this before the study's file, and this before the \
                        default. Without --config the options are the study."
)]
pub struct WidthArgs {
    /// The study: a TOML file, as docs/study.md describes it.
    #[arg(long, value_name = "STUDY.toml")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub table: TableArgs,
    /// The seed of starts, and of data where no --data-seeds are given [default: 1].
    #[arg(long, env = "FATHOM_SEED", value_name = "S", value_parser = seed)]
    pub seed: Option<u64>,
    /// The file of rows to write, or to go on with.
    #[arg(long, env = "FATHOM_OUT", value_name = "ROWS.jsonl", required_unless_present_any = ["dry_run", "emit"])]
    pub out: Option<PathBuf>,
    /// Measure only part I of N, counted from 0 [default: what SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT say, or all].
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Print every cell with the operations, memory and time that it takes at most, and measure nothing.
    #[arg(long, conflicts_with = "emit")]
    pub dry_run: bool,
    /// Print the script of a job array that measures the study in parts, and measure nothing.
    #[arg(long, value_name = "SYSTEM")]
    pub emit: Option<Emit>,
    /// Parts of the job array [default: so many that they take two hours on average; cells that share their starts stay together].
    #[arg(long, value_name = "N", requires = "emit", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub shards: Option<u16>,
}

/// Systems that run job arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Emit {
    /// sbatch.
    Slurm,
}

/// The keys of a study's table, each for all tables at once.
#[derive(Args, Clone, Debug)]
pub struct TableArgs {
    /// Architectures, separated by commas: fc, resnet, conv-resnet, linear-resnet, block-resnet [default: the first three].
    #[arg(long, env = "FATHOM_ARCH", value_delimiter = ',', value_name = "LIST")]
    pub arch: Vec<Kind>,
    /// Depths: 3, 1:4 (all from 1 to 4) or 1,2,4 [default: 1:4].
    #[arg(long, env = "FATHOM_DEPTH", value_name = "H", value_parser = |text: &str| depths(text).map(Depths::All))]
    pub depth: Option<Depths>,
    /// softplus, softplus:BETA, tanh, sigmoid, erf, gelu, silu, relu or identity, separated by commas; linear-resnet always has
    /// the identity [default: softplus].
    #[arg(long, env = "FATHOM_ACTIVATION", value_delimiter = ',', value_name = "LIST")]
    pub activation: Vec<Activation>,
    /// A .csv or .npy file with a sample a row, or orthonormal:n=N,d=D, sphere:n=N,d=D, images:n=N,c=C,h=H,w=W
    /// [default: orthonormal:n=4,d=8].
    #[arg(long, env = "FATHOM_DATA", value_name = "FILE|SPEC")]
    pub data: Option<String>,
    /// Samples: the first N rows of a file, or orthonormal:n=N,d=2N when --data is absent.
    #[arg(long, env = "FATHOM_SAMPLES", value_name = "N", value_parser = count)]
    pub samples: Option<usize>,
    /// How many data sets to draw, from the seed up, or their seeds separated by commas [default: 1].
    #[arg(long, env = "FATHOM_DATA_SEEDS", value_name = "N|LIST")]
    pub data_seeds: Option<DataSeeds>,
    /// The image that each sample is, for conv-resnet [default: that of the data, or one row of pixels].
    #[arg(long, env = "FATHOM_IMAGE", value_name = "CxHxW")]
    pub image: Option<Dimensions<3>>,
    /// The patch around each pixel, with odd sides [default: 3x3, or 1x3 for images of one row].
    #[arg(long, env = "FATHOM_PATCH", value_name = "HxW")]
    pub patch: Option<Dimensions<2>>,
    /// Residual scales between 0 and 1, separated by commas [default: 0.5].
    #[arg(long, env = "FATHOM_C_RES", value_delimiter = ',', value_name = "LIST")]
    pub c_res: Vec<f64>,
    /// What the residual scale is multiplied by, separated by commas: 1/H, 1/sqrt(H), 1 [default: 1/H].
    #[arg(long, env = "FATHOM_RESIDUAL", value_delimiter = ',', value_name = "LIST")]
    pub residual: Vec<Residual>,
    /// Criteria, separated by commas: init-closeness, init-positivity, drift, rate, fit [default: init-closeness].
    #[arg(long, env = "FATHOM_CRITERION", value_delimiter = ',', value_name = "LIST")]
    pub criterion: Vec<Criterion>,
    /// The fraction of starts that may fail: m* is the smallest width at which at least 1 - delta of them succeed
    /// [default: 0.5].
    #[arg(long, env = "FATHOM_DELTA", value_name = "P", value_parser = probability)]
    pub delta: Option<f64>,
    /// Random starts at each width [default: 20 for the init criteria, 6 for those that train].
    #[arg(long, env = "FATHOM_STARTS", value_name = "N", value_parser = count)]
    pub starts: Option<usize>,
    /// The widest network to run [default: 1048576 for the init criteria, 1024 for those that train].
    #[arg(long, env = "FATHOM_MAX_WIDTH", value_name = "M", value_parser = count)]
    pub max_width: Option<usize>,
    /// Floating-point operations that all starts of one width may take, by the formulas of --dry-run: wider networks are not
    /// run [default: no limit].
    #[arg(long, env = "FATHOM_BUDGET", value_name = "FLOPS")]
    pub budget: Option<f64>,
    /// Steps of gradient descent at most [default: 3000].
    #[arg(long, env = "FATHOM_STEPS", value_name = "T", value_parser = count)]
    pub steps: Option<usize>,
}

impl TableArgs {
    /// The keys that are given.
    pub fn table(&self) -> Table {
        fn list<T: Clone>(values: &[T]) -> Option<List<T>> {
            (!values.is_empty()).then(|| List(values.to_vec()))
        }
        Table {
            arch: list(&self.arch),
            depth: self.depth.clone(),
            activation: list(&self.activation),
            data: self.data.clone().map(|data| List(vec![data])),
            samples: self.samples,
            data_seeds: self.data_seeds.clone(),
            image: self.image.map(Scalar),
            patch: self.patch.map(Scalar),
            c_res: list(&self.c_res),
            residual: list(&self.residual),
            criterion: list(&self.criterion),
            delta: self.delta,
            starts: self.starts.map(Either::both),
            max_width: self.max_width.map(Either::both),
            budget: self.budget.map(Either::both),
            steps: self.steps,
            width: None,
            draws: None,
        }
    }
}

/// `merge`.
#[derive(Args, Debug)]
pub struct MergeArgs {
    /// Files of rows, the parts of one study.
    #[arg(required = true, value_name = "ROWS.jsonl")]
    pub rows: Vec<PathBuf>,
    /// The file to write.
    #[arg(long, value_name = "ROWS.jsonl")]
    pub out: PathBuf,
    /// The study [default: the .resolved.toml beside the first file].
    #[arg(long, value_name = "STUDY.toml")]
    pub config: Option<PathBuf>,
}
