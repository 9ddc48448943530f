//! What is convolved.

use std::fmt;
use std::str::FromStr;

use fathom_kernels::ConvGeometry;

/// A convolution that pads by half of its dilated kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// `[n, c, h, w]` of the images.
    pub images: [usize; 4],
    /// Channels of the output.
    pub outputs: usize,
    /// Rows and columns of the kernel.
    pub kernel: [usize; 2],
    /// Steps from one output to the next, both ways (along a single row, only that way).
    pub stride: usize,
    /// Steps from one tap to the next.
    pub dilation: usize,
}

impl Layer {
    /// Kernel, stride, padding and dilation.
    pub fn geometry(self) -> ConvGeometry {
        let down = if self.images[2] == 1 { 1 } else { self.stride };
        ConvGeometry {
            kernel: self.kernel,
            stride: [down, self.stride],
            padding: self.kernel.map(|taps| (taps - 1) * self.dilation / 2),
            dilation: [self.dilation; 2],
        }
    }

    /// Shapes of images, filters and outputs.
    pub fn shapes(self) -> [[usize; 4]; 3] {
        let ([n, c, h, w], [kh, kw]) = (self.images, self.kernel);
        let [rows, cols] = self.geometry().output_size([h, w]).expect("checked where it was read");
        [[n, c, h, w], [self.outputs, c, kh, kw], [n, self.outputs, rows, cols]]
    }

    /// Floating-point operations of one pass, two for each tap, those on padding included.
    pub fn operations(self) -> f64 {
        let [[_, c, ..], [_, _, kh, kw], y] = self.shapes();
        2.0 * (y.into_iter().product::<usize>() * c * kh * kw) as f64
    }
}

/// `8x64x32x32:64k3`, `1x64x56x56:128k3s2`, `10x256x1x1024:256k1x3`: read back by [`FromStr`].
impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [n, c, h, w] = self.images;
        write!(f, "{n}x{c}x{h}x{w}:{}k", self.outputs)?;
        match self.kernel {
            [rows, cols] if rows == cols => write!(f, "{rows}")?,
            [rows, cols] => write!(f, "{rows}x{cols}")?,
        }
        if self.stride > 1 {
            write!(f, "s{}", self.stride)?;
        }
        if self.dilation > 1 { write!(f, "d{}", self.dilation) } else { Ok(()) }
    }
}

impl FromStr for Layer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            let sets = SETS.join(", ");
            format!(
                "\"{text}\" is no layer: give NxCxHxW:OkK (images, channels, rows, columns, output channels, kernel; \
                 with sS for a stride, dD for a dilation, kKHxKW for a kernel that is not square), or a set ({sets})"
            )
        };
        let sizes = |text: &str| -> Option<Vec<usize>> {
            text.split('x').map(|size| size.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size))).collect()
        };
        let read = || {
            let (images, rest) = text.split_once(':')?;
            let (outputs, rest) = rest.split_once('k')?;
            let (rest, dilation) = rest.split_once('d').unwrap_or((rest, "1"));
            let (kernel, stride) = rest.split_once('s').unwrap_or((rest, "1"));
            let one = |text: &str| sizes(text).filter(|sizes| sizes.len() == 1).map(|sizes| sizes[0]);
            let kernel = match sizes(kernel)?[..] {
                [side] => [side; 2],
                [rows, cols] => [rows, cols],
                _ => return None,
            };
            let images = sizes(images)?.try_into().ok()?;
            Some(Self { images, outputs: one(outputs)?, kernel, stride: one(stride)?, dilation: one(dilation)? })
        };
        let layer = read().ok_or_else(usage)?;
        let [_, _, height, width] = layer.images;
        layer.geometry().output_size([height, width]).map_err(|error| format!("{text}: {error}"))?;
        let elements = layer.shapes().map(|shape| shape.into_iter().map(|size| size as f64).product::<f64>());
        if elements.into_iter().any(|elements| elements > LARGEST) {
            return Err(format!("{text} is too large: a tensor may have {LARGEST} elements"));
        }
        Ok(layer)
    }
}

const MAX_SIZE: usize = 1 << 24;
/// Elements of a tensor at most: 8 GiB of f64.
const LARGEST: f64 = (1u64 << 30) as f64;

/// The sets, by name.
const SETS: [&str; 4] = ["residual", "patches", "varied", "all"];

/// Layers of residual networks on small images and large, and a first layer.
const RESIDUAL: [&str; 8] = [
    "8x3x32x32:64k3",
    "8x64x32x32:64k3",
    "8x128x16x16:128k3",
    "8x256x8x8:256k3",
    "10x512x8x8:512k3",
    "1x64x56x56:64k3",
    "1x64x56x56:256k1",
    "10x1024x4x4:1024k3",
];
/// Patches of three pixels in a row: the convolutional residual network of Du et al. 2018, section 7.
const PATCHES: [&str; 8] = [
    "10x32x1x64:32k1x3",
    "10x32x1x1024:32k1x3",
    "10x128x1x256:128k1x3",
    "10x256x1x64:256k1x3",
    "10x256x1x1024:256k1x3",
    "10x512x1x128:512k1x3",
    "10x1024x1x64:1024k1x3",
    "10x1024x1x256:1024k1x3",
];
/// Strides, dilations, and single images.
const VARIED: [&str; 8] = [
    "8x64x32x32:128k3s2",
    "1x64x56x56:128k3s2",
    "8x64x32x32:64k3d2",
    "1x64x56x56:64k3d2",
    "1x128x16x16:128k3",
    "1x256x8x8:256k3",
    "1x512x8x8:512k3",
    "1x1024x4x4:1024k3",
];

/// The layers of a set, or the one layer that `text` spells.
///
/// # Errors
/// What a layer may be, when it is neither.
pub fn parse(text: &str) -> Result<Vec<Layer>, String> {
    let read = |all: &[&str]| all.iter().map(|layer| layer.parse()).collect();
    match text {
        "residual" => read(&RESIDUAL),
        "patches" => read(&PATCHES),
        "varied" => read(&VARIED),
        "all" => read(&[RESIDUAL, PATCHES, VARIED].concat()),
        one => Ok(vec![one.parse()?]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_reads_back_what_it_prints() {
        let all = parse("all").unwrap();
        assert_eq!(all.len(), RESIDUAL.len() + PATCHES.len() + VARIED.len());
        for layer in all {
            assert_eq!(parse(&layer.to_string()), Ok(vec![layer]));
        }
    }

    #[test]
    fn what_is_no_layer_is_refused() {
        for text in ["", "x", "8x64x32:64k3", "8x64x32x32", "8x64x32x32:64", "8x64x32x32:0k3", "8x64x32x32:64k3x3x3"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse("1x1x1x1:1k4").unwrap_err().contains("the kernel spans"));
        assert!(parse("9999x9999x99x99:1k1").unwrap_err().contains("too large"));
    }

    #[test]
    fn operations_count_every_tap() {
        let layer: Layer = "2x3x8x8:5k3s2".parse().unwrap();
        assert_eq!(layer.shapes(), [[2, 3, 8, 8], [5, 3, 3, 3], [2, 5, 4, 4]]);
        assert_eq!(layer.operations(), (2 * 2 * 5 * 16 * 3 * 9) as f64);
    }
}
