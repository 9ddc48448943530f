//! Full-batch gradient descent on L = 1/2 sum_i (f(x_i) - y_i)^2, all layers and a trained.

use fathom_kernels::Real;

use crate::network::{Backward, Forward, Inputs};
use crate::{Dataset, Network};

/// A network at one point of its descent, differentiated.
#[derive(Clone, Debug)]
pub struct Point<T> {
    /// The forward pass.
    pub forward: Forward<T>,
    /// The derivatives of each sample's output.
    pub backward: Backward<T>,
    /// f - y.
    pub residuals: Vec<T>,
    /// L.
    pub loss: f64,
}

impl<T: Real> Point<T> {
    /// Runs the network forward and backward.
    pub fn of(network: &Network<T>, inputs: &Inputs<T>, data: &Dataset) -> Self {
        let forward = network.forward(inputs);
        let residuals: Vec<T> = forward.outputs.iter().zip(data.labels()).map(|(&f, &y)| f - T::from_f64(y)).collect();
        let loss = 0.5 * residuals.iter().map(|r| r.to_f64().powi(2)).sum::<f64>();
        let backward = network.backward(&forward);
        Self { forward, backward, residuals, loss }
    }

    /// One step: every layer and a move by -eta times the gradient at this point. The gradients are never stored.
    pub fn descend(&self, network: &mut Network<T>, eta: f64) {
        let alpha = T::from_f64(-eta);
        let passes = (&self.forward, &self.backward);
        for h in 1..=network.architecture().depth() {
            let mut weights = std::mem::take(&mut network.parameters_mut().0[h - 1]);
            network.weight_gradient(h, alpha, &self.residuals, passes, T::ONE, &mut weights);
            network.parameters_mut().0[h - 1] = weights;
        }
        let mut output = std::mem::take(network.parameters_mut().1);
        network.output_gradient(alpha, &self.residuals, &self.forward, T::ONE, &mut output);
        *network.parameters_mut().1 = output;
    }
}

/// The descent of one network, for those who want the trained network and its losses and nothing in between.
#[derive(Clone, Debug)]
pub struct Descent<T> {
    network: Network<T>,
    inputs: Inputs<T>,
    data: Dataset,
    eta: f64,
}

impl<T: Real> Descent<T> {
    /// Begins at `network`, with steps of size `eta` on the samples of `data`.
    ///
    /// # Panics
    /// When the samples are not of the network's input size.
    pub fn new(network: Network<T>, data: &Dataset, eta: f64) -> Self {
        let inputs = Inputs::new(network.architecture(), data);
        Self { network, inputs, data: data.clone(), eta }
    }

    /// Takes one step: every layer and a move by -eta times the gradient. Returns L as it was before.
    pub fn step(&mut self) -> f64 {
        let point = Point::of(&self.network, &self.inputs, &self.data);
        point.descend(&mut self.network, self.eta);
        point.loss
    }

    /// L where the descent has arrived.
    pub fn loss(&mut self) -> f64 {
        Point::of(&self.network, &self.inputs, &self.data).loss
    }

    /// The network where the descent has arrived.
    pub fn network(&mut self) -> &Network<T> {
        &self.network
    }

    /// The trained network.
    pub fn into_network(self) -> Network<T> {
        self.network
    }
}

/// The step size 1 / lambda_max, rounded to f32 so that the last bits of an eigenvalue solver do not enter the descent.
pub fn step_size(lambda_max: f64) -> f64 {
    f64::from((1.0 / lambda_max) as f32)
}
