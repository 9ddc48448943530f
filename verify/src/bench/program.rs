//! A peer that is a program of its own: it reads tensors from files, writes its results into files, and says how long
//! its batches took. `benches/peers/README.md` describes what is said.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use fathom_kernels::Real;
use serde::{Deserialize, Serialize};

use super::super::pipe::Pipe;
use super::super::team::Member;
use super::tensors::{Pass, Tensors};
use crate::Usage;

/// What we ask.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Request<'a> {
    Prepare {
        r#type: &'a str,
        images: [usize; 4],
        filters: [usize; 4],
        outputs: [usize; 4],
        stride: [usize; 2],
        padding: [usize; 2],
        dilation: [usize; 2],
        folder: &'a str,
    },
    Batch {
        pass: &'a str,
        calls: usize,
    },
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

/// Files for the tensors that we give, and for those that the program writes.
const GIVEN: [&str; 3] = ["x", "w", "dy"];
const FOUND: [&str; 3] = ["dx", "dw", "y"];

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

    /// Gives it the tensors and compares its results with ours, which must be in `tensors.found`.
    ///
    /// # Errors
    /// When one of its entries lies beyond the error bounds of both.
    pub fn prepare<T: Real>(&mut self, tensors: &Tensors<T>) -> Result<()> {
        for (name, data) in GIVEN.iter().zip(&tensors.given) {
            fs::write(self.folder.join(name), bytes(data)).context("cannot write the tensors for a peer")?;
        }
        let ([images, filters, outputs], geometry) = (tensors.layer.shapes(), tensors.layer.geometry());
        let folder = self.folder.to_string_lossy().into_owned();
        let request = Request::Prepare {
            r#type: T::NAME,
            images,
            filters,
            outputs,
            stride: geometry.stride,
            padding: geometry.padding,
            dilation: geometry.dilation,
            folder: &folder,
        };
        let Answer::Prepared(true) = self.ask(&request)? else { return Err(self.lost()) };
        let mut magnitudes = tensors.absolute();
        magnitudes.run(Pass::All, 1, fathom_kernels::Parallelism::Serial);
        for (which, name) in FOUND.iter().enumerate() {
            let theirs: Vec<T> = numbers(&fs::read(self.folder.join(name)).context("cannot read a peer's tensors")?);
            let ours = &tensors.found[which];
            if theirs.len() != ours.len() {
                bail!("{}: {name} has {} entries by {}, not {}", tensors.layer, theirs.len(), self.command, ours.len());
            }
            // Any order of the products and sums is within gamma sum |a||b| of the truth, ours as well as theirs.
            let roundings = tensors.terms()[which] as f64 * T::EPSILON.to_f64() / 2.0;
            let gamma = roundings / (1.0 - roundings);
            for (i, (&ours, &theirs)) in ours.iter().zip(&theirs).enumerate() {
                let bound = 2.0 * gamma * magnitudes.found[which][i].to_f64();
                // Not "beyond": a NaN is within nothing.
                let within = (ours.to_f64() - theirs.to_f64()).abs() <= bound;
                if !within {
                    bail!(
                        "{} {}: entry {i} of {name} is {ours} by us and {theirs} by {}, further apart than {bound:.1e}",
                        T::NAME,
                        tensors.layer,
                        self.member.name
                    );
                }
            }
        }
        Ok(())
    }

    /// Seconds of `calls` passes.
    ///
    /// # Errors
    /// When the program is lost.
    pub fn run(&mut self, pass: Pass, calls: usize) -> Result<f64> {
        match self.ask(&Request::Batch { pass: pass.name(), calls })? {
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
}
