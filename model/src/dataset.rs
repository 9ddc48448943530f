//! Samples: drawn from a seed or read from the user's file, normalised, and refused when the theory cannot use them.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use fathom_kernels::normal;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

/// Inputs of norm 1 and their labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    inputs: Vec<f64>,
    labels: Vec<f64>,
    input_size: usize,
}

/// What samples cannot be used, and why.
#[derive(Debug, Error)]
pub enum DatasetError {
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of an unknown kind.
    #[error("{}: only .csv and .npy files can be read", .0.display())]
    Extension(PathBuf),
    /// A file that is not what its name says.
    #[error("{}: {message}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// No samples.
    #[error("there are no samples: give a file with one sample a row")]
    Empty,
    /// A field that is no number.
    #[error("row {row}, column {column}: \"{field}\" is not a number")]
    NotANumber {
        /// The row, from 1.
        row: usize,
        /// The column, from 1.
        column: usize,
        /// What stands there.
        field: String,
    },
    /// NaN or infinity.
    #[error("row {row}, column {column} is {value}: every input must be finite")]
    NotFinite {
        /// The row, from 1.
        row: usize,
        /// The column, from 1.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A row longer or shorter than the first.
    #[error("row {row} has {found} numbers, but row 1 has {expected}")]
    Ragged {
        /// The row, from 1.
        row: usize,
        /// Its length.
        found: usize,
        /// The first row's.
        expected: usize,
    },
    /// A row of zeros.
    #[error("row {row} is zero and cannot be normalised")]
    Zero {
        /// The row, from 1.
        row: usize,
    },
    /// Two rows on one line through the origin.
    #[error(
        "rows {first} and {second} are parallel: the theorems need every pair of inputs to differ in direction; drop one of them"
    )]
    Parallel {
        /// The first row, from 1.
        first: usize,
        /// The second.
        second: usize,
    },
    /// Labels that do not match the samples.
    #[error("there are {labels} labels for {samples} samples")]
    Labels {
        /// Labels given.
        labels: usize,
        /// Samples.
        samples: usize,
    },
    /// A specification that cannot be met.
    #[error("{0}")]
    Spec(String),
}

/// Two unit vectors are parallel when the sine of their angle is below this.
const PARALLEL: f64 = 1e-6;

impl Dataset {
    /// Rows of equal length, scaled to norm 1, with their labels.
    ///
    /// # Errors
    /// When there are none, a value is not finite, a row is zero, two rows are parallel, or the labels do not match;
    /// rows are named from 1.
    pub fn new(rows: Vec<Vec<f64>>, labels: Vec<f64>) -> Result<Self, DatasetError> {
        let expected = rows.first().map_or(0, Vec::len);
        if expected == 0 {
            return Err(DatasetError::Empty);
        }
        if labels.len() != rows.len() {
            return Err(DatasetError::Labels { labels: labels.len(), samples: rows.len() });
        }
        let mut inputs = Vec::with_capacity(rows.len() * expected);
        for (i, row) in rows.iter().enumerate() {
            if row.len() != expected {
                return Err(DatasetError::Ragged { row: i + 1, found: row.len(), expected });
            }
            if let Some(j) = row.iter().position(|x| !x.is_finite()) {
                return Err(DatasetError::NotFinite { row: i + 1, column: j + 1, value: row[j] });
            }
            // By the largest entry first, so that no square overflows or vanishes.
            let largest = row.iter().fold(0.0f64, |most, x| most.max(x.abs()));
            if largest == 0.0 {
                return Err(DatasetError::Zero { row: i + 1 });
            }
            let norm = row.iter().map(|x| (x / largest).powi(2)).sum::<f64>().sqrt();
            inputs.extend(row.iter().map(|x| x / largest / norm));
        }
        refuse_unusable_labels(&labels)?;
        let data = Self { inputs, labels, input_size: expected };
        data.refuse_parallel_pairs()?;
        Ok(data)
    }

    fn refuse_parallel_pairs(&self) -> Result<(), DatasetError> {
        for second in 1..self.samples() {
            for first in 0..second {
                let (a, b) = (self.input(first), self.input(second));
                let cosine: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                // The part of b across a, which keeps its digits where 1 - cosine^2 would not.
                let across: f64 = a.iter().zip(b).map(|(a, b)| (b - cosine * a).powi(2)).sum();
                if across.sqrt() < PARALLEL {
                    return Err(DatasetError::Parallel { first: first + 1, second: second + 1 });
                }
            }
        }
        Ok(())
    }

