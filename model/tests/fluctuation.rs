//! The delta method's Gaussian against starts drawn exactly in law.

use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::fluctuation::{Fluctuation, FluctuationError};
use fathom_model::law::{Law, Precision};
use fathom_model::population::population;
use fathom_model::{Activation, Architecture, Dataset, Gram, Kind, Moments, Residual};
use rayon::prelude::*;

/// Wide enough that what is left out lies far below the standard errors.
const WIDTH: usize = 1 << 13;
const STARTS: u64 = 600;
const DRAWS: usize = 1 << 14;

fn moments(values: &[f64]) -> (f64, f64, f64) {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let central = |p: i32| values.iter().map(|x| (x - mean).powi(p)).sum::<f64>() / count;
    let variance = central(2);
    // The standard error of the variance.
    (mean, variance, ((central(4) - variance * variance) / count).sqrt())
}

fn compare(architecture: &Architecture, data: &Dataset, name: &str) {
    let limit = population(architecture, data).kernel;
    let law = Law::new(architecture, data, Precision::Double);
    let root = (WIDTH as f64).sqrt();
    let started: Vec<Gram> = (0..STARTS)
        .into_par_iter()
        .map(|seed| {
            let gram = law.last_gram(WIDTH, seed);
            Gram::from_fn(limit.n(), |i, j| root * (gram.get(i, j) - limit.get(i, j)))
        })
        .collect();
    let fluctuation = Fluctuation::new(architecture, data).unwrap();
    assert!((fluctuation.lambda0() / limit.eigenvalues()[0] - 1.0).abs() < 1e-6, "{name}: lambda_0");
    let drawn = fluctuation.matrices(DRAWS, 1);
    let zeros = Gram::zeros(limit.n());
    type Statistic<'a> = &'a dyn Fn(&Gram) -> f64;
    let statistics: [(&str, Statistic<'_>); 5] = [
        ("Z_11", &|z| z.get(0, 0)),
        ("Z_21", &|z| z.get(1, 0)),
        ("Z_22 - Z_21", &|z| z.get(1, 1) - z.get(1, 0)),
        ("Z_11 + Z_22 - 2 Z_21", &|z| z.get(0, 0) + z.get(1, 1) - 2.0 * z.get(1, 0)),
        ("||Z||", &|z| z.distance(&zeros)),
    ];
    for (what, statistic) in statistics {
        let of = |all: &[Gram]| moments(&all.iter().map(statistic).collect::<Vec<_>>());
        let ((mean, variance, error), (other, drawn, drawn_error)) = (of(&started), of(&drawn));
        let means = (mean - other) / (variance / STARTS as f64 + drawn / DRAWS as f64).sqrt();
        let variances = (variance - drawn) / error.hypot(drawn_error);
        assert!(
            means.abs() < 4.0 && variances.abs() < 4.0,
            "{name}: of {what} the mean is {means} and the variance {variances} standard errors off ({variance:e}, {drawn:e})"
        );
    }
}

#[test]
fn starts_fluctuate_as_the_delta_method_says() {
    let images = Patches { channels: 2, image: [1, 3], patch: [1, 3] };
    let data = Spec::Images { samples: 3, shape: [2, 1, 3] }.draw(5).unwrap();
    let (softplus, relu, tanh) = (Activation::SOFTPLUS, Activation::Relu, Activation::Tanh);
    for (kind, depth, activations) in [
        (Kind::FullyConnected, 1, vec![softplus]),
        (Kind::FullyConnected, 5, vec![softplus, relu, tanh]),
        (Kind::ResNet, 2, vec![softplus]),
        (Kind::ResNet, 5, vec![softplus, relu]),
        (Kind::ConvResNet, 1, vec![tanh]),
        (Kind::ConvResNet, 4, vec![softplus]),
        (Kind::BlockResNet, 6, vec![softplus]),
        (Kind::LinearResNet, 4, vec![softplus]),
    ] {
        for activation in activations {
            let architecture = Architecture::new(kind, depth, 0.9, activation, images).unwrap();
            // Without 1/H, the skips' own terms are as large as the others.
            let architecture = architecture.with_residual(Residual::Constant);
            compare(&architecture, &data, &format!("{kind} {depth} {activation}"));
        }
    }
}

#[test]
fn predicted_widths_are_those_that_starts_need() {
    // At right angles lambda_0 is large and the widths are small.
    let data = Spec::Orthonormal { samples: 4, size: 6 }.draw(2).unwrap();
    for kind in [Kind::FullyConnected, Kind::ResNet] {
        let architecture = Architecture::new(kind, 3, 0.5, Activation::SOFTPLUS, Patches::vector(6)).unwrap();
        let limit = population(&architecture, &data).kernel;
        let fluctuation = Fluctuation::new(&architecture, &data).unwrap();
        let quarter = fluctuation.lambda0() / 4.0;
        let draws = fluctuation.draw(DRAWS, 3);
        let law = Law::new(&architecture, &data, Precision::Double);
        for delta in [0.5, 0.2] {
            // At the predicted width, the criterion holds in a fraction 1 - delta of the starts.
            let holds = |width: f64, criterion: &(dyn Fn(&Gram) -> bool + Sync)| {
                let starts = (0..STARTS).into_par_iter().map(|seed| law.last_gram(width.round() as usize, seed));
                starts.filter(|gram| criterion(gram)).count() as f64 / STARTS as f64
            };
            let closeness = draws.closeness(delta);
            let rate = holds(closeness.width, &|gram| gram.distance(&limit) <= quarter);
            let error = (delta * (1.0 - delta) / STARTS as f64).sqrt();
            assert!((rate - (1.0 - delta)).abs() < 4.0 * error, "{kind}: {closeness:?} holds in {rate}");
            assert!(closeness.low < closeness.width && closeness.width < closeness.high);
            let positivity = draws.positivity(delta);
            assert!(positivity.width < closeness.width, "{kind}: {positivity:?}, {closeness:?}");
            let rate = holds(positivity.width, &|gram| gram.eigenvalues()[0] >= 3.0 * quarter);
            // These widths are small, where terms of the next order show.
            assert!((rate - (1.0 - delta)).abs() < 4.0 * error + 0.1, "{kind}: {positivity:?} holds in {rate}");
        }
    }
}

#[test]
fn fully_connected_networks_of_depth_64_keep_their_digits() {
    let data = Spec::Orthonormal { samples: 3, size: 6 }.draw(1).unwrap();
    let vectors = Patches::vector(6);
    let chi1 = Moments::of(Activation::SOFTPLUS).chi1;
    let of = |depth| {
        let architecture = Architecture::new(Kind::FullyConnected, depth, 0.5, Activation::SOFTPLUS, vectors).unwrap();
        let fluctuation = Fluctuation::new(&architecture, &data).unwrap();
        // So many that the standard error of the growth is well below its tolerance.
        let draws = fluctuation.draw(1 << 16, 1);
        (fluctuation.lambda0(), draws.closeness(0.5).width, draws.positivity(0.5).width)
    };
    let (before, last) = (of(60), of(64));
    assert!((last.0 / before.0 / chi1.powi(4) - 1.0).abs() < 1e-6, "{:e} after {:e}", last.0, before.0);
    let growth = (last.1 / before.1).powf(0.25);
    assert!((growth * chi1 * chi1 - 1.0).abs() < 0.02, "closeness grows by {growth} a layer");
    assert!(last.2 > 1.0 && last.2 < 2.0 * before.2, "positivity: {} after {}", last.2, before.2);
}

/// The lowest eigenvector need not be a contrast, nor the mean's entry of K above the others.
#[test]
fn lambda0_is_the_smallest_eigenvalue_of_any_kernel() {
    let check = |data: &Dataset, depth: usize, activation: &str| {
        let activation: Activation = activation.parse().unwrap();
        let patches = Patches::vector(data.input_size());
        let architecture = Architecture::new(Kind::FullyConnected, depth, 0.5, activation, patches).unwrap();
        let found = Fluctuation::new(&architecture, data).unwrap().lambda0();
        let expected = population(&architecture, data).kernel.eigenvalues()[0];
        assert!((found / expected - 1.0).abs() < 1e-9, "{activation} H={depth}: {found}, not {expected}");
    };
    let cosine = -0.5f64;
    let two = vec![vec![1.0, 0.0], vec![cosine, (1.0 - cosine * cosine).sqrt()]];
    let two = Dataset::new(two, vec![1.0, -1.0]).unwrap();
    check(&two, 1, "softplus");
    check(&two, 2, "tanh");
    check(&Spec::Orthonormal { samples: 4, size: 8 }.draw(1).unwrap(), 1, "softplus");
}

#[test]
fn what_cannot_be_resolved_is_refused() {
    let data = Spec::Orthonormal { samples: 9, size: 16 }.draw(1).unwrap();
    let images = Patches { channels: 2, image: [1, 8], patch: [1, 3] };
    let architecture = Architecture::new(Kind::ConvResNet, 2, 0.5, Activation::SOFTPLUS, images).unwrap();
    assert_eq!(Fluctuation::new(&architecture, &data).err(), Some(FluctuationError::Points(72)));
    // An activation that is all but linear, on more samples than dimensions.
    let close = Spec::Sphere { samples: 6, size: 2 }.draw(1).unwrap();
    let linear = "softplus:0.01".parse().unwrap();
    let architecture = Architecture::new(Kind::ResNet, 1, 0.5, linear, Patches::vector(2)).unwrap();
    let error = Fluctuation::new(&architecture, &close).err();
    assert!(matches!(error, Some(FluctuationError::Unresolved { .. })), "{error:?}");
}
