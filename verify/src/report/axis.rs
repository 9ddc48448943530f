//! Axes: where a value lies, and which ticks and labels a reader expects.

use super::number::{decade, significant, whole};

/// How values are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm.
    Log,
}

/// What an axis counts, which decides its ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Small whole numbers, each worth a tick: depths.
    Whole,
    /// Any number.
    Real,
}

/// One axis of a panel.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// Its title.
    pub title: String,
    /// The name of its column in the data file.
    pub column: &'static str,
    /// Spacing.
    pub scale: Scale,
    /// What is counted.
    pub kind: Kind,
    /// The values at its ends.
    pub range: [f64; 2],
    /// The least and the greatest value that it was made for.
    pub data: [f64; 2],
}

/// A tick; a minor one has no label.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value.
    pub at: f64,
    /// Its label.
    pub label: Option<String>,
}

/// Whether a scale can show a value. The largest numbers stand for what has diverged, and no margin fits around them.
fn can_show(scale: Scale, value: f64) -> bool {
    const MOST: f64 = 1e300;
    match scale {
        Scale::Linear => value.abs() < MOST,
        Scale::Log => value > MOST.recip() && value < MOST,
    }
}

impl Axis {
    /// An axis that holds all of `values` (those that its scale can show) with a margin; none if there are none.
    pub fn spanning(
        title: &str,
        column: &'static str,
        scale: Scale,
        kind: Kind,
        values: impl IntoIterator<Item = f64>,
    ) -> Option<Self> {
        let shown = values.into_iter().filter(|&v| can_show(scale, v));
        let (low, high) = shown.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return None;
        }
        Some(Self {
            title: title.to_owned(),
            column,
            scale,
            kind,
            range: widened(scale, kind, low, high),
            data: [low, high],
        })
    }

    /// Where `value` lies: 0 at the lower end, 1 at the upper.
    pub fn position(&self, value: f64) -> f64 {
        let [low, high] = self.range;
        match self.scale {
            Scale::Linear => (value - low) / (high - low),
            Scale::Log => (value / low).ln() / (high / low).ln(),
        }
    }

    /// Whether the scale can show `value` at all.
    pub fn shows(&self, value: f64) -> bool {
        can_show(self.scale, value)
    }

    /// Its ticks, lowest first, with no more than about `most` labels.
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        match (self.kind, self.scale) {
            (Kind::Whole, _) => self.whole_ticks(most),
            (Kind::Real, Scale::Linear) => self.linear_ticks(most),
            (Kind::Real, Scale::Log) => self.decade_ticks(most),
        }
    }

    fn whole_ticks(&self, most: usize) -> Vec<Tick> {
        let (first, last) = (self.data[0].ceil() as usize, self.data[1].floor() as usize);
        if self.scale == Scale::Log {
            // From 8 on, two labels to a doubling: 8, 12, 16, 24, 32, ...; where those are too many, powers of two alone.
            let all = |value: usize| value < 8 || value.is_multiple_of(1 << (value.ilog2() - 1));
            let crowded = last > 8 && most < 9;
            let tick = |value: usize| {
                let labelled = if crowded { value.is_power_of_two() } else { all(value) };
                Tick { at: value as f64, label: labelled.then(|| whole(value)) }
            };
            // Further up, ticks without labels would run together.
            let shown = |tick: &Tick| tick.label.is_some() || tick.at < 16.0;
            return (first.max(1)..=last).map(tick).filter(shown).collect();
        }
        let step = (last - first) / most.max(1) + 1;
        (first..=last)
            .filter(|value| value % step == 0)
            .map(|value| Tick { at: value as f64, label: Some(whole(value)) })
            .collect()
    }

    fn linear_ticks(&self, most: usize) -> Vec<Tick> {
        let rough = (self.range[1] - self.range[0]) / most.max(1) as f64;
        let power = 10f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|unit| unit * power).into_iter().find(|&step| step >= rough * 0.999);
        let step = step.unwrap_or(10.0 * power);
        let (first, last) = ((self.range[0] / step).ceil() as i64, (self.range[1] / step).floor() as i64);
        (first..=last)
            .map(|i| {
                let at = i as f64 * step;
                let plain =
                    if at >= 0.0 && at.fract() == 0.0 && at < 1e7 { whole(at as usize) } else { significant(at, 3) };
                Tick { at, label: Some(plain) }
            })
            .collect()
    }

    fn decade_ticks(&self, most: usize) -> Vec<Tick> {
        let (first, last) = (self.range[0].log10().floor() as i32, self.range[1].log10().ceil() as i32);
        let inside = |value: f64| value >= self.range[0] * 0.999 && value <= self.range[1] * 1.001;
        let decades = (first..=last).filter(|&power| inside(10f64.powi(power))).count();
        let stride = decades.div_ceil(most.max(1)).max(1) as i32;
        let mut ticks = Vec::new();
        for power in first..=last {
            for unit in 1..10 {
                let at = f64::from(unit) * 10f64.powi(power);
                // Fewer than three decades give too few labels to read a value from: 2 and 5 are labelled as well.
                let label = match unit {
                    1 | 2 | 5 if decades < 3 => Some(multiple(unit, power)),
                    1 if power.rem_euclid(stride) == 0 => Some(decade(power)),
                    _ => None,
                };
                if inside(at) && (unit == 1 || decades <= 9) {
                    ticks.push(Tick { at, label });
                }
            }
        }
        ticks
    }
}

