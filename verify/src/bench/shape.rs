//! What is multiplied: sizes, the form in which the operands are stored, and the element type.

use std::fmt;
use std::str::FromStr;

/// How A, B and C lie in memory. C is always stored row after row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A and B row-major.
    Nn,
    /// A stored as its transpose, so that the call computes A^T B.
    Tn,
    /// B stored as its transpose.
    Nt,
    /// Both stored as their transposes.
    Tt,
    /// Row-major inside wider matrices: 24 elements lie between one row and the next, in C too.
    Padded,
    /// Every other column of matrices twice as wide, for A and B: no BLAS interface can say this.
    Spaced,
}

impl Form {
    const ALL: [Self; 6] = [Self::Nn, Self::Tn, Self::Nt, Self::Tt, Self::Padded, Self::Spaced];

    /// As it is written after a shape's colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nn => "nn",
            Self::Tn => "tn",
            Self::Nt => "nt",
            Self::Tt => "tt",
            Self::Padded => "padded",
            Self::Spaced => "spaced",
        }
    }
}

/// One product: `m`, `n`, `k` and a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// m, n and k.
    pub sizes: [usize; 3],
    /// How the operands are stored.
    pub form: Form,
}

impl Shape {
    /// Floating-point operations, two for each multiply-add.
    pub fn operations(self) -> f64 {
        2.0 * self.sizes.iter().map(|&size| size as f64).product::<f64>()
    }

    /// The sizes alone: `MxNxK`.
    pub fn product(self) -> String {
        self.sizes.map(|size| size.to_string()).join("x")
    }
}

/// `96x96x96`, `96x96x96:tn`: read back by [`FromStr`].
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.product())?;
        if self.form == Form::Nn { Ok(()) } else { write!(f, ":{}", self.form.name()) }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let usage = || {
            let forms = Form::ALL.map(Form::name).join(", ");
            let sets = SETS.join(", ");
            format!("\"{text}\" is no shape: give MxNxK or one number, perhaps with :FORM ({forms}), or a set ({sets})")
        };
        let (sizes, form) = text.split_once(':').unwrap_or((text, "nn"));
        let form = Form::ALL.into_iter().find(|known| known.name() == form).ok_or_else(usage)?;
        let size = |part: &str| part.parse().ok().filter(|size| (1..=MAX_SIZE).contains(size));
        let sizes: Option<Vec<usize>> = sizes.split('x').map(size).collect();
        match sizes.as_deref() {
            Some(&[side]) => Ok(Self { sizes: [side; 3], form }),
            Some(&[m, n, k]) => Ok(Self { sizes: [m, n, k], form }),
            _ => Err(usage()),
        }
    }
}

/// Larger ones overflow the 32-bit integers of a BLAS, or any machine's memory.
const MAX_SIZE: usize = 1 << 24;

/// The sets, by name.
const SETS: [&str; 7] = ["small", "square", "rectangle", "transposed", "odd", "strided", "all"];

const SQUARES: [usize; 15] = [4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512, 768, 1024, 2048];
/// Layers of a network on small batches, updates of low rank, long sums, a 3x3 convolution of a residual network
/// (64 channels to 64 on 56x56 pixels), a first layer, and products with a single row or column.
const RECTANGLES: [[usize; 3]; 11] = [
    [2048, 32, 2048],
    [32, 2048, 2048],
    [1024, 100, 1024],
    [100, 1024, 1024],
    [2048, 2048, 32],
    [2048, 2048, 100],
    [100, 100, 4096],
    [64, 3136, 576],
    [1000, 1000, 9],
    [1, 2048, 2048],
    [2048, 1, 2048],
];
const TRANSPOSED: [[usize; 3]; 4] = [[96; 3], [512; 3], [2048, 32, 2048], [100, 100, 4096]];
/// Around tiles, vectors and powers of two.
const ODD: [usize; 14] = [7, 13, 31, 33, 47, 65, 97, 127, 129, 255, 257, 1000, 1023, 1025];
const STRIDED: [usize; 3] = [96, 512, 1024];

/// The shapes of a set, or the one shape that `text` spells.
///
/// # Errors
/// What a shape may be, when it is neither.
pub fn parse(text: &str) -> Result<Vec<Shape>, String> {
    let square = |side: usize| Shape { sizes: [side; 3], form: Form::Nn };
    let in_forms = |sizes: &[[usize; 3]], forms: &[Form]| -> Vec<Shape> {
        forms.iter().flat_map(|&form| sizes.iter().map(move |&sizes| Shape { sizes, form })).collect()
    };
    Ok(match text {
        "small" => SQUARES.into_iter().filter(|&side| side <= 64).map(square).collect(),
        "square" => SQUARES.into_iter().map(square).collect(),
        "rectangle" => in_forms(&RECTANGLES, &[Form::Nn]),
        "transposed" => in_forms(&TRANSPOSED, &[Form::Tn, Form::Nt, Form::Tt]),
        "odd" => ODD.into_iter().map(square).collect(),
        "strided" => in_forms(&STRIDED.map(|side| [side; 3]), &[Form::Padded, Form::Spaced]),
        "all" => {
            let mut all = Vec::new();
            for set in SETS.iter().filter(|&&set| set != "all" && set != "small") {
                all.extend(parse(set)?);
            }
            all
        }
        one => vec![one.parse()?],
    })
}

/// An element type, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Type {
    /// `f32`.
    F32,
    /// `f64`.
    F64,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_sets_numbers_and_products() {
        let nn = |sizes| vec![Shape { sizes, form: Form::Nn }];
        assert_eq!(parse("512"), Ok(nn([512; 3])));
        assert_eq!(parse("7x5x3"), Ok(nn([7, 5, 3])));
        assert_eq!(parse("96:tn"), Ok(vec![Shape { sizes: [96; 3], form: Form::Tn }]));
        assert_eq!(parse("7x5x3:spaced"), Ok(vec![Shape { sizes: [7, 5, 3], form: Form::Spaced }]));
        for text in ["", "0", "7x5", "7x5x3x2", "7x0x3", "x", "96:", "96:ttt", "sqare", "99999999", "-1", "4.5"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_shape_reads_back_what_it_prints() {
        for shape in parse("all").unwrap() {
            assert_eq!(parse(&shape.to_string()), Ok(vec![shape]));
        }
    }

    #[test]
    fn all_holds_every_set_once() {
        let all = parse("all").unwrap();
        assert_eq!(all.len(), 15 + 11 + 3 * 4 + 14 + 2 * 3);
        assert_eq!(super::super::race::union(&[all.clone(), all.clone()]), all);
        assert!(parse("small").unwrap().iter().all(|shape| all.contains(shape)));
    }
}
