//! The table of cases: every size around the edges of tiles and blocks, every layout, every kind of scale and value.

use std::collections::HashSet;

use fathom_kernels::{Blocks, Caches, ConvGeometry};

use super::case::{Case, Dtype, How};
use super::convolution::{Convolution, Order, Pass};
use super::gemm::{Layout, Product};
use super::values::Values;

/// Sides of the kernels' tiles: 4 x 8 portable, 6 x 16 and 6 x 8 AVX2, 12 x 32 and 12 x 16 AVX-512.
const MR: [usize; 4] = [4, 6, 12, 24];
const NR: [usize; 3] = [8, 16, 32];
/// Bytes of an element, and the columns of a strip, of every kernel.
const STRIPS: [(Dtype, usize, usize); 6] = [
    (Dtype::F32, 4, 8),
    (Dtype::F64, 8, 8),
    (Dtype::F32, 4, 16),
    (Dtype::F64, 8, 8),
    (Dtype::F32, 4, 32),
    (Dtype::F64, 8, 16),
];

const DTYPES: [Dtype; 2] = [Dtype::F32, Dtype::F64];
const SCALES: [f64; 4] = [0.0, 1.0, -1.0, 0.7];
const WHOLE_SCALES: [f64; 4] = [0.0, 1.0, -1.0, 2.0];
const PASSES: [Pass; 3] = [Pass::Forward, Pass::Input, Pass::Weights];
const ORDERS: [Order; 4] = [Order::Nchw, Order::Nhwc, Order::Cnhw, Order::Gaps];
const ROW_MAJOR: [Layout; 3] = [Layout::RowMajor; 3];

/// Every case, or with `quick` about a quarter of them, largest first so that threads end together.
pub fn table(quick: bool) -> Vec<Case> {
    let mut products = Vec::new();
    if !quick {
        products.extend(large());
    }
    products.extend(threads());
    products.extend(block_edges());
    products.extend(tile_edges(if quick { &[5] } else { &[1, 2, 17] }));
    products.extend(small_blocks());
    products.extend(scales());
    products.extend(layouts(if quick { 5 } else { 1 }));
    products.extend(special_values());
    products.extend(empty());
    let mut convolutions = images();
    if quick {
        convolutions = convolutions.into_iter().step_by(3).collect();
    }
    convolutions.extend(geometries(if quick { 5 } else { 1 }));
    let mut cases: Vec<Case> = products.into_iter().map(Case::Product).collect();
    cases.extend(convolutions.into_iter().filter(Convolution::is_possible).map(Case::Convolution));
    // Kernels whose blocks have a size in common share cases, and rotations meet.
    let mut names = HashSet::new();
    cases.retain(|case| names.insert(case.name(None)));
    cases
}

fn plain(dtype: Dtype, sizes: [usize; 3]) -> Product {
    Product { dtype, sizes, layouts: ROW_MAJOR, alpha: 1.0, beta: 0.0, values: Values::Random, how: How::PLAIN }
}

/// Products in both types.
fn both(of: impl Fn(Dtype) -> Vec<Product>) -> Vec<Product> {
    DTYPES.into_iter().flat_map(of).collect()
}

/// All pairs of scales, for whole numbers or not.
fn pairs(scales: [f64; 4]) -> impl Iterator<Item = (f64, f64)> {
    scales.into_iter().flat_map(move |alpha| scales.map(|beta| (alpha, beta)))
}

/// The member of `all` that is number `turn`, round and round.
fn turn<T: Copy>(all: &[T], turn: usize) -> T {
    all[turn % all.len()]
}

/// Three layouts that depend on `seed`, the last one of an output.
fn some_layouts(seed: usize) -> [Layout; 3] {
    // Strides that share no factor with the number of layouts, so that the three go round independently.
    [
        turn(&Layout::DISTINCT, seed),
        turn(&Layout::DISTINCT, seed / 7 + 3),
        turn(&Layout::DISTINCT, seed / 49 + 5 * seed),
    ]
}

