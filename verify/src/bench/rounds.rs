//! Rounds: in each, every member of a team runs one batch, so that what slows the machine slows all of them alike.

use std::time::Instant;

use anyhow::Result;

use super::statistics::Times;
use super::team::Team;
use crate::cli::BenchRoundArgs;

/// How long to go on.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Rounds at most.
    pub rounds: usize,
    /// Seconds for each member, after which no round begins.
    pub seconds: f64,
}

impl From<&BenchRoundArgs> for Budget {
    fn from(args: &BenchRoundArgs) -> Self {
        Self { rounds: args.rounds as usize, seconds: args.seconds }
    }
}

/// Rounds that are run even when the time is up, for there to be a median.
const FEWEST: usize = 5;

/// Times the members `who`, who are ready for the same case.
///
/// # Errors
/// When one is lost.
pub fn run<C>(team: &mut dyn Team<Case = C>, who: &[usize], budget: Budget) -> Result<Vec<Times>> {
    let started = Instant::now();
    let mut batches = vec![Vec::new(); who.len()];
    for round in 0..budget.rounds.max(1) {
        if round >= FEWEST && started.elapsed().as_secs_f64() > budget.seconds * who.len() as f64 {
            break;
        }
        for turn in 0..who.len() {
            let next = order(round, turn, who.len());
            batches[next].push(team.batch(who[next])?);
        }
    }
    Ok(batches.iter().map(|batches| Times::new(batches)).collect())
}

/// Who comes at `turn` of `round`: the start moves on and the direction alternates, so that nobody always follows the
/// same member, whose data or heat it would inherit.
fn order(round: usize, turn: usize, members: usize) -> usize {
    let turn = if round.is_multiple_of(2) { turn } else { members - 1 - turn };
    (turn + round) % members
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_every_round_each_member_has_one_turn() {
        for members in 1..8 {
            for round in 0..10 {
                let mut seen: Vec<usize> = (0..members).map(|turn| order(round, turn, members)).collect();
                seen.sort_unstable();
                assert!(seen.into_iter().eq(0..members));
            }
        }
    }
}
