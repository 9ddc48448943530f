//! The samples and their shape, from the command line's options.

use std::path::Path;

use anyhow::{Result, bail};
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::{Architecture, Dataset, DatasetError};
use sha2::{Digest, Sha256};

use crate::cli::DataArgs;
use crate::rows::Subject;

/// Samples, the image that each is, and where they come from.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The inputs and labels.
    pub data: Dataset,
    /// The shape of an input and its patches.
    pub patches: Patches,
    /// A file, or the specification that they were drawn from.
    pub source: String,
    hash: String,
}

impl Samples {
    /// Reads or draws the samples that `args` ask for.
    ///
    /// # Errors
    /// When they cannot be used, or the options contradict one another.
    pub fn load(args: &DataArgs) -> Result<Self> {
        let mut image = args.image;
        let (data, source) = match &args.data {
            Some(path) if is_file(path) => {
                let data = Dataset::read(Path::new(path), args.seed)?;
                (first(data, args.samples)?, path.clone())
            }
            Some(text) => {
                let spec: Spec = text.parse()?;
                let data = spec.draw(args.seed)?;
                if let Some(samples) = args.samples.filter(|&n| n != data.samples()) {
                    bail!(DatasetError::Spec(format!(
                        "--samples {samples} contradicts --data {text}: give one of them"
                    )));
                }
                image = image.or(spec.image_shape());
                (data, spec.to_string())
            }
            None => {
                let samples = args.samples.unwrap_or(4);
                let spec = Spec::Orthonormal { samples, size: 2 * samples };
                (spec.draw(args.seed)?, spec.to_string())
            }
        };
        let [channels, height, width] = image.unwrap_or([1, 1, data.input_size()]);
        let patch = args.patch.unwrap_or(if height == 1 { [1, 3] } else { [3, 3] });
        let patches = Patches { channels, image: [height, width], patch };
        if patches.input_size() != data.input_size() {
            bail!(DatasetError::Spec(format!(
                "a sample has {} numbers, but an image of {channels}x{height}x{width} has {}: give --image CxHxW",
                data.input_size(),
                patches.input_size()
            )));
        }
        let hash = hash(&data);
        Ok(Self { data, patches, source, hash })
    }

    /// What a row says of a network on these samples.
    pub fn subject(&self, architecture: &Architecture) -> Subject {
        Subject {
            arch: architecture.kind().to_string(),
            activation: architecture.activation().to_string(),
            depth: architecture.depth(),
            c_res: architecture.c_res(),
            data: self.source.clone(),
            data_hash: self.hash.clone(),
            samples: self.data.samples(),
            input_size: self.data.input_size(),
        }
    }
}

/// Whether `--data` names a file rather than a specification.
fn is_file(text: &str) -> bool {
    let path = Path::new(text);
    !text.contains(':') || path.exists() || path.extension().is_some_and(|e| e == "csv" || e == "npy")
}

/// The first `samples` of them.
fn first(data: Dataset, samples: Option<usize>) -> Result<Dataset, DatasetError> {
    match samples {
        Some(n) if n > data.samples() => {
            Err(DatasetError::Spec(format!("--samples {n} asks for more rows than the file's {}", data.samples())))
        }
        Some(n) if n < data.samples() => {
            let rows = (0..n).map(|i| data.input(i).to_vec()).collect();
            Dataset::new(rows, data.labels()[..n].to_vec())
        }
        _ => Ok(data),
    }
}

/// SHA-256 of the inputs and labels as little-endian f64.
fn hash(data: &Dataset) -> String {
    let mut hasher = Sha256::new();
    for x in data.inputs().iter().chain(data.labels()) {
        hasher.update(x.to_le_bytes());
    }
    hex(&hasher.finalize())
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
