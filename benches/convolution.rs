//! Convolutions of residual networks on one core: forward, and the gradients to the images and to the filters.
//!
//! Criterion's "elem/s" are floating-point operations a second, two for each tap, those that fall on padding (and are
//! never computed) included.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use fathom_kernels::{ConvGeometry, Parallelism, Real, TensorMut, TensorRef, conv, normal};

/// Name, channels in and out, rows and columns of an image, and (square) kernel, stride and padding.
const LAYERS: [(&str, [usize; 2], usize, [usize; 3]); 6] = [
    ("stem", [3, 64], 224, [7, 2, 3]),
    ("56x56", [64, 64], 56, [3, 1, 1]),
    ("56x56-half", [64, 128], 56, [3, 2, 1]),
    ("28x28", [128, 128], 28, [3, 1, 1]),
    ("14x14-1x1", [256, 1024], 14, [1, 1, 0]),
    ("7x7", [512, 512], 7, [3, 1, 1]),
];

fn to<T: Real>(data: &mut [T], shape: [usize; 4]) -> TensorMut<'_, T> {
    TensorMut::dense(data, shape).expect("sized for this shape")
}

fn layer<T: Real>(criterion: &mut Criterion, name: &str, channels: [usize; 2], size: usize, geometry: ConvGeometry) {
    let [inputs, outputs] = channels;
    let [kh, kw] = geometry.kernel;
    let [oh, ow] = geometry.output_size([size; 2]).expect("the table's kernels fit their images");
    let shapes = [[1, inputs, size, size], [outputs, inputs, kh, kw], [1, outputs, oh, ow]];
    let [x, w, y] = [0, 1, 2].map(|stream| {
        let mut data = vec![T::ZERO; shapes[stream].iter().product()];
        normal::fill(1, stream as u64, 0, &mut data);
        data
    });
    let view = |data, i: usize| TensorRef::dense(data, shapes[i]).expect("sized for this shape");
    let (vx, vw, vy) = (view(&x, 0), view(&w, 1), view(&y, 2));
    let [mut dx, mut dw, mut out] = [x.clone(), w.clone(), y.clone()];
    let (one, zero, serial) = (T::ONE, T::ZERO, Parallelism::Serial);

    let mut group = criterion.benchmark_group(format!("conv-{}-{name}", T::NAME));
    group.throughput(Throughput::Elements((2 * outputs * inputs * kh * kw * oh * ow) as u64));
    group.bench_function(BenchmarkId::from_parameter("forward"), |bencher| {
        bencher.iter(|| conv::forward(&geometry, one, vw, vx, zero, to(&mut out, shapes[2]), serial));
    });
    group.bench_function(BenchmarkId::from_parameter("input"), |bencher| {
        bencher.iter(|| conv::backward_input(&geometry, one, vw, vy, zero, to(&mut dx, shapes[0]), serial));
    });
    group.bench_function(BenchmarkId::from_parameter("weights"), |bencher| {
        bencher.iter(|| conv::backward_weights(&geometry, one, vy, vx, zero, to(&mut dw, shapes[1]), serial));
    });
    group.finish();
}

fn main() {
    let times = (Duration::from_millis(500), Duration::from_secs(2));
    let criterion = Criterion::default().sample_size(20).warm_up_time(times.0).measurement_time(times.1);
    let mut criterion = criterion.configure_from_args();
    for (name, channels, size, [kernel, stride, padding]) in LAYERS {
        let geometry =
            ConvGeometry { kernel: [kernel; 2], stride: [stride; 2], padding: [padding; 2], dilation: [1; 2] };
        layer::<f32>(&mut criterion, name, channels, size, geometry);
    }
    criterion.final_summary();
}
