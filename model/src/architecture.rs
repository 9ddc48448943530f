//! The settings of the one recurrence.

use std::fmt;
use std::str::FromStr;

use fathom_kernels::{Activation, ConvGeometry};
use thiserror::Error;

use crate::Moments;

/// The architectures: the three of the paper, and two that it is read beside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Fully connected: no skips (section 5).
    FullyConnected,
    /// A skip at every layer but the first (section 6).
    ResNet,
    /// The same over patches of pixels (section 7).
    ConvResNet,
    /// The linear residual network of Hardt and Ma, "Identity Matters in Deep Learning" (arXiv 1611.04231): a
    /// [`Kind::ResNet`] whose activation is the identity, x^(h) = (I + A_h) x^(h-1) with A_h = s_h W^(h) for h >= 2. Theirs
    /// is as wide as its input; here the first layer, which is linear too, embeds the input into R^m, as the ResNet's does.
    ///
    /// At the start ||A_h||_2 is near 2 sqrt(m) s_h, which is 2 c_res / H where the residual scale is the paper's, and then below 1
    /// wherever there is an A_h: the norm of an m x m matrix of normals exceeds 2 sqrt(m) + t with probability at most e^(-t^2 / 2)
    /// (Davidson and Szarek, 2001).
    LinearResNet,
    /// The skip of He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition" (arXiv 1512.03385), over blocks
    /// of two layers: x^(h) = x^(h-2) + s_h sigma(W^(h) x^(h-1)) for h = 3, 5, ... Layers inside a block have no skip, and the
    /// scale sqrt(c_sigma / m) of a fully connected layer, which keeps norm 1. Where H is even, the last block has
    /// one layer, and a skip over it.
    BlockResNet,
}

impl Kind {
    /// The three that the theorems are about.
    pub const PAPER: [Self; 3] = [Self::FullyConnected, Self::ResNet, Self::ConvResNet];

    /// All of them, those of the paper first.
    pub const ALL: [Self; 5] =
        [Self::FullyConnected, Self::ResNet, Self::ConvResNet, Self::LinearResNet, Self::BlockResNet];

    /// `fc`, `resnet`, `conv-resnet`, `linear-resnet` or `block-resnet`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FullyConnected => "fc",
            Self::ResNet => "resnet",
            Self::ConvResNet => "conv-resnet",
            Self::LinearResNet => "linear-resnet",
            Self::BlockResNet => "block-resnet",
        }
    }

    /// Whether it has skips.
    pub fn is_residual(self) -> bool {
        self != Self::FullyConnected
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How the scale r of the layers with a skip depends on the depth, x^(h) = x^(h-1) + r / sqrt(m) sigma(...).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Residual {
    /// r = c_res / H, the paper's, with which the norm of x^(H) stays bounded as the depth grows.
    #[default]
    PerDepth,
    /// r = c_res / sqrt(H): the norm stays bounded where `E[sigma] = 0`, and grows otherwise.
    PerRootDepth,
    /// r = c_res: the norm grows with the depth, whatever sigma.
    Constant,
}

impl Residual {
    /// All of them, the paper's first.
    pub const ALL: [Self; 3] = [Self::PerDepth, Self::PerRootDepth, Self::Constant];

    /// `1/H`, `1/sqrt(H)` or `1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PerDepth => "1/H",
            Self::PerRootDepth => "1/sqrt(H)",
            Self::Constant => "1",
        }
    }

    /// r at depth H.
    fn scale(self, c_res: f64, depth: usize) -> f64 {
        match self {
            Self::PerDepth => c_res / depth as f64,
            Self::PerRootDepth => c_res / (depth as f64).sqrt(),
            Self::Constant => c_res,
        }
    }
}

impl fmt::Display for Residual {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Residual {
    type Err = ArchitectureError;

