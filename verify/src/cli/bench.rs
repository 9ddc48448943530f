//! `bench` and its members.

use clap::{Args, Subcommand};
use fathom_kernels::Activation;
use fathom_model::Kind;

use super::count;
use crate::Usage;
use crate::bench::Entrant;
use crate::bench::conv::Pass;
use crate::bench::conv::layer::{self, Layer};
use crate::bench::elementwise::function::{self, Function};
use crate::bench::shape::{self, Shape, Type};
use crate::bench::train::step::{self, Size};

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
    #[command(mut_arg("types", |types| types.default_value("f32")))]
    Conv(BenchConvArgs),
    /// Time vector math beside other programs, after checking that their results agree.
    Elementwise(BenchElementwiseArgs),
    /// Time the drawing of standard normals beside other programs, after checking the mean and the variance of each.
    Normal(BenchNormalArgs),
    /// Time steps of full-batch descent beside other programs, after checking that their results agree.
    Train(BenchTrainArgs),
    /// Time random starts drawn exactly in law, of any width.
    Law(BenchLawArgs),
    /// Run one library for another process of this program.
    #[command(hide = true)]
    Worker(WorkerArgs),
}

/// In which element types.
#[derive(Args, Debug)]
pub struct BenchTypeArgs {
    /// f32, f64 or both, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "f32,f64", value_name = "LIST", hide_possible_values = true)]
    pub types: Vec<Type>,
}

/// Beside which programs.
#[derive(Args, Debug)]
pub struct BenchPeerArgs {
    /// A program that computes the same, such as one of benches/peers: "python3 benches/peers/torch_convolution.py". May
    /// be given several times.
    #[arg(long, value_name = "COMMAND")]
    pub peer: Vec<String>,
}

/// On how many threads, for how long, and how it is printed.
#[derive(Args, Debug)]
pub struct BenchRoundArgs {
    /// Threads of each library.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = cores)]
    pub cores: usize,
    /// Rounds at most; in each, every library runs one batch.
    #[arg(long, default_value_t = 51, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Seconds for each case and library, after which no round begins; five are run in any case.
    #[arg(long, default_value_t = 0.3, value_name = "S", value_parser = seconds)]
    pub seconds: f64,
    /// Print a JSON object for each library and case; its schema is named in it.
    #[arg(long)]
    pub json: bool,
}

impl BenchRoundArgs {
    /// For kernels that use the calling thread alone.
    ///
    /// # Errors
    /// When more cores are asked for.
    pub fn one_core(&self, what: &str) -> Result<(), Usage> {
        if self.cores == 1 {
            return Ok(());
        }
        Err(Usage(format!("bench {what} is about one core: leave out --cores, or give --cores 1")))
    }
}

/// `bench gemm`.
#[derive(Args, Debug)]
pub struct BenchGemmArgs {
    /// Sets (small, square, rectangle, transposed, odd, strided, all) and single shapes such as 512, 64x3136x576 or
    /// 96:tn, with m, n and k in this order and a form: tn, nt, tt (operands stored as transposes), padded (24 elements
    /// between rows) or spaced (every other column).
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST", value_parser = shape::parse)]
    pub shapes: Vec<Shapes>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub types: BenchTypeArgs,
    /// all, or some of faer, gemm, matrixmultiply, openblas, mkl, blis (the last three, and any other, with --blas).
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST")]
    pub peers: Vec<String>,
    /// A BLAS to load, with its C interface and 32-bit integers, such as libscipy_openblas.so of the PyPI package
    /// scipy-openblas32, libmkl_rt.so.3 of the PyPI package mkl, or libblis.so.4 of Debian's libblis4-pthread. May be
    /// given several times.
    #[arg(long, value_name = "PATH")]
    pub blas: Vec<String>,
    /// Give each library's speed in its fastest round, not in its median one.
    #[arg(long)]
    pub fastest: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rounds: BenchRoundArgs,
}

/// `bench conv`.
#[derive(Args, Debug)]
pub struct BenchConvArgs {
    /// Sets (residual, patches, varied, all) and single layers such as 8x64x32x32:64k3 or 1x64x56x56:128k3s2: images,
    /// channels, rows and columns, then the output's channels and the kernel, with sS for a stride and dD for a dilation.
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST", value_parser = layer::parse)]
    pub layers: Vec<Layers>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub types: BenchTypeArgs,
    /// forward, all (with the gradients to the images and to the filters) or both, separated by commas.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "forward,all",
        value_name = "LIST",
        hide_possible_values = true
    )]
    pub passes: Vec<Pass>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub peers: BenchPeerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rounds: BenchRoundArgs,
}

