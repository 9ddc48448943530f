//! Several threads on one call, without waiting for any of them to wake up.
//!
//! The caller posts a job, works on its pieces from the first moment on, and waits at the end only for pieces that others
//! have begun. Threads of the current rayon pool join when they get there, and look for the caller's next job for a while
//! before they leave, so that calls that follow one another pay for one wake-up. A helper that the system has put on its
//! caller's own core moves to another. Which thread takes which piece changes no bit of a result.

use std::any::Any;
use std::cell::Cell;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::cache::Caches;
use crate::place;

/// Work, in nanoseconds on one thread, from which waking a thread pays.
const WORTH_WAKING: usize = 20_000;
/// Work from which telling a thread that is already looking pays.
const WORTH_TELLING: usize = 3_000;
/// As [`WORTH_TELLING`], where the third level is far: what one core has near takes long to come to another.
const WORTH_TELLING_FAR: usize = 8_000;
/// As [`WORTH_TELLING_FAR`], where few multiply-adds meet each element.
const WORTH_MOVING: usize = 25_000;
/// How long a thread looks for the next job.
const PATIENCE: Duration = Duration::from_micros(50);
/// Calls that follow one another within this time count together as work that is worth a wake-up.
const SUCCESSION: Duration = Duration::from_micros(100);

/// Pieces of work, `0..pieces`, taken one by one by whoever is free.
struct Job {
    /// On the caller's stack; only to be called between `enter` and `leave`.
    work: *const (dyn Fn(usize) + Sync),
    pieces: usize,
    /// The next piece that nobody has taken.
    next: AtomicUsize,
    /// Twice the number of helpers inside, plus one when the caller has closed the job.
    inside: AtomicUsize,
    /// What a helper's piece panicked with.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

// SAFETY: `work` may be called from any thread, and is only called while the caller keeps it alive: a helper calls it
// between `enter` and `leave`, and the caller does not return before all who entered have left.
unsafe impl Send for Job {}
// SAFETY: as above.
unsafe impl Sync for Job {}

const CLOSED: usize = 1;

impl Job {
    /// Joins, unless the job has been closed.
    fn enter(&self) -> bool {
        let join = |inside| (inside & CLOSED == 0).then_some(inside + 2);
        self.inside.fetch_update(Ordering::Acquire, Ordering::Relaxed, join).is_ok()
    }

    fn leave(&self) {
        self.inside.fetch_sub(2, Ordering::Release);
    }

    /// Works as long as there are pieces.
    ///
    /// # Safety
    /// The caller of [`share`] must still be there: this is it, or a helper that has entered and not left.
    unsafe fn work(&self) {
        loop {
            let piece = self.next.fetch_add(1, Ordering::Relaxed);
            if piece >= self.pieces {
                return;
            }
            // SAFETY: passed on from the caller.
            unsafe { (*self.work)(piece) };
        }
    }

    /// Lets nobody in any more, and waits for those inside.
    fn close(&self) {
        self.next.fetch_max(self.pieces, Ordering::Relaxed);
        self.inside.fetch_or(CLOSED, Ordering::Relaxed);
        let mut spins = 0u32;
        while self.inside.load(Ordering::Acquire) != CLOSED {
            spins += 1;
            if spins.is_multiple_of(1 << 12) {
                std::thread::yield_now(); // its thread may be waiting for this core
            }
            spin_loop();
        }
    }
}

/// Where a caller posts its jobs; each thread has its own, so that only threads of its own pool look at it.
#[derive(Default)]
struct Board {
    /// Jobs posted so far.
    posted: AtomicUsize,
    job: Mutex<Option<Arc<Job>>>,
    /// Helpers that have been asked for and have not left.
    helpers: AtomicUsize,
    /// Those of them that have come.
    present: AtomicUsize,
    /// 1 + the core that the caller was on when it asked, or 0 where that is not known.
    core: AtomicUsize,
}

impl Board {
    /// Moves a helper away from its caller's core.
    fn part(&self) {
        if let Some(core) = place::current().filter(|core| core + 1 == self.core.load(Ordering::Relaxed)) {
            place::leave(core);
        }
    }

