//! Packing: a block of an operand, real or virtual, copied into the order that the micro-kernel reads.

use crate::Real;
use crate::axis::Axis;

/// One operand of a product: A seen along its rows, or B seen along its columns. Element `(i, k)` is
/// `scale * ptr[along.offset(i) + depth.offset(k)]`.
#[derive(Clone, Copy)]
pub(crate) struct Operand<T> {
    pub(crate) ptr: *const T,
    pub(crate) along: Axis,
    pub(crate) depth: Axis,
    /// Multiplies each element, with one rounding, on its way into the panel.
    pub(crate) scale: T,
}

// SAFETY: an operand is a view of a slice that the caller of gemm or conv holds shared for the whole call.
unsafe impl<T: Sync> Sync for Operand<T> {}

/// A panel: `W` neighbours along the operand for each k of a block, k by k.
pub(crate) type Pack<T> =
    unsafe fn(operand: &Operand<T>, first: usize, count: usize, depth: usize, len: usize, panel: *mut T);

/// Packs elements `first..first + count` (at most `W`; the rest of the panel is zero) for `depth..depth + len`.
///
/// # Safety
/// The ranges must lie inside the operand, whose elements must be readable; `panel` must hold `len * W` elements.
pub(crate) unsafe fn panel<T: Real, const W: usize>(
    operand: &Operand<T>,
    first: usize,
    count: usize,
    depth: usize,
    len: usize,
    panel: *mut T,
) {
    let mut offsets = [0isize; W];
    operand.along.offsets(first, &mut offsets[..count]);
    let contiguous = count == W && offsets.iter().enumerate().all(|(i, &offset)| offset == offsets[0] + i as isize);
    let scale = operand.scale;
    let step = operand.depth.inner_stride();
    operand.depth.for_each_run(depth, len, |start, offset, run| {
        // SAFETY: `start + run <= len`, so the rows stay inside the panel; every source offset is that of an element
        // inside the operand, because the ranges are.
        unsafe {
            let rows = std::slice::from_raw_parts_mut(panel.add(start * W).cast::<[T; W]>(), run);
            let source = operand.ptr.offset(offset);
            if contiguous {
                let source = source.offset(offsets[0]);
                for (k, row) in rows.iter_mut().enumerate() {
                    *row = source.offset(k as isize * step).cast::<[T; W]>().read();
                }
            } else {
                if count < W {
                    rows.fill([T::ZERO; W]);
                }
                for (i, &along) in offsets[..count].iter().enumerate() {
                    let source = source.offset(along);
                    for (k, row) in rows.iter_mut().enumerate() {
                        row[i] = *source.offset(k as isize * step);
                    }
                }
            }
            if scale != T::ONE {
                rows.as_flattened_mut().iter_mut().for_each(|x| *x = scale * *x);
            }
        }
    });
}
