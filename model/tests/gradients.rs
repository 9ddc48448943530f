//! Gradients and tangent kernels against central differences, in f64.

use fathom_kernels::{Activation, Parallelism};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::descent::Point;
use fathom_model::network::Inputs;
use fathom_model::tangent::{layer_gram, tangent_kernel};
use fathom_model::{Architecture, Dataset, Gram, Kind, Network};

struct Case {
    data: Dataset,
    inputs: Inputs<f64>,
    network: Network<f64>,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let data = Spec::Images { samples: 3, shape: [2, 3, 4] }.draw(5).unwrap();
    let images = Patches { channels: 2, image: [3, 4], patch: [3, 3] };
    for kind in Kind::ALL {
        for depth in [1, 3, 4] {
            for activation in [Activation::SOFTPLUS, Activation::Gelu, Activation::Tanh] {
                let architecture = Architecture::new(kind, depth, 0.5, activation, images).unwrap();
                let inputs = Inputs::new(&architecture, &data);
                let network = Network::random(architecture, 5, 11, Parallelism::Serial);
                cases.push(Case { data: data.clone(), inputs, network });
            }
        }
    }
    cases
}

/// W^(1), ..., W^(H), a.
fn parameter(network: &mut Network<f64>, h: usize) -> &mut [f64] {
    if h <= network.architecture().depth() { network.weights_mut(h) } else { network.output_mut() }
}

/// For each parameter array, the derivative of `f` to each entry, by central differences.
fn differences(case: &Case, f: impl Fn(&Network<f64>) -> Vec<f64>) -> Vec<Vec<Vec<f64>>> {
    const STEP: f64 = 1e-5;
    let depth = case.network.architecture().depth();
    (1..=depth + 1)
        .map(|h| {
            let mut network = case.network.clone();
            (0..parameter(&mut network, h).len())
                .map(|k| {
                    let value = parameter(&mut network, h)[k];
                    let mut at = |shift: f64| {
                        parameter(&mut network, h)[k] = value + shift;
                        f(&network)
                    };
                    let (above, below) = (at(STEP), at(-STEP));
                    parameter(&mut network, h)[k] = value;
                    above.iter().zip(below).map(|(a, b)| (a - b) / (2.0 * STEP)).collect()
                })
                .collect()
        })
        .collect()
}

#[test]
fn every_gradient_of_the_loss_agrees_with_central_differences() {
    for case in cases() {
        let point = Point::of(&case.network, &case.inputs, &case.data);
        let loss = |network: &Network<f64>| vec![Point::of(network, &case.inputs, &case.data).loss];
        let expected = differences(&case, loss);
        let depth = case.network.architecture().depth();
        for h in 1..=depth + 1 {
            let mut found = vec![f64::NAN; expected[h - 1].len()];
            if h <= depth {
                let passes = (&point.forward, &point.backward);
                case.network.weight_gradient(h, 1.0, &point.residuals, passes, 0.0, &mut found);
            } else {
                case.network.output_gradient(1.0, &point.residuals, &point.forward.features[depth], 0.0, &mut found);
            }
            let largest = expected[h - 1].iter().fold(1e-3f64, |most, e| most.max(e[0].abs()));
            for (k, (f, e)) in found.iter().zip(&expected[h - 1]).enumerate() {
                let error = (f - e[0]).abs() / largest;
                assert!(error < 1e-7, "{:?}: layer {h}, entry {k}: {f} against {}", case.network.architecture(), e[0]);
            }
        }
    }
}

#[test]
fn tangent_kernels_are_products_of_jacobians() {
    for case in cases() {
        let point = Point::of(&case.network, &case.inputs, &case.data);
        let jacobian = differences(&case, |network| network.forward(&case.inputs).outputs);
        let product = |layers: &[Vec<Vec<f64>>]| {
            Gram::from_fn(case.data.samples(), |i, j| layers.iter().flatten().map(|d| d[i] * d[j]).sum())
        };
        let depth = case.network.architecture().depth();
        let close = |found: &Gram, expected: &Gram, what: &str| {
            let size = expected.distance(&Gram::zeros(expected.n()));
            let error = found.distance(expected) / size;
            assert!(error < 1e-8, "{what} of {:?}: relative error {error:e}", case.network.architecture());
        };
        for h in 1..=depth {
            close(&layer_gram(&case.network, &point, h), &product(&jacobian[h - 1..h]), &format!("G^({h})"));
        }
        close(&tangent_kernel(&case.network, &point), &product(&jacobian), "the tangent kernel");
    }
}

#[test]
fn a_step_of_descent_is_the_gradient_times_eta() {
    for case in cases() {
        let point = Point::of(&case.network, &case.inputs, &case.data);
        let mut moved = case.network.clone();
        let eta = 0.25;
        point.descend(&mut moved, eta);
        for h in 1..=case.network.architecture().depth() {
            let mut gradient = vec![0.0; case.network.weights(h).len()];
            let passes = (&point.forward, &point.backward);
            case.network.weight_gradient(h, 1.0, &point.residuals, passes, 0.0, &mut gradient);
            for ((after, before), g) in moved.weights(h).iter().zip(case.network.weights(h)).zip(gradient) {
                assert!((after - (before - eta * g)).abs() < 1e-13);
            }
        }
        let mut gradient = vec![0.0; case.network.output().len()];
        let top = &point.forward.features[case.network.architecture().depth()];
        case.network.output_gradient(1.0, &point.residuals, top, 0.0, &mut gradient);
        for ((after, before), g) in moved.output().iter().zip(case.network.output()).zip(gradient) {
            assert!((after - (before - eta * g)).abs() < 1e-13);
        }
    }
}
