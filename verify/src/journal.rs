//! A results file that is written row by row and gone on with after an interruption.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::Incomplete;
use crate::progress::note;
use crate::rows::{self, Row};

/// How every row begins.
const BEGIN: &[u8] = b"{\"schema\":\"fathom.";

/// The file, open for appending, and the rows that it held.
pub struct Journal {
    path: PathBuf,
    file: File,
    rows: Vec<Row>,
    /// Where the next row goes.
    end: u64,
}

impl Journal {
    /// Opens or creates the file. A torn last line, which an interruption leaves, is written over by the next row.
    ///
    /// # Errors
    /// When the file cannot be opened, another run is writing to it, or it holds something that is no row, nor the beginning of one.
    pub fn open(path: &Path) -> Result<Self> {
        let context = || format!("cannot open the rows in {}", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(context)?;
        }
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).with_context(context)?;
        if !file.metadata().with_context(context)?.is_file() {
            bail!("cannot keep rows in {}: it is not a regular file", path.display());
        }
        // The lock is the file's own: it ends with the process, however that ends.
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(crate::Usage(format!(
                "another run is writing to {}: wait for it, or give another --out",
                path.display()
            ))),
            Err(TryLockError::Error(_)) => {
                note(format_args!("{} cannot be locked: let no other run write to it", path.display()));
            }
        }
        let mut text = Vec::new();
        file.read_to_end(&mut text).with_context(context)?;
        let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
        let (lines, last) = text.split_at(whole);
        let mut rows = rows::parse(lines, path)?.rows;
        let mut end = whole as u64;
        if let Ok(row) = serde_json::from_slice(last) {
            // A row that lacks nothing but its end.
            file.write_all(b"\n").with_context(context)?;
            rows.push(row);
            end = text.len() as u64 + 1;
        } else if !last.is_empty() {
            let begun = last.len().min(BEGIN.len());
            if last[..begun] != BEGIN[..begun] {
                bail!(crate::Usage(format!("{} ends in a line that is no row: give another --out", path.display())));
            }
            note(format_args!("the last line of {} was torn and is dropped", path.display()));
        }
        Ok(Self { path: path.to_owned(), file, rows, end })
    }

    /// The rows written so far, by earlier runs and this one.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Writes a row and flushes it to the disk. When that fails, the file ends after the last whole row.
    ///
    /// # Errors
    /// When the row cannot be written, as on a full disk.
    pub fn append(&mut self, row: Row) -> Result<()> {
        let mut line = serde_json::to_vec(&row)?;
        serde_json::from_slice::<Row>(&line).context("a row that could not be read again is not written")?;
        line.push(b'\n');
        let file = &mut self.file;
        let written = (|| {
            file.set_len(self.end)?;
            file.seek(SeekFrom::Start(self.end))?;
            file.write_all(&line)?;
            file.sync_data()
        })();
        if let Err(error) = written {
            // What was written of it is cut off again, so that the file stays whole.
            let _ = self.file.set_len(self.end);
            return Err(anyhow::Error::new(error)
                .context(format!("cannot write to {}", self.path.display()))
                .context(Incomplete));
        }
        self.end += line.len() as u64;
        self.rows.push(row);
        Ok(())
    }
}
