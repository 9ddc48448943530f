//! The operands of a case, and what is done with them: a library's result is checked, and then its calls are timed.

use std::time::Instant;

use anyhow::{Result, bail};
use fathom_kernels::Parallelism;

use super::operands::{Buffer, Operands};
use super::peer::{Element, Peer};
use super::shape::Shape;

/// A case, whatever its element type.
pub trait Stage {
    /// Whether the library can say the form.
    fn can(&self, peer: &dyn Peer) -> bool;
    /// Compares the library's result with ours.
    ///
    /// # Errors
    /// When an entry lies beyond both error bounds; the entry is named.
    fn check(&mut self, name: &str, peer: &dyn Peer) -> Result<()>;
    /// Seconds of `calls` calls.
    fn run(&mut self, peer: &dyn Peer, calls: usize) -> f64;
}

/// A case in one element type.
pub struct Typed<T> {
    shape: Shape,
    operands: Operands<T>,
    /// The C that everyone writes.
    c: Buffer<T>,
    /// A B by us, on one thread.
    ours: Buffer<T>,
    /// |A| |B|.
    magnitudes: Buffer<T>,
}

impl<T: Element> Typed<T> {
    /// Operands and our own result.
    pub fn new(shape: Shape) -> Self {
        let operands = Operands::random(shape);
        let (c, mut ours, mut magnitudes) = (operands.output(), operands.output(), operands.output());
        operands.multiply(&mut ours, Parallelism::Serial);
        operands.absolute().multiply(&mut magnitudes, Parallelism::Serial);
        Self { shape, operands, c, ours, magnitudes }
    }
}

impl<T: Element> Stage for Typed<T> {
    fn can(&self, peer: &dyn Peer) -> bool {
        T::of(peer).can(&self.operands)
    }

    fn check(&mut self, name: &str, peer: &dyn Peer) -> Result<()> {
        // What a library leaves out stays NaN.
        self.c.fill(T::from_f64(f64::NAN));
        T::of(peer).multiply(&self.operands, &mut self.c);
        let [m, n, k] = self.operands.sizes;
        // Any order of the k products and sums is within gamma_k sum |a||b| of the truth, ours as well as theirs.
        let roundings = k as f64 * T::EPSILON.to_f64() / 2.0;
        let gamma = roundings / (1.0 - roundings);
        let at = self.operands.c_layout;
        for (row, col) in (0..m).flat_map(|row| (0..n).map(move |col| (row, col))) {
            let entry = row * at.row_stride + col * at.col_stride;
            let (ours, theirs) = (self.ours[entry], self.c[entry]);
            let bound = 2.0 * gamma * self.magnitudes[entry].to_f64();
            // Not "beyond": a NaN is within nothing.
            let within = (ours.to_f64() - theirs.to_f64()).abs() <= bound;
            if !within {
                bail!(
                    "{} {}: entry ({row}, {col}) is {ours} by us and {theirs} by {name}, further apart than {bound:.1e}",
                    T::NAME,
                    self.shape
                );
            }
        }
        Ok(())
    }

    fn run(&mut self, peer: &dyn Peer, calls: usize) -> f64 {
        let peer = T::of(peer);
        let started = Instant::now();
        for _ in 0..calls {
            peer.multiply(std::hint::black_box(&self.operands), &mut self.c);
        }
        std::hint::black_box(&mut self.c);
        started.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::super::peer::{CRATES, Entrant, Multiply};
    use super::*;

    struct Wrong;

    impl<T: Element> Multiply<T> for Wrong {
        fn can(&self, _: &Operands<T>) -> bool {
            true
        }

        fn multiply(&self, operands: &Operands<T>, c: &mut [T]) {
            operands.multiply(c, Parallelism::Serial);
            c[operands.c_layout.row_stride + 2] += T::from_f64(1e-3);
        }
    }

    impl Peer for Wrong {
        fn version(&self) -> String {
            "0".to_owned()
        }
    }

    #[test]
    fn every_crate_agrees_in_every_form() {
        for form in ["nn", "tn", "nt", "tt", "padded", "spaced"] {
            for sizes in ["17x9x33", "1x1x1", "1x5x4", "5x1x4"] {
                let mut stage = Typed::<f32>::new(format!("{sizes}:{form}").parse().unwrap());
                for name in CRATES {
                    let peer = Entrant::Crate(name).load(1).unwrap().unwrap();
                    assert!(stage.can(&*peer));
                    stage.check(name, &*peer).unwrap();
                }
            }
        }
    }

    #[test]
    fn a_wrong_entry_is_named() {
        let error = Typed::<f64>::new("3x4x5".parse().unwrap()).check("wrong", &Wrong).unwrap_err().to_string();
        assert!(error.contains("f64 3x4x5: entry (1, 2)") && error.contains("by wrong"), "{error}");
    }
}
