//! What was found: the growth of the required width with depth, in numbers and in a sentence.

use super::number::{significant, telling};
use super::pooled::{Pooled, pooled};
use crate::laws::verdict::{FEWEST_DEPTHS, FIRST_DEPTH, FLAT, MARGIN};
use crate::laws::{Curve, Law, Laws, Verdict};
use crate::rows::{PredictedRow, Status, Subject, WidthRow};

/// One architecture in one setting under one criterion.
#[derive(Clone, Debug)]
pub struct Finding<'a> {
    /// Its rows.
    pub curve: Curve<'a>,
    /// What they show over H >= 2; none with too few depths.
    pub laws: Option<Laws>,
    /// What the delta method predicts, by depth and data set.
    pub predicted: Vec<&'a PredictedRow>,
    /// chi_1 of the activation.
    pub chi1: Option<f64>,
    /// chi_parallel of the activation.
    pub chi_parallel: f64,
}

impl<'a> Finding<'a> {
    /// The subject of its first row.
    pub fn subject(&self) -> &'a Subject {
        &self.curve.rows[0].subject
    }

    /// `fc`, `resnet`, ...
    pub fn arch(&self) -> &'a str {
        &self.subject().arch
    }

    /// `init-closeness`, ...
    pub fn criterion(&self) -> &'a str {
        &self.curve.rows[0].criterion
    }

    /// The allowed fraction of failing starts.
    pub fn delta(&self) -> f64 {
        self.curve.rows[0].delta
    }

    /// Its rows, by depth.
    pub fn rows(&self) -> &[&'a WidthRow] {
        &self.curve.rows
    }

    /// Its depths, the data sets of each together.
    pub fn points(&self) -> Vec<Pooled> {
        pooled(self.rows())
    }

    /// How many rows that laws are fitted to have this status.
    pub fn count(&self, status: Status) -> usize {
        self.rows().iter().filter(|row| row.status == status && row.subject.depth >= FIRST_DEPTH).count()
    }

    /// What the network is called among others: its architecture, and what else is not as usual.
    pub fn network(&self) -> String {
        let delta =
            if self.delta() == 0.5 { String::new() } else { format!(", δ = {}", significant(self.delta(), 2)) };
        let Subject { arch, image, patch, .. } = self.subject();
        let pixels = match (image.as_deref(), patch.as_deref()) {
            (Some(image), Some(patch)) => format!(" {image}, patch {patch}"),
            _ => String::new(),
        };
        format!("{arch}{pixels}{delta}")
    }

    /// The finding in a few sentences.
    pub fn sentence(&self) -> String {
        let Some(laws) = &self.laws else {
            return format!("{}: no growth factor. {}", self.network(), self.too_few());
        };
        let growth = laws.exponential.growth();
        let [from, to] = laws.depths;
        let mut text = format!(
            "{}: over H = {from} to {to} the required width {} by a factor of {} per layer (95 % interval; {}). {}",
            self.network(),
            if growth.low > 1.0 { "grows" } else { "changes" },
            telling(&growth),
            self.counts(),
            verdict(laws)
        );
        if self.arch() == "fc" {
            text += &self.theory(laws);
        }
        text
    }

    /// Whether small changes of a sample's variance grow from layer to layer, whatever chi_1 is.
    pub fn is_unstable(&self) -> bool {
        self.chi_parallel > 1.0 + ROUNDING
    }

    /// What follows from chi_parallel > 1 for init-closeness: the deviation of a diagonal entry of G from K grows by chi_parallel
    /// a layer, and m* as its square.
    pub fn instability(&self, laws: &Laws) -> String {
        if !self.is_unstable() || self.criterion() != "init-closeness" {
            return String::new();
        }
        let expected = self.chi_parallel.powi(2);
        let place = if laws.exponential.growth().contains(expected) { "inside" } else { "outside" };
        format!(
            " Each layer multiplies what a sample's variance is off by χ_∥, so theory has an exponential here too; its factor for \
             deep networks, χ_∥² = {}, lies {place} the interval.",
            significant(expected, 3)
        )
    }

    /// Why there is no fit.
    pub fn too_few(&self) -> String {
        let found = self.points().iter().filter(|point| point.depth > 1 && point.width.is_some()).count();
        format!("Too few depths: {found} from H = 2 on, and a line needs {FEWEST_DEPTHS} ({}).", self.counts())
    }

    fn counts(&self) -> String {
        let named =
            [(Status::Measured, "measured"), (Status::Extrapolated, "extrapolated"), (Status::Censored, "censored")];
        let parts: Vec<String> = named
            .iter()
            .map(|&(status, name)| (self.count(status), name))
            .filter(|&(count, _)| count > 0)
            .map(|(count, name)| format!("{count} {name}"))
            .collect();
        parts.join(", ")
    }

    /// The theory's factor beside the fully connected network's. The law m ~ lambda0^-2 ~ chi_1^(-2H) is derived for
    /// init-closeness.
    fn theory(&self, laws: &Laws) -> String {
        match self.chi1 {
            Some(chi1) if chi1 < 1.0 && self.criterion() == "init-closeness" => {
                let expected = chi1.powi(-2);
                let place = if laws.exponential.growth().contains(expected) { "inside" } else { "outside" };
                format!(
                    " The factor that theory has for deep networks, χ₁⁻² = {}, lies {place} the interval.",
                    significant(expected, 3)
                )
            }
            Some(chi1) if chi1 >= 1.0 && self.is_unstable() => format!(
                " χ₁ = {} is not below 1, but χ_∥ = {} is above 1.{}",
                significant(chi1, 3),
                significant(self.chi_parallel, 3),
                self.instability(laws)
            ),
            Some(chi1) if chi1 >= 1.0 => {
                format!(" χ₁ = {} is not below 1, so no exponential law is expected.", significant(chi1, 3))
            }
            _ => String::new(),
        }
    }
}

