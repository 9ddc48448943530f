//! Inner products of a few long rows, summed in f64.

use crate::dispatch::vectorize;
use crate::simd::Vectorized;
use crate::{Isa, Real};

/// Chains of a sum. Element k belongs to chain k modulo this.
const CHAINS: usize = 8;
/// Products that share the elements of one row.
const TILE: usize = 4;

/// `sums[i n + j] += <x_i, x_j>` for `j <= i`, where the rows x_i are those of `x`, `n x len`, row-major. What lies above the
/// diagonal of `sums`, `n x n`, is left alone.
///
/// Elements are widened to f64 first, so that products of f32 are exact. A sum is that of eight chains of fused
/// multiply-adds, c_r over the elements k = r, r + 8, ..., each started at 0: ((c_0 + c_1) + (c_2 + c_3)) + ((c_4 + c_5) + (c_6 +
/// c_7)).
///
/// # Panics
/// When `x` is not `n` rows of one length for the n that `sums` has.
pub fn add<T: Real>(x: &[T], n: usize, sums: &mut [f64]) {
    add_with(Isa::active(), x, n, sums);
}

/// [`add`] with a chosen instruction set.
///
/// # Panics
/// As [`add`], and when the CPU lacks the set.
pub fn add_with<T: Real>(isa: Isa, x: &[T], n: usize, sums: &mut [f64]) {
    assert!(
        n > 0 && x.len().is_multiple_of(n) && sums.len() == n * n,
        "gram: {} elements in {n} rows, and {} sums",
        x.len(),
        sums.len()
    );
    vectorize(isa, Add { x, len: x.len() / n, sums });
}

struct Add<'a, T> {
    x: &'a [T],
    len: usize,
    sums: &'a mut [f64],
}

impl<T: Real> Vectorized for Add<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, len, sums } = self;
        if len == 0 {
            return;
        }
        let n = x.len() / len;
        for (i, sums) in sums.chunks_exact_mut(n).enumerate() {
            let row = &x[i * len..(i + 1) * len];
            let below = x[..(i + 1) * len].chunks(TILE * len).zip(sums[..=i].chunks_mut(TILE));
            for (others, sums) in below {
                match sums.len() {
                    1 => tile::<T, 1>(row, others, sums),
                    2 => tile::<T, 2>(row, others, sums),
                    3 => tile::<T, 3>(row, others, sums),
                    _ => tile::<T, TILE>(row, others, sums),
                }
            }
        }
    }
}

/// `sums[j] += <row, others_j>` for `COLUMNS` rows.
#[inline(always)]
fn tile<T: Real, const COLUMNS: usize>(row: &[T], others: &[T], sums: &mut [f64]) {
    let len = row.len();
    let (whole, rest) = row.as_chunks::<CHAINS>();
    let mut chains = [[0.0; CHAINS]; COLUMNS];
    let others: [&[T]; COLUMNS] = std::array::from_fn(|j| &others[j * len..(j + 1) * len]);
    let wholes = others.map(|other| other.as_chunks::<CHAINS>().0);
    for (k, x) in whole.iter().enumerate() {
        let x = x.map(T::to_f64);
        for (chains, other) in chains.iter_mut().zip(wholes) {
            let y = other[k].map(T::to_f64);
            for r in 0..CHAINS {
                chains[r] = x[r].mul_add(y[r], chains[r]);
            }
        }
    }
    for (chains, other) in chains.iter_mut().zip(others) {
        for (r, (x, y)) in rest.iter().zip(&other[len - rest.len()..]).enumerate() {
            chains[r] = x.to_f64().mul_add(y.to_f64(), chains[r]);
        }
    }
    for (sum, [a, b, c, d, e, f, g, h]) in sums.iter_mut().zip(chains) {
        *sum += ((a + b) + (c + d)) + ((e + f) + (g + h));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normal;

    /// The sum that the documentation of [`add`] defines.
    fn textbook<T: Real>(x: &[T], y: &[T]) -> f64 {
        let mut c = [0f64; CHAINS];
        for (k, (x, y)) in x.iter().zip(y).enumerate() {
            c[k % CHAINS] = x.to_f64().mul_add(y.to_f64(), c[k % CHAINS]);
        }
        ((c[0] + c[1]) + (c[2] + c[3])) + ((c[4] + c[5]) + (c[6] + c[7]))
    }

    fn agrees<T: Real>() {
        for n in [1, 2, 3, 4, 5, 8, 13] {
            for len in [0, 1, 7, 8, 9, 64, 259] {
                let mut x = vec![T::ZERO; n * len];
                normal::fill(3, 1, 0, &mut x);
                for isa in Isa::available() {
                    let mut sums: Vec<f64> = (0..n * n).map(|k| k as f64).collect();
                    add_with(isa, &x, n, &mut sums);
                    for i in 0..n {
                        for j in 0..n {
                            let row = |i: usize| &x[i * len..(i + 1) * len];
                            let more = if j <= i { textbook(row(i), row(j)) } else { 0.0 };
                            assert_eq!(sums[i * n + j], (i * n + j) as f64 + more, "{isa}, {n} x {len}: ({i}, {j})");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_textbook_to_the_bit() {
        agrees::<f32>();
        agrees::<f64>();
    }

    #[test]
    #[should_panic(expected = "gram: 7 elements in 2 rows, and 4 sums")]
    fn rows_of_different_lengths_are_refused() {
        add(&[0f32; 7], 2, &mut [0.0; 4]);
    }
}
