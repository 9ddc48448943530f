//! Vector math and standard normals on one core, on arrays that the second-level cache holds. What changes from one commit to
//! the next shows here; against whom we stand, `verify bench elementwise` and `verify bench normal` say.
//!
//! Criterion's "elem/s" are values a second.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use fathom_kernels::{Activation, Real, activation, normal};

const ACTIVATIONS: [Activation; 6] =
    [Activation::SOFTPLUS, Activation::Sigmoid, Activation::Tanh, Activation::Erf, Activation::Gelu, Activation::Silu];

/// Bytes of an array; with its results, it lies in any second-level cache but in no first.
const BYTES: usize = 64 << 10;

/// Times `function`, from normals of standard deviation 2 to an array of the same length.
fn time<T: Real>(criterion: &mut Criterion, name: &str, mut function: impl FnMut(&[T], &mut [T])) {
    let mut input = vec![T::ZERO; BYTES / size_of::<T>()];
    normal::fill(1, 0, 0, &mut input);
    input.iter_mut().for_each(|x| *x += *x);
    let mut output = vec![T::ZERO; input.len()];
    let mut group = criterion.benchmark_group(format!("elementwise-{}", T::NAME));
    group.throughput(Throughput::Elements(input.len() as u64));
    group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
        bencher.iter(|| function(std::hint::black_box(&input), &mut output));
    });
    group.finish();
}

fn all<T: Real>(criterion: &mut Criterion) {
    time::<T>(criterion, "exp", activation::exp);
    for of in ACTIVATIONS {
        time::<T>(criterion, &of.to_string(), |x, y| of.apply(x, y));
        time::<T>(criterion, &format!("{of}'"), |x, y| of.derivative(x, y));
    }
    time::<T>(criterion, "normal", |_, y| normal::fill(1, 0, 0, y));
}

fn main() {
    let times = (Duration::from_millis(500), Duration::from_secs(1));
    let criterion = Criterion::default().sample_size(20).warm_up_time(times.0).measurement_time(times.1);
    let mut criterion = criterion.configure_from_args();
    all::<f32>(&mut criterion);
    all::<f64>(&mut criterion);
    criterion.final_summary();
}
