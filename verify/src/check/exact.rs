//! Sums of products that are closer to the truth than any kernel can be, and how far from it a kernel may be.
//!
//! A sum of n rounded operations, in any order, obeys
//!
//! ```text
//! |computed - exact| <= gamma_n sum |terms|,   gamma_n = n u / (1 - n u),
//! ```
//!
//! u the unit roundoff, 2^-24 or 2^-53 (Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, lemma 3.1
//! and section 3.1). This is the bound c k eps sum |a||b| with c = 1 and eps = u. For a chain of k fused multiply-adds
//! n = k; the rounding of alpha a or of beta c makes it k + 1, unless alpha and beta are 0 or +-1.
//! An error beyond the bound is thus a fault, not bad luck; a correctly rounded sum of one term can reach all of it,
//! and a long chain stays far below it, because its roundings cancel.

use fathom_kernels::Real;

/// `beta c + sum of alpha a b`, evaluated as if in twice the precision of f64: the error of every addition and
/// multiplication is computed and summed as well (algorithm Dot2 of Ogita, Rump and Oishi, 2005).
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    high: f64,
    low: f64,
    magnitude: f64,
    terms: usize,
}

/// `a + b` and its rounding error (Knuth).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// `a * b` and its rounding error.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    (product, a.mul_add(b, -product))
}

impl Exact {
    /// The sum of no products: `beta c`, and 0 whatever `c` is when `beta` is 0.
    pub fn start(beta: f64, c: f64) -> Self {
        let (high, low) = if beta == 0.0 { (0.0, 0.0) } else { two_product(beta, c) };
        Self { high, low, magnitude: high.abs(), terms: 0 }
    }

    /// Adds `alpha a b`.
    #[inline]
    pub fn add(&mut self, alpha: f64, a: f64, b: f64) {
        let (scaled, scaled_error) = if alpha == 1.0 { (a, 0.0) } else { two_product(alpha, a) };
        let (product, product_error) = two_product(scaled, b);
        let (sum, sum_error) = two_sum(self.high, product);
        self.high = sum;
        self.low += sum_error + (product_error + scaled_error * b);
        self.magnitude += product.abs();
        self.terms += 1;
    }

    /// The nearest `f64`.
    pub fn value(&self) -> f64 {
        self.high + self.low
    }

    /// `found` minus this sum.
    pub fn error_of(&self, found: f64) -> f64 {
        (found - self.high) - self.low
    }

    /// The largest error that a chain of fused multiply-adds in `T` may have, if alpha and beta cost `extra` roundings
    /// (see [`extra_roundings`]).
    pub fn bound<T: Real>(&self, extra: usize) -> f64 {
        let roundings = (self.terms + extra) as f64 * (T::EPSILON.to_f64() / 2.0);
        roundings / (1.0 - roundings) * self.magnitude
    }

    /// The number of products added.
    pub fn terms(&self) -> usize {
        self.terms
    }
}

/// Roundings of a term besides those of the chain itself.
pub fn extra_roundings(alpha: f64, beta: f64) -> usize {
    usize::from(![0.0, 1.0].contains(&alpha.abs()) || ![0.0, 1.0].contains(&beta.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_double_precision_loses_is_kept() {
        let mut sum = Exact::start(0.0, f64::NAN);
        for (a, b) in [(1e16, 1.0), (1.0, 1.0), (-1e16, 1.0)] {
            sum.add(1.0, a, b);
        }
        assert_eq!(sum.error_of(1.0), 0.0);
        assert_eq!(sum.error_of(0.0), -1.0);
        assert_eq!((sum.terms(), sum.value()), (3, 1.0));

        // (1 + 2^-30)^2 - 1 - 2^-29 = 2^-60
        let x = 1.0 + 2f64.powi(-30);
        let mut square = Exact::start(-1.0, 1.0 + 2f64.powi(-29));
        square.add(1.0, x, x);
        assert_eq!(square.error_of(2f64.powi(-60)), 0.0);

        // alpha a is not rounded: 3 (1/3 in f64) is 1 - 2^-54, exactly
        let mut thirds = Exact::start(1.0, -1.0);
        thirds.add(3.0, 1.0 / 3.0, 1.0);
        assert_eq!(thirds.error_of(-(2f64.powi(-54))), 0.0);
    }

    #[test]
    fn the_bound_is_that_of_the_chain() {
        let mut sum = Exact::start(0.7, -2.0);
        assert_eq!(sum.bound::<f64>(0), 0.0);
        sum.add(1.0, 3.0, -4.0);
        sum.add(1.0, 5.0, 6.0);
        let u = 2f64.powi(-24);
        let expected = 3.0 * u / (1.0 - 3.0 * u) * (1.4 + 12.0 + 30.0);
        assert!((sum.bound::<f32>(extra_roundings(1.0, 0.7)) / expected - 1.0).abs() < 1e-15);
        assert_eq!(
            [(1.0, 0.0), (-1.0, 1.0), (0.0, -1.0), (0.7, 0.0), (1.0, 2.0)].map(|(a, b)| extra_roundings(a, b)),
            [0, 0, 0, 1, 1]
        );
    }
}
