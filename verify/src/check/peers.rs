//! The same product by other libraries, on dense copies of the operands.

use fathom_kernels::Real;

use super::oracle::Against;

/// Dense operands in row-major order.
pub struct Operands<'a, T> {
    /// m, n and k.
    pub sizes: [usize; 3],
    /// A, m x k.
    pub a: &'a [T],
    /// B, k x n.
    pub b: &'a [T],
}

/// An element type that all peers know.
pub trait Element: Real {
    /// A B by faer on one thread.
    fn faer(operands: &Operands<'_, Self>) -> Vec<Self>;
    /// A B by matrixmultiply.
    fn matrixmultiply(operands: &Operands<'_, Self>) -> Vec<Self>;
}

/// A B by every peer, in row-major order.
pub fn products<T: Element>(operands: &Operands<'_, T>) -> Vec<(Against, Vec<T>)> {
    vec![(Against::Faer, T::faer(operands)), (Against::MatrixMultiply, T::matrixmultiply(operands))]
}

fn faer_product<T: Element + faer::traits::ComplexField>(operands: &Operands<'_, T>) -> Vec<T> {
    let Operands { sizes: [m, n, k], a, b } = *operands;
    let a = faer::MatRef::from_row_major_slice(a, m, k);
    let b = faer::MatRef::from_row_major_slice(b, k, n);
    let mut c = vec![T::from_f64(f64::NAN); m * n];
    let view = faer::MatMut::from_row_major_slice_mut(&mut c, m, n);
    // Sequential: there are open reports of wrong results from its parallel product.
    faer::linalg::matmul::matmul(view, faer::Accum::Replace, a, b, T::ONE, faer::Par::Seq);
    c
}

macro_rules! element {
    ($t:ident, $gemm:ident) => {
        impl Element for $t {
            fn faer(operands: &Operands<'_, Self>) -> Vec<Self> {
                faer_product(operands)
            }

            fn matrixmultiply(operands: &Operands<'_, Self>) -> Vec<Self> {
                let Operands { sizes: [m, n, k], a, b } = *operands;
                assert!(a.len() == m * k && b.len() == k * n);
                let mut c = vec![$t::NAN; m * n];
                let (row_a, row_b) = (k as isize, n as isize);
                // SAFETY: A, B and C hold m k, k n and m n elements, row after row, and C is this function's own.
                unsafe {
                    matrixmultiply::$gemm(
                        m,
                        k,
                        n,
                        1.0,
                        a.as_ptr(),
                        row_a,
                        1,
                        b.as_ptr(),
                        row_b,
                        1,
                        0.0,
                        c.as_mut_ptr(),
                        row_b,
                        1,
                    );
                }
                c
            }
        }
    };
}

element!(f32, sgemm);
element!(f64, dgemm);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peers_multiply_row_major_matrices() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, 0.0, 2.0, 1.0, 0.0, 3.0]);
        for (peer, c) in products::<f64>(&Operands { sizes: [2, 2, 3], a: &a, b: &b }) {
            assert_eq!(c, [5.0, 11.0, 14.0, 23.0], "{peer}");
        }
    }
}
