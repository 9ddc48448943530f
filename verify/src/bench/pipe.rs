//! Another process, with whom we talk over its stdin and stdout: a line of JSON each way.

use std::io::{BufRead, BufReader, Result, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A process that ends when it reads the end of its stdin, which is when this is dropped.
pub struct Pipe {
    process: Child,
    // Closed to say that it is over.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Pipe {
    /// Starts it.
    ///
    /// # Errors
    /// When the system cannot.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let stdin = process.stdin.take();
        let stdout = BufReader::new(process.stdout.take().expect("piped"));
        Ok(Self { process, stdin, stdout })
    }

    /// Its id in the system.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The answer to a question; none if the process is gone, or says something else.
    pub fn ask<A: DeserializeOwned>(&mut self, question: &impl Serialize) -> Option<A> {
        let mut line = serde_json::to_string(question).ok()?;
        line.push('\n');
        let stdin = self.stdin.as_mut()?;
        stdin.write_all(line.as_bytes()).and_then(|()| stdin.flush()).ok()?;
        self.answer()
    }

    /// Its next line; none as for [`Pipe::ask`].
    pub fn answer<A: DeserializeOwned>(&mut self) -> Option<A> {
        let mut line = String::new();
        // At the end of its output, the line is empty.
        self.stdout.read_line(&mut line).ok().and_then(|_| serde_json::from_str(&line).ok())
    }

    /// Says that it is over and waits for the end; how it ended.
    pub fn end(&mut self) -> String {
        self.stdin = None;
        self.process.wait().map_or_else(|error| error.to_string(), |status| status.to_string())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.end();
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::Pipe;
    use std::process::Command;

    #[test]
    fn lines_come_back_until_the_end() {
        let mut pipe = Pipe::start(&mut Command::new("cat")).unwrap();
        assert_eq!(pipe.ask::<Vec<u32>>(&[1, 2]), Some(vec![1, 2]));
        assert_eq!(pipe.ask::<String>(&3), None);
        assert!(pipe.end().contains('0'));
        assert_eq!(pipe.ask::<u32>(&4), None);
    }
}
