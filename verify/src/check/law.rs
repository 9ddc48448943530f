//! Starts drawn exactly in law against full matrices: two-sample tests, one family.

use fathom_kernels::Parallelism;
use fathom_model::condition::Conditions;
use fathom_model::descent::Point;
use fathom_model::law::{Law, Precision};
use fathom_model::network::Inputs;
use fathom_model::population::population;
use fathom_model::tangent::layer_gram;
use fathom_model::{Activation, Architecture, Gram, Kind, Network};
use rayon::prelude::*;

use super::two_sample::p_value;
use crate::cli::DataArgs;
use crate::provenance::Provenance;
use crate::rows::CrossCheckRow;
use crate::samples::Samples;

/// The probability that any test of the family fails though the laws are the same.
pub const FAMILY_LEVEL: f64 = 0.001;

/// H: a skip's cross term has entered the layer below the last.
const DEPTH: usize = 3;
/// Large, so that skips weigh.
const C_RES: f64 = 0.9;

/// What is compared, and at how many starts.
#[derive(Clone, Debug)]
pub struct Settings {
    /// m.
    pub widths: Vec<usize>,
    /// Starts in each sample.
    pub starts: usize,
    /// The seed of both samples; full matrices take even seeds and the law odd ones.
    pub seed: u64,
}

/// The usual widths and starts.
pub const WIDTHS: [u32; 3] = [64, 256, 2048];
pub const STARTS: u32 = 250;

impl Default for Settings {
    fn default() -> Self {
        Self { widths: WIDTHS.map(|width| width as usize).into(), starts: STARTS as usize, seed: 1 }
    }
}

impl Settings {
    /// How many tests there are.
    pub fn tests(&self) -> usize {
        Kind::PAPER.len() * self.widths.len() * STATISTICS.len()
    }
}

/// A statistic of G^(H)(0), given K^(H).
type Statistic = (&'static str, fn(&Gram, &Gram) -> f64);

const STATISTICS: [Statistic; 3] = [
    ("closeness", |gram, limit| gram.distance(limit)),
    ("lambda-min", |gram, _| gram.eigenvalues()[0]),
    ("entry", |gram, _| gram.get(1, 0)),
];

/// Tests every architecture of the paper at every width; `done` is told of each that is finished. The level of a row is the
/// family's divided by the number of tests (Bonferroni).
///
/// # Errors
/// When the samples cannot be drawn.
pub fn run(settings: &Settings, mut done: impl FnMut(usize, usize)) -> anyhow::Result<Vec<CrossCheckRow>> {
    let data = Some("images:n=3,c=2,h=1,w=4".to_owned());
    let samples = Samples::load(&DataArgs { data, samples: None, image: None, patch: None, seed: settings.seed })?;
    let total = Kind::PAPER.len() * settings.widths.len();
    let level = FAMILY_LEVEL / settings.tests() as f64;
    let mut rows = Vec::new();
    for kind in Kind::PAPER {
        let architecture = Architecture::new(kind, DEPTH, C_RES, Activation::SOFTPLUS, samples.patches)?;
        let population = population(&architecture, &samples.data);
        let Conditions { lambda0, lambda_max, .. } = Conditions::of(&architecture, &population);
        let (limit, precision) = (population.kernel, Precision::sufficient(DEPTH, lambda0, lambda_max));
        for &width in &settings.widths {
            let [real, drawn] = starts(&architecture, &samples, precision, (width, settings));
            for (statistic, of) in STATISTICS {
                let values = |grams: &[Gram]| grams.iter().map(|gram| of(gram, &limit)).collect::<Vec<f64>>();
                rows.push(CrossCheckRow {
                    subject: samples.subject(&architecture),
                    width,
                    statistic: statistic.to_owned(),
                    test: "kolmogorov-smirnov".to_owned(),
                    starts: settings.starts,
                    p_value: p_value(values(&real), values(&drawn)),
                    level,
                    seed: settings.seed,
                    provenance: Provenance::here(),
                });
            }
            done(rows.len() / STATISTICS.len(), total);
        }
    }
    Ok(rows)
}

/// G^(H)(0) of full matrices, in f32 (whose rounding is far below what starts differ by), and of the law, as a study draws it.
fn starts(
    architecture: &Architecture,
    samples: &Samples,
    precision: Precision,
    (width, settings): (usize, &Settings),
) -> [Vec<Gram>; 2] {
    let inputs = Inputs::new(architecture, &samples.data);
    let law = Law::new(architecture, &samples.data, precision);
    let seed = |start: usize, which: u64| (settings.seed << 32).wrapping_add(2 * start as u64 + which);
    let real = |start| {
        let network = Network::<f32>::random(*architecture, width, seed(start, 0), Parallelism::Serial);
        layer_gram(&network, &Point::of(&network, &inputs, &samples.data), DEPTH)
    };
    let drawn = |start| law.last_gram(width, seed(start, 1));
    let each = || (0..settings.starts).into_par_iter();
    [each().map(real).collect(), each().map(drawn).collect()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_starts_agree_with_full_matrices() {
        let settings = Settings { widths: vec![8, 32], starts: 60, seed: 1 };
        let mut told = Vec::new();
        let rows = run(&settings, |done, total| told.push((done, total))).unwrap();
        assert_eq!((rows.len(), told.last()), (18, Some(&(6, 6))));
        assert!(rows.iter().all(|row| row.p_value >= row.level && row.level == FAMILY_LEVEL / 18.0), "{rows:?}");
    }
}
