//! What measuring takes: floating-point operations and memory by formula, time by a short measurement.
//!
//! A start drawn in law takes, for each of its m H rows, a product with a p x p factor, its part of a p x p Gram matrix (2 p^2
//! operations each, with p points: samples times pixels), and about 40 operations a point for a normal and an activation; where
//! skips need more than 128 MiB of rows, rows are drawn again and m H becomes m H (H + 1) / 2. A
//! step of descent takes three products of every weight with every point, 2 operations each, 40 operations for each
//! activation, and 4 m n^2 for the look at G^(H). Training is counted with all its steps.

use std::time::Instant;

use fathom_kernels::Activation;
use fathom_model::architecture::Patches;
use fathom_model::dataset::Spec;
use fathom_model::fluctuation;
use fathom_model::law::{Law, Precision};
use fathom_model::{Architecture, Kind};

use super::batch::{Batch, Work};
use super::starts::train;
use super::{Cell, Criterion};

/// Operations and memory.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations.
    pub flops: f64,
    /// Bytes that one start holds.
    pub bytes: f64,
}

/// Bytes of rows that a start keeps at most, and of the blocks that it is drawn in.
const KEPT: f64 = 134_217_728.0;
const BLOCKS: f64 = 4e6;

/// For one normal and one activation.
const POINTWISE: f64 = 40.0;

/// All `starts` of one `width`, each of at most `steps` where it is trained; the bytes are those of one start.
pub fn starts(
    architecture: &Architecture,
    samples: usize,
    criterion: Criterion,
    (width, starts, steps): (usize, usize, usize),
) -> Cost {
    let (m, n, depth) = (width as f64, samples as f64, architecture.depth() as f64);
    let points = n * architecture.patches().pixels() as f64;
    if criterion.trains() {
        let one = training(architecture, samples, width, steps);
        return Cost { flops: one.flops * starts as f64, ..one };
    }
    let skips = (1..architecture.depth()).any(|h| architecture.feeds_skip(h));
    let kept = if skips { 8.0 * points * m } else { 0.0 };
    // Rows that skips need and that are not kept are drawn again for each layer above.
    let layers = if kept > KEPT { depth * (depth + 1.0) / 2.0 } else { depth };
    let flops = m * layers * points * (4.0 * points + POINTWISE) * starts as f64;
    Cost { flops, bytes: if kept > KEPT { BLOCKS } else { kept + BLOCKS } }
}

/// One training of `steps`.
pub fn training(architecture: &Architecture, samples: usize, width: usize, steps: usize) -> Cost {
    let (m, n, depth) = (width as f64, samples as f64, architecture.depth() as f64);
    let points = n * architecture.patches().pixels() as f64;
    let weights = architecture.parameters(m);
    let step = 6.0 * weights * points + POINTWISE * m * depth * points + 4.0 * m * n * n;
    // The weights, and what each layer keeps of a step.
    Cost { flops: step * steps as f64, bytes: 8.0 * (weights + 12.0 * m * depth * points) }
}

/// The largest width up to `most` that is `allowed`, where all below it are; at least 1.
pub fn widest(most: usize, allowed: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (1, most + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if allowed(middle) { low = middle } else { high = middle }
    }
    low
}

impl Cell {
    /// A search that ends near `width`: doubling as far as twice of it, and about six more widths around it; the bytes are those
    /// of the widest start.
    pub fn cost(&self, architecture: &Architecture, width: usize) -> Cost {
        let at = |width: usize| {
            let width = width.min(self.settings.max_width);
            let Self { settings, .. } = self;
            starts(architecture, self.subject.samples, self.criterion, (width, settings.starts, settings.steps))
        };
        let mut cost = Cost { flops: 6.0 * at(width).flops, bytes: at(2 * width).bytes };
        let mut doubled = 8;
        while doubled < 2 * width.min(self.settings.max_width) {
            cost.flops += at(doubled).flops;
            doubled *= 2;
        }
        cost
    }
}

/// The delta method: each layer's noise from rows of moments, and draws of a chain with a coordinate for each two points, and one more
/// for each point.
fn predicting(points: usize, depth: usize, draws: usize) -> Cost {
    let features = points * (points + 3) / 2;
    let rows = fluctuation::rows_sampled(features) as f64;
    let (size, depth, draws) = (features as f64, depth as f64, draws as f64);
    let flops = depth * (rows + draws) * size * (2.0 * size + POINTWISE);
    Cost { flops, bytes: 8.0 * size * (size * depth + draws) }
}