/// `bench elementwise`.
#[derive(Args, Debug)]
pub struct BenchElementwiseArgs {
    /// all, or some of exp, softplus, sigmoid, tanh, erf, gelu and silu, and derivatives such as softplus', separated by
    /// commas.
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST", value_parser = function::parse)]
    pub functions: Vec<Functions>,
    /// Elements of an array [default: 16384 in f32, 8192 in f64, which lie in the second-level cache].
    #[arg(long, value_name = "N", value_parser = elements)]
    pub elements: Option<usize>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub types: BenchTypeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub peers: BenchPeerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rounds: BenchRoundArgs,
}

/// `bench normal`.
#[derive(Args, Debug)]
pub struct BenchNormalArgs {
    /// Elements of an array [default: 16384 in f32, 8192 in f64, which lie in the second-level cache].
    #[arg(long, value_name = "N", value_parser = elements)]
    pub elements: Option<usize>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub types: BenchTypeArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub peers: BenchPeerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rounds: BenchRoundArgs,
}

/// `bench train`.
#[derive(Args, Debug)]
pub struct BenchTrainArgs {
    /// all, or networks such as 2048x8x10: width, hidden layers and samples. Inputs have 256 numbers, and the activation is
    /// softplus, in f32.
    #[arg(long, value_delimiter = ',', default_value = "all", value_name = "LIST", value_parser = step::parse)]
    pub cases: Vec<Sizes>,
    /// resnet, fc or both, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "resnet", value_name = "LIST", value_parser = step::parse_kind)]
    pub arch: Vec<Kind>,
    /// Steps that our weights take up together, such as 1,4,8,16, each timed by itself [default: what training does].
    #[arg(long, value_delimiter = ',', value_name = "LIST", value_parser = delay)]
    pub delay: Vec<usize>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub peers: BenchPeerArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub rounds: BenchRoundArgs,
}

/// A number of steps.
fn delay(text: &str) -> Result<usize, String> {
    let usage = || format!("\"{text}\" is no number of steps from 1 to {MOST_DELAY}");
    text.parse().ok().filter(|delay| (1..=MOST_DELAY).contains(delay)).ok_or_else(usage)
}

/// As many steps as a weight may wait for, which keeps the factors smaller than the weights.
const MOST_DELAY: usize = 64;

/// `bench law`.
#[derive(Args, Debug)]
pub struct BenchLawArgs {
    /// Architectures, separated by commas: fc, resnet, linear-resnet, block-resnet.
    #[arg(long, value_delimiter = ',', default_value = "fc", value_name = "LIST")]
    pub arch: Vec<Kind>,
    /// softplus, softplus:BETA, tanh, sigmoid, erf, gelu, silu, relu or identity.
    #[arg(long, default_value_t = Activation::SOFTPLUS, value_name = "A")]
    pub activation: Activation,
    /// n, orthonormal samples.
    #[arg(long, default_value_t = 8, value_name = "N", value_parser = count)]
    pub samples: usize,
    /// H.
    #[arg(long, default_value_t = 5, value_name = "H", value_parser = count)]
    pub depth: usize,
    /// m.
    #[arg(long, default_value_t = 1 << 20, value_name = "M", value_parser = count)]
    pub width: usize,
    /// Threads.
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = cores)]
    pub cores: usize,
    /// Starts of each case.
    #[arg(long, default_value_t = 11, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Print a JSON object for each case; its schema is named in it.
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub types: BenchTypeArgs,
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

/// The functions that one word stands for.
pub type Functions = Vec<Function>;

/// The layers that one word stands for.
pub type Layers = Vec<Layer>;

/// The sizes that one word stands for.
pub type Sizes = Vec<Size>;

/// The shapes that one word stands for.
pub type Shapes = Vec<Shape>;

fn cores(text: &str) -> Result<usize, String> {
    let value = text.parse().ok().filter(|cores| (1..=1024).contains(cores));
    value.ok_or_else(|| format!("\"{text}\" is not a number of cores"))
}

fn elements(text: &str) -> Result<usize, String> {
    let value = text.parse().ok().filter(|elements| (2..=LARGEST).contains(elements));
    value.ok_or_else(|| format!("\"{text}\" is not a number of elements between 2 and {LARGEST}"))
}

/// Elements of an array at most: 8 GiB of f64.
const LARGEST: usize = 1 << 30;

fn seconds(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|seconds| *seconds >= 0.0 && seconds.is_finite());
    value.ok_or_else(|| format!("\"{text}\" is not a number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_a_number_of_steps() {
        assert_eq!(["1", "8", "64"].map(delay), [Ok(1), Ok(8), Ok(64)]);
        for text in ["0", "65", "-1", "many", ""] {
            assert!(delay(text).unwrap_err().contains("no number of steps from 1 to 64"), "{text}");
        }
    }
}
