//! A study as it is written: the tables of a TOML file, or the options of a command line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};
use fathom_kernels::Activation;
use fathom_model::Kind;
use fathom_model::architecture::Residual;
use serde::de::{Deserialize, Deserializer, Error};
use toml::{Spanned, Value};

use super::Criterion;

/// A study file. Every key may be absent; unknown ones are refused.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// What the other tables take where they say nothing.
    #[serde(default)]
    pub defaults: Table,
    /// Required widths to measure.
    #[serde(default)]
    pub sweep: Vec<Table>,
    /// Required widths to predict by the delta method.
    #[serde(default)]
    pub predict: Vec<Table>,
    /// Single networks to train, for their loss curves.
    #[serde(default)]
    pub curve: Vec<Table>,
}

/// One table: lists whose cross product is its cells, and how each cell is measured. `docs/study.md` describes each key.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    pub arch: Option<List<Kind>>,
    pub depth: Option<Depths>,
    pub activation: Option<List<Activation>>,
    pub data: Option<List<String>>,
    pub samples: Option<usize>,
    pub data_seeds: Option<DataSeeds>,
    pub image: Option<Scalar<Dimensions<3>>>,
    pub patch: Option<Scalar<Dimensions<2>>>,
    pub c_res: Option<List<f64>>,
    pub residual: Option<List<Residual>>,
    pub criterion: Option<List<Criterion>>,
    pub delta: Option<f64>,
    pub starts: Option<Either<usize>>,
    pub max_width: Option<Either<usize>>,
    pub budget: Option<Either<f64>>,
    pub steps: Option<usize>,
    pub width: Option<Spanned<usize>>,
    pub draws: Option<Spanned<usize>>,
}

impl StudyFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a study; the error then shows the line.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| crate::Usage(format!("cannot read {}: {error}", path.display())))?;
        Self::parse(&text).with_context(|| format!("{} is not a study", path.display()))
    }

    /// Reads a study from its text.
    ///
    /// # Errors
    /// When it is none; the error shows the line.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Self = toml::from_str(text).map_err(|error| crate::Usage(error.to_string()))?;
        let misplaced = |key: &str, at: &Spanned<usize>, home: &str| {
            let line = text[..at.span().start].lines().count().max(1);
            crate::Usage(format!("line {line}: `{key}` belongs in [[{home}]]"))
        };
        for table in file.sweep.iter().chain(&file.curve).chain([&file.defaults]) {
            if let Some(at) = &table.draws {
                return Err(misplaced("draws", at, "predict").into());
            }
        }
        for table in file.sweep.iter().chain(&file.predict).chain([&file.defaults]) {
            if let Some(at) = &table.width {
                return Err(misplaced("width", at, "curve").into());
            }
        }
        Ok(file)
    }
}

impl Table {
    /// These keys, and `other`'s where they are absent.
    pub fn or(&self, other: &Self) -> Self {
        let (a, b) = (self.clone(), other.clone());
        Self {
            arch: a.arch.or(b.arch),
            depth: a.depth.or(b.depth),
            activation: a.activation.or(b.activation),
            data: a.data.or(b.data),
            samples: a.samples.or(b.samples),
            data_seeds: a.data_seeds.or(b.data_seeds),
            image: a.image.or(b.image),
            patch: a.patch.or(b.patch),
            c_res: a.c_res.or(b.c_res),
            residual: a.residual.or(b.residual),
            criterion: a.criterion.or(b.criterion),
            delta: a.delta.or(b.delta),
            starts: a.starts.or(b.starts),
            max_width: a.max_width.or(b.max_width),
            budget: a.budget.or(b.budget),
            steps: a.steps.or(b.steps),
            width: a.width.or(b.width),
            draws: a.draws.or(b.draws),
        }
    }
}

/// One value, written as text or as a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar<T>(pub T);

/// One value or a list of them.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T>(pub Vec<T>);

/// Lengths joined by x, such as 3x32x32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions<const N: usize>(pub [usize; N]);

/// Depths for every architecture, or for each its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Depths {
    All(Vec<usize>),
    Each(BTreeMap<Kind, Vec<usize>>),
}

/// The seeds of several data sets, or how many there are.
#[derive(Clone, Debug, PartialEq)]
pub enum DataSeeds {
    Count(usize),
    Seeds(Vec<u64>),
}

/// A value for criteria of the start and one for those that train.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Either<T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained: Option<T>,
}

impl<T: Copy> Either<T> {
    /// The same for both.
    pub fn both(value: T) -> Self {
        Self { init: Some(value), trained: Some(value) }
    }

