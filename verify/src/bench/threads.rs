//! How many threads a library may use, and waiting until they rest.

use std::time::{Duration, Instant};

/// Says in the environment how many threads to use, for libraries that are loaded later.
///
/// # Safety
/// No other thread has been started yet.
pub unsafe fn limit(cores: usize) {
    let cores = cores.to_string();
    let always = [
        ("RAYON_NUM_THREADS", &*cores),
        ("MATMUL_NUM_THREADS", &*cores),
        ("OMP_NUM_THREADS", &*cores),
        ("OPENBLAS_NUM_THREADS", &*cores),
        ("MKL_NUM_THREADS", &*cores),
        ("BLIS_NUM_THREADS", &*cores),
        ("MKL_DYNAMIC", "FALSE"),
        ("MKL_INTERFACE_LAYER", "LP64"),
    ];
    // Threads that wait for the next call spin, for a fifth of a second in one case, and would take a core from
    // whoever is timed next. A batch's calls follow one another within a millisecond, so this does not cost them.
    let unless_set = [
        ("MKL_THREADING_LAYER", if cores == "1" { "SEQUENTIAL" } else { "INTEL" }),
        ("KMP_BLOCKTIME", "2"),
        ("OPENBLAS_THREAD_TIMEOUT", "22"),
    ];
    for (name, value) in
        always.into_iter().chain(unless_set.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()))
    {
        // SAFETY: the caller's promise.
        unsafe { std::env::set_var(name, value) };
    }
}

/// Waits until the other threads of this process rest.
pub fn rest() {
    let started = Instant::now();
    let mut before = cpu_time();
    while started.elapsed() < Duration::from_millis(300) {
        std::thread::sleep(Duration::from_millis(1));
        let now = cpu_time();
        if now - before < Duration::from_micros(200) {
            return;
        }
        before = now;
    }
}

/// Whether the system allows this process fewer than `cores` cores, which may change at any time.
pub fn confined(cores: usize) -> bool {
    cores > 1 && std::thread::available_parallelism().is_ok_and(|allowed| allowed.get() < cores)
}

/// How often the system has taken a core from a thread of this process that would have gone on.
#[cfg(unix)]
pub fn interruptions() -> u64 {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: writes to `usage`, which is there to be written to.
    let result = unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) };
    assert_eq!(result, 0, "every process may ask about itself");
    // SAFETY: all of its fields are integers, for which zeros are valid even where nothing was written.
    unsafe { usage.assume_init() }.ru_nivcsw as u64
}

/// Where the system does not count them, there are believed to be none.
#[cfg(not(unix))]
pub fn interruptions() -> u64 {
    0
}

/// Time that all threads of this process have spent on a CPU.
#[cfg(unix)]
fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes to `time`, which is there to be written to.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &mut time) };
    assert_eq!(result, 0, "the system has a clock for each process");
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Where there is no such clock, threads are believed to rest.
#[cfg(not(unix))]
fn cpu_time() -> Duration {
    Duration::ZERO
}
