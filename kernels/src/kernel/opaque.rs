//! Numbers whose origin the compiler does not see.

macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident, $($option:ident),+) => {
        $(#[$doc])*
        #[inline(always)]
        #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(unused_mut))]
        pub(crate) fn $name(mut x: isize) -> isize {
            #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
            // SAFETY: no instruction.
            unsafe {
                std::arch::asm!("/* {0} */", inout(reg) x, options($($option),+))
            };
            x
        }
    };
}

opaque! {
    /// `x`. Left to itself, the compiler walks through a column of A by adding the stride once a row, and the chain of
    /// additions takes longer than the multiply-adds; offsets that it cannot derive from one another it keeps in registers.
    opaque, pure, nomem, nostack, preserves_flags
}

opaque! {
    /// `x`, which is not known before this place: what follows from it is computed where it is used.
    opaque_here, nomem, nostack, preserves_flags
}

/// A pointer of which the compiler sees no relation to others, so that it keeps offsets from it rather than many pointers.
#[inline(always)]
pub(super) fn unseen<T>(p: *const T) -> *const T {
    p.with_addr(opaque_here(p.addr() as isize) as usize)
}
