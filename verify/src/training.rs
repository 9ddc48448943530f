//! The training of one network, and what is watched on the way.

use anyhow::Result;
use fathom_kernels::Real;
use fathom_model::descent::{Descent, Point, step_size};
use fathom_model::linear::largest_residual_norm;
use fathom_model::network::Inputs;
use fathom_model::stochastic::StochasticDescent;
use fathom_model::tangent::{layer_gram, tangent_kernel};
use fathom_model::{Architecture, Dataset, Gram, Network};

use crate::progress::Progress;
use crate::study::ZERO_LOSS;

/// Most points (a sample and a pixel) whose Gram matrices are computed: their entries are the square of it.
pub const MOST_POINTS: usize = 2048;

/// Looks at the network for each doubling of the rounds; the first 32 rounds are all looked at. More looks would cost as much
/// as training.
const LOOKS: usize = 16;

/// How a network is trained.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The step size.
    pub eta: f64,
    /// Samples in a step; `None` for all, and full-batch descent.
    pub batch: Option<usize>,
    /// Steps at most.
    pub steps: usize,
    /// The seed of the batches.
    pub seed: u64,
}

/// What training has shown.
#[derive(Clone, Debug)]
pub struct Training {
    /// Steps, and L after so many: at every step, or at the end of every epoch of stochastic descent.
    pub curve: Vec<(usize, f64)>,
    /// The first of these steps with L <= 1e-4 L(0). A round is taken from there before training ends.
    pub reached: Option<usize>,
    /// The largest ||G^(H)(k) - G^(H)(0)||_2 seen; `None` where it has too many points.
    pub drift: Option<f64>,
    /// ||A_h||_2 of a linear residual network, the largest over its layers, at the start.
    pub first_residual_norm: Option<f64>,
    /// The largest seen.
    pub largest_residual_norm: Option<f64>,
}

/// The loss is no longer finite: exit code 4.
#[derive(Debug)]
pub struct Diverged {
    /// The steps taken.
    step: usize,
    eta: f64,
}

impl std::fmt::Display for Diverged {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { step, eta } = self;
        if eta.is_infinite() {
            return write!(
                f,
                "no weight has a gradient, so there is no step size: give another --seed, or a larger --width"
            );
        }
        write!(f, "training diverged: the loss is not finite after {step} steps with eta {eta:e}; give a smaller --eta")
    }
}

impl std::error::Error for Diverged {}

/// Whether Gram matrices of the points are small enough to be computed.
pub fn has_few_points(architecture: &Architecture, data: &Dataset) -> bool {
    data.samples() * architecture.patches().pixels() <= MOST_POINTS
}

/// The default step size, 1 / lambda_max of the tangent kernel.
pub fn default_step_size<T: Real>(network: &Network<T>, data: &Dataset) -> f64 {
    let point = Point::of(network, &Inputs::new(network.architecture(), data), data);
    let eigenvalues = tangent_kernel(network, &point).eigenvalues();
    step_size(eigenvalues[eigenvalues.len() - 1])
}

/// L on any samples.
pub fn loss<T: Real>(network: &Network<T>, data: &Dataset) -> f64 {
    let outputs = network.forward(&Inputs::new(network.architecture(), data)).outputs;
    0.5 * outputs.iter().zip(data.labels()).map(|(f, y)| (f.to_f64() - y).powi(2)).sum::<f64>()
}

