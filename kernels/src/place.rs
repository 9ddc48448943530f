//! On which core a thread runs, and how it leaves one to another thread.
//!
//! A scheduler may wake a helper on its caller's own core though others are idle, and leave it there for many milliseconds:
//! neither thread sleeps meanwhile, which is what would move one of them.

#[cfg(target_os = "linux")]
pub(crate) use linux::{current, leave};

/// The core that this thread runs on, where the system tells.
#[cfg(not(target_os = "linux"))]
pub(crate) fn current() -> Option<usize> {
    None
}

/// Moves this thread to another core, where the system allows it.
#[cfg(not(target_os = "linux"))]
pub(crate) fn leave(_core: usize) {}

#[cfg(target_os = "linux")]
mod linux {
    use std::mem::size_of;

    use libc::{CPU_CLR, CPU_COUNT, cpu_set_t, sched_getaffinity, sched_getcpu, sched_setaffinity};

    /// The core that this thread runs on, where the system tells.
    pub(crate) fn current() -> Option<usize> {
        // SAFETY: reads no memory of ours.
        usize::try_from(unsafe { sched_getcpu() }).ok()
    }

    /// Moves this thread from `core` to another one that its affinity mask allows, if there is one. The mask stays as it is.
    pub(crate) fn leave(core: usize) {
        let Some(allowed) = allowed() else { return };
        let mut others = allowed;
        // SAFETY: writes to `others` alone, and to no bit beyond it, as libc checks.
        unsafe { CPU_CLR(core, &mut others) };
        // SAFETY: reads `others`.
        if unsafe { CPU_COUNT(&others) } > 0 && allow(&others) {
            allow(&allowed);
        }
    }

    /// This thread's affinity mask; none for a machine of more cores than the mask has bits.
    fn allowed() -> Option<cpu_set_t> {
        // SAFETY: a mask is an array of integers, for which zeros are valid.
        let mut allowed: cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: writes at most the size it is told, to a mask of that size; 0 is this thread.
        (unsafe { sched_getaffinity(0, size_of::<cpu_set_t>(), &mut allowed) } == 0).then_some(allowed)
    }

    fn allow(cores: &cpu_set_t) -> bool {
        // SAFETY: reads the mask, which has the size it is told; 0 is this thread.
        unsafe { sched_setaffinity(0, size_of::<cpu_set_t>(), cores) == 0 }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_thread_leaves_and_keeps_its_mask() {
            let before = allowed().unwrap();
            let core = current().unwrap();
            leave(core);
            // SAFETY: reads both masks.
            unsafe {
                assert!(libc::CPU_EQUAL(&before, &allowed().unwrap()));
                assert!(libc::CPU_ISSET(current().unwrap(), &before));
            }
        }

        #[test]
        fn a_thread_that_may_not_leave_stays() {
            std::thread::spawn(|| {
                let core = current().unwrap();
                // SAFETY: as in `allowed`.
                let mut here: cpu_set_t = unsafe { std::mem::zeroed() };
                // SAFETY: writes to `here` alone.
                unsafe { libc::CPU_SET(core, &mut here) };
                assert!(allow(&here));
                leave(core);
                assert_eq!(current(), Some(core));
                // SAFETY: reads both masks.
                assert!(unsafe { libc::CPU_EQUAL(&here, &allowed().unwrap()) });
            })
            .join()
            .unwrap();
        }
    }
}
