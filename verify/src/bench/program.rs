//! A peer that is a program of its own: it reads arrays from files, writes its results into files, and says how long
//! its batches took. `benches/peers/README.md` describes what is said.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use fathom_kernels::Real;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pipe::Pipe;
use super::team::Member;
use crate::Usage;

/// What we ask.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Prepare(Value),
    Batch(Value),
}

/// What the program answers.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    /// First of all, unasked.
    Here(Member),
    Prepared(bool),
    Seconds(f64),
    Failed(String),
}

/// A running program.
pub struct Program {
    command: String,
    /// What it calls itself.
    pub member: Member,
    pipe: Pipe,
    folder: PathBuf,
}

impl Program {
    /// Starts `command`, words separated by spaces, for `cores` threads.
    ///
    /// # Errors
    /// When it does not start or does not introduce itself.
    pub fn start(command: &str, cores: usize) -> Result<Self> {
        let mut words = command.split_whitespace();
        let program = words.next().ok_or_else(|| Usage("--peer needs a command".to_owned()))?;
        let pipe = Pipe::start(Command::new(program).args(words).arg(cores.to_string()))
            .map_err(|error| Usage(format!("cannot start the peer \"{command}\": {error}")))?;
        let folder = std::env::temp_dir().join(format!("fathom-bench-{}-{}", std::process::id(), pipe.id()));
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        let member = Member { name: command.to_owned(), version: String::new() };
        let mut peer = Self { command: command.to_owned(), member, pipe, folder };
        let introduction = peer.pipe.answer();
        match peer.usable(introduction)? {
            Answer::Here(member) => peer.member = member,
            _ => return Err(peer.lost()),
        }
        Ok(peer)
    }

    /// Puts an array where the program finds it.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn give<T: Real>(&self, name: &str, data: &[T]) -> Result<()> {
        let path = self.folder.join(name);
        fs::write(&path, bytes(data)).with_context(|| format!("cannot write {} for a peer", path.display()))
    }

    /// An array of `len` elements that the program has written.
    ///
    /// # Errors
    /// When it has not, or has written another number of elements.
    pub fn found<T: Real>(&self, name: &str, len: usize) -> Result<Vec<T>> {
        let found = numbers(&fs::read(self.folder.join(name)).context("cannot read a peer's results")?);
        if found.len() != len {
            bail!("{name} has {} elements by {}, not {len}", found.len(), self.command);
        }
        Ok(found)
    }

    /// Has the program read its arrays, compute, and write its results; `question`, an object, says what. False when it
    /// cannot compute this.
    ///
    /// # Errors
    /// When the program fails or is lost.
    pub fn prepare(&mut self, mut question: Value) -> Result<bool> {
        question["folder"] = json!(self.folder.to_string_lossy());
        match self.ask(&Request::Prepare(question))? {
            Answer::Prepared(can) => Ok(can),
            _ => Err(self.lost()),
        }
    }

    /// Seconds of `calls` calls of what `question`, an object, describes.
    ///
    /// # Errors
    /// When the program fails or is lost.
    pub fn run(&mut self, mut question: Value, calls: usize) -> Result<f64> {
        question["calls"] = json!(calls);
        match self.ask(&Request::Batch(question))? {
            Answer::Seconds(seconds) => Ok(seconds),
            _ => Err(self.lost()),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Answer> {
        let answer = self.pipe.ask(request);
        self.usable(answer)
    }

    fn usable(&mut self, answer: Option<Answer>) -> Result<Answer> {
        match answer.ok_or_else(|| self.lost())? {
            Answer::Failed(error) => Err(anyhow!("{}: {error}", self.command)),
            answer => Ok(answer),
        }
    }

    fn lost(&mut self) -> anyhow::Error {
        let status = self.pipe.end();
        anyhow!("the peer \"{}\" has ended, or said what was not asked: {status}", self.command)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.pipe.end();
        // What is left of its files does not matter any more.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Refuses a pair of arrays that hold `name` by us and by a program, when an entry is further apart than `bound`, a
/// function of the entry's index.
///
/// # Errors
/// The first such entry, with both values.
pub fn agree<T: Real>(
    name: &str,
    peer: &Member,
    [ours, theirs]: [&[T]; 2],
    bound: impl Fn(usize) -> f64,
) -> Result<()> {
    for (i, (&ours, &theirs)) in ours.iter().zip(theirs).enumerate() {
        let bound = bound(i);
        // Not "beyond": a NaN is within nothing.
        let within = (ours.to_f64() - theirs.to_f64()).abs() <= bound;
        if !within {
            let peer = &peer.name;
            bail!("entry {i} of {name} is {ours} by us and {theirs} by {peer}, further apart than {bound:.1e}");
        }
    }
    Ok(())
}

/// The elements as the machine stores them.
fn bytes<T: Real>(data: &[T]) -> &[u8] {
    // SAFETY: f32 and f64 have no padding, and bytes need no alignment.
    unsafe { std::slice::from_raw_parts(data.as_ptr().cast(), size_of_val(data)) }
}

/// The elements that these bytes store.
fn numbers<T: Real>(bytes: &[u8]) -> Vec<T> {
    let mut data = vec![T::ZERO; bytes.len() / size_of::<T>()];
    // SAFETY: as many bytes as the elements have, any of which make a number.
    unsafe { bytes.as_ptr().copy_to_nonoverlapping(data.as_mut_ptr().cast(), size_of_val(&*data)) };
    data
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_none_is_named() {
        let error = |command: &str| format!("{:#}", Program::start(command, 1).err().expect("no peer"));
        assert!(error("/nowhere/peer --flag").contains("cannot start the peer \"/nowhere/peer --flag\""));
        assert!(error("true").contains("the peer \"true\" has ended"));
        assert!(error(" ").contains("needs a command"));
    }

    #[test]
    fn numbers_are_what_bytes_hold() {
        let data = [1.5f64, -0.0, f64::INFINITY];
        assert_eq!(numbers::<f64>(bytes(&data)), data);
    }

    #[test]
    fn an_entry_beyond_its_bound_is_named() {
        let peer = Member { name: "peer".to_owned(), version: String::new() };
        let compare = |theirs: [f32; 2]| agree("y", &peer, [&[1.0, 2.0], &theirs], |i| 0.5 * i as f64);
        assert!(compare([1.0, 2.5]).is_ok());
        let error = compare([1.0, 2.75]).unwrap_err().to_string();
        assert!(error.contains("entry 1 of y is 2 by us and 2.75 by peer, further apart than 5.0e-1"), "{error}");
        assert!(compare([f32::NAN, 2.0]).is_err());
    }
}