/// Trains until L <= 1e-4 L(0) or the steps are done, and returns the trained network.
///
/// # Errors
/// [`Diverged`], when the loss is no longer finite.
pub fn train<T: Real>(
    network: Network<T>,
    data: &Dataset,
    settings: Settings,
    progress: &Progress,
) -> Result<(Training, Network<T>)> {
    let mut watch = Watch::new(&network, data);
    let mut descent = Rounds::new(network, data, settings);
    let (mut curve, mut reached, mut steps) = (Vec::new(), None, 0);
    for round in 0usize.. {
        let diverged = Diverged { step: steps, eta: settings.eta };
        let is_last = steps == settings.steps || reached.is_some();
        let stride = (round.next_power_of_two() / (2 * LOOKS)).max(1);
        if (is_last || round.is_multiple_of(stride)) && !watch.look(descent.network(), data) {
            return Err(diverged.into());
        }
        let (loss, taken) = if is_last { (descent.loss(), 0) } else { descent.round(settings.steps - steps) };
        if !loss.is_finite() {
            return Err(diverged.into());
        }
        curve.push((steps, loss));
        if reached.is_none() && loss <= ZERO_LOSS * curve[0].1 {
            reached = Some(steps);
        }
        if is_last {
            break;
        }
        steps += taken;
        progress.start(&format!("L = {loss:.3e}"));
        progress.advance(taken as u64);
    }
    let Watch { drift, first_norm: first_residual_norm, largest_norm: largest_residual_norm, .. } = watch;
    let training = Training { curve, reached, drift, first_residual_norm, largest_residual_norm };
    Ok((training, descent.into_network()))
}

/// Full-batch descent, a step a round, or stochastic descent, an epoch a round.
enum Rounds<T: Real> {
    Full(Box<Descent<T>>),
    Stochastic(Box<StochasticDescent<T>>),
}

impl<T: Real> Rounds<T> {
    fn new(network: Network<T>, data: &Dataset, settings: Settings) -> Self {
        match settings.batch {
            None => Self::Full(Box::new(Descent::new(network, data, settings.eta))),
            Some(batch) => {
                Self::Stochastic(Box::new(StochasticDescent::new(network, data, settings.eta, batch, settings.seed)))
            }
        }
    }

    /// One round, of at most `most` steps. Returns L where it began, and its steps.
    fn round(&mut self, most: usize) -> (f64, usize) {
        match self {
            Self::Full(descent) => (descent.step(), 1),
            Self::Stochastic(descent) => {
                let (loss, steps) = (descent.loss(), descent.steps_per_epoch().min(most));
                (0..steps).for_each(|_| descent.step());
                (loss, steps)
            }
        }
    }

    fn loss(&mut self) -> f64 {
        match self {
            Self::Full(descent) => descent.loss(),
            Self::Stochastic(descent) => descent.loss(),
        }
    }

    fn network(&mut self) -> &Network<T> {
        match self {
            Self::Full(descent) => descent.network(),
            Self::Stochastic(descent) => descent.network(),
        }
    }

    fn into_network(self) -> Network<T> {
        match self {
            Self::Full(descent) => descent.into_network(),
            Self::Stochastic(descent) => descent.into_network(),
        }
    }
}

/// What is watched: a look at a time, as [`LOOKS`] says, and at the end.
struct Watch<T> {
    inputs: Inputs<T>,
    /// G^(H)(0).
    start: Option<Gram>,
    drift: Option<f64>,
    first_norm: Option<f64>,
    largest_norm: Option<f64>,
}

impl<T: Real> Watch<T> {
    fn new(network: &Network<T>, data: &Dataset) -> Self {
        let architecture = network.architecture();
        let inputs = Inputs::new(architecture, data);
        let few = has_few_points(architecture, data);
        let start = few.then(|| layer_gram(network, &Point::of(network, &inputs, data), architecture.depth()));
        let norm = largest_residual_norm(network);
        Self { inputs, start, drift: few.then_some(0.0), first_norm: norm, largest_norm: norm }
    }

    /// Looks at the network; says whether what it sees is finite.
    fn look(&mut self, network: &Network<T>, data: &Dataset) -> bool {
        if let Some(start) = &self.start {
            let point = Point::of(network, &self.inputs, data);
            let gram = layer_gram(network, &point, network.architecture().depth());
            if !point.loss.is_finite() || gram.entries().iter().any(|g| !g.is_finite()) {
                return false;
            }
            let distance = gram.distance(start);
            self.drift = self.drift.map(|drift| drift.max(distance));
        }
        if self.largest_norm.is_some() {
            let weights = (1..=network.architecture().depth()).flat_map(|h| network.weights(h));
            if weights.into_iter().any(|w| !w.to_f64().is_finite()) {
                return false;
            }
            let norm = largest_residual_norm(network);
            self.largest_norm = self.largest_norm.zip(norm).map(|(largest, norm)| largest.max(norm));
        }
        true
    }
}
