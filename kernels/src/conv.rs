//! Two-dimensional convolution and its two gradients. One-dimensional convolution is height 1.
//!
//! No im2col matrix is built, and a tap that falls outside the image is never multiplied: outputs that share their taps
//! form rectangles (see `stretch`). A kernel of one tap is a matrix product (`pointwise`); larger ones read
//! a copy of the images with the channels innermost (`direct`), or, where a row of pixels fills the lanes better, the rows of the images
//! (`scan`); and their filters' gradient reads the images where they are (`filters`).

use crate::gemm::{self, Parallelism, Tuning};
use crate::{Finish, Real, TensorMut, TensorRef};

mod direct;
mod epilogue;
mod filters;
mod geometry;
mod grid;
mod limits;
mod panel;
mod pixels;
mod pointwise;
mod scan;
mod stretch;

use epilogue::Epilogue;
pub use geometry::{ConvGeometry, GeometryError};
use stretch::{Stretch, input_stretches, output_stretches, tap_stretches};

/// A tensor as a pointer and signed strides.
#[derive(Clone, Copy)]
struct Layout<P> {
    ptr: P,
    strides: [isize; 4],
}

// SAFETY: a layout is a view of a slice that the caller holds for the whole call, shared or for itself; of one that is
// written, tasks write elements that are theirs alone.
unsafe impl<T: Sync> Sync for Layout<*const T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Layout<*mut T> {}

/// # Panics
/// If a block size is 0.
fn check_blocks(tuning: &Tuning) {
    let whole = tuning.blocks.is_none_or(|blocks| blocks.mc.min(blocks.kc).min(blocks.nc) > 0);
    assert!(whole, "conv: a block size is 0: {:?}", tuning.blocks);
}

fn signed(strides: [usize; 4]) -> [isize; 4] {
    strides.map(|s| s as isize)
}

impl<T: Copy> Layout<*const T> {
    fn of(tensor: TensorRef<'_, T>) -> Self {
        Self { ptr: tensor.as_ptr(), strides: signed(tensor.strides()) }
    }
}

impl<T: Copy> Layout<*mut T> {
    fn of_mut(tensor: &mut TensorMut<'_, T>) -> Self {
        Self { strides: signed(tensor.strides()), ptr: tensor.as_mut_ptr() }
    }
}

/// `y[n, o, i] <- sum over (tap, c) of alpha w[o, c, tap] x[n, c, source(i, tap)] + beta y`: the forward convolution, and
/// its gradient to the input with the filters' first two indices exchanged.
struct Convolution<'a, T> {
    /// The outputs that share their taps, by rows and by columns.
    stretches: [Vec<Stretch>; 2],
    images: usize,
    /// Channels of y, and of x.
    outputs: usize,
    channels: usize,
    /// Rows and columns of an image of x, and of y.
    source: [usize; 2],
    target: [usize; 2],
    /// Rows and columns of the kernel.
    taps: [usize; 2],
    alpha: T,
    /// `[o, c, kh, kw]`.
    w: Layout<*const T>,
    x: Layout<*const T>,
    beta: T,
    y: Layout<*mut T>,
    /// What comes after it.
    epilogue: Option<Epilogue<'a, T>>,
}

/// `dw[o, c, tap] <- sum over (n, i) of alpha dy[n, o, i] x[n, c, source(i, tap)] + beta dw`.
struct FilterGradient<T> {
    /// The taps that reach the same outputs, by rows and by columns: of each stretch, the coordinates are taps, and its
    /// "taps" are the outputs that these reach.
    stretches: [Vec<Stretch>; 2],
    images: usize,
    /// Channels of dy, and of x.
    outputs: usize,
    channels: usize,
    /// Rows and columns of an image of dy, and of the kernel.
    size: [usize; 2],
    kernel: [usize; 2],
    alpha: T,
    dy: Layout<*const T>,
    x: Layout<*const T>,
    beta: T,
    /// `[o, c, kh, kw]`.
    dw: Layout<*mut T>,
}

