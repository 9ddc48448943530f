//! A Gaussian chain over the layers: each layer's fluctuation is a linear map of those below, and noise of its own.

use crate::law::factor::Gaussian;

/// Draws that are made side by side.
pub(super) const BLOCK: usize = 256;

/// A matrix by rows: columns and entries. A column may occur several times.
pub(super) type Sparse = Vec<Vec<(usize, f64)>>;

/// One layer.
pub(super) struct Step {
    /// From the fluctuation of the layer below.
    pub below: Sparse,
    /// From that of the layer that a skip reaches, and how far down it lies.
    pub skip: Option<(usize, Sparse)>,
    /// The layer's own.
    pub noise: Gaussian,
}

/// The draws `BLOCK block` and following of the last layer's fluctuation, `size x BLOCK`. Step h = 1, 2, ... is `steps[h - 1]`; the
/// inputs, which the first step's map is not applied to, do not fluctuate.
pub(super) fn draw(steps: &[Step], seed: u64, block: u64) -> Vec<f64> {
    let mut states: Vec<Vec<f64>> = vec![Vec::new()];
    for (h, step) in steps.iter().enumerate().map(|(k, step)| (k + 1, step)) {
        let mut state = step.noise.draw((seed, h as u64), block, BLOCK);
        add_product(&step.below, &states[h - 1], &mut state);
        if let Some((reach, map)) = &step.skip {
            add_product(map, &states[h - reach], &mut state);
        }
        states.push(state);
    }
    states.pop().expect("there is the state of the inputs")
}

/// `out += map x`, but for the `x` of the inputs, which is empty.
fn add_product(map: &Sparse, x: &[f64], out: &mut [f64]) {
    if x.is_empty() {
        return;
    }
    for (row, out) in map.iter().zip(out.chunks_exact_mut(BLOCK)) {
        for &(column, entry) in row {
            let x = &x[column * BLOCK..(column + 1) * BLOCK];
            out.iter_mut().zip(x).for_each(|(out, x)| *out += entry * x);
        }
    }
}
