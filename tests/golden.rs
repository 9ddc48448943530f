//! Ten steps of descent for each architecture and element type, to the bit: on every instruction set that the CPU has
//! and for any number of threads.

use std::process::Command;

use fathom_kernels::{Activation, Isa, Parallelism, Real};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::descent::Point;
use fathom_model::network::Inputs;
use fathom_model::{Architecture, Kind, Network};

/// Architecture, element type, the bits of L(0) and L(10), and a hash of all weights after ten steps.
const GOLDEN: [(&str, &str, u64, u64, u64); 10] = include!("golden.in");

fn trajectory<T: Real>(kind: Kind, parallelism: Parallelism) -> (&'static str, &'static str, u64, u64, u64) {
    let data = Spec::Images { samples: 5, shape: [2, 4, 5] }.draw(17).unwrap();
    let images = Patches { channels: 2, image: [4, 5], patch: [3, 3] };
    let architecture = Architecture::new(kind, 3, 0.5, Activation::SOFTPLUS, images).unwrap();
    let inputs = Inputs::<T>::new(&architecture, &data);
    let mut network = Network::<T>::random(architecture, 40, 23, parallelism);
    let mut point = Point::of(&network, &inputs, &data);
    let first = point.loss;
    for _ in 0..10 {
        point.descend(&mut network, 0.02);
        point = Point::of(&network, &inputs, &data);
    }
    assert!(point.loss < 0.8 * first, "descent does not descend: {first} to {}", point.loss);
    (kind.name(), T::NAME, first.to_bits(), point.loss.to_bits(), network.hash())
}

#[test]
fn ten_steps_of_descent_never_change_a_bit() {
    for threads in [1, 2, 3] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let parallelism = if threads == 1 { Parallelism::Serial } else { Parallelism::Rayon };
        let found: Vec<_> = pool.install(|| {
            let pair = |kind| [trajectory::<f32>(kind, parallelism), trajectory::<f64>(kind, parallelism)];
            Kind::ALL.into_iter().flat_map(pair).collect()
        });
        assert!(found == GOLDEN, "{threads} threads on {}: found {found:#x?}", Isa::active());
    }
}

#[test]
fn every_instruction_set_takes_the_same_ten_steps() {
    for isa in Isa::available() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ten_steps_of_descent_never_change_a_bit"])
            .env("FATHOM_ISA", isa.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{isa}: {text}");
    }
}
