//! What a result is compared with, and how closely it must agree.

use std::fmt;

use fathom_kernels::Real;

use super::exact::Exact;
use super::stored::{Stored, index_of};

/// An oracle, or a rule, that a result can fall foul of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The textbook `mul_add` loop: bit for bit.
    Textbook,
    /// The sum in whole numbers: bit for bit.
    Whole,
    /// The sum in twice the precision: within the bound.
    Exact,
    /// faer, sequential: within both bounds together.
    Faer,
    /// matrixmultiply: within both bounds together.
    MatrixMultiply,
    /// What lies between and around the elements of the result: untouched.
    Gaps,
    /// Kernels do not panic.
    Panic,
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Textbook => "differs from the textbook loop",
            Self::Whole => "differs from the sum in whole numbers",
            Self::Exact => "exceeds its error bound",
            Self::Faer => "disagrees with faer",
            Self::MatrixMultiply => "disagrees with matrixmultiply",
            Self::Gaps => "has written between or beyond its elements",
            Self::Panic => "panicked",
        })
    }
}

/// A disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What was disagreed with.
    pub against: Against,
    /// Index of the first element concerned.
    pub element: String,
    /// What the kernel returned there.
    pub found: String,
    /// What it should have returned.
    pub expected: String,
    /// Elements concerned.
    pub count: usize,
}

/// How one result fared.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Every disagreement, one for each oracle at most.
    pub findings: Vec<Finding>,
    /// The largest error as a fraction of its bound; 0 where no bound was held against it.
    pub error_ratio: f64,
    /// The same over elements that sum at least [`LONG`] products.
    pub long_error_ratio: f64,
}

impl Verdict {
    /// Adds the verdict on the same call on several threads, which should be the same.
    pub fn add_threaded(&mut self, other: Self) {
        let new: Vec<Finding> = other.findings.into_iter().filter(|finding| !self.findings.contains(finding)).collect();
        self.findings.extend(new.into_iter().map(|finding| {
            let element = format!("{}, on several threads", finding.element);
            Finding { element, ..finding }
        }));
        self.error_ratio = self.error_ratio.max(other.error_ratio);
        self.long_error_ratio = self.long_error_ratio.max(other.long_error_ratio);
    }
}

/// A sum of this many products is long: its roundings have begun to cancel.
pub const LONG: usize = 64;

/// Everything that one result is compared with. Elements are in index order, the last index running fastest.
pub struct Oracles<T, const N: usize> {
    /// The result's buffer before the call, for the gaps.
    pub before: Stored<T, N>,
    /// The textbook loop's elements.
    pub textbook: Vec<T>,
    /// The sums in whole numbers, where all inputs are whole.
    pub whole: Option<Vec<T>>,
    /// The sums in twice the precision, with the roundings that alpha and beta cost; absent when there are NaNs.
    pub exact: Option<(Vec<Exact>, usize)>,
    /// Other libraries' results, compared where `exact` can tell the bound.
    pub peers: Vec<(Against, Vec<T>)>,
}

impl<T: Real, const N: usize> Oracles<T, N> {
    /// Compares the result of a kernel with every oracle.
    pub fn judge(&self, after: &Stored<T, N>) -> Verdict {
        let found = after.elements();
        let mut verdict = Verdict::default();
        verdict.findings.extend(self.gaps(after));
        verdict.findings.extend(self.same_bits(Against::Textbook, &found, &self.textbook));
        if let Some(whole) = &self.whole {
            verdict.findings.extend(self.same_bits(Against::Whole, &found, whole));
        }
        if let Some((exact, extra)) = &self.exact {
            for (sum, &found) in exact.iter().zip(&found) {
                let ratio = error_ratio(found, sum, *extra);
                verdict.error_ratio = verdict.error_ratio.max(ratio);
                if sum.terms() >= LONG {
                    verdict.long_error_ratio = verdict.long_error_ratio.max(ratio);
                }
            }
            verdict.findings.extend(self.within_bound(&found, exact, *extra));
            for (against, peer) in &self.peers {
                verdict.findings.extend(self.within_two_bounds(*against, &found, peer, exact, *extra));
            }
        }
        verdict
    }

    fn gaps(&self, after: &Stored<T, N>) -> Option<Finding> {
        let (position, now, before) = after.changed_gap(&self.before)?;
        Some(Finding {
            against: Against::Gaps,
            element: format!("position {position} of the buffer"),
            found: show(now),
            expected: show(before),
            count: 1,
        })
    }

