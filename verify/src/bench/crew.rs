//! This project and programs that compute the same, with the machine's limits beside them.

use anyhow::Result;
use fathom_kernels::Parallelism;

use super::comparison::{Comparison, Entry};
use super::program::Program;
use super::rounds::{self, Budget};
use super::statistics::Times;
use super::stream::Stream;
use super::subject::{Data, Subject};
use super::team::{Batch, Member, Team};
use super::threads;
use super::yardstick::{self, Yardstick};

/// What a member of the crew is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// A limit of the machine.
    Limit(Yardstick),
    /// This project, on all threads.
    Fathom,
    /// This project on one thread, where the others have several.
    Serial,
    /// A program, by its place among them.
    Program(usize),
}

/// Everyone who is timed. Only one case's data are held at a time.
pub struct Crew<S> {
    roles: Vec<Role>,
    members: Vec<Member>,
    programs: Vec<Program>,
    cores: usize,
    stream: Option<Stream>,
    /// Calls in a batch, for each member.
    calls: Vec<usize>,
    stage: Option<Stage<S>>,
}

/// The case that is prepared.
struct Stage<S> {
    subject: S,
    data: Box<dyn Data<S>>,
    /// Whether each program can compute it.
    able: Vec<bool>,
    working_bytes: Option<u64>,
}

impl<S: Subject> Crew<S> {
    /// Starts the programs, each for `cores` threads.
    ///
    /// # Errors
    /// When one does not start.
    pub fn start(peers: &[String], cores: usize) -> Result<Self> {
        let programs = peers.iter().map(|command| Program::start(command, cores)).collect::<Result<Vec<_>>>()?;
        let mut roles: Vec<Role> = S::YARDSTICKS.iter().copied().map(Role::Limit).collect();
        roles.push(Role::Fathom);
        if cores > 1 {
            roles.push(Role::Serial);
        }
        roles.extend((0..programs.len()).map(Role::Program));
        let own = |name: &str| Member { name: name.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
        let member = |&role: &Role| match role {
            Role::Limit(yardstick) => own(yardstick.name()),
            Role::Fathom => own("fathom"),
            Role::Serial => own("serial"),
            Role::Program(which) => programs[which].member.clone(),
        };
        let members: Vec<Member> = roles.iter().map(member).collect();
        Ok(Self { calls: vec![1; roles.len()], roles, members, programs, cores, stream: None, stage: None })
    }

    /// Times one case.
    ///
    /// # Errors
    /// When a result is wrong or a program is lost.
    pub fn compare(&mut self, subject: S, budget: Budget) -> Result<Comparison> {
        let mut able = Vec::new();
        for who in 0..self.roles.len() {
            if self.prepare(who, &subject)? {
                able.push(who);
            }
        }
        let times = rounds::run(self, &able, budget)?;
        let of = |role: Role| able.iter().position(|&who| self.roles[who] == role).map(|at| &times[at]);
        let entry =
            |(who, &role): (usize, &Role)| Entry { member: self.members[who].clone(), times: of(role).cloned() };
        let everyone = || self.roles.iter().enumerate();
        let limits: Vec<&Times> = S::YARDSTICKS.iter().filter_map(|&yardstick| of(Role::Limit(yardstick))).collect();
        Ok(Comparison {
            case: subject.to_string(),
            operations: subject.work().operations,
            floor: (!limits.is_empty()).then(|| Times::slowest(&limits)),
            fathom: everyone().find(|(_, role)| **role == Role::Fathom).map(entry).expect("always there"),
            serial: everyone().find(|(_, role)| **role == Role::Serial).map(entry),
            peers: everyone().filter(|(_, role)| matches!(role, Role::Program(_))).map(entry).collect(),
            working_bytes: self.stage.as_ref().and_then(|stage| stage.working_bytes),
        })
    }

    /// Holds the data of `subject`, with our own results in them, and those of the programs compared.
    fn stage(&mut self, subject: S) -> Result<()> {
        if let Some(stage) = &mut self.stage
            && stage.subject.shares(&subject)
        {
            stage.subject = subject;
            return Ok(());
        }
        // The data of the last case go first.
        self.stage = None;
        let mut data = subject.stage()?;
        let working_bytes = data.working_bytes();
        let able = self.programs.iter_mut().map(|program| data.prepare(program)).collect::<Result<_>>()?;
        self.stage = Some(Stage { subject, data, able, working_bytes });
        Ok(())
    }

    /// Seconds of `calls` calls of a member (of a limit: of its own calls).
    fn time(&mut self, who: usize, calls: usize) -> Result<f64> {
        let Stage { subject, data, .. } = self.stage.as_mut().expect("prepared");
        let all = if self.cores > 1 { Parallelism::Rayon } else { Parallelism::Serial };
        Ok(match self.roles[who] {
            Role::Limit(Yardstick::Peak) => yardstick::chains(subject.element(), self.cores, calls),
            Role::Limit(Yardstick::Bandwidth) => self.stream.get_or_insert_with(Stream::new).run(self.cores, calls),
            Role::Fathom => data.run(subject, calls, all),
            Role::Serial => data.run(subject, calls, Parallelism::Serial),
            Role::Program(which) => self.programs[which].run(data.question(subject), calls)?,
        })
    }

    /// Calls of which a member's batch has a multiple.
    fn period(&self, who: usize) -> usize {
        match self.roles[who] {
            Role::Fathom | Role::Serial => self.stage.as_ref().expect("prepared").data.period(),
            Role::Limit(_) | Role::Program(_) => 1,
        }
    }

    /// What a limit's seconds are multiplied by to be those of the prepared case; 1 for everyone else.
    fn factor(&self, who: usize) -> f64 {
        let subject = &self.stage.as_ref().expect("prepared").subject;
        match self.roles[who] {
            Role::Limit(yardstick) => yardstick.calls_for(subject.work(), subject.element(), self.cores),
            _ => 1.0,
        }
    }
}

/// How long a batch should last.
const BATCH: f64 = 2e-3;

impl<S: Subject> Team for Crew<S> {
    type Case = S;

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn prepare(&mut self, who: usize, &subject: &S) -> Result<bool> {
        self.stage(subject)?;
        let able = match self.roles[who] {
            Role::Limit(_) => self.factor(who) > 0.0,
            Role::Program(which) => self.stage.as_ref().expect("set above").able[which],
            Role::Fathom | Role::Serial => true,
        };
        if !able {
            return Ok(false);
        }
        let period = self.period(who);
        let mut calls = period;
        loop {
            let seconds = self.time(who, calls)?.min(self.time(who, calls)?);
            if seconds >= BATCH / 2.0 {
                let periods = (calls as f64 * BATCH / seconds / period as f64).round() as usize;
                self.calls[who] = period * periods.max(1);
                return Ok(true);
            }
            calls *= 2;
        }
    }

    fn batch(&mut self, who: usize) -> Result<Batch> {
        let calls = self.calls[who];
        // The member before has taken the caches, and threads may be asleep: an untimed call first, where one is cheap.
        if calls > self.period(who) {
            self.time(who, 1)?;
        }
        let before = threads::interruptions();
        let seconds = self.time(who, calls)? / calls as f64 * self.factor(who);
        let interrupted = threads::interruptions() != before;
        if self.cores > 1 {
            threads::rest();
        }
        Ok(Batch { seconds, interrupted, confined: threads::confined(self.cores) })
    }
}
