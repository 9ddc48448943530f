//! Matrices in every layout, with gaps that tell when they are touched.

use fathom_kernels::{MatMut, MatRef, Real};

use super::Source;

/// How many layouts there are for [`strides`].
pub const LAYOUTS: usize = 6;

/// Strides of a `rows x cols` matrix: along rows or along columns, with its lines dense, with gaps between them, or with
/// gaps between the elements as well.
pub fn strides(layout: usize, rows: usize, cols: usize) -> (usize, usize) {
    match layout % LAYOUTS {
        0 => (cols, 1),
        1 => (1, rows),
        2 => (cols + 3, 1),
        3 => (1, rows + 5),
        4 => (2 * cols + 1, 2),
        _ => (3, 3 * rows + 1),
    }
}

/// A matrix that is just as long as its last element requires, with NaN in its gaps.
#[derive(Clone)]
pub struct Matrix<T> {
    pub values: Vec<T>,
    pub rows: usize,
    pub cols: usize,
    pub strides: (usize, usize),
}

impl<T: Real> Matrix<T> {
    pub fn random(source: &mut Source, (rows, cols): (usize, usize), layout: usize) -> Self {
        let strides = strides(layout, rows, cols);
        let reach = if rows * cols == 0 { 0 } else { (rows - 1) * strides.0 + (cols - 1) * strides.1 + 1 };
        let mut matrix = Self { values: vec![T::from_f64(f64::NAN); reach], rows, cols, strides };
        for (i, row) in source.values::<T>(rows * cols).chunks(cols.max(1)).enumerate() {
            for (j, &x) in row.iter().enumerate() {
                matrix.values[i * strides.0 + j * strides.1] = x;
            }
        }
        matrix
    }

    /// The same shape and layout over other memory.
    pub fn of<'a>(&self, data: &'a [T]) -> MatRef<'a, T> {
        MatRef::strided(data, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }

    pub fn of_mut<'a>(&self, data: &'a mut [T]) -> MatMut<'a, T> {
        MatMut::strided(data, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }

    pub fn view(&self) -> MatRef<'_, T> {
        self.of(&self.values)
    }

    pub fn view_mut(&mut self) -> MatMut<'_, T> {
        MatMut::strided(&mut self.values, self.rows, self.cols, self.strides.0, self.strides.1).unwrap()
    }
}
