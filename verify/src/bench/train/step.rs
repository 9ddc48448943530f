//! Whose steps are timed: an architecture, its sizes, and what a step of it takes.

use std::fmt;
use std::str::FromStr;

use fathom_model::Kind;

/// Numbers in an input.
pub const INPUT_SIZE: usize = 256;

/// A network, but for its architecture, and its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// m.
    pub width: usize,
    /// H, the number of hidden layers.
    pub depth: usize,
    /// n.
    pub samples: usize,
}

/// A step of full-batch descent of a network of one size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Its architecture, one that does not convolve.
    pub kind: Kind,
    /// Its size.
    pub size: Size,
    /// Steps that our weights take up together; `None` takes what [`Descent::new`](fathom_model::descent::Descent::new) does.
    pub delay: Option<usize>,
}

impl Step {
    /// Floating-point operations of a step, two for each multiply-add of a product: forward, to the features below, and
    /// to the weights. Nobody asks for the gradient to the inputs; activations are not counted.
    pub fn operations(&self) -> f64 {
        let [m, n, d, h] = [self.size.width, self.size.samples, INPUT_SIZE, self.size.depth].map(|size| size as f64);
        let (first, hidden, output) = (4.0 * m * d * n, 6.0 * m * m * n, 4.0 * m * n);
        first + (h - 1.0) * hidden + output
    }

    /// Weights, those of the output among them.
    pub fn parameters(&self) -> usize {
        let Size { width, depth, .. } = self.size;
        width * (INPUT_SIZE + (depth - 1) * width + 1)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.size)?;
        self.delay.map_or(Ok(()), |delay| write!(f, " S={delay}"))
    }
}

/// `2048x8x10`: read back by [`FromStr`].
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.width, self.depth, self.samples)
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || format!("\"{text}\" is no case: give WIDTHxDEPTHxSAMPLES, such as 2048x8x10, or all");
        let number = |part: &str| part.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size));
        let parts: Option<Vec<usize>> = text.split('x').map(number).collect();
        let Some(&[width, depth, samples]) = parts.as_deref() else { return Err(usage()) };
        let size = Self { width, depth, samples };
        let parameters = Step { kind: Kind::FullyConnected, size, delay: None }.parameters();
        let features = samples * (INPUT_SIZE + width * depth);
        if parameters.max(features) > LARGEST {
            return Err(format!("{text} is too large: a network may have {LARGEST} weights, and as many features"));
        }
        Ok(size)
    }
}

const MAX_SIZE: usize = 1 << 16;
/// Weights at most, and features of all samples: 4 GiB of f32 each.
const LARGEST: usize = 1 << 30;

/// Networks that a core's cache holds, that all cores' cache holds, and that memory holds; and more and more samples, up
/// to where arithmetic is all that counts.
const ALL: [[usize; 3]; 7] =
    [[256, 8, 10], [1024, 8, 10], [2048, 8, 10], [2048, 8, 32], [1024, 8, 100], [2048, 8, 100], [1024, 16, 1000]];

/// All sizes, or the one that `text` spells.
///
/// # Errors
/// What a size may be, when it is neither.
pub fn parse(text: &str) -> Result<Vec<Size>, String> {
    match text {
        "all" => Ok(ALL.map(|[width, depth, samples]| Size { width, depth, samples }).to_vec()),
        one => Ok(vec![one.parse()?]),
    }
}

/// An architecture that does not convolve.
///
/// # Errors
/// Which there are, when `text` names none of them.
pub fn parse_kind(text: &str) -> Result<Kind, String> {
    let known = [Kind::ResNet, Kind::FullyConnected].into_iter().find(|kind| kind.name() == text);
    known.ok_or_else(|| format!("there are no peers for \"{text}\": give resnet, fc or both"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_reads_back_what_it_prints() {
        let all = parse("all").unwrap();
        assert_eq!(all.len(), ALL.len());
        for size in all {
            assert_eq!(parse(&size.to_string()), Ok(vec![size]));
        }
    }

    #[test]
    fn what_is_no_size_or_architecture_is_refused() {
        for text in ["", "x", "2048", "2048x8", "2048x8x10x1", "0x8x10", "2048x0x10", "2048x8x-1"] {
            assert!(parse(text).unwrap_err().contains("WIDTHxDEPTHxSAMPLES"), "{text}");
        }
        for text in ["65536x2x1", "256x4096x65536"] {
            assert!(parse(text).unwrap_err().contains("too large"), "{text}");
        }
        assert_eq!(parse_kind("fc"), Ok(Kind::FullyConnected));
        assert!(parse_kind("conv-resnet").unwrap_err().contains("give resnet, fc or both"));
    }

    #[test]
    fn operations_and_parameters_are_those_of_products() {
        let step = Step { kind: Kind::ResNet, size: "8x3x5".parse().unwrap(), delay: None };
        assert_eq!(step.parameters(), 8 * 256 + 2 * 64 + 8);
        assert_eq!(step.operations(), (5 * (4 * 8 * 256 + 2 * 6 * 64 + 4 * 8)) as f64);
    }
}
