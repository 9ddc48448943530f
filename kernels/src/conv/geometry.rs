//! The geometry of a convolution.

use std::fmt;

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

/// A convolution that has no output, or none that can be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeometryError {
    /// A kernel extent, stride or dilation is 0.
    Zero(ConvGeometry),
    /// The dilated kernel or the padded image is larger than the address space.
    TooLarge(ConvGeometry),
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
            Self::TooLarge(geometry) => {
                write!(f, "the dilated kernel or the padded image is larger than the address space: {geometry:?}")
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
    /// When an extent is 0 or too large, or the dilated kernel is larger than the padded image.
    pub fn output_size(&self, [height, width]: [usize; 2]) -> Result<[usize; 2], GeometryError> {
        if [self.kernel, self.stride, self.dilation].as_flattened().contains(&0) {
            return Err(GeometryError::Zero(*self));
        }
        let sizes = |d: usize| {
            let span = (self.kernel[d] - 1).checked_mul(self.dilation[d])?.checked_add(1)?;
            let padded = self.padding[d].checked_mul(2)?.checked_add([height, width][d])?;
            (padded <= isize::MAX as usize).then_some((span, padded))
        };
        let (Some((rows, all_rows)), Some((cols, all_cols))) = (sizes(0), sizes(1)) else {
            return Err(GeometryError::TooLarge(*self));
        };
        let (span, padded) = ([rows, cols], [all_rows, all_cols]);
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
