//! How much memory a call takes beside its tensors.

use std::fs;

use fathom_kernels::{Parallelism, Real};

use super::tensors::{Pass, Tensors};

/// Bytes by which this process's peak of resident memory rises during all three passes on one thread; `None` where the
/// system does not tell.
pub fn working<T: Real>(tensors: &mut Tensors<T>) -> Option<u64> {
    // A thread of its own, which has no room left from earlier calls.
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            give_back();
            // Sets the peak to what is resident now.
            fs::write("/proc/self/clear_refs", "5").ok()?;
            let before = resident("VmRSS:")?;
            tensors.time(Pass::All, 1, Parallelism::Serial);
            Some(resident("VmHWM:")?.saturating_sub(before))
        });
        measured.join().expect("computes what was computed before")
    })
}

/// Has large rooms given back to the system when they are freed: kept, they would not be counted when they are taken again.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: sets a number that later allocations are compared with.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10)
    };
}

/// A line of the process's status, in bytes.
fn resident(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