fn multiple(unit: i32, power: i32) -> String {
    match power {
        0..=3 => whole((unit * 10i32.pow(power as u32)) as usize),
        -3..=-1 => format!("{:.*}", power.unsigned_abs() as usize, f64::from(unit) * 10f64.powi(power)),
        _ if unit == 1 => decade(power),
        _ => format!("{unit}×{}", decade(power)),
    }
}

fn widened(scale: Scale, kind: Kind, low: f64, high: f64) -> [f64; 2] {
    match (scale, kind) {
        (Scale::Linear, Kind::Whole) => [low - 0.5, high + 0.5],
        (Scale::Log, Kind::Whole) => {
            let margin = (high / low).powf(0.12).max(1.15);
            [low / margin, high * margin]
        }
        (Scale::Linear, Kind::Real) => {
            let margin = if high > low { 0.03 * (high - low) } else { high.abs().max(1.0) * 0.5 };
            [low - margin, high + margin]
        }
        // At least a decade, so that flat data looks flat.
        (Scale::Log, Kind::Real) => {
            let missing = (1.0 - (high / low).log10()).max(0.0) / 2.0;
            let margin = 10f64.powf(missing + 0.06 * (high / low).log10().max(1.0));
            [low / margin, high * margin]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn depths_get_whole_ticks_only() {
        for scale in [Scale::Linear, Scale::Log] {
            let axis = Axis::spanning("H", "depth", scale, Kind::Whole, [1.0, 4.0]).unwrap();
            assert_eq!(labels(&axis, 10), ["1", "2", "3", "4"]);
        }
        let axis = Axis::spanning("H", "depth", Scale::Log, Kind::Whole, [1.0, 32.0]).unwrap();
        assert_eq!(labels(&axis, 9), ["1", "2", "3", "4", "5", "6", "7", "8", "12", "16", "24", "32"]);
        assert_eq!(labels(&axis, 7), ["1", "2", "4", "8", "16", "32"]);
        let axis = Axis::spanning("H", "depth", Scale::Linear, Kind::Whole, [1.0, 32.0]).unwrap();
        assert_eq!(labels(&axis, 9), ["4", "8", "12", "16", "20", "24", "28", "32"]);
    }

    #[test]
    fn decades_are_labelled_with_minor_ticks_between() {
        let axis = Axis::spanning("m", "width", Scale::Log, Kind::Real, [30.0, 2e6]).unwrap();
        assert_eq!(labels(&axis, 10), ["10²", "10³", "10⁴", "10⁵", "10⁶"]);
        assert!(axis.ticks(10).iter().any(|tick| tick.at == 500.0 && tick.label.is_none()));
        let narrow = Axis::spanning("m", "width", Scale::Log, Kind::Real, [30.0, 40.0]).unwrap();
        assert!(labels(&narrow, 10).len() >= 3, "{:?}", labels(&narrow, 10));
        let long = Axis::spanning("m", "width", Scale::Log, Kind::Real, [1e-20, 1e4]).unwrap();
        assert!(labels(&long, 8).len() <= 9);
    }

    #[test]
    fn what_a_log_axis_cannot_show_does_not_stretch_it() {
        let axis = Axis::spanning("L", "loss", Scale::Log, Kind::Real, [0.0, -1.0, f64::NAN, 1.0, 10.0]).unwrap();
        assert!(axis.range[0] > 0.5 && !axis.shows(0.0));
        assert!(Axis::spanning("L", "loss", Scale::Log, Kind::Real, [0.0]).is_none());
        // Nor what has diverged.
        for scale in [Scale::Log, Scale::Linear] {
            let axis = Axis::spanning("L", "loss", scale, Kind::Real, [1.0, 10.0, f64::MAX, 1e-310]).unwrap();
            assert!(axis.range[1] < 20.0 && !axis.shows(f64::MAX) && axis.ticks(6).len() < 100, "{scale:?}");
        }
    }

    #[test]
    fn positions_run_from_zero_to_one() {
        let axis = Axis::spanning("k", "step", Scale::Linear, Kind::Real, [0.0, 1000.0]).unwrap();
        assert_eq!((axis.position(axis.range[0]), axis.position(axis.range[1])), (0.0, 1.0));
        assert_eq!(labels(&axis, 6), ["0", "200", "400", "600", "800", "1000"]);
    }
}
