//! `train`.

use std::path::PathBuf;

use clap::Args;
use fathom_model::{Kind, Labels};

use super::{DataArgs, NetworkArgs, count};
use crate::bench::shape::Type;

/// `train`.
#[derive(Args, Debug)]
pub struct TrainArgs {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub data: DataArgs,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub network: NetworkArgs,
    /// fc, resnet, conv-resnet, linear-resnet or block-resnet.
    #[arg(long, default_value_t = Kind::FullyConnected)]
    pub arch: Kind,
    /// m, the width of the hidden layers.
    #[arg(long, default_value_t = 512, value_name = "M", value_parser = count)]
    pub width: usize,
    /// H, the number of hidden layers.
    #[arg(long, default_value_t = 2, value_name = "H", value_parser = count)]
    pub depth: usize,
    /// The true labels: a .csv or .npy file with a label a row, a row for each of the data [default: random signs].
    #[arg(long, value_name = "FILE")]
    pub targets: Option<PathBuf>,
    /// as-given, random, corrupted:FRACTION (that many are replaced by random ones) or teacher:WIDTH (the outputs of a
    /// random network of that width and the same architecture).
    #[arg(long, default_value_t = Labels::AsGiven, value_name = "LABELS")]
    pub labels: Labels,
    /// Steps at most; training ends before when L <= 1e-4 L(0).
    #[arg(long, default_value_t = 3000, value_name = "K", value_parser = count)]
    pub steps: usize,
    /// The step size [default: 1 / lambda_max of the tangent kernel at the start].
    #[arg(long, value_name = "E", value_parser = step_size)]
    pub eta: Option<f64>,
    /// Samples in a step of stochastic gradient descent [default: all].
    #[arg(long, value_name = "B", value_parser = count)]
    pub batch: Option<usize>,
    /// f32 or f64.
    #[arg(long = "type", value_enum, default_value_t = Type::F64, value_name = "TYPE", hide_possible_values = true)]
    pub element: Type,
    /// More samples, which are not trained on and whose loss is measured; needs --labels teacher:WIDTH or --targets.
    #[arg(long, value_name = "N", value_parser = count)]
    pub held_out: Option<usize>,
    /// A new folder for all that is needed to replay the training elsewhere (see benches/peers/README.md).
    #[arg(long, value_name = "DIR")]
    pub dump: Option<PathBuf>,
    /// Print one JSON object of schema fathom.train/1.
    #[arg(long)]
    pub json: bool,
}

fn step_size(text: &str) -> Result<f64, String> {
    let value = text.parse().ok().filter(|e: &f64| *e > 0.0 && e.is_finite());
    value.ok_or_else(|| format!("\"{text}\" is not a number above 0"))
}
