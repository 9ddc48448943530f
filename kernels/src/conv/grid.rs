//! How a convolution is cut into parts for the threads.

use std::ops::Range;

use super::Convolution;
use super::limits::Limits;
use crate::gemm::Parallelism;
use crate::{Real, team};

/// How the work is cut into parts: images, rows, columns and channels of y, each with what a part has of it and the whole.
#[derive(Debug)]
pub(super) struct Grid([(usize, usize); 4]);

/// One part: images, rows, columns and channels of y.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) images: Range<usize>,
    pub(super) rows: Range<usize>,
    pub(super) cols: Range<usize>,
    pub(super) outputs: Range<usize>,
}

/// The least work, in nanoseconds, that is a part of its own.
const PART: usize = 20_000;

/// How many threads a convolution may take.
pub(super) fn threads(parallelism: Parallelism) -> usize {
    if parallelism == Parallelism::Serial { 1 } else { rayon::current_num_threads() }
}

/// How many parts suit work of so many nanoseconds on one thread.
pub(super) fn wanted(nanoseconds: usize, threads: usize) -> usize {
    if threads == 1 { 1 } else { (nanoseconds / PART).clamp(1, 6 * threads) }
}

/// Runs `part` on each of `0..parts`, on the threads of the current pool where there are to be several and they would come in time.
pub(super) fn each_part(parts: usize, threads: usize, nanoseconds: usize, part: &(dyn Fn(usize) + Sync)) {
    if !team::share(if threads > 1 { parts } else { 1 }, nanoseconds, part) {
        (0..parts).for_each(part);
    }
}

/// What copying or packing an element costs, in multiply-adds.
const MOVE: usize = 8;

impl Grid {
    /// Parts whose images fit a block. Each part copies its images and packs its filters; several threads cut where the one
    /// that takes longest takes least.
    pub(super) fn new<T: Real>(job: &Convolution<'_, T>, limits: &Limits, threads: usize) -> Self {
        let &Convolution { images, outputs, source, target, .. } = job;
        let wanted = wanted(job.nanoseconds(), threads);
        let strips = outputs.div_ceil(limits.strip).max(1);
        // Images, or rows of one, that make at least so many blocks; and how many these are.
        let cut = |blocks: usize| {
            let fitting = (limits.pixels / source[1].max(1)).max(1);
            if source[0] <= fitting && blocks <= images {
                let each = (fitting / source[0].max(1)).min(images.div_ceil(blocks)).max(1);
                return (each, target[0].max(1), images.div_ceil(each));
            }
            let bands = source[0].div_ceil(fitting).max(blocks.div_ceil(images.max(1)));
            let rows = target[0].div_ceil(bands).max(1);
            (1, rows, images * target[0].div_ceil(rows))
        };
        // Columns of a row that is longer than a block.
        let cols = target[1].div_ceil(source[1].div_ceil(limits.pixels).max(1)).max(1);
        // As long as all take that take most: what is copied and packed counts with what is multiplied.
        let cost = |across: usize| {
            let (each, rows, blocks) = cut(wanted.div_ceil(across));
            let strips_each = strips.div_ceil(across);
            let filters = strips_each * limits.strip * job.taps();
            let madds = each * rows * target[1] * filters;
            let moved = each * source[0].min(rows * source[0] / target[0].max(1) + job.taps[0]) * source[1] + filters;
            (blocks * strips.div_ceil(strips_each)).div_ceil(threads) * (madds + MOVE * moved)
        };
        let across = (1..=strips.min(wanted)).min_by_key(|&across| cost(across)).unwrap_or(1);
        let (each, rows, _) = cut(wanted.div_ceil(across));
        Self([(each, images), (rows, target[0]), (cols, target[1]), (strips.div_ceil(across) * limits.strip, outputs)])
    }

    pub(super) fn parts(&self) -> usize {
        self.0.iter().map(|&(each, whole)| whole.div_ceil(each)).product()
    }

    pub(super) fn part(&self, mut index: usize) -> Part {
        let [images, rows, cols, outputs] = self.0.map(|(each, whole)| {
            let (count, first) = (whole.div_ceil(each), index);
            index /= count;
            let first = first % count * each;
            first..(first + each).min(whole)
        });
        Part { images, rows, cols, outputs }
    }
}
