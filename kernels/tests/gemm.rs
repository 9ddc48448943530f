//! `gemm` against the textbook loop, to the bit.

mod common;

use common::{Source, assert_same_bits};
use fathom_kernels::gemm::{Tuning, gemm_tuned};
use fathom_kernels::{Blocks, Isa, MatMut, MatRef, Parallelism, Real, gemm, reference};

/// A matrix in a buffer with gaps: which strides, and the data.
struct Stored<T> {
    data: Vec<T>,
    rows: usize,
    cols: usize,
    strides: (usize, usize),
}

impl<T: Real> Stored<T> {
    fn random(source: &mut Source, rows: usize, cols: usize) -> Self {
        let gap = source.choose(&[0, 0, 1, 5]);
        let strides = match source.between(0, 3) {
            0 => (cols.max(1) + gap, 1),
            1 => (1, rows.max(1) + gap),
            2 => ((cols.max(1) + gap) * 2, 2),
            _ => (3, (rows.max(1) + gap) * 3),
        };
        let reach = if rows == 0 || cols == 0 { 0 } else { (rows - 1) * strides.0 + (cols - 1) * strides.1 + 1 };
        Self { data: source.values(reach), rows, cols, strides }
    }

    fn view(&self) -> MatRef<'_, T> {
        MatRef::strided(&self.data, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }

    fn view_mut(&mut self) -> MatMut<'_, T> {
        MatMut::strided(&mut self.data, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }
}

/// One random product under every instruction set, and blockings small enough for several blocks in every dimension.
fn random_product<T: Real>(seed: u64, sizes: [usize; 3]) {
    let mut source = Source::new(seed);
    let [m, n, k] = sizes;
    let (a, b) = (Stored::<T>::random(&mut source, m, k), Stored::<T>::random(&mut source, k, n));
    let c = Stored::<T>::random(&mut source, m, n);
    let scales = [0.0, 1.0, -1.0, 0.7].map(T::from_f64);
    let (alpha, beta) = (source.choose(&scales), source.choose(&scales));

    let mut expected = Stored { data: c.data.clone(), ..c };
    reference::gemm(alpha, a.view(), b.view(), beta, expected.view_mut());

    let small = Blocks { mc: source.between(1, 20), kc: source.between(1, 9), nc: source.between(1, 40) };
    for isa in Isa::available() {
        for blocks in [None, Some(small)] {
            for parallelism in [Parallelism::Serial, Parallelism::Rayon] {
                let mut found = Stored { data: c.data.clone(), ..expected };
                let tuning = Tuning { blocks, ..Tuning::on(isa) };
                gemm_tuned(&tuning, alpha, a.view(), b.view(), beta, found.view_mut(), parallelism);
                assert_same_bits(&found.data, &expected.data, || {
                    let strides = (a.strides, b.strides, c.strides);
                    format!("{} {m}x{n}x{k} seed {seed} {tuning:?} {parallelism:?} {strides:?}", T::NAME)
                });
            }
        }
    }
}

#[test]
fn same_bits_as_the_textbook_loop_on_random_shapes() {
    let mut source = Source::new(1);
    for seed in 0..300 {
        let sizes = [(); 3].map(|()| match source.between(0, 3) {
            0 => source.between(0, 4),
            1 | 2 => source.between(1, 40),
            _ => source.between(1, 130),
        });
        random_product::<f32>(seed, sizes);
        random_product::<f64>(seed, sizes);
    }
}

#[test]
fn same_bits_at_every_edge_of_the_tiles() {
    for m in [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 24, 25] {
        for n in [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65] {
            for k in [1, 2, 5] {
                random_product::<f32>((m * 1000 + n) as u64, [m, n, k]);
                random_product::<f64>((m * 1000 + n) as u64, [m, n, k]);
            }
        }
    }
}

#[test]
fn same_bits_across_whole_blocks_and_threads() {
    // Larger than the default blocks in k and, with the last, in n; enough work to be split over threads.
    for (seed, [m, n, k]) in [[203, 190, 517], [37, 4200, 70], [1000, 33, 300]].into_iter().enumerate() {
        let mut source = Source::new(seed as u64);
        let (a, b, c): (Vec<f32>, Vec<f32>, Vec<f32>) =
            (source.values(m * k), source.values(k * n), source.values(m * n));
        let (a, b) = (MatRef::row_major(&a, m, k).unwrap(), MatRef::row_major(&b, k, n).unwrap());
        let mut expected = c.clone();
        reference::gemm(0.5, a, b, 1.0, MatMut::row_major(&mut expected, m, n).unwrap());
        for threads in 1..=8 {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut found = c.clone();
            pool.install(|| {
                gemm(0.5, a, b, 1.0, MatMut::row_major(&mut found, m, n).unwrap(), Parallelism::Rayon);
            });
            assert_same_bits(&found, &expected, || format!("{m}x{n}x{k} on {threads} threads"));
        }
    }
}

#[test]
fn a_row_does_not_depend_on_its_batch() {
    let (m, n, k) = (29, 45, 60);
    let mut source = Source::new(5);
    let (a, b): (Vec<f64>, Vec<f64>) = (source.values(m * k), source.values(k * n));
    let b = MatRef::row_major(&b, k, n).unwrap();
    let product = |a: MatRef<'_, f64>| {
        let mut c = vec![f64::NAN; a.rows() * n];
        gemm(1.0, a, b, 0.0, MatMut::row_major(&mut c, a.rows(), n).unwrap(), Parallelism::Serial);
        c
    };
    let a = MatRef::row_major(&a, m, k).unwrap();
    let whole = product(a);
    for first in 0..m {
        for rows in [1, 2, 7, m - first] {
            let rows = rows.min(m - first);
            let part = product(a.submatrix(first, 0, rows, k));
            assert_same_bits(&part, &whole[first * n..(first + rows) * n], || format!("rows {first}, {rows}"));
        }
    }
}

