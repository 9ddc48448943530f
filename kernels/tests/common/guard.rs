//! Memory between pages that cannot be touched, and the name of the case that touched one.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::Once;

/// Which end of an operand touches inaccessible memory.
#[derive(Clone, Copy, Debug)]
pub enum Edge {
    First,
    Last,
}

impl Edge {
    pub const BOTH: [Self; 2] = [Self::First, Self::Last];
}

/// Readable and writable memory between two inaccessible pages, for elements `T`.
pub struct Guarded<T> {
    mapping: *mut u8,
    page: usize,
    pages: usize,
    element: PhantomData<T>,
}

impl<T: Copy> Guarded<T> {
    /// Room for at least `len` elements.
    pub fn new(len: usize) -> Self {
        // SAFETY: asks for a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page = usize::try_from(page).expect("the system knows its page size");
        let pages = (len * size_of::<T>()).div_ceil(page).max(1);
        let (access, flags) = (libc::PROT_NONE, libc::MAP_PRIVATE | libc::MAP_ANON);
        // SAFETY: a fresh anonymous mapping, wherever the system likes.
        let mapping = unsafe { libc::mmap(std::ptr::null_mut(), (pages + 2) * page, access, flags, -1, 0) };
        assert!(mapping != libc::MAP_FAILED, "mmap: {}", std::io::Error::last_os_error());
        let mapping = mapping.cast::<u8>();
        // SAFETY: the pages between the first and the last lie inside the mapping.
        let result =
            unsafe { libc::mprotect(mapping.add(page).cast(), pages * page, libc::PROT_READ | libc::PROT_WRITE) };
        assert!(result == 0, "mprotect: {}", std::io::Error::last_os_error());
        Self { mapping, page, pages, element: PhantomData }
    }

    /// A copy of `values` that touches an inaccessible page.
    pub fn place(&mut self, values: &[T], edge: Edge) -> &mut [T] {
        let (room, size) = (self.pages * self.page, size_of_val(values));
        assert!(size <= room);
        let start = match edge {
            Edge::First => 0,
            Edge::Last => room - size,
        };
        // SAFETY: the elements lie in the pages that can be read and written, which are this guard's alone; pages begin
        // and end at multiples of an element's size; the elements are written before they are a slice.
        unsafe {
            let place = self.mapping.add(self.page + start).cast::<T>();
            place.copy_from_nonoverlapping(values.as_ptr(), values.len());
            std::slice::from_raw_parts_mut(place, values.len())
        }
    }
}

impl<T> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping is this guard's own, and slices of it do not outlive the guard.
        unsafe { libc::munmap(self.mapping.cast(), (self.pages + 2) * self.page) };
    }
}

thread_local! {
    /// The text of what this thread is doing.
    static CASE: Cell<(*const u8, usize)> = const { Cell::new((std::ptr::null(), 0)) };
}

/// Runs `kernel`; if the operating system stops it, `case` is the last thing on the standard error output.
pub fn named(case: &str, kernel: impl FnOnce()) {
    static HANDLER: Once = Once::new();
    HANDLER.call_once(|| {
        let handler = print_case as extern "C" fn(libc::c_int) as libc::sighandler_t;
        // SAFETY: the handler does only what a signal handler may.
        unsafe {
            libc::signal(libc::SIGSEGV, handler);
            libc::signal(libc::SIGBUS, handler);
        }
    });
    CASE.set((case.as_ptr(), case.len()));
    kernel();
    CASE.set((std::ptr::null(), 0));
}

extern "C" fn print_case(signal: libc::c_int) {
    let (text, len) = CASE.get();
    let why = b"\naccess beyond an operand: ";
    // SAFETY: `write` and `signal` may be called here; the text is borrowed by `named`, which this interrupts. After
    // the return the access is repeated, now with the default action, which ends the process.
    unsafe {
        libc::write(2, why.as_ptr().cast(), why.len());
        if !text.is_null() {
            libc::write(2, text.cast(), len);
        }
        libc::write(2, b"\n".as_ptr().cast(), 1);
        libc::signal(signal, libc::SIG_DFL);
    }
}
