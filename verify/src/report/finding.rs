//! What was found: the growth of the required width with depth, in numbers and in a sentence.

use super::fit::{Estimate, FEWEST, Fit, Law, Point};
use super::group::{Group, archs};
use super::number::{interval, significant};
use crate::rows::{Status, WidthRow};

/// One architecture under one criterion.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// `fc`, `resnet`, ...
    pub arch: &'a str,
    /// `init-closeness`, ...
    pub criterion: &'a str,
    /// Its rows, by depth.
    pub rows: Vec<&'a WidthRow>,
    /// m = c exp(b H) over all depths with a required width.
    pub exponential: Option<Fit>,
    /// m = c H^b over the same.
    pub power: Option<Fit>,
    /// Both laws over H >= 2, where there is a point at H = 1 to leave out: no layer lies below the last one there, so
    /// nothing accumulates, and the residual networks have no skip yet.
    pub deep: Option<[Fit; 2]>,
}

/// All findings of a group, by criterion and architecture.
pub fn findings<'a>(group: &Group<'a>) -> Vec<Finding<'a>> {
    let archs = archs(group.widths.iter().map(|row| &row.subject));
    let mut criteria: Vec<&'a str> = group.widths.iter().map(|row| row.criterion.as_str()).collect();
    criteria.dedup();
    let of = |criterion: &'a str, arch: &'a str| {
        let matches = |row: &&&WidthRow| row.criterion == criterion && row.subject.arch == arch;
        let rows: Vec<&'a WidthRow> = group.widths.iter().filter(matches).copied().collect();
        (!rows.is_empty()).then(|| Finding::new(arch, criterion, rows))
    };
    criteria.iter().flat_map(|&criterion| archs.iter().filter_map(move |&arch| of(criterion, arch))).collect()
}

impl<'a> Finding<'a> {
    fn new(arch: &'a str, criterion: &'a str, rows: Vec<&'a WidthRow>) -> Self {
        let points: Vec<Point> = rows.iter().filter_map(|row| point(row)).collect();
        let deep: Vec<Point> = points.iter().copied().filter(|point| point.depth >= 2).collect();
        let has_first = deep.len() < points.len();
        Self {
            arch,
            criterion,
            rows,
            exponential: Fit::new(Law::Exponential, &points),
            power: Fit::new(Law::Power, &points),
            deep: has_first.then(|| both(&deep)).flatten(),
        }
    }

    /// The fit to draw and to speak of: over H >= 2 if there is one.
    pub fn drawn(&self, law: Law) -> Option<&Fit> {
        match (&self.deep, law) {
            (Some([exponential, _]), Law::Exponential) => Some(exponential),
            (Some([_, power]), Law::Power) => Some(power),
            (None, Law::Exponential) => self.exponential.as_ref(),
            (None, Law::Power) => self.power.as_ref(),
        }
    }

    /// How many rows have this status.
    pub fn count(&self, status: Status) -> usize {
        self.rows.iter().filter(|row| row.status == status).count()
    }

    /// The finding in a sentence or two.
    pub fn sentence(&self, chi1: Option<f64>) -> String {
        let (Some(all), Some(fit)) = (&self.exponential, self.drawn(Law::Exponential)) else {
            return format!("{}: no growth factor. {}", self.arch, self.too_few());
        };
        let growth = fit.growth();
        let [from, to] = fit.depths;
        let mut text = format!(
            "{}: over H = {from} to {to} the required width {} by a factor of {} per layer (95 % interval; {}).",
            self.arch,
            if growth.low > 1.0 { "grows" } else { "changes" },
            interval(&growth, 3),
            self.counts()
        );
        if self.arch == "fc" {
            text += &theory(self.criterion, &growth, chi1);
        } else {
            text += &format!(" {}", flatness(&growth));
        }
        if self.deep.is_some() {
            text += &format!(" With H = 1, where no layer lies below the last: {}.", interval(&all.growth(), 3));
        }
        text
    }

    /// Why there is no fit.
    pub fn too_few(&self) -> String {
        let found = self.rows.len() - self.count(Status::Censored);
        format!("Too few depths: {found} with a required width, and a line needs {FEWEST} ({}).", self.counts())
    }

    fn counts(&self) -> String {
        let named = [(Status::Measured, "measured"), (Status::Extrapolated, "extrapolated")];
        let mut parts: Vec<String> = named
            .iter()
            .map(|&(status, name)| (self.count(status), name))
            .filter(|&(count, _)| count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        match self.count(Status::Censored) {
            0 => {}
            count => parts.push(format!("{count} censored, left out of the fit")),
        }
        parts.join(", ")
    }
}

fn both(points: &[Point]) -> Option<[Fit; 2]> {
    Some([Fit::new(Law::Exponential, points)?, Fit::new(Law::Power, points)?])
}

/// The point that a row adds to a fit; a censored row adds none.
pub fn point(row: &WidthRow) -> Option<Point> {
    let width = row.width.filter(|_| row.status != Status::Censored)?;
    Point::new(row.subject.depth, width, row.low, row.high)
}

/// Whether a growth factor is 1, said plainly either way.
fn flatness(growth: &Estimate) -> String {
    if !growth.contains(1.0) {
        let direction = if growth.value > 1.0 { "grows" } else { "shrinks" };
        return format!("Not flat: 1 lies outside the interval, and the required width {direction} with depth.");
    }
    let mut text = "Flat within its interval: 1 lies inside it.".to_owned();
    if growth.high > 1.5 {
        text += &format!(
            " The interval is wide, though: growth by up to {} per layer is not excluded.",
            significant(growth.high, 3)
        );
    }
    text
}

/// The theory's factor beside the fully connected network's. The law m ~ lambda0^-2 ~ chi_1^(-2H) is derived for
/// init-closeness.
fn theory(criterion: &str, growth: &Estimate, chi1: Option<f64>) -> String {
    match chi1 {
        Some(chi1) if chi1 < 1.0 && criterion == "init-closeness" => {
            let expected = chi1.powi(-2);
            let place = if growth.contains(expected) { "inside" } else { "outside" };
            format!(" The theory's χ₁⁻² = {} lies {place} the interval.", significant(expected, 3))
        }
        Some(chi1) if chi1 >= 1.0 => {
            format!(" χ₁ = {} is not below 1, so no exponential law is expected.", significant(chi1, 3))
        }
        _ => String::new(),
    }
}
