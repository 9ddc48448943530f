//! The speed at which memory streams: y <- y + c x over vectors that no cache holds.
//!
//! Two reads for each write, and no write to a line that was not read: the traffic of a step of descent, whose weights are
//! read by the forward pass and again by the backward pass, which updates them.

use std::time::Instant;

use fathom_kernels::Caches;
use rayon::prelude::*;

/// The two vectors.
pub struct Stream {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Stream {
    /// Vectors that are ready to be streamed.
    pub fn new() -> Self {
        // Written, so that no run pays for the first touch of a page.
        Self { x: vec![1.0; length()], y: vec![0.0; length()] }
    }

    /// Bytes that one call moves.
    pub fn bytes() -> f64 {
        (3 * size_of::<f32>() * length()) as f64
    }

    /// Seconds of `calls` calls, whose work `cores` threads share.
    pub fn run(&mut self, cores: usize, calls: usize) -> f64 {
        let share = self.x.len().div_ceil(cores);
        let started = Instant::now();
        for _ in 0..calls {
            if cores == 1 {
                add(&self.x, &mut self.y);
            } else {
                self.x.par_chunks(share).zip(self.y.par_chunks_mut(share)).for_each(|(x, y)| add(x, y));
            }
        }
        std::hint::black_box(&mut self.y);
        started.elapsed().as_secs_f64()
    }
}

/// Elements of each vector: together, four times the last-level cache, of which hardly anything is left for the next call.
fn length() -> usize {
    2 * last_level().max(SMALLEST) / size_of::<f32>()
}

/// Assumed of a last-level cache at least, for machines that hide theirs.
const SMALLEST: usize = 16 << 20;

/// Bytes of the cache beyond which there is only memory.
pub fn last_level() -> usize {
    let caches = Caches::of_this_core();
    caches.l3.max(caches.l2)
}

/// y <- y + x / 2.
fn add(x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += 0.5 * x);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_is_streamed_once_a_call() {
        let mut stream = Stream { x: vec![2.0; 7], y: vec![1.0; 7] };
        stream.run(1, 2);
        stream.run(3, 1);
        assert_eq!(stream.y, [4.0; 7]);
        assert!(Stream::bytes() / 3.0 >= 2.0 * last_level() as f64);
    }
}