#[test]
fn whole_numbers_are_exact() {
    for isa in Isa::available() {
        let (m, n, k) = (33, 47, 129);
        let a: Vec<f32> = (0..m * k).map(|i| (i * 7 % 17) as f32 - 8.0).collect();
        let b: Vec<f32> = (0..k * n).map(|i| (i * 5 % 13) as f32 - 6.0).collect();
        let mut c = vec![f32::NAN; m * n];
        gemm_tuned(
            &Tuning::on(isa),
            1.0,
            MatRef::row_major(&a, m, k).unwrap(),
            MatRef::row_major(&b, k, n).unwrap(),
            0.0,
            MatMut::row_major(&mut c, m, n).unwrap(),
            Parallelism::Serial,
        );
        for i in 0..m {
            for j in 0..n {
                let exact: i64 = (0..k).map(|l| a[i * k + l] as i64 * b[l * n + j] as i64).sum();
                assert_eq!(c[i * n + j], exact as f32);
            }
        }
    }
}

#[test]
fn beta_zero_does_not_read_c_and_alpha_zero_reads_neither_operand() {
    let (m, n, k) = (9, 20, 11);
    for isa in Isa::available() {
        let tuning = Tuning::on(isa);
        let (a, b) = (vec![1.0f64; m * k], vec![2.0f64; k * n]);
        let nan = vec![f64::NAN; m * k + k * n];
        let (a, b) = (MatRef::row_major(&a, m, k).unwrap(), MatRef::row_major(&b, k, n).unwrap());
        let mut c = vec![f64::NAN; m * n];
        let view = MatMut::row_major(&mut c, m, n).unwrap();
        gemm_tuned(&tuning, 1.0, a, b, 0.0, view, Parallelism::Serial);
        assert!(c.iter().all(|&x| x == 22.0));

        let (a, b) = (MatRef::row_major(&nan, m, k).unwrap(), MatRef::row_major(&nan, k, n).unwrap());
        let view = MatMut::row_major(&mut c, m, n).unwrap();
        gemm_tuned(&tuning, 0.0, a, b, 3.0, view, Parallelism::Serial);
        assert!(c.iter().all(|&x| x == 66.0));
        c.fill(f64::NAN);
        let view = MatMut::row_major(&mut c, m, n).unwrap();
        gemm_tuned(&tuning, 0.0, a, b, 0.0, view, Parallelism::Serial);
        assert!(c.iter().all(|&x| x == 0.0));
    }
}

#[test]
fn an_empty_sum_scales_c_and_empty_matrices_are_no_work() {
    let mut c = vec![2.0f32; 6];
    let none: [f32; 0] = [];
    let (a, b) = (MatRef::row_major(&none, 2, 0).unwrap(), MatRef::row_major(&none, 0, 3).unwrap());
    gemm(1.0, a, b, 0.5, MatMut::row_major(&mut c, 2, 3).unwrap(), Parallelism::Rayon);
    assert_eq!(c, [1.0; 6]);
    gemm(1.0, a.t(), a, 0.0, MatMut::row_major(&mut [], 0, 0).unwrap(), Parallelism::Rayon);
}

#[test]
fn gaps_between_strides_are_left_alone() {
    let (m, n, k) = (13, 37, 5);
    for isa in Isa::available() {
        let (a, b) = (vec![1.0f32; m * k], vec![1.0f32; k * n]);
        let (row_stride, col_stride) = (2 * n + 3, 2);
        let mut c = vec![f32::NAN; m * row_stride];
        gemm_tuned(
            &Tuning::on(isa),
            1.0,
            MatRef::row_major(&a, m, k).unwrap(),
            MatRef::row_major(&b, k, n).unwrap(),
            0.0,
            MatMut::strided(&mut c, m, n, row_stride, col_stride).unwrap(),
            Parallelism::Serial,
        );
        for (i, &x) in c.iter().enumerate() {
            let (row, col) = (i / row_stride, i % row_stride);
            let inside = row < m && col % 2 == 0 && col / 2 < n;
            assert!(if inside { x == 5.0 } else { x.is_nan() }, "element {i} is {x}");
        }
    }
}

#[test]
#[should_panic(expected = "A is 2x3, B is 4x5, C is 2x5")]
fn shapes_that_disagree_are_named() {
    let (a, b, mut c) = ([0.0f32; 6], [0.0f32; 20], [0.0f32; 10]);
    gemm(
        1.0,
        MatRef::row_major(&a, 2, 3).unwrap(),
        MatRef::row_major(&b, 4, 5).unwrap(),
        0.0,
        MatMut::row_major(&mut c, 2, 5).unwrap(),
        Parallelism::Serial,
    );
}

#[test]
fn views_refuse_short_slices_and_overlap() {
    let mut data = [0.0f32; 11];
    let short = MatRef::row_major(&data, 3, 4).unwrap_err().to_string();
    assert!(short.contains("12") && short.contains("11"), "{short}");
    assert!(MatMut::strided(&mut data, 3, 3, 2, 1).unwrap_err().to_string().contains("share an address"));
    assert!(MatMut::strided(&mut data, 3, 3, 0, 1).is_err());
    assert!(MatRef::strided(&data, 3, 3, 0, 1).is_ok());
    assert!(MatRef::strided(&data, usize::MAX, 2, usize::MAX, 1).is_err());
}
