//! Two-dimensional convolution and its two gradients, as products with a virtual im2col matrix.
//!
//! Outputs whose taps all fall inside the image form rectangles (for a 3x3 kernel with padding 1: the inside, four sides
//! and four corners). Within a rectangle everything is a nest of strides, so each is one product: the im2col matrix
//! is packed block by block straight from the image, and a tap that falls outside is never multiplied. One-dimensional
//! convolution is height 1.

use std::fmt;

use crate::axis::Axis;
use crate::gemm::{self, Parallelism, Tuning};
use crate::pack::Operand;
use crate::product::Product;
use crate::tile::Output;
use crate::{Real, TensorMut, TensorRef};

/// Kernel size, stride, zero padding and dilation of a convolution, each as `[vertical, horizontal]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvGeometry {
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps from one output to the next.
    pub stride: [usize; 2],
    /// Zeros before the first and after the last pixel.
    pub padding: [usize; 2],
    /// Steps from one tap to the next.
    pub dilation: [usize; 2],
}

/// A convolution that has no output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// A kernel extent, stride or dilation is 0.
    Zero(ConvGeometry),
    /// The dilated kernel is larger than the padded image.
    KernelTooLarge {
        /// Rows and columns that the dilated kernel spans.
        span: [usize; 2],
        /// Rows and columns of the padded image.
        padded: [usize; 2],
    },
}

impl fmt::Display for GeometryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero(geometry) => {
                write!(f, "a convolution's kernel, stride and dilation must be at least 1: {geometry:?}")
            }
            Self::KernelTooLarge { span: [sh, sw], padded: [ph, pw] } => write!(
                f,
                "the kernel spans {sh}x{sw} pixels, more than the padded image's {ph}x{pw}: pad more, or dilate less"
            ),
        }
    }
}

impl std::error::Error for GeometryError {}

impl ConvGeometry {
    /// Stride 1, dilation 1, and the padding that keeps the image's size; for odd kernels.
    pub fn same(kernel: [usize; 2]) -> Self {
        Self { kernel, stride: [1, 1], padding: kernel.map(|k| k / 2), dilation: [1, 1] }
    }

    /// Rows and columns of the output for an image of `height x width`.
    ///
    /// # Errors
    /// When an extent is 0 or the dilated kernel is larger than the padded image.
    pub fn output_size(&self, [height, width]: [usize; 2]) -> Result<[usize; 2], GeometryError> {
        if [self.kernel, self.stride, self.dilation].as_flattened().contains(&0) {
            return Err(GeometryError::Zero(*self));
        }
        let span = [0, 1].map(|d| (self.kernel[d] - 1) * self.dilation[d] + 1);
        let padded = [height + 2 * self.padding[0], width + 2 * self.padding[1]];
        if span[0] > padded[0] || span[1] > padded[1] {
            return Err(GeometryError::KernelTooLarge { span, padded });
        }
        Ok([0, 1].map(|d| (padded[d] - span[d]) / self.stride[d] + 1))
    }

    /// Panics unless images `x`, filters `w` and outputs `y` fit one another.
    pub(crate) fn check(&self, x: [usize; 4], w: [usize; 4], y: [usize; 4]) {
        let out = self.output_size([x[2], x[3]]).unwrap_or_else(|error| panic!("conv: {error}"));
        assert!(
            w == [y[1], x[1], self.kernel[0], self.kernel[1]] && y == [x[0], w[0], out[0], out[1]],
            "conv: the shapes disagree: images {x:?}, filters {w:?}, outputs {y:?}, {self:?}"
        );
    }

    /// The input coordinate that tap `k` of output `o` reads along `dim` (0 vertical, 1 horizontal), unless it is before
    /// the first pixel. It may be behind the last.
    pub(crate) fn input_of(&self, dim: usize, o: usize, k: usize) -> Option<usize> {
        (o * self.stride[dim] + k * self.dilation[dim]).checked_sub(self.padding[dim])
    }

    /// The output coordinate whose tap `k` reads input `i` along `dim`, if there is one. It may be behind the last.
    pub(crate) fn output_of(&self, dim: usize, i: usize, k: usize) -> Option<usize> {
        let distance = (i + self.padding[dim]).checked_sub(k * self.dilation[dim])?;
        distance.is_multiple_of(self.stride[dim]).then(|| distance / self.stride[dim])
    }

    /// Calls `f([ky, kx], [iy, ix])` for the taps of output `[oy, ox]` that fall inside images of shape `x`.
    pub(crate) fn for_each_tap(&self, [oy, ox]: [usize; 2], x: [usize; 4], mut f: impl FnMut([usize; 2], [usize; 2])) {
        for ky in 0..self.kernel[0] {
            let Some(iy) = self.input_of(0, oy, ky).filter(|&iy| iy < x[2]) else { continue };
            for kx in 0..self.kernel[1] {
                let Some(ix) = self.input_of(1, ox, kx).filter(|&ix| ix < x[3]) else { continue };
                f([ky, kx], [iy, ix]);
            }
        }
    }
}

