//! Progress on stderr: a bar with the time left on a terminal, a line for each finished part elsewhere. That nobody reads it any
//! more stops nothing.

use std::fmt::Display;
use std::io::Write;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How far a command is.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar of `length` units of work.
    pub fn new(length: u64) -> Self {
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {elapsed} gone, {eta} left  {msg}");
        bar.set_style(style.expect("the template is well formed"));
        Self { bar }
    }

    /// What is being done now.
    pub fn start(&self, what: &str) {
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Units of work done.
    pub fn advance(&self, units: u64) {
        self.bar.inc(units);
    }

    /// `done` of `total` units of work.
    pub fn at(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }

    /// A finished part, as a line of its own.
    pub fn line(&self, text: &str) {
        if self.bar.is_hidden() {
            say(text);
        } else {
            self.bar.println(text);
        }
    }

    /// Prints something else, such as a table on the same terminal, without the bar in its way.
    pub fn aside<R>(&self, print: impl FnOnce() -> R) -> R {
        self.bar.suspend(print)
    }

    /// Clears the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// What has been written to somebody who may have gone away, as in `verify ... | head`: that is no failure.
///
/// # Errors
/// When writing failed otherwise.
pub fn heard_or_not(written: std::io::Result<()>) -> std::io::Result<()> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// A line on stderr.
pub fn say(text: impl Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What the user should know, though the command goes on.
pub fn note(text: impl Display) {
    say(format_args!("note: {text}"));
}
