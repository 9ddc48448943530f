//! Full-batch gradient descent on L = 1/2 sum_i (f(x_i) - y_i)^2, all layers and a trained.

use fathom_kernels::Real;

use crate::network::{Backward, Forward, Inputs};
use crate::step::{Steps, delay};
use crate::tangent::layer_gram;
use crate::{Dataset, Gram, Network};

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
        let (residuals, loss) = compare(&forward.outputs, data);
        let backward = network.backward(&forward);
        Self { forward, backward, residuals, loss }
    }

    /// One step: every layer and a move by -eta times the gradient at this point. The gradients are never stored.
    pub fn descend(&self, network: &mut Network<T>, eta: f64) {
        let alpha = T::from_f64(-eta);
        let passes = (&self.forward, &self.backward);
        for h in 1..=network.architecture().depth() {
            let mut weights = std::mem::take(&mut network.parameters_mut()[h - 1]);
            network.weight_gradient(h, alpha, &self.residuals, passes, T::ONE, &mut weights);
            network.parameters_mut()[h - 1] = weights;
        }
        network.move_output(alpha, &self.residuals, &self.forward.features[network.architecture().depth()]);
    }
}

/// f - y, and L.
pub(crate) fn compare<T: Real>(outputs: &[T], data: &Dataset) -> (Vec<T>, f64) {
    let residuals: Vec<T> = outputs.iter().zip(data.labels()).map(|(&f, &y)| f - T::from_f64(y)).collect();
    let loss = 0.5 * residuals.iter().map(|r| r.to_f64().powi(2)).sum::<f64>();
    (residuals, loss)
}

/// The descent of one network, for those who want the trained network and its losses and nothing in between.
///
/// Networks that do not convolve keep their last S steps as factors of low rank before the weights take them up, S a
/// function of the width and the number of samples alone: fewer bytes move, and the sums that a weight is made of are
/// rounded in another order than by [`Point::descend`].
#[derive(Clone, Debug)]
pub struct Descent<T: Real> {
    network: Network<T>,
    inputs: Inputs<T>,
    data: Dataset,
    eta: f64,
    /// For networks that do not convolve.
    steps: Option<Steps<T>>,
    /// Where the descent has arrived, once it has been looked at.
    seen: Option<Seen<T>>,
}

/// The network run forward where the descent has arrived.
#[derive(Clone, Debug)]
enum Seen<T> {
    /// By [`Steps::forward`]: f - y, and L.
    Outputs(Vec<T>, f64),
    /// Where the network convolves.
    Point(Point<T>),
}

impl<T: Real> Descent<T> {
    /// Begins at `network`, with steps of size `eta` on the samples of `data`.
    ///
    /// # Panics
    /// When the samples are not of the network's input size.
    pub fn new(network: Network<T>, data: &Dataset, eta: f64) -> Self {
        let delay = delay(network.width(), data.samples());
        Self::with_delay(network, data, eta, delay)
    }

    /// [`Descent::new`] with S = `delay`, where the network does not convolve; 1 does what [`Point::descend`] does, to the
    /// bit.
    ///
    /// # Panics
    /// When the samples are not of the network's input size, or `delay` is 0.
    pub fn with_delay(network: Network<T>, data: &Dataset, eta: f64, delay: usize) -> Self {
        assert!(delay > 0, "the weights take up steps after 1 of them at least");
        let inputs = Inputs::new(network.architecture(), data);
        let steps = Steps::are_for(&network).then(|| Steps::new(&network, &inputs, delay));
        Self { network, inputs, data: data.clone(), eta, steps, seen: None }
    }

    /// S: after so many steps the weights have taken up all of them. 1 where the network convolves.
    pub fn delay(&self) -> usize {
        self.steps.as_ref().map_or(1, Steps::delay)
    }

    /// Takes one step: every layer and a move by -eta times the gradient. Returns L as it was before.
    pub fn step(&mut self) -> f64 {
        match (self.see(), &mut self.steps) {
            (Seen::Outputs(residuals, loss), Some(steps)) => {
                steps.descend(&mut self.network, &residuals, self.eta);
                loss
            }
            (Seen::Point(point), _) => {
                point.descend(&mut self.network, self.eta);
                point.loss
            }
            (Seen::Outputs(..), None) => unreachable!("outputs alone are seen by steps"),
        }
    }

    /// L and G^(H) where the descent has arrived. The forward pass that this takes serves the next step too, so that what a
    /// look costs beside a step is n^2 m multiply-adds, twice; where the network convolves, it is the patches' Gram matrices.
    pub fn look(&mut self) -> (f64, Gram) {
        let seen = self.see();
        let (loss, gram) = match (&seen, &self.steps) {
            (Seen::Outputs(_, loss), Some(steps)) => (*loss, steps.last_gram(&self.network)),
            (Seen::Point(point), _) => {
                (point.loss, layer_gram(&self.network, point, self.network.architecture().depth()))
            }
            (Seen::Outputs(..), None) => unreachable!("outputs alone are seen by steps"),
        };
        self.seen = Some(seen);
        (loss, gram)
    }

    /// What was seen already, or is seen now.
    fn see(&mut self) -> Seen<T> {
        if let Some(seen) = self.seen.take() {
            return seen;
        }
        match &mut self.steps {
            Some(steps) => {
                let (residuals, loss) = compare(&steps.forward(&self.network), &self.data);
                Seen::Outputs(residuals, loss)
            }
            None => Seen::Point(Point::of(&self.network, &self.inputs, &self.data)),
        }
    }

    /// L where the descent has arrived. The weights take up what is kept of the last steps, so that later ones round otherwise than
    /// had nobody asked.
    pub fn loss(&mut self) -> f64 {
        self.take_up();
        compare(&self.network.forward(&self.inputs).outputs, &self.data).1
    }

    /// The network where the descent has arrived; rounding as for [`Descent::loss`].
    pub fn network(&mut self) -> &Network<T> {
        self.take_up();
        &self.network
    }

    /// The trained network.
    pub fn into_network(mut self) -> Network<T> {
        self.take_up();
        self.network
    }

    /// A forward pass that was looked at lies among the steps that the weights take up here, so it is forgotten.
    fn take_up(&mut self) {
        self.seen = None;
        if let Some(steps) = &mut self.steps {
            steps.take_up(&mut self.network);
        }
    }
}

/// The step size 1 / lambda_max, rounded to f32 so that the last bits of an eigenvalue solver do not enter the descent.
pub fn step_size(lambda_max: f64) -> f64 {
    f64::from((1.0 / lambda_max) as f32)
}
