//! What the rounds of one case say.

use super::statistics::Times;
use super::team::Member;

/// A library's times in one case.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The library.
    pub member: Member,
    /// None where the library cannot say the case.
    pub times: Option<Times>,
}

/// One case, timed.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// What was computed, for the eye.
    pub case: String,
    /// Floating-point operations in a call, or values where those are counted.
    pub operations: f64,
    /// What the machine would have taken at its limits, such as its multiply-add peak; none where they say little.
    pub floor: Option<Times>,
    /// This project.
    pub fathom: Entry,
    /// This project on one thread, where it had several.
    pub serial: Option<Entry>,
    /// Everyone else.
    pub peers: Vec<Entry>,
    /// Bytes that our calls take beside their data, where that was measured.
    pub working_bytes: Option<u64>,
}

impl Comparison {
    /// Our times.
    pub fn ours(&self) -> &Times {
        self.fathom.times.as_ref().expect("we compute every case")
    }

    /// The fastest peer by its median.
    pub fn best(&self) -> Option<(&Member, &Times)> {
        let timed = self.peers.iter().filter_map(|entry| Some((&entry.member, entry.times.as_ref()?)));
        timed.min_by(|(_, x), (_, y)| x.median().total_cmp(&y.median()))
    }

    /// How many times as fast as the best peer `times` are, in the median round.
    pub fn ratio(&self, times: &Times) -> Option<f64> {
        self.ratio_quartiles(times).map(|[_, ratio, _]| ratio)
    }

    /// The ratio, between its quartiles over the rounds.
    pub fn ratio_quartiles(&self, times: &Times) -> Option<[f64; 3]> {
        self.best().map(|(_, best)| times.quotients(best))
    }

    /// The quotient of the medians.
    pub fn ratio_of_medians(&self, times: &Times) -> Option<f64> {
        self.best().map(|(_, best)| best.median() / times.median())
    }

    /// The quotient of the fastest rounds, which other work on the machine touches least. The peer is the one that
    /// was fastest in any round.
    pub fn ratio_of_fastest(&self, times: &Times) -> Option<f64> {
        let fastest = self.peers.iter().filter_map(|entry| Some(entry.times.as_ref()?.fastest));
        fastest.min_by(f64::total_cmp).map(|best| best / times.fastest)
    }

    /// The floor as a share of `times`, in the median round.
    pub fn share_of_floor(&self, times: &Times) -> Option<f64> {
        self.floor.as_ref().map(|floor| times.times_as_fast_as(floor))
    }

    /// How many times as fast as on one thread we are.
    pub fn speedup(&self) -> Option<f64> {
        self.serial.as_ref()?.times.as_ref().map(|serial| self.ours().times_as_fast_as(serial))
    }

    /// Whether anyone had fewer cores than threads.
    pub fn confined(&self) -> bool {
        let everyone = std::iter::once(&self.fathom).chain(&self.peers);
        everyone.filter_map(|entry| entry.times.as_ref()).any(|times| times.confined)
    }

    /// The share of all batches in which other programs took a core.
    pub fn interrupted(&self) -> f64 {
        let everyone = std::iter::once(&self.fathom).chain(&self.serial).chain(&self.peers);
        let shares: Vec<f64> = everyone.filter_map(|entry| Some(entry.times.as_ref()?.interrupted)).collect();
        shares.iter().sum::<f64>() / shares.len() as f64
    }

    /// Operations a second at `seconds` a call.
    pub fn rate(&self, seconds: f64) -> f64 {
        self.operations / seconds
    }
}

#[cfg(test)]
pub mod tests {
    use super::super::statistics::tests::times;
    use super::*;

    /// Two rounds at these seconds, and twice as slow.
    fn entry(name: &str, seconds: Option<f64>) -> Entry {
        let member = Member { name: name.to_owned(), version: "1".to_owned() };
        Entry { member, times: seconds.map(|seconds| times(&[seconds, 2.0 * seconds])) }
    }

    /// A case in which we take 4, the best peer 3, and multiply-adds alone 2.
    pub fn example(case: &str) -> Comparison {
        Comparison {
            case: case.to_owned(),
            operations: 2e9,
            floor: entry("peak", Some(2.0)).times,
            fathom: entry("fathom", Some(4.0)),
            serial: Some(entry("serial", Some(6.0))),
            peers: vec![entry("slow", Some(5.0)), entry("best", Some(3.0)), entry("mute", None)],
            working_bytes: None,
        }
    }

    #[test]
    fn ratios_are_to_the_best_peer_that_can() {
        let found = example("f32 10");
        let ours = found.ours();
        assert_eq!(found.best().unwrap().0.name, "best");
        assert_eq!(found.ratio(ours), Some(0.75));
        assert_eq!((found.ratio_of_medians(ours), found.ratio_of_fastest(ours)), (Some(0.75), Some(0.75)));
        assert_eq!((found.share_of_floor(ours), found.speedup()), (Some(0.5), Some(1.5)));
        let alone = Comparison { peers: vec![entry("mute", None)], serial: None, ..found.clone() };
        assert_eq!((alone.ratio(ours), alone.speedup()), (None, None));
    }
}