    /// Equal bits; any NaN equals any NaN.
    fn same_bits(&self, against: Against, found: &[T], expected: &[T]) -> Option<Finding> {
        let nan = |x: T| x.to_f64().is_nan();
        let differs = |i: usize| found[i].bits() != expected[i].bits() && !(nan(found[i]) && nan(expected[i]));
        self.finding(against, found, differs, |i| show(expected[i]))
    }

    fn within_bound(&self, found: &[T], exact: &[Exact], extra: usize) -> Option<Finding> {
        let ratio = |i: usize| error_ratio(found[i], &exact[i], extra);
        let wrong = |i: usize| ratio(i) > 1.0;
        self.finding(Against::Exact, found, wrong, |i| {
            let (value, bound) = (exact[i].value(), exact[i].bound::<T>(extra));
            format!("{value:e}; its error is {:.3} of the bound {bound:e}", ratio(i))
        })
    }

    /// Two results that each keep their bound lie at most two bounds apart. The text says which of them did not.
    fn within_two_bounds(
        &self,
        against: Against,
        found: &[T],
        peer: &[T],
        exact: &[Exact],
        extra: usize,
    ) -> Option<Finding> {
        let wrong = |i: usize| {
            let distance = (found[i].to_f64() - peer[i].to_f64()).abs();
            distance.is_nan() || distance > 2.0 * exact[i].bound::<T>(extra)
        };
        self.finding(against, found, wrong, |i| {
            let (ours, theirs) = (error_ratio(found[i], &exact[i], extra), error_ratio(peer[i], &exact[i], extra));
            format!("{}; our error is {ours:.3} of the bound, theirs {theirs:.3}", show(peer[i]))
        })
    }

    fn finding(
        &self,
        against: Against,
        found: &[T],
        wrong: impl Fn(usize) -> bool,
        expected: impl Fn(usize) -> String,
    ) -> Option<Finding> {
        let mut all = (0..found.len()).filter(|&i| wrong(i));
        let first = all.next()?;
        Some(Finding {
            against,
            element: format!("{:?}", index_of(self.before.shape(), first)),
            found: show(found[first]),
            expected: expected(first),
            count: 1 + all.count(),
        })
    }
}

/// |error| as a fraction of the bound; infinite when `found` is no number, or when the bound is 0 and the error is not.
fn error_ratio<T: Real>(found: T, exact: &Exact, extra: usize) -> f64 {
    let error = exact.error_of(found.to_f64()).abs();
    match error {
        0.0 => 0.0,
        _ if error.is_nan() => f64::INFINITY,
        _ => error / exact.bound::<T>(extra),
    }
}

