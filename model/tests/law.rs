//! Drawing in law against real matrices: the same distribution.

use fathom_kernels::{Activation, Parallelism};
use fathom_model::architecture::Patches;
use fathom_model::condition::Conditions;
use fathom_model::dataset::Spec;
use fathom_model::descent::Point;
use fathom_model::law::{Law, Precision};
use fathom_model::network::Inputs;
use fathom_model::population::population;
use fathom_model::tangent::layer_gram;
use fathom_model::{Architecture, Gram, Kind, Network, law};

type Statistic<'a> = &'a dyn Fn(&Gram) -> f64;

/// sqrt(n/2) D of the two-sample Kolmogorov-Smirnov test, for samples of one size n.
fn kolmogorov_smirnov(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let below = |sorted: &[f64], x: f64| sorted.partition_point(|&y| y <= x) as f64 / sorted.len() as f64;
    let distance = a.iter().chain(&b).map(|&x| (below(&a, x) - below(&b, x)).abs()).fold(0.0, f64::max);
    (a.len() as f64 / 2.0).sqrt() * distance
}

#[test]
fn starts_drawn_in_law_are_distributed_as_those_of_real_matrices() {
    const STARTS: u64 = 400;
    // Over two layers, the first skip that enters G^(H) belongs to layer 3.
    const DEPTH: usize = 4;
    let images = Patches { channels: 1, image: [1, 4], patch: [1, 3] };
    let data = Spec::Images { samples: 3, shape: [1, 1, 4] }.draw(3).unwrap();
    for kind in Kind::ALL {
        for width in [8, 64] {
            let architecture = Architecture::new(kind, DEPTH, 0.9, Activation::SOFTPLUS, images).unwrap();
            let limit = population(&architecture, &data).kernel;
            let inputs = Inputs::new(&architecture, &data);
            let real = |seed| {
                let network = Network::<f64>::random(architecture, width, seed, Parallelism::Serial);
                layer_gram(&network, &Point::of(&network, &inputs, &data), DEPTH)
            };
            let real: Vec<Gram> = (0..STARTS).map(real).collect();
            let drawn: Vec<Gram> =
                (0..STARTS).map(|seed| law::last_gram(&architecture, &data, width, 1_000_000 + seed)).collect();
            let statistics: [(&str, Statistic<'_>); 4] = [
                ("||G - K||", &|g| g.distance(&limit)),
                ("lambda_min(G)", &|g| g.eigenvalues()[0]),
                ("G_11", &|g| g.get(0, 0)),
                ("G_12", &|g| g.get(0, 1)),
            ];
            for (name, statistic) in statistics {
                let distance =
                    kolmogorov_smirnov(real.iter().map(statistic).collect(), drawn.iter().map(statistic).collect());
                // Exceeded with probability 0.0003 under one law.
                assert!(distance < 2.1, "{kind} at width {width}: {name} differs, sqrt(n/2) D = {distance}");
            }
        }
    }
}

#[test]
fn single_precision_is_harmless_where_it_is_sufficient() {
    // Both types draw the same normals, so that what is left is rounding.
    const WIDTH: usize = 1 << 16;
    let data = Spec::Sphere { samples: 8, size: 16 }.draw(1).unwrap();
    let mut single = 0;
    for activation in ["softplus", "softplus:8", "tanh", "gelu", "relu"] {
        for (kind, depth) in [(Kind::FullyConnected, 2), (Kind::FullyConnected, 8), (Kind::ResNet, 16)] {
            let activation = activation.parse().unwrap();
            let architecture = Architecture::new(kind, depth, 0.5, activation, Patches::vector(16)).unwrap();
            let conditions = Conditions::of(&architecture, &population(&architecture, &data));
            let gram = |precision| Law::new(&architecture, &data, precision).last_gram(WIDTH, 3);
            let (coarse, fine) = (gram(Precision::Single), gram(Precision::Double));
            let quarter = conditions.lambda0 / 4.0;
            let errors = [coarse.distance(&fine), (coarse.eigenvalues()[0] - fine.eigenvalues()[0]).abs()];
            if Precision::sufficient(depth, conditions.lambda0, conditions.lambda_max) == Precision::Single {
                single += 1;
                assert!(errors.iter().all(|error| error / quarter < 2e-3), "{kind} {depth} {activation}: {errors:?}");
            }
        }
    }
    assert!(single >= 10, "{single} of 15 cases allow f32");
    assert_eq!(Precision::sufficient(8, 1e-5, 1.0), Precision::Double);
}

#[test]
fn a_start_depends_on_its_seed_alone() {
    let data = Spec::Orthonormal { samples: 4, size: 8 }.draw(1).unwrap();
    let architecture = Architecture::new(Kind::ResNet, 3, 0.5, Activation::SOFTPLUS, Patches::vector(8)).unwrap();
    let gram = |seed| law::last_gram(&architecture, &data, 3000, seed);
    assert_eq!(gram(5), gram(5));
    assert_ne!(gram(5), gram(6));
}
