//! Products that pack, in rooms between pages that cannot be touched; and products that nobody tuned, on every
//! instruction set.

use super::Product;
use crate::cache::{Caches, PAGE};
use crate::common::guard::{Edge, Guarded, named};
use crate::common::matrix::{LAYOUTS, Matrix};
use crate::common::{SOME_CACHES, Source, assert_same_bits};
use crate::conv::{backward_input_tuned, backward_weights_tuned, forward_tuned};
use crate::gemm::{Tuning, gemm_tuned};
use crate::scratch::guarded::{EDGE, LENT};
use crate::small::LONG_TURN;
use crate::{
    Blocks, ConvGeometry, Isa, MatMut, MatRef, Order, Parallelism, Reading, Real, TensorMut, TensorRef, reference,
};

/// How many shapes are tried.
const SHAPES: usize = 80;

/// Runs `call` in guarded rooms and returns how many rooms for A and for B it was lent.
fn in_guarded_rooms(edge: Edge, case: &str, call: impl FnOnce()) -> [usize; 2] {
    LENT.set([0; 2]);
    EDGE.set(Some(edge));
    named(case, call);
    EDGE.set(None);
    LENT.get()
}

/// One product with both operands packed, and two with B packed in passing, in blocks of the given sizes. Returns how many
/// rooms for B they were lent.
fn packed_product<T: Real>(source: &mut Source, [m, n, k]: [usize; 3], blocks: Option<Blocks>) -> [usize; 3] {
    // What allows packing in passing comes twice.
    let layouts = [(); 3].map(|()| source.choose(&[0, 0, 2, 2, 1, 3, 4, 5]));
    let a = Matrix::<T>::random(source, (m, k), layouts[0]);
    let b = Matrix::<T>::random(source, (k, n), layouts[1]);
    let c = Matrix::<T>::random(source, (m, n), layouts[2]);
    let alpha = source.choose(&[1.0, -1.5].map(T::from_f64));
    let beta = source.choose(&[0.0, 1.0, 0.5].map(T::from_f64));
    let mut expected = c.clone();
    reference::gemm(alpha, a.view(), b.view(), beta, expected.view_mut());
    let mut lent = [0; 3];
    for isa in Isa::available() {
        let readings = [Reading::Packed, Reading::InPassing, Reading::Turning].into_iter().enumerate();
        let order = source.choose(&[None, Some(Order::RowsInside), Some(Order::StripsInside)]);
        let caches = source.choose(&SOME_CACHES);
        for ((way, reading), edge) in readings.flat_map(|reading| Edge::BOTH.map(|edge| (reading, edge))) {
            let tuning = Tuning { isa, blocks, a: Some(Reading::Packed), b: Some(reading), order, caches };
            let strides = (a.strides, b.strides, c.strides);
            let case = format!("{} {m}x{n}x{k} {strides:?} {tuning:?} in rooms at their {edge:?}", T::NAME);
            let mut found = c.clone();
            let [for_a, for_b] = in_guarded_rooms(edge, &case, || {
                gemm_tuned(&tuning, alpha, a.view(), b.view(), beta, found.view_mut(), Parallelism::Serial);
            });
            assert_same_bits(&found.values, &expected.values, || case.clone());
            assert!(for_a == 1 && for_b <= 1, "{case}: {for_a} and {for_b} rooms");
            lent[way] += for_b;
        }
    }
    lent
}

#[test]
fn products_stay_inside_the_rooms_they_pack_into() {
    let source = &mut Source::new(7);
    let (mut packed, mut in_passing, mut turning) = (0, 0, 0);
    for shape in 0..SHAPES {
        // Some are large enough for strips that all rows of A meet one after another, some for blocks of wide strips.
        let least = [[1, 1, 1], [13, 70, 65], [17, 60, 129]][shape % 3];
        let sizes = least.map(|least| source.between(least, least + 70));
        let small = Blocks { mc: source.between(1, 30), kc: source.between(1, 20), nc: source.between(1, 80) };
        for blocks in [None, Some(small)] {
            for lent in [packed_product::<f32>(source, sizes, blocks), packed_product::<f64>(source, sizes, blocks)] {
                packed += lent[0];
                in_passing += lent[1];
                turning += lent[2];
            }
        }
    }
    let most = SHAPES * 2 * 2 * Edge::BOTH.len() * Isa::available().len();
    assert_eq!(packed, most);
    // A layout that forbids it falls back to another reading.
    assert!(in_passing > most / 4 && turning > most / 4, "{in_passing} and {turning} of {most}");
}

