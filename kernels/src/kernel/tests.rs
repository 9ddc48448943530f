//! Every kernel of every instruction set at every edge size, on operands that touch pages which cannot be touched.

use std::iter::successors;

use super::{Kernel, Later, Multiply, Run};
use crate::cache::Caches;
use crate::common::guard::{Edge, Guarded, named};
use crate::common::{Source, assert_same_bits};
use crate::sweep;
use crate::thin::{Columns, IN_PLACE, places};
use crate::{Isa, Real};

mod strip;

use strip::{Looks, Strip};

/// Depths: none, one, a few, and more than a vector has lanes.
const DEPTHS: [usize; 5] = [0, 1, 2, 5, 17];

/// Operands between guards, and a source of what is in them.
struct Bench<T> {
    source: Source,
    memory: [Guarded<T>; 5],
    name: String,
    runs: usize,
}

/// Rows of `n` elements, `c_row` apart, are as expected; between them, what was there before is there still.
fn assert_c<T: Real>(found: &[T], expected: &[T], (c_row, n): (usize, usize), text: &str) {
    for (row, expected) in expected.chunks(c_row).enumerate() {
        assert_same_bits(&found[row * c_row..][..n], &expected[..n], || format!("{text} row {row}"));
    }
    let mut between = found.chunks(c_row).flat_map(|row| &row[n.min(row.len())..]);
    assert!(between.all(|x| x.to_f64().is_nan()), "{text}");
}

impl<T: Real> Bench<T> {
    fn new(name: String) -> Self {
        // Tiles, and columns a page apart.
        let largest = (3 * 24 * 3 * 128).max(6 * 16 * 4096 / size_of::<T>());
        Self { source: Source::new(1), memory: [(); 5].map(|()| Guarded::new(largest)), name, runs: 0 }
    }

    /// A matrix of `rows` lines with `len` values in each, `stride` apart; NaN between them.
    fn lines(&mut self, rows: usize, len: usize, stride: usize) -> Vec<T> {
        if rows == 0 || len == 0 {
            return Vec::new();
        }
        let mut data = vec![nan(); (rows - 1) * stride + len];
        for line in data.chunks_mut(stride) {
            line[..len].copy_from_slice(&self.source.values(len));
        }
        data
    }
}

fn nan<T: Real>() -> T {
    T::from_f64(f64::NAN)
}

/// An instruction set's kernels, and those with shorter vectors that it uses for the last columns.
fn tables<T: Real>(isa: Isa) -> impl Iterator<Item = &'static Kernel<T>> {
    successors(crate::gemm::kernel::<T>(isa).into(), |kernel| kernel.half)
}

/// Where the tiles of a run lie, and what they are.
#[derive(Clone, Copy, Debug)]
struct Tiles {
    /// Down or to the right.
    down: bool,
    count: usize,
    height: usize,
    /// Columns of a tile, and of its vectors.
    width: usize,
    span: usize,
    k: usize,
    /// What is done about the strip ahead.
    looks: Looks,
}

/// `A B + beta C` by the textbook loop; what lies between the rows of C stays. A comes with its two strides, B and C with
/// theirs from row to row.
fn textbook<T: Real>(
    [m, n, k]: [usize; 3],
    (a, a_row, a_depth): (&[T], usize, usize),
    (b, b_depth): (&[T], usize),
    beta: T,
    (c, c_row): (&[T], usize),
) -> Vec<T> {
    let mut product = c.to_vec();
    for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
        let c = &mut product[i * c_row + j];
        let mut acc = if beta == T::ZERO { T::ZERO } else { beta * *c };
        for p in 0..k {
            acc = a[i * a_row + p * a_depth].mul_add(b[p * b_depth + j], acc);
        }
        *c = acc;
    }
    product
}

