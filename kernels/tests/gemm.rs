//! `gemm` against the textbook loop, to the bit.

mod common;

use common::matrix::{LAYOUTS, Matrix};
use common::{SOME_CACHES, Source, assert_same_bits};
use fathom_kernels::gemm::{Tuning, gemm_tuned};
use fathom_kernels::{Blocks, Isa, MatMut, MatRef, Order, Parallelism, Reading, Real, gemm, reference};
use rayon::{ThreadPool, ThreadPoolBuilder};

/// Every wish for how A is read.
const A_READINGS: [Option<Reading>; 3] = [None, Some(Reading::InPlace), Some(Reading::Packed)];
/// Every wish for how B is read.
const B_READINGS: [Option<Reading>; 6] = [
    None,
    Some(Reading::InPlace),
    Some(Reading::Streamed),
    Some(Reading::InPassing),
    Some(Reading::Packed),
    Some(Reading::Columns),
];
/// Every wish for the loop inside.
const ORDERS: [Option<Order>; 3] = [None, Some(Order::RowsInside), Some(Order::StripsInside)];

/// A product, and what it must come to.
struct Case<T> {
    what: String,
    scales: (T, T),
    a: Matrix<T>,
    b: Matrix<T>,
    c: Matrix<T>,
    expected: Matrix<T>,
}

impl<T: Real> Case<T> {
    /// With NaN in every gap, in C when it must not be read, and in A and B when they must not.
    fn new(source: &mut Source, [m, n, k]: [usize; 3], layouts: [usize; 3]) -> Self {
        let (alpha, beta) = (source.choose(&[1.0, 1.0, 1.0, -1.5, -1.5, 0.0]), source.choose(&[0.0, 1.0, 0.5]));
        let mut a = Matrix::<T>::random(source, (m, k), layouts[0]);
        let mut b = Matrix::<T>::random(source, (k, n), layouts[1]);
        let mut c = Matrix::<T>::random(source, (m, n), layouts[2]);
        let nan = T::from_f64(f64::NAN);
        if alpha == 0.0 {
            a.values.fill(nan);
            b.values.fill(nan);
        }
        if beta == 0.0 {
            c.values.fill(nan);
        }
        let scales = (T::from_f64(alpha), T::from_f64(beta));
        let mut expected = c.clone();
        reference::gemm(scales.0, a.view(), b.view(), scales.1, expected.view_mut());
        let strides = (a.strides, b.strides, c.strides);
        let what = format!("{} {m}x{n}x{k} scales {scales:?} strides {strides:?}", T::NAME);
        Self { what, scales, a, b, c, expected }
    }

    fn check(&self, tuning: &Tuning, parallelism: Parallelism) {
        let mut found = self.c.clone();
        let (alpha, beta) = self.scales;
        gemm_tuned(tuning, alpha, self.a.view(), self.b.view(), beta, found.view_mut(), parallelism);
        assert_same_bits(&found.values, &self.expected.values, || format!("{} {tuning:?}", self.what));
    }

    /// A few neighbouring rows alone: they come out the same, and the others are left alone.
    fn check_rows(&self, tuning: &Tuning, first: usize, rows: usize) {
        let (n, k) = (self.c.cols, self.a.cols);
        let (mut found, mut expected) = (self.c.clone(), self.c.clone());
        for (i, j) in (first..first + rows).flat_map(|i| (0..n).map(move |j| (i, j))) {
            expected.view_mut().set(i, j, self.expected.view().get(i, j));
        }
        let (a, c) = (self.a.view().submatrix(first, 0, rows, k), found.view_mut().submatrix(first, 0, rows, n));
        gemm_tuned(tuning, self.scales.0, a, self.b.view(), self.scales.1, c, Parallelism::Serial);
        let what = || format!("rows {first}, {rows} of {} {tuning:?}", self.what);
        assert_same_bits(&found.values, &expected.values, what);
    }
}

/// How many products [`everywhere`] compares for each instruction set.
const EVERYWHERE: usize = 2 * A_READINGS.len() * B_READINGS.len() + 1;