/// A few rows times two columns or more of a B whose columns are contiguous, read column by column. Returns how many rooms for A that took.
fn few_rows<T: Real>(source: &mut Source, [m, n, k]: [usize; 3]) -> usize {
    let (alpha, beta) = (source.choose(&[1.0, -1.5]), source.choose(&[0.0, 1.0, 0.5]));
    let (alpha, beta) = (T::from_f64(alpha), T::from_f64(beta));
    let (for_a, for_b) = (source.between(0, LAYOUTS - 1), source.choose(&[1, 3]));
    let a = Matrix::<T>::random(source, (m, k), for_a);
    let b = Matrix::<T>::random(source, (k, n), for_b);
    let for_c = source.choose(&[0, 2]);
    let c = Matrix::<T>::random(source, (m, n), for_c);
    let mut expected = c.clone();
    reference::gemm(alpha, a.view(), b.view(), beta, expected.view_mut());
    let mut rooms = 0;
    for (isa, edge) in Isa::available().into_iter().flat_map(|isa| Edge::BOTH.map(|edge| (isa, edge))) {
        let tuning = Tuning { b: Some(Reading::Columns), ..Tuning::on(isa) };
        let case = format!("{} {m}x{n}x{k} {:?} {isa} in rooms at their {edge:?}", T::NAME, (a.strides, b.strides));
        let mut found = c.clone();
        let [for_a, for_b] = in_guarded_rooms(edge, &case, || {
            gemm_tuned(&tuning, alpha, a.view(), b.view(), beta, found.view_mut(), Parallelism::Serial);
        });
        assert_same_bits(&found.values, &expected.values, || case.clone());
        let reads_columns = m <= crate::gemm::kernel::<T>(isa).columns_rows;
        assert!(for_a <= 1 && (for_b == 0 || !reads_columns), "{case}: {for_a} and {for_b} rooms");
        rooms += for_a;
    }
    rooms
}

#[test]
fn a_few_rows_stay_inside_the_room_that_they_are_packed_into() {
    let source = &mut Source::new(17);
    let mut rooms = 0;
    for case in 0..SHAPES {
        // Some are so deep that they are packed a part at a time.
        let deep = if case % 16 == 0 { 6000 } else { 1 };
        let shape = [source.between(3, 12), source.between(2, 70), deep + source.between(0, 120)];
        rooms += few_rows::<f32>(source, shape) + few_rows::<f64>(source, shape);
    }
    let most = SHAPES * 2 * Edge::BOTH.len() * Isa::available().len();
    assert!(rooms > most / 2, "{rooms} rooms of {most}");
}

fn of(data: &[f32], shape: [usize; 4]) -> TensorRef<'_, f32> {
    TensorRef::dense(data, shape).unwrap()
}

fn to(data: &mut [f32], shape: [usize; 4]) -> TensorMut<'_, f32> {
    TensorMut::dense(data, shape).unwrap()
}