impl<T: Real> Bench<T> {
    /// A run of `tiles`, with `ahead` to pack or to ask for: how many rows, how many pieces in each tile and after how many steps.
    fn check(&mut self, multiply: Multiply<T>, lanes: usize, tiles: Tiles, ahead: [usize; 3]) {
        let Tiles { down, count, height, width, span, k, looks } = tiles;
        let (m, n) = if down { (count * height, width) } else { (height, count * width) };
        let (gap, along_rows) = (self.source.choose(&[0, 0, 3]), self.source.between(0, 1) == 0);
        let (a_row, a_depth) = if along_rows { (k + gap, 1) } else { (1, m + gap) };
        let a = if along_rows { self.lines(m, k, a_row) } else { self.lines(k, m, a_depth) };
        let (b_depth, c_row) = (n + gap, n + gap);
        let (b, c) = (self.lines(k, n, b_depth), self.lines(m, n, c_row));
        let beta = self.source.choose(&[0.0, 1.0, -0.3].map(T::from_f64));
        let expected = textbook([m, n, k], (&a, a_row, a_depth), (&b, b_depth), beta, (&c, c_row));
        let start = if beta == T::ZERO { vec![nan(); c.len()] } else { c };
        let [rows, in_tile, between] = ahead;
        let (lines, len) = if matches!(looks, Looks::Turns(_)) { (span, rows) } else { (rows, span) };
        let (strip, far) = (Strip { looks, rows, span, line: len + gap }, self.lines(lines, len, len + gap));
        let panel = strip.panel(&far, count * in_tile);

        for edge in Edge::BOTH {
            let text = format!("{} {tiles:?} beta {beta} gap {gap} ahead {ahead:?} at its {edge:?}", self.name);
            let [for_a, for_b, for_c, from, to] = &mut self.memory;
            let (found, packed) = (for_c.place(&start, edge), to.place(&vec![nan(); rows * span], edge));
            let steps = |right: usize, below: usize| if down { below as isize } else { right as isize };
            let ahead = strip.ahead(from.place(&far, edge).as_ptr(), packed.as_mut_ptr(), (in_tile, between));
            let (first, next) = (for_a.place(&a, edge).as_ptr(), height * a_row);
            let rows_of_a = Later::rows(first.wrapping_add(next), a_row as isize);
            let run = Run {
                tiles: count,
                k,
                a: first,
                a_row: a_row as isize,
                a_depth: a_depth as isize,
                a_tile: steps(0, next),
                a_later: if along_rows { rows_of_a } else { Later::NONE },
                b: for_b.place(&b, edge).as_ptr(),
                b_depth: b_depth as isize,
                b_tile: steps(width, 0),
                b_later: 2 * steps(width, 0),
                beta,
                c: found.as_mut_ptr(),
                c_row: c_row as isize,
                c_tile: steps(width, height * c_row),
                c_far: count > 1,
                last: width - (span - lanes),
                ahead: Some(&ahead),
            };
            // SAFETY: the operands are as large as the run says, and the kernel comes from a set that the CPU has.
            named(&text, || unsafe { multiply(&run) });
            assert_c(found, &expected, (c_row, n), &text);
            for (row, (found, expected)) in packed.chunks(span).zip(panel.chunks(span)).enumerate() {
                assert_same_bits(found, expected, || format!("{text} row {row} of the strip ahead"));
            }
        }
        self.runs += 1;
    }

    /// One kernel at each depth, for one to three tiles either way.
    fn check_tiles(&mut self, multiply: Multiply<T>, lanes: usize, height: usize, (width, span): (usize, usize)) {
        for k in DEPTHS {
            for count in 1..=3 {
                for down in [true, false] {
                    let tiles = Tiles { down, count, height, width, span, k, looks: Looks::Asks };
                    self.check(multiply, lanes, tiles, [0; 3]);
                }
            }
        }
    }
}

/// Runs of [`Bench::check_tiles`].
const RUNS: usize = DEPTHS.len() * 3 * 2;

