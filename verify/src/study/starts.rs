//! Random starts at one width, and what each criterion says of them. Criteria that look at the same starts share them.

use std::collections::BTreeMap;

use fathom_kernels::Parallelism;
use fathom_model::descent::{Descent, Point, step_size};
use fathom_model::law::{Law, Precision};
use fathom_model::network::Inputs;
use fathom_model::tangent::tangent_kernel;
use fathom_model::{Architecture, Dataset, Gram, Network};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::Criterion;

/// Loss, relative to the start, that counts as zero.
pub const ZERO_LOSS: f64 = 1e-4;

/// One subject's starts, by width.
pub struct Starts<'a> {
    pub architecture: &'a Architecture,
    pub data: &'a Dataset,
    /// K^(H).
    pub limit: &'a Gram,
    pub lambda0: f64,
    /// Steps of descent at most.
    pub steps: usize,
    /// The seed of the subject.
    pub seed: u64,
    law: Law,
    untrained: BTreeMap<(usize, usize), Vec<Untrained>>,
    trained: BTreeMap<(usize, usize), Vec<Trained>>,
}

#[derive(Clone, Copy)]
struct Untrained {
    closeness: f64,
    positivity: f64,
}

#[derive(Clone, Copy)]
struct Trained {
    drift: f64,
    rate: f64,
    fit: f64,
}

/// One training run, step by step.
#[derive(Clone, Debug)]
pub struct Run {
    /// The step size, 1 / lambda_max of the tangent kernel at the start.
    pub eta: f64,
    /// L(k), k = 0, 1, ...
    pub loss: Vec<f64>,
    /// sup over k of ||G^(H)(k) - G^(H)(0)||_2.
    pub drift: f64,
}

impl<'a> Starts<'a> {
    pub fn new(
        (architecture, data): (&'a Architecture, &'a Dataset),
        (limit, lambda0): (&'a Gram, f64),
        steps: usize,
        seed: u64,
    ) -> Self {
        let (untrained, trained) = (BTreeMap::new(), BTreeMap::new());
        let lambda_max = limit.eigenvalues()[limit.n() - 1];
        let law = Law::new(architecture, data, Precision::sufficient(architecture.depth(), lambda0, lambda_max));
        Self { architecture, data, limit, lambda0, steps, seed, law, untrained, trained }
    }

    /// What `criterion` bounds, divided by its bound, for each of `count` starts of width `width`. Starts run side by
    /// side, each on one thread, so that the rows do not depend on the threads.
    pub fn ratios(&mut self, criterion: Criterion, width: usize, count: usize) -> Vec<f64> {
        let seeds = |seed: u64| (0..count).into_par_iter().map(move |start| start_seed(seed, width, start));
        if criterion.trains() {
            if !self.trained.contains_key(&(width, count)) {
                let runs = seeds(self.seed).map(|seed| self.trained_start(width, seed)).collect();
                self.trained.insert((width, count), runs);
            }
        } else if !self.untrained.contains_key(&(width, count)) {
            let starts = seeds(self.seed).map(|seed| self.untrained_start(width, seed)).collect();
            self.untrained.insert((width, count), starts);
        }
        let trained = |pick: fn(&Trained) -> f64| self.trained[&(width, count)].iter().map(pick).collect();
        let untrained = |pick: fn(&Untrained) -> f64| self.untrained[&(width, count)].iter().map(pick).collect();
        match criterion {
            Criterion::InitCloseness => untrained(|start| start.closeness),
            Criterion::InitPositivity => untrained(|start| start.positivity),
            Criterion::Drift => trained(|run| run.drift),
            Criterion::Rate => trained(|run| run.rate),
            Criterion::Fit => trained(|run| run.fit),
        }
    }

    fn untrained_start(&self, width: usize, seed: u64) -> Untrained {
        let gram = self.law.last_gram(width, seed);
        if !gram.is_finite() {
            return Untrained { closeness: f64::MAX, positivity: f64::MAX };
        }
        let quarter = self.lambda0 / 4.0;
        Untrained {
            closeness: gram.distance(self.limit) / quarter,
            positivity: (self.lambda0 - gram.eigenvalues()[0]) / quarter,
        }
    }

    fn trained_start(&self, width: usize, seed: u64) -> Trained {
        let run = train(self.architecture, self.data, width, seed, self.steps);
        let contraction = 1.0 - run.eta * self.lambda0 / 2.0;
        let mut bound = run.loss[0];
        let mut rate = 0.0f64;
        for loss in &run.loss[1..] {
            bound *= contraction;
            // A step so long that the bound is none is not met.
            rate = rate.max(if bound > 0.0 { finite(loss / bound) } else { f64::MAX });
        }
        let last = run.loss[run.loss.len() - 1];
        let fit = finite(last / (ZERO_LOSS * run.loss[0]));
        // Of a training that did not come to its end nobody knows what it would still have done.
        let judged = |ratio: f64| if fit <= 1.0 { finite(ratio) } else { f64::MAX };
        Trained { drift: judged(run.drift / (self.lambda0 / 4.0)), rate: judged(rate), fit }
    }
}

/// Trains one random start by full-batch descent with eta = 1 / lambda_max of its tangent kernel, until
/// L <= 1e-4 L(0), the loss is no longer finite, or `steps` are done. G^(H) is looked at after every step. Where the start itself is
/// beyond the largest number, nothing is trained.
pub fn train(architecture: &Architecture, data: &Dataset, width: usize, seed: u64, steps: usize) -> Run {
    let network = Network::<f64>::random(*architecture, width, seed, Parallelism::Serial);
    let kernel = {
        let point = Point::of(&network, &Inputs::new(architecture, data), data);
        tangent_kernel(&network, &point)
    };
    if !kernel.is_finite() {
        return Run { eta: 0.0, loss: vec![f64::INFINITY], drift: f64::INFINITY };
    }
    let eta = step_size(kernel.eigenvalues()[data.samples() - 1]);
    let mut descent = Descent::new(network, data, eta);
    let (first, start) = descent.look();
    let mut run = Run { eta, loss: vec![first], drift: 0.0 };
    for _ in 0..steps {
        descent.step();
        let (loss, gram) = descent.look();
        run.loss.push(loss);
        if !loss.is_finite() || !gram.is_finite() {
            run.drift = f64::INFINITY;
            break;
        }
        // The Frobenius norm is never below the spectral one, and takes no eigenvalues.
        if frobenius_distance(&gram, &start) > run.drift {
            run.drift = run.drift.max(gram.distance(&start));
        }
        if loss <= ZERO_LOSS * first {
            break;
        }
    }
    run
}

fn frobenius_distance(a: &Gram, b: &Gram) -> f64 {
    a.entries().iter().zip(b.entries()).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// A row is JSON, which has no infinity and no NaN: what has diverged is written as the largest number.
pub fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { f64::MAX }
}

/// The seed of one start: a function of what is started, never of the order.
fn start_seed(subject: u64, width: usize, start: usize) -> u64 {
    let mut hasher = Sha256::new();
    for part in [subject, width as u64, start as u64] {
        hasher.update(part.to_le_bytes());
    }
    let digest = hasher.finalize();
    u64::from_le_bytes(std::array::from_fn(|i| digest[i]))
}
