//! Stochastic descent: what its steps are, and where they lead.

use fathom_kernels::{Activation, Parallelism};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::descent::{Descent, Point, step_size};
use fathom_model::network::Inputs;
use fathom_model::stochastic::{StochasticDescent, epoch_order};
use fathom_model::tangent::tangent_kernel;
use fathom_model::{Architecture, Dataset, Kind, Labels, Network};

fn case(kind: Kind) -> (Network<f64>, Dataset) {
    let data = Spec::Images { samples: 7, shape: [2, 2, 3] }.draw(4).unwrap();
    let images = Patches { channels: 2, image: [2, 3], patch: [3, 3] };
    let architecture = Architecture::new(kind, 3, 0.5, Activation::SOFTPLUS, images).unwrap();
    (Network::random(architecture, 24, 8, Parallelism::Serial), data)
}

fn eta(network: &Network<f64>, data: &Dataset) -> f64 {
    let point = Point::of(network, &Inputs::new(network.architecture(), data), data);
    step_size(*tangent_kernel(network, &point).eigenvalues().last().unwrap())
}

#[test]
fn a_batch_of_all_samples_is_a_step_of_full_batch_descent() {
    let (network, data) = case(Kind::ResNet);
    let eta = eta(&network, &data);
    let mut stochastic = StochasticDescent::new(network.clone(), &data, eta, 100, 5);
    // Sums over samples go in the order of the epoch.
    let mut full = Descent::with_delay(network, &data.subset(&epoch_order(5, 0, 7)), eta, 1);
    assert_eq!(stochastic.steps_per_epoch(), 1);
    stochastic.step();
    full.step();
    assert_eq!(stochastic.into_network().hash(), full.into_network().hash());
}

#[test]
fn an_epoch_meets_every_sample_once() {
    let (network, data) = case(Kind::FullyConnected);
    let mut stochastic = StochasticDescent::new(network.clone(), &data, 0.01, 3, 5);
    assert_eq!(stochastic.steps_per_epoch(), 3);
    let mut expected = network;
    for epoch in 0..2 {
        for batch in epoch_order(5, epoch, 7).chunks(3) {
            stochastic.step();
            let batch = data.subset(batch);
            let point = Point::of(&expected, &Inputs::new(expected.architecture(), &batch), &batch);
            point.descend(&mut expected, 0.01);
        }
        assert_eq!(stochastic.network().hash(), expected.hash());
    }
}

#[test]
fn every_labelling_is_driven_to_zero_loss() {
    for kind in Kind::ALL {
        let (network, data) = case(kind);
        // True labels here are those of a teacher, so that there is something to corrupt.
        let (data, _) = Labels::Teacher { width: 4 }.apply(network.architecture(), &data, 3).unwrap();
        for labels in [Labels::AsGiven, Labels::Corrupted { fraction: 0.5 }, Labels::Random] {
            let (data, _) = labels.apply(network.architecture(), &data, 3).unwrap();
            let eta = eta(&network, &data);
            let mut full = Descent::new(network.clone(), &data, eta);
            let first = full.loss();
            let reached = (0..4000).any(|_| full.step() <= 1e-4 * first);
            assert!(reached, "{kind}, {labels}: full-batch descent is at {:e} of L(0)", full.loss() / first);
            let mut stochastic = StochasticDescent::new(network.clone(), &data, eta, 3, 1);
            let mut epoch = || {
                (0..3).for_each(|_| stochastic.step());
                stochastic.loss()
            };
            let reached = (0..4000).any(|_| epoch() <= 1e-4 * first);
            assert!(reached, "{kind}, {labels}: stochastic descent is at {:e} of L(0)", epoch() / first);
        }
    }
}
