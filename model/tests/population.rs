//! The infinitely wide networks against closed forms, and against random starts drawn exactly in law.

use std::f64::consts::PI;

use fathom_kernels::Activation;
use fathom_model::architecture::Patches;
use fathom_model::condition::{Conditions, Theorem};
use fathom_model::dataset::Spec;
use fathom_model::population::population;
use fathom_model::{Architecture, Dataset, Gram, Kind, Moments, Residual, law};

fn sphere() -> Dataset {
    Spec::Sphere { samples: 4, size: 3 }.draw(2).unwrap()
}

/// K^(H) of a fully connected network, from the textbook recursion for one pair of samples.
fn fully_connected_by_hand(
    data: &Dataset,
    depth: usize,
    value: impl Fn(f64, f64, f64) -> f64,
    slope: impl Fn(f64, f64, f64) -> f64,
    c_sigma: f64,
) -> Gram {
    Gram::from_fn(data.samples(), |i, j| {
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (x, y) = (data.input(i), data.input(j));
        let (mut uu, mut uv, mut vv) = (dot(x, x), dot(x, y), dot(y, y));
        for _ in 1..depth {
            (uu, uv, vv) = (c_sigma * value(uu, uu, uu), c_sigma * value(uu, uv, vv), c_sigma * value(vv, vv, vv));
        }
        c_sigma * uv * slope(uu, uv, vv)
    })
}

#[test]
fn fully_connected_relu_follows_the_arccosine_law() {
    let data = sphere();
    let angle = |uu: f64, uv: f64, vv: f64| (uv / (uu * vv).sqrt()).clamp(-1.0, 1.0).acos();
    let value = |uu: f64, uv: f64, vv: f64| {
        let t = angle(uu, uv, vv);
        (uu * vv).sqrt() / (2.0 * PI) * (t.sin() + (PI - t) * t.cos())
    };
    let slope = |uu: f64, uv: f64, vv: f64| (PI - angle(uu, uv, vv)) / (2.0 * PI);
    for depth in 1..=6 {
        let vectors = Patches::vector(3);
        let architecture = Architecture::new(Kind::FullyConnected, depth, 0.5, Activation::Relu, vectors).unwrap();
        let found = population(&architecture, &data).kernel;
        let expected = fully_connected_by_hand(&data, depth, value, slope, 2.0);
        assert!(found.distance(&expected) < 1e-7, "depth {depth}: {:e}", found.distance(&expected));
    }
}

#[test]
fn fully_connected_erf_follows_the_arcsine_law() {
    let data = sphere();
    let value = |uu: f64, uv: f64, vv: f64| 2.0 / PI * (2.0 * uv / ((1.0 + 2.0 * uu) * (1.0 + 2.0 * vv)).sqrt()).asin();
    let slope = |uu: f64, uv: f64, vv: f64| 4.0 / PI / ((1.0 + 2.0 * uu) * (1.0 + 2.0 * vv) - 4.0 * uv * uv).sqrt();
    let c_sigma = PI / 2.0 / (2f64 / 3.0).asin();
    for depth in 1..=6 {
        let vectors = Patches::vector(3);
        let architecture = Architecture::new(Kind::FullyConnected, depth, 0.5, Activation::Erf, vectors).unwrap();
        let found = population(&architecture, &data).kernel;
        let expected = fully_connected_by_hand(&data, depth, value, slope, c_sigma);
        assert!(found.distance(&expected) < 1e-13, "depth {depth}: {:e}", found.distance(&expected));
    }
}

/// Every architecture at its smallest and at two more depths, over images that a 3 x 3 patch hangs over.
fn architectures(activation: Activation) -> Vec<Architecture> {
    let images = Patches { channels: 2, image: [2, 3], patch: [3, 3] };
    let all = Kind::ALL.into_iter().flat_map(|kind| [1, 2, 4].map(|depth| (kind, depth)));
    let mut all: Vec<Architecture> =
        all.map(|(kind, depth)| Architecture::new(kind, depth, 0.8, activation, images).unwrap()).collect();
    // Other residual scales change only what a layer's scale is; so one kind shows them.
    let resnet = Architecture::new(Kind::ResNet, 4, 0.8, activation, images).unwrap();
    all.extend([Residual::PerRootDepth, Residual::Constant].map(|residual| resnet.with_residual(residual)));
    all
}

#[test]
fn random_starts_agree_within_four_standard_errors() {
    const WIDTH: usize = 1 << 14;
    const STARTS: u64 = 24;
    let data = Spec::Images { samples: 3, shape: [2, 2, 3] }.draw(9).unwrap();
    for activation in [Activation::SOFTPLUS, Activation::Relu, Activation::Erf] {
        for architecture in architectures(activation) {
            let expected = population(&architecture, &data).kernel;
            let starts: Vec<Gram> = (0..STARTS).map(|seed| law::last_gram(&architecture, &data, WIDTH, seed)).collect();
            for i in 0..3 {
                for j in 0..=i {
                    let draws = starts.iter().map(|gram| gram.get(i, j));
                    let mean = draws.clone().sum::<f64>() / STARTS as f64;
                    let variance = draws.map(|g| (g - mean).powi(2)).sum::<f64>() / (STARTS - 1) as f64;
                    let error = (mean - expected.get(i, j)) / (variance / STARTS as f64).sqrt();
                    assert!(error.abs() < 4.0, "{architecture:?}: entry ({i}, {j}) is {error} standard errors off");
                }
            }
        }
    }
}

