//! A random start of any width, exactly in law, without its matrices.
//!
//! Given x^(h-1), the rows of W^(h) phi(x^(h-1)) are independent N(0, S) vectors with one entry for each point (a sample
//! and a pixel), S the inner products of the points' patches. So a layer is drawn row by row from the Gram matrix of the
//! layer below, in time that grows with m but not with m^2. A skip adds the same row of the layer that it reaches: a row that
//! is kept, or, in wide networks, drawn again.

pub(crate) mod factor;
mod rows;

use fathom_kernels::{Real, gram};
use rayon::prelude::*;

use crate::population::{input_gram, patch_sums};
use crate::{Architecture, Dataset, Gram};
use rows::{BLOCK, Stack, Workspace, clear_from};

/// Blocks in a chunk, which one thread draws and whose sum is added to those before it, in order.
const CHUNK: usize = 32;
/// Chunks whose sums are held at once, so that memory does not grow with the width: as many as fill 64 MiB, but no fewer than there are
/// threads.
const WAVE: usize = 64;
const WAVE_BYTES: usize = 1 << 26;
/// Bytes of rows that are kept for skips: 128 MiB. Beyond, rows are drawn again.
const KEPT: usize = 1 << 27;

/// In what type rows are drawn. Inner products are always summed in f64, and the normals of both types are equal up to
/// rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// f32.
    Single,
    /// f64.
    Double,
}

impl Precision {
    /// The type that G^(H)(0) of a network of `depth` layers must be drawn in, where lambda_0 and lambda_max are the
    /// extreme eigenvalues of K^(H): f32 when lambda_0 >= 2^-14 H lambda_max.
    ///
    /// Rounding rows to f32 changes each layer's Gram matrix by at most about 2^-24 of its largest entries, and
    /// lambda_max bounds what is passed on. The criteria at the start compare G - K with lambda_0 / 4, of which H 2^-24
    /// lambda_max is then at most 4 * 2^-10: less than half a percent.
    pub fn sufficient(depth: usize, lambda0: f64, lambda_max: f64) -> Self {
        const MARGIN: f64 = 1.0 / 16384.0;
        if lambda0 >= MARGIN * depth as f64 * lambda_max { Self::Single } else { Self::Double }
    }
}

/// G^(H)(0) of a random start of width `m`, drawn in f64 from `seed`: [`Law::last_gram`].
///
/// # Panics
/// When `width` is 0 or the samples are not of the architecture's size.
pub fn last_gram(architecture: &Architecture, data: &Dataset, width: usize, seed: u64) -> Gram {
    Law::new(architecture, data, Precision::Double).last_gram(width, seed)
}

/// The law of random starts on some samples.
#[derive(Clone, Debug)]
pub struct Law {
    architecture: Architecture,
    /// S of the points entering the first layer.
    inputs: Gram,
    precision: Precision,
    kept: usize,
}

impl Law {
    /// The law of starts of `architecture` on the samples of `data`, drawn in the given type.
    ///
    /// # Panics
    /// When the samples are not of the architecture's size.
    pub fn new(architecture: &Architecture, data: &Dataset, precision: Precision) -> Self {
        let patches = architecture.patches();
        assert_eq!(data.input_size(), patches.input_size(), "the samples are not of the architecture's input size");
        let inputs = patch_sums(&patches, &input_gram(&patches, data));
        Self { architecture: *architecture, inputs, precision, kept: KEPT }
    }

    /// G^(H)(0) of a random start of width `m`, drawn from `seed`, in O(m N^2) operations a layer for N points.
    ///
    /// Memory does not grow with the width: it is O(N^2) for each thread. Where skips need rows of layers below, these are kept while they fill no more than 128
    /// MiB, and drawn again beyond, which takes O(H) times as long; the bits are the same. So are they on any number of
    /// threads, those of the current rayon pool.
    ///
    /// # Panics
    /// When `width` is 0.
    pub fn last_gram(&self, width: usize, seed: u64) -> Gram {
        assert!(width > 0, "a network must be at least 1 wide");
        match self.precision {
            Precision::Single => self.draw::<f32>(width, seed),
            Precision::Double => self.draw::<f64>(width, seed),
        }
    }

    /// Rows that a start draws: H m, or more where those of layers below are drawn again.
    pub fn rows(&self, width: usize) -> f64 {
        let depth = self.architecture.depth();
        let keeps = self.keeps_rows(width);
        let layers = |mut h: usize| {
            let mut count = 1;
            while let (false, Some(reach)) = (keeps, self.architecture.layer(h).skip) {
                (h, count) = (h - reach, count + 1);
            }
            count
        };
        width as f64 * ((1..depth).map(layers).sum::<usize>() + 1) as f64
    }

    /// Whether the rows of layers that skips reach are kept.
    fn keeps_rows(&self, width: usize) -> bool {
        let size = match self.precision {
            Precision::Single => size_of::<f32>(),
            Precision::Double => size_of::<f64>(),
        };
        // Without overflow: the width is the user's.
        width.div_ceil(BLOCK) as f64 * (BLOCK * self.inputs.n() * size) as f64 <= self.kept as f64
    }

    /// Whether a layer below the last one adds x^(h).
    fn is_reached(&self, h: usize) -> bool {
        (h + 1..self.architecture.depth()).any(|above| self.architecture.layer(above).skip == Some(above - h))
    }