    /// Reads one sample a row from a `.csv` file (a first row without any number is taken for a header) or a
    /// two-dimensional `.npy` file of floats or integers. Labels are random signs from `seed`.
    ///
    /// # Errors
    /// When the file cannot be read or its samples cannot be used.
    pub fn read(path: &Path, seed: u64) -> Result<Self, DatasetError> {
        let rows = read_rows(path)?;
        let labels = random_signs(rows.len(), seed);
        Self::new(rows, labels)
    }

    /// Reads labels from a `.csv` or two-dimensional `.npy` file with one number a row, as [`Dataset::read`] reads samples.
    ///
    /// # Errors
    /// When the file cannot be read, or a row has more or fewer numbers than one.
    pub fn read_labels(path: &Path) -> Result<Vec<f64>, DatasetError> {
        let rows = read_rows(path)?;
        let label = |(i, row): (usize, Vec<f64>)| match row[..] {
            [label] => Ok(label),
            _ => Err(DatasetError::Format {
                path: path.to_owned(),
                message: format!("row {} has {} numbers, and a label is one", i + 1, row.len()),
            }),
        };
        rows.into_iter().enumerate().map(label).collect()
    }

    /// The samples at `indices`, in that order.
    ///
    /// # Panics
    /// When there are none, or one is out of range.
    pub fn subset(&self, indices: &[usize]) -> Self {
        assert!(!indices.is_empty(), "a data set has at least one sample");
        let inputs = indices.iter().flat_map(|&i| self.input(i)).copied().collect();
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        Self { inputs, labels, input_size: self.input_size }
    }

    /// The same inputs with other labels.
    ///
    /// # Errors
    /// When there are not as many as samples, or one is not finite.
    pub fn with_labels(&self, labels: Vec<f64>) -> Result<Self, DatasetError> {
        if labels.len() != self.samples() {
            return Err(DatasetError::Labels { labels: labels.len(), samples: self.samples() });
        }
        refuse_unusable_labels(&labels)?;
        Ok(Self { labels, ..self.clone() })
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.labels.len()
    }

    /// Numbers in one input.
    pub fn input_size(&self) -> usize {
        self.input_size
    }

    /// Input i, of norm 1.
    pub fn input(&self, i: usize) -> &[f64] {
        &self.inputs[i * self.input_size..(i + 1) * self.input_size]
    }

    /// All inputs, one after another.
    pub fn inputs(&self) -> &[f64] {
        &self.inputs
    }

    /// y.
    pub fn labels(&self) -> &[f64] {
        &self.labels
    }
}

/// `n` signs, each +1 or -1 with equal chance: arbitrary labels.
fn random_signs(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..n).map(|_| if rng.next_u32() & 1 == 0 { 1.0 } else { -1.0 }).collect()
}

fn refuse_unusable_labels(labels: &[f64]) -> Result<(), DatasetError> {
    match labels.iter().position(|y| !y.is_finite()) {
        Some(i) => Err(DatasetError::Spec(format!("label {} is {}: every label must be finite", i + 1, labels[i]))),
        None => Ok(()),
    }
}

fn read_rows(path: &Path) -> Result<Vec<Vec<f64>>, DatasetError> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => read_csv(path),
        Some("npy") => read_npy(path),
        _ => Err(DatasetError::Extension(path.to_owned())),
    }
}