impl<T: Real> Convolution<'_, T> {
    /// # Safety
    /// The shapes must be those of the tensors, which must be readable; y's elements must be writable, nobody else's, and
    /// at addresses of their own.
    unsafe fn run(&self, tuning: &Tuning, parallelism: Parallelism) {
        // SAFETY: passed on from the caller.
        unsafe {
            if self.taps == [1, 1] || self.alpha == T::ZERO || self.channels == 0 {
                pointwise::convolve(self, tuning, parallelism);
                if let Some(epilogue) = &self.epilogue {
                    epilogue.all(parallelism);
                }
                return;
            }
            let kernel = gemm::kernel(tuning.isa);
            if self.is_scan(kernel) {
                scan::convolve(self, kernel, tuning.blocks, parallelism);
            } else {
                direct::convolve(self, kernel, tuning.blocks, parallelism);
            }
        }
    }
}

/// `y <- alpha conv(x, w) + beta y`: `y[n, o, oy, ox]` sums `w[o, c, ky, kx] x[n, c, iy, ix]` over (ky, kx, c) in this
/// order, `iy = oy stride + ky dilation - padding`, taps outside the image left out. To the bit
/// [`reference::conv_forward`](crate::reference::conv_forward).
///
/// `x` is `[n, c, h, w]`, `w` is `[o, c, kh, kw]`, `y` is `[n, o, oh, ow]`. When `beta` is 0, `y` is not read.
///
/// ```
/// use fathom_kernels::{ConvGeometry, Parallelism, TensorMut, TensorRef, conv};
///
/// let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]; // one image of one channel
/// let w = [1.0; 9]; // one filter
/// let mut y = [0.0; 9];
/// conv::forward(
///     &ConvGeometry::same([3, 3]),
///     1.0,
///     TensorRef::dense(&w, [1, 1, 3, 3])?,
///     TensorRef::dense(&x, [1, 1, 3, 3])?,
///     0.0,
///     TensorMut::dense(&mut y, [1, 1, 3, 3])?,
///     Parallelism::Serial,
/// );
/// assert_eq!(y, [12.0, 21.0, 16.0, 27.0, 45.0, 33.0, 24.0, 39.0, 28.0]);
/// # Ok::<(), fathom_kernels::LayoutError>(())
/// ```
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

/// A layer that convolves: `value <- skip + scale sigma(conv(x, w))` and `slope <- scale sigma'(conv(x, w))`, each thread
/// finishing what it has just convolved. `value`, `slope` and the skip are by channel, `[o, n, oh, ow]`; `x` and `w` are as in
/// [`forward`].
///
/// # Panics
/// When the shapes disagree, a slice is not of its shape's size, or the kernel is larger than the padded image.
pub fn layer<T: Real>(
    geometry: &ConvGeometry,
    finish: &Finish<'_, T>,
    w: TensorRef<'_, T>,
    x: TensorRef<'_, T>,
    (value, slope): (&mut [T], &mut [T]),
    parallelism: Parallelism,
) {
    layer_tuned(&Tuning::default(), geometry, finish, (w, x), (value, slope), parallelism);
}

