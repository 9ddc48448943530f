//! Steps of full-batch descent of residual networks, on one core and on all. What changes from one commit to the next shows
//! here; against whom we stand, and how near the machine's limits, `verify bench train` says.
//!
//! Criterion's "elem/s" are floating-point operations a second, two for each multiply-add of a product.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use fathom_kernels::{Activation, Parallelism};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::descent::Descent;
use fathom_model::{Architecture, Kind, Network};

/// Width, hidden layers and samples: networks that a core's cache holds, that all cores' cache holds, and that memory holds;
/// and samples enough for arithmetic to count.
const SIZES: [[usize; 3]; 4] = [[256, 8, 10], [1024, 8, 10], [2048, 8, 10], [1024, 8, 100]];
/// Numbers in an input.
const INPUT_SIZE: usize = 256;
/// Steps of an iteration: a descent that lets its weights take up several steps at a time takes up at most so many.
const STEPS: usize = 16;

fn descent([width, depth, samples]: [usize; 3], parallelism: Parallelism) -> Descent<f32> {
    let data = Spec::Sphere { samples, size: INPUT_SIZE }.draw(1).expect("random samples are not parallel");
    let input = Patches::vector(INPUT_SIZE);
    let architecture = Architecture::new(Kind::ResNet, depth, 0.5, Activation::SOFTPLUS, input);
    let network = Network::random(architecture.expect("the table's settings are valid"), width, 1, parallelism);
    Descent::new(network, &data, 0.1 / samples as f64)
}

/// Floating-point operations of a step: nobody asks for the gradient to the inputs.
fn operations([width, depth, samples]: [usize; 3]) -> usize {
    samples * width * (4 * INPUT_SIZE + 6 * (depth - 1) * width + 4)
}

fn main() {
    let times = (Duration::from_millis(500), Duration::from_secs(4));
    let criterion = Criterion::default().sample_size(10).warm_up_time(times.0).measurement_time(times.1);
    let mut criterion = criterion.configure_from_args();
    for size in SIZES {
        let mut group =
            criterion.benchmark_group(format!("training-f32-{}", size.map(|size| size.to_string()).join("x")));
        group.throughput(Throughput::Elements((STEPS * operations(size)) as u64));
        for (name, parallelism) in [("fathom", Parallelism::Serial), ("fathom-all-cores", Parallelism::Rayon)] {
            let mut descent = None;
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                let descent = descent.get_or_insert_with(|| self::descent(size, parallelism));
                bencher.iter(|| (0..STEPS).map(|_| descent.step()).sum::<f64>());
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
