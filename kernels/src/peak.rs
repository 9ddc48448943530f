//! The machine's fused multiply-add peak, to hold a kernel's speed against.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crate::{Isa, IsaError, Real, team};

/// Runs `rounds` rounds of independent chains of fused multiply-adds in registers and returns the floating-point
/// operations done (two for each multiply-add). Time it to learn the peak of one core.
///
/// # Panics
/// When the CPU lacks the instruction set.
pub fn multiply_add<T: Real>(isa: Isa, rounds: usize) -> usize {
    let kernel = T::kernel(isa).unwrap_or_else(|| panic!("{}", IsaError::Missing(isa)));
    let (sum, lanes) = (kernel.chains)(rounds);
    std::hint::black_box(sum);
    2 * lanes * rounds
}

/// As [`multiply_add`], but shared as a product is: for each thread of the current rayon pool, `rounds` rounds, up to the next thousand.
/// Time it to learn the peak of their cores.
///
/// # Panics
/// When the CPU lacks the instruction set.
pub fn multiply_add_on_all<T: Real>(isa: Isa, rounds: usize) -> usize {
    let pieces = rayon::current_num_threads() * rounds.div_ceil(PIECE);
    let done = AtomicUsize::new(0);
    let piece = |_| _ = done.fetch_add(multiply_add::<T>(isa, PIECE), Relaxed);
    // A round takes some nanoseconds.
    if !team::share(pieces, pieces * PIECE, &piece) {
        (0..pieces).for_each(piece);
    }
    done.into_inner()
}

/// Rounds that one thread takes at once: some microseconds.
const PIECE: usize = 1000;
