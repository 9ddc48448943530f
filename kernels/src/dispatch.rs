//! Which instructions a call uses.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use crate::simd::{Portable, Vectorized};

#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};

/// An instruction set that the kernels are compiled for, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// The base set of the build.
    Portable,
    /// AVX2 with FMA.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 as F, VL, DQ and BW, with AVX2 and FMA.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// NEON, which every AArch64 CPU that runs an operating system has.
    #[cfg(target_arch = "aarch64")]
    Neon,
}

/// A request for an instruction set that cannot be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// The name is not that of an instruction set compiled in.
    Unknown(String),
    /// The CPU lacks the instruction set.
    Missing(Isa),
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |all: &[Isa]| all.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
        match self {
            Self::Unknown(name) => {
                write!(f, "unknown instruction set \"{name}\": FATHOM_ISA takes one of {}", names(Isa::COMPILED))
            }
            Self::Missing(isa) => {
                write!(f, "this CPU lacks {isa}: unset FATHOM_ISA, or set it to one of {}", names(&Isa::available()))
            }
        }
    }
}

impl std::error::Error for IsaError {}

impl Isa {
    /// Every instruction set compiled into this build, best last.
    #[cfg(target_arch = "x86_64")]
    pub const COMPILED: &'static [Self] = &[Self::Portable, Self::Avx2, Self::Avx512];
    /// Every instruction set compiled into this build, best last.
    #[cfg(target_arch = "aarch64")]
    pub const COMPILED: &'static [Self] = &[Self::Portable, Self::Neon];
    /// Every instruction set compiled into this build, best last.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub const COMPILED: &'static [Self] = &[Self::Portable];

    /// The name that `FATHOM_ISA` takes.
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
            #[cfg(target_arch = "aarch64")]
            Self::Neon => "neon",
        }
    }

    /// Whether this CPU has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => Avx2::detect().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Avx512::detect().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => Neon::detect().is_some(),
        }
    }

    /// Those that this CPU has, best last.
    pub fn available() -> Vec<Self> {
        Self::COMPILED.iter().copied().filter(|isa| isa.is_available()).collect()
    }

    /// The set named by the environment variable `FATHOM_ISA`, or the best that the CPU has when it is unset or empty.
    ///
    /// # Errors
    /// When the name is unknown or the CPU lacks the set.
    pub fn from_environment() -> Result<Self, IsaError> {
        match std::env::var_os("FATHOM_ISA") {
            Some(name) if !name.is_empty() => {
                let isa: Self = name.to_string_lossy().parse()?;
                if isa.is_available() { Ok(isa) } else { Err(IsaError::Missing(isa)) }
            }
            _ => Ok(*Self::available().last().expect("the portable set is always there")),
        }
    }

    /// The set that calls use unless told otherwise: [`Isa::from_environment`], read once.
    ///
    /// # Panics
    /// With the text of the [`IsaError`] when `FATHOM_ISA` cannot be met.
    #[inline]
    pub fn active() -> Self {
        static ACTIVE: OnceLock<Isa> = OnceLock::new();
        *ACTIVE.get_or_init(|| Self::from_environment().unwrap_or_else(|error| panic!("{error}")))
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = IsaError;

    fn from_str(name: &str) -> Result<Self, IsaError> {
        let known = Self::COMPILED.iter().copied().find(|isa| isa.name() == name);
        known.ok_or_else(|| IsaError::Unknown(name.to_owned()))
    }
}

/// Runs `task` compiled for `isa`.
///
/// # Panics
/// When the CPU lacks it.
pub(crate) fn vectorize<V: Vectorized>(isa: Isa, task: V) -> V::Output {
    match isa {
        Isa::Portable => Portable::detect().run(task),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => Avx2::detect().unwrap_or_else(|| panic!("{}", IsaError::Missing(isa))).run(task),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => Avx512::detect().unwrap_or_else(|| panic!("{}", IsaError::Missing(isa))).run(task),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => Neon::detect().unwrap_or_else(|| panic!("{}", IsaError::Missing(isa))).run(task),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_unknown_ones_are_refused() {
        for &isa in Isa::COMPILED {
            assert_eq!(isa.name().parse(), Ok(isa));
        }
        let error = "avx1024".parse::<Isa>().unwrap_err().to_string();
        assert!(error.contains("avx1024") && error.contains("portable"), "{error}");
    }

    #[test]
    fn the_portable_set_is_always_there() {
        assert_eq!(Isa::available().first(), Some(&Isa::Portable));
    }
}