/// Coordinates along one dimension that share their taps: `first + i * step`, with taps `tap + t * tap_step`, reading
/// `source + i * source_step + t * source_tap_step`.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: usize,
    step: usize,
    count: usize,
    tap: usize,
    tap_step: usize,
    taps: usize,
    source: isize,
    source_step: isize,
    source_tap_step: isize,
}

/// Cuts `coords` coordinates into stretches, where coordinate i and tap t (of `taps`) read
/// `source + i * source_step + t * source_tap_step` if that lies in `0..len`.
fn stretches(
    coords: usize,
    taps: usize,
    (source, source_step, source_tap_step): (isize, isize, isize),
    len: usize,
) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = Vec::new();
    for i in 0..coords {
        let position = |t: usize| source + i as isize * source_step + t as isize * source_tap_step;
        let inside = |t: &usize| (0..len as isize).contains(&position(*t));
        let tap = (0..taps).find(inside).unwrap_or(0);
        let taps = (tap..taps).take_while(inside).count();
        match all.last_mut() {
            Some(last) if last.tap == tap && last.taps == taps => last.count += 1,
            _ => all.push(Stretch {
                first: i,
                step: 1,
                count: 1,
                tap,
                tap_step: 1,
                taps,
                source: position(tap),
                source_step,
                source_tap_step,
            }),
        }
    }
    all
}

/// Outputs of a convolution along one dimension, by the taps that they share.
fn output_stretches(geometry: &ConvGeometry, dim: usize, inputs: usize, outputs: usize) -> Vec<Stretch> {
    let [stride, dilation, padding] = steps_of(geometry, dim);
    stretches(outputs, geometry.kernel[dim], (-padding, stride, dilation), inputs)
}

/// Taps of a convolution along one dimension, by the outputs that they reach: the roles of the above exchanged.
fn tap_stretches(geometry: &ConvGeometry, dim: usize, inputs: usize, outputs: usize) -> Vec<Stretch> {
    let [stride, dilation, padding] = steps_of(geometry, dim);
    stretches(geometry.kernel[dim], outputs, (-padding, dilation, stride), inputs)
}

/// Inputs of a convolution along one dimension, by the taps through which outputs read them. Inputs that differ by
/// the stride see the same taps, so each residue has stretches of its own.
fn input_stretches(geometry: &ConvGeometry, dim: usize, inputs: usize, outputs: usize) -> Vec<Stretch> {
    let (stride, dilation, padding) = (geometry.stride[dim], geometry.dilation[dim], geometry.padding[dim]);
    let mut all = Vec::new();
    for first in 0..stride.min(inputs) {
        let coords = (inputs - first).div_ceil(stride);
        // Tap k reads a whole output where first + padding - k dilation is a multiple of the stride: every tap_step-th.
        let hits = |k: &usize| (first + padding) % stride == k * dilation % stride;
        let mut taps = (0..geometry.kernel[dim]).filter(hits);
        let (tap, next, others) = (taps.next(), taps.next(), taps.count());
        let count = usize::from(tap.is_some()) + usize::from(next.is_some()) + others;
        let tap = tap.unwrap_or(0);
        let tap_step = next.map_or(1, |next| next - tap);
        let stride = stride as isize;
        let source = ((first + padding) as isize - (tap * dilation) as isize).div_euclid(stride);
        let source_tap_step = -((tap_step * dilation) as isize).div_euclid(stride);
        for s in stretches(coords, count, (source, 1, source_tap_step), outputs) {
            all.push(Stretch {
                first: first + s.first * geometry.stride[dim],
                step: geometry.stride[dim],
                tap: tap + s.tap * tap_step,
                tap_step,
                ..s
            });
        }
    }
    all
}

fn steps_of(geometry: &ConvGeometry, dim: usize) -> [isize; 3] {
    [geometry.stride[dim], geometry.dilation[dim], geometry.padding[dim]].map(|x| x as isize)
}

/// A tensor as a pointer and signed strides `[n, c, h, w]`.
#[derive(Clone, Copy)]
struct Layout<P> {
    ptr: P,
    strides: [isize; 4],
}

fn signed(strides: [usize; 4]) -> [isize; 4] {
    strides.map(|s| s as isize)
}

