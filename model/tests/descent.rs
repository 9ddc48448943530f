//! Descent beside the plain steps that it stands for.

use fathom_kernels::{Activation, Parallelism, Real};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::descent::{Descent, Point};
use fathom_model::network::Inputs;
use fathom_model::tangent::layer_gram;
use fathom_model::{Architecture, Dataset, Kind, Network};

const ETA: f64 = 0.02;

fn case<T: Real>(kind: Kind, width: usize, samples: usize, parallelism: Parallelism) -> (Network<T>, Dataset) {
    let data = Spec::Images { samples, shape: [1, 3, 4] }.draw(3).unwrap();
    let images = Patches { channels: 1, image: [3, 4], patch: [3, 3] };
    let architecture = Architecture::new(kind, 4, 0.5, Activation::SOFTPLUS, images).unwrap();
    (Network::random(architecture, width, 5, parallelism), data)
}

/// Losses of `steps` plain steps, and the network after them.
fn plain<T: Real>((mut network, data): (Network<T>, Dataset), steps: usize) -> (Vec<f64>, Network<T>) {
    let inputs = Inputs::new(network.architecture(), &data);
    let losses = (0..steps).map(|_| {
        let point = Point::of(&network, &inputs, &data);
        point.descend(&mut network, ETA);
        point.loss
    });
    (losses.collect(), network)
}

#[test]
fn a_descent_without_delay_takes_the_plain_steps_to_the_bit() {
    fn check<T: Real>(kind: Kind, width: usize, samples: usize) {
        let (losses, network) = plain(case::<T>(kind, width, samples, Parallelism::Serial), 5);
        for threads in [1, 2, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| {
                let (start, data) = case::<T>(kind, width, samples, Parallelism::Rayon);
                let mut descent = Descent::with_delay(start, &data, ETA, 1);
                let found: Vec<f64> = (0..5).map(|_| descent.step()).collect();
                assert!(found == losses, "{kind} {width} x {samples}: {found:?} and not {losses:?}");
                assert_eq!(descent.into_network().hash(), network.hash(), "{kind} {width} x {samples}");
            });
        }
    }
    for kind in Kind::ALL {
        // Fewer samples than lanes, as many, more than are finished with their product; widths that no tile divides.
        for (width, samples) in [(1, 1), (40, 5), (97, 8), (130, 13), (64, 60)] {
            check::<f32>(kind, width, samples);
            check::<f64>(kind, width, samples);
        }
    }
}

#[test]
fn a_look_shows_the_last_gram_matrix_and_changes_no_step() {
    const STEPS: usize = 7;
    for kind in Kind::ALL {
        let (mut network, data) = case::<f64>(kind, 50, 5, Parallelism::Serial);
        let start = network.clone();
        let inputs = Inputs::new(network.architecture(), &data);
        let mut plain = Descent::with_delay(start.clone(), &data, ETA, 1);
        let mut delayed = Descent::with_delay(start.clone(), &data, ETA, 4);
        let mut unseen = Descent::with_delay(start, &data, ETA, 4);
        for step in 0..STEPS {
            let point = Point::of(&network, &inputs, &data);
            let expected = (point.loss, layer_gram(&network, &point, 4));
            assert_eq!(plain.look(), expected, "{kind} after {step} steps");
            assert_eq!(plain.look(), expected, "{kind}: a second look");
            let (loss, gram) = delayed.look();
            assert!((loss / expected.0 - 1.0).abs() < 1e-9, "{kind}: {loss} and not {}", expected.0);
            assert!(gram.distance(&expected.1) < 1e-9 * expected.1.eigenvalues()[4], "{kind} after {step} steps");
            assert_eq!((plain.step(), delayed.step()), (expected.0, unseen.step()), "{kind} after {step} steps");
            point.descend(&mut network, ETA);
        }
        assert_eq!(plain.into_network().hash(), network.hash(), "{kind}");
        assert_eq!(delayed.into_network().hash(), unseen.into_network().hash(), "{kind}");
    }
}

#[test]
fn a_delay_changes_nothing_but_rounding() {
    for kind in [Kind::FullyConnected, Kind::ResNet, Kind::LinearResNet, Kind::BlockResNet] {
        // Not a multiple of any delay: some steps are pending at the end.
        const STEPS: usize = 21;
        let (losses, network) = plain(case::<f64>(kind, 60, 5, Parallelism::Serial), STEPS);
        for delay in [2, 3, 4, 8, 16, 64] {
            let (start, data) = case::<f64>(kind, 60, 5, Parallelism::Serial);
            let mut descent = Descent::with_delay(start, &data, ETA, delay);
            for (step, &loss) in losses.iter().enumerate() {
                let found = descent.step();
                assert!(
                    (found - loss).abs() <= 1e-12 * loss,
                    "{kind}, step {step}, S = {delay}: {found} and not {loss}"
                );
            }
            let depth = network.architecture().depth();
            for h in 1..=depth {
                let found = descent.network().weights(h).to_vec();
                for (found, &expected) in found.iter().zip(network.weights(h)) {
                    assert!((found - expected).abs() <= 1e-12, "{kind}, layer {h}, S = {delay}");
                }
            }
        }
    }
}

#[test]
fn the_delay_depends_on_the_shape_alone() {
    let run = |threads: usize, width: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            // Three samples 256 wide: steps are delayed.
            let (start, data) = case::<f32>(Kind::ResNet, width, 3, Parallelism::Rayon);
            let mut descent = Descent::new(start, &data, ETA);
            let losses: Vec<u64> = (0..9).map(|_| descent.step().to_bits()).collect();
            (losses, descent.loss().to_bits(), descent.into_network().hash())
        })
    };
    assert_eq!(run(1, 256), run(3, 256));
    // What the factors add to a step stays below a twentieth of it: S n / m, for powers of two up to 16.
    for (width, samples, delay) in [(256, 3, 4), (256, 10, 1), (400, 10, 2), (320, 1, 16), (4096, 1, 16)] {
        let (start, data) = case::<f32>(Kind::FullyConnected, width, samples, Parallelism::Serial);
        assert_eq!(Descent::new(start, &data, ETA).delay(), delay, "width {width}, {samples} samples");
    }
}