#[test]
fn convolutions_stay_inside_the_rooms_they_pack_into() {
    let source = &mut Source::new(8);
    let (mut lent, mut without_copy) = (0, 0);
    for seed in 0..60 {
        let kernel = [source.between(1, 3), source.between(1, 3)];
        let geometry = ConvGeometry {
            kernel,
            stride: [source.between(1, 2), source.between(1, 2)],
            padding: [source.between(0, 1), source.between(0, 1)],
            dilation: [1, source.between(1, 2)],
        };
        let size = [source.between(5, 9), source.between(5, 20)];
        let [oh, ow] = geometry.output_size(size).expect("the images are larger than the kernels");
        let (n, c, o) = (source.between(1, 2), source.between(1, 9), source.between(1, 14));
        let shapes = [[n, c, size[0], size[1]], [o, c, kernel[0], kernel[1]], [n, o, oh, ow]];
        let [x, w, y] = shapes.map(|shape| source.values::<f32>(shape.iter().product()));
        let [xs, ws, ys] = shapes;
        let (mut ex, mut ew, mut ey) = (x.clone(), w.clone(), y.clone());
        reference::conv_forward(&geometry, -1.5, of(&w, ws), of(&x, xs), 0.0, to(&mut ey, ys));
        reference::conv_backward_input(&geometry, -1.5, of(&w, ws), of(&y, ys), 0.5, to(&mut ex, xs));
        reference::conv_backward_weights(&geometry, -1.5, of(&y, ys), of(&x, xs), 1.0, to(&mut ew, ws));
        let small = Blocks { mc: source.between(1, 20), kc: source.between(1, 9), nc: source.between(1, 40) };
        for (isa, edge) in Isa::available().into_iter().flat_map(|isa| Edge::BOTH.map(|edge| (isa, edge))) {
            let (a, b) = (Some(Reading::Packed), Some(Reading::Packed));
            let tuning = Tuning { blocks: source.choose(&[None, Some(small)]), a, b, ..Tuning::on(isa) };
            let case = format!("seed {seed} {geometry:?} {shapes:?} {tuning:?} at its {edge:?}");
            let (mut fx, mut fw, mut fy) = (x.clone(), w.clone(), y.clone());
            let serial = Parallelism::Serial;
            let rooms = in_guarded_rooms(edge, &case, || {
                forward_tuned(&tuning, &geometry, (-1.5, of(&w, ws)), of(&x, xs), (0.0, to(&mut fy, ys)), serial);
                backward_input_tuned(
                    &tuning,
                    &geometry,
                    (-1.5, of(&w, ws)),
                    of(&y, ys),
                    (0.5, to(&mut fx, xs)),
                    serial,
                );
                let dw = (1.0, to(&mut fw, ws));
                backward_weights_tuned(&tuning, &geometry, (-1.5, of(&y, ys)), of(&x, xs), dw, serial);
            });
            // Each pass packs filters; those that copy the images need a second room.
            assert!(rooms[1] >= 3, "{case}: {rooms:?} rooms");
            without_copy += usize::from(rooms[0] < 2);
            assert_same_bits(&fy, &ey, || format!("forward {case}"));
            assert_same_bits(&fx, &ex, || format!("backward_input {case}"));
            assert_same_bits(&fw, &ew, || format!("backward_weights {case}"));
            lent += 1;
        }
    }
    assert_eq!(lent, 60 * 2 * Isa::available().len());
    assert!((lent / 20..lent * 4 / 5).contains(&without_copy), "{without_copy} of {lent} read images in place");
}

/// Nine channels and more, a page apart, which a convolution of few of them copies before it meets them.
fn convolution_of_far_channels<T: Real>(source: &mut Source) -> usize {
    let (c, w) = (source.between(9, 11), source.choose(&[7, 16, 33]));
    let geometry = ConvGeometry {
        kernel: [source.choose(&[1, 3]), source.choose(&[3, 5])],
        stride: [1, 1],
        padding: [source.between(0, 1), source.between(0, 2)],
        dilation: [1, 1],
    };
    let apart = PAGE / size_of::<T>();
    let (xs, o) = ([1, c, 4, w], source.choose(&[16, 32]));
    let [oh, ow] = geometry.output_size([4, w]).expect("the images are larger than the kernels");
    let (ws, ys) = ([o, c, geometry.kernel[0], geometry.kernel[1]], [1, o, oh, ow]);
    let x = source.values::<T>((c - 1) * apart + 4 * w);
    let [filters, y] = [ws, ys].map(|shape| source.values::<T>(shape.iter().product()));
    let x = TensorRef::strided(&x, xs, [c * apart, apart, w, 1]).unwrap();
    let filters = TensorRef::dense(&filters, ws).unwrap();
    let mut expected = y.clone();
    reference::conv_forward(&geometry, T::ONE, filters, x, T::ONE, TensorMut::dense(&mut expected, ys).unwrap());
    let mut copied = 0;
    for (isa, edge) in Isa::available().into_iter().flat_map(|isa| Edge::BOTH.map(|edge| (isa, edge))) {
        let mut found = y.clone();
        let case = format!("{} {isa} {geometry:?} {xs:?} {ws:?} in rooms at their {edge:?}", T::NAME);
        let lent = in_guarded_rooms(edge, &case, || {
            let (tuning, serial) = (Tuning::on(isa), Parallelism::Serial);
            let y = TensorMut::dense(&mut found, ys).unwrap();
            forward_tuned(&tuning, &geometry, (T::ONE, filters), x, (T::ONE, y), serial);
        });
        assert_same_bits(&found, &expected, || case.clone());
        copied += lent[0];
    }
    copied
}

#[test]
fn copies_of_far_channels_stay_inside_their_rooms() {
    let source = &mut Source::new(15);
    let copied: usize =
        (0..40).map(|_| convolution_of_far_channels::<f32>(source) + convolution_of_far_channels::<f64>(source)).sum();
    assert!(copied > 0);
}

