//! Who is timed, wherever they run; and the team that runs in this process.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::peer::{Entrant, Peer};
use super::shape::{Shape, Type};
use super::stage::{Stage, Typed};
use super::threads;
use super::yardstick::{chain_operations, chains, widest};
use crate::Usage;

/// A member of a team, for the eye.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Name of the library.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One thing to time.
pub type Case = (Type, Shape);

/// A timed batch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Of one call.
    pub seconds: f64,
    /// Whether the system took a core away meanwhile: other programs are running.
    pub interrupted: bool,
    /// Whether an affinity mask or a quota allows this process fewer cores than it has threads.
    pub confined: bool,
}

/// Several entrants, of which one at a time computes.
pub trait Team {
    /// What is timed.
    type Case;
    /// Everyone, in the order of the entrants.
    fn members(&self) -> &[Member];
    /// Readies a member for a case: checks its result and finds how many calls make a batch. False when the library
    /// cannot say the form.
    ///
    /// # Errors
    /// When its result is wrong.
    fn prepare(&mut self, who: usize, case: &Self::Case) -> Result<bool>;
    /// Runs a batch of the case that the member is ready for.
    ///
    /// # Errors
    /// When the member is lost.
    fn batch(&mut self, who: usize) -> Result<Batch>;
}

/// All in this process, on the same operands and the same C.
pub struct Local {
    members: Vec<Member>,
    peers: Vec<Option<Box<dyn Peer>>>,
    /// Calls in a batch (for the peak: rounds of multiply-adds), for each member.
    calls: Vec<usize>,
    cores: usize,
    stage: Option<(Case, Box<dyn Stage>)>,
}

impl Local {
    /// Loads all.
    ///
    /// # Errors
    /// When one cannot be loaded.
    pub fn load(entrants: &[Entrant], cores: usize) -> Result<Self, Usage> {
        let (mut members, mut peers) = (Vec::new(), Vec::new());
        for entrant in entrants {
            let peer = entrant.load(cores)?;
            let (name, version) = match &peer {
                Some(peer) => (peer.name().unwrap_or_else(|| entrant.to_string()), peer.version()),
                None => (entrant.to_string(), widest().to_string()),
            };
            members.push(Member { name, version });
            peers.push(peer);
        }
        Ok(Self { calls: vec![1; members.len()], members, peers, cores, stage: None })
    }

    /// How long a batch should last: long beside the clock's resolution, and beside the waking of threads where there
    /// are several.
    fn batch_seconds(&self) -> f64 {
        if self.cores == 1 { 200e-6 } else { 1e-3 }
    }

    /// Seconds of `calls` calls of a member.
    fn time(&mut self, who: usize, calls: usize) -> f64 {
        let (case, stage) = self.stage.as_mut().expect("prepared");
        match &self.peers[who] {
            Some(peer) => stage.run(&**peer, calls),
            None => chains(case.0, self.cores, calls),
        }
    }
}

impl Team for Local {
    type Case = Case;

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn prepare(&mut self, who: usize, &case: &Case) -> Result<bool> {
        if self.stage.as_ref().is_none_or(|(staged, _)| *staged != case) {
            // The operands of the last case go first.
            self.stage = None;
            self.stage = Some((
                case,
                match case.0 {
                    Type::F32 => Box::new(Typed::<f32>::new(case.1)),
                    Type::F64 => Box::new(Typed::<f64>::new(case.1)),
                },
            ));
        }
        let (_, stage) = self.stage.as_mut().expect("set above");
        if let Some(peer) = &self.peers[who] {
            if !stage.can(&**peer) {
                return Ok(false);
            }
            stage.check(&self.members[who].name, &**peer)?;
        }
        let enough = self.batch_seconds();
        let mut calls = 1;
        loop {
            let seconds = self.time(who, calls).min(self.time(who, calls));
            if seconds >= enough / 2.0 {
                self.calls[who] = ((calls as f64 * enough / seconds).round() as usize).max(1);
                return Ok(true);
            }
            calls *= 2;
        }
    }

    fn batch(&mut self, who: usize) -> Result<Batch> {
        let calls = self.calls[who];
        // The member before has taken the caches, and threads may be asleep: an untimed call first, where one is cheap.
        if calls > 1 || self.cores > 1 {
            self.time(who, 1);
        }
        let mut batch = Batch { seconds: f64::INFINITY, interrupted: true, confined: threads::confined(self.cores) };
        for _ in 0..ATTEMPTS {
            let before = threads::interruptions();
            let seconds = self.time(who, calls);
            batch.interrupted = threads::interruptions() != before;
            batch.seconds = batch.seconds.min(seconds / calls as f64);
            // A long batch would be interrupted again.
            if !batch.interrupted || seconds > 10.0 * self.batch_seconds() {
                break;
            }
        }
        let (case, _) = self.stage.as_ref().expect("prepared");
        if self.peers[who].is_none() {
            // What the operations of the case take at the peak.
            batch.seconds *= case.1.operations() / chain_operations(case.0, self.cores);
        }
        Ok(batch)
    }
}

/// Attempts at a batch that other programs interrupt.
const ATTEMPTS: usize = 3;
