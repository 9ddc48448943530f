//! The recurrence with real matrices: forward, and the gradients of every layer.
//!
//! Products are the kernels'. What is left (scaling, skips, the readout) uses plain operations in a fixed order: fused ones
//! would be library calls here, where the build's base instructions have none.

use fathom_kernels::{Finish, MatMut, MatRef, Parallelism, Real, Room, TensorMut, TensorRef, conv, normal};

use crate::{Architecture, Dataset};

/// A network of one width, with its weights.
#[derive(Clone, Debug)]
pub struct Network<T: Real> {
    architecture: Architecture,
    width: usize,
    /// W^(h), `[m, d_{h-1}, patch rows, patch columns]`, for h = 1..=H.
    weights: Vec<Room<T>>,
    /// a, `[m, p]`.
    output: Room<T>,
    parallelism: Parallelism,
}

/// Inputs as the network reads them: `[d_0, n, p]`, channels outermost, so that a layer is one product.
#[derive(Clone, Debug)]
pub struct Inputs<T> {
    features: Vec<T>,
    samples: usize,
}

/// What a forward pass leaves behind.
#[derive(Clone, Debug)]
pub struct Forward<T> {
    /// x^(h), `[d_h, n, p]`, for h = 0..=H.
    pub features: Vec<Vec<T>>,
    /// s_h sigma'(W^(h) phi(x^(h-1))), `[m, n, p]`, for h = 1..=H.
    pub slopes: Vec<Vec<T>>,
    /// f, for each sample.
    pub outputs: Vec<T>,
}

/// Derivatives of each sample's own output.
#[derive(Clone, Debug)]
pub struct Backward<T> {
    /// d f_i / d (W^(h) phi(x_i^(h-1))), `[m, n, p]`, for h = 1..=H.
    pub deltas: Vec<Vec<T>>,
}

impl<T: Real> Inputs<T> {
    /// The samples of `data`, for networks of `architecture`.
    ///
    /// # Panics
    /// When the samples are not of the architecture's size.
    pub fn new(architecture: &Architecture, data: &Dataset) -> Self {
        let patches = architecture.patches();
        assert_eq!(data.input_size(), patches.input_size(), "the samples are not of the architecture's input size");
        let (p, samples) = (patches.pixels(), data.samples());
        let mut features = Vec::with_capacity(data.inputs().len());
        for c in 0..patches.channels {
            for i in 0..samples {
                features.extend(data.input(i)[c * p..(c + 1) * p].iter().map(|&x| T::from_f64(x)));
            }
        }
        Self { features, samples }
    }

    /// n.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// The inputs themselves.
    pub(crate) fn features(&self) -> &[T] {
        &self.features
    }
}

impl<T: Real> Network<T> {
    /// A random start: every weight and every entry of a is N(0, 1), drawn from `seed`. Entry `[o, c, ky, kx]` of W^(h) is
    /// the normal of stream h at its index, and a is stream H + 1.
    ///
    /// # Panics
    /// When `width` is 0.
    pub fn random(architecture: Architecture, width: usize, seed: u64, parallelism: Parallelism) -> Self {
        assert!(width > 0, "a network must be at least 1 wide");
        let patches = architecture.patches();
        let draw = |stream: usize, len: usize| {
            let mut entries = Room::zeros(len);
            normal::fill(seed, stream as u64, 0, &mut entries);
            entries
        };
        let channels = |h: usize| architecture.layer(h).input_channels.unwrap_or(width);
        let depth = architecture.depth();
        let weights = (1..=depth).map(|h| draw(h, width * channels(h) * patches.taps())).collect();
        let output = draw(depth + 1, width * patches.pixels());
        Self { architecture, width, weights, output, parallelism }
    }

    /// Its settings.
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// m.
    pub fn width(&self) -> usize {
        self.width
    }

    /// W^(h), `[m, d_{h-1}, patch rows, patch columns]`, 1 <= h <= H.
    pub fn weights(&self, h: usize) -> &[T] {
        &self.weights[h - 1]
    }

    /// W^(h), to write.
    pub fn weights_mut(&mut self, h: usize) -> &mut [T] {
        &mut self.weights[h - 1]
    }

    /// a, `[m, p]`.
    pub fn output(&self) -> &[T] {
        &self.output
    }

    /// a, to write.
    pub fn output_mut(&mut self) -> &mut [T] {
        &mut self.output
    }