    /// That of a criterion.
    pub fn of(&self, criterion: Criterion) -> Option<T> {
        if criterion.trains() { self.trained } else { self.init }
    }
}

impl<const N: usize> FromStr for Dimensions<N> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Option<Vec<usize>> = text.split('x').map(|part| part.parse().ok().filter(|&v| v > 0)).collect();
        let all = parts.and_then(|parts| <[usize; N]>::try_from(parts).ok());
        let product = |all: &[usize; N]| all.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        all.filter(|all| product(all).is_some_and(|product| product <= MOST))
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is not {N} whole numbers joined by x, whose product is at most {MOST}"))
    }
}

impl FromStr for DataSeeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |part: &str| {
            let seed = part.trim().parse::<u64>().ok().filter(|seed| *seed <= i64::MAX as u64);
            seed.ok_or_else(|| {
                format!(
                    "\"{text}\" is neither a number of data sets nor their seeds, as in 3 or 1,2,3 or 7, (one seed)"
                )
            })
        };
        match text.contains(',') {
            // A comma at the end makes one seed a list.
            true => {
                let seeds = text.strip_suffix(',').unwrap_or(text).split(',');
                seeds.map(number).collect::<Result<_, _>>().map(Self::Seeds)
            }
            false => match number(text)? {
                0 => Err("at least one data set is needed".to_owned()),
                count if count > MOST as u64 => Err(format!("{count} data sets are more than {MOST}")),
                count => Ok(Self::Count(count as usize)),
            },
        }
    }
}

/// The most data sets, and pixels of an image.
const MOST: usize = 1 << 24;
/// The most layers.
const DEEPEST: usize = 100_000;

/// `3`, `1:4` (all from 1 to 4) or `1,2,4`, ascending.
pub fn depths(text: &str) -> Result<Vec<usize>, String> {
    let usage = || format!("\"{text}\" is not a depth: give 3, 1:4 or 1,2,4");
    let number = |part: &str| {
        let depth = part.trim().parse::<usize>().ok().filter(|&h| h > 0).ok_or_else(usage)?;
        if depth > DEEPEST { Err(format!("a network of {depth} layers is deeper than {DEEPEST}")) } else { Ok(depth) }
    };
    let all: Vec<usize> = match text.split_once(':') {
        Some((first, last)) => (number(first)?..=number(last)?).collect(),
        None => text.split(',').map(number).collect::<Result<_, _>>()?,
    };
    if all.is_empty() { Err(usage()) } else { Ok(ascending(all)) }
}

fn ascending(mut depths: Vec<usize>) -> Vec<usize> {
    depths.sort_unstable();
    depths.dedup();
    depths
}

/// One value, written as text or as a number.
fn scalar<T: FromStr<Err: fmt::Display>>(value: &Value) -> Result<T, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Integer(_) | Value::Float(_) => value.to_string(),
        _ => return Err(format!("expected text or a number, not {}", value.type_str())),
    };
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// One value or an array of them.
fn list<T: FromStr<Err: fmt::Display>>(value: &Value) -> Result<Vec<T>, String> {
    match value {
        Value::Array(all) if all.is_empty() => Err("an empty list leaves nothing to measure".to_owned()),
        Value::Array(all) => all.iter().map(scalar).collect(),
        one => Ok(vec![scalar(one)?]),
    }
}

fn depth_list(value: &Value) -> Result<Vec<usize>, String> {
    match value {
        Value::Array(_) => {
            let all = list::<usize>(value)?;
            match all.iter().find(|&&depth| depth == 0 || depth > DEEPEST) {
                Some(_) => Err(format!("the depth must be at least 1, and at most {DEEPEST}")),
                None => Ok(ascending(all)),
            }
        }
        one => depths(&scalar::<String>(one)?),
    }
}

/// The value of a key by `parse`, whose complaint the TOML reader shows at its line.
fn read<'de, D: Deserializer<'de>, V>(
    deserializer: D,
    parse: impl FnOnce(&Value) -> Result<V, String>,
) -> Result<V, D::Error> {
    parse(&Value::deserialize(deserializer)?).map_err(Error::custom)
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Scalar<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, scalar).map(Self)
    }
}

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, list).map(Self)
    }
}

impl<'de> Deserialize<'de> for Depths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, |value| match value {
            Value::Table(each) => {
                let one = |(arch, depths): (&String, &Value)| {
                    Ok((arch.parse::<Kind>().map_err(|error| error.to_string())?, depth_list(depths)?))
                };
                each.iter().map(one).collect::<Result<_, String>>().map(Self::Each)
            }
            all => depth_list(all).map(Self::All),
        })
    }
}

