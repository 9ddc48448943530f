//! Measured required widths beside those that the delta method predicts.

use super::finding::Finding;
use crate::laws::Z;
use crate::laws::curve::FLOOR;
use crate::rows::{PredictedRow, Status, WidthRow};

/// One cell that was both measured and predicted.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// What was measured.
    pub measured: &'a WidthRow,
    /// What was predicted.
    pub predicted: &'a PredictedRow,
    /// ln (measured / predicted) in units of its standard error, which both intervals make up.
    pub z: f64,
}

impl Comparison<'_> {
    /// Whether the two agree: their difference is no larger than its joint 95 % interval.
    pub fn agrees(&self) -> bool {
        self.z.abs() <= Z
    }

    /// Measured over predicted.
    pub fn ratio(&self) -> f64 {
        self.measured.width.unwrap_or(f64::NAN) / self.predicted.width
    }
}

/// All cells of a curve that were both measured (not extrapolated, not censored) and predicted. A measurement meets the
/// prediction on its own data set alone: what one data set needs says little of another.
pub fn comparisons<'a>(finding: &Finding<'a>) -> Vec<Comparison<'a>> {
    let measured = finding.rows().iter().filter(|row| row.status == Status::Measured);
    measured.filter_map(|row| compare(row, &finding.predicted)).collect()
}

fn compare<'a>(measured: &'a WidthRow, predicted: &[&'a PredictedRow]) -> Option<Comparison<'a>> {
    let (depth, data) = (measured.subject.depth, &measured.subject.data_hash);
    let own = |row: &&&'a PredictedRow| row.subject.depth == depth && row.subject.data_hash == *data;
    let predicted = *predicted.iter().find(own)?;
    let width = measured.width?;
    let difference = (width / predicted.width).ln();
    // The side of either interval that faces the other value.
    let sides = if difference > 0.0 {
        [(width / measured.low).ln(), (predicted.high / predicted.width).ln()]
    } else {
        [(measured.high? / width).ln(), (predicted.width / predicted.low).ln()]
    };
    // The search stops at a step of 2^(1/4), whatever the starts say.
    let error = (sides[0] / Z).max(FLOOR).hypot(sides[1] / Z);
    let z = difference / error;
    z.is_finite().then_some(Comparison { measured, predicted, z })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::laws::curves;
    use crate::rows::Row;
    use crate::synthetic::Study;

    #[test]
    fn a_difference_is_held_against_both_intervals() {
        let rows = Study { data_sets: 1, predicted_depths: vec![3], ..Study::standard() }.rows();
        let predicted: Vec<&PredictedRow> =
            rows.iter().filter_map(|row| if let Row::Predicted(row) = row { Some(row) } else { None }).collect();
        let is_cell = |row: &WidthRow| row.subject == predicted[0].subject && row.criterion == "init-closeness";
        let found = rows.iter().find_map(|row| match row {
            Row::Width(row) if is_cell(row) => Some(row),
            _ => None,
        });
        let measured = WidthRow { width: Some(1100.0), low: 1000.0, high: Some(1210.0), ..found.unwrap().clone() };
        let predicted = PredictedRow { width: 1000.0, low: 900.0, high: 1050.0, ..predicted[0].clone() };
        let curve = curves([&measured]).remove(0);
        let finding = Finding { curve, laws: None, predicted: vec![&predicted], chi1: None, chi_parallel: 1.0 };
        let all = comparisons(&finding);
        // ln 1.1 against ln 1.1 below the measured value (above the floor's 0.0866 z) and ln 1.05 above the predicted one.
        let floor = FLOOR.max(1.1f64.ln() / Z);
        let expected = 1.1f64.ln() / floor.hypot(1.05f64.ln() / Z);
        assert!(all.len() == 1 && (all[0].z - expected).abs() < 1e-12, "{}", all[0].z);
        assert!(all[0].agrees() && (all[0].ratio() - 1.1).abs() < 1e-12);
        let far = WidthRow { width: Some(2000.0), low: 1900.0, high: Some(2100.0), ..measured.clone() };
        let finding = Finding { curve: curves([&far]).remove(0), ..finding };
        assert!(!comparisons(&finding)[0].agrees());
        let mut elsewhere = measured.clone();
        elsewhere.subject.data_hash = "another".into();
        let finding = Finding { curve: curves([&elsewhere]).remove(0), ..finding };
        assert!(comparisons(&finding).is_empty(), "a prediction of another data set says nothing of this one");
    }
}
