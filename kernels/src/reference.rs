//! The textbook loops: what every fast kernel of this crate must return, to the bit.

use crate::{ConvGeometry, MatMut, MatRef, Real, TensorMut, TensorRef};

/// Where a chain of multiply-adds starts: `beta * c`, or 0 without a look at `c` when `beta` is 0.
fn start<T: Real>(beta: T, c: impl FnOnce() -> T) -> T {
    if beta == T::ZERO { T::ZERO } else { beta * c() }
}

/// `C <- alpha A B + beta C`, one chain of fused multiply-adds over k for each element of C.
///
/// # Panics
/// When the shapes disagree.
pub fn gemm<T: Real>(alpha: T, a: MatRef<'_, T>, b: MatRef<'_, T>, beta: T, mut c: MatMut<'_, T>) {
    assert!(a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols(), "the shapes disagree");
    for i in 0..c.rows() {
        for j in 0..c.cols() {
            let mut acc = start(beta, || c.as_ref().get(i, j));
            if alpha != T::ZERO {
                for k in 0..a.cols() {
                    acc = (alpha * a.get(i, k)).mul_add(b.get(k, j), acc);
                }
            }
            c.set(i, j, acc);
        }
    }
}

/// The convolution `y[n, o] <- alpha sum over (ky, kx, c) of w[o, c, ky, kx] x[n, c, iy, ix] + beta y[n, o]`, with
/// `iy = oy stride + ky dilation - padding` and taps that fall outside left out.
///
/// # Panics
/// When the shapes disagree.
pub fn conv_forward<T: Real>(
    geometry: &ConvGeometry,
    alpha: T,
    w: TensorRef<'_, T>,
    x: TensorRef<'_, T>,
    beta: T,
    mut y: TensorMut<'_, T>,
) {
    geometry.check(x.shape(), w.shape(), y.shape());
    for_each(y.shape(), |[n, o, oy, ox]| {
        let mut acc = start(beta, || y.as_ref().get([n, o, oy, ox]));
        if alpha != T::ZERO {
            geometry.for_each_tap([oy, ox], x.shape(), |[ky, kx], [iy, ix]| {
                for c in 0..x.shape()[1] {
                    acc = (alpha * w.get([o, c, ky, kx])).mul_add(x.get([n, c, iy, ix]), acc);
                }
            });
        }
        y.set([n, o, oy, ox], acc);
    });
}

/// The gradient of [`conv_forward`] to its input: `dx[n, c, iy, ix] <- alpha sum over (ky, kx, o) of
/// w[o, c, ky, kx] dy[n, o, oy, ox] + beta dx`, over the outputs `(oy, ox)` that tap `(ky, kx)` feeds from `(iy, ix)`.
///
/// # Panics
/// When the shapes disagree.
pub fn conv_backward_input<T: Real>(
    geometry: &ConvGeometry,
    alpha: T,
    w: TensorRef<'_, T>,
    dy: TensorRef<'_, T>,
    beta: T,
    mut dx: TensorMut<'_, T>,
) {
    geometry.check(dx.shape(), w.shape(), dy.shape());
    let [_, outputs, height, width] = dy.shape();
    for_each(dx.shape(), |[n, c, iy, ix]| {
        let mut acc = start(beta, || dx.as_ref().get([n, c, iy, ix]));
        if alpha != T::ZERO {
            for ky in 0..geometry.kernel[0] {
                let Some(oy) = geometry.output_of(0, iy, ky).filter(|&oy| oy < height) else { continue };
                for kx in 0..geometry.kernel[1] {
                    let Some(ox) = geometry.output_of(1, ix, kx).filter(|&ox| ox < width) else { continue };
                    for o in 0..outputs {
                        acc = (alpha * w.get([o, c, ky, kx])).mul_add(dy.get([n, o, oy, ox]), acc);
                    }
                }
            }
        }
        dx.set([n, c, iy, ix], acc);
    });
}

/// The gradient of [`conv_forward`] to its weights: `dw[o, c, ky, kx] <- alpha sum over (n, oy, ox) of
/// dy[n, o, oy, ox] x[n, c, iy, ix] + beta dw`, pixels outside the image left out.
///
/// # Panics
/// When the shapes disagree.
pub fn conv_backward_weights<T: Real>(
    geometry: &ConvGeometry,
    alpha: T,
    dy: TensorRef<'_, T>,
    x: TensorRef<'_, T>,
    beta: T,
    mut dw: TensorMut<'_, T>,
) {
    geometry.check(x.shape(), dw.shape(), dy.shape());
    let [images, _, out_height, out_width] = dy.shape();
    let [_, _, height, width] = x.shape();
    for_each(dw.shape(), |[o, c, ky, kx]| {
        let mut acc = start(beta, || dw.as_ref().get([o, c, ky, kx]));
        if alpha != T::ZERO {
            for n in 0..images {
                for oy in 0..out_height {
                    let Some(iy) = geometry.input_of(0, oy, ky).filter(|&iy| iy < height) else { continue };
                    for ox in 0..out_width {
                        let Some(ix) = geometry.input_of(1, ox, kx).filter(|&ix| ix < width) else { continue };
                        acc = (alpha * dy.get([n, o, oy, ox])).mul_add(x.get([n, c, iy, ix]), acc);
                    }
                }
            }
        }
        dw.set([o, c, ky, kx], acc);
    });
}

fn for_each(shape: [usize; 4], mut f: impl FnMut([usize; 4])) {
    for n in 0..shape[0] {
        for c in 0..shape[1] {
            for h in 0..shape[2] {
                for w in 0..shape[3] {
                    f([n, c, h, w]);
                }
            }
        }
    }
}
