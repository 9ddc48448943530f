//! A folder from which anyone can replay a training: arrays as .npy, settings as JSON.
//!
//! The folder is written under another name beside its own, and renamed when it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fathom_kernels::Real;
use fathom_model::descent::Point;
use fathom_model::network::Inputs;
use fathom_model::stochastic::epoch_order;
use fathom_model::{Dataset, Network};
use npyz::WriterBuilder;
use serde::Serialize;

use crate::training::{Settings, Training};

/// A dump that is being written. Dropped before it is finished, it leaves nothing behind.
pub struct Dump {
    folder: PathBuf,
    partial: PathBuf,
}

/// `settings.json`, schema `fathom.dump/1`.
#[derive(Serialize)]
struct Replay {
    schema: &'static str,
    arch: String,
    activation: String,
    width: usize,
    depth: usize,
    /// The type that was trained in; the arrays hold its values as float64.
    #[serde(rename = "type")]
    element: &'static str,
    eta: f64,
    /// Absent for full-batch descent.
    batch: Option<usize>,
    /// Layers 1 to H.
    layers: Vec<ReplayLayer>,
    seed: u64,
    /// FNV-1a of the trained weights, in hexadecimal.
    weights_hash: String,
}

#[derive(Serialize)]
struct ReplayLayer {
    /// r where x^(h-r) is added.
    skip: Option<usize>,
    /// s_h.
    scale: f64,
}

impl Dump {
    /// Begins a dump in `folder`, which must be new or empty.
    ///
    /// # Errors
    /// When it holds something already, or cannot be written beside.
    pub fn begin(folder: &Path) -> Result<Self> {
        let Some(name) = folder.file_name() else {
            bail!(crate::Usage(format!("cannot dump to {}: give a new folder", folder.display())));
        };
        let is_taken = match std::fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            Err(_) => folder.exists(),
        };
        if is_taken {
            bail!(crate::Usage(format!("cannot dump to {}: it holds something already", folder.display())));
        }
        let partial = folder.with_file_name(format!(".{}.{}.partial", name.to_string_lossy(), std::process::id()));
        let dump = Self { folder: folder.to_owned(), partial };
        std::fs::create_dir_all(&dump.partial).with_context(|| dump.failure())?;
        Ok(dump)
    }

    /// Writes what is known at the start: samples, labels, initial weights and the gradients of the first step.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn start<T: Real>(&self, network: &Network<T>, data: &Dataset, settings: Settings) -> Result<()> {
        let architecture = network.architecture();
        let patches = architecture.patches();
        let [rows, cols] = patches.image;
        self.array("inputs", &[data.samples(), patches.channels, rows, cols], data.inputs())?;
        self.array("labels", &[data.samples()], data.labels())?;

        let first: Vec<usize> = match settings.batch {
            Some(batch) => epoch_order(settings.seed, 0, data.samples()).into_iter().take(batch).collect(),
            None => (0..data.samples()).collect(),
        };
        let batch = data.subset(&first);
        let point = Point::of(network, &Inputs::new(architecture, &batch), &batch);
        let mut gradient = Vec::new();
        for h in 1..=architecture.depth() {
            let weights = network.weights(h);
            let channels = architecture.layer(h).input_channels.unwrap_or(network.width());
            let shape = [network.width(), channels, patches.patch[0], patches.patch[1]];
            self.array(&format!("weight_{h}"), &shape, &as_f64(weights))?;
            gradient.resize(weights.len(), T::ZERO);
            let passes = (&point.forward, &point.backward);
            network.weight_gradient(h, T::ONE, &point.residuals, passes, T::ZERO, &mut gradient);
            self.array(&format!("gradient_{h}"), &shape, &as_f64(&gradient))?;
        }
        let shape = [network.width(), rows, cols];
        self.array("output", &shape, &as_f64(network.output()))?;
        gradient.resize(network.output().len(), T::ZERO);
        let top = &point.forward.features[architecture.depth()];
        network.output_gradient(T::ONE, &point.residuals, top, T::ZERO, &mut gradient);
        self.array("gradient_output", &shape, &as_f64(&gradient))
    }

    /// Writes what is known at the end, and gives the folder its name.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn finish<T: Real>(
        self,
        trained: &Network<T>,
        data: &Dataset,
        settings: Settings,
        training: &Training,
    ) -> Result<()> {
        let (steps, losses): (Vec<usize>, Vec<f64>) = training.curve.iter().copied().unzip();
        self.array("steps", &[steps.len()], &signed(&steps))?;
        self.array("loss", &[losses.len()], &losses)?;
        if let Some(batch) = settings.batch {
            let n = data.samples();
            let taken = steps.last().copied().unwrap_or_default();
            let epochs = taken.div_ceil(n.div_ceil(batch));
            let orders: Vec<usize> = (0..epochs).flat_map(|epoch| epoch_order(settings.seed, epoch, n)).collect();
            self.array("order", &[epochs, n], &signed(&orders))?;
        }
        let settings = serde_json::to_vec_pretty(&Replay::new(trained, settings))?;
        self.file("settings.json", |out| out.write_all(&settings))?;
        self.name().with_context(|| self.failure())
    }

    fn name(&self) -> std::io::Result<()> {
        if self.folder.exists() {
            // Empty: only some systems rename to a folder that exists.
            std::fs::remove_dir(&self.folder)?;
        }
        std::fs::rename(&self.partial, &self.folder)
    }

    fn array<X>(&self, name: &str, shape: &[usize], entries: &[X]) -> Result<()>
    where
        X: npyz::AutoSerialize + Copy,
    {
        let shape: Vec<u64> = shape.iter().map(|&size| size as u64).collect();
        self.file(&format!("{name}.npy"), |out| {
            let mut writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(out).begin_nd()?;
            writer.extend(entries.iter().copied())?;
            writer.finish()
        })
    }

    /// Writes a file through to the disk.
    fn file(&self, name: &str, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<()> {
        let written = (|| {
            let mut out = BufWriter::new(File::create(self.partial.join(name))?);
            write(&mut out)?;
            out.into_inner()?.sync_all()
        })();
        written.with_context(|| self.failure())
    }

    fn failure(&self) -> String {
        format!("cannot write the dump to {}", self.folder.display())
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        // Gone already when the dump has been given its name.
        let _ = std::fs::remove_dir_all(&self.partial);
    }
}

impl Replay {
    fn new<T: Real>(trained: &Network<T>, settings: Settings) -> Self {
        let (architecture, root_width) = (trained.architecture(), (trained.width() as f64).sqrt());
        let layer = |h: usize| {
            let layer = architecture.layer(h);
            ReplayLayer { skip: layer.skip, scale: layer.scale / root_width }
        };
        Self {
            schema: "fathom.dump/1",
            arch: architecture.kind().to_string(),
            activation: architecture.activation().to_string(),
            width: trained.width(),
            depth: architecture.depth(),
            element: T::NAME,
            eta: settings.eta,
            batch: settings.batch,
            layers: (1..=architecture.depth()).map(layer).collect(),
            seed: settings.seed,
            weights_hash: format!("{:016x}", trained.hash()),
        }
    }
}

fn as_f64<T: Real>(values: &[T]) -> Vec<f64> {
    values.iter().map(|x| x.to_f64()).collect()
}

fn signed(indices: &[usize]) -> Vec<i64> {
    indices.iter().map(|&i| i as i64).collect()
}