fn tiles_stay_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let lanes = kernel.lanes;
            let bench = &mut Bench::<T>::new(format!("{} {isa} {lanes} lanes", T::NAME));
            let (mut whole, mut edge) = (0, 0);
            for (vectors, heights) in (1..).zip(kernel.whole) {
                for (height, &multiply) in (1..).zip(*heights) {
                    bench.check_tiles(multiply, lanes, height, (vectors * lanes, vectors * lanes));
                    whole += 1;
                }
            }
            for (vectors, heights) in (1..).zip(kernel.streaming).chain([(2, &kernel.panel)]) {
                for (height, &multiply) in (1..).zip(*heights) {
                    bench.check_tiles(multiply, lanes, height, (vectors * lanes, vectors * lanes));
                    whole += 1;
                }
            }
            for (vectors, heights) in (1..).zip(kernel.edge) {
                for (height, &multiply) in (1..).zip(*heights) {
                    for last in 1..=lanes {
                        bench.check_tiles(multiply, lanes, height, ((vectors - 1) * lanes + last, vectors * lanes));
                    }
                    edge += 1;
                }
            }
            let mut mixed = 0;
            for (vectors, heights) in (1..).zip(kernel.mixed) {
                for (height, &multiply) in (1..).zip(*heights) {
                    for last in 1..=lanes / 2 {
                        bench.check_tiles(multiply, lanes, height, ((vectors - 1) * lanes + last, vectors * lanes));
                    }
                    mixed += 1;
                }
            }
            // Every width has kernels of both sorts, and no list was passed over.
            assert!([kernel.whole, kernel.streaming, kernel.edge].iter().all(|table| table.len() == 8));
            assert!(whole >= 17 && edge >= 17, "{}: {whole} and {edge} kernels", bench.name);
            assert_eq!(mixed > 0, kernel.half.is_some(), "{}", bench.name);
            assert_eq!(bench.runs, RUNS * (whole + lanes * edge + lanes / 2 * mixed), "{}", bench.name);
        }
    }
}

fn looking_ahead_stays_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let lanes = kernel.lanes;
            let bench = &mut Bench::<T>::new(format!("{} {isa} {lanes} lanes, looking ahead", T::NAME));
            let packing = (2..).zip(kernel.packing).map(|(vectors, kernels)| (vectors, Looks::Copies, kernels));
            let turning = (3, Looks::Turns(kernel.turned), kernel.turning);
            let lists = packing.chain([turning, (3, Looks::Asks, kernel.asking)]);
            let mut found = Vec::new();
            for (vectors, looks, kernels) in lists {
                found.push(kernels.len());
                let runs = (1..).zip(kernels).flat_map(|kernel| DEPTHS.map(|k| (kernel, k)));
                for (((height, &multiply), k), count) in runs.flat_map(|run| (1..=3).map(move |count| (run, count))) {
                    // As the five loops ask for it, with nothing to do, and with more rows than the tiles come to.
                    for (rows, between) in [(k, count), (0, 1), (k, 1), (2 * k + 1, 1), (k, k + 1)] {
                        let width = vectors * lanes;
                        let tiles = Tiles { down: true, count, height, width, span: width, k, looks };
                        bench.check(multiply, lanes, tiles, [rows, k / between, between]);
                    }
                }
            }
            // Halves are for the last vector alone, which looks nowhere.
            let is_half = !std::ptr::eq(kernel, crate::gemm::kernel::<T>(isa));
            assert!(
                is_half || found[0] >= 4 && found[1..].iter().all(|&n| n >= 3),
                "{}: {found:?} kernels",
                bench.name
            );
            assert_eq!(bench.runs, 5 * 3 * DEPTHS.len() * found.iter().sum::<usize>(), "{}", bench.name);
        }
    }
}

