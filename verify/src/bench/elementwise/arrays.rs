//! What a function is applied to, and what it returns.

use std::time::Instant;

use anyhow::Result;
use fathom_kernels::{Parallelism, Real, normal};
use serde_json::json;

use super::super::program::{Program, agree};
use super::super::subject::Data;
use super::Map;

/// The input and our output.
pub struct Arrays<T> {
    map: Map,
    input: Vec<T>,
    output: Vec<T>,
}

/// Standard deviation of the inputs: large enough for every branch of a rational approximation, and as large as
/// the values that networks meet.
const DEVIATION: f64 = 2.0;

impl<T: Real> Arrays<T> {
    /// Normal inputs, always the same, and our output.
    pub fn computed(&map: &Map) -> Self {
        let mut input = vec![T::ZERO; map.elements];
        normal::fill(1, 0, 0, &mut input);
        input.iter_mut().for_each(|x| *x = *x * T::from_f64(DEVIATION));
        let mut output = vec![T::ZERO; map.elements];
        map.function.apply(&input, &mut output);
        Self { map, input, output }
    }
}

/// How far apart two values may lie, in units of the last place of the largest of 1, |z| and |f(z)|. The usual formulas
/// add and multiply a few numbers that are no larger than these, each with an error of at most a few such units.
const UNITS: f64 = 8.0;

impl<T: Real> Data<Map> for Arrays<T> {
    fn prepare(&mut self, program: &mut Program) -> Result<bool> {
        program.give("x", &self.input)?;
        let name = self.map.function.to_string();
        let question = json!({ "type": T::NAME, "elements": self.map.elements, "function": name });
        if !program.prepare(question)? {
            return Ok(false);
        }
        let theirs = program.found("y", self.output.len())?;
        let bound = |i: usize| {
            let magnitudes = [self.input[i], self.output[i]].map(|x| x.to_f64().abs());
            UNITS * T::EPSILON.to_f64() * magnitudes.into_iter().fold(1.0, f64::max)
        };
        agree("y", &program.member, [&self.output, &theirs], bound)?;
        Ok(true)
    }

    fn run(&mut self, map: &Map, calls: usize, _: Parallelism) -> f64 {
        let started = Instant::now();
        for _ in 0..calls {
            map.function.apply(std::hint::black_box(&self.input), &mut self.output);
        }
        std::hint::black_box(&mut self.output);
        started.elapsed().as_secs_f64()
    }

    fn question(&self, _: &Map) -> serde_json::Value {
        json!({})
    }
}
