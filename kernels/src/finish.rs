//! What comes after a layer's product.

use crate::{Activation, Isa, Real};

/// What a layer does to `W x`: `value = skip + scale sigma(W x)`.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a, T> {
    /// sigma.
    pub activation: Activation,
    /// s_h.
    pub scale: T,
    /// What a skip adds; of the shape of the value.
    pub skip: Option<&'a [T]>,
}

impl<T: Real> Finish<'_, T> {
    /// `value <- skip + scale sigma(pre)`, `slope <- scale sigma'(pre)`; `skip` is these elements' part of it.
    pub(crate) fn run(&self, isa: Isa, pre: &[T], skip: Option<&[T]>, value: &mut [T], slope: &mut [T]) {
        let scale = self.scale;
        self.activation.derivative_with(isa, pre, slope);
        slope.iter_mut().for_each(|slope| *slope = scale * *slope);
        self.activation.apply_with(isa, pre, value);
        match skip {
            Some(skip) => value.iter_mut().zip(skip).for_each(|(value, &skip)| *value = skip + scale * *value),
            None => value.iter_mut().for_each(|value| *value = scale * *value),
        }
    }
}