/// The shortest decimal that reads back as `x`, and its bits.
fn show<T: Real>(x: T) -> String {
    format!("{x:?} ({:#x})", x.bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sums of k = 100 terms in f32, with all oracles.
    fn oracles() -> (Oracles<f32, 2>, Stored<f32, 2>) {
        let a = |i: usize, k: usize| ((i * 7 + k * 3) % 11) as f32 - 5.0;
        let b = |k: usize, j: usize| ((k * 5 + j) % 13) as f32 - 6.0;
        let (mut exact, mut sums) = (Vec::new(), Vec::new());
        for [i, j] in crate::check::stored::indices([4, 3]) {
            let mut sum = Exact::start(0.0, 0.0);
            (0..100).for_each(|k| sum.add(1.0, a(i, k).into(), b(k, j).into()));
            exact.push(sum);
            sums.push((0..100).map(|k| a(i, k) * b(k, j)).sum::<f32>());
        }
        let stored = |values: &[f32]| Stored::new([4, 3], [9, 2], f32::MAX, |[i, j]| values[i * 3 + j]);
        let (before, after) = (stored(&[f32::NAN; 12]), stored(&sums));
        let peers = vec![(Against::Faer, sums.clone()), (Against::MatrixMultiply, sums.clone())];
        (Oracles { before, textbook: sums.clone(), whole: Some(sums), exact: Some((exact, 0)), peers }, after)
    }

    fn replaced(after: &Stored<f32, 2>, at: [usize; 2], value: impl Fn(f32) -> f32) -> Stored<f32, 2> {
        let elements = after.elements();
        Stored::new([4, 3], [9, 2], f32::MAX, |[i, j]| {
            let x = elements[i * 3 + j];
            if [i, j] == at { value(x) } else { x }
        })
    }

    fn against(verdict: &Verdict) -> Vec<Against> {
        verdict.findings.iter().map(|finding| finding.against).collect()
    }

    #[test]
    fn a_right_result_passes() {
        let (oracles, after) = oracles();
        let verdict = oracles.judge(&after);
        assert!(verdict.findings.is_empty() && verdict.error_ratio == 0.0, "{verdict:?}");
    }

    #[test]
    fn one_flipped_bit_is_seen_and_named() {
        let (oracles, after) = oracles();
        let verdict = oracles.judge(&replaced(&after, [2, 1], |x| f32::from_bits(x.to_bits() ^ 1)));
        assert_eq!(against(&verdict), [Against::Textbook, Against::Whole]);
        assert_eq!((verdict.findings[0].element.as_str(), verdict.findings[0].count), ("[2, 1]", 1));
        assert!(verdict.error_ratio > 0.0 && verdict.error_ratio < 1.0);
    }

    #[test]
    fn an_error_beyond_the_bound_is_seen() {
        let (oracles, after) = oracles();
        let bound = oracles.exact.as_ref().unwrap().0[5].bound::<f32>(0) as f32;
        for (bounds, expected) in [
            (0.9, vec![Against::Textbook, Against::Whole]),
            (1.5, vec![Against::Textbook, Against::Whole, Against::Exact]),
            (-2.5, vec![Against::Textbook, Against::Whole, Against::Exact, Against::Faer, Against::MatrixMultiply]),
            (f32::NAN, vec![Against::Textbook, Against::Whole, Against::Exact, Against::Faer, Against::MatrixMultiply]),
        ] {
            let verdict = oracles.judge(&replaced(&after, [1, 2], |x| x + bounds * bound));
            assert_eq!(against(&verdict), expected);
            let ratios = [verdict.error_ratio, verdict.long_error_ratio];
            assert!(ratios.iter().all(|ratio| (ratio - f64::from(bounds.abs())).abs() < 0.01 || bounds.is_nan()));
            assert!(ratios.iter().all(|ratio| ratio.is_infinite() == bounds.is_nan()));
        }
    }

    #[test]
    fn what_only_threads_get_wrong_is_said_to_be_so() {
        let (oracles, after) = oracles();
        let wrong = |at| oracles.judge(&replaced(&after, at, |x| x + 100.0));
        let mut verdict = oracles.judge(&after);
        verdict.add_threaded(wrong([1, 1]));
        assert_eq!(verdict.findings[0].element, "[1, 1], on several threads");
        assert!(verdict.findings.len() == 5 && verdict.error_ratio > 1.0);
        verdict = wrong([1, 1]);
        verdict.add_threaded(wrong([1, 1]));
        assert_eq!(verdict.findings.len(), 5);
    }

    #[test]
    fn a_sum_of_nothing_but_zeros_may_not_be_off_at_all() {
        let mut zero = Exact::start(0.0, 0.0);
        zero.add(1.0, 0.0, 3.0);
        assert_eq!(error_ratio(0.0f32, &zero, 0), 0.0);
        assert_eq!(error_ratio(f32::MIN_POSITIVE, &zero, 0), f64::INFINITY);
    }

    #[test]
    fn a_peer_that_is_wrong_is_named_as_such() {
        let (mut oracles, after) = oracles();
        oracles.peers[0].1[7] += 1.0;
        let verdict = oracles.judge(&after);
        assert_eq!(against(&verdict), [Against::Faer]);
        assert!(verdict.findings[0].expected.contains("our error is 0.000"), "{:?}", verdict.findings);
    }

    #[test]
    fn a_gap_that_was_written_to_is_seen() {
        let (oracles, after) = oracles();
        let elements = after.elements();
        let mut calls = 0;
        // A canary that differs in the gaps alone.
        let spilt = Stored::new([4, 3], [9, 2], 0.0, |[i, j]| {
            calls += 1;
            elements[i * 3 + j]
        });
        assert_eq!((calls, against(&oracles.judge(&spilt))), (12, vec![Against::Gaps]));
    }

    #[test]
    fn any_nan_equals_any_nan_but_no_number() {
        let (mut oracles, after) = oracles();
        oracles.textbook[0] = f32::NAN;
        (oracles.whole, oracles.exact) = (None, None);
        assert_eq!(against(&oracles.judge(&after)), [Against::Textbook]);
        let nan = replaced(&after, [0, 0], |_| f32::from_bits(0xffc0_1234));
        assert!(oracles.judge(&nan).findings.is_empty());
    }
}
