//! A descent in memory, beside the same one by a program.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fathom_kernels::{Activation, Parallelism, normal};
use fathom_model::Network;
use fathom_model::architecture::{Architecture, Patches};
use fathom_model::dataset::{Dataset, Spec};
use fathom_model::descent::Descent;
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::json;

use super::super::program::{Program, agree};
use super::super::subject::Data;
use super::step::{INPUT_SIZE, Step};

/// Steps that are taken before results are compared.
const STEPS: usize = 3;
/// The seed of weights and samples.
const SEED: u64 = 1;
/// c_res.
const RESIDUAL_SCALE: f64 = 0.5;
/// Rounding errors of mean zero of `k` operations add up to more than LAMBDA sqrt(k) u with a probability below
/// 2 exp(-LAMBDA^2 / 2), 3e-14 (Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019).
const LAMBDA: f64 = 8.0;

/// A descent that has taken [`STEPS`] steps, and goes on where it is when it is timed.
pub struct Trained {
    step: Step,
    architecture: Architecture,
    samples: Dataset,
    descent: Descent<f32>,
    eta: f64,
    /// Before the first step, and after the last.
    losses: [f64; 2],
    /// A pool of one thread, where the descent's own has several.
    alone: Option<ThreadPool>,
}

impl Trained {
    /// Draws the network and the samples and takes the steps.
    ///
    /// # Errors
    /// When the loss does not fall.
    pub fn begin(step: &Step) -> Result<Self> {
        let size = step.size;
        let input = Patches::vector(INPUT_SIZE);
        let architecture = Architecture::new(step.kind, size.depth, RESIDUAL_SCALE, Activation::SOFTPLUS, input)?;
        let samples = Spec::Sphere { samples: size.samples, size: INPUT_SIZE }.draw(SEED)?;
        let (parallelism, alone) = match rayon::current_num_threads() {
            1 => (Parallelism::Serial, None),
            _ => (Parallelism::Rayon, Some(ThreadPoolBuilder::new().num_threads(1).build()?)),
        };
        // The tangent kernel of normalised inputs has a trace of a few n, so that no step is longer than 2 / lambda_max.
        let eta = f64::from((0.25 / size.samples as f64) as f32);
        let network = Network::random(architecture, size.width, SEED, parallelism);
        let mut descent = match step.delay {
            Some(delay) => Descent::with_delay(network, &samples, eta, delay),
            None => Descent::new(network, &samples, eta),
        };
        let before = descent.step();
        (1..STEPS).for_each(|_| _ = descent.step());
        let losses = [before, descent.loss()];
        ensure!(losses[1] < before, "the loss rises from {before} to {}", losses[1]);
        Ok(Self { step: *step, architecture, samples, descent, eta, losses, alone })
    }

    /// Takes steps, and lets the weights take them up.
    fn go_on(&mut self, steps: usize) {
        for _ in 0..steps {
            self.descent.step();
        }
        std::hint::black_box(self.descent.network());
    }

    /// Gives a program the samples and the weights before the first step: drawn again, for a copy would be as large as
    /// the network.
    fn give(&mut self, program: &Program) -> Result<()> {
        let narrow = |data: &[f64]| data.iter().map(|&x| x as f32).collect::<Vec<_>>();
        program.give("x", &narrow(self.samples.inputs()))?;
        program.give("y", &narrow(self.samples.labels()))?;
        for layer in 1..=self.step.size.depth + 1 {
            program.give(&self.name(layer), &self.start(layer))?;
        }
        Ok(())
    }

    /// The file of a layer's weights.
    fn name(&self, layer: usize) -> String {
        if layer > self.step.size.depth { "a".to_owned() } else { format!("w{layer}") }
    }

    /// The weights of a layer, of which H + 1 is a, before the first step.
    fn start(&mut self, layer: usize) -> Vec<f32> {
        let mut weights = vec![0.0; self.trained(layer).len()];
        normal::fill(SEED, layer as u64, 0, &mut weights);
        weights
    }

    /// The same after the steps.
    fn trained(&mut self, layer: usize) -> &[f32] {
        let depth = self.step.size.depth;
        let network = self.descent.network();
        if layer > depth { network.output() } else { network.weights(layer) }
    }

    /// Compares a program's losses and weights with ours.
    fn check(&mut self, program: &Program) -> Result<()> {
        let losses: Vec<f32> = program.found("losses", 2)?;
        let ours = self.losses.map(|loss| loss as f32);
        agree("the losses", &program.member, [&ours, &losses], |i| self.loss_bound(self.losses[i]))?;
        for layer in 1..=self.step.size.depth + 1 {
            let (name, start) = (self.name(layer), self.start(layer));
            let theirs: Vec<f32> = program.found(&name, start.len())?;
            let [weight, update] = self.weight_bounds();
            let ours = self.trained(layer);
            let moved = ours.iter().zip(&start).map(|(x, start)| f64::from((x - start).abs())).fold(0.0, f64::max);
            let bound = |i: usize| weight * f64::from(ours[i].abs()) + update * moved;
            agree(&name, &program.member, [ours, &theirs], bound)?;
        }
        Ok(())
    }