/// Runs `call` with A, B and C between guard pages, whose C must become `expected`.
fn guarded<T: Real>(
    memory: &mut [Guarded<T>; 3],
    [a, b, c]: [&Matrix<T>; 3],
    (expected, edge): (&Matrix<T>, Edge),
    case: &str,
    call: impl FnOnce(MatRef<'_, T>, MatRef<'_, T>, MatMut<'_, T>),
) {
    let case = format!("{case} at its {edge:?}");
    let [for_a, for_b, for_c] = memory;
    let (a_data, b_data) = (for_a.place(&a.values, edge), for_b.place(&b.values, edge));
    let found = for_c.place(&c.values, edge);
    named(&case, || call(a.of(a_data), b.of(b_data), c.of_mut(found)));
    assert_same_bits(found, &expected.values, || case.clone());
}

/// One product without a tuning, in layouts that the small path takes and in those that it does not.
fn untuned_product<T: Real>([m, n, k]: [usize; 3], layouts: [usize; 3], [alpha, beta]: [f64; 2]) {
    let source = &mut Source::new((m * 131 + n * 17 + k) as u64);
    let a = Matrix::<T>::random(source, (m, k), layouts[0]);
    let b = Matrix::<T>::random(source, (k, n), layouts[1]);
    let c = Matrix::<T>::random(source, (m, n), layouts[2]);
    let (alpha, beta) = (T::from_f64(alpha), T::from_f64(beta));
    let mut expected = c.clone();
    reference::gemm(alpha, a.view(), b.view(), beta, expected.view_mut());
    let mut memory = [&a, &b, &c].map(|matrix| Guarded::<T>::new(matrix.values.len()));
    for (isa, edge) in Isa::available().into_iter().flat_map(|isa| Edge::BOTH.map(|edge| (isa, edge))) {
        let case = format!("{} {isa} {m}x{n}x{k} layouts {layouts:?} alpha {alpha} beta {beta}", T::NAME);
        guarded(&mut memory, [&a, &b, &c], (&expected, edge), &case, |a, b, c| {
            let kernel = crate::gemm::kernel(isa);
            crate::gemm::multiply(kernel, None, (alpha, a), b, (beta, c), Parallelism::Serial);
        });
    }
}

/// Caches so small that any B is far.
const TINY: Caches = Caches { l1: 4 << 10, l2: 8 << 10, l3: 16 << 10 };

#[test]
fn every_instruction_set_takes_the_untuned_paths() {
    let source = &mut Source::new(9);
    let mut each = |sizes: [usize; 3]| {
        let layouts = [(); 3].map(|()| source.choose(&[0, 0, 1, 2, 3, 4]));
        let scales = [source.choose(&[1.0, 1.0, -1.5, 0.0]), source.choose(&[0.0, 1.0, 0.5])];
        let [_, others @ ..] = SOME_CACHES;
        let caches = source.choose(&[None, others[0], others[1], others[2], Some(TINY)]);
        Caches::pretending(caches, || {
            untuned_product::<f32>(sizes, layouts, scales);
            untuned_product::<f64>(sizes, layouts, scales);
        });
    };
    // Every width of the last strip and every height of the last tile; each of the kernels for few rows; one column.
    for m in 1..=25 {
        for n in 1..=33 {
            each([m, n, 1 + (m + n) % 7]);
        }
    }
    for m in [1, 2, 3, 4, 12, 13] {
        for n in [1, 2, 63, 64, 65, 130, 257] {
            for k in [0, 1, 64, 65, 300] {
                each([m, n, k]);
            }
        }
    }
    // On both sides of the largest small product.
    for sizes in [[64, 64, 64], [64, 64, 65], [64, 65, 64], [65, 64, 64], [16, 128, 128], [129, 128, 16]] {
        each(sizes);
    }
    // The last columns summed with rows on the lanes; nothing to sum; wide strips, in place and turned.
    for sizes in [[65, 65, 9], [70, 66, 40], [65, 65, 0], [97, 97, 5], [100, 145, 33], [97, 200, 160]] {
        (0..5).for_each(|_| each(sizes));
    }
}

/// Few rows and a B that is far: whole rows of it pass, also where they share sets of the first level.
fn sweeps<T: Real>() {
    for m in 1..=4 {
        for (n, k) in [(129, 33), (200, 40), (1024, 17), (1024, 24)] {
            for layouts in [[0, 0, 0], [1, 0, 2], [4, 0, 0]] {
                untuned_product::<T>([m, n, k], layouts, [1.0, 1.0]);
            }
        }
    }
}

#[test]
fn few_rows_meet_a_far_b() {
    Caches::pretending(Some(TINY), sweeps::<f32>);
    Caches::pretending(Some(TINY), sweeps::<f64>);
    let source = &mut Source::new(13);
    for _ in 0..60 {
        let sizes = [source.between(2, 4), source.choose(&[140, 1024]), source.between(17, 40)];
        Caches::pretending(Some(TINY), || {
            part_of_a_product::<f32>(source, sizes, [0, 0, 0]);
            part_of_a_product::<f64>(source, sizes, [0, 0, 2]);
        });
    }
}

/// A tall tile of A, and B in strips that are asked for while the one before them is multiplied.
fn asking_product<T: Real>(source: &mut Source, [m, n, k]: [usize; 3]) {
    let a = Matrix::<T>::random(source, (m, k), source.clone().choose(&[0, 2]));
    let b = Matrix::<T>::random(source, (k, n), source.clone().choose(&[0, 2, 1]));
    let c = Matrix::<T>::random(source, (m, n), source.clone().choose(&[0, 2]));
    let mut expected = c.clone();
    reference::gemm(T::ONE, a.view(), b.view(), T::ONE, expected.view_mut());
    let mut memory = [&a, &b, &c].map(|matrix| Guarded::<T>::new(matrix.values.len()));
    for (isa, edge) in Isa::available().into_iter().flat_map(|isa| Edge::BOTH.map(|edge| (isa, edge))) {
        let readings = [Reading::Streamed, Reading::InPassing, Reading::Turning, Reading::Packed];
        for reading in [None].into_iter().chain(readings.map(Some)) {
            let tuning = Tuning { b: reading, caches: SOME_CACHES[1], ..Tuning::on(isa) };
            let case = format!("{} {m}x{n}x{k} {:?} {tuning:?}", T::NAME, b.strides);
            guarded(&mut memory, [&a, &b, &c], (&expected, edge), &case, |a, b, c| {
                gemm_tuned(&tuning, T::ONE, a, b, T::ONE, c, Parallelism::Serial);
            });
        }
    }
}

#[test]
fn products_on_a_large_second_level_stay_inside_their_operands() {
    let source = &mut Source::new(14);
    for sizes in [[17, 145, 129], [33, 230, 160], [25, 97, 300], [97, 300, 129], [50, 400, 140], [300, 250, 280]] {
        asking_product::<f32>(source, sizes);
        asking_product::<f64>(source, sizes);
    }
}

/// A part of one product that nobody tuned, as a thread computes it among others: the rest of C stays as it was.
fn part_of_a_product<T: Real>(source: &mut Source, [m, n, k]: [usize; 3], layouts: [usize; 3]) {
    let a = Matrix::<T>::random(source, (m, k), layouts[0]);
    let b = Matrix::<T>::random(source, (k, n), layouts[1]);
    let c = Matrix::<T>::random(source, (m, n), layouts[2]);
    let [rows, cols] = [m, n].map(|len| {
        let first = source.between(0, len - 1);
        first..first + source.choose(&[1, 2, len]).min(len - first)
    });
    let (mut whole, mut expected) = (c.clone(), c.clone());
    reference::gemm(T::ONE, a.view(), b.view(), T::ONE, whole.view_mut());
    for (i, j) in rows.clone().flat_map(|i| cols.clone().map(move |j| (i, j))) {
        expected.view_mut().set(i, j, whole.view().get(i, j));
    }
    for isa in Isa::available() {
        let mut found = c.clone();
        let product = Product::of((T::ONE, a.view()), b.view(), (T::ONE, found.view_mut())).oriented();
        let seen = if product.c.rows.len() == m { [rows.clone(), cols.clone()] } else { [cols.clone(), rows.clone()] };
        let [seen_rows, seen_cols] = seen;
        // SAFETY: the operands are views, and the part is this task's alone.
        unsafe { product.compute(crate::gemm::kernel(isa), None, seen_rows, seen_cols) };
        assert_same_bits(&found.values, &expected.values, || {
            format!("{} {isa} rows {rows:?} columns {cols:?} of {m}x{n}x{k} layouts {layouts:?}", T::NAME)
        });
    }
}

#[test]
fn parts_of_a_product_leave_the_rest_alone() {
    let source = &mut Source::new(12);
    for shape in 0..300 {
        let [m, k] = [(); 2].map(|()| source.between(2, 90));
        // More columns than rows, so that a transposed product is known by its shape.
        let n = m + 1 + shape % 40;
        let deep = if shape % 10 == 0 { 20 * k } else { k };
        let layouts = [(); 3].map(|()| source.between(0, LAYOUTS - 1));
        part_of_a_product::<f32>(source, [m, n, deep], layouts);
        part_of_a_product::<f64>(source, [m, n, deep], layouts);
    }
}

/// One product that nobody tuned, in guarded rooms, of which it has to ask for as many as `rooms` allows.
fn product_in_rooms<T: Real>(
    source: &mut Source,
    [m, n, k]: [usize; 3],
    layouts: [&[usize]; 3],
    rooms: impl Fn([usize; 2]) -> bool,
) {
    let [a, b, c] = layouts.map(|layouts| source.choose(layouts));
    let a = Matrix::<T>::random(source, (m, k), a);
    let b = Matrix::<T>::random(source, (k, n), b);
    let c = Matrix::<T>::random(source, (m, n), c);
    let beta = source.choose(&[0.0, 1.0, 0.5].map(T::from_f64));
    let mut expected = c.clone();
    reference::gemm(T::ONE, a.view(), b.view(), beta, expected.view_mut());
    for (isa, edge) in Isa::available().into_iter().flat_map(|isa| Edge::BOTH.map(|edge| (isa, edge))) {
        let mut found = c.clone();
        let case = format!("{} {isa} {m}x{n}x{k} {:?} {:?} in rooms at their {edge:?}", T::NAME, a.strides, b.strides);
        let lent = in_guarded_rooms(edge, &case, || {
            let (kernel, view) = (crate::gemm::kernel(isa), found.view_mut());
            crate::gemm::multiply(kernel, None, (T::ONE, a.view()), b.view(), (beta, view), Parallelism::Serial);
        });
        assert_same_bits(&found.values, &expected.values, || case.clone());
        assert!(rooms(lent), "{case}: {lent:?} rooms");
    }
}

/// One small product whose B has contiguous columns; a few rows may be packed and read it column by column.
fn turned_product<T: Real>(source: &mut Source, sizes @ [m, _, k]: [usize; 3]) {
    let may_be_few = m <= 12 && k >= LONG_TURN;
    let rooms = |lent: [usize; 2]| lent == [0, 1] || may_be_few && lent[1] == 0;
    product_in_rooms::<T>(source, sizes, [&[0, 1, 2, 4], &[1, 3], &[2]], rooms);
}

#[test]
fn small_products_stay_inside_the_room_they_turn_strips_in() {
    let source = &mut Source::new(10);
    for n in 2..=70 {
        let sizes = [source.between(2, 80), n, source.between(2, 70)];
        turned_product::<f32>(source, sizes);
        turned_product::<f64>(source, sizes);
    }
    for sizes in [[2, 130, 160], [3, 70, 160], [13, 70, 160], [96, 96, 96], [128, 33, 160]] {
        turned_product::<f32>(source, sizes);
        turned_product::<f64>(source, sizes);
    }
}

/// One tall product of a transposed A that the second level of cache does not hold.
fn tall_product<T: Real>(source: &mut Source, n: usize) {
    let m = 8 * n + source.between(0, 300);
    let k = Caches::of_this_core().l2 / (m * size_of::<T>()) + source.between(1, 30);
    product_in_rooms::<T>(source, [m, n, k], [&[1, 3], &[0, 1, 2, 3, 4], &[0, 2]], |[_, lent]| lent > 0);
}

#[test]
fn tall_products_stay_inside_the_rooms_of_their_transposes() {
    let source = &mut Source::new(11);
    for n in [2, 3, 4, 7, 8, 15, 16] {
        tall_product::<f32>(source, n);
        tall_product::<f64>(source, 2 * n);
    }
    // Those that wide strips of A, seen transposed, meet in place, where the second level is large.
    for n in [24, 37, 90] {
        let sizes = [source.between(192, 300), n, source.between(129, 200)];
        Caches::pretending(SOME_CACHES[1], || {
            product_in_rooms::<f32>(source, sizes, [&[1, 3], &[0, 1, 2, 3, 4], &[0, 2]], |_| true);
            product_in_rooms::<f64>(source, sizes, [&[1, 3], &[0, 1, 2, 3, 4], &[0, 2]], |_| true);
        });
    }
}
