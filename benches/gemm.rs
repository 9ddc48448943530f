//! Matrix products on one core, with faer and matrixmultiply beside us, and the share of the core's peak that we reach;
//! and ours on all cores. What changes from one commit to the next shows here; against whom we stand, and on how many
//! shapes, `verify bench gemm` says.
//!
//! All multiply the same row-major matrices into a row-major result, whose entries are compared before anything
//! is timed. Criterion's "elem/s" are floating-point operations a second, two for each multiply-add.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use faer::{Accum, Par};
use fathom_kernels::{Isa, MatMut, MatRef, Parallelism, Real, gemm, normal, peak};

/// m, n and k: square products in registers, in and beyond each cache; a dense layer on a batch of 32 and its transpose;
/// a 3x3 convolution of a residual network (64 channels to 64 on 56x56 pixels); a long sum, a short one, and one row.
const SIZES: [[usize; 3]; 10] = [
    [16; 3],
    [64; 3],
    [256; 3],
    [1024; 3],
    [2048, 32, 2048],
    [32, 2048, 2048],
    [64, 3136, 576],
    [100, 100, 4096],
    [1000, 1000, 9],
    [1, 2048, 2048],
];

/// An element type that all three libraries multiply.
trait Element: Real + faer::traits::ComplexField {
    fn matrixmultiply(operands: &Operands<Self>, c: &mut [Self]);
}

/// A and B, both row-major.
struct Operands<T> {
    sizes: [usize; 3],
    a: Vec<T>,
    b: Vec<T>,
}

impl<T: Element> Operands<T> {
    fn random(sizes: [usize; 3]) -> Self {
        let [m, n, k] = sizes;
        let (mut a, mut b) = (vec![T::ZERO; m * k], vec![T::ZERO; k * n]);
        normal::fill(1, 0, 0, &mut a);
        normal::fill(1, 1, 0, &mut b);
        Self { sizes, a, b }
    }

    fn len(&self) -> usize {
        self.sizes[0] * self.sizes[1]
    }

    fn operations(&self) -> usize {
        2 * self.sizes.iter().product::<usize>()
    }

    fn fathom(&self, c: &mut [T], parallelism: Parallelism) {
        let [m, n, k] = self.sizes;
        let view = |data, rows, cols| MatRef::row_major(data, rows, cols).expect("sized for this shape");
        let c = MatMut::row_major(c, m, n).expect("sized for this shape");
        gemm(T::ONE, view(&self.a, m, k), view(&self.b, k, n), T::ZERO, c, parallelism);
    }

    fn faer(&self, c: &mut [T]) {
        let [m, n, k] = self.sizes;
        let (a, b) =
            (faer::MatRef::from_row_major_slice(&self.a, m, k), faer::MatRef::from_row_major_slice(&self.b, k, n));
        let c = faer::MatMut::from_row_major_slice_mut(c, m, n);
        faer::linalg::matmul::matmul(c, Accum::Replace, a, b, T::ONE, Par::Seq);
    }

    /// Panics unless every entry of `found` lies within two error bounds, 2 gamma_k sum |a||b|, of ours.
    fn check(&self, peer: &str, multiply: impl Fn(&Self, &mut [T])) {
        let absolute = |data: &[T]| data.iter().map(|&x| if x < T::ZERO { -x } else { x }).collect();
        let sizes @ [_, _, k] = self.sizes;
        let (mut ours, mut theirs) = (vec![T::ZERO; self.len()], vec![T::ZERO; self.len()]);
        let mut magnitudes = vec![T::ZERO; self.len()];
        self.fathom(&mut ours, Parallelism::Serial);
        multiply(self, &mut theirs);
        Self { sizes, a: absolute(&self.a), b: absolute(&self.b) }.fathom(&mut magnitudes, Parallelism::Serial);
        let roundings = k as f64 * T::EPSILON.to_f64() / 2.0;
        let gamma = roundings / (1.0 - roundings);
        for (i, ((ours, theirs), magnitude)) in ours.iter().zip(&theirs).zip(&magnitudes).enumerate() {
            let distance = (ours.to_f64() - theirs.to_f64()).abs();
            let near = distance <= 2.0 * gamma * magnitude.to_f64();
            assert!(near, "{} {sizes:?}: entry {i} is {ours}, and {theirs} by {peer}", T::NAME);
        }
    }
}

macro_rules! element {
    ($t:ident, $gemm:ident) => {
        impl Element for $t {
            fn matrixmultiply(operands: &Operands<Self>, c: &mut [Self]) {
                let Operands { sizes: [m, n, k], a, b } = operands;
                assert!(a.len() == m * k && b.len() == k * n && c.len() == m * n);
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                let (row_a, row_b) = (*k as isize, *n as isize);
                // SAFETY: A, B and C hold m k, k n and m n elements, row after row, and C is borrowed mutably.
                unsafe { matrixmultiply::$gemm(*m, *k, *n, 1.0, a, row_a, 1, b, row_b, 1, 0.0, c, row_b, 1) };
            }
        }
    };
}

