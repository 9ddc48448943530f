//! The rows of one start's layers, a block at a time, samples outermost: a block is `points x BLOCK`, its rows on the lanes.

use fathom_kernels::{Activation, Isa, MatMut, MatRef, Parallelism, Real, gemm, normal};

use super::factor::cholesky;
use crate::Gram;

/// Rows in a block: with few points, its normals, products and features lie in the first two levels of cache.
pub(super) const BLOCK: usize = 256;

/// One layer: rows sigma(L z) of scale r, over those of the layer that its skip reaches.
pub(super) struct Layer<T> {
    /// L with S = L L^T, `points x rank`.
    factor: Vec<T>,
    rank: usize,
    /// The stream of its normals.
    stream: u64,
    /// s_h sqrt(m).
    scale: T,
    /// How far down its skip reaches.
    skip: Option<usize>,
}

/// The layers of one start that have been sampled so far.
pub(super) struct Stack<T> {
    activation: Activation,
    seed: u64,
    points: usize,
    layers: Vec<Layer<T>>,
    isa: Isa,
}

/// Where a thread works on a block.
pub(super) struct Workspace<T> {
    normals: Vec<T>,
    products: Vec<T>,
    activated: Vec<T>,
    /// The block's features, `points x BLOCK`, times sqrt(m).
    pub features: Vec<T>,
}

impl<T: Real> Workspace<T> {
    pub fn new(points: usize) -> Self {
        let workspace = || vec![T::ZERO; points * BLOCK];
        Self { normals: workspace(), products: workspace(), activated: workspace(), features: workspace() }
    }
}

impl<T: Real> Stack<T> {
    pub fn new(activation: Activation, seed: u64, points: usize) -> Self {
        Self { activation, seed, points, layers: Vec::new(), isa: Isa::active() }
    }

    /// Puts a layer on top, whose rows before the activation have the given covariance.
    pub fn push(&mut self, covariance: &Gram, scale: f64, skip: Option<usize>) {
        let (factor, rank) = cholesky(covariance);
        let factor = factor.into_iter().map(T::from_f64).collect();
        let stream = self.layers.len() as u64 + 1;
        self.layers.push(Layer { factor, rank, stream, scale: T::from_f64(scale), skip });
    }

    /// Writes sqrt(m) x^(h) of a block of the top layer to `workspace.features`, through all layers that its skips lead down to.
    pub fn features(&self, block: u64, workspace: &mut Workspace<T>) {
        let mut chain = vec![self.layers.len() - 1];
        while let Some(reach) = self.layers[*chain.last().expect("it begins at the top")].skip {
            chain.push(chain.last().expect("it begins at the top") - reach);
        }
        for (k, &h) in chain.iter().rev().enumerate() {
            self.add_activation(&self.layers[h], block, k == 0, workspace);
        }
    }

    /// The same, from the features of the layer that the top layer's skip reaches: those in `below`.
    pub fn features_over(&self, below: &[T], block: u64, workspace: &mut Workspace<T>) {
        workspace.features.copy_from_slice(below);
        self.add_activation(self.layers.last().expect("there is a layer"), block, false, workspace);
    }

    /// `features <- s sigma(L z)` where the layer is the `first`, `features += s sigma(L z)` elsewhere.
    fn add_activation(&self, layer: &Layer<T>, block: u64, first: bool, workspace: &mut Workspace<T>) {
        self.products(layer, block, workspace);
        self.activation.apply_with(self.isa, &workspace.products, &mut workspace.activated);
        let features = workspace.features.iter_mut().zip(&workspace.activated);
        if first {
            features.for_each(|(x, &s)| *x = layer.scale * s);
        } else {
            features.for_each(|(x, &s)| *x += layer.scale * s);
        }
    }

    /// Writes a sigma'(w . x) of a block of the top layer to `workspace.features`, for output weights a from the next stream.
    pub fn slopes(&self, pixels: usize, block: u64, workspace: &mut Workspace<T>) {
        let layer = self.layers.last().expect("there is a layer");
        self.products(layer, block, workspace);
        self.activation.derivative_with(self.isa, &workspace.products, &mut workspace.features);
        let a = &mut workspace.normals[..pixels * BLOCK];
        normal::fill_with(self.isa, self.seed, layer.stream + 1, block * a.len() as u64, a);
        for sample in workspace.features.chunks_exact_mut(pixels * BLOCK) {
            sample.iter_mut().zip(&*a).for_each(|(s, &a)| *s = *s * a);
        }
    }

    /// `products <- L z`: the rows of a block before the activation.
    fn products(&self, layer: &Layer<T>, block: u64, workspace: &mut Workspace<T>) {
        let (points, rank) = (self.points, layer.rank);
        let normals = &mut workspace.normals[..rank * BLOCK];
        normal::fill_with(self.isa, self.seed, layer.stream, block * normals.len() as u64, normals);
        let z = MatRef::row_major(normals, rank, BLOCK).expect("whole rows");
        let factor = MatRef::row_major(&layer.factor, points, rank).expect("whole rows");
        let products = MatMut::row_major(&mut workspace.products, points, BLOCK).expect("whole rows");
        gemm(T::ONE, factor, z, T::ZERO, products, Parallelism::Serial);
    }
}

/// Sets the lanes of `block` from `count` on to zero: rows that the layer does not have.
pub(super) fn clear_from<T: Real>(block: &mut [T], count: usize) {
    if count < BLOCK {
        block.chunks_exact_mut(BLOCK).for_each(|point| point[count..].fill(T::ZERO));
    }
}
