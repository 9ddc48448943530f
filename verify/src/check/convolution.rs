//! Convolutions and their two gradients.

use std::fmt;

use fathom_kernels::conv::{backward_input_tuned, backward_weights_tuned, forward_tuned};
use fathom_kernels::{ConvGeometry, Real, reference};

use super::case::{Dtype, How, Runner};
use super::exact::{Exact, extra_roundings};
use super::oracle::{Oracles, Verdict};
use super::stored::{Stored, indices};
use super::values::{Source, Values};

/// Which of the three tensors is computed from the other two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Outputs from images and filters.
    Forward,
    /// The gradient to the images, from filters and the gradient to the outputs.
    Input,
    /// The gradient to the filters, from images and the gradient to the outputs.
    Weights,
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Forward => "forward",
            Self::Input => "input",
            Self::Weights => "weights",
        })
    }
}

/// How images, filters and outputs lie in memory (for filters, read output channel for image).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Image, channel, row, column.
    Nchw,
    /// Image, row, column, channel.
    Nhwc,
    /// Channel, image, row, column.
    Cnhw,
    /// As `Nchw`, with gaps between neighbours, rows, channels and images.
    Gaps,
}

impl Order {
    fn strides(self, [n, c, h, w]: [usize; 4]) -> [usize; 4] {
        match self {
            Self::Nchw => [c * h * w, h * w, w, 1],
            Self::Nhwc => [h * w * c, 1, w * c, c],
            Self::Cnhw => [h * w, n * h * w, w, 1],
            Self::Gaps => {
                let row = 2 * w + 1;
                let plane = row * h + 3;
                [plane * c + 2, plane, row, 2]
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Nchw => "nchw",
            Self::Nhwc => "nhwc",
            Self::Cnhw => "cnhw",
            Self::Gaps => "gaps",
        }
    }
}

/// A convolution or one of its gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Convolution {
    /// What is computed.
    pub pass: Pass,
    /// The element type.
    pub dtype: Dtype,
    /// Images, channels of the images, channels of the outputs.
    pub sizes: [usize; 3],
    /// Rows and columns of an image.
    pub image: [usize; 2],
    /// Kernel, stride, padding and dilation.
    pub geometry: ConvGeometry,
    /// The layout of all three tensors.
    pub order: Order,
    /// The scale of the sum.
    pub alpha: f64,
    /// The scale of what it is added to.
    pub beta: f64,
    /// What the tensors hold.
    pub values: Values,
    /// Blocks and threads.
    pub how: How,
}

impl fmt::Display for Convolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sizes: [images, channels, outputs], image: [height, width], geometry, order, .. } = self;
        let Self { alpha, beta, values, how, .. } = self;
        let ConvGeometry { kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw], dilation: [dh, dw] } = geometry;
        write!(f, "{images}x{channels}x{height}x{width}-to{outputs}-k{kh}x{kw}-s{sh}x{sw}-p{ph}x{pw}-d{dh}x{dw}")?;
        write!(f, "-{}-a{alpha}-b{beta}-{values}{how}", order.name())
    }
}

/// Shapes of images, filters and outputs.
#[derive(Clone, Copy)]
struct Shapes {
    x: [usize; 4],
    w: [usize; 4],
    y: [usize; 4],
}

impl Shapes {
    /// Shapes of the first and second operand and of the result, in the order in which the kernels take them.
    fn roles(&self, pass: Pass) -> [[usize; 4]; 3] {
        match pass {
            Pass::Forward => [self.w, self.x, self.y],
            Pass::Input => [self.w, self.y, self.x],
            Pass::Weights => [self.y, self.x, self.w],
        }
    }
}

impl Convolution {
    /// Whether the kernel fits the padded image.
    pub fn is_possible(&self) -> bool {
        self.geometry.output_size(self.image).is_ok()
    }

    fn shapes(&self) -> Shapes {
        let [images, channels, outputs] = self.sizes;
        let [height, width] = self.image;
        let [kh, kw] = self.geometry.kernel;
        let [oh, ow] = self.geometry.output_size(self.image).expect("the table leaves out impossible geometries");
        Shapes { x: [images, channels, height, width], w: [outputs, channels, kh, kw], y: [images, outputs, oh, ow] }
    }

