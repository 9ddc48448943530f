//! A study with nothing left open: every key of every table has its value.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use fathom_kernels::Activation;
use fathom_model::Kind;
use fathom_model::architecture::Residual;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Criterion;
use super::table::{DataSeeds, Depths, Either, StudyFile, Table};
use crate::samples::hex;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Study {
    /// The seed of everything random but data sets, which have their own.
    pub seed: u64,
    /// Required widths to measure.
    pub sweep: Vec<Sweep>,
    /// Required widths to predict.
    pub predict: Vec<Sweep>,
    /// Networks to train once.
    pub curve: Vec<Sweep>,
}

/// One table. Its cells are the cross product of its lists.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sweep {
    #[serde(serialize_with = "shown")]
    pub arch: Vec<Kind>,
    #[serde(serialize_with = "shown")]
    pub activation: Vec<Activation>,
    pub data: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    pub data_seeds: Vec<u64>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "joined")]
    pub image: Option<[usize; 3]>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "joined")]
    pub patch: Option<[usize; 2]>,
    pub c_res: Vec<f64>,
    #[serde(serialize_with = "shown")]
    pub residual: Vec<Residual>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "shown")]
    pub criterion: Vec<Criterion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// Steps of descent at most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// The width of a curve's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Draws of a prediction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub draws: Option<usize>,
    #[serde(serialize_with = "by_name")]
    pub depth: BTreeMap<Kind, Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub starts: Option<Either<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_width: Option<Either<usize>>,
    /// Floating-point operations at one width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Either<f64>>,
}

/// What a table is for, and so which keys it has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Measure,
    Predict,
    Train,
}

impl Study {
    /// Fills `file` in: the keys of `overrides` stand before those of every table, then the file's defaults, then the
    /// program's.
    ///
    /// # Errors
    /// When it holds nothing to measure, or a table contradicts itself.
    pub fn resolve(file: &StudyFile, overrides: &Table, seed: Option<u64>) -> Result<Self> {
        let seed = seed.or(file.seed).unwrap_or(1);
        let tables = |tables: &[Table], purpose: Purpose, name: &str| {
            let one = |(i, table): (usize, &Table)| {
                let table = overrides.or(table).or(&file.defaults);
                Sweep::resolve(table, purpose, seed).with_context(|| format!("[[{name}]] number {}", i + 1))
            };
            tables.iter().enumerate().map(one).collect::<Result<Vec<_>>>()
        };
        let sweep = tables(&file.sweep, Purpose::Measure, "sweep")?;
        let predict = tables(&file.predict, Purpose::Predict, "predict")?;
        let curve = tables(&file.curve, Purpose::Train, "curve")?;
        if sweep.is_empty() && predict.is_empty() && curve.is_empty() {
            bail!(crate::Usage("a study needs a [[sweep]], [[predict]] or [[curve]]".to_owned()));
        }
        Ok(Self { seed, sweep, predict, curve })
    }

