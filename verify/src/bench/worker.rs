//! A team whose members each have a process of their own: thread pools that spin ruin one another's figures.
//!
//! The parent asks and the worker answers, a line of JSON each. A worker computes only between a question and its
//! answer, and answers only when its threads rest again; so one process computes at a time.

use std::io::Write;
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

use super::peer::Entrant;
use super::pipe::Pipe;
use super::shape::Type;
use super::team::{Batch, Case, Local, Member, Team};
use super::threads;
use crate::Usage;

/// What the parent asks.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// [`Team::prepare`], with the shape as text.
    Prepare { f64: bool, shape: String },
    /// [`Team::batch`].
    Batch,
}

/// What the worker answers.
#[derive(Debug, Serialize, Deserialize)]
enum Answer {
    /// First of all, unasked.
    Here(Member),
    /// Whether the library can say the form.
    Prepared(bool),
    /// [`Team::batch`]'s.
    Timed(Batch),
    /// The library cannot be loaded.
    Unusable(String),
    /// The result was wrong.
    Failed(String),
}

/// The worker's side: answers until the parent hangs up.
///
/// # Errors
/// When the parent cannot be heard or reached.
pub fn serve(entrant: &Entrant, cores: usize) -> Result<()> {
    let mut out = std::io::stdout();
    let mut say = |answer: &Answer| -> Result<()> {
        writeln!(out, "{}", serde_json::to_string(answer)?)?;
        Ok(out.flush()?)
    };
    let mut team = match Local::load(std::slice::from_ref(entrant), cores) {
        Ok(team) => team,
        Err(error) => return say(&Answer::Unusable(error.to_string())),
    };
    threads::rest();
    say(&Answer::Here(team.members()[0].clone()))?;
    for line in std::io::stdin().lines() {
        let answer = match serde_json::from_str(&line?)? {
            Request::Prepare { f64, shape } => {
                let case = (if f64 { Type::F64 } else { Type::F32 }, shape.parse().map_err(Usage)?);
                team.prepare(0, &case).map(Answer::Prepared)
            }
            Request::Batch => team.batch(0).map(Answer::Timed),
        };
        threads::rest();
        say(&answer.unwrap_or_else(|error| Answer::Failed(format!("{error:#}"))))?;
    }
    Ok(())
}

/// The parent's side of one worker.
struct Worker {
    entrant: Entrant,
    pipe: Pipe,
}

impl Worker {
    fn start(entrant: &Entrant, cores: usize) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let mut command = Command::new(program);
        command.args(["bench", "worker", "--cores", &cores.to_string(), "--", &entrant.to_string()]);
        let pipe = Pipe::start(&mut command).context("cannot start a worker")?;
        Ok(Self { entrant: entrant.clone(), pipe })
    }

    fn ask(&mut self, request: &Request) -> Result<Answer> {
        let answer = self.pipe.ask(request);
        self.usable(answer)
    }

    fn introduction(&mut self) -> Result<Answer> {
        let answer = self.pipe.answer();
        self.usable(answer)
    }

    fn usable(&mut self, answer: Option<Answer>) -> Result<Answer> {
        match answer.ok_or_else(|| self.lost())? {
            Answer::Unusable(error) => Err(Usage(error).into()),
            Answer::Failed(error) => Err(anyhow!(error)),
            answer => Ok(answer),
        }
    }

    fn lost(&mut self) -> anyhow::Error {
        let status = self.pipe.end();
        anyhow!("the process that ran {} has ended: {status}", self.entrant)
    }
}

/// A process for each.
pub struct Remote {
    members: Vec<Member>,
    workers: Vec<Worker>,
}

impl Remote {
    /// Starts all.
    ///
    /// # Errors
    /// When a process cannot be started or a library cannot be loaded.
    pub fn start(entrants: &[Entrant], cores: usize) -> Result<Self> {
        let (mut members, mut workers) = (Vec::new(), Vec::new());
        for entrant in entrants {
            let mut worker = Worker::start(entrant, cores)?;
            let Answer::Here(member) = worker.introduction()? else { return Err(worker.lost()) };
            members.push(member);
            workers.push(worker);
        }
        Ok(Self { members, workers })
    }
}

impl Team for Remote {
    type Case = Case;

    fn members(&self) -> &[Member] {
        &self.members
    }

    fn prepare(&mut self, who: usize, &(of, shape): &Case) -> Result<bool> {
        match self.workers[who].ask(&Request::Prepare { f64: of == Type::F64, shape: shape.to_string() })? {
            Answer::Prepared(can) => Ok(can),
            _ => Err(self.workers[who].lost()),
        }
    }

    fn batch(&mut self, who: usize) -> Result<Batch> {
        match self.workers[who].ask(&Request::Batch)? {
            Answer::Timed(batch) => Ok(batch),
            _ => Err(self.workers[who].lost()),
        }
    }
}