element!(f32, sgemm);
element!(f64, dgemm);

fn products<T: Element>(criterion: &mut Criterion) {
    for sizes @ [m, n, k] in SIZES {
        let operands = Operands::<T>::random(sizes);
        operands.check("faer", Operands::faer);
        operands.check("matrixmultiply", T::matrixmultiply);
        let mut c = vec![T::ZERO; operands.len()];
        let mut group = criterion.benchmark_group(format!("gemm-{}-{m}x{n}x{k}", T::NAME));
        group.throughput(Throughput::Elements(operands.operations() as u64));
        for (name, parallelism) in [("fathom", Parallelism::Serial), ("fathom-all-cores", Parallelism::Rayon)] {
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| operands.fathom(&mut c, parallelism));
            });
        }
        group.bench_function(BenchmarkId::from_parameter("faer"), |bencher| bencher.iter(|| operands.faer(&mut c)));
        group.bench_function(BenchmarkId::from_parameter("matrixmultiply"), |bencher| {
            bencher.iter(|| T::matrixmultiply(&operands, &mut c));
        });
        group.finish();
    }
}

/// Seconds that this thread has spent on a CPU, so that other work on a busy machine does not count as ours (though the
/// cache that it takes from us does).
#[cfg(unix)]
fn thread_seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time`, which is there to be written to.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "the system has a clock for each thread");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds of wall time, where there is no clock for each thread.
#[cfg(not(unix))]
fn thread_seconds() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// The fastest of many runs of each of `tasks`, in turns, in GFLOP/s. A task returns the operations that it has done.
fn fastest<const N: usize>(mut tasks: [&mut dyn FnMut() -> usize; N]) -> [f64; N] {
    let mut best = [0.0f64; N];
    let started = Instant::now();
    let mut rounds = 0;
    while rounds < 5 || (rounds < 1000 && started.elapsed() < Duration::from_secs(4)) {
        for (best, task) in best.iter_mut().zip(&mut tasks) {
            let before = thread_seconds();
            let operations = task();
            *best = best.max(operations as f64 / (thread_seconds() - before) / 1e9);
        }
        rounds += 1;
    }
    best
}

/// Prints a table of the fastest runs and, for 1024, our share of the core's multiply-add peak, for the records.
fn summary<T: Element>() {
    let isa = Isa::active();
    println!("\n| {} | Fathom ({isa}) | faer | matrixmultiply |\n|---|---|---|---|", T::NAME);
    let mut at_1024 = 0.0;
    for sizes @ [m, n, k] in SIZES {
        let operands = Operands::<T>::random(sizes);
        let mut results = [(); 3].map(|()| vec![T::ZERO; operands.len()]);
        let [ours, faer, matrixmultiply] = &mut results;
        // Enough repetitions for the clock's resolution.
        let repeat = (20_000_000 / operands.operations()).max(1);
        let counted = |run: &mut dyn FnMut()| {
            (0..repeat).for_each(|_| run());
            repeat * operands.operations()
        };
        let rates = fastest([
            &mut || counted(&mut || operands.fathom(ours, Parallelism::Serial)),
            &mut || counted(&mut || operands.faer(faer)),
            &mut || counted(&mut || T::matrixmultiply(&operands, matrixmultiply)),
        ]);
        println!("| {m}x{n}x{k} | {:.1} | {:.1} | {:.1} |", rates[0], rates[1], rates[2]);
        if sizes == [1024; 3] {
            at_1024 = rates[0];
        }
    }
    let [peak] = fastest([&mut || peak::multiply_add::<T>(isa, 4_000_000)]);
    println!(
        "\n{} multiply-add peak: {peak:.1} GFLOP/s, of which 1024 reaches {:.1} %",
        T::NAME,
        100.0 * at_1024 / peak
    );
}

fn main() {
    // SAFETY: no other thread has been started yet.
    unsafe { std::env::set_var("MATMUL_NUM_THREADS", "1") };
    let times = (Duration::from_millis(500), Duration::from_secs(2));
    let criterion = Criterion::default().sample_size(20).warm_up_time(times.0).measurement_time(times.1);
    let mut criterion = criterion.configure_from_args();
    products::<f32>(&mut criterion);
    products::<f64>(&mut criterion);
    criterion.final_summary();
    // Cargo says so when it wants measurements, not a test.
    if std::env::args().any(|argument| argument == "--bench") {
        summary::<f32>();
        summary::<f64>();
    }
}
