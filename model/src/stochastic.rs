//! Stochastic gradient descent: each step on a batch of the samples.

use fathom_kernels::Real;

use crate::descent::{Point, compare};
use crate::network::Inputs;
use crate::permutation::permutation;
use crate::{Dataset, Network};

/// The descent of one network by batches that are drawn without replacement.
///
/// An epoch meets every sample once, in the order of [`epoch_order`], a batch after the other; its last batch is what is left.
/// A step moves all weights by -eta times the gradient of the *sum* 1/2 sum_i (f(x_i) - y_i)^2 over its batch, so that an
/// epoch moves about as far as a step of full-batch descent with the same eta.
#[derive(Clone, Debug)]
pub struct StochasticDescent<T: Real> {
    network: Network<T>,
    inputs: Inputs<T>,
    data: Dataset,
    eta: f64,
    batch: usize,
    seed: u64,
    steps: usize,
    /// That of the epoch which the next step belongs to, once it has begun.
    order: Vec<usize>,
}

/// The order in which epoch `epoch` (from 0) meets `samples` samples: the permutation of stream `epoch + 1` under the seed.
pub fn epoch_order(seed: u64, epoch: usize, samples: usize) -> Vec<usize> {
    permutation(seed, epoch as u64 + 1, samples)
}

impl<T: Real> StochasticDescent<T> {
    /// Begins at `network`, with steps of size `eta` on batches of `batch` samples of `data`.
    ///
    /// # Panics
    /// When the samples are not of the network's input size, or `batch` is 0.
    pub fn new(network: Network<T>, data: &Dataset, eta: f64, batch: usize, seed: u64) -> Self {
        assert!(batch > 0, "a batch must have at least one sample");
        let inputs = Inputs::new(network.architecture(), data);
        Self { network, inputs, data: data.clone(), eta, batch, seed, steps: 0, order: Vec::new() }
    }

    /// Steps in an epoch.
    pub fn steps_per_epoch(&self) -> usize {
        self.data.samples().div_ceil(self.batch)
    }

    /// Takes one step.
    pub fn step(&mut self) {
        let (epoch, part) = (self.steps / self.steps_per_epoch(), self.steps % self.steps_per_epoch());
        if part == 0 {
            self.order = epoch_order(self.seed, epoch, self.data.samples());
        }
        let indices = self.order.chunks(self.batch).nth(part).expect("an epoch has its steps");
        let batch = self.data.subset(indices);
        let inputs = Inputs::new(self.network.architecture(), &batch);
        Point::of(&self.network, &inputs, &batch).descend(&mut self.network, self.eta);
        self.steps += 1;
    }

    /// L over all samples, where the descent has arrived.
    pub fn loss(&self) -> f64 {
        compare(&self.network.forward(&self.inputs).outputs, &self.data).1
    }

    /// The network where the descent has arrived.
    pub fn network(&self) -> &Network<T> {
        &self.network
    }

    /// The trained network.
    pub fn into_network(self) -> Network<T> {
        self.network
    }
}
