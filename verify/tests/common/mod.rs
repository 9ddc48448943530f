//! What the tests of the program share.

use std::path::PathBuf;
use std::process::{Command, Output};

/// A folder of the test's own, removed at its end.
pub struct Folder(pub PathBuf);

impl Folder {
    /// An empty folder.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("fathom-test-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file, and returns its path.
    pub fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The path of a file that need not exist.
    pub fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the program.
pub fn verify(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_verify")).args(args).output().unwrap()
}

/// Runs to success and returns stdout.
pub fn ok(args: &[&str]) -> String {
    let output = verify(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs to failure and returns the exit code and stderr.
pub fn fails(args: &[&str]) -> (i32, String) {
    let output = verify(args);
    assert!(!output.status.success(), "{args:?} succeeded");
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}
