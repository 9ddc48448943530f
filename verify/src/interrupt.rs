//! Ctrl-C: the first asks to stop after the row that is being measured, the second stops at once.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::progress::say;

/// The exit code of an interrupted command.
pub const EXIT: u8 = 130;

static ASKED: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C only asks to stop.
///
/// # Errors
/// When the system has no such signal.
pub fn listen() -> anyhow::Result<()> {
    static LISTENING: Once = Once::new();
    let mut outcome = Ok(());
    LISTENING.call_once(|| {
        outcome = ctrlc::set_handler(|| {
            if ASKED.swap(true, Ordering::Relaxed) {
                std::process::exit(i32::from(EXIT));
            }
            say("interrupted: the row that is being measured is finished first; Ctrl-C again stops at once");
        });
    });
    Ok(outcome?)
}

/// Whether the user has asked to stop.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

/// Measuring stopped because the user asked for it: exit code 130.
#[derive(Debug)]
pub struct Interrupted {
    /// Rows that are done, and all that were to be.
    pub done: usize,
    pub all: usize,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { done, all } = self;
        write!(f, "interrupted: {done} of {all} rows are done and kept; the same command goes on from there")
    }
}

impl std::error::Error for Interrupted {}