    fn post(&self, job: Arc<Job>) {
        *self.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(job);
        self.posted.fetch_add(1, Ordering::Release);
    }

    /// What a helper does: joins each job that it sees, until none has come for a while.
    fn help(&self, linger: bool) {
        self.part();
        self.present.fetch_add(1, Ordering::Relaxed);
        let mut seen = 0;
        let mut since = Instant::now();
        let mut spins = 0u32;
        loop {
            let posted = self.posted.load(Ordering::Acquire);
            if posted != seen {
                seen = posted;
                let job = self.job.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(job) = job.filter(|job| job.enter()) {
                    // SAFETY: entered, and not left before the work returns.
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| unsafe { job.work() })) {
                        *job.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                    }
                    job.leave();
                    since = Instant::now();
                }
            }
            spins += 1;
            if spins.is_multiple_of(32) {
                if !linger || since.elapsed() > PATIENCE {
                    break;
                }
                self.part();
                // The pool's other work goes on.
                rayon::yield_now();
            }
            spin_loop();
        }
        self.present.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What this thread knows as a caller.
struct Caller {
    board: Arc<Board>,
    /// Work of the last calls that no helper was told of, and when the last of them was.
    alone: Cell<(usize, Option<Instant>)>,
}

thread_local! {
    static CALLER: Caller = Caller { board: Arc::default(), alone: Cell::new((0, None)) };
}

/// Work, in nanoseconds on one thread, from which on [`share`] may pay; `few` tells that each element meets few multiply-adds.
#[inline]
pub(crate) fn worth_sharing(few: bool) -> usize {
    match (Caches::of_this_core().keep_a_block(), few) {
        (false, _) => WORTH_TELLING,
        (true, false) => WORTH_TELLING_FAR,
        (true, true) => WORTH_MOVING,
    }
}

/// Runs `work` on each of `0..pieces`, on this thread and on those of the current rayon pool that come to help, and returns
/// true; or returns false, with nothing done, if nobody would come in time. `nanoseconds` is about what all of it takes on
/// one thread.
pub(crate) fn share(pieces: usize, nanoseconds: usize, work: &(dyn Fn(usize) + Sync)) -> bool {
    if pieces < 2 || nanoseconds < WORTH_TELLING {
        return false;
    }
    let threads = rayon::current_num_threads();
    if threads == 1 {
        return false;
    }
    CALLER.with(|caller| {
        let Caller { board, alone: alone_before } = caller;
        let (mut helpers, wanted) = (board.helpers.load(Ordering::Relaxed), (threads - 1).min(pieces - 1));
        if helpers < wanted {
            let (before, last) = alone_before.get();
            let now = Instant::now();
            let succession = last.is_some_and(|last| now - last < SUCCESSION);
            let debt = nanoseconds + if succession { before } else { 0 };
            if debt >= WORTH_WAKING {
                alone_before.set((0, None));
                let linger = threads <= cores();
                board.core.store(place::current().map_or(0, |core| core + 1), Ordering::Relaxed);
                while helpers < wanted {
                    helpers = board.helpers.fetch_add(1, Ordering::Relaxed) + 1;
                    let board = Arc::clone(board);
                    rayon::spawn(move || {
                        // A ticket that comes back to the caller itself, which has gone on, finds nothing to do.
                        if !CALLER.with(|caller| Arc::ptr_eq(&caller.board, &board)) {
                            board.help(linger);
                        }
                        board.helpers.fetch_sub(1, Ordering::Relaxed);
                    });
                }
            } else {
                alone_before.set((debt, Some(now)));
                if helpers == 0 {
                    return false;
                }
            }
        }
        let job = Arc::new(Job {
            // SAFETY: only the lifetime changes, and `Closing` keeps the job from outliving it.
            work: unsafe { std::mem::transmute::<*const (dyn Fn(usize) + Sync), *const (dyn Fn(usize) + Sync)>(work) },
            pieces,
            next: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            panic: Mutex::new(None),
        });
        board.post(Arc::clone(&job));
        let closing = Closing(&job);
        if board.present.load(Ordering::Relaxed) < helpers && threads <= cores() {
            std::thread::yield_now(); // one that is waiting for this core can leave it
        }
        // SAFETY: this is the caller.
        unsafe { job.work() };
        drop(closing);
        if let Some(panic) = job.panic.lock().unwrap_or_else(PoisonError::into_inner).take() {
            resume_unwind(panic);
        }
        true
    })
}

/// Closes a job when the caller leaves, by a panic too.
struct Closing<'a>(&'a Job);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| available_parallelism().map_or(1, usize::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::ThreadPoolBuilder;

    const LONG: usize = 10 * WORTH_WAKING;

    fn counts(pieces: usize, nanoseconds: usize) -> Vec<usize> {
        let counts: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
        let count = |piece: usize| {
            counts[piece].fetch_add(1, Ordering::Relaxed);
        };
        if !share(pieces, nanoseconds, &count) {
            (0..pieces).for_each(count);
        }
        counts.into_iter().map(AtomicUsize::into_inner).collect()
    }

    #[test]
    fn each_piece_is_done_once() {
        for threads in 1..=8 {
            let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            for pieces in [0, 1, 2, 3, 7, 64] {
                for nanoseconds in [0, WORTH_TELLING, WORTH_WAKING, LONG] {
                    for _ in 0..50 {
                        assert_eq!(pool.install(|| counts(pieces, nanoseconds)), vec![1; pieces]);
                    }
                }
            }
        }
    }

    #[test]
    fn callers_on_many_threads_do_not_mix() {
        let pool = ThreadPoolBuilder::new().num_threads(4).build().unwrap();
        pool.scope(|scope| {
            for pieces in 1..40 {
                scope.spawn(move |_| assert_eq!(counts(pieces, LONG), vec![1; pieces]));
            }
        });
        std::thread::scope(|scope| {
            for pieces in 1..8 {
                scope.spawn(move || assert_eq!(counts(pieces, LONG), vec![1; pieces]));
            }
        });
    }

    #[test]
    fn others_help_with_long_jobs() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let threads = Mutex::new(std::collections::HashSet::new());
        pool.install(|| {
            assert!(share(2, LONG, &|_| {
                // Each piece waits until both are taken, so one thread alone would never finish.
                threads.lock().unwrap().insert(std::thread::current().id());
                while threads.lock().unwrap().len() < 2 {
                    std::thread::yield_now();
                }
            }));
        });
        assert_eq!(threads.into_inner().unwrap().len(), 2);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_leaves_the_team_usable() {
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        for bad in 0..16 {
            let result = catch_unwind(AssertUnwindSafe(|| {
                pool.install(|| share(16, LONG, &|piece| assert!(piece != bad, "piece {bad}")));
            }));
            let message = *result.unwrap_err().downcast::<String>().unwrap();
            assert!(message.contains(&format!("piece {bad}")), "{message}");
            assert_eq!(pool.install(|| counts(16, LONG)), vec![1; 16]);
        }
    }

    #[test]
    fn a_caller_does_not_help_itself() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let (busy, over) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
        pool.in_place_scope(|scope| {
            scope.spawn(move |_| {
                busy.store(1, Ordering::Release);
                while over.load(Ordering::Acquire) == 0 {
                    std::thread::yield_now();
                }
            });
            while busy.load(Ordering::Acquire) == 0 {
                std::thread::yield_now();
            }
            // The other thread has no time, so that this one meets its own ticket before it goes on.
            let first = || share(2, LONG, &|_| {});
            let second = || CALLER.with(|caller| caller.board.helpers.load(Ordering::Relaxed));
            let (shared, helpers) = pool.install(|| rayon::join(first, second));
            over.store(1, Ordering::Release);
            assert!(shared && helpers == 0, "{helpers} helpers");
        });
    }

    #[test]
    fn a_job_inside_a_job_is_done() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| share(4, LONG, &|_| assert_eq!(counts(9, LONG), vec![1; 9])));
    }
}