#[test]
fn lambda0_of_fully_connected_networks_shrinks_by_chi1() {
    let data = Spec::Orthonormal { samples: 4, size: 8 }.draw(1).unwrap();
    for activation in [Activation::SOFTPLUS, Activation::Sigmoid] {
        let lambda0 = |depth| {
            let vectors = Patches::vector(8);
            let architecture = Architecture::new(Kind::FullyConnected, depth, 0.5, activation, vectors).unwrap();
            population(&architecture, &data).kernel.eigenvalues()[0]
        };
        let (ratio, chi1) = (lambda0(7) / lambda0(6), Moments::of(activation).chi1);
        assert!((ratio / chi1 - 1.0).abs() < 0.02, "{activation}: {ratio} against {chi1}");
    }
    // ReLU: H lambda0 tends to 3 (for two samples at a right angle, and n of them alike).
    let relu = |depth| {
        let vectors = Patches::vector(8);
        let architecture = Architecture::new(Kind::FullyConnected, depth, 0.5, Activation::Relu, vectors).unwrap();
        depth as f64 * population(&architecture, &data).kernel.eigenvalues()[0]
    };
    let (far, farther) = (relu(100), relu(400));
    assert!((farther - 3.0).abs() < (far - 3.0).abs() && (farther - 3.0).abs() < 0.2, "{far}, {farther}");
}

#[test]
fn lambda0_of_residual_networks_stays_above_a_multiple_of_the_residual_scale() {
    let data = Spec::Orthonormal { samples: 4, size: 8 }.draw(1).unwrap();
    let scaled: Vec<f64> = [2usize, 4, 8, 16, 32]
        .iter()
        .map(|&depth| {
            let vectors = Patches::vector(8);
            let architecture = Architecture::new(Kind::ResNet, depth, 0.5, Activation::SOFTPLUS, vectors).unwrap();
            population(&architecture, &data).kernel.eigenvalues()[0] * (depth as f64 / 0.5).powi(2)
        })
        .collect();
    let (least, most) = (scaled.iter().fold(f64::MAX, |a, &b| a.min(b)), scaled.iter().fold(0.0f64, |a, &b| a.max(b)));
    assert!(least > 0.0 && most / least < 1.5, "{scaled:?}");
}

#[test]
fn conditions_and_width_terms_of_a_known_case() {
    // Orthonormal inputs: K^(1) = chi_1 I, and every pair's smallest eigenvalue at layer 1 is 1.
    let data = Spec::Orthonormal { samples: 3, size: 5 }.draw(4).unwrap();
    let architecture =
        Architecture::new(Kind::FullyConnected, 1, 0.5, Activation::SOFTPLUS, Patches::vector(5)).unwrap();
    let conditions = Conditions::of(&architecture, &population(&architecture, &data));
    let chi1 = Moments::of(Activation::SOFTPLUS).chi1;
    // At H = 1 the off-diagonal vanishes and the diagonal is c_sigma E[sigma'^2] = chi_1.
    assert!((conditions.lambda0 - chi1).abs() < 1e-12 && (conditions.lambda_max - chi1).abs() < 1e-12);
    assert!((conditions.smallest_pair - 1.0).abs() < 1e-12 && conditions.last_gram_is_positive());
    let Theorem { number, terms, factor } = Theorem::on(&architecture, 3, 0.5, 0.1).unwrap();
    assert_eq!((number, factor), ("5.1", "2^O(H)"));
    assert_eq!(terms[0].value, 6f64.powi(4));
    assert!((terms[1].value - 30.0).abs() < 1e-12);
    assert!((terms[2].value - 36.0 * 30f64.ln()).abs() < 1e-9);
}

#[test]
fn theorems_are_on_what_the_paper_has() {
    let on = |kind, activation, residual| {
        let patches = Patches { channels: 2, image: [1, 4], patch: [1, 3] };
        let patches = if kind == Kind::ConvResNet { patches } else { Patches::vector(8) };
        let architecture = Architecture::new(kind, 2, 0.5, activation, patches).unwrap().with_residual(residual);
        Theorem::on(&architecture, 4, 0.5, 0.1)
            .map(|theorem| (theorem.number, theorem.terms[0].value, theorem.terms[1].value))
    };
    let per_depth = Residual::PerDepth;
    assert_eq!(on(Kind::ResNet, Activation::SOFTPLUS, per_depth), Some(("6.1", 64.0, 16.0)));
    assert_eq!(on(Kind::ConvResNet, Activation::Tanh, per_depth), Some(("7.1", 64.0, 1024.0)));
    assert_eq!(on(Kind::ResNet, Activation::SOFTPLUS, Residual::Constant), None);
    assert_eq!(on(Kind::FullyConnected, Activation::Relu, per_depth), None);
    assert_eq!(on(Kind::BlockResNet, Activation::SOFTPLUS, per_depth), None);
}

#[test]
fn the_smallest_pair_of_one_sample_is_its_smallest_pixel() {
    let data = Dataset::new(vec![vec![0.1, 3.0, 4.0, 0.2]], vec![1.0]).unwrap();
    let patches = Patches { channels: 1, image: [1, 4], patch: [1, 1] };
    let architecture = Architecture::new(Kind::ConvResNet, 1, 0.5, Activation::SOFTPLUS, patches).unwrap();
    let limit = population(&architecture, &data);
    let smallest = (0..4).map(|l| limit.covariances[0].get(l, l)).fold(f64::MAX, f64::min);
    assert_eq!(Conditions::of(&architecture, &limit).smallest_pair, smallest);
}