    /// The relative error of features, gradients and outputs: each of the H + 1 products forward and backward adds that of
    /// sums of as many terms as a layer is wide, and the whole changes from step to step.
    fn spread(&self) -> f64 {
        let terms = self.step.size.width.max(INPUT_SIZE).max(self.step.size.samples) as f64;
        LAMBDA * terms.sqrt() * UNIT * ((self.step.size.depth + 1) * STEPS) as f64
    }

    /// How far apart two losses near `loss` may lie. An output is off by the spread of what it is made of, which is about 1
    /// as the labels are, or as much as it misses its label by.
    fn loss_bound(&self, loss: f64) -> f64 {
        let (n, spread) = (self.step.size.samples as f64, 2.0 * self.spread());
        // The sum of |r| (1 + |r|) spread over the samples, where the sum of r^2 / 2 is the loss.
        spread * ((2.0 * n * loss).sqrt() + 2.0 * loss) + n * spread * spread
    }

    /// How far apart two weights may lie, in shares of the weight, and of the largest update of its matrix. A weight is
    /// rounded whenever something is added to it: once for each sample and step by us, whose sums start from it, and once
    /// or twice a step by who adds a gradient. What is added has the gradient's own error.
    fn weight_bounds(&self) -> [f64; 2] {
        let roundings = (STEPS * (self.step.size.samples + 2)) as f64;
        [LAMBDA * roundings.sqrt() * UNIT, 2.0 * self.spread()]
    }
}

/// Half of the distance from 1 to the next f32.
const UNIT: f64 = f32::EPSILON as f64 / 2.0;

impl Data<Step> for Trained {
    fn prepare(&mut self, program: &mut Program) -> Result<bool> {
        self.give(program)?;
        let size = self.step.size;
        let layers: Vec<_> = (1..=size.depth).map(|h| self.architecture.layer(h)).collect();
        let root = (size.width as f64).sqrt();
        let able = program.prepare(json!({
            "type": "f32",
            "samples": size.samples,
            "inputs": INPUT_SIZE,
            "width": size.width,
            "skips": layers.iter().map(|layer| layer.skip.is_some()).collect::<Vec<_>>(),
            "scales": layers.iter().map(|layer| layer.scale / root).collect::<Vec<_>>(),
            "eta": self.eta,
            "steps": STEPS,
        }))?;
        if able {
            self.check(program).context("after the first steps")?;
        }
        Ok(able)
    }

    fn run(&mut self, _: &Step, calls: usize, parallelism: Parallelism) -> f64 {
        let started = Instant::now();
        match self.alone.take() {
            Some(alone) if parallelism == Parallelism::Serial => {
                alone.install(|| self.go_on(calls));
                self.alone = Some(alone);
            }
            other => {
                self.alone = other;
                self.go_on(calls);
            }
        }
        started.elapsed().as_secs_f64()
    }

    fn question(&self, _: &Step) -> serde_json::Value {
        json!({})
    }

    /// Whole rounds of the steps that the weights take up together.
    fn period(&self) -> usize {
        self.descent.delay()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fathom_model::Kind;

    #[test]
    fn the_bounds_are_far_below_the_updates() {
        for kind in [Kind::ResNet, Kind::FullyConnected] {
            let mut trained = Trained::begin(&Step { kind, size: "64x3x5".parse().unwrap(), delay: None }).unwrap();
            let [before, after] = trained.losses;
            assert!(trained.loss_bound(before) < 0.05 * (before - after), "{kind}: {before} {after}");
            let [weight, update] = trained.weight_bounds();
            for layer in 1..=4 {
                let start = trained.start(layer);
                let ours = trained.trained(layer);
                let largest =
                    ours.iter().zip(&start).max_by(|(x, a), (y, b)| (*x - *a).abs().total_cmp(&(*y - *b).abs()));
                let (&found, &start) = largest.unwrap();
                let moved = f64::from((found - start).abs());
                assert!(
                    weight * f64::from(found.abs()) + update * moved < 0.05 * moved,
                    "{kind}, layer {layer}: {moved:e}"
                );
            }
        }
    }

    #[test]
    fn a_serial_run_goes_on_with_the_same_descent() {
        let step = Step { kind: Kind::ResNet, size: "32x2x3".parse().unwrap(), delay: None };
        let mut trained = Trained::begin(&step).unwrap();
        let loss = trained.losses[1];
        assert!(trained.run(&step, 2, Parallelism::Serial) > 0.0 && trained.run(&step, 1, Parallelism::Rayon) > 0.0);
        assert!(trained.descent.loss() < loss);
    }
}