    /// The study as a file that resolves to itself.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a study is made of numbers, texts and tables")
    }

    /// SHA-256 of it, in hexadecimal: what rows of one study have in common.
    pub fn hash(&self) -> String {
        hex(&Sha256::digest(self.to_toml()))
    }

    /// Where the study of the rows in `rows` is written.
    pub fn beside(rows: &Path) -> PathBuf {
        rows.with_extension("resolved.toml")
    }

    /// Writes it beside the rows, all of it or nothing.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_beside(&self, rows: &Path) -> Result<()> {
        let path = Self::beside(rows);
        let partial = path.with_extension(format!("{}.part", std::process::id()));
        let written = std::fs::write(&partial, self.to_toml()).and_then(|()| std::fs::rename(&partial, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&partial);
        }
        written.with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Sweep {
    fn resolve(table: Table, purpose: Purpose, seed: u64) -> Result<Self> {
        check_numbers(&table)?;
        let Table { criterion, starts, max_width, budget, .. } = table;
        let measures = purpose == Purpose::Measure;
        let arch = table.arch.map_or_else(|| Kind::PAPER.to_vec(), |list| list.0);
        let depth = match table.depth.unwrap_or(Depths::All((1..=4).collect())) {
            Depths::All(depths) => arch.iter().map(|&kind| (kind, depths.clone())).collect(),
            Depths::Each(mut each) => {
                if let Some(kind) = arch.iter().find(|kind| !each.contains_key(kind)) {
                    bail!(crate::Usage(format!("`depth` says nothing of {kind}")));
                }
                each.retain(|kind, _| arch.contains(kind));
                each
            }
        };
        let (data, samples) = match (table.data, table.samples) {
            (None, samples) => {
                let n = samples.unwrap_or(4);
                (vec![format!("orthonormal:n={n},d={}", 2 * n)], None)
            }
            (Some(list), samples) => (list.0, samples),
        };
        let criterion = match (purpose, criterion) {
            (Purpose::Train, _) => Vec::new(),
            (_, list) => list.map_or_else(|| vec![Criterion::InitCloseness], |list| list.0),
        };
        if let (Purpose::Predict, Some(trains)) = (purpose, criterion.iter().find(|criterion| criterion.trains())) {
            bail!(crate::Usage(format!("{trains} cannot be predicted: only init-closeness and init-positivity can")));
        }
        let trains = purpose == Purpose::Train || criterion.iter().any(|criterion| criterion.trains());
        Ok(Self {
            arch,
            activation: table.activation.map_or_else(|| vec![Activation::SOFTPLUS], |list| list.0),
            data,
            samples,
            data_seeds: data_seeds(table.data_seeds.unwrap_or(DataSeeds::Count(1)), seed)?,
            image: table.image.map(|image| image.0.0),
            patch: table.patch.map(|patch| patch.0.0),
            c_res: table.c_res.map_or_else(|| vec![0.5], |list| list.0),
            residual: table.residual.map_or_else(|| vec![Residual::PerDepth], |list| list.0),
            delta: (purpose != Purpose::Train).then_some(table.delta.unwrap_or(0.5)),
            steps: trains.then_some(table.steps.unwrap_or(3000)),
            width: (purpose == Purpose::Train).then(|| table.width.map_or(512, |width| *width.get_ref())),
            draws: (purpose == Purpose::Predict).then(|| table.draws.map_or(4000, |draws| *draws.get_ref())),
            depth,
            starts: measures.then(|| filled(starts, 20, 6, &criterion)),
            max_width: measures.then(|| filled(max_width, 1 << 20, 1024, &criterion)),
            budget: budget.filter(|_| measures),
            criterion,
        })
    }
}

/// # Errors
/// When a number is so small that it asks for nothing, or so large that nothing could be it.
fn check_numbers(table: &Table) -> Result<()> {
    let counts = [
        ("starts", of_either(table.starts), 1..=1_000_000),
        ("max_width", of_either(table.max_width), 1..=1 << 40),
        ("width", vec![table.width.as_ref().map_or(1, |width| *width.get_ref())], 1..=1 << 32),
        ("draws", vec![table.draws.as_ref().map_or(1, |draws| *draws.get_ref())], 1..=1 << 32),
        ("steps", table.steps.into_iter().collect(), 1..=1 << 32),
        ("samples", table.samples.into_iter().collect(), 1..=1 << 32),
    ];
    for (key, values, range) in counts {
        if let Some(value) = values.into_iter().find(|value| !range.contains(value)) {
            let (least, most) = range.into_inner();
            bail!(crate::Usage(format!("`{key}` must lie between {least} and {most}, not at {value}")));
        }
    }
    if let Some(budget) = of_either(table.budget).into_iter().find(|&budget| budget.is_nan() || budget <= 0.0) {
        bail!(crate::Usage(format!("`budget` must be above 0, not {budget}")));
    }
    if let Some(delta) = table.delta.filter(|&delta| !is_fraction(delta)) {
        bail!(crate::Usage(format!("`delta` must lie between 0 and 1, not at {delta}")));
    }
    Ok(())
}

/// The seeds of data sets, counted from `seed` up where they are not listed.
///
/// # Errors
/// When they reach beyond what a file can hold.
fn data_seeds(given: DataSeeds, seed: u64) -> Result<Vec<u64>> {
    let count = match given {
        DataSeeds::Seeds(seeds) => return Ok(seeds),
        DataSeeds::Count(count) => count as u64,
    };
    match seed.checked_add(count).filter(|&last| last <= i64::MAX as u64) {
        Some(last) => Ok((seed..last).collect()),
        None => bail!(crate::Usage(format!("{count} seeds from {seed} on are too many"))),
    }
}

/// Whether a fraction of starts may be so; of what is nearly 0, the complement is 1.
pub fn is_fraction(delta: f64) -> bool {
    delta < 1.0 && 1.0 - delta < 1.0
}

/// The values that there are.
fn of_either<T>(value: Option<Either<T>>) -> Vec<T> {
    value.into_iter().flat_map(|value| [value.init, value.trained]).flatten().collect()
}

