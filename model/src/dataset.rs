//! Samples: drawn from a seed or read from the user's file, normalised, and refused when the theory cannot use them.

use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::gram::dot;
use crate::permutation::generator;
use file::{Table, read_table};
pub use spec::Spec;

mod file;
mod spec;

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
    #[error("cannot read {}", path.display())]
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

    /// Parallel inputs differ by less than 2 [`PARALLEL`], up to their sign, and so do their shadows on any direction: sorted by
    /// the sizes of their shadows, only neighbours need be compared.
    fn refuse_parallel_pairs(&self) -> Result<(), DatasetError> {
        let mut direction = generator(0, 0);
        let direction: Vec<f64> =
            (0..self.input_size).map(|_| f64::from(direction.next_u32()) - 2f64.powi(31)).collect();
        let reach = 2.0 * PARALLEL * dot(&direction, &direction).sqrt();
        let mut shadows: Vec<(f64, usize)> =
            (0..self.samples()).map(|i| (dot(&direction, self.input(i)).abs(), i)).collect();
        shadows.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut parallel: Option<(usize, usize)> = None;
        for (k, &(shadow, i)) in shadows.iter().enumerate() {
            let near = shadows[k + 1..].iter().take_while(|(other, _)| other - shadow <= reach);
            for pair in near.map(|&(_, j)| (i.max(j), i.min(j))).filter(|&(a, b)| self.are_parallel(a, b)) {
                parallel = Some(parallel.map_or(pair, |first| first.min(pair)));
            }
        }
        let name = |(second, first)| DatasetError::Parallel { first: first + 1, second: second + 1 };
        parallel.map_or(Ok(()), |pair| Err(name(pair)))
    }

    fn are_parallel(&self, first: usize, second: usize) -> bool {
        let (a, b) = (self.input(first), self.input(second));
        let cosine = dot(a, b);
        // The part of b across a, which keeps its digits where 1 - cosine^2 would not.
        let across: f64 = a.iter().zip(b).map(|(a, b)| (b - cosine * a).powi(2)).sum();
        across.sqrt() < PARALLEL
    }

    /// Reads one sample a row from a `.csv` file (a first row without any number is taken for a header) or a
    /// two-dimensional `.npy` file of floats or integers. Labels are random signs from `seed`.
    ///
    /// # Errors
    /// When the file cannot be read or its samples cannot be used.
    pub fn read(path: &Path, seed: u64) -> Result<Self, DatasetError> {
        let rows = read_table(path)?.samples(path)?;
        let labels = random_signs(rows.len(), seed);
        Self::new(rows, labels)
    }

    /// Reads labels from a `.csv` or `.npy` file with one number a row, as [`Dataset::read`] reads samples; a `.npy` file may have one
    /// dimension.
    ///
    /// # Errors
    /// When the file cannot be read, or a row has more or fewer numbers than one.
    pub fn read_labels(path: &Path) -> Result<Vec<f64>, DatasetError> {
        let rows = match read_table(path)? {
            Table::Line(labels) => return Ok(labels),
            Table::Rows(rows) => rows,
        };
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
        // Of several pairs the first; those as far apart as is asked for pass.
        let near = |across: f64| message(&[&[3.0, 1.0], &[1.0, 2.0], &[1.0, 2.0 + across], &[6.0, 2.0], &[-1.0, -2.0]]);
        assert!(near(1e-6).starts_with("rows 2 and 3 are parallel"));
        assert!(near(6e-6).starts_with("rows 1 and 4 are parallel"));
        assert!(rows(&[&[1.0, 2.0], &[1.0, 2.0 + 6e-6]]).is_ok());
        let labels = Dataset::new(vec![vec![1.0]], vec![]).unwrap_err().to_string();
        assert!(labels.contains("0 labels for 1"));
    }
}