/// `y[n, o, i] <- sum over (tap, c) of alpha w[o, c, tap] x[n, c, source(i, tap)] + beta y` for the stretches given:
/// the forward convolution, and its gradient to the input with the filters' first two indices exchanged.
///
/// # Safety
/// As [`Product::run`], for every pair of stretches.
unsafe fn convolve<T: Real>(
    tuning: &Tuning,
    [vertical, horizontal]: [Vec<Stretch>; 2],
    [images, outputs, channels]: [usize; 3],
    (alpha, w): (T, Layout<*const T>),
    x: Layout<*const T>,
    (beta, y): (T, Layout<*mut T>),
    parallelism: Parallelism,
) {
    for v in &vertical {
        for h in &horizontal {
            let depth = |vs: isize, hs: isize, cs: isize| Axis::nested([v.taps, h.taps, channels], [vs, hs, cs]);
            let pixels = |ns: isize, vs: isize, hs: isize| Axis::nested([images, v.count, h.count], [ns, vs, hs]);
            let at = |strides: [isize; 4], vertical: isize, horizontal: isize| {
                vertical * strides[2] + horizontal * strides[3]
            };
            let (ws, xs, ys) = (w.strides, x.strides, y.strides);
            let product = Product {
                a: Operand {
                    ptr: w.ptr.wrapping_offset(at(ws, v.tap as isize, h.tap as isize)),
                    along: Axis::nested([1, 1, outputs], [0, 0, ws[0]]),
                    depth: depth(v.tap_step as isize * ws[2], h.tap_step as isize * ws[3], ws[1]),
                    scale: alpha,
                },
                b: Operand {
                    ptr: x.ptr.wrapping_offset(at(xs, v.source, h.source)),
                    along: pixels(xs[0], v.source_step * xs[2], h.source_step * xs[3]),
                    depth: depth(v.source_tap_step * xs[2], h.source_tap_step * xs[3], xs[1]),
                    scale: T::ONE,
                },
                beta,
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

/// `y <- alpha conv(x, w) + beta y`: `y[n, o, oy, ox]` sums `w[o, c, ky, kx] x[n, c, iy, ix]` over (ky, kx, c) in this
/// order, `iy = oy stride + ky dilation - padding`, taps outside the image left out. To the bit
/// [`reference::conv_forward`](crate::reference::conv_forward).
///
/// `x` is `[n, c, h, w]`, `w` is `[o, c, kh, kw]`, `y` is `[n, o, oh, ow]`. When `beta` is 0, `y` is not read.
///
/// # Panics
/// When the shapes disagree or the kernel is larger than the padded image.
pub fn forward<T: Real>(
    geometry: &ConvGeometry,
    alpha: T,
    w: TensorRef<'_, T>,
    x: TensorRef<'_, T>,
    beta: T,
    y: TensorMut<'_, T>,
    parallelism: Parallelism,
) {
    forward_tuned(&Tuning::default(), geometry, (alpha, w), x, (beta, y), parallelism);
}

/// [`forward`] with a chosen instruction set and block sizes.
///
/// # Panics
/// As [`forward`]; and if the CPU lacks the instruction set or a block size is 0.
pub fn forward_tuned<T: Real>(
    tuning: &Tuning,
    geometry: &ConvGeometry,
    (alpha, w): (T, TensorRef<'_, T>),
    x: TensorRef<'_, T>,
    (beta, mut y): (T, TensorMut<'_, T>),
    parallelism: Parallelism,
) {
    geometry.check(x.shape(), w.shape(), y.shape());
    let ([images, channels, ..], [outputs, ..]) = (x.shape(), w.shape());
    let plan = [0, 1].map(|dim| output_stretches(geometry, dim, x.shape()[2 + dim], y.shape()[2 + dim]));
    let y = Layout { strides: signed(y.strides()), ptr: y.as_mut_ptr() };
    let w = Layout { strides: signed(w.strides()), ptr: w.as_ptr() };
    let x = Layout { strides: signed(x.strides()), ptr: x.as_ptr() };
    // SAFETY: `check` has matched the shapes, the views cover them, and `y` is mutable and without overlap.
    unsafe { convolve(tuning, plan, [images, outputs, channels], (alpha, w), x, (beta, y), parallelism) };
}

/// `dx <- alpha (gradient of <conv(x, w), dy> to x) + beta dx`: each input pixel sums `w[o, c, ky, kx] dy[n, o, oy, ox]`
/// over (ky, kx, o) in this order. To the bit
/// [`reference::conv_backward_input`](crate::reference::conv_backward_input).
///
/// # Panics
/// When the shapes disagree or the kernel is larger than the padded image.
pub fn backward_input<T: Real>(
    geometry: &ConvGeometry,
    alpha: T,
    w: TensorRef<'_, T>,
    dy: TensorRef<'_, T>,
    beta: T,
    dx: TensorMut<'_, T>,
    parallelism: Parallelism,
) {
    backward_input_tuned(&Tuning::default(), geometry, (alpha, w), dy, (beta, dx), parallelism);
}

/// [`backward_input`] with a chosen instruction set and block sizes.
///
/// # Panics
/// As [`backward_input`]; and if the CPU lacks the instruction set or a block size is 0.
pub fn backward_input_tuned<T: Real>(
    tuning: &Tuning,
    geometry: &ConvGeometry,
    (alpha, w): (T, TensorRef<'_, T>),
    dy: TensorRef<'_, T>,
    (beta, mut dx): (T, TensorMut<'_, T>),
    parallelism: Parallelism,
) {
    geometry.check(dx.shape(), w.shape(), dy.shape());
    let ([images, channels, ..], [outputs, ..]) = (dx.shape(), w.shape());
    let plan = [0, 1].map(|dim| input_stretches(geometry, dim, dx.shape()[2 + dim], dy.shape()[2 + dim]));
    let [o, c, kh, kw] = signed(w.strides());
    let w = Layout { strides: [c, o, kh, kw], ptr: w.as_ptr() };
    let dy = Layout { strides: signed(dy.strides()), ptr: dy.as_ptr() };
    let dx = Layout { strides: signed(dx.strides()), ptr: dx.as_mut_ptr() };
    // SAFETY: `check` has matched the shapes, the views cover them, and `dx` is mutable and without overlap.
    unsafe { convolve(tuning, plan, [images, channels, outputs], (alpha, w), dy, (beta, dx), parallelism) };
}

/// `dw <- alpha (gradient of <conv(x, w), dy> to w) + beta dw`: each weight sums `dy[n, o, oy, ox] x[n, c, iy, ix]` over
/// (n, oy, ox) in this order. To the bit
/// [`reference::conv_backward_weights`](crate::reference::conv_backward_weights).
///
/// # Panics
/// When the shapes disagree or the kernel is larger than the padded image.
pub fn backward_weights<T: Real>(
    geometry: &ConvGeometry,
    alpha: T,
    dy: TensorRef<'_, T>,
    x: TensorRef<'_, T>,
    beta: T,
    dw: TensorMut<'_, T>,
    parallelism: Parallelism,
) {
    backward_weights_tuned(&Tuning::default(), geometry, (alpha, dy), x, (beta, dw), parallelism);
}

/// [`backward_weights`] with a chosen instruction set and block sizes.
///
/// # Panics
/// As [`backward_weights`]; and if the CPU lacks the instruction set or a block size is 0.
pub fn backward_weights_tuned<T: Real>(
    tuning: &Tuning,
    geometry: &ConvGeometry,
    (alpha, dy): (T, TensorRef<'_, T>),
    x: TensorRef<'_, T>,
    (beta, mut dw): (T, TensorMut<'_, T>),
    parallelism: Parallelism,
) {
    geometry.check(x.shape(), dw.shape(), dy.shape());
    let ([images, channels, ..], outputs) = (x.shape(), dw.shape()[0]);
    let [vertical, horizontal] =
        [0, 1].map(|dim| tap_stretches(geometry, dim, x.shape()[2 + dim], dy.shape()[2 + dim]));
    let (ws, xs, ys) = (signed(dw.strides()), signed(x.strides()), signed(dy.strides()));
    for v in &vertical {
        for h in &horizontal {
            // Here the stretch's coordinates are taps, and its "taps" are the outputs that these reach.
            let taps = |vs: isize, hs: isize, cs: isize| Axis::nested([v.count, h.count, channels], [vs, hs, cs]);
            let pixels = |ns: isize, vs: isize, hs: isize| Axis::nested([images, v.taps, h.taps], [ns, vs, hs]);
            let product = Product {
                a: Operand {
                    ptr: dy.as_ptr().wrapping_offset(v.tap as isize * ys[2] + h.tap as isize * ys[3]),
                    along: Axis::nested([1, 1, outputs], [0, 0, ys[1]]),
                    depth: pixels(ys[0], ys[2], ys[3]),
                    scale: alpha,
                },
                b: Operand {
                    ptr: x.as_ptr().wrapping_offset(v.source * xs[2] + h.source * xs[3]),
                    along: taps(v.source_step * xs[2], h.source_step * xs[3], xs[1]),
                    depth: pixels(xs[0], v.source_tap_step * xs[2], h.source_tap_step * xs[3]),
                    scale: T::ONE,
                },
                beta,
                c: Output {
                    ptr: dw.as_mut_ptr().wrapping_offset(v.first as isize * ws[2] + h.first as isize * ws[3]),
                    rows: Axis::nested([1, 1, outputs], [0, 0, ws[0]]),
                    cols: taps(ws[2], ws[3], ws[1]),
                },
            };
            // SAFETY: as in `convolve`: the stretches reach only pixels inside, the views cover the shapes, and `dw` is
            // mutable and without overlap.
            unsafe { product.run(gemm::kernel(tuning.isa), tuning.forced(), parallelism) };
        }
    }
}