fn columns_stay_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let bench = &mut Bench::<T>::new(format!("{} {isa}, columns", T::NAME));
            // The last are several visits deep.
            let depths = [0_usize, 1, 2, 5, 17, 50];
            for (n, k) in (1..=6 * kernel.lanes).flat_map(|n| depths.map(|k| (n, k))) {
                let m = bench.source.between(1, kernel.columns_rows);
                // Columns a few elements apart, whole lines, and what shares a set of the cache.
                let [line, page] = [64, 4096].map(|bytes| bytes / size_of::<T>());
                let b_column = bench.source.choose(&[k, k + 3, k.next_multiple_of(line), k.next_multiple_of(page)]);
                let a_row = if m > IN_PLACE { 1 } else { bench.source.between(1, 3) };
                let a_depth = if m > IN_PLACE { places(m) } else { m * a_row };
                let along = bench.source.between(0, 1) == 0;
                let (c_row, c_column) = if along { (n, 1) } else { (1, m) };
                let (a, b, c) = (bench.lines(k, a_depth, a_depth), bench.lines(n, k, b_column), bench.lines(m, n, n));
                let beta = bench.source.choose(&[0.0, 1.0, -0.3].map(T::from_f64));
                let mut expected = vec![T::ZERO; m * n];
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let at = i * c_row + j * c_column;
                    let start = if beta == T::ZERO { T::ZERO } else { beta * c[at] };
                    let chain = |acc: T, p: usize| a[p * a_depth + i * a_row].mul_add(b[j * b_column + p], acc);
                    expected[at] = (0..k).fold(start, chain);
                }
                let start = if beta == T::ZERO { vec![nan(); m * n] } else { c };
                for edge in Edge::BOTH {
                    let text = format!("{} {m}x{n}x{k}, columns {b_column} apart, at its {edge:?}", bench.name);
                    let [for_a, for_b, for_c, ..] = &mut bench.memory;
                    let found = for_c.place(&start, edge);
                    let job = Columns {
                        m,
                        n,
                        k,
                        a: for_a.place(&a, edge).as_ptr(),
                        a_row: a_row as isize,
                        a_depth: a_depth as isize,
                        b: for_b.place(&b, edge).as_ptr(),
                        b_column: b_column as isize,
                        beta,
                        c: found.as_mut_ptr(),
                        c_row: c_row as isize,
                        c_column: c_column as isize,
                    };
                    // SAFETY: the operands are as large as the job says, and the CPU has the instructions.
                    named(&text, || unsafe { (kernel.columns)(&job) });
                    assert_same_bits(found, &expected, || text.clone());
                }
                bench.runs += 1;
            }
            assert_eq!(bench.runs, 6 * kernel.lanes * depths.len());
        }
    }
}

