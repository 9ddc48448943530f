//! The libraries that are compiled in.

use fathom_kernels::Parallelism;

use super::operands::Operands;
use super::peer::{Multiply, Peer};
use crate::provenance;

/// This project.
pub struct Fathom {
    /// 1, or as many as the rayon pool has.
    pub cores: usize,
}

/// faer; on x86-64 its products are private-gemm-x86's, but for the smallest.
pub struct Faer {
    /// Threads.
    pub cores: usize,
}

/// The `gemm` crate.
pub struct Gemm {
    /// Threads.
    pub cores: usize,
}

/// matrixmultiply, which takes its threads from `MATMUL_NUM_THREADS`.
pub struct MatrixMultiply;

impl Peer for Fathom {
    fn version(&self) -> String {
        env!("CARGO_PKG_VERSION").to_owned()
    }
}

impl Peer for Faer {
    fn version(&self) -> String {
        format!("{}, private-gemm-x86 {}", provenance::version("faer"), provenance::version("private-gemm-x86"))
    }
}

impl Peer for Gemm {
    fn version(&self) -> String {
        provenance::version("gemm").to_owned()
    }
}

impl Peer for MatrixMultiply {
    fn version(&self) -> String {
        provenance::version("matrixmultiply").to_owned()
    }
}

macro_rules! element {
    ($t:ident, $matrixmultiply:ident) => {
        impl Multiply<$t> for Fathom {
            fn can(&self, _: &Operands<$t>) -> bool {
                true
            }

            fn multiply(&self, operands: &Operands<$t>, c: &mut [$t]) {
                operands.multiply(c, if self.cores == 1 { Parallelism::Serial } else { Parallelism::Rayon });
            }
        }

        impl Multiply<$t> for Faer {
            fn can(&self, _: &Operands<$t>) -> bool {
                true
            }

            fn multiply(&self, operands: &Operands<$t>, c: &mut [$t]) {
                let Operands { sizes: [m, n, k], a, b, .. } = operands;
                let (at_a, at_b, at_c) =
                    (operands.a_layout.strides(), operands.b_layout.strides(), operands.c_layout.strides());
                assert!(c.len() == operands.c_layout.reach());
                // SAFETY: the buffers of A and B reach as far as their layouts, and so does C, which is borrowed mutably
                // and whose layout gives every element an address of its own.
                let (a, b, c) = unsafe {
                    (
                        faer::MatRef::from_raw_parts(a.as_ptr(), *m, *k, at_a.0, at_a.1),
                        faer::MatRef::from_raw_parts(b.as_ptr(), *k, *n, at_b.0, at_b.1),
                        faer::MatMut::from_raw_parts_mut(c.as_mut_ptr(), *m, *n, at_c.0, at_c.1),
                    )
                };
                let par = if self.cores == 1 { faer::Par::Seq } else { faer::Par::rayon(self.cores) };
                faer::linalg::matmul::matmul(c, faer::Accum::Replace, a, b, 1.0, par);
            }
        }

        impl Multiply<$t> for Gemm {
            fn can(&self, _: &Operands<$t>) -> bool {
                true
            }

            fn multiply(&self, operands: &Operands<$t>, c: &mut [$t]) {
                let Operands { sizes: [m, n, k], a, b, .. } = operands;
                let (at_a, at_b, at_c) =
                    (operands.a_layout.strides(), operands.b_layout.strides(), operands.c_layout.strides());
                assert!(c.len() == operands.c_layout.reach());
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                let threads = match self.cores {
                    1 => gemm::Parallelism::None,
                    cores => gemm::Parallelism::Rayon(cores),
                };
                // This crate's alpha belongs to C, its beta to the product, and it takes column strides first.
                // SAFETY: the buffers of A and B reach as far as their layouts, and so does C, which is borrowed mutably.
                unsafe {
                    gemm::gemm(
                        *m, *n, *k, c, at_c.1, at_c.0, false, a, at_a.1, at_a.0, b, at_b.1, at_b.0, 0.0, 1.0, false,
                        false, false, threads,
                    );
                }
            }
        }

        impl Multiply<$t> for MatrixMultiply {
            fn can(&self, _: &Operands<$t>) -> bool {
                true
            }

            fn multiply(&self, operands: &Operands<$t>, c: &mut [$t]) {
                let Operands { sizes: [m, n, k], a, b, .. } = operands;
                let (at_a, at_b, at_c) =
                    (operands.a_layout.strides(), operands.b_layout.strides(), operands.c_layout.strides());
                assert!(c.len() == operands.c_layout.reach());
                let (a, b, c) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr());
                // SAFETY: the buffers of A and B reach as far as their layouts, and so does C, which is borrowed mutably.
                unsafe {
                    matrixmultiply::$matrixmultiply(
                        *m, *k, *n, 1.0, a, at_a.0, at_a.1, b, at_b.0, at_b.1, 0.0, c, at_c.0, at_c.1,
                    );
                }
            }
        }
    };
}

element!(f32, sgemm);
element!(f64, dgemm);