/// [`layer`] with a chosen instruction set and block sizes.
///
/// # Panics
/// As [`layer`]; and if the CPU lacks the instruction set or a block size is 0.
pub fn layer_tuned<T: Real>(
    tuning: &Tuning,
    geometry: &ConvGeometry,
    finish: &Finish<'_, T>,
    (w, x): (TensorRef<'_, T>, TensorRef<'_, T>),
    (value, slope): (&mut [T], &mut [T]),
    parallelism: Parallelism,
) {
    let ([images, _, height, width], [outputs, ..]) = (x.shape(), w.shape());
    let [rows, cols] = geometry.output_size([height, width]).unwrap_or_else(|error| panic!("conv: {error}"));
    let shape = [outputs, images, rows, cols];
    let size = shape.into_iter().try_fold(1, usize::checked_mul);
    let (size, len) = (size.expect("conv: the shape exceeds the address space"), value.len());
    assert!(len == size, "conv: a value of {len} elements is not {outputs}x{images}x{rows}x{cols}");
    let y = TensorMut::strided(value, [images, outputs, rows, cols], [rows * cols, images * rows * cols, cols, 1])
        .expect("dense");
    let mut convolution = convolution(tuning, geometry, (T::ONE, w), x, (T::ZERO, y));
    convolution.epilogue = Some(Epilogue::new(tuning.isa, finish, convolution.y.ptr, slope, shape));
    // SAFETY: as in `forward_tuned`; the epilogue's slices are of y's shape, and mutable.
    unsafe { convolution.run(tuning, parallelism) };
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
    (beta, y): (T, TensorMut<'_, T>),
    parallelism: Parallelism,
) {
    let convolution = convolution(tuning, geometry, (alpha, w), x, (beta, y));
    // SAFETY: `check` has matched the shapes, the views cover them, and `y` is mutable and without overlap.
    unsafe { convolution.run(tuning, parallelism) };
}

/// The forward convolution of some tensors.
///
/// # Panics
/// When the shapes disagree, the kernel is larger than the padded image, or a block size is 0.
fn convolution<'a, T: Real>(
    tuning: &Tuning,
    geometry: &ConvGeometry,
    (alpha, w): (T, TensorRef<'a, T>),
    x: TensorRef<'a, T>,
    (beta, mut y): (T, TensorMut<'a, T>),
) -> Convolution<'a, T> {
    geometry.check(x.shape(), w.shape(), y.shape());
    check_blocks(tuning);
    let ([images, channels, height, width], [_, outputs, rows, cols]) = (x.shape(), y.shape());
    Convolution {
        stretches: [0, 1].map(|dim| output_stretches(geometry, dim, x.shape()[2 + dim], y.shape()[2 + dim])),
        images,
        outputs,
        channels,
        source: [height, width],
        target: [rows, cols],
        taps: geometry.kernel,
        alpha,
        w: Layout::of(w),
        x: Layout::of(x),
        beta,
        y: Layout::of_mut(&mut y),
        epilogue: None,
    }
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
    check_blocks(tuning);
    let ([images, channels, height, width], [_, outputs, rows, cols]) = (dx.shape(), dy.shape());
    let [o, c, kh, kw] = signed(w.strides());
    let convolution = Convolution {
        stretches: [0, 1].map(|dim| input_stretches(geometry, dim, dx.shape()[2 + dim], dy.shape()[2 + dim])),
        images,
        outputs: channels,
        channels: outputs,
        source: [rows, cols],
        target: [height, width],
        taps: geometry.kernel,
        alpha,
        w: Layout { strides: [c, o, kh, kw], ptr: w.as_ptr() },
        x: Layout::of(dy),
        beta,
        y: Layout::of_mut(&mut dx),
        epilogue: None,
    };
    // SAFETY: `check` has matched the shapes, the views cover them, and `dx` is mutable and without overlap.
    unsafe { convolution.run(tuning, parallelism) };
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
    check_blocks(tuning);
    let ([images, channels, ..], [_, outputs, rows, cols]) = (x.shape(), dy.shape());
    let gradient = FilterGradient {
        stretches: [0, 1].map(|dim| tap_stretches(geometry, dim, x.shape()[2 + dim], dy.shape()[2 + dim])),
        images,
        outputs,
        channels,
        size: [rows, cols],
        kernel: geometry.kernel,
        alpha,
        dy: Layout::of(dy),
        x: Layout::of(x),
        beta,
        dw: Layout::of_mut(&mut dw),
    };
    // SAFETY: `check` has matched the shapes, the views cover them, and `dw` is mutable and without overlap.
    unsafe {
        if geometry.kernel == [1, 1] || alpha == T::ZERO {
            pointwise::gradient(&gradient, tuning, parallelism);
        } else {
            filters::gradient(&gradient, gemm::kernel(tuning.isa), tuning.blocks, parallelism);
        }
    }
}