    /// Runs the case, which is called `name`, under every instruction set.
    pub fn run<T: Real>(&self, runner: &Runner, name: &str) -> Vec<Verdict> {
        let (alpha, beta, geometry) = (T::from_f64(self.alpha), T::from_f64(self.beta), &self.geometry);
        let (a, b, before) = self.operands::<T>(name);
        let (view_a, view_b) = (a.tensor(), b.tensor());
        let loops = match self.pass {
            Pass::Forward => reference::conv_forward,
            Pass::Input => reference::conv_backward_input,
            Pass::Weights => reference::conv_backward_weights,
        };
        let kernel = match self.pass {
            Pass::Forward => forward_tuned,
            Pass::Input => backward_input_tuned,
            Pass::Weights => backward_weights_tuned,
        };
        let mut textbook = before.clone();
        loops(geometry, alpha, view_a, view_b, beta, textbook.tensor_mut());
        let oracles = self.oracles(&a, &b, before, textbook.elements());
        runner.judge(self.how, &oracles, |tuning, out, parallelism| {
            kernel(tuning, geometry, (alpha, view_a), view_b, (beta, out.tensor_mut()), parallelism);
        })
    }

    /// Both operands and the result before the call; what must not be read is NaN.
    fn operands<T: Real>(&self, name: &str) -> (Stored<T, 4>, Stored<T, 4>, Stored<T, 4>) {
        let [shape_a, shape_b, shape_c] = self.shapes().roles(self.pass);
        let strides = |shape: [usize; 4]| self.order.strides(shape);
        let (nan, canary) = (T::from_f64(f64::NAN), T::from_f64(-1.0e30));
        let mut source = Source::named(name);
        let mut factor = |shape: [usize; 4]| {
            Stored::new(shape, strides(shape), nan, |index| {
                let value = source.factor(self.values, index, shape);
                if self.alpha == 0.0 { nan } else { value }
            })
        };
        let (a, b) = (factor(shape_a), factor(shape_b));
        let c = Stored::new(shape_c, strides(shape_c), canary, |_| {
            let value = source.addend(self.values);
            if self.beta == 0.0 { nan } else { value }
        });
        (a, b, c)
    }

    fn oracles<T: Real>(
        &self,
        a: &Stored<T, 4>,
        b: &Stored<T, 4>,
        before: Stored<T, 4>,
        textbook: Vec<T>,
    ) -> Oracles<T, 4> {
        let (a, b, c) = (a.elements(), b.elements(), before.elements());
        let exact = (self.values != Values::Special).then(|| {
            let (alpha, beta) = (T::from_f64(self.alpha).to_f64(), T::from_f64(self.beta).to_f64());
            let mut sums: Vec<Exact> = c.iter().map(|&c| Exact::start(beta, c.to_f64())).collect();
            if alpha != 0.0 {
                self.for_each_product(|p, q, to| sums[to].add(alpha, a[p].to_f64(), b[q].to_f64()));
            }
            (sums, extra_roundings(self.alpha, self.beta))
        });
        let whole = (self.values == Values::Whole).then(|| {
            let (alpha, beta) = (self.alpha as i64, self.beta as i64);
            let integer = |x: T| x.to_f64() as i64;
            let mut sums: Vec<i64> = c.iter().map(|&c| if beta == 0 { 0 } else { beta * integer(c) }).collect();
            if alpha != 0 {
                self.for_each_product(|p, q, to| sums[to] += alpha * integer(a[p]) * integer(b[q]));
            }
            sums.into_iter().map(|sum| T::from_f64(sum as f64)).collect()
        });
        Oracles { before, textbook, whole, exact, peers: Vec::new() }
    }

    /// Calls `f` with the positions of both factors and of the sum that they belong to, for every triple of pixel,
    /// weight and output that the convolution joins. One loop for all three passes, and none of their own orders.
    fn for_each_product(&self, mut f: impl FnMut(usize, usize, usize)) {
        let shapes = self.shapes();
        let [outputs, channels, kh, kw] = shapes.w;
        let [images, _, oh, ow] = shapes.y;
        let [height, width] = self.image;
        for [ky, kx, oy, ox] in indices([kh, kw, oh, ow]) {
            let (Some(iy), Some(ix)) = (self.pixel(0, oy, ky), self.pixel(1, ox, kx)) else { continue };
            for n in 0..images {
                for c in 0..channels {
                    let x = ((n * channels + c) * height + iy) * width + ix;
                    for o in 0..outputs {
                        let w = ((o * channels + c) * kh + ky) * kw + kx;
                        let y = ((n * outputs + o) * oh + oy) * ow + ox;
                        match self.pass {
                            Pass::Forward => f(w, x, y),
                            Pass::Input => f(w, y, x),
                            Pass::Weights => f(y, x, w),
                        }
                    }
                }
            }
        }
    }

    /// The pixel under tap `k` of output `o` along `dim`, unless that is padding.
    fn pixel(&self, dim: usize, o: usize, k: usize) -> Option<usize> {
        let ConvGeometry { stride, padding, dilation, .. } = self.geometry;
        let padded = o * stride[dim] + k * dilation[dim];
        (padding[dim]..padding[dim] + self.image[dim]).contains(&padded).then(|| padded - padding[dim])
    }
}
