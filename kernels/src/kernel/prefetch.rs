//! Asking for cache lines before their turn.

/// Asks for the cache lines of `len` elements at `p`, which need not be there.
#[inline(always)]
pub(crate) fn prefetch<T>(p: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(target_arch = "aarch64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        let line = p.cast::<u8>().wrapping_add(line);
        // The standard library's intrinsic is not stable.
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { std::arch::asm!("prfm pldl1keep, [{0}]", in(reg) line, options(nomem, nostack, preserves_flags)) };
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = (p, len);
}

/// As [`prefetch`], but no nearer than the second-level cache: lines a power of two apart would push one another out of the
/// first.
#[inline(always)]
pub(crate) fn prefetch_far<T>(p: *const T, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..len * size_of::<T>()).step_by(64) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast::<i8>().wrapping_add(line)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (p, len);
}
