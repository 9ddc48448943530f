//! Samples drawn from a seed.

use std::fmt;
use std::str::FromStr;

use fathom_kernels::normal;

use super::{Dataset, DatasetError, random_signs};
use crate::gram::dot;

/// Samples drawn from a seed, written `KIND:n=N,d=D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec {
    /// n orthonormal vectors in R^d.
    Orthonormal {
        /// n.
        samples: usize,
        /// d >= n.
        size: usize,
    },
    /// n points, uniform on the unit sphere of R^d.
    Sphere {
        /// n.
        samples: usize,
        /// d.
        size: usize,
    },
    /// n images of c channels and h x w pixels: white noise smoothed over neighbouring pixels, as natural images are.
    Images {
        /// n.
        samples: usize,
        /// c, h and w.
        shape: [usize; 3],
    },
}

impl Spec {
    /// Draws the samples, and random signs as labels.
    ///
    /// # Errors
    /// When there are no such samples, or too many.
    pub fn draw(self, seed: u64) -> Result<Dataset, DatasetError> {
        let (samples, sides) = match self {
            Self::Orthonormal { samples, size } | Self::Sphere { samples, size } => (samples, [size, 1, 1]),
            Self::Images { samples, shape } => (samples, shape),
        };
        let numbers = [samples].iter().chain(&sides).try_fold(1usize, |all, &side| all.checked_mul(side));
        if numbers.is_none_or(|numbers| numbers > MOST) {
            return Err(DatasetError::Spec(format!("{self} has more than {MOST} numbers")));
        }
        let size = sides.iter().product();
        if let Self::Orthonormal { samples, size } = self
            && samples > size
        {
            return Err(DatasetError::Spec(format!("R^{size} has no {samples} orthonormal vectors")));
        }
        let row = |i: usize| {
            let mut row = vec![0.0; size];
            normal::fill(seed, INPUTS, (i * size) as u64, &mut row);
            row
        };
        let mut rows: Vec<Vec<f64>> = (0..samples).map(row).collect();
        match self {
            Self::Orthonormal { .. } => orthonormalise(&mut rows),
            Self::Sphere { .. } => {}
            Self::Images { shape, .. } => rows.iter_mut().for_each(|row| *row = smooth(row, shape)),
        }
        let labels = random_signs(samples, seed);
        Dataset::new(rows, labels)
    }

    /// n.
    pub fn samples(self) -> usize {
        match self {
            Self::Orthonormal { samples, .. } | Self::Sphere { samples, .. } | Self::Images { samples, .. } => samples,
        }
    }

    /// As many samples as asked for. The first of them are the same however many there are, and so are their labels.
    pub fn with_samples(self, samples: usize) -> Self {
        match self {
            Self::Orthonormal { size, .. } => Self::Orthonormal { samples, size },
            Self::Sphere { size, .. } => Self::Sphere { samples, size },
            Self::Images { shape, .. } => Self::Images { samples, shape },
        }
    }

    /// The shape `[c, h, w]` of images.
    pub fn image_shape(self) -> Option<[usize; 3]> {
        match self {
            Self::Images { shape, .. } => Some(shape),
            _ => None,
        }
    }
}

/// Numbers of a data set at most: 32 GiB.
const MOST: usize = 1 << 32;

/// The stream of the kernels' normals that inputs come from; networks use those from 0 up.
const INPUTS: u64 = u64::MAX;