    fn from_str(name: &str) -> Result<Self, ArchitectureError> {
        let known = Self::ALL.into_iter().find(|residual| residual.name() == name);
        known.ok_or_else(|| ArchitectureError::Residual(name.to_owned()))
    }
}

/// Settings that describe no network.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ArchitectureError {
    /// An unknown name.
    #[error("unknown architecture \"{0}\": use fc, resnet, conv-resnet, linear-resnet or block-resnet")]
    Unknown(String),
    /// No hidden layer.
    #[error("the depth must be at least 1")]
    NoLayers,
    /// c_res outside (0, 1).
    #[error("c_res must lie between 0 and 1, not at {0}")]
    ResidualScale(f64),
    /// An unknown dependence on the depth.
    #[error("unknown residual scale \"{0}\": use 1/H, 1/sqrt(H) or 1, which c_res is multiplied by")]
    Residual(String),
    /// A patch with no central pixel.
    #[error("patches must have odd sides, not {0}x{1}: each is centred on a pixel")]
    EvenPatch(usize, usize),
    /// sigma(z) with E[sigma(z)^2] = 0 or infinite.
    #[error("c_sigma is not a positive number for {0}: the activation cannot be normalised")]
    Activation(Activation),
}

impl FromStr for Kind {
    type Err = ArchitectureError;

    fn from_str(name: &str) -> Result<Self, ArchitectureError> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| ArchitectureError::Unknown(name.to_owned()))
    }
}

/// What the recurrence does at one layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// How far down its skip reaches: r where x^(h-r) is added, `None` where nothing is. Skips do not overlap: layers
    /// h - r + 1 to h lie under no other.
    pub skip: Option<usize>,
    /// s_h sqrt(m): sqrt(c_sigma) without a skip, r (see [`Residual`]) with one.
    pub scale: f64,
    /// d_{h-1} for h = 1; later layers have as many as the network is wide.
    pub input_channels: Option<usize>,
}

/// An image's shape and the patch around each of its pixels: phi_h. Networks that do not convolve see one pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patches {
    /// d_0, the channels of an input.
    pub channels: usize,
    /// Rows and columns of an image; p is their product.
    pub image: [usize; 2],
    /// Rows and columns of a patch; q is their product. Odd.
    pub patch: [usize; 2],
}

impl Patches {
    /// A vector of `size` numbers: one pixel.
    pub fn vector(size: usize) -> Self {
        Self { channels: size, image: [1, 1], patch: [1, 1] }
    }

    /// p.
    pub fn pixels(&self) -> usize {
        self.image[0] * self.image[1]
    }

    /// q.
    pub fn taps(&self) -> usize {
        self.patch[0] * self.patch[1]
    }

    /// Numbers in an input, d_0 p.
    pub fn input_size(&self) -> usize {
        self.channels * self.pixels()
    }

    /// Stride 1 and zeros around the image.
    pub fn geometry(&self) -> ConvGeometry {
        ConvGeometry::same(self.patch)
    }

    /// The pixels under the patch around `pixel`, tap by tap; `None` outside the image.
    pub fn around(&self, pixel: usize) -> impl Iterator<Item = Option<usize>> {
        let Self { image: [height, width], patch: [rows, cols], .. } = *self;
        let (y, x) = (pixel / width, pixel % width);
        (0..rows * cols).map(move |tap| {
            let y = (y + tap / cols).checked_sub(rows / 2).filter(|&y| y < height)?;
            let x = (x + tap % cols).checked_sub(cols / 2).filter(|&x| x < width)?;
            Some(y * width + x)
        })
    }
}

/// A network but for its width and weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Architecture {
    kind: Kind,
    depth: usize,
    c_res: f64,
    residual: Residual,
    activation: Activation,
    moments: Moments,
    patches: Patches,
}