/// One product under every instruction set and every wish for a reading, in the usual blocks and in blocks small enough for
/// several in every dimension; and a part of its rows. Returns the number of products compared.
fn everywhere<T: Real>(source: &mut Source, sizes: [usize; 3], layouts: [usize; 3]) -> usize {
    let case = Case::<T>::new(source, sizes, layouts);
    let small = Blocks { mc: source.between(1, 20), kc: source.between(1, 9), nc: source.between(1, 40) };
    let mut compared = 0;
    for isa in Isa::available() {
        for (blocks, a) in [None, Some(small)].into_iter().flat_map(|blocks| A_READINGS.map(|a| (blocks, a))) {
            for b in B_READINGS {
                let order = source.choose(&ORDERS);
                case.check(
                    &Tuning { isa, blocks, a, b, order, caches: source.choose(&SOME_CACHES) },
                    Parallelism::Serial,
                );
                compared += 1;
            }
        }
        let first = source.between(0, sizes[0].saturating_sub(1));
        let rows = source.between(0, sizes[0] - first);
        case.check_rows(&Tuning { b: source.choose(&B_READINGS), ..Tuning::on(isa) }, first, rows);
        compared += 1;
    }
    compared
}

/// [`everywhere`] for both element types in random layouts.
fn in_random_layouts(source: &mut Source, sizes: [usize; 3]) -> usize {
    let layouts = [(); 3].map(|()| source.between(0, LAYOUTS - 1));
    everywhere::<f32>(source, sizes, layouts) + everywhere::<f64>(source, sizes, layouts)
}

#[test]
fn same_bits_as_the_textbook_loop_on_random_shapes() {
    let source = &mut Source::new(1);
    let mut compared = 0;
    for _ in 0..200 {
        let sizes = [(); 3].map(|()| match source.between(0, 3) {
            0 => source.between(0, 4),
            1 | 2 => source.between(1, 40),
            _ => source.between(1, 130),
        });
        compared += in_random_layouts(source, sizes);
    }
    assert_eq!(compared, 200 * 2 * EVERYWHERE * Isa::available().len());
}

#[test]
fn same_bits_at_every_edge_of_the_tiles() {
    let source = &mut Source::new(2);
    let mut compared = 0;
    for (m, n) in (1..=25).flat_map(|m| (1..=33).map(move |n| (m, n))) {
        let k = source.choose(&[1, 2, 5]);
        compared += in_random_layouts(source, [m, n, k]);
    }
    assert_eq!(compared, 25 * 33 * 2 * EVERYWHERE * Isa::available().len());
}

#[test]
fn same_bits_in_every_layout() {
    let source = &mut Source::new(3);
    for sizes in [[13, 37, 21], [1, 37, 21], [37, 1, 21]] {
        for layout in 0..LAYOUTS * LAYOUTS * LAYOUTS {
            let layouts = [layout, layout / LAYOUTS, layout / LAYOUTS / LAYOUTS];
            everywhere::<f32>(source, sizes, layouts);
            everywhere::<f64>(source, sizes, layouts);
        }
    }
}

#[test]
fn same_bits_on_every_path() {
    let source = &mut Source::new(4);
    // One row and one column, each of the kernels for few rows, and the first height that has two tiles; short and deep
    // sums; narrow and wide results; both sides of the largest small product.
    let few = [1, 2, 3, 4, 12, 13].into_iter().flat_map(|m| [1, 64, 65, 200].map(|n| [m, n, 65]));
    let deep = [1, 5, 30].into_iter().flat_map(|m| [0, 1, 64, 65, 700].map(|k| [m, 70, k]));
    let small = [[64, 64, 64], [64, 64, 65], [65, 64, 64], [64, 65, 64], [200, 3, 90]];
    // Several blocks of wide strips where the second level is large.
    let wide = [[17, 145, 129], [20, 700, 800]];
    for sizes in few.chain(deep).chain(small).chain(wide) {
        in_random_layouts(source, sizes);
    }
    // B along its rows and along its columns for one row.
    for (n, k) in [1, 7, 8, 31, 64, 200].into_iter().flat_map(|n| [1, 3, 8, 17, 300].map(|k| (n, k))) {
        for b in [0, 1, 3] {
            everywhere::<f32>(source, [1, n, k], [0, b, 0]);
            everywhere::<f64>(source, [1, n, k], [0, b, 0]);
        }
    }
}

#[test]
fn empty_matrices_and_empty_sums_are_like_any_other() {
    let source = &mut Source::new(6);
    for m in [0, 1, 5] {
        for (n, k) in [0, 1, 40].into_iter().flat_map(|n| [0, 1, 3].map(|k| (n, k))) {
            in_random_layouts(source, [m, n, k]);
        }
    }
}

