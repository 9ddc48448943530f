//! Large rooms in large pages.
//!
//! A core finds the place of a page in a table that holds a few thousand of them. With pages of 4 KiB that is a few MiB, and what
//! reads more waits for the table as well as for memory; with pages of 2 MiB it waits for memory alone.

use crate::Real;

/// Room for `len` elements, all 0, in large pages where it takes some and the system gives them to those who ask.
///
/// # Panics
/// If that is more than the address space.
pub fn zeros<T: Real>(len: usize) -> Vec<T> {
    let room = vec![T::ZERO; len];
    ask_for_large_pages(&room);
    room
}

/// From so many bytes on, a room has a large page of its own.
const LARGE: usize = 2 << 20;

/// Asks for large pages for a room that nobody has written to. That none come is no error.
#[cfg(target_os = "linux")]
fn ask_for_large_pages<T>(room: &[T]) {
    let bytes = size_of_val(room);
    if bytes < LARGE {
        return;
    }
    // SAFETY: reads a number.
    let Ok(page) = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) else { return };
    // Outward to the pages of the system, since what follows an allocator's header would miss the first large page.
    let into = room.as_ptr().addr() % page;
    let first = room.as_ptr().wrapping_byte_sub(into).cast_mut().cast();
    // SAFETY: all of these pages are mapped, and their contents stay as they are.
    unsafe { libc::madvise(first, bytes + into, libc::MADV_HUGEPAGE) };
}

#[cfg(not(target_os = "linux"))]
fn ask_for_large_pages<T>(_room: &[T]) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_zero() {
        for len in [0, 1, LARGE / 4 - 1, LARGE / 4, LARGE] {
            let room = zeros::<f32>(len);
            assert!(room.len() == len && room.iter().all(|x| x.to_bits() == 0));
        }
    }

    /// The flags that the system keeps of the mapping around `address`.
    #[cfg(target_os = "linux")]
    fn flags(address: usize) -> String {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut within = false;
        for line in maps.lines() {
            let range = line.split(' ').next().and_then(|range| range.split_once('-'));
            if let Some((Ok(first), Ok(end))) =
                range.map(|(first, end)| (usize::from_str_radix(first, 16), usize::from_str_radix(end, 16)))
            {
                within = (first..end).contains(&address);
            }
            if let (true, Some(flags)) = (within, line.strip_prefix("VmFlags:")) {
                return flags.to_owned();
            }
        }
        panic!("nothing is mapped at {address:#x}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn large_rooms_ask_for_large_pages() {
        if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage").exists() {
            return; // this system has none
        }
        let room = zeros::<f32>(2 * LARGE);
        for element in [0, LARGE, 2 * LARGE - 1] {
            let flags = flags((&raw const room[element]).addr());
            assert!(flags.split_whitespace().any(|flag| flag == "hg"), "element {element}: {flags}");
        }
    }
}
