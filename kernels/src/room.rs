//! Room for many numbers: on whole cache lines, and in large pages.
//!
//! A vector that starts inside a line lies on two of them, at every step along a row. And a core finds a page in a table of a few
//! thousand: with pages of 4 KiB that is a few MiB, and what reads more waits for the table as well as for memory.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::Real;
use crate::cache::LINE;

/// Numbers of which the first starts a cache line. From 2 MiB on they lie in pages of that size, where the system gives them to those
/// who ask.
pub struct Room<T> {
    storage: Vec<T>,
    first: usize,
    len: usize,
}

/// Bytes of a large page; a room of so many has one.
const LARGE: usize = 2 << 20;

impl<T: Real> Room<T> {
    /// Room for `len` numbers, all 0.
    ///
    /// # Panics
    /// If that is more than the address space.
    pub fn zeros(len: usize) -> Self {
        let align = if len >= LARGE / size_of::<T>() { LARGE } else { LINE };
        // Memory of the system's is 0 already: pages that nobody writes to take no place.
        let storage = vec![T::ZERO; len.saturating_add(align / size_of::<T>())];
        let first = storage.as_ptr().addr().wrapping_neg() % align / size_of::<T>();
        let room = Self { storage, first, len };
        if align == LARGE {
            ask_for_large_pages(&room);
        }
        room
    }
}

/// Asks for large pages for a room that nobody has written to. That none come is no error.
#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(room: &[T]) {
    // SAFETY: these pages are the room's, which starts at one of them, and their contents stay as they are.
    unsafe { libc::madvise(room.as_ptr().cast_mut().cast(), size_of_val(room), libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_room: &[T]) {}

impl<T> Deref for Room<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.storage[self.first..][..self.len]
    }
}

impl<T> DerefMut for Room<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.storage[self.first..][..self.len]
    }
}

impl<T> Default for Room<T> {
    fn default() -> Self {
        Self { storage: Vec::new(), first: 0, len: 0 }
    }
}

impl<T: Real> Clone for Room<T> {
    fn clone(&self) -> Self {
        let mut room = Self::zeros(self.len);
        room.copy_from_slice(self);
        room
    }
}

impl<T: fmt::Debug> fmt::Debug for Room<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&**self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_zero_and_start_on_lines_and_large_pages() {
        for len in [0, 1, LARGE / 8 - 1, LARGE / 8, LARGE] {
            for room in [Room::<f64>::zeros(len), Room::<f64>::zeros(len).clone()] {
                assert!(room.len() == len && room.iter().all(|x| x.to_bits() == 0));
                let align = if len * 8 >= LARGE { LARGE } else { LINE };
                assert!(room.as_ptr().addr().is_multiple_of(align), "{len} numbers at {:?}", room.as_ptr());
            }
        }
    }

    #[test]
    fn a_clone_holds_the_same_in_a_room_of_its_own() {
        let mut room = Room::<f32>::zeros(100);
        room.iter_mut().zip(0u8..).for_each(|(x, i)| *x = f32::from(i));
        let clone = room.clone();
        room.fill(f32::NAN);
        assert!(clone.iter().zip(0u8..).all(|(&x, i)| x == f32::from(i)) && clone.len() == 100);
        assert_eq!(format!("{:?}", Room::<f32>::zeros(2)), "[0.0, 0.0]");
    }

    #[test]
    #[should_panic(expected = "capacity overflow")]
    fn room_beyond_the_address_space_is_refused() {
        Room::<f32>::zeros(usize::MAX);
    }

    /// The flags that the system keeps of the mapping around `address`.
    #[cfg(target_os = "linux")]
    fn flags(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut within = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            let number = |text| usize::from_str_radix(text, 16);
            if let Some((Ok(first), Ok(end))) = range.map(|(first, end)| (number(first), number(end))) {
                within = (first..end).contains(&address);
            }
            if let (true, Some(flags)) = (within, line.strip_prefix("VmFlags:")) {
                return flags.to_owned();
            }
        }
        panic!("nothing is mapped at {address:#x}");
    }

    /// Whether the flags of a mapping show that it was advised; neither systems without large pages nor emulators do that.
    #[cfg(target_os = "linux")]
    fn advice_is_shown() -> bool {
        let (access, private) = (libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a mapping of its own, of whole pages.
        let map = unsafe { libc::mmap(std::ptr::null_mut(), LARGE, access, private, -1, 0) };
        assert_ne!(map, libc::MAP_FAILED);
        // SAFETY: the mapping just made.
        unsafe { libc::madvise(map, LARGE, libc::MADV_HUGEPAGE) };
        let shown = flags(map.addr()).contains("hg");
        // SAFETY: as above; nobody refers to it.
        unsafe { libc::munmap(map, LARGE) };
        shown
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn large_rooms_ask_for_large_pages() {
        if !advice_is_shown() {
            return;
        }
        let room = Room::<f32>::zeros(LARGE);
        for element in [0, LARGE / 2, LARGE - 1] {
            let flags = flags((&raw const room[element]).addr());
            assert!(flags.split_whitespace().any(|flag| flag == "hg"), "element {element}: {flags}");
        }
    }
}
