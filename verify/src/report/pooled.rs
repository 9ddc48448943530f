//! One depth of a curve, all data sets together.

use crate::rows::{Status, WidthRow};

/// The median over data sets of the required width at one depth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pooled {
    /// H.
    pub depth: usize,
    /// The median, a censored data set counting as wider than any other; absent when the median is censored.
    pub width: Option<f64>,
    /// Lowest end of the data sets' intervals; when the median is censored, what it surely exceeds.
    pub low: f64,
    /// Highest end; absent when one of the intervals has none.
    pub high: Option<f64>,
    /// How the median was settled.
    pub status: Status,
}

/// The depths of a curve's rows, which must ascend in depth.
pub fn pooled(rows: &[&WidthRow]) -> Vec<Pooled> {
    rows.chunk_by(|a, b| a.subject.depth == b.subject.depth).map(median).collect()
}

fn median(rows: &[&WidthRow]) -> Pooled {
    let known = |row: &WidthRow| row.width.filter(|_| row.status != Status::Censored);
    let middle = |value: &dyn Fn(&WidthRow) -> f64| {
        let mut ranked: Vec<&WidthRow> = rows.to_vec();
        ranked.sort_by(|a, b| value(a).total_cmp(&value(b)));
        [ranked[(ranked.len() - 1) / 2], ranked[ranked.len() / 2]]
    };
    let mean = |[a, b]: [f64; 2]| (a * b).sqrt();
    let value = |row: &WidthRow| known(row).unwrap_or(f64::INFINITY);
    let between = middle(&value);
    let width = mean(between.map(value));
    let depth = rows[0].subject.depth;
    if !width.is_finite() {
        // A median rises with each of its values: that of their lower bounds is one of its own.
        let least = |row: &WidthRow| known(row).unwrap_or(row.low);
        let low = mean(middle(&least).map(least));
        return Pooled { depth, width: None, low, high: None, status: Status::Censored };
    }
    let measured = between.iter().all(|row| row.status == Status::Measured);
    let highs: Option<Vec<f64>> = rows.iter().map(|row| row.high).collect();
    Pooled {
        depth,
        width: Some(width),
        low: rows.iter().map(|row| row.low).fold(f64::INFINITY, f64::min),
        high: highs.map(|highs| highs.into_iter().fold(0.0, f64::max)),
        status: if measured { Status::Measured } else { Status::Extrapolated },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{Search, subject};

    fn row(data_seed: u64, width: Option<f64>, [low, high]: [f64; 2]) -> WidthRow {
        let row = Search::of(100.0).row(subject("fc", 3, data_seed), "init-closeness", 1);
        let status = if width.is_some() { Status::Measured } else { Status::Censored };
        WidthRow { width, low, high: width.map(|_| high), status, ..row }
    }

    #[test]
    fn a_censored_data_set_counts_as_wider_than_any_other() {
        let rows =
            [row(1, None, [4096.0, 0.0]), row(2, Some(900.0), [800.0, 1000.0]), row(3, Some(700.0), [600.0, 850.0])];
        let all: Vec<&WidthRow> = rows.iter().collect();
        let expected = Pooled { depth: 3, width: Some(900.0), low: 600.0, high: None, status: Status::Measured };
        assert_eq!(pooled(&all), [expected]);
        let low = (900.0f64 * 4096.0).sqrt();
        let expected = Pooled { depth: 3, width: None, low, high: None, status: Status::Censored };
        assert_eq!(pooled(&all[..2]), [expected]);
        let two = pooled(&all[1..])[0];
        assert!((two.width.unwrap() - (900.0f64 * 700.0).sqrt()).abs() < 1e-9 && two.high == Some(1000.0));
    }
}
