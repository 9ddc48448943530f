//! Room for packed blocks: each thread's own, kept from call to call.

use std::cell::Cell;

use crate::Real;

/// A cache line, which packed blocks start at.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

/// Lends `f` room for as many elements as `lens` says, each aligned to a cache line.
pub(crate) fn with_scratch<T: Real, R>(lens: [usize; 2], f: impl FnOnce([*mut T; 2]) -> R) -> R {
    thread_local! {
        static SCRATCH: Cell<Vec<Line>> = const { Cell::new(Vec::new()) };
    }
    let [first, second] = lens.map(|len| (len * size_of::<T>()).div_ceil(size_of::<Line>()));
    // Taken out, so that a call made while `f` runs on this thread would get room of its own.
    let mut scratch = SCRATCH.take();
    if scratch.len() < first + second {
        scratch.resize(first + second, Line([0; 64]));
    }
    let start = scratch.as_mut_ptr();
    let result = f([start.cast(), start.wrapping_add(first).cast()]);
    SCRATCH.set(scratch);
    result
}
