//! Labels: those of the data set, random ones, partly corrupted ones, or those of a teacher.
//!
//! Random and corrupted labels are those of Zhang, Bengio, Hardt, Recht and Vinyals, "Understanding deep learning requires
//! rethinking generalization" (arXiv 1611.03530): a label is replaced by one drawn uniformly from the labels that occur.

use std::fmt;
use std::str::FromStr;

use fathom_kernels::Parallelism;
use rand::Rng;

use crate::network::Inputs;
use crate::permutation::{generator, permutation};
use crate::{Architecture, Dataset, DatasetError, Network};

/// Streams of the generator under a seed; stochastic descent uses those from 1 up.
const WHICH: u64 = u64::MAX;
const WHAT: u64 = u64::MAX - 1;
const TEACHER: u64 = u64::MAX - 2;

/// Where labels come from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Labels {
    /// Those that the data set has.
    AsGiven,
    /// All are replaced by random ones.
    Random,
    /// A fraction is replaced by random ones.
    Corrupted {
        /// Between 0 and 1.
        fraction: f64,
    },
    /// The outputs of a random network of the same architecture, scaled to a mean square of 1 over the samples.
    Teacher {
        /// Its width.
        width: usize,
    },
}

/// A random network whose outputs are labels.
#[derive(Clone, Debug)]
pub struct Teacher {
    network: Network<f64>,
    scale: f64,
}

impl Labels {
    /// `data` with these labels, and how many of them were replaced by random ones (which may equal those before). A fraction
    /// f of n labels is the nearest whole number to f n; which these are, and what they become, depends on the seed alone.
    ///
    /// # Errors
    /// When a fraction lies outside 0 to 1, or a teacher has no width or outputs that are all zero.
    pub fn apply(
        self,
        architecture: &Architecture,
        data: &Dataset,
        seed: u64,
    ) -> Result<(Dataset, usize), DatasetError> {
        match self {
            Self::Corrupted { fraction } if !(0.0..=1.0).contains(&fraction) => {
                Err(DatasetError::Spec(format!("a fraction of {fraction} of the labels cannot be replaced")))
            }
            Self::Teacher { width: 0 } => Err(DatasetError::Spec("a teacher must be at least 1 wide".to_owned())),
            Self::AsGiven => Ok((data.clone(), 0)),
            Self::Random => corrupt(data, data.samples(), seed),
            Self::Corrupted { fraction } => corrupt(data, (fraction * data.samples() as f64).round() as usize, seed),
            Self::Teacher { width } => {
                let teacher = Teacher::new(architecture, width, data, seed)?;
                Ok((teacher.label(data)?, 0))
            }
        }
    }
}

fn corrupt(data: &Dataset, count: usize, seed: u64) -> Result<(Dataset, usize), DatasetError> {
    let mut classes = data.labels().to_vec();
    classes.sort_by(f64::total_cmp);
    classes.dedup();
    if classes.len() == 1 {
        // One label that occurs could only replace itself.
        classes = vec![1.0, -1.0];
    }
    let mut rng = generator(seed, WHAT);
    let mut labels = data.labels().to_vec();
    for &i in &permutation(seed, WHICH, labels.len())[..count] {
        // The high word of key times classes is uniform up to 2^-64 of the classes.
        let class = (u128::from(rng.next_u64()) * classes.len() as u128) >> 64;
        labels[i] = classes[class as usize];
    }
    Ok((data.with_labels(labels)?, count))
}

impl Teacher {
    /// A random network of `architecture` and `width`, drawn from a seed of its own that `seed` determines.
    ///
    /// # Errors
    /// When its outputs on `data` are all zero.
    ///
    /// # Panics
    /// When `width` is 0 or the samples are not of the architecture's size.
    pub fn new(architecture: &Architecture, width: usize, data: &Dataset, seed: u64) -> Result<Self, DatasetError> {
        let seed = generator(seed, TEACHER).next_u64();
        let network = Network::random(*architecture, width, seed, Parallelism::Serial);
        let outputs = network.forward(&Inputs::new(architecture, data)).outputs;
        let mean_square = outputs.iter().map(|f| f * f).sum::<f64>() / outputs.len() as f64;
        if mean_square == 0.0 {
            return Err(DatasetError::Spec(format!("a teacher of width {width} answers 0 to every sample: widen it")));
        }
        Ok(Self { network, scale: 1.0 / mean_square.sqrt() })
    }

