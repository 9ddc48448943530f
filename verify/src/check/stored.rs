//! Operands in memory: a matrix or tensor with its strides, the gaps between its elements, and margins around it.

use fathom_kernels::{MatMut, MatRef, Real, TensorMut, TensorRef};

/// Elements before the first and after the last that no kernel may touch.
const MARGIN: usize = 9;

const COVERED: &str = "the buffer was made for this shape and these strides";
const DISTINCT: &str = "the buffer was made for this shape, and the table gives outputs addresses of their own";

/// A matrix (`N` = 2) or tensor (`N` = 4) in a buffer whose gaps and margins hold a canary.
#[derive(Clone)]
pub struct Stored<T, const N: usize> {
    data: Vec<T>,
    shape: [usize; N],
    strides: [usize; N],
}

impl<T: Real, const N: usize> Stored<T, N> {
    /// Lays out `value(index)` with `strides`, and `canary` everywhere else. A stride of 0 repeats elements: the last
    /// index that reaches an address decides.
    pub fn new(
        shape: [usize; N],
        strides: [usize; N],
        canary: T,
        mut value: impl FnMut([usize; N]) -> T,
    ) -> Stored<T, N> {
        let last: usize = shape.iter().zip(strides).map(|(&extent, stride)| extent.saturating_sub(1) * stride).sum();
        let len = if shape.contains(&0) { 0 } else { last + 1 };
        let mut stored = Self { data: vec![canary; len + 2 * MARGIN], shape, strides };
        for index in indices(shape) {
            let offset = stored.offset(index);
            stored.data[offset] = value(index);
        }
        stored
    }

    /// The extents.
    pub fn shape(&self) -> [usize; N] {
        self.shape
    }

    /// The elements alone, the last index running fastest.
    pub fn elements(&self) -> Vec<T> {
        indices(self.shape).map(|index| self.data[self.offset(index)]).collect()
    }

    /// The position in the buffer and the value now of the first gap or margin whose bits differ from `before`'s, and
    /// its value there.
    pub fn changed_gap(&self, before: &Self) -> Option<(usize, T, T)> {
        let mut gap = vec![true; self.data.len()];
        for index in indices(self.shape) {
            gap[self.offset(index)] = false;
        }
        let changed = |&i: &usize| gap[i] && self.data[i].bits() != before.data[i].bits();
        (0..gap.len()).find(changed).map(|i| (i, self.data[i], before.data[i]))
    }

    fn offset(&self, index: [usize; N]) -> usize {
        MARGIN + index.iter().zip(self.strides).map(|(i, stride)| i * stride).sum::<usize>()
    }

    fn inside(&self) -> &[T] {
        &self.data[MARGIN..self.data.len() - MARGIN]
    }

    fn inside_mut(&mut self) -> &mut [T] {
        let end = self.data.len() - MARGIN;
        &mut self.data[MARGIN..end]
    }
}

impl<T: Real> Stored<T, 2> {
    /// The matrix; by transposing a view when `transposed`, which must come to the same.
    pub fn view(&self, transposed: bool) -> MatRef<'_, T> {
        let ([rows, cols], [row_stride, col_stride]) = (self.shape, self.strides);
        if transposed {
            return MatRef::strided(self.inside(), cols, rows, col_stride, row_stride).expect(COVERED).t();
        }
        MatRef::strided(self.inside(), rows, cols, row_stride, col_stride).expect(COVERED)
    }

    /// As [`Stored::view`], to write to.
    ///
    /// # Panics
    /// If elements share an address.
    pub fn view_mut(&mut self, transposed: bool) -> MatMut<'_, T> {
        let ([rows, cols], [row_stride, col_stride]) = (self.shape, self.strides);
        if transposed {
            return MatMut::strided(self.inside_mut(), cols, rows, col_stride, row_stride).expect(DISTINCT).t();
        }
        MatMut::strided(self.inside_mut(), rows, cols, row_stride, col_stride).expect(DISTINCT)
    }
}

impl<T: Real> Stored<T, 4> {
    /// The tensor.
    pub fn tensor(&self) -> TensorRef<'_, T> {
        TensorRef::strided(self.inside(), self.shape, self.strides).expect(COVERED)
    }

    /// The tensor, to write to.
    ///
    /// # Panics
    /// If elements share an address.
    pub fn tensor_mut(&mut self) -> TensorMut<'_, T> {
        let (shape, strides) = (self.shape, self.strides);
        TensorMut::strided(self.inside_mut(), shape, strides).expect(DISTINCT)
    }
}

/// Every index of a shape, the last one running fastest.
pub fn indices<const N: usize>(shape: [usize; N]) -> impl Iterator<Item = [usize; N]> {
    let mut next = (!shape.contains(&0)).then_some([0; N]);
    std::iter::from_fn(move || {
        let index = next?;
        next = successor(index, shape);
        Some(index)
    })
}

fn successor<const N: usize>(mut index: [usize; N], shape: [usize; N]) -> Option<[usize; N]> {
    for (i, extent) in index.iter_mut().zip(shape).rev() {
        *i += 1;
        if *i < extent {
            return Some(index);
        }
        *i = 0;
    }
    None
}

/// The index of the element that is number `flat`, the last index running fastest.
pub fn index_of<const N: usize>(shape: [usize; N], mut flat: usize) -> [usize; N] {
    let mut index = [0; N];
    for (i, extent) in index.iter_mut().zip(shape).rev() {
        *i = flat % extent;
        flat /= extent;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_to_a_gap_or_a_margin_is_seen_and_one_to_an_element_is_not() {
        let before = Stored::new([3, 2], [7, 2], f32::NAN, |[i, j]| (10 * i + j) as f32);
        let elements: Vec<usize> = indices([3, 2]).map(|index| before.offset(index)).collect();
        assert_eq!(before.elements(), [0.0, 1.0, 10.0, 11.0, 20.0, 21.0]);
        for i in 0..before.data.len() {
            let mut after = before.clone();
            after.data[i] = 5.0;
            let seen = after.changed_gap(&before);
            assert_eq!(seen.map(|(i, now, _)| (i, now)), (!elements.contains(&i)).then_some((i, 5.0)));
        }
    }

    #[test]
    fn indices_run_in_order_and_are_numbered() {
        let all: Vec<[usize; 3]> = indices([2, 1, 3]).collect();
        assert_eq!(all, [[0, 0, 0], [0, 0, 1], [0, 0, 2], [1, 0, 0], [1, 0, 1], [1, 0, 2]]);
        assert!(all.iter().enumerate().all(|(i, &index)| index_of([2, 1, 3], i) == index));
        assert_eq!(indices([2, 0, 3]).count(), 0);
    }

    #[test]
    fn a_transposed_view_is_the_same_matrix() {
        let stored = Stored::new([2, 5], [1, 2], 0.0f64, |[i, j]| (10 * i + j) as f64);
        let (plain, transposed) = (stored.view(false), stored.view(true));
        for [i, j] in indices([2, 5]) {
            assert_eq!(plain.get(i, j), (10 * i + j) as f64);
            assert_eq!(transposed.get(i, j), plain.get(i, j));
        }
    }
}
