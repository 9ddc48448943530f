//! How large this core's caches are.

use std::sync::OnceLock;

/// Bytes of data cache that a core can use, level by level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caches {
    /// First level.
    pub l1: usize,
    /// Second level.
    pub l2: usize,
    /// Third level, shared with other cores as a rule; 0 when there is none.
    pub l3: usize,
}

/// Bytes of a cache line.
pub(crate) const LINE: usize = 64;

/// Bytes after which addresses meet the same set of the first-level cache.
pub(crate) const PAGE: usize = 4096;

#[cfg(test)]
thread_local! {
    static PRETENDED: std::cell::Cell<Option<Caches>> = const { std::cell::Cell::new(None) };
}

impl Caches {
    /// What to assume of a core that does not tell.
    pub const TYPICAL: Self = Self { l1: 32 << 10, l2: 512 << 10, l3: 16 << 20 };

    /// This core's, measured once; [`Caches::TYPICAL`] where it does not tell.
    pub fn of_this_core() -> Self {
        #[cfg(test)]
        if let Some(caches) = PRETENDED.get() {
            return caches;
        }
        static CACHES: OnceLock<Caches> = OnceLock::new();
        *CACHES.get_or_init(|| Self::detect().unwrap_or(Self::TYPICAL))
    }

    /// Runs `call`, for which this thread's core has these caches.
    #[cfg(test)]
    pub(crate) fn pretending<R>(caches: Option<Self>, call: impl FnOnce() -> R) -> R {
        PRETENDED.set(caches);
        let result = call();
        PRETENDED.set(None);
        result
    }

    /// Whether the second level is so large, and so the third so far, that a block of B had better stay in the second while rows of A
    /// come and go.
    pub(crate) fn keep_a_block(self) -> bool {
        self.l2 >= 2 << 20
    }

    /// Whether the first level is so small that a strip of B, or a tile's rows of A, do not stay there beside what passes, so that
    /// long rows, which the hardware sees coming, are worth more.
    pub(crate) fn are_tight(self) -> bool {
        self.l1 < 48 << 10
    }

    #[cfg(target_arch = "x86_64")]
    fn detect() -> Option<Self> {
        use std::arch::x86_64::__cpuid_count;
        // SAFETY: every CPU of 64 bits has the instruction. (Newer Rust calls it safe.)
        #[allow(unused_unsafe)]
        let cpuid = |leaf: u32, index: u32| unsafe { __cpuid_count(leaf, index) };
        // The leaf of "deterministic cache parameters": Intel's is 4, AMD's 0x8000001d, in one format.
        let leaf = [0x8000_001d, 4].into_iter().find(|&leaf| {
            let most = cpuid(leaf & 0x8000_0000, 0).eax;
            most >= leaf && cpuid(leaf, 0).eax & 0x1f != 0
        })?;
        let mut caches = Self { l1: 0, l2: 0, l3: 0 };
        for index in 0..16 {
            let parameters = cpuid(leaf, index);
            let (kind, level) = (parameters.eax & 0x1f, parameters.eax >> 5 & 7);
            if kind == 0 {
                break;
            }
            let field = |shift: u32, bits: u32| (parameters.ebx >> shift & ((1 << bits) - 1)) as usize + 1;
            let size = field(22, 10) * field(12, 10) * field(0, 12) * (parameters.ecx as usize + 1);
            match (kind, level) {
                (2, _) => {} // instructions
                (_, 1) => caches.l1 = size,
                (_, 2) => caches.l2 = size,
                (_, 3) => caches.l3 = size,
                _ => {}
            }
        }
        (caches.l1 > 0 && caches.l2 > 0).then_some(caches)
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn detect() -> Option<Self> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Caches;

    #[test]
    fn sizes_are_those_of_caches() {
        let Caches { l1, l2, l3 } = Caches::of_this_core();
        assert!((8 << 10..=1 << 20).contains(&l1) && (128 << 10..=64 << 20).contains(&l2), "{l1} {l2}");
        assert!(l2 > l1 && (l3 == 0 || l3 > l1), "{l1} {l2} {l3}");
    }
}