impl Architecture {
    /// A network of `depth` hidden layers on inputs of the given shape, with the paper's residual scale. `c_res` is not used by [`Kind::FullyConnected`] and
    /// `activation` not by [`Kind::LinearResNet`]; the kinds that do not convolve see each input as one vector.
    ///
    /// # Errors
    /// When the settings describe no network; the error says which.
    pub fn new(
        kind: Kind,
        depth: usize,
        c_res: f64,
        activation: Activation,
        input: Patches,
    ) -> Result<Self, ArchitectureError> {
        if depth == 0 {
            return Err(ArchitectureError::NoLayers);
        }
        if kind.is_residual() && !(c_res > 0.0 && c_res < 1.0) {
            return Err(ArchitectureError::ResidualScale(c_res));
        }
        let patches = if kind == Kind::ConvResNet { input } else { Patches::vector(input.input_size()) };
        let [rows, cols] = patches.patch;
        if rows % 2 == 0 || cols % 2 == 0 {
            return Err(ArchitectureError::EvenPatch(rows, cols));
        }
        let activation = if kind == Kind::LinearResNet { Activation::Identity } else { activation };
        let moments = Moments::of(activation);
        if !(moments.c_sigma > 0.0 && moments.c_sigma.is_finite()) {
            return Err(ArchitectureError::Activation(activation));
        }
        Ok(Self { kind, depth, c_res, residual: Residual::default(), activation, moments, patches })
    }

    /// The same network, whose residual scale depends on the depth in another way. Changes nothing where no layer has a
    /// skip.
    #[must_use]
    pub fn with_residual(self, residual: Residual) -> Self {
        Self { residual, ..self }
    }

    /// Which of them.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// H, the number of hidden layers.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// c_res; `None` of a kind that has no skips.
    pub fn c_res(&self) -> Option<f64> {
        self.kind.is_residual().then_some(self.c_res)
    }

    /// How the residual scale depends on the depth; `None` of a kind that has no skips.
    pub fn residual(&self) -> Option<Residual> {
        self.kind.is_residual().then_some(self.residual)
    }

    /// sigma.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// c_sigma and its kin.
    pub fn moments(&self) -> Moments {
        self.moments
    }

    /// phi_h.
    pub fn patches(&self) -> Patches {
        self.patches
    }

    /// Layer h, 1 <= h <= H.
    pub fn layer(&self, h: usize) -> Layer {
        assert!((1..=self.depth).contains(&h), "layer {h} of {}", self.depth);
        let skip = match self.kind {
            _ if h == 1 => None,
            Kind::FullyConnected => None,
            Kind::ResNet | Kind::ConvResNet | Kind::LinearResNet => Some(1),
            Kind::BlockResNet if h % 2 == 1 => Some(2),
            Kind::BlockResNet => (h == self.depth).then_some(1),
        };
        let residual = self.residual.scale(self.c_res, self.depth);
        let scale = if skip.is_some() { residual } else { self.moments.c_sigma.sqrt() };
        Layer { skip, scale, input_channels: (h == 1).then_some(self.patches.channels) }
    }

    /// Whether the skip of a layer above reaches down to layer h.
    pub fn feeds_skip(&self, h: usize) -> bool {
        (h + 1..=self.depth).any(|above| self.layer(above).skip == Some(above - h))
    }

    /// Trained parameters at width `m`: every W^(h) and a.
    pub fn parameters(&self, width: f64) -> f64 {
        let q = self.patches.taps() as f64;
        let first = width * q * self.patches.channels as f64;
        let later = (self.depth - 1) as f64 * width * width * q;
        first + later + width * self.patches.pixels() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residual_scales_are_those_that_their_names_say() {
        for (residual, name, scale) in [
            (Residual::PerDepth, "1/H", 0.125),
            (Residual::PerRootDepth, "1/sqrt(H)", 0.25),
            (Residual::Constant, "1", 0.5),
        ] {
            assert_eq!((residual.to_string().as_str(), name.parse()), (name, Ok(residual)));
            for kind in Kind::ALL {
                let input = Patches { channels: 1, image: [1, 3], patch: [1, 3] };
                let plain = Architecture::new(kind, 4, 0.5, Activation::SOFTPLUS, input).unwrap();
                let architecture = plain.with_residual(residual);
                assert_eq!(architecture.residual(), kind.is_residual().then_some(residual));
                for h in 1..=4 {
                    let layer = architecture.layer(h);
                    let expected = if layer.skip.is_some() { scale } else { plain.layer(1).scale };
                    assert_eq!(layer.scale, expected, "{kind}, layer {h}");
                }
            }
        }
        let error = "1/H^2".parse::<Residual>().unwrap_err().to_string();
        assert!(error.contains("1/H^2") && error.contains("1/sqrt(H)"), "{error}");
    }
}