    /// A fingerprint of the weights: FNV-1a (64 bits) over the bits of W^(1), ..., W^(H) and a, each entry in eight bytes, low
    /// byte first.
    pub fn hash(&self) -> u64 {
        let entries = self.weights.iter().chain([&self.output]).flat_map(|entries| &**entries);
        entries
            .flat_map(|w| w.bits().to_le_bytes())
            .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    }

    /// s_h = scale / sqrt(m).
    pub(crate) fn scale(&self, h: usize) -> T {
        T::from_f64(self.architecture.layer(h).scale / (self.width as f64).sqrt())
    }

    pub(crate) fn channels(&self, h: usize) -> usize {
        self.architecture.layer(h).input_channels.unwrap_or(self.width)
    }

    /// The shape `[m, d_{h-1}, patch rows, patch columns]` of W^(h).
    fn filter_shape(&self, h: usize) -> [usize; 4] {
        let [rows, cols] = self.architecture.patches().patch;
        [self.width, self.channels(h), rows, cols]
    }

    /// Where its products may run.
    pub(crate) fn parallelism(&self) -> Parallelism {
        self.parallelism
    }

    /// W^(h) of a network that does not convolve.
    pub(crate) fn matrix(&self, h: usize) -> MatRef<'_, T> {
        MatRef::row_major(self.weights(h), self.width, self.channels(h)).expect("patches are of one pixel")
    }

    /// The same, to write.
    pub(crate) fn matrix_mut(&mut self, h: usize) -> MatMut<'_, T> {
        let (width, channels) = (self.width, self.channels(h));
        MatMut::row_major(self.weights_mut(h), width, channels).expect("patches are of one pixel")
    }

    /// a moves by alpha times the gradient of the loss, r = f - y, where x^(H) is `top`.
    pub(crate) fn move_output(&mut self, alpha: T, residuals: &[T], top: &[T]) {
        let mut output = std::mem::take(&mut self.output);
        self.output_gradient(alpha, residuals, top, T::ONE, &mut output);
        self.output = output;
    }

    fn filters(&self, h: usize) -> TensorRef<'_, T> {
        TensorRef::dense(self.weights(h), self.filter_shape(h)).expect("W^(h) has its shape's size")
    }

    /// Shape and strides of features `[channels, n, p]`, seen as images `[n, channels, rows, columns]`.
    fn image_layout(&self, channels: usize, samples: usize) -> ([usize; 4], [usize; 4]) {
        let [rows, cols] = self.architecture.patches().image;
        ([samples, channels, rows, cols], [rows * cols, samples * rows * cols, cols, 1])
    }

    fn images<'a>(&self, features: &'a [T], channels: usize, samples: usize) -> TensorRef<'a, T> {
        let (shape, strides) = self.image_layout(channels, samples);
        TensorRef::strided(features, shape, strides).expect("features have their shape's size")
    }

    fn images_mut<'a>(&self, features: &'a mut [T], channels: usize, samples: usize) -> TensorMut<'a, T> {
        let (shape, strides) = self.image_layout(channels, samples);
        TensorMut::strided(features, shape, strides).expect("features have their shape's size")
    }

    /// Runs the recurrence.
    pub fn forward(&self, inputs: &Inputs<T>) -> Forward<T> {
        let (n, p) = (inputs.samples, self.architecture.patches().pixels());
        let geometry = self.architecture.patches().geometry();
        let mut features = vec![inputs.features.clone()];
        let mut slopes = Vec::with_capacity(self.architecture.depth());
        for h in 1..=self.architecture.depth() {
            let below = &features[h - 1];
            let finish = Finish {
                activation: self.architecture.activation(),
                scale: self.scale(h),
                skip: self.architecture.layer(h).skip.map(|reach| &*features[h - reach]),
            };
            let x = self.images(below, self.channels(h), n);
            let [mut value, mut slope] = [0, 1].map(|_| vec![T::ZERO; self.width * n * p]);
            conv::layer(&geometry, &finish, self.filters(h), x, (&mut value, &mut slope), self.parallelism);
            features.push(value);
            slopes.push(slope);
        }
        let outputs = self.readout(&features[self.architecture.depth()], n);
        Forward { features, slopes, outputs }
    }

    /// f_i = <a, x_i>: one sum in the order of (channel, pixel).
    pub(crate) fn readout(&self, features: &[T], samples: usize) -> Vec<T> {
        let p = self.architecture.patches().pixels();
        let mut outputs = vec![T::ZERO; samples];
        for (row, a) in features.chunks_exact(samples * p).zip(self.output.chunks_exact(p)) {
            for (f, x) in outputs.iter_mut().zip(row.chunks_exact(p)) {
                *f = x.iter().zip(a).fold(*f, |f, (&x, &a)| f + a * x);
            }
        }
        outputs
    }

    /// Differentiates each sample's output through the recurrence.
    pub fn backward(&self, forward: &Forward<T>) -> Backward<T> {
        let (n, p) = (forward.outputs.len(), self.architecture.patches().pixels());
        let (depth, geometry) = (self.architecture.depth(), self.architecture.patches().geometry());
        // What has come down to d f / d x^(h) so far, for h = 0..=H: to x^(H) it is a, the same for every sample.
        let mut upstreams: Vec<Option<Vec<T>>> = vec![None; depth + 1];
        let top = self.output.chunks_exact(p).flat_map(|a| std::iter::repeat_n(a, n).flatten().copied());
        upstreams[depth] = Some(top.collect());
        let mut deltas = vec![Vec::new(); depth];
        for h in (1..=depth).rev() {
            let upstream = upstreams[h].take().expect("every layer leads to the output");
            let delta: Vec<T> = forward.slopes[h - 1].iter().zip(&upstream).map(|(&slope, &u)| slope * u).collect();
            if h > 1 {
                if let Some(reach) = self.architecture.layer(h).skip {
                    upstreams[h - reach] = Some(upstream);
                }
                let (mut below, beta) = match upstreams[h - 1].take() {
                    Some(skipped) => (skipped, T::ONE),
                    None => (vec![T::ZERO; delta.len()], T::ZERO),
                };
                let (dy, dx) = (self.images(&delta, self.width, n), self.images_mut(&mut below, self.width, n));
                conv::backward_input(&geometry, T::ONE, self.filters(h), dy, beta, dx, self.parallelism);
                upstreams[h - 1] = Some(below);
            }
            deltas[h - 1] = delta;
        }
        Backward { deltas }
    }

    /// W^(1) to W^(H), taken out to be updated while the rest of the network is read.
    pub(crate) fn parameters_mut(&mut self) -> &mut [Room<T>] {
        &mut self.weights
    }

    /// `target <- beta target + alpha sum_i r_i d f_i / d W^(h)`: with r = f - y and `alpha` 1, the gradient of the loss.
    ///
    /// # Panics
    /// When `target` is not of the size of W^(h), or there are not as many residuals as samples.
    pub fn weight_gradient(
        &self,
        h: usize,
        alpha: T,
        residuals: &[T],
        (forward, backward): (&Forward<T>, &Backward<T>),
        beta: T,
        target: &mut [T],
    ) {
        let (n, p) = (forward.outputs.len(), self.architecture.patches().pixels());
        assert_eq!(residuals.len(), n, "one residual for each sample");
        let mut scaled = backward.deltas[h - 1].clone();
        for row in scaled.chunks_exact_mut(n * p) {
            for (delta, &r) in row.chunks_exact_mut(p).zip(residuals) {
                delta.iter_mut().for_each(|d| *d = r * *d);
            }
        }
        let geometry = self.architecture.patches().geometry();
        let dy = self.images(&scaled, self.width, n);
        let x = self.images(&forward.features[h - 1], self.channels(h), n);
        let dw = TensorMut::dense(target, self.filter_shape(h)).expect("the target has the size of W^(h)");
        conv::backward_weights(&geometry, alpha, dy, x, beta, dw, self.parallelism);
    }

    /// `target <- beta target + alpha sum_i r_i x_i^(H)`, with x^(H) in `top`, `[m, n, p]`: with r = f - y, the gradient of the
    /// loss to a.
    ///
    /// # Panics
    /// When `top` is not of its size.
    pub fn output_gradient(&self, alpha: T, residuals: &[T], top: &[T], beta: T, target: &mut [T]) {
        let (n, p) = (residuals.len(), self.architecture.patches().pixels());
        assert_eq!(top.len() * p, target.len() * n * p, "x^(H) has not the size of {n} samples");
        for (row, a) in top.chunks_exact(n * p).zip(target.chunks_exact_mut(p)) {
            for (l, a) in a.iter_mut().enumerate() {
                let start = if beta == T::ZERO { T::ZERO } else { beta * *a };
                *a = (0..n).fold(start, |sum, i| sum + alpha * residuals[i] * row[i * p + l]);
            }
        }
    }
}