fn sweeping_stays_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let bench = &mut Bench::<T>::new(format!("{} {isa}, sweep", T::NAME));
            // The last is wider than what the first level of cache holds of C.
            let wide = Caches::of_this_core().l1 / (2 * size_of::<T>()) + kernel.lanes + 1;
            let widths = (1..=9 * kernel.lanes).chain([wide]);
            // As B may come from near, or from so far that the next rows are asked for.
            let far = Caches { l3: 0, ..Caches::of_this_core() };
            let depths = [0, 1, 3, 4, 5, 9, 17];
            for (n, k) in widths.flat_map(|n| depths.map(|k| (n, k))).filter(|&(n, k)| n * k < 3 * wide) {
                let m = bench.source.between(1, sweep::MOST_ROWS);
                let (b_row, c_row) = (n + bench.source.choose(&[0, 3]), n + bench.source.choose(&[0, 5]));
                let (a_row, a_depth) = bench.source.choose(&[(k, 1), (1, m), (2 * k, 2)]);
                let reach = if k > 0 { (m - 1) * a_row + (k - 1) * a_depth + 1 } else { 0 };
                let a = bench.source.values::<T>(reach);
                let (b, c) = (bench.lines(k, n, b_row), bench.lines(m, n, c_row));
                let beta = bench.source.choose(&[0.0, 1.0, -0.3].map(T::from_f64));
                let mut expected = c.clone();
                for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
                    let at = i * c_row + j;
                    let start = if beta == T::ZERO { T::ZERO } else { beta * c[at] };
                    let chain = |acc: T, p: usize| a[i * a_row + p * a_depth].mul_add(b[p * b_row + j], acc);
                    expected[at] = (0..k).fold(start, chain);
                }
                let start = if beta == T::ZERO { vec![nan(); c.len()] } else { c };
                for (edge, caches) in Edge::BOTH.into_iter().flat_map(|edge| [None, Some(far)].map(|far| (edge, far))) {
                    let text = format!("{} {m}x{n}x{k}, rows {b_row} apart, at its {edge:?} {caches:?}", bench.name);
                    let [for_a, for_b, for_c, ..] = &mut bench.memory;
                    let found = for_c.place(&start, edge);
                    let run = Run {
                        k,
                        a_row: a_row as isize,
                        a_depth: a_depth as isize,
                        b_depth: b_row as isize,
                        beta,
                        c_row: c_row as isize,
                        ..Run::of(for_a.place(&a, edge).as_ptr(), for_b.place(&b, edge).as_ptr(), found.as_mut_ptr())
                    };
                    // SAFETY: the operands are as large as the run says, and the CPU has the instructions.
                    named(&text, || Caches::pretending(caches, || unsafe { (kernel.sweep)(&run, (m, n)) }));
                    assert_same_bits(found, &expected, || text.clone());
                }
                bench.runs += 1;
            }
            assert!(bench.runs > 6 * 9 * kernel.lanes, "{} runs", bench.runs);
        }
    }
}

fn arranging_stays_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let bench = &mut Bench::<T>::new(format!("{} {isa}", T::NAME));
            for (width, len) in (1..=4 * kernel.lanes + 1).flat_map(|width| DEPTHS.map(|len| (width, len))) {
                for (transposed, gap) in [(false, 0), (false, 3), (true, 0), (true, 3)] {
                    let (lines, long) = if transposed { (width, len) } else { (len, width) };
                    let (stride, row) = (long + gap, width + gap);
                    let source = bench.lines(lines, long, stride);
                    let arrange = if transposed { kernel.transpose } else { kernel.copy };
                    let mut expected = vec![nan(); if len == 0 { 0 } else { (len - 1) * row + width }];
                    for (p, j) in (0..len).flat_map(|p| (0..width).map(move |j| (p, j))) {
                        expected[p * row + j] = source[if transposed { j * stride + p } else { p * stride + j }];
                    }
                    for edge in Edge::BOTH {
                        let text = format!("{} {transposed} {width} x {len} gap {gap} at its {edge:?}", bench.name);
                        let [from, to, ..] = &mut bench.memory;
                        let panel = to.place(&vec![nan(); expected.len()], edge);
                        let (source, to) = (from.place(&source, edge).as_ptr(), panel.as_mut_ptr());
                        // SAFETY: the operands are as large as the widths and strides say.
                        named(&text, || unsafe { arrange(source, stride as isize, width, len, to, row) });
                        assert_same_bits(panel, &expected, || text.clone());
                    }
                    bench.runs += 1;
                }
            }
            assert_eq!(bench.runs, 4 * (4 * kernel.lanes + 1) * DEPTHS.len());
        }
    }
}

