//! Steps of full-batch descent of a network that does not convolve.
//!
//! A step changes W^(h) by a matrix of rank n: the features below it, moved along by what each sample asks for. The last
//! S of these are kept as they are, W^(h) + moves^T features, and W^(h) takes them up together: S steps read it 2 S times
//! and write it once. Gradients are never stored. In real arithmetic all S are the same descent.

use std::ops::Range;

use fathom_kernels::Finish;
use fathom_kernels::dense::{self, Traces, Weights};
use fathom_kernels::{MatMut, MatRef, Parallelism, Real, Room, gemm};

use crate::network::Inputs;
use crate::tangent::columns_gram;
use crate::{Gram, Network};

/// S for a network `width` wide and `samples` samples: part of what the bits are. What the factors add to a step's
/// arithmetic, S n / m of it, stays below a twentieth.
pub(crate) fn delay(width: usize, samples: usize) -> usize {
    let most = (width / (20 * samples.max(1))).clamp(1, MOST_DELAY);
    1 << most.ilog2()
}

const MOST_DELAY: usize = 16;

/// What steps keep: O(S m n H) numbers.
#[derive(Clone, Debug)]
pub(crate) struct Steps<T: Real> {
    samples: usize,
    /// S.
    delay: usize,
    /// Steps that the weights have not taken up.
    pending: usize,
    /// x^(h) by sample, for h = 0..=H: `[S, n, d_h]`, of the last steps.
    features: Vec<Room<T>>,
    /// What the rows of W^(h) move by for h = 1..=H, of the last steps: by sample, `[S, n, m]`; or by channel, `[m, n]`, where the weights take
    /// up each step at once.
    moves: Vec<Room<T>>,
    /// s_h sigma'(W^(h) x^(h-1)) by sample, `[n, m]`, for h = 1..=H; backward turns them into
    /// d f_i / d (W^(h) x_i^(h-1)).
    slopes: Vec<Room<T>>,
    /// What has come down to d f / d x^(h) so far, by sample, for h = 0..=H.
    upstreams: Vec<Option<Room<T>>>,
    /// Room that upstreams leave and take.
    spare: Vec<Room<T>>,
}

impl<T: Real> Steps<T> {
    /// Whether the network is one of those that take such steps.
    pub fn are_for(network: &Network<T>) -> bool {
        let patches = network.architecture().patches();
        patches.pixels() == 1 && patches.taps() == 1
    }

    /// From the network as it is, on `inputs`, with S = `delay`.
    pub fn new(network: &Network<T>, inputs: &Inputs<T>, delay: usize) -> Self {
        let (n, m, depth) = (inputs.samples(), network.width(), network.architecture().depth());
        let size = inputs.features().len() / n;
        let mut first = Room::zeros(delay * n * size);
        for (c, channel) in inputs.features().chunks_exact(n).enumerate() {
            for (i, &x) in channel.iter().cycle().take(delay * n).enumerate() {
                first[i * size + c] = x;
            }
        }
        let room = |len: usize| vec![Room::zeros(len); depth];
        Self {
            samples: n,
            delay,
            pending: 0,
            features: std::iter::once(first).chain(room(delay * n * m)).collect(),
            moves: room(delay * n * m),
            slopes: room(n * m),
            upstreams: vec![None; depth + 1],
            spare: Vec::new(),
        }
    }

    /// S.
    pub fn delay(&self) -> usize {
        self.delay
    }

