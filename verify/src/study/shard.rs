//! A part of a study, for one of several machines.

use std::fmt;
use std::str::FromStr;

use super::batch::Batch;
use super::cost::Speed;

/// Part `index` of `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    pub index: usize,
    pub count: usize,
}

impl Shard {
    /// The part that a Slurm job array gives this process, when it runs in one.
    ///
    /// # Errors
    /// When the array's numbers do not follow one another.
    pub fn from_slurm(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let number = |name: &str| variable(name).and_then(|text| text.parse::<usize>().ok());
        let (Some(id), Some(count)) = (number("SLURM_ARRAY_TASK_ID"), number("SLURM_ARRAY_TASK_COUNT")) else {
            return Ok(None);
        };
        let first = number("SLURM_ARRAY_TASK_MIN").unwrap_or(0);
        match id.checked_sub(first).filter(|&index| index < count) {
            Some(index) => Ok(Some(Self { index, count })),
            None => Err(format!(
                "SLURM_ARRAY_TASK_ID={id} is none of {count} tasks from {first} on: number the array without gaps, or give \
                 --shard"
            )),
        }
    }

    /// This part's batches, in their order. Batches are dealt by their cost at nominal speeds, the dearest first, each to the part
    /// that has least so far: a function of the study alone, whatever the machine.
    pub fn of(self, batches: Vec<Batch>) -> Vec<Batch> {
        let costs: Vec<f64> = batches.iter().map(|batch| Speed::NOMINAL.seconds(batch, 1)).collect();
        let parts = deal(&costs, self.count);
        batches.into_iter().zip(parts).filter_map(|(batch, part)| (part == self.index).then_some(batch)).collect()
    }
}

/// The part of each, `count` parts of nearly equal sums.
fn deal(costs: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..costs.len()).collect();
    order.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]).then(a.cmp(&b)));
    let mut sums = vec![0.0f64; count];
    let mut parts = vec![0; costs.len()];
    for i in order {
        let least = (0..count).min_by(|&a, &b| sums[a].total_cmp(&sums[b])).expect("there is a part");
        sums[least] += costs[i];
        parts[i] = least;
    }
    parts
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match parts {
            Some((index, count)) if index < count => Ok(Self { index, count }),
            _ => Err(format!("\"{text}\" is no part of a study: give I/N with I from 0 to N - 1, such as 0/4")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_balanced_and_hold_each_batch_once() {
        let costs: Vec<f64> = (0..100).map(|i| f64::from(1 + i * 37 % 100)).collect();
        for count in [1, 2, 7, 100, 130] {
            let parts = deal(&costs, count);
            let sums =
                (0..count).map(|part| costs.iter().zip(&parts).filter(|p| *p.1 == part).map(|p| p.0).sum::<f64>());
            let (least, most) = sums.fold((f64::MAX, 0.0f64), |(low, high), sum| (low.min(sum), high.max(sum)));
            assert!(most - least <= 100.0, "{count} parts from {least} to {most}");
            assert!(parts.iter().all(|&part| part < count));
        }
    }

    #[test]
    fn slurm_numbers_its_tasks() {
        let of = |id: &str, count: &str, min: Option<&str>| {
            let variables = [("SLURM_ARRAY_TASK_ID", Some(id)), ("SLURM_ARRAY_TASK_COUNT", Some(count))];
            let all: Vec<_> = variables.into_iter().chain([("SLURM_ARRAY_TASK_MIN", min)]).collect();
            Shard::from_slurm(|name| all.iter().find(|(known, _)| *known == name)?.1.map(str::to_owned))
        };
        assert_eq!(of("2", "4", None), Ok(Some(Shard { index: 2, count: 4 })));
        assert_eq!(of("4", "4", Some("1")), Ok(Some(Shard { index: 3, count: 4 })));
        assert!(of("6", "3", Some("2")).unwrap_err().contains("without gaps"));
        assert_eq!(Shard::from_slurm(|_| None), Ok(None));
    }

    #[test]
    fn parts_are_written_as_fractions() {
        assert_eq!("2/5".parse(), Ok(Shard { index: 2, count: 5 }));
        for text in ["5/5", "1", "-1/3", "a/b", "1/0"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