impl Batch {
    /// At most: as if every required width lay at the widest run. Cells that share their starts cost what the dearest does.
    pub fn cost(&self) -> Cost {
        match &self.work {
            Work::Widths(cells) => {
                let all = cells.iter().map(|cell| cell.cost(&self.architecture, cell.settings.max_width));
                all.fold(Cost::default(), |a, b| Cost { flops: a.flops.max(b.flops), bytes: a.bytes.max(b.bytes) })
            }
            Work::Predict(prediction) => {
                let points = self.samples.data.samples() * self.architecture.patches().pixels();
                predicting(points, self.architecture.depth(), prediction.draws)
            }
            Work::Curve(curve) => training(&self.architecture, self.samples.data.samples(), curve.width, curve.steps),
        }
    }

    /// Whether networks are trained.
    pub fn trains(&self) -> bool {
        match &self.work {
            Work::Widths(cells) => cells.iter().any(|cell| cell.criterion.trains()),
            Work::Predict(_) => false,
            Work::Curve(_) => true,
        }
    }
}

/// Operations a second of one thread, as the formulas count them.
#[derive(Clone, Copy, Debug)]
pub struct Speed {
    /// Of starts drawn in law.
    pub init: f64,
    /// Of training.
    pub trained: f64,
}

impl Speed {
    /// Every machine's, for what must not depend on the machine.
    pub const NOMINAL: Self = Self { init: 2e9, trained: 4e9 };

    /// Measures it, in a few tenths of a second.
    pub fn measure() -> Self {
        let architecture = |kind, depth| {
            Architecture::new(kind, depth, 0.5, Activation::SOFTPLUS, Patches::vector(16)).expect("a network")
        };
        let data = Spec::Sphere { samples: 8, size: 16 }.draw(1).expect("eight directions");
        let timed = |flops: f64, run: &dyn Fn()| {
            let began = Instant::now();
            run();
            flops / began.elapsed().as_secs_f64()
        };
        let (wide, deep) = (architecture(Kind::FullyConnected, 4), architecture(Kind::FullyConnected, 3));
        let law = Law::new(&wide, &data, Precision::Single);
        let drawn = starts(&wide, 8, Criterion::InitCloseness, (1 << 17, 1, 0)).flops;
        let init = timed(drawn, &|| drop(law.last_gram(1 << 17, 1)));
        let trained = timed(training(&deep, 8, 256, 100).flops, &|| drop(train(&deep, &data, 256, 1, 100)));
        Self { init, trained }
    }

    /// Seconds for `batch` on `threads`.
    pub fn seconds(&self, batch: &Batch, threads: usize) -> f64 {
        let (speed, side_by_side) = match &batch.work {
            Work::Widths(cells) => {
                let starts = cells.iter().map(|cell| cell.settings.starts).max().unwrap_or(1);
                (if batch.trains() { self.trained } else { self.init }, threads.min(starts))
            }
            Work::Predict(_) => (self.init, 1),
            Work::Curve(_) => (self.trained, 1),
        };
        batch.cost().flops / speed / side_by_side as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_allowed_is_found() {
        for (most, limit, expected) in
            [(100, 37, 37), (100, 1000, 100), (100, 0, 1), (1, 1, 1), (1 << 40, 12_345, 12_345)]
        {
            assert_eq!(widest(most, |width| width <= limit), expected);
        }
    }

    #[test]
    fn operations_are_counted_by_the_formulas() {
        let vector = Patches::vector(8);
        let fc = Architecture::new(Kind::FullyConnected, 3, 0.5, Activation::SOFTPLUS, vector).unwrap();
        // 3 layers of 1000 rows, 4 points each; nothing grows with the width.
        let found = starts(&fc, 4, Criterion::InitCloseness, (1000, 10, 0));
        assert_eq!(found.flops, 10.0 * 1000.0 * 3.0 * (4.0 * 16.0 + 40.0 * 4.0));
        assert_eq!(found.bytes, starts(&fc, 4, Criterion::InitPositivity, (2000, 10, 0)).bytes);
        // 10 x 8 + 2 x 10 x 10 + 10 weights.
        let found = starts(&fc, 4, Criterion::Fit, (10, 2, 5));
        assert_eq!(found.flops, 2.0 * 5.0 * (6.0 * 290.0 * 4.0 + 40.0 * 120.0 + 4.0 * 160.0));
        let resnet = Architecture::new(Kind::ResNet, 3, 0.5, Activation::SOFTPLUS, vector).unwrap();
        let bytes = |width| starts(&resnet, 4, Criterion::InitCloseness, (width, 1, 0)).bytes;
        assert_eq!(bytes(3000) - bytes(1000), 8.0 * 4.0 * 2000.0);
        // 4 points have 14 moments, of a million rows.
        assert_eq!(predicting(4, 3, 1000).flops, 3.0 * (1048576.0 + 1000.0) * 14.0 * (2.0 * 14.0 + 40.0));
    }
}