    /// W^(h) with the steps that it has not taken up, of which `features` and `moves` hold all that are kept.
    fn weights<'a>(
        network: &'a Network<T>,
        h: usize,
        (features, moves): (&'a [T], &'a [T]),
        rank: usize,
    ) -> Weights<'a, T> {
        let matrix = network.matrix(h);
        Weights { matrix, moves: &moves[..rank * matrix.rows()], features: &features[..rank * matrix.cols()] }
    }

    /// Where the last step's part of a layer with so many channels is.
    fn slot(&self, channels: usize) -> Range<usize> {
        let size = self.samples * channels;
        self.pending * size..(self.pending + 1) * size
    }

    /// x^(h) as [`Steps::forward`] has left it: `[n, d_h]`.
    fn last_features(&self, h: usize) -> &[T] {
        let channels = self.features[h].len() / (self.delay * self.samples);
        &self.features[h][self.slot(channels)]
    }

    /// Runs the recurrence. Returns f, for each sample.
    pub fn forward(&mut self, network: &Network<T>) -> Vec<T> {
        let (architecture, n, m) = (network.architecture(), self.samples, network.width());
        for h in 1..=architecture.depth() {
            let (here, x_here, d) = (self.slot(m), self.slot(network.channels(h)), network.channels(h));
            let (below, above) = self.features.split_at_mut(h);
            let finish = Finish {
                activation: architecture.activation(),
                scale: network.scale(h),
                skip: architecture.layer(h).skip.map(|reach| &below[h - reach][here.clone()]),
            };
            let traces = Traces { value: &mut above[0][here], slope: &mut self.slopes[h - 1] };
            let weights = Self::weights(network, h, (&below[h - 1], &self.moves[h - 1]), self.pending * n);
            let x = MatRef::row_major(&below[h - 1][x_here], n, d).expect("a place of its size");
            dense::forward(&finish, &weights, x, traces, network.parallelism());
        }
        readout(self.last_features(architecture.depth()), network.output())
    }

    /// G^(H) at the point that [`Steps::forward`] has seen.
    pub fn last_gram(&self, network: &Network<T>) -> Gram {
        let (depth, n, m) = (network.architecture().depth(), self.samples, network.width());
        let (slopes, below) = (&self.slopes[depth - 1], self.last_features(depth - 1));
        let by_channel = |r: usize| (0..n).map(move |i| slopes[i * m + r] * network.output()[r]);
        let deltas: Vec<T> = (0..m).flat_map(by_channel).collect();
        let d = network.channels(depth);
        let below: Vec<T> = (0..d).flat_map(|c| (0..n).map(move |i| below[i * d + c])).collect();
        columns_gram(&deltas, n).block_sums_of_product(&columns_gram(&below, n), 1)
    }

    /// Moves every weight by -eta times the gradient at the point that [`Steps::forward`] has seen, with residuals f - y.
    pub fn descend(&mut self, network: &mut Network<T>, residuals: &[T], eta: f64) {
        let (n, m, depth) = (self.samples, network.width(), network.architecture().depth());
        let alpha = T::from_f64(-eta);
        let mut top = self.room(m * n);
        top.chunks_exact_mut(m).for_each(|row| row.copy_from_slice(network.output()));
        self.upstreams[depth] = Some(top);
        for h in (1..=depth).rev() {
            let upstream = self.upstreams[h].take().expect("every layer leads to the output");
            self.find_moves(h, &upstream, (residuals, alpha), network.parallelism());
            if let (Some(reach), true) = (network.architecture().layer(h).skip, h > 1) {
                self.upstreams[h - reach] = Some(upstream);
            } else {
                self.spare.push(upstream);
            }
            if h > 1 {
                let (mut below, beta) = match self.upstreams[h - 1].take() {
                    Some(skipped) => (skipped, T::ONE),
                    None => (self.room(m * n), T::ZERO),
                };
                let delta = MatRef::row_major(&self.slopes[h - 1], n, m).expect("a room of its size");
                let dx = MatMut::row_major(&mut below, n, m).expect("a room of its size");
                let factors = (&*self.features[h - 1], &*self.moves[h - 1]);
                let weights = Self::weights(network, h, factors, self.pending * n);
                dense::backward(&weights, delta, beta, dx, network.parallelism());
                self.upstreams[h - 1] = Some(below);
            }
            if self.pending + 1 == self.delay {
                // Nothing reads W^(h) any more, and it is still near.
                self.take_up_layer(network, h, self.delay);
            }
        }
        move_output(network.output_mut(), alpha, residuals, self.last_features(depth));
        self.pending = (self.pending + 1) % self.delay;
    }

    /// Turns the slopes of layer h into the derivatives of each sample's output, and finds what its rows move by.
    fn find_moves(&mut self, h: usize, upstream: &[T], scale: (&[T], T), parallelism: Parallelism) {
        let (n, m) = (self.samples, upstream.len() / self.samples);
        let moves = &mut self.moves[h - 1][self.pending * n * m..][..n * m];
        let moves = match self.delay {
            1 => MatMut::col_major(moves, n, m),
            _ => MatMut::row_major(moves, n, m),
        };
        let moves = moves.expect("a part of its size");
        dense::moves(&mut self.slopes[h - 1], upstream, scale, moves, parallelism);
    }

    /// Lets the weights take up all steps.
    pub fn take_up(&mut self, network: &mut Network<T>) {
        let steps = std::mem::take(&mut self.pending);
        if steps == 0 {
            return;
        }
        for h in 1..=network.architecture().depth() {
            self.take_up_layer(network, h, steps);
        }
    }

    /// Lets W^(h) take up the first `steps` of those that are kept.
    fn take_up_layer(&self, network: &mut Network<T>, h: usize, steps: usize) {
        let (rank, parallelism) = (steps * self.samples, network.parallelism());
        let (m, d) = (network.width(), network.channels(h));
        let moves = &self.moves[h - 1][..rank * m];
        let moves = match self.delay {
            1 => MatRef::row_major(moves, m, rank),
            _ => MatRef::col_major(moves, m, rank),
        };
        let features = MatRef::row_major(&self.features[h - 1][..rank * d], rank, d).expect("whole rows");
        gemm(T::ONE, moves.expect("whole steps"), features, T::ONE, network.matrix_mut(h), parallelism);
    }

    /// Room for `len` numbers, of any value.
    fn room(&mut self, len: usize) -> Room<T> {
        self.spare.pop().unwrap_or_else(|| Room::zeros(len))
    }
}

/// f_i = <a, x_i>, with x `[n, m]`: one sum in the order of the channels, as [`Network::readout`] has it.
fn readout<T: Real>(x: &[T], output: &[T]) -> Vec<T> {
    let mut outputs = vec![T::ZERO; x.len() / output.len()];
    // Several samples at once: each sum waits for its last term.
    for (outputs, x) in outputs.chunks_mut(SIDE_BY_SIDE).zip(x.chunks(SIDE_BY_SIDE * output.len())) {
        for (r, &a) in output.iter().enumerate() {
            for (f, x) in outputs.iter_mut().zip(x.chunks_exact(output.len())) {
                *f += a * x[r];
            }
        }
    }
    outputs
}

/// Samples that are read out side by side.
const SIDE_BY_SIDE: usize = 8;

/// a moves by alpha times the gradient of the loss, r = f - y, with x^(H) `[n, m]`: as [`Network::move_output`].
fn move_output<T: Real>(output: &mut [T], alpha: T, residuals: &[T], x: &[T]) {
    for (&residual, x) in residuals.iter().zip(x.chunks_exact(output.len())) {
        let step = alpha * residual;
        for (a, &x) in output.iter_mut().zip(x) {
            *a += step * x;
        }
    }
}
