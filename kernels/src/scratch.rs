//! Room for packed blocks: each thread's own, kept from call to call.

use std::cell::RefCell;

use crate::Real;

/// A cache line, which packed blocks start at.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line(#[allow(dead_code)] [u8; 64]);

/// The product of `factors`, for a room that they size; what overflows is the most, which no room holds.
pub(crate) fn size(factors: &[usize]) -> usize {
    factors.iter().copied().fold(1, usize::saturating_mul)
}

/// Lends `f` room for as many elements as `lens` says, each aligned to a cache line.
///
/// # Panics
/// If that is more than the address space, as of views whose strides of 0 make them larger than what is under them.
pub(crate) fn with_scratch<T: Real, R>(lens: [usize; 2], f: impl FnOnce([*mut T; 2]) -> R) -> R {
    #[cfg(all(test, unix))]
    if let Some(edge) = guarded::EDGE.get() {
        return guarded::lend(lens, edge, f);
    }
    thread_local! {
        static SCRATCH: RefCell<Vec<Vec<Line>>> = const { RefCell::new(Vec::new()) };
    }
    let lines = |len: usize| len.checked_mul(size_of::<T>()).map(|bytes| bytes.div_ceil(size_of::<Line>()));
    let [first, second] = lens.map(|len| lines(len).expect("the room for packed blocks exceeds the address space"));
    // Taken out, so that a call made while `f` runs on this thread gets room of its own.
    let mut scratch = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    if scratch.len() < first + second {
        // Not grown: that would hold both for a moment, and twice as much as is asked for.
        drop(scratch);
        scratch = vec![Line([0; 64]); first + second];
    }
    let start = scratch.as_mut_ptr();
    let result = f([start.cast(), start.wrapping_add(first).cast()]);
    SCRATCH.with_borrow_mut(|rooms| rooms.push(scratch));
    result
}

/// Rooms between pages that cannot be touched, not an element longer than what was asked for.
#[cfg(all(test, unix))]
pub(crate) mod guarded {
    use std::cell::Cell;

    use crate::Real;
    use crate::common::guard::{Edge, Guarded};

    thread_local! {
        /// Which end of this thread's rooms touches such a page; `None` lends the usual rooms.
        pub(crate) static EDGE: Cell<Option<Edge>> = const { Cell::new(None) };
        /// How often each of the two rooms was asked for, and not empty.
        pub(crate) static LENT: Cell<[usize; 2]> = const { Cell::new([0; 2]) };
    }

    /// As [`with_scratch`](super::with_scratch); what is read before it is written is NaN.
    pub(super) fn lend<T: Real, R>(lens: [usize; 2], edge: Edge, f: impl FnOnce([*mut T; 2]) -> R) -> R {
        let [first, second] = LENT.get();
        LENT.set([first + usize::from(lens[0] > 0), second + usize::from(lens[1] > 0)]);
        let mut rooms = lens.map(Guarded::<T>::new);
        let [a, b] = &mut rooms;
        let [a, b] = [(a, lens[0]), (b, lens[1])]
            .map(|(room, len)| room.place(&vec![T::from_f64(f64::NAN); len], edge).as_mut_ptr());
        f([a, b])
    }
}

#[cfg(test)]
mod tests {
    use super::{size, with_scratch};

    #[test]
    #[should_panic(expected = "the room for packed blocks exceeds the address space")]
    fn rooms_beyond_the_address_space_are_refused() {
        with_scratch::<f32, ()>([1, size(&[1 << 31, 1 << 32])], |_| unreachable!());
    }
}