/// Rounding leaves chi_parallel of ReLU this near 1, at most.
const ROUNDING: f64 = 1e-9;

/// The verdict in a sentence, with what decided it.
fn verdict(laws: &Laws) -> String {
    let growth = laws.exponential.growth();
    let change = laws.change();
    match laws.verdict {
        Verdict::Exponential => format!("The law is exponential, m ∝ exp(bH): {}.", evidence(laws, Law::Exponential)),
        Verdict::Power => {
            format!("The law is a power, m ∝ Hᵇ with b = {}: {}.", telling(&laws.power.b), evidence(laws, Law::Power))
        }
        Verdict::Flat => format!(
            "It is flat: 1 lies inside the interval, which holds the change over all these layers below a factor of {}.",
            significant(change.high.max(1.0 / change.low), 3)
        ),
        Verdict::NearlyFlat => format!(
            "It is nearly flat: 1 lies outside the interval, but over all these layers the change is a factor of {}, and no law is \
             decided.",
            telling(&change)
        ),
        Verdict::Undecided if growth.contains(1.0) => format!(
            "Undecided: 1 lies inside the interval, but a change by a factor of {} over all these layers is not excluded \
             (flat would be {FLAT}).",
            significant(change.high.max(1.0 / change.low), 3)
        ),
        Verdict::Undecided => format!(
            "1 lies outside the interval, so it {}, over all these layers by a factor of {}, but by which law is undecided: {}.",
            if growth.value > 1.0 { "grows" } else { "shrinks" },
            telling(&change),
            undecided(laws)
        ),
    }
}

fn evidence(laws: &Laws, law: Law) -> String {
    let (gain, support) = match law {
        Law::Exponential => (laws.preference, laws.support[0]),
        Law::Power => (-laws.preference, laws.support[1]),
    };
    format!(
        "its AICc is smaller by {}, and by {MARGIN} or more in {} % of the resamples",
        significant(gain, 3),
        significant(100.0 * support, 3)
    )
}

fn undecided(laws: &Laws) -> String {
    if laws.exponential.aicc.is_none() {
        return format!("{} rows are too few for AICc", laws.rows);
    }
    let [exponential, power] = laws.support.map(|part| significant(100.0 * part, 3));
    format!("the exponential is better by {MARGIN} or more in {exponential} % of the resamples, the power in {power} %")
}
