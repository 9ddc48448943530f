//! Convolutions as matrix products, one for each rectangle of outputs that share their taps: with a kernel of one tap, an
//! operand of the product is the images themselves.

use super::{Convolution, FilterGradient};
use crate::Real;
use crate::axis::Axis;
use crate::gemm::{self, Parallelism, Tuning};
use crate::pack::Operand;
use crate::product::Product;
use crate::tile::Output;

/// Where `[vertical, horizontal]` lies from the first pixel, or tap, of a tensor with these strides.
fn at(strides: [isize; 4], vertical: isize, horizontal: isize) -> isize {
    vertical * strides[2] + horizontal * strides[3]
}

/// # Safety
/// As [`Convolution::run`].
pub(super) unsafe fn convolve<T: Real>(job: &Convolution<'_, T>, tuning: &Tuning, parallelism: Parallelism) {
    let &Convolution { images, outputs, channels, w, x, y, .. } = job;
    let (ws, xs, ys) = (w.strides, x.strides, y.strides);
    let [vertical, horizontal] = &job.stretches;
    for v in vertical {
        for h in horizontal {
            let depth = |vs: isize, hs: isize, cs: isize| Axis::nested([v.taps, h.taps, channels], [vs, hs, cs]);
            let pixels = |ns: isize, vs: isize, hs: isize| Axis::nested([images, v.count, h.count], [ns, vs, hs]);
            let product = Product {
                a: Operand {
                    ptr: w.ptr.wrapping_offset(at(ws, v.tap as isize, h.tap as isize)),
                    along: Axis::nested([1, 1, outputs], [0, 0, ws[0]]),
                    depth: depth(v.tap_step as isize * ws[2], h.tap_step as isize * ws[3], ws[1]),
                    scale: job.alpha,
                },
                b: Operand {
                    ptr: x.ptr.wrapping_offset(at(xs, v.source, h.source)),
                    along: pixels(xs[0], v.source_step * xs[2], h.source_step * xs[3]),
                    depth: depth(v.source_tap_step * xs[2], h.source_tap_step * xs[3], xs[1]),
                    scale: T::ONE,
                },
                beta: job.beta,
                c: Output {
                    ptr: y.ptr.wrapping_offset(at(ys, v.first as isize, h.first as isize)),
                    rows: Axis::nested([1, 1, outputs], [0, 0, ys[1]]),
                    cols: pixels(ys[0], v.step as isize * ys[2], h.step as isize * ys[3]),
                },
            };
            // SAFETY: the stretches reach only pixels inside the images, which the caller vouches for.
            unsafe { product.run(gemm::kernel(tuning.isa), tuning.forced(), parallelism) };
        }
    }
}

/// # Safety
/// As [`Convolution::run`], of dw.
pub(super) unsafe fn gradient<T: Real>(job: &FilterGradient<T>, tuning: &Tuning, parallelism: Parallelism) {
    let &FilterGradient { images, outputs, channels, dy, x, dw, .. } = job;
    let (ws, xs, ys) = (dw.strides, x.strides, dy.strides);
    let [vertical, horizontal] = &job.stretches;
    for v in vertical {
        for h in horizontal {
            let taps = |vs: isize, hs: isize, cs: isize| Axis::nested([v.count, h.count, channels], [vs, hs, cs]);
            let pixels = |ns: isize, vs: isize, hs: isize| Axis::nested([images, v.taps, h.taps], [ns, vs, hs]);
            let product = Product {
                a: Operand {
                    ptr: dy.ptr.wrapping_offset(at(ys, v.tap as isize, h.tap as isize)),
                    along: Axis::nested([1, 1, outputs], [0, 0, ys[1]]),
                    depth: pixels(ys[0], ys[2], ys[3]),
                    scale: job.alpha,
                },
                b: Operand {
                    ptr: x.ptr.wrapping_offset(at(xs, v.source, h.source)),
                    along: taps(v.source_step * xs[2], h.source_step * xs[3], xs[1]),
                    depth: pixels(xs[0], v.source_tap_step * xs[2], h.source_tap_step * xs[3]),
                    scale: T::ONE,
                },
                beta: job.beta,
                c: Output {
                    ptr: dw.ptr.wrapping_offset(at(ws, v.first as isize, h.first as isize)),
                    rows: Axis::nested([1, 1, outputs], [0, 0, ws[0]]),
                    cols: taps(ws[2], ws[3], ws[1]),
                },
            };
            // SAFETY: as in `convolve`.
            unsafe { product.run(gemm::kernel(tuning.isa), tuning.forced(), parallelism) };
        }
    }
}