/// Gram-Schmidt, each vector twice: once more than rounding can undo.
fn orthonormalise(rows: &mut [Vec<f64>]) {
    for i in 0..rows.len() {
        let (before, rest) = rows.split_at_mut(i);
        let row = &mut rest[0];
        for _ in 0..2 {
            for other in &*before {
                let along = dot(row, other);
                row.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            row.iter_mut().for_each(|x| *x /= norm);
        }
    }
}

/// Each pixel's sum with its neighbours above, below, left and right.
fn smooth(image: &[f64], [channels, height, width]: [usize; 3]) -> Vec<f64> {
    let at = |c: usize, y: usize, x: usize| image[(c * height + y) * width + x];
    let mut out = Vec::with_capacity(image.len());
    for c in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let above = if y > 0 { at(c, y - 1, x) } else { 0.0 };
                let below = if y + 1 < height { at(c, y + 1, x) } else { 0.0 };
                let left = if x > 0 { at(c, y, x - 1) } else { 0.0 };
                let right = if x + 1 < width { at(c, y, x + 1) } else { 0.0 };
                out.push(at(c, y, x) + above + below + left + right);
            }
        }
    }
    out
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Orthonormal { samples, size } => write!(f, "orthonormal:n={samples},d={size}"),
            Self::Sphere { samples, size } => write!(f, "sphere:n={samples},d={size}"),
            Self::Images { samples, shape: [c, h, w] } => write!(f, "images:n={samples},c={c},h={h},w={w}"),
        }
    }
}

impl FromStr for Spec {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        let usage = || {
            DatasetError::Spec(format!(
                "cannot read \"{text}\" as data: give a .csv or .npy file, orthonormal:n=N,d=D, sphere:n=N,d=D or \
                 images:n=N,c=C,h=H,w=W"
            ))
        };
        let (kind, fields) = text.split_once(':').ok_or_else(usage)?;
        let keys: &[&str] = match kind {
            "orthonormal" | "sphere" => &["n", "d"],
            "images" => &["n", "c", "h", "w"],
            _ => return Err(usage()),
        };
        let mut values = vec![None; keys.len()];
        for field in fields.split(',') {
            let (key, value) = field.split_once('=').ok_or_else(usage)?;
            let place = keys.iter().position(|&k| k == key).ok_or_else(usage)?;
            let value: usize = value.parse().ok().filter(|&v| v > 0).ok_or_else(usage)?;
            if values[place].replace(value).is_some() {
                return Err(usage());
            }
        }
        let values = values.into_iter().collect::<Option<Vec<usize>>>().ok_or_else(usage)?;
        Ok(match (kind, values.as_slice()) {
            ("orthonormal", &[samples, size]) => Self::Orthonormal { samples, size },
            ("sphere", &[samples, size]) => Self::Sphere { samples, size },
            (_, &[samples, c, h, w]) => Self::Images { samples, shape: [c, h, w] },
            _ => return Err(usage()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_round_trip() {
        for text in ["orthonormal:n=4,d=8", "sphere:n=10,d=3", "images:n=2,c=3,h=4,w=5"] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
        for text in ["sphere", "sphere:n=4", "sphere:n=4,d=0", "sphere:n=4,n=4,d=1", "ball:n=1,d=1", "images:n=1,d=2"] {
            assert!(text.parse::<Spec>().is_err(), "{text}");
        }
    }

    #[test]
    fn draws_depend_on_the_seed_alone() {
        for text in ["orthonormal:n=4,d=8", "sphere:n=10,d=3", "images:n=2,c=1,h=4,w=4"] {
            let spec: Spec = text.parse().unwrap();
            assert_eq!(spec.draw(3).unwrap(), spec.draw(3).unwrap());
            assert_ne!(spec.draw(3).unwrap(), spec.draw(4).unwrap());
        }
        let data = Spec::Orthonormal { samples: 5, size: 9 }.draw(1).unwrap();
        for i in 0..5 {
            for j in 0..5 {
                let product: f64 = data.input(i).iter().zip(data.input(j)).map(|(a, b)| a * b).sum();
                assert!((product - f64::from(i == j)).abs() < 1e-15);
            }
        }
        assert!(Spec::Orthonormal { samples: 5, size: 4 }.draw(1).is_err());
    }

    #[test]
    fn more_samples_begin_with_the_same() {
        for text in ["orthonormal:n=4,d=8", "sphere:n=10,d=3", "images:n=2,c=1,h=4,w=4"] {
            let spec: Spec = text.parse().unwrap();
            let (few, more) = (spec.draw(3).unwrap(), spec.with_samples(8).draw(3).unwrap());
            let first: Vec<usize> = (0..few.samples().min(8)).collect();
            assert_eq!(more.subset(&first), few.subset(&first), "{text}");
        }
    }
}
