//! What comes after a layer's product.

use crate::activation::Visitor;
use crate::dispatch::vectorize;
use crate::elementary::abreast::Abreast;
use crate::pointwise::{ABREAST, LANES, Pointwise};
use crate::simd::Vectorized;
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
    /// `value <- skip + scale sigma(value)`, `slope <- scale sigma'(value)`; `skip` is these elements' part of it.
    pub(crate) fn run(&self, isa: Isa, skip: Option<&[T]>, value: &mut [T], slope: &mut [T]) {
        self.activation.visit(Pass { isa, scale: self.scale, skip, value, slope });
    }
}

/// A pass over some elements.
struct Pass<'a, T> {
    isa: Isa,
    scale: T,
    skip: Option<&'a [T]>,
    value: &'a mut [T],
    slope: &'a mut [T],
}

impl<T: Real> Visitor for Pass<'_, T> {
    fn see(self, function: impl Pointwise, derivative: impl Pointwise) {
        vectorize(self.isa, Finishing { pass: self, function, derivative });
    }
}

/// A pass, compiled for each instruction set.
struct Finishing<'a, T, F, D> {
    pass: Pass<'a, T>,
    function: F,
    derivative: D,
}

impl<T: Real, F: Pointwise, D: Pointwise> Vectorized for Finishing<'_, T, F, D> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { pass: Pass { scale, skip, value, slope, .. }, function, derivative } = self;
        let len = value.len();
        assert!(slope.len() == len && skip.is_none_or(|skip| skip.len() == len));
        let skip = |start: usize, len: usize| skip.map(|skip| &skip[start..start + len]);
        let (block, mut start) = (ABREAST * LANES, 0);
        while start + block <= len {
            let (value, slope) = (&mut value[start..start + block], &mut slope[start..start + block]);
            finish::<T, F, D, ABREAST>((function, derivative), scale, skip(start, block), value, slope);
            start += block;
        }
        while start < len {
            // A few that are left go through a room of their own.
            let count = LANES.min(len - start);
            let (value, slope) = (&mut value[start..start + count], &mut slope[start..start + count]);
            let mut rooms = [[T::ZERO; LANES]; 3];
            let [values, slopes, skips] = &mut rooms;
            values[..count].copy_from_slice(value);
            let skips = skip(start, count).map(|skip| {
                skips[..count].copy_from_slice(skip);
                &skips[..]
            });
            finish::<T, F, D, 1>((function, derivative), scale, skips, values, slopes);
            value.copy_from_slice(&values[..count]);
            slope.copy_from_slice(&slopes[..count]);
            start += count;
        }
    }
}

/// [`Finish::run`] on `K` times [`LANES`] values.
#[inline(always)]
fn finish<T: Real, F: Pointwise, D: Pointwise, const K: usize>(
    (function, derivative): (F, D),
    scale: T,
    skip: Option<&[T]>,
    value: &mut [T],
    slope: &mut [T],
) {
    assert!(value.len() == K * LANES && slope.len() == K * LANES && skip.is_none_or(|skip| skip.len() == K * LANES));
    let mut rooms = [[T::ZERO; LANES]; K];
    for (i, room) in rooms.iter_mut().enumerate() {
        room.copy_from_slice(&value[i * LANES..(i + 1) * LANES]);
    }
    for lane in 0..LANES {
        let mut z = [T::ZERO; K];
        for (z, room) in z.iter_mut().zip(&rooms) {
            *z = room[lane];
        }
        let (Abreast(values), Abreast(slopes)) =
            (T::pointwise(function, Abreast(z)), T::pointwise(derivative, Abreast(z)));
        for i in 0..K {
            value[i * LANES + lane] = scale * values[i];
            slope[i * LANES + lane] = scale * slopes[i];
        }
    }
    if let Some(skip) = skip {
        for (value, &skip) in value.iter_mut().zip(skip) {
            *value = skip + *value;
        }
    }
}
