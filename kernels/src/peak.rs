//! The machine's fused multiply-add peak, to hold a kernel's speed against.

use crate::{Isa, IsaError, Real};

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