/// Pools of one to eight threads.
fn pools() -> Vec<ThreadPool> {
    (1..=8).map(|threads| ThreadPoolBuilder::new().num_threads(threads).build().unwrap()).collect()
}

/// One random product, large enough to be worth several threads, on each pool; the instruction sets take turns.
fn on_every_pool<T: Real>(source: &mut Source, pools: &[ThreadPool]) -> usize {
    let sizes = loop {
        // Two sizes are spread over the powers of two, and the third brings the work to a million multiply-adds.
        let mut sizes = [(); 3].map(|()| (1 << source.between(0, 9)) + source.between(0, 31));
        let last = source.between(0, 2);
        sizes[last] = 1;
        sizes[last] = 1_050_000usize.div_ceil(sizes.iter().product());
        if sizes[last] <= 5000 {
            break sizes;
        }
    };
    let layouts = [(); 3].map(|()| source.between(0, LAYOUTS - 1));
    let case = Case::<T>::new(source, sizes, layouts);
    let small = Blocks { mc: source.between(8, 64), kc: source.between(8, 64), nc: source.between(8, 200) };
    let isas = Isa::available();
    let turn = source.between(0, isas.len() - 1);
    for (i, pool) in pools.iter().enumerate() {
        let (a, b, order) = (source.choose(&A_READINGS), source.choose(&B_READINGS), source.choose(&ORDERS));
        let (blocks, caches) = (source.choose(&[None, Some(small)]), source.choose(&SOME_CACHES));
        let tuning = Tuning { isa: isas[(turn + i) % isas.len()], blocks, a, b, order, caches };
        pool.install(|| {
            assert_eq!(rayon::current_num_threads(), i + 1);
            case.check(&tuning, Parallelism::Rayon);
        });
    }
    pools.len()
}

#[test]
fn same_bits_on_one_to_eight_threads_on_random_shapes() {
    let (source, pools) = (&mut Source::new(10), pools());
    let compared: usize =
        (0..100).map(|_| on_every_pool::<f32>(source, &pools) + on_every_pool::<f64>(source, &pools)).sum();
    assert_eq!(compared, 200 * 8);
}

#[test]
fn same_bits_across_whole_blocks_and_threads() {
    // Larger than the default blocks in k and, with the last, in n; enough work to be split over threads.
    let pools = pools();
    for (seed, [m, n, k]) in [[203, 190, 517], [37, 4200, 70], [1000, 33, 300]].into_iter().enumerate() {
        let mut source = Source::new(seed as u64);
        let (a, b, c): (Vec<f32>, Vec<f32>, Vec<f32>) =
            (source.values(m * k), source.values(k * n), source.values(m * n));
        let (a, b) = (MatRef::row_major(&a, m, k).unwrap(), MatRef::row_major(&b, k, n).unwrap());
        let mut expected = c.clone();
        reference::gemm(0.5, a, b, 1.0, MatMut::row_major(&mut expected, m, n).unwrap());
        for (threads, pool) in (1..).zip(&pools) {
            let mut found = c.clone();
            pool.install(|| {
                gemm(0.5, a, b, 1.0, MatMut::row_major(&mut found, m, n).unwrap(), Parallelism::Rayon);
            });
            assert_same_bits(&found, &expected, || format!("{m}x{n}x{k} on {threads} threads"));
        }
    }
}

/// A product, of a transposed A if it is `upright`, planned for each of some caches, and as it comes.
fn on_some_caches<T: Real>(pools: &[ThreadPool], [m, n, k]: [usize; 3], upright: bool) {
    let mut source = Source::new((m + n + k) as u64);
    let (a, b, c): (Vec<T>, Vec<T>, Vec<T>) = (source.values(k * m), source.values(k * n), source.values(m * n));
    let b = MatRef::row_major(&b, k, n).unwrap();
    let a = match upright {
        true => MatRef::row_major(&a, k, m).unwrap().t(),
        false => MatRef::row_major(&a, m, k).unwrap(),
    };
    let mut expected = c.clone();
    reference::gemm(T::ONE, a, b, T::ONE, MatMut::row_major(&mut expected, m, n).unwrap());
    for (threads, pool) in (1..).zip(pools) {
        for caches in SOME_CACHES {
            let (mut found, tuning) = (c.clone(), Tuning { caches, ..Tuning::default() });
            let out = MatMut::row_major(&mut found, m, n).unwrap();
            pool.install(|| gemm_tuned(&tuning, T::ONE, a, b, T::ONE, out, Parallelism::Rayon));
            assert_same_bits(&found, &expected, || format!("{m}x{n}x{k} for {caches:?} on {threads} threads"));
        }
    }
}

