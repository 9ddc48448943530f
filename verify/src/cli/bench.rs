//! `bench` and its members.

use clap::{Args, Subcommand};

use crate::bench::Entrant;
use crate::bench::conv::Pass;
use crate::bench::conv::layer::{self, Layer};
use crate::bench::shape::{self, Shape, Type};

/// `bench`.
#[derive(Args, Debug)]
pub struct BenchArgs {
    /// What to time.
    #[command(subcommand)]
    pub what: Bench,
}

/// What can be timed.
#[derive(Debug, Subcommand)]
pub enum Bench {
    /// Time matrix products beside other libraries, after checking that their results agree.
    Gemm(BenchGemmArgs),
    /// Time convolutions beside other programs, after checking that their results agree.
    Conv(BenchConvArgs),
    /// Run one library for another process of this program.
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// `bench gemm`.
#[derive(Args, Debug)]
pub struct BenchGemmArgs {
    /// Sets (small, square, rectangle, transposed, odd, strided, all) and single shapes such as 512, 64x3136x576 or
    /// 96:tn, with m, n and k in this order and a form: tn, nt, tt (operands stored as transposes), padded (24 elements
    /// between rows) or spaced (every other column).
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST", value_parser = shape::parse)]
    pub shapes: Vec<Shapes>,
    /// f32, f64 or both, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "f32,f64", value_name = "LIST", hide_possible_values = true)]
    pub types: Vec<Type>,
    /// all, or some of faer, gemm, matrixmultiply, openblas, mkl, blis (the last three, and any other, with --blas).
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST")]
    pub peers: Vec<String>,
    /// A BLAS to load, with its C interface and 32-bit integers, such as libscipy_openblas.so of the PyPI package
    /// scipy-openblas32, libmkl_rt.so.3 of the PyPI package mkl, or libblis.so.4 of Debian's libblis4-pthread. May be
    /// given several times.
    #[arg(long, value_name = "PATH")]
    pub blas: Vec<String>,
    /// Threads of each library. With more than one, each library runs in a process of its own.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = cores)]
    pub cores: usize,
    /// Rounds at most; in each, every library runs one batch.
    #[arg(long, default_value_t = 51, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Seconds for each shape and library, after which no round begins; five are run in any case.
    #[arg(long, default_value_t = 0.3, value_name = "S", value_parser = seconds)]
    pub seconds: f64,
    /// Give each library's speed in its fastest round, not in its median one.
    #[arg(long)]
    pub fastest: bool,
    /// Print one JSON object of schema fathom.bench.gemm/1 for each library and shape.
    #[arg(long)]
    pub json: bool,
}

/// `bench conv`.
#[derive(Args, Debug)]
pub struct BenchConvArgs {
    /// Sets (residual, patches, varied, all) and single layers such as 8x64x32x32:64k3 or 1x64x56x56:128k3s2: images,
    /// channels, rows and columns, then the output's channels and the kernel, with sS for a stride and dD for a dilation.
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST", value_parser = layer::parse)]
    pub layers: Vec<Layers>,
    /// f32, f64 or both, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "f32", value_name = "LIST", hide_possible_values = true)]
    pub types: Vec<Type>,
    /// forward, all (with the gradients to the images and to the filters) or both, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "forward,all",
        value_name = "LIST",
        hide_possible_values = true
    )]
    pub passes: Vec<Pass>,
    /// A program that computes the same, such as "python3 benches/peers/torch_convolution.py". May be given several times.
    #[arg(long, value_name = "COMMAND")]
    pub peer: Vec<String>,
    /// Threads of each program.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = cores)]
    pub cores: usize,
    /// Rounds at most; in each, everyone runs one batch.
    #[arg(long, default_value_t = 51, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Seconds for each case and program, after which no round begins; five are run in any case.
    #[arg(long, default_value_t = 0.3, value_name = "S", value_parser = seconds)]
    pub seconds: f64,
    /// Print one JSON object of schema fathom.bench.conv/1 for each program and case.
    #[arg(long)]
    pub json: bool,
}

/// `bench worker`.
#[derive(Args, Debug)]
pub struct WorkerArgs {
    /// Who runs.
    pub entrant: Entrant,
    /// Threads of the library.
    #[arg(long, value_name = "N", value_parser = cores)]
    pub cores: usize,
}

/// The layers that one word stands for.
pub type Layers = Vec<Layer>;

/// The shapes that one word stands for.
pub type Shapes = Vec<Shape>;

fn cores(text: &str) -> Result<usize, String> {
    let value = text.parse().ok().filter(|cores| (1..=1024).contains(cores));
    value.ok_or_else(|| format!("\"{text}\" is not a number of cores"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0 && seconds.is_finite());
    value.ok_or_else(|| format!("\"{text}\" is not a number of seconds"))
}
