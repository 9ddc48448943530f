//! The samples and their shape, from the command line's options.

use std::path::Path;

use anyhow::{Result, bail};
use fathom_model::architecture::{Kind, Patches};
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
    /// The seed that a specification was drawn from; `None` for a file.
    pub seed: Option<u64>,
    hash: String,
}

impl Samples {
    /// Reads or draws the samples that `args` ask for.
    ///
    /// # Errors
    /// When they cannot be used, or the options contradict one another.
    pub fn load(args: &DataArgs) -> Result<Self> {
        Ok(Self::load_and_hold_out(args, None, 0)?.0)
    }

    /// The same, and `held_out` samples that follow them: the next that the specification draws or, of a file, the next
    /// rows (its last ones, when --samples is absent). `targets` is a file with a label for each row of the data.
    ///
    /// # Errors
    /// Also when there are not enough samples, or not as many targets as rows.
    pub fn load_and_hold_out(
        args: &DataArgs,
        targets: Option<&Path>,
        held_out: usize,
    ) -> Result<(Self, Option<Dataset>)> {
        let mut image = args.image;
        let (mut all, samples, source, seed) = match &args.data {
            Some(path) if is_file(path) => {
                let data = Dataset::read(Path::new(path), args.seed)?;
                let samples = rows_to_use(data.samples(), args.samples, held_out)?;
                (data, samples, path.clone(), targets.is_none().then_some(args.seed))
            }
            text => {
                let spec = specification(text.as_deref(), args.samples)?;
                image = image.or(spec.image_shape().filter(|_| text.is_some()));
                let samples = spec.samples();
                let data = spec.with_samples(samples.saturating_add(held_out)).draw(args.seed)?;
                (data, samples, spec.to_string(), Some(args.seed))
            }
        };
        if samples == 0 {
            bail!(DatasetError::Empty);
        }
        if let Some(targets) = targets {
            all = all.with_labels(Dataset::read_labels(targets)?)?;
        }
        let part = |range: std::ops::Range<usize>| all.subset(&range.collect::<Vec<_>>());
        let data = part(0..samples);
        let held_out = (held_out > 0).then(|| part(samples..samples + held_out));
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
        Ok((Self { data, patches, source, seed, hash }, held_out))
    }

    /// Takes the same inputs with other labels.
    pub fn relabel(&mut self, data: Dataset) {
        self.hash = hash(&data);
        self.data = data;
    }

    /// What a row says of a network on these samples.
    pub fn subject(&self, architecture: &Architecture) -> Subject {
        let Patches { channels, image: [rows, cols], patch: [height, width] } = architecture.patches();
        let convolves = architecture.kind() == Kind::ConvResNet;
        Subject {
            arch: architecture.kind().to_string(),
            activation: architecture.activation().to_string(),
            depth: architecture.depth(),
            c_res: architecture.c_res(),
            residual: architecture.residual().map(|residual| residual.to_string()),
            data: self.source.clone(),
            data_seed: self.seed,
            data_hash: self.hash.clone(),
            samples: self.data.samples(),
            input_size: self.data.input_size(),
            image: convolves.then(|| format!("{channels}x{rows}x{cols}")),
            patch: convolves.then(|| format!("{height}x{width}")),
        }
    }
}

/// Whether `--data` names a file rather than a specification.
pub fn is_file(text: &str) -> bool {
    let path = Path::new(text);
    !text.contains(':') || path.exists() || path.extension().is_some_and(|e| e == "csv" || e == "npy")
}

/// How many rows of a file are samples, with `held_out` more after them.
fn rows_to_use(rows: usize, samples: Option<usize>, held_out: usize) -> Result<usize, DatasetError> {
    let asked = match samples {
        Some(n) if held_out > 0 => format!("--samples {n} and --held-out {held_out} ask"),
        Some(n) => format!("--samples {n} asks"),
        None => format!("--held-out {held_out} and one sample ask"),
    };
    match rows.checked_sub(held_out) {
        Some(most) if most >= samples.unwrap_or(1) => Ok(samples.unwrap_or(most)),
        _ => Err(DatasetError::Spec(format!("{asked} for more rows than the file's {rows}"))),
    }
}

/// What `--data` and `--samples` specify together.
fn specification(data: Option<&str>, samples: Option<usize>) -> Result<Spec, DatasetError> {
    let Some(text) = data else {
        let samples = samples.unwrap_or(4);
        return Ok(Spec::Orthonormal { samples, size: samples.saturating_mul(2) });
    };
    let spec: Spec = text.parse()?;
    match samples.filter(|&n| n != spec.samples()) {
        Some(n) => Err(DatasetError::Spec(format!("--samples {n} contradicts --data {text}: give one of them"))),
        None => Ok(spec),
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
