//! Images, filters, the outputs' gradient and what is computed from them, in memory.

use std::time::Instant;

use anyhow::Result;
use fathom_kernels::{Parallelism, Real, TensorMut, TensorRef, conv, normal};
use serde_json::json;

use super::super::program::{Program, agree};
use super::super::subject::Data;
use super::layer::Layer;
use super::{Convolution, memory};

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Pass {
    /// The convolution.
    Forward,
    /// The convolution and its gradients to the images and to the filters.
    All,
}

impl Pass {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::All => "all",
        }
    }

    /// How many times the operations of one pass it has.
    pub fn times(self) -> f64 {
        match self {
            Self::Forward => 1.0,
            Self::All => 3.0,
        }
    }
}

/// The tensors of a layer.
pub struct Tensors<T> {
    pub layer: Layer,
    /// Images, filters, and the outputs' gradient.
    pub given: [Vec<T>; 3],
    /// The images' gradient, the filters' gradient, and the outputs.
    pub found: [Vec<T>; 3],
}

impl<T: Real> Tensors<T> {
    /// Random entries, always the same.
    fn random(layer: Layer) -> Self {
        let lens = layer.shapes().map(|shape| shape.into_iter().product());
        let mut stream = 0;
        let given = lens.map(|len| {
            let mut data = vec![T::ZERO; len];
            normal::fill(1, stream, 0, &mut data);
            stream += 1;
            data
        });
        // Written, so that no run pays for the first touch of a page.
        let found = lens.map(|len| vec![T::ONE; len]);
        Self { layer, given, found }
    }

    /// The same, with everything computed.
    pub fn computed(layer: Layer) -> Self {
        let mut tensors = Self::random(layer);
        tensors.time(Pass::All, 1, Parallelism::Serial);
        tensors
    }

    /// The same layer with absolute values.
    fn absolute(&self) -> Self {
        let given = self.given.each_ref().map(|data| data.iter().map(|&x| if x < T::ZERO { -x } else { x }).collect());
        Self { layer: self.layer, given, found: self.found.clone() }
    }

    /// Terms of the sums in `found`.
    fn terms(&self) -> [usize; 3] {
        let [[n, c, ..], [o, _, kh, kw], [_, _, rows, cols]] = self.layer.shapes();
        [o * kh * kw, n * rows * cols, c * kh * kw]
    }

    /// Seconds of `calls` passes by this project.
    pub fn time(&mut self, pass: Pass, calls: usize, parallelism: Parallelism) -> f64 {
        let (geometry, shapes) = (self.layer.geometry(), self.layer.shapes());
        let [x, w, dy] = &self.given;
        let [dx, dw, y] = &mut self.found;
        let of = |data, which: usize| TensorRef::dense(data, shapes[which]).expect("sized for this shape");
        fn to<T: Real>(data: &mut [T], shape: [usize; 4]) -> TensorMut<'_, T> {
            TensorMut::dense(data, shape).expect("sized for this shape")
        }
        let (one, zero) = (T::ONE, T::ZERO);
        let started = Instant::now();
        for _ in 0..calls {
            conv::forward(&geometry, one, of(w, 1), of(x, 0), zero, to(y, shapes[2]), parallelism);
            if pass == Pass::All {
                conv::backward_input(&geometry, one, of(w, 1), of(dy, 2), zero, to(dx, shapes[0]), parallelism);
                conv::backward_weights(&geometry, one, of(dy, 2), of(x, 0), zero, to(dw, shapes[1]), parallelism);
            }
        }
        std::hint::black_box(&mut self.found);
        started.elapsed().as_secs_f64()
    }
}

/// Files for the tensors that we give, and for those that a program writes.
const GIVEN: [&str; 3] = ["x", "w", "dy"];
const FOUND: [&str; 3] = ["dx", "dw", "y"];

impl<T: Real> Data<Convolution> for Tensors<T> {
    fn prepare(&mut self, program: &mut Program) -> Result<bool> {
        for (name, data) in GIVEN.iter().zip(&self.given) {
            program.give(name, data)?;
        }
        let ([images, filters, outputs], geometry) = (self.layer.shapes(), self.layer.geometry());
        let able = program.prepare(json!({
            "type": T::NAME,
            "images": images,
            "filters": filters,
            "outputs": outputs,
            "stride": geometry.stride,
            "padding": geometry.padding,
            "dilation": geometry.dilation,
        }))?;
        if !able {
            return Ok(false);
        }
        let mut magnitudes = self.absolute();
        magnitudes.time(Pass::All, 1, Parallelism::Serial);
        for (which, name) in FOUND.iter().enumerate() {
            let ours = &self.found[which];
            let theirs = program.found(name, ours.len())?;
            // Any order of the products and sums is within gamma sum |a||b| of the truth, ours as well as theirs.
            let roundings = self.terms()[which] as f64 * T::EPSILON.to_f64() / 2.0;
            let gamma = roundings / (1.0 - roundings);
            let bound = |i: usize| 2.0 * gamma * magnitudes.found[which][i].to_f64();
            agree(name, &program.member, [ours, &theirs], bound)?;
        }
        Ok(true)
    }

    fn run(&mut self, case: &Convolution, calls: usize, parallelism: Parallelism) -> f64 {
        self.time(case.pass, calls, parallelism)
    }

    fn question(&self, case: &Convolution) -> serde_json::Value {
        json!({ "pass": case.pass.name() })
    }

    fn working_bytes(&mut self) -> Option<u64> {
        memory::working(self)
    }
}
