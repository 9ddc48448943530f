//! A library that multiplies matrices, ours among them.

use std::fmt;
use std::str::FromStr;

use fathom_kernels::Real;

use super::blas::Blas;
use super::crates::{Faer, Fathom, Gemm, MatrixMultiply};
use super::operands::Operands;
use crate::Usage;

/// C = A B in one element type.
pub trait Multiply<T> {
    /// Whether the library's interface can say these layouts.
    fn can(&self, operands: &Operands<T>) -> bool;
    /// Overwrites C, without reading it.
    fn multiply(&self, operands: &Operands<T>, c: &mut [T]);
}

/// A library, with the threads that it may use.
pub trait Peer: Multiply<f32> + Multiply<f64> {
    /// What it calls itself, where that is not known before it is loaded.
    fn name(&self) -> Option<String> {
        None
    }

    /// Its version, as far as it tells.
    fn version(&self) -> String;
}

/// An element type that all libraries multiply.
pub trait Element: Real {
    /// The side of `peer` that multiplies it.
    fn of(peer: &dyn Peer) -> &dyn Multiply<Self>;
}

impl Element for f32 {
    fn of(peer: &dyn Peer) -> &dyn Multiply<Self> {
        peer
    }
}

impl Element for f64 {
    fn of(peer: &dyn Peer) -> &dyn Multiply<Self> {
        peer
    }
}

/// Who is timed, before it is loaded: what a process passes on to the process that times it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entrant {
    /// Multiply-adds in registers: the least time that a shape can take.
    Peak,
    /// This project, on all threads.
    Fathom,
    /// This project on the calling thread, where `Fathom` is on several.
    Serial,
    /// A crate, by its name.
    Crate(&'static str),
    /// A BLAS, by its path.
    Blas(String),
}

/// The crates that are compiled in.
pub const CRATES: [&str; 3] = ["faer", "gemm", "matrixmultiply"];

impl Entrant {
    /// The library, for `cores` threads; none for the peak.
    ///
    /// # Errors
    /// When a BLAS cannot be opened.
    pub fn load(&self, cores: usize) -> Result<Option<Box<dyn Peer>>, Usage> {
        Ok(Some(match self {
            Self::Peak => return Ok(None),
            Self::Fathom => Box::new(Fathom { cores }),
            Self::Serial => Box::new(Fathom { cores: 1 }),
            Self::Crate("faer") => Box::new(Faer { cores }),
            Self::Crate("gemm") => Box::new(Gemm { cores }),
            Self::Crate(_) => Box::new(MatrixMultiply),
            Self::Blas(path) => Box::new(Blas::open(path, cores)?),
        }))
    }
}

/// Read back by [`FromStr`].
impl fmt::Display for Entrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peak => f.write_str("peak"),
            Self::Fathom => f.write_str("fathom"),
            Self::Serial => f.write_str("serial"),
            Self::Crate(name) => f.write_str(name),
            Self::Blas(path) => write!(f, "blas:{path}"),
        }
    }
}

impl FromStr for Entrant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "peak" => Self::Peak,
            "fathom" => Self::Fathom,
            "serial" => Self::Serial,
            other => match (CRATES.into_iter().find(|&name| name == other), other.strip_prefix("blas:")) {
                (Some(name), _) => Self::Crate(name),
                (None, Some(path)) => Self::Blas(path.to_owned()),
                (None, None) => return Err(format!("\"{text}\" cannot be timed")),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrant_reads_back_what_it_prints() {
        for text in ["peak", "fathom", "serial", "faer", "gemm", "matrixmultiply", "blas:/a b/libx.so"] {
            assert_eq!(text.parse::<Entrant>().unwrap().to_string(), text);
        }
        assert!("nobody".parse::<Entrant>().is_err());
    }
}