#[test]
fn same_bits_for_a_large_transposed_a_that_meets_few_columns() {
    let pools = pools();
    for sizes in [[900, 100, 600], [850, 40, 650], [1030, 7, 530]] {
        on_some_caches::<f32>(&pools[..3], sizes, true);
        on_some_caches::<f64>(&pools[..3], sizes, true);
    }
}

#[test]
fn same_bits_for_strips_of_b_that_rows_of_a_meet_in_place() {
    let pools = pools();
    // Few rows and more, rows of B that share sets and others, strips that fill B and those that do not, one block and several.
    for sizes in [[17, 640, 133], [40, 230, 300], [61, 512, 600], [33, 1024, 200], [300, 150, 260], [70, 96 * 5, 900]] {
        for upright in [false, true] {
            on_some_caches::<f32>(&pools[..2], sizes, upright);
            on_some_caches::<f64>(&pools[..2], sizes, upright);
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

fn whole_numbers<T: Real>() {
    let (m, n, k) = (33, 47, 129);
    let a: Vec<T> = (0..m * k).map(|i| T::from_f64((i * 7 % 17) as f64 - 8.0)).collect();
    let b: Vec<T> = (0..k * n).map(|i| T::from_f64((i * 5 % 13) as f64 - 6.0)).collect();
    let (va, vb) = (MatRef::row_major(&a, m, k).unwrap(), MatRef::row_major(&b, k, n).unwrap());
    for (isa, b) in Isa::available().into_iter().flat_map(|isa| B_READINGS.map(|b| (isa, b))) {
        let mut c = vec![T::from_f64(f64::NAN); m * n];
        let view = MatMut::row_major(&mut c, m, n).unwrap();
        gemm_tuned(&Tuning { b, ..Tuning::on(isa) }, T::ONE, va, vb, T::ZERO, view, Parallelism::Serial);
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let exact: i64 = (0..k).map(|l| va.get(i, l).to_f64() as i64 * vb.get(l, j).to_f64() as i64).sum();
            assert_eq!(c[i * n + j].to_f64(), exact as f64, "{} {isa} {b:?} ({i}, {j})", T::NAME);
        }
    }
}

#[test]
fn whole_numbers_are_exact() {
    whole_numbers::<f32>();
    whole_numbers::<f64>();
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
fn an_empty_sum_that_is_added_leaves_a_large_c_unread() {
    // Whoever reads a signalling NaN and writes what becomes of it writes a quiet one.
    let signalling = f32::from_bits(0x7f80_0001);
    let none: [f32; 0] = [];
    for [m, n] in [[65, 65], [300, 7], [1, 1000], [1000, 1], [500, 500]] {
        let mut c = vec![signalling; m * n];
        let (a, b) = (MatRef::row_major(&none, m, 0).unwrap(), MatRef::row_major(&none, 0, n).unwrap());
        gemm(1.0, a, b, 1.0, MatMut::row_major(&mut c, m, n).unwrap(), Parallelism::Rayon);
        assert!(c.iter().all(|x| x.to_bits() == signalling.to_bits()), "{m}x{n}");
    }
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
    assert!(MatMut::strided(&mut data, 3, 3, 2, 1).unwrap_err().to_string().contains("overlap or interleave"));
    assert!(MatMut::strided(&mut data, 3, 3, 0, 1).is_err());
    assert!(MatRef::strided(&data, 3, 3, 0, 1).is_ok());
    assert!(MatRef::strided(&data, usize::MAX, 2, usize::MAX, 1).is_err());
}

#[test]
fn an_empty_result_of_large_operands_is_no_work_for_several_threads() {
    let data = vec![1.0f32; 1000 * 1000];
    let square = MatRef::row_major(&data, 1000, 1000).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    for (m, n) in [(0, 1000), (1000, 0), (0, 0)] {
        let (a, b) = (square.submatrix(0, 0, m, 1000), square.submatrix(0, 0, 1000, n));
        let mut empty: [f32; 0] = [];
        let c = MatMut::row_major(&mut empty, m, n).unwrap();
        pool.install(|| gemm(1.0, a, b, 0.0, c, Parallelism::Rayon));
    }
}
