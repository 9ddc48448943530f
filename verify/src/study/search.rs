//! The search for m*: doubling until the starts surely pass, then bisection of the places where the verdict changes.

use std::collections::BTreeMap;

use super::binomial::Verdict;
use crate::laws::isotonic::{Isotonic, Passes};

/// For each width that was run, what the criterion bounds, divided by its bound, at each start: "at most 1" passes.
pub type Ratios = BTreeMap<usize, Vec<f64>>;

/// Where m* lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// m*: where the pass rate, made monotone, crosses 1 - delta; `None` when no width that was run reaches it.
    pub width: Option<f64>,
    /// The widest width whose starts surely pass too rarely; 1 when there is none.
    pub low: usize,
    /// The narrowest width from which on the starts surely pass often enough.
    pub high: Option<usize>,
}

/// Neighbouring widths closer than this are not split further.
const RESOLUTION: f64 = 1.19; // 2^(1/4)
/// The first width that is run.
const FIRST: usize = 8;

pub fn passes(ratios: &[f64]) -> usize {
    ratios.iter().filter(|&&ratio| ratio <= 1.0).count()
}

/// Runs `evaluate` at the widths that settle m* to about 2^(1/4), none beyond `max_width`.
pub fn search(
    verdict: Verdict,
    rate: f64,
    max_width: usize,
    mut evaluate: impl FnMut(usize) -> Vec<f64>,
) -> (Found, Ratios) {
    let mut ratios = Ratios::new();
    let enough = |ratios: &[f64]| passes(ratios) >= verdict.enough;
    let too_few = |ratios: &[f64]| passes(ratios) <= verdict.too_few;
    let mut width = FIRST.min(max_width);
    loop {
        let found = evaluate(width);
        let done = enough(&found);
        ratios.insert(width, found);
        if done || width == max_width {
            break;
        }
        width = (2 * width).min(max_width);
    }
    // Narrower than the first width, if even that is not surely too narrow.
    while let Some((&narrowest, found)) = ratios.first_key_value() {
        if too_few(found) || narrowest == 1 {
            break;
        }
        let width = narrowest / 2;
        ratios.insert(width, evaluate(width));
    }
    let holds = |ratios: &[f64]| passes(ratios) as f64 >= rate * ratios.len() as f64;
    bisect(&mut ratios, &mut evaluate, |r| !too_few(r));
    bisect(&mut ratios, &mut evaluate, holds);
    bisect(&mut ratios, &mut evaluate, enough);

    let width = crossing(&ratios, rate);
    let surely_below = |(&w, r): (&usize, &Vec<f64>)| too_few(r).then_some(w);
    let low = ratios.iter().rev().find_map(surely_below).unwrap_or(1);
    let surely_from = ratios.iter().rev().take_while(|(_, r)| enough(r)).last();
    (Found { width, low, high: surely_from.map(|(&w, _)| w) }, ratios)
}

/// Halves, in log m, the gap below the first width at which `is` holds until it is narrow.
fn bisect(ratios: &mut Ratios, evaluate: &mut impl FnMut(usize) -> Vec<f64>, is: impl Fn(&[f64]) -> bool) {
    loop {
        // The last place where it changes from not holding to holding.
        let widths: Vec<(usize, bool)> = ratios.iter().map(|(&w, r)| (w, is(r))).collect();
        let gap = widths.windows(2).rev().find(|pair| !pair[0].1 && pair[1].1);
        let Some(&[(below, _), (above, _)]) = gap.map(|pair| <&[_; 2]>::try_from(pair).expect("a pair")) else {
            return;
        };
        let middle = (below as f64 * above as f64).sqrt().round() as usize;
        if above as f64 <= RESOLUTION * below as f64 || middle <= below || middle >= above {
            return;
        }
        ratios.insert(middle, evaluate(middle));
    }
}

/// Where the isotonic regression of the pass rate on the width crosses `rate`, interpolated in log m.
fn crossing(ratios: &Ratios, rate: f64) -> Option<f64> {
    let runs = ratios.iter().map(|(&width, starts)| Passes {
        log_width: (width as f64).ln(),
        passes: passes(starts) as u64,
        starts: starts.len() as u64,
    });
    Isotonic::default().crossing(runs, rate).map(f64::exp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts that pass from a width of their own on.
    fn run(own: &[f64], max_width: usize) -> (Found, Ratios) {
        let verdict = Verdict::new(own.len(), 0.5).unwrap();
        search(verdict, 0.5, max_width, |width| own.iter().map(|own| (own / width as f64).sqrt()).collect())
    }

    #[test]
    fn a_sharp_threshold_is_found_to_the_resolution() {
        for own in [1.0, 3.0, 50.0, 777.0, 10_000.0] {
            let (found, ratios) = run(&[own; 20], 1 << 20);
            let (width, high) = (found.width.unwrap(), found.high.unwrap());
            assert!(found.low as f64 <= own.max(1.0) && own <= high as f64, "{own}: {found:?}");
            assert!(width >= own / 1.2 - 1.0 && width <= own * 1.2 + 1.0, "{own}: {found:?}");
            assert!(ratios.len() < 25, "{} widths", ratios.len());
        }
    }

    #[test]
    fn the_interval_covers_the_spread_of_the_median() {
        let own: Vec<f64> = (1..=20).map(|i| 100.0 * 1.1f64.powi(i)).collect();
        let (found, _) = run(&own, 1 << 20);
        // Five and fifteen of twenty are the exact binomial's limits.
        assert!((found.low as f64) < own[5] && (found.low as f64) > own[4] / 1.2, "{found:?}");
        let high = found.high.unwrap() as f64;
        assert!(high >= own[14] && high < own[14] * 1.2, "{found:?}");
        let width = found.width.unwrap();
        assert!(width > own[8] && width < own[11], "{found:?}");
    }

    #[test]
    fn beyond_the_widest_run_there_is_only_a_lower_bound() {
        let (found, ratios) = run(&[5000.0; 6], 1000);
        assert_eq!((found.width, found.high), (None, None));
        assert_eq!(found.low, 1000);
        assert_eq!(ratios.last_key_value().unwrap().0, &1000);
    }

    #[test]
    fn a_rate_that_is_not_monotone_is_pooled() {
        let ratios: Ratios = [(8, 0), (16, 6), (32, 4), (64, 10)]
            .map(|(w, p)| (w, (0..10).map(|i| if i < p { 0.5 } else { 2.0 }).collect()))
            .into();
        // 16 and 32 pool to one half.
        let width = crossing(&ratios, 0.5).unwrap();
        assert!((width - 16.0).abs() < 1e-9, "{width}");
    }
}