fn read_csv(path: &Path) -> Result<Vec<Vec<f64>>, DatasetError> {
    let format = |message: String| DatasetError::Format { path: path.to_owned(), message };
    let file = std::fs::File::open(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(file);
    let mut rows = Vec::new();
    for (line, record) in reader.records().enumerate() {
        let record = record.map_err(|error| format(error.to_string()))?;
        let parsed: Vec<Option<f64>> = record.iter().map(|field| field.parse().ok()).collect();
        if line == 0 && parsed.iter().all(Option::is_none) {
            continue;
        }
        let number = |(j, x): (usize, Option<f64>)| {
            let field = record.get(j).unwrap_or_default().to_owned();
            x.ok_or(DatasetError::NotANumber { row: rows.len() + 1, column: j + 1, field })
        };
        let row = parsed.into_iter().enumerate().map(number).collect::<Result<_, _>>()?;
        rows.push(row);
    }
    Ok(rows)
}

fn read_npy(path: &Path) -> Result<Vec<Vec<f64>>, DatasetError> {
    let format = |message: String| DatasetError::Format { path: path.to_owned(), message };
    let bytes = std::fs::read(path).map_err(|source| DatasetError::Read { path: path.to_owned(), source })?;
    if bytes.is_empty() {
        return Err(DatasetError::Empty);
    }
    let npy = npyz::NpyFile::new(&bytes[..]).map_err(|error| format(error.to_string()))?;
    let (shape, order) = (npy.shape().to_vec(), npy.order());
    let &[rows, cols] = shape.as_slice() else {
        return Err(format(format!("the array has shape {shape:?}; samples need two dimensions, one sample a row")));
    };
    let (rows, cols) = (rows as usize, cols as usize);
    let values = npy_values(npy).map_err(format)?;
    let at = |i: usize, j: usize| if order == npyz::Order::C { values[i * cols + j] } else { values[j * rows + i] };
    Ok((0..rows).map(|i| (0..cols).map(|j| at(i, j)).collect()).collect())
}

/// The array's values in file order, from any of the usual number types.
fn npy_values(npy: npyz::NpyFile<&[u8]>) -> Result<Vec<f64>, String> {
    fn all<T: npyz::Deserialize>(npy: npyz::NpyFile<&[u8]>, to: impl Fn(T) -> f64) -> Result<Vec<f64>, String> {
        let values = npy.into_vec::<T>().map_err(|error| error.to_string())?;
        Ok(values.into_iter().map(to).collect())
    }
    let kind = match npy.dtype() {
        npyz::DType::Plain(plain) => (plain.type_char(), plain.num_bytes()),
        other => return Err(format!("cannot read elements of type {}", other.descr())),
    };
    match kind {
        (npyz::TypeChar::Float, Some(8)) => all::<f64>(npy, |x| x),
        (npyz::TypeChar::Float, Some(4)) => all::<f32>(npy, f64::from),
        (npyz::TypeChar::Int, Some(8)) => all::<i64>(npy, |x| x as f64),
        (npyz::TypeChar::Int, Some(4)) => all::<i32>(npy, f64::from),
        (npyz::TypeChar::Uint, Some(1)) => all::<u8>(npy, f64::from),
        _ => Err("elements must be float32, float64, int32, int64 or uint8".to_owned()),
    }
}

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
    /// When there are no such samples.
    pub fn draw(self, seed: u64) -> Result<Dataset, DatasetError> {
        let (samples, size) = match self {
            Self::Orthonormal { samples, size } | Self::Sphere { samples, size } => (samples, size),
            Self::Images { samples, shape } => (samples, shape.iter().product()),
        };
        let row = |i: usize| {
            let mut row = vec![0.0; size];
            normal::fill(seed, INPUTS, (i * size) as u64, &mut row);
            row
        };
        let mut rows: Vec<Vec<f64>> = (0..samples).map(row).collect();
        match self {
            Self::Orthonormal { samples, size } => {
                if samples > size {
                    return Err(DatasetError::Spec(format!("R^{size} has no {samples} orthonormal vectors")));
                }
                orthonormalise(&mut rows);
            }
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

/// The stream of the kernels' normals that inputs come from; networks use those from 0 up.
const INPUTS: u64 = u64::MAX;

/// Gram-Schmidt, each vector twice: once more than rounding can undo.
fn orthonormalise(rows: &mut [Vec<f64>]) {
    for i in 0..rows.len() {
        let (before, rest) = rows.split_at_mut(i);
        let row = &mut rest[0];
        for _ in 0..2 {
            for other in &*before {
                let along: f64 = row.iter().zip(other).map(|(a, b)| a * b).sum();
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

    fn rows(rows: &[&[f64]]) -> Result<Dataset, DatasetError> {
        let labels = vec![1.0; rows.len()];
        Dataset::new(rows.iter().map(|row| row.to_vec()).collect(), labels)
    }

    #[test]
    fn inputs_are_normalised() {
        let data = rows(&[&[3.0, 4.0], &[1e-200, -1e-200], &[1e200, 0.0]]).unwrap();
        assert_eq!(data.input(0), [0.6, 0.8]);
        for i in 0..3 {
            let norm: f64 = data.input(i).iter().map(|x| x * x).sum();
            assert!((norm - 1.0).abs() < 1e-15);
        }
    }

    #[test]
    fn unusable_rows_are_named() {
        let message = |data: &[&[f64]]| rows(data).unwrap_err().to_string();
        assert!(message(&[]).contains("no samples"));
        assert!(message(&[&[1.0, 2.0], &[1.0]]).starts_with("row 2 has 1"));
        assert!(message(&[&[1.0, 2.0], &[1.0, f64::NAN]]).starts_with("row 2, column 2 is NaN"));
        assert!(message(&[&[1.0, 2.0], &[0.0, 0.0]]).starts_with("row 2 is zero"));
        assert!(message(&[&[1.0, 2.0], &[2.0, 1.0], &[-2.0, -4.0]]).starts_with("rows 1 and 3 are parallel"));
        let labels = Dataset::new(vec![vec![1.0]], vec![]).unwrap_err().to_string();
        assert!(labels.contains("0 labels for 1"));
    }

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