/// Both values, each only where a criterion needs it.
fn filled(value: Option<Either<usize>>, init: usize, trained: usize, criteria: &[Criterion]) -> Either<usize> {
    let value = value.unwrap_or_default();
    let needed = |trains: bool| criteria.iter().any(|criterion| criterion.trains() == trains);
    Either {
        init: needed(false).then(|| value.init.unwrap_or(init)),
        trained: needed(true).then(|| value.trained.unwrap_or(trained)),
    }
}

fn shown<T: Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn joined<const N: usize, S: Serializer>(value: &Option<[usize; N]>, serializer: S) -> Result<S::Ok, S::Error> {
    let parts: Vec<String> = value.iter().flatten().map(ToString::to_string).collect();
    serializer.serialize_str(&parts.join("x"))
}

fn by_name<S: Serializer>(depths: &BTreeMap<Kind, Vec<usize>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(depths.iter().map(|(kind, depths)| (kind.name(), depths)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::table::List;

    fn resolve(text: &str) -> Result<Study> {
        Study::resolve(&StudyFile::parse(text).unwrap(), &Table::default(), None)
    }

    const EXAMPLE: &str = "
        seed = 7
        [defaults]
        starts = { init = 50, trained = 10 }
        c_res = [0.25, 0.5]
        [[sweep]]
        criterion = [\"init-closeness\", \"fit\"]
        depth = { fc = 2, resnet = \"1:3\", conv-resnet = [4] }
        data = \"images:n=2,c=1,h=4,w=4\"
        patch = \"3x3\"
        budget = { init = 1e11 }
        data_seeds = 2
        [[sweep]]
        starts = 100
        residual = [\"1\", \"1/sqrt(H)\"]
        [[predict]]
        arch = \"fc\"
        depth = 64
        [[curve]]
        width = 32
    ";

    #[test]
    fn a_resolved_study_resolves_to_itself() {
        let study = resolve(EXAMPLE).unwrap();
        let again = resolve(&study.to_toml()).unwrap();
        assert_eq!(again, study, "{}", study.to_toml());
        assert_eq!(again.hash(), study.hash());
    }

    #[test]
    fn tables_stand_before_the_files_defaults_and_these_before_the_programs() {
        let study = resolve(EXAMPLE).unwrap();
        assert_eq!(study.seed, 7);
        assert_eq!(study.sweep[0].starts, Some(Either { init: Some(50), trained: Some(10) }));
        assert_eq!(study.sweep[1].starts, Some(Either { init: Some(100), trained: None }));
        assert_eq!(study.sweep[0].max_width, Some(Either { init: Some(1 << 20), trained: Some(1024) }));
        assert_eq!(study.sweep[0].data_seeds, [7, 8]);
        assert_eq!(study.predict[0].c_res, [0.25, 0.5]);
        assert_eq!((study.curve[0].width, study.curve[0].steps, study.curve[0].starts), (Some(32), Some(3000), None));
        // What the user gives on the command line stands before all.
        let overrides = Table { c_res: Some(List(vec![0.9])), ..Table::default() };
        let study = Study::resolve(&StudyFile::parse(EXAMPLE).unwrap(), &overrides, Some(3)).unwrap();
        assert_eq!((study.seed, &study.sweep[1].c_res[..], &study.curve[0].c_res[..]), (3, &[0.9][..], &[0.9][..]));
    }

    #[test]
    fn contradictions_are_refused() {
        for (text, message) in [
            ("seed = 1", "needs a [[sweep]]"),
            ("[[sweep]]\ndepth = { fc = 1 }", "`depth` says nothing of resnet"),
            ("[[sweep]]\ndelta = 1", "between 0 and 1"),
            ("[[predict]]\ncriterion = \"drift\"", "drift cannot be predicted"),
            ("[[sweep]]\ndelta = 1e-17", "between 0 and 1"),
            ("[[sweep]]\nmax_width = 0", "`max_width` must lie between 1 and"),
            ("[[sweep]]\nstarts = { init = 20000000 }", "`starts` must lie between 1 and 1000000"),
            ("[[predict]]\ndraws = 0", "`draws` must lie between 1 and"),
            ("[[curve]]\nwidth = 0", "`width` must lie between 1 and"),
            ("[[sweep]]\nbudget = -5", "`budget` must be above 0"),
            ("[[sweep]]\nbudget = nan", "`budget` must be above 0"),
            (
                "seed = 9223372036854775807\n[[sweep]]\ndata_seeds = 2",
                "2 seeds from 9223372036854775807 on are too many",
            ),
        ] {
            let error = format!("{:#}", resolve(text).unwrap_err());
            assert!(error.contains(message), "{text}: {error}");
        }
    }
}
