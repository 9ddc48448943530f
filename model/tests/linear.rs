//! Linear residual networks: their closed form at infinite width, and a descent within the region of Hardt and Ma.

use fathom_kernels::{Activation, Parallelism};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::descent::{Point, step_size};
use fathom_model::linear::largest_residual_norm;
use fathom_model::network::Inputs;
use fathom_model::population::population;
use fathom_model::tangent::tangent_kernel;
use fathom_model::{Architecture, Gram, Kind, Network};

const C_RES: f64 = 0.5;

fn linear(depth: usize, size: usize) -> Architecture {
    // The activation that is asked for is not used.
    Architecture::new(Kind::LinearResNet, depth, C_RES, Activation::Tanh, Patches::vector(size)).unwrap()
}

#[test]
fn the_infinitely_wide_network_multiplies_its_inputs_gram_matrix() {
    let data = Spec::Sphere { samples: 4, size: 6 }.draw(3).unwrap();
    for depth in [2, 3, 7] {
        // The rows of A_h x are centred, so each layer adds r^2 times the covariance: K^(H) = r^2 (1 + r^2)^(H - 2) X^T X.
        let r = C_RES / depth as f64;
        let factor = r * r * (1.0 + r * r).powi(depth as i32 - 2);
        let dot = |i: usize, j: usize| data.input(i).iter().zip(data.input(j)).map(|(x, y)| x * y).sum::<f64>();
        let expected = Gram::from_fn(4, |i, j| factor * dot(i, j));
        let found = population(&linear(depth, 6), &data).kernel;
        assert!(found.distance(&expected) < 1e-15, "depth {depth}: {:e}", found.distance(&expected));
    }
}

#[test]
fn residual_norms_are_near_their_limit_at_a_random_start() {
    for depth in [2, 5] {
        let network = Network::<f32>::random(linear(depth, 6), 128, 7, Parallelism::Serial);
        let (norm, limit) = (largest_residual_norm(&network).unwrap(), 2.0 * C_RES / depth as f64);
        assert!((norm / limit - 1.0).abs() < 0.05, "depth {depth}: {norm} against {limit}");
    }
    let network = Network::<f64>::random(linear(1, 6), 8, 7, Parallelism::Serial);
    assert_eq!(largest_residual_norm(&network), None);
    let resnet = Architecture::new(Kind::ResNet, 3, C_RES, Activation::Identity, Patches::vector(6)).unwrap();
    assert_eq!(largest_residual_norm(&Network::<f64>::random(resnet, 8, 7, Parallelism::Serial)), None);
}

#[test]
fn descent_reaches_zero_loss_within_the_region_of_hardt_and_ma() {
    let data = Spec::Sphere { samples: 4, size: 8 }.draw(5).unwrap();
    let architecture = linear(4, 8);
    let inputs = Inputs::<f64>::new(&architecture, &data);
    let mut network = Network::random(architecture, 32, 2, Parallelism::Serial);
    let mut point = Point::of(&network, &inputs, &data);
    let first = point.loss;
    let eta = step_size(*tangent_kernel(&network, &point).eigenvalues().last().unwrap());
    let mut largest = 0.0f64;
    let mut steps = 0;
    while point.loss > 1e-10 * first {
        largest = largest.max(largest_residual_norm(&network).unwrap());
        point.descend(&mut network, eta);
        point = Point::of(&network, &inputs, &data);
        steps += 1;
        assert!(steps < 2000, "the loss is still {:e} of the first", point.loss / first);
    }
    assert!(largest < 1.0, "||A_h|| reached {largest}");
}