    /// `data` with the teacher's labels.
    ///
    /// # Errors
    /// When a label is not finite.
    pub fn label(&self, data: &Dataset) -> Result<Dataset, DatasetError> {
        let outputs = self.network.forward(&Inputs::new(self.network.architecture(), data)).outputs;
        data.with_labels(outputs.into_iter().map(|f| self.scale * f).collect())
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AsGiven => f.write_str("as-given"),
            Self::Random => f.write_str("random"),
            Self::Corrupted { fraction } => write!(f, "corrupted:{fraction}"),
            Self::Teacher { width } => write!(f, "teacher:{width}"),
        }
    }
}

impl FromStr for Labels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, setting) = text.split_once(':').map_or((text, None), |(kind, setting)| (kind, Some(setting)));
        let labels = match (kind, setting) {
            ("as-given", None) => Some(Self::AsGiven),
            ("random", None) => Some(Self::Random),
            ("corrupted", Some(fraction)) => {
                let fraction = fraction.parse().ok().filter(|f| (0.0..=1.0).contains(f));
                fraction.map(|fraction| Self::Corrupted { fraction })
            }
            ("teacher", Some(width)) => {
                let width = width.parse().ok().filter(|&width| width > 0);
                width.map(|width| Self::Teacher { width })
            }
            _ => None,
        };
        let usage = "use as-given, random, corrupted:FRACTION with a FRACTION from 0 to 1, or teacher:WIDTH";
        labels.ok_or_else(|| format!("\"{text}\" names no labels: {usage}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Spec;
    use crate::{Activation, Kind, architecture::Patches};

    fn case() -> (Architecture, Dataset) {
        let patches = Patches::vector(5);
        let architecture = Architecture::new(Kind::ResNet, 3, 0.5, Activation::SOFTPLUS, patches).unwrap();
        (architecture, Spec::Sphere { samples: 40, size: 5 }.draw(2).unwrap())
    }

    #[test]
    fn a_fraction_of_the_labels_is_corrupted() {
        let (architecture, data) = case();
        let classes: Vec<f64> = (0..40).map(|i| f64::from(i % 4)).collect();
        let data = data.with_labels(classes).unwrap();
        let changed = |labels: Labels| {
            let (found, replaced) = labels.apply(&architecture, &data, 9).unwrap();
            assert_eq!(labels.apply(&architecture, &data, 9).unwrap().0, found, "{labels} depends on the seed alone");
            assert_eq!(found.inputs(), data.inputs());
            assert!(found.labels().iter().all(|y| (0..4).any(|class| *y == f64::from(class))));
            (replaced, found.labels().iter().zip(data.labels()).filter(|(a, b)| a != b).count())
        };
        assert_eq!(changed(Labels::AsGiven), (0, 0));
        assert_eq!(changed(Labels::Corrupted { fraction: 0.0 }), (0, 0));
        let (replaced, some) = changed(Labels::Corrupted { fraction: 0.25 });
        assert!(replaced == 10 && (1..=10).contains(&some));
        let (replaced, most) = changed(Labels::Random);
        assert!(replaced == 40 && (20..=40).contains(&most), "{most}");
        assert_eq!(changed(Labels::Corrupted { fraction: 1.0 }), (40, most));
    }

    #[test]
    fn one_label_that_occurs_is_replaced_by_signs() {
        let (architecture, data) = case();
        let data = data.with_labels(vec![3.0; 40]).unwrap();
        let (found, _) = Labels::Random.apply(&architecture, &data, 1).unwrap();
        assert!(found.labels().iter().all(|y| y.abs() == 1.0) && found.labels().contains(&-1.0));
    }

    #[test]
    fn a_teacher_labels_any_sample() {
        let (architecture, data) = case();
        let teacher = Teacher::new(&architecture, 3, &data, 7).unwrap();
        let (found, _) = Labels::Teacher { width: 3 }.apply(&architecture, &data, 7).unwrap();
        let mean_square = found.labels().iter().map(|y| y * y).sum::<f64>() / 40.0;
        assert!((mean_square - 1.0).abs() < 1e-12);
        let part = data.subset(&[7, 3]);
        assert_eq!(teacher.label(&part).unwrap().labels(), [found.labels()[7], found.labels()[3]]);
    }

    #[test]
    fn names_round_trip() {
        for name in ["as-given", "random", "corrupted:0.25", "teacher:3"] {
            assert_eq!(name.parse::<Labels>().unwrap().to_string(), name);
        }
        for name in ["", "true", "corrupted", "corrupted:2", "corrupted:NaN", "teacher:0", "teacher", "random:1"] {
            assert!(name.parse::<Labels>().is_err(), "{name}");
        }
    }
}
