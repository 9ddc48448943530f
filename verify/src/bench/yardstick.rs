//! What the machine allows at most, timed in the same rounds as those who are held against it.

use std::time::Instant;

use fathom_kernels::{Isa, Real, peak};

use super::shape::Type;
use super::stream::Stream;
use super::subject::Work;

/// A limit of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yardstick {
    /// Multiply-adds in registers.
    Peak,
    /// Streaming to and from memory.
    Bandwidth,
}

impl Yardstick {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Peak => "peak",
            Self::Bandwidth => "bandwidth",
        }
    }

    /// How many calls of this yardstick do the same work as one call of a case; 0 where the case does not need it.
    pub fn calls_for(self, work: Work, of: Type, cores: usize) -> f64 {
        match self {
            Self::Peak => work.operations / chain_operations(of, cores),
            Self::Bandwidth => work.bytes / Stream::bytes(),
        }
    }
}

/// The widest instruction set of this CPU, whichever the kernels use.
pub fn widest() -> Isa {
    Isa::available().last().copied().unwrap_or_else(Isa::active)
}

/// Rounds of multiply-adds in one call.
const CHAIN: usize = 1000;

/// Seconds of `calls` times [`CHAIN`] rounds of multiply-adds on each core.
pub fn chains(of: Type, cores: usize, calls: usize) -> f64 {
    fn run<T: Real>(cores: usize, rounds: usize) {
        if cores == 1 {
            peak::multiply_add::<T>(widest(), rounds);
        } else {
            peak::multiply_add_on_all::<T>(widest(), rounds);
        }
    }
    let started = Instant::now();
    match of {
        Type::F32 => run::<f32>(cores, calls * CHAIN),
        Type::F64 => run::<f64>(cores, calls * CHAIN),
    }
    started.elapsed().as_secs_f64()
}

/// Floating-point operations in one call of [`chains`].
pub fn chain_operations(of: Type, cores: usize) -> f64 {
    let one = match of {
        Type::F32 => peak::multiply_add::<f32>(widest(), 1),
        Type::F64 => peak::multiply_add::<f64>(widest(), 1),
    };
    let threads = if cores == 1 { 1 } else { rayon::current_num_threads() };
    (one * CHAIN * threads) as f64
}