/// Sizes around whole tiles: 1, and for each side one less, itself, one more, and two and a bit.
fn around(sides: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<usize> = sides.iter().flat_map(|&side| [1, side - 1, side, side + 1, 2 * side + 1]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

/// Every edge of a tile across with every edge down, plainly and with rotating layouts, scales and values. A
/// column-major C exchanges the roles of its rows and columns, so its edges are exchanged as well.
fn tile_edges(depths: &[usize]) -> Vec<Product> {
    let mut all = Vec::new();
    let (rows, cols) = (around(&MR), around(&NR));
    for (i, &row) in rows.iter().enumerate() {
        for (j, &col) in cols.iter().enumerate() {
            for (l, &k) in depths.iter().enumerate() {
                for dtype in DTYPES {
                    let seed = i * 131 + j * 17 + l * 5;
                    let case = plain(dtype, [row, col, k]);
                    let layouts = some_layouts(seed);
                    let (alpha, beta) = (turn(&SCALES, seed / 4), turn(&SCALES, seed));
                    let (a, b) = (turn(&WHOLE_SCALES, seed / 4 + 1), turn(&WHOLE_SCALES, seed + 1));
                    let exchanged = [Layout::RowMajor, Layout::RowMajor, turn(&COLUMNS, seed)];
                    all.push(Product { sizes: [col, row, k], layouts: exchanged, ..case.clone() });
                    all.push(Product { layouts, alpha, beta, ..case.clone() });
                    all.push(Product { layouts, alpha: a, beta: b, values: Values::Whole, ..case.clone() });
                    all.push(case);
                }
            }
        }
    }
    all
}

/// Layouts in which columns are contiguous.
const COLUMNS: [Layout; 3] = [Layout::ColMajor, Layout::Transposed, Layout::PaddedCols];

/// Deep enough for several blocks of any default depth.
const DEEP: usize = 4096;

/// One less, as much as, and one more than a default block holds, in each dimension alone.
fn block_edges() -> Vec<Product> {
    let mut all: Vec<Product> = Vec::new();
    for (dtype, bytes, strip) in STRIPS {
        let Blocks { mc, kc, nc } = Blocks::for_caches(Caches::of_this_core(), bytes, DEEP, strip);
        for by in 0..3 {
            for sizes in [[mc - 1 + by, 9, 5], [7, nc - 1 + by, 3], [7, 19, kc - 1 + by], [5, 9, 2 * kc - 1 + by]] {
                let case = plain(dtype, sizes);
                let layouts = some_layouts(sizes.iter().sum());
                all.push(Product { layouts, alpha: 0.7, beta: -1.0, ..case.clone() });
                all.push(Product { layouts, values: Values::Whole, ..case.clone() });
                all.push(case);
            }
        }
    }
    all
}

/// Blocks so small that there are several in every dimension.
fn small_blocks() -> Vec<Product> {
    let blocks = [(1, 1, 1), (8, 5, 20), (13, 3, 33), (24, 16, 64)].map(|(mc, kc, nc)| Blocks { mc, kc, nc });
    both(|dtype| {
        let mut all = Vec::new();
        for (i, blocks) in blocks.into_iter().enumerate() {
            for (j, sizes) in [[29, 70, 23], [53, 131, 49], [26, 97, 64]].into_iter().enumerate() {
                let how = How { blocks: Some(blocks), threads: false };
                let case = Product { how, ..plain(dtype, sizes) };
                let layouts = some_layouts(7 * i + j);
                all.push(Product { layouts, alpha: -1.0, beta: 1.0, values: Values::Whole, ..case.clone() });
                all.push(Product { layouts, alpha: 0.7, beta: 0.7, ..case.clone() });
                all.push(Product { layouts, values: Values::Zeros, ..case.clone() });
                all.push(case);
            }
        }
        all
    })
}

/// Every pair of alpha and beta, into every layout of C.
fn scales() -> Vec<Product> {
    both(|dtype| {
        let mut all = Vec::new();
        for (i, layout) in Layout::DISTINCT.into_iter().enumerate() {
            let layouts = [turn(&Layout::DISTINCT, i + 1), turn(&Layout::DISTINCT, i + 2), layout];
            for (alpha, beta) in pairs(SCALES) {
                let case = Product { layouts, alpha, beta, ..plain(dtype, [13, 37, 9]) };
                all.push(Product { values: Values::Zeros, sizes: [25, 18, 40], ..case.clone() });
                all.push(case);
            }
            for (alpha, beta) in pairs(WHOLE_SCALES) {
                all.push(Product { layouts, alpha, beta, values: Values::Whole, ..plain(dtype, [14, 35, 11]) });
            }
        }
        all
    })
}

/// Every `step`th triple of layouts, and operands that repeat one row.
fn layouts(step: usize) -> Vec<Product> {
    both(|dtype| {
        let mut inputs = Layout::DISTINCT.to_vec();
        inputs.push(Layout::Broadcast);
        let triples =
            inputs.iter().flat_map(|&a| inputs.iter().flat_map(move |&b| Layout::DISTINCT.map(move |c| [a, b, c])));
        triples.step_by(step).map(|layouts| Product { layouts, ..plain(dtype, [15, 41, 12]) }).collect()
    })
}

/// NaN, infinities, overflow and underflow: as the textbook loop has them.
fn special_values() -> Vec<Product> {
    both(|dtype| {
        let mut all = Vec::new();
        for (i, (alpha, beta)) in pairs(SCALES).enumerate() {
            for sizes in [[13, 18, 11], [7, 33, 3], [50, 65, 20]] {
                let layouts = some_layouts(i);
                all.push(Product { layouts, alpha, beta, values: Values::Special, ..plain(dtype, sizes) });
            }
        }
        all
    })
}

/// Matrices without elements and sums without terms.
fn empty() -> Vec<Product> {
    both(|dtype| {
        let mut all = Vec::new();
        for sizes in [[0, 5, 7], [5, 0, 7], [5, 7, 0], [0, 0, 7], [0, 5, 0], [5, 0, 0], [0, 0, 0], [17, 33, 0]] {
            for (alpha, beta) in [(1.0, 0.0), (1.0, 0.7), (0.0, -1.0)] {
                for layouts in [ROW_MAJOR, [Layout::ColMajor; 3], [Layout::Strided; 3]] {
                    all.push(Product { layouts, alpha, beta, ..plain(dtype, sizes) });
                }
            }
        }
        all
    })
}

/// Enough work to be shared by threads, cut along rows and along columns.
fn threads() -> Vec<Product> {
    both(|dtype| {
        let mut all = Vec::new();
        for (i, sizes) in [[163, 161, 165], [37, 533, 220], [533, 41, 196]].into_iter().enumerate() {
            let case = Product { how: How { blocks: None, threads: true }, ..plain(dtype, sizes) };
            let layouts = some_layouts(11 * i + 2);
            all.push(Product { layouts, alpha: 0.7, beta: 1.0, ..case.clone() });
            all.push(Product { layouts, values: Values::Zeros, ..case.clone() });
            all.push(Product { values: Values::Whole, ..case.clone() });
            all.push(case);
        }
        all
    })
}

/// Several default blocks in every dimension at once, with and without large zero blocks.
fn large() -> Vec<Product> {
    both(|dtype| {
        let sizes = if dtype == Dtype::F32 { [197, 4103, 258] } else { [101, 2057, 259] };
        let case = Product { how: How { blocks: None, threads: true }, ..plain(dtype, sizes) };
        let zeros = Product { sizes: [257, 258, 515], values: Values::Zeros, ..case.clone() };
        vec![case, zeros]
    })
}

fn convolution(pass: Pass, dtype: Dtype, sizes: [usize; 3], image: [usize; 2], geometry: ConvGeometry) -> Convolution {
    let (order, values, how) = (Order::Nchw, Values::Random, How::PLAIN);
    Convolution { pass, dtype, sizes, image, geometry, order, alpha: 1.0, beta: 0.0, values, how }
}

/// Kernels 1, 3, 5; strides 1, 2; padding 0, 1, 2; dilation 1, 2: all of them (every `step`th), on odd and even images
/// of one sample and of three, plainly and with rotating layouts, scales, values and blocks.
fn geometries(step: usize) -> Vec<Convolution> {
    let mut all = Vec::new();
    for (i, number) in (0..36).enumerate() {
        let geometry = ConvGeometry {
            kernel: [[1, 3, 5][number % 3]; 2],
            padding: [number / 3 % 3; 2],
            stride: [number / 9 % 2 + 1; 2],
            dilation: [number / 18 % 2 + 1; 2],
        };
        for (j, (sizes, image)) in
            [([1, 3, 5], [9, 7]), ([3, 5, 9], [8, 12]), ([3, 1, 1], [1, 1])].into_iter().enumerate()
        {
            for (l, pass) in PASSES.into_iter().enumerate() {
                for dtype in DTYPES {
                    all.extend(variants(&convolution(pass, dtype, sizes, image, geometry), i * 31 + j * 7 + l));
                }
            }
        }
    }
    all.into_iter().step_by(step).collect()
}

/// The case plainly; with other scales and layouts; in whole numbers and small blocks; and with special values.
fn variants(case: &Convolution, seed: usize) -> Vec<Convolution> {
    let blocks =
        Blocks { mc: turn(&[1, 7, 12], seed), kc: turn(&[1, 4, 9], seed / 3), nc: turn(&[1, 10, 32], seed / 2) };
    let small = How { blocks: Some(blocks), threads: false };
    let scaled = |scales: &[f64; 4], seed: usize| Convolution {
        order: turn(&ORDERS, seed),
        alpha: turn(scales, seed / 4),
        beta: turn(scales, seed),
        ..case.clone()
    };
    vec![
        case.clone(),
        scaled(&SCALES, seed),
        Convolution { values: Values::Whole, how: small, ..scaled(&WHOLE_SCALES, seed + 1) },
        Convolution { values: Values::Whole, order: turn(&ORDERS, seed + 2), ..case.clone() },
        Convolution { values: Values::Special, how: small, order: turn(&ORDERS, seed + 3), ..case.clone() },
    ]
}

/// Signals of one row, oblong kernels, one pixel, images as in residual networks, and enough work for threads.
fn images() -> Vec<Convolution> {
    let [one, two] = [[1, 1], [2, 2]];
    let oblong = |kernel, stride, padding, dilation| ConvGeometry { kernel, stride, padding, dilation };
    let mut all = Vec::new();
    for pass in PASSES {
        for dtype in DTYPES {
            let how = How { blocks: None, threads: true };
            let same = ConvGeometry::same([3, 3]);
            let wide = convolution(pass, dtype, [3, 33, 35], [12, 13], same);
            all.push(Convolution { how, ..wide.clone() });
            all.push(Convolution { how, values: Values::Zeros, order: Order::Cnhw, beta: 1.0, ..wide });
            for (i, (sizes, image, geometry)) in [
                ([2, 16, 16], [16, 16], same),
                ([2, 16, 33], [15, 16], ConvGeometry { stride: two, ..same }),
                ([2, 17, 31], [9, 9], ConvGeometry::same(one)),
                ([1, 12, 13], [1, 1], same),
                ([3, 4, 6], [1, 37], oblong([1, 5], one, [0, 2], one)),
                ([1, 3, 7], [1, 33], oblong([1, 3], [1, 2], [0, 1], [1, 2])),
                ([1, 5, 2], [31, 1], oblong([3, 1], [2, 1], [1, 0], [2, 1])),
                ([1, 4, 4], [11, 14], oblong([1, 5], [1, 2], [2, 1], one)),
                ([3, 2, 8], [13, 6], oblong([5, 3], [2, 1], [0, 2], [1, 2])),
                ([1, 1, 1], [5, 5], ConvGeometry::same([5, 5])),
                ([1, 6, 5], [7, 7], oblong([1, 1], [3, 3], [0, 0], one)),
                ([2, 0, 3], [4, 4], same),
                ([0, 2, 3], [4, 4], same),
            ]
            .into_iter()
            .enumerate()
            {
                all.extend(variants(&convolution(pass, dtype, sizes, image, geometry), 5 * i + 2));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quick_cases_are_few_but_some() {
        let (all, quick) = (table(false), table(true));
        assert!(!quick.is_empty() && quick.len() * 2 < all.len(), "{} of {}", quick.len(), all.len());
    }

    #[test]
    fn different_cases_have_different_names() {
        let products: Vec<Product> = [tile_edges(&[1, 2]), scales(), layouts(3), block_edges()].concat();
        let mut names = std::collections::HashMap::new();
        for case in &products {
            assert_eq!(*names.entry(case.to_string() + &case.dtype.to_string()).or_insert(case), case);
        }
    }

    #[test]
    fn outputs_have_addresses_of_their_own_and_whole_scales_are_whole() {
        for case in table(false) {
            if let Case::Product(case) = case {
                assert!(case.layouts[2] != Layout::Broadcast);
                let whole = [case.alpha, case.beta].iter().all(|scale| scale.fract() == 0.0);
                assert!(whole || case.values != Values::Whole, "{case}");
            }
        }
    }

    #[test]
    fn around_a_tile_is_every_edge() {
        assert_eq!(around(&MR), [1, 3, 4, 5, 6, 7, 9, 11, 12, 13, 23, 24, 25, 49]);
        assert_eq!(around(&NR), [1, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65]);
    }
}