    fn draw<T: Real>(&self, width: usize, seed: u64) -> Gram {
        let (depth, points) = (self.architecture.depth(), self.inputs.n());
        let pixels = self.architecture.patches().pixels();
        let reached: Vec<bool> = (1..depth).map(|h| self.is_reached(h)).collect();
        let keeps_rows = self.keeps_rows(width) && reached.contains(&true);
        // The layer that the next skip reaches: one at a time, since skips lie one after another.
        let mut kept = vec![T::ZERO; if keeps_rows { width.div_ceil(BLOCK) * BLOCK * points } else { 0 }];
        let mut stack = Stack::<T>::new(self.architecture.activation(), seed, points);
        let mut covariance = self.inputs.clone();
        for h in 1..depth {
            let layer = self.architecture.layer(h);
            stack.push(&covariance, layer.scale, layer.skip);
            let reached = reached[h - 1];
            let kept = keeps_rows.then_some(&mut kept[..]);
            let gram = sum_of_blocks(points, width, kept, |block, kept, workspace| match (kept, layer.skip) {
                (Some(kept), Some(_)) => {
                    stack.features_over(kept, block, workspace);
                    if reached {
                        kept.copy_from_slice(&workspace.features);
                    }
                }
                (kept, _) => {
                    stack.features(block, workspace);
                    if let Some(kept) = kept.filter(|_| reached) {
                        kept.copy_from_slice(&workspace.features);
                    }
                }
            });
            covariance = patch_sums(&self.architecture.patches(), &scaled(gram, 1.0 / width as f64));
        }
        let scale = self.architecture.layer(depth).scale;
        stack.push(&covariance, scale, None);
        let gram =
            sum_of_blocks::<T>(points, width, None, |block, _, workspace| stack.slopes(pixels, block, workspace));
        scaled(gram, scale * scale / width as f64).block_sums_of_product(&covariance, pixels)
    }
}

/// The inner products of the points over `width` rows, which `draw` leaves in [`Workspace::features`] block by block. It is given the
/// block's part of `kept`.
fn sum_of_blocks<T: Real>(
    points: usize,
    width: usize,
    mut kept: Option<&mut [T]>,
    draw: impl Fn(u64, Option<&mut [T]>, &mut Workspace<T>) + Sync,
) -> Gram {
    let (blocks, size) = (width.div_ceil(BLOCK), BLOCK * points);
    let chunk = |first: usize, mut kept: Option<&mut [T]>| {
        let (mut workspace, mut sums) = (Workspace::new(points), vec![0.0; points * points]);
        for block in first..(first + CHUNK).min(blocks) {
            let kept = kept.as_mut().map(|kept| &mut kept[(block - first) * size..(block - first + 1) * size]);
            draw(block as u64, kept, &mut workspace);
            clear_from(&mut workspace.features, width - block * BLOCK);
            gram::add(&workspace.features, points, &mut sums);
        }
        sums
    };
    let mut total = Gram::zeros(points);
    let held = (WAVE_BYTES / (size_of::<f64>() * points * points)).min(WAVE).max(rayon::current_num_threads());
    for wave in (0..blocks).step_by(held * CHUNK) {
        let chunks = (blocks - wave).div_ceil(CHUNK).min(held);
        let sums: Vec<Vec<f64>> = match &mut kept {
            None => (0..chunks).into_par_iter().map(|k| chunk(wave + k * CHUNK, None)).collect(),
            Some(kept) => {
                let end = (wave + held * CHUNK).min(blocks);
                let kept = kept[wave * size..end * size].par_chunks_mut(CHUNK * size).enumerate();
                kept.map(|(k, kept)| chunk(wave + k * CHUNK, Some(kept))).collect()
            }
        };
        for sums in sums {
            total.entries_mut().iter_mut().zip(&sums).for_each(|(total, sum)| *total += sum);
        }
    }
    // What was summed is the lower triangle.
    Gram::from_fn(points, |i, j| total.get(i, j))
}

/// `factor` times `gram`.
fn scaled(mut gram: Gram, factor: f64) -> Gram {
    gram.entries_mut().iter_mut().for_each(|x| *x *= factor);
    gram
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::architecture::Patches;
    use crate::dataset::Spec;
    use crate::{Activation, Kind};

    /// A little more than a wave, less than a block, and a few chunks.
    const WIDTHS: [usize; 3] = [WAVE * CHUNK * BLOCK + 3, 100, 3 * CHUNK * BLOCK];

    #[test]
    fn rows_drawn_again_are_those_that_would_have_been_kept() {
        let data = Spec::Sphere { samples: 3, size: 5 }.draw(1).unwrap();
        for (kind, depth) in [(Kind::ResNet, 5), (Kind::BlockResNet, 6)] {
            let architecture = Architecture::new(kind, depth, 0.5, Activation::SOFTPLUS, Patches::vector(5)).unwrap();
            for width in WIDTHS {
                let keeping = Law::new(&architecture, &data, Precision::Single);
                let redrawing = Law { kept: 0, ..keeping.clone() };
                assert_eq!(keeping.rows(width), (width * depth) as f64);
                assert!(redrawing.rows(width) > keeping.rows(width));
                assert_eq!(keeping.last_gram(width, 3), redrawing.last_gram(width, 3), "{kind} at width {width}");
            }
        }
    }

    #[test]
    fn the_bits_do_not_depend_on_the_threads() {
        let data = Spec::Sphere { samples: 3, size: 5 }.draw(1).unwrap();
        let architecture = Architecture::new(Kind::ResNet, 3, 0.5, Activation::SOFTPLUS, Patches::vector(5)).unwrap();
        for width in WIDTHS {
            for precision in [Precision::Single, Precision::Double] {
                let law = Law::new(&architecture, &data, precision);
                let on = |threads: usize| {
                    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    pool.install(|| law.last_gram(width, 7))
                };
                let one = on(1);
                assert!([2, 3, 8].into_iter().all(|threads| on(threads) == one), "width {width}");
            }
        }
    }
}