fn thinning_out_stays_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let bench = &mut Bench::<T>::new(format!("{} {isa}, every second", T::NAME));
            for (width, len) in (1..=4 * kernel.lanes + 1).flat_map(|width| DEPTHS.map(|len| (width, len))) {
                for gap in [0, 1, 4] {
                    let (long, row) = (2 * width - 1, width + gap);
                    let stride = long + gap;
                    let mut source = bench.lines(len, long, stride);
                    let mut expected = vec![nan(); if len == 0 { 0 } else { (len - 1) * row + width }];
                    for (p, j) in (0..len).flat_map(|p| (0..width).map(move |j| (p, j))) {
                        expected[p * row + j] = source[p * stride + 2 * j];
                    }
                    // What lies between is nobody's.
                    for (p, j) in (0..len).flat_map(|p| (0..width - 1).map(move |j| (p, j))) {
                        source[p * stride + 2 * j + 1] = nan();
                    }
                    for edge in Edge::BOTH {
                        let text = format!("{} {width} x {len} gap {gap} at its {edge:?}", bench.name);
                        let [from, to, ..] = &mut bench.memory;
                        let panel = to.place(&vec![nan(); expected.len()], edge);
                        let (source, to) = (from.place(&source, edge).as_ptr(), panel.as_mut_ptr());
                        // SAFETY: the operands are as large as the widths and strides say.
                        named(&text, || unsafe { (kernel.every_second)(source, stride as isize, width, len, to, row) });
                        assert_same_bits(panel, &expected, || text.clone());
                    }
                    bench.runs += 1;
                }
            }
            assert_eq!(bench.runs, 3 * (4 * kernel.lanes + 1) * DEPTHS.len());
        }
    }
}

fn dealing_stays_inside<T: Real>() {
    for isa in Isa::available() {
        for kernel in tables::<T>(isa) {
            let bench = &mut Bench::<T>::new(format!("{} {isa}, dealing", T::NAME));
            for (strips, len) in (1..=4).flat_map(|strips| DEPTHS.map(|len| (strips, len))) {
                // Strips of B are whole vectors, those of A as wide as tiles are high.
                let spans = [2 * kernel.lanes, 4 * kernel.lanes, 4, 6, 12];
                for (gap, span) in [0, 3].into_iter().flat_map(|gap| spans.map(|span| (gap, span))) {
                    let (width, step) = (strips * span, len * span + gap);
                    let stride = width + gap;
                    let source = bench.lines(len, width, stride);
                    let mut expected = vec![nan(); if len == 0 { 0 } else { (strips - 1) * step + len * span }];
                    for (p, j) in (0..len).flat_map(|p| (0..width).map(move |j| (p, j))) {
                        expected[j / span * step + p * span + j % span] = source[p * stride + j];
                    }
                    for edge in Edge::BOTH {
                        let text =
                            format!("{} {strips} strips of {span}, {len} rows, gap {gap} at its {edge:?}", bench.name);
                        let [from, to, ..] = &mut bench.memory;
                        let panels = to.place(&vec![nan(); expected.len()], edge);
                        let (source, to) = (from.place(&source, edge).as_ptr(), panels.as_mut_ptr());
                        // SAFETY: the operands are as large as the strips and strides say.
                        named(&text, || unsafe {
                            (kernel.deal)((source, stride as isize), (strips, span), (len, gap == 0), (to, step))
                        });
                        assert_same_bits(panels, &expected, || text.clone());
                    }
                    bench.runs += 1;
                }
            }
            assert_eq!(bench.runs, 4 * 10 * DEPTHS.len());
        }
    }
}

/// The tests of both element types.
macro_rules! both {
    ($($name:ident: $test:ident;)+) => {
        $(#[test]
        fn $name() {
            $test::<f32>();
            $test::<f64>();
        })+
    };
}

both! {
    every_tile_stays_inside_its_operands: tiles_stay_inside;
    every_tile_that_looks_ahead_stays_inside_its_operands_and_its_panel: looking_ahead_stays_inside;
    every_row_vector_stays_inside_its_operands: columns_stay_inside;
    every_sweep_stays_inside_its_operands: sweeping_stays_inside;
    every_copy_and_transpose_stays_inside_its_operands: arranging_stays_inside;
    every_thinning_out_stays_inside_its_operands: thinning_out_stays_inside;
    every_deal_stays_inside_its_operands: dealing_stays_inside;
}