impl<'de> Deserialize<'de> for DataSeeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, |value| match value {
            Value::Array(_) => list(value).map(Self::Seeds),
            one => scalar::<Self>(one),
        })
    }
}

impl<'de, T: FromStr<Err: fmt::Display> + Copy> Deserialize<'de> for Either<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(deserializer, |value| {
            let Value::Table(each) = value else { return scalar(value).map(Self::both) };
            if let Some(key) = each.keys().find(|key| *key != "init" && *key != "trained") {
                return Err(format!("unknown key `{key}`: use `init` and `trained`"));
            }
            let of = |key| each.get(key).map(scalar).transpose();
            Ok(Self { init: of("init")?, trained: of("trained")? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_lists_are_written_as_text_or_numbers() {
        let file = StudyFile::parse(
            "[[sweep]]\narch = \"fc\"\ndepth = { fc = \"1:3\", resnet = [4, 2, 2] }\nc_res = [0.25, \"0.5\"]\n\
             residual = [1, \"1/H\"]\nstarts = { init = 100 }\nmax_width = 64\nbudget = 1e9\ndata_seeds = 3\n",
        )
        .unwrap();
        let table = &file.sweep[0];
        assert_eq!(table.arch, Some(List(vec![Kind::FullyConnected])));
        let depths = [(Kind::FullyConnected, vec![1, 2, 3]), (Kind::ResNet, vec![2, 4])];
        assert_eq!(table.depth, Some(Depths::Each(depths.into())));
        assert_eq!(table.c_res, Some(List(vec![0.25, 0.5])));
        assert_eq!(table.residual, Some(List(vec![Residual::Constant, Residual::PerDepth])));
        assert_eq!(table.starts, Some(Either { init: Some(100), trained: None }));
        assert_eq!(table.max_width, Some(Either::both(64)));
        assert_eq!(table.budget, Some(Either::both(1e9)));
        assert_eq!(table.data_seeds, Some(DataSeeds::Count(3)));
    }

    #[test]
    fn what_cannot_be_read_is_shown_with_its_line() {
        for (text, line, message) in [
            ("seed = 1\nsede = 2\n", 2, "unknown field `sede`"),
            ("[[sweep]]\narch = \"fc\"\nstart = 3\n", 3, "unknown field `start`"),
            ("[[sweep]]\narch = [\"fc\", \"vgg\"]\n", 2, "unknown architecture \"vgg\""),
            ("[[sweep]]\n\ndepth = \"4:1\"\n", 3, "is not a depth"),
            ("[[sweep]]\ndepth = { vgg = 3 }\n", 2, "unknown architecture"),
            ("[[sweep]]\ndepth = [0, 1]\n", 2, "at least 1"),
            ("[[sweep]]\nresidual = \"1/H2\"\n", 2, "1/sqrt(H)"),
            ("[[sweep]]\nstarts = { all = 3 }\n", 2, "use `init` and `trained`"),
            ("[[sweep]]\ncriterion = []\n", 2, "an empty list"),
            ("[[sweep]]\nimage = \"3x3\"\n", 2, "3 whole numbers joined by x"),
            ("[[sweep]]\nimage = \"9223372036854775809x2x4\"\n", 2, "whose product is at most"),
            ("[[sweep]]\ndepth = \"1:9999999999999999\"\n", 2, "deeper than 100000"),
            ("[[sweep]]\ndata_seeds = 99999999999\n", 2, "data sets are more than"),
            ("[[sweep]]\nc_res = true\n", 2, "text or a number"),
            ("seed = 1\n[[sweep]]\nwidth = 3\n", 3, "[[curve]]"),
            ("[defaults]\ndraws = 3\n", 2, "[[predict]]"),
            ("seed = -1\n", 1, "u64"),
            ("[[sweep]\n", 1, "column 9"),
        ] {
            let error = StudyFile::parse(text).unwrap_err().to_string();
            assert!(error.contains(message) && error.contains(&format!("line {line}")), "{text}: {error}");
        }
    }

    #[test]
    fn depths_are_ranges_lists_and_numbers() {
        assert_eq!(depths("1:4"), Ok(vec![1, 2, 3, 4]));
        assert_eq!(depths("4,1,2,2"), Ok(vec![1, 2, 4]));
        assert_eq!(depths("7"), Ok(vec![7]));
        for text in ["0", "4:1", "a", "", "1:", "1,,2", "1:2:3"] {
            assert!(depths(text).is_err(), "{text}");
        }
    }
}
