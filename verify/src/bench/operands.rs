//! A, B and C of one shape, in memory.

use fathom_kernels::{MatMut, MatRef, Parallelism, Real, gemm, normal};

use super::shape::{Form, Shape};

/// Elements between rows in [`Form::Padded`].
const PADDING: usize = 24;

/// Where the elements of a matrix lie, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// From one row to the next.
    pub row_stride: usize,
    /// From one column to the next.
    pub col_stride: usize,
}

impl Layout {
    fn row_major(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: cols, col_stride: 1 }
    }

    fn transposed(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: 1, col_stride: rows }
    }

    /// The elements from the first to the last.
    pub fn reach(self) -> usize {
        (self.rows - 1) * self.row_stride + (self.cols - 1) * self.col_stride + 1
    }

    /// The strides as the crates of this field take them.
    pub fn strides(self) -> (isize, isize) {
        (self.row_stride as isize, self.col_stride as isize)
    }
}

/// A and B of C = A B, and the layouts of all three.
pub struct Operands<T> {
    /// m, n and k.
    pub sizes: [usize; 3],
    /// A, m x k.
    pub a: Buffer<T>,
    /// Where its elements lie.
    pub a_layout: Layout,
    /// B, k x n.
    pub b: Buffer<T>,
    /// Where its elements lie.
    pub b_layout: Layout,
    /// Where the elements of C lie, m x n.
    pub c_layout: Layout,
}

impl<T: Real> Operands<T> {
    /// Random entries, always the same.
    pub fn random(shape: Shape) -> Self {
        let sizes @ [m, n, k] = shape.sizes;
        let mut layouts = [Layout::row_major(m, k), Layout::row_major(k, n), Layout::row_major(m, n)];
        if matches!(shape.form, Form::Tn | Form::Tt) {
            layouts[0] = Layout::transposed(m, k);
        }
        if matches!(shape.form, Form::Nt | Form::Tt) {
            layouts[1] = Layout::transposed(k, n);
        }
        if shape.form == Form::Padded {
            layouts.iter_mut().for_each(|layout| layout.row_stride += PADDING);
        }
        if shape.form == Form::Spaced {
            layouts[..2].iter_mut().for_each(|layout| (layout.row_stride, layout.col_stride) = (2 * layout.cols, 2));
        }
        let [a_layout, b_layout, c_layout] = layouts;
        let (mut a, mut b) = (Buffer::new(a_layout.reach(), T::ZERO), Buffer::new(b_layout.reach(), T::ZERO));
        normal::fill(1, 0, 0, &mut a);
        normal::fill(1, 1, 0, &mut b);
        Self { sizes, a, a_layout, b, b_layout, c_layout }
    }

    /// A matrix that can hold C, full of NaN, so that an element that a library leaves out is noticed.
    pub fn output(&self) -> Buffer<T> {
        Buffer::new(self.c_layout.reach(), T::from_f64(f64::NAN))
    }

    /// C = A B by this project.
    pub fn multiply(&self, c: &mut [T], parallelism: Parallelism) {
        // The views are made as a user makes them, and in every call.
        let view = |data, at: Layout| match at {
            Layout { rows, cols, row_stride, col_stride: 1 } if row_stride == cols => {
                MatRef::row_major(data, rows, cols)
            }
            Layout { rows, cols, row_stride, col_stride } => MatRef::strided(data, rows, cols, row_stride, col_stride),
        };
        let a = view(&self.a, self.a_layout).expect("as long as its layout");
        let b = view(&self.b, self.b_layout).expect("as long as its layout");
        let c = match self.c_layout {
            Layout { rows, cols, row_stride, col_stride: 1 } if row_stride == cols => MatMut::row_major(c, rows, cols),
            Layout { rows, cols, row_stride, col_stride } => MatMut::strided(c, rows, cols, row_stride, col_stride),
        };
        gemm(T::ONE, a, b, T::ZERO, c.expect("as long as its layout"), parallelism);
    }

    /// |A| and |B|.
    pub fn absolute(&self) -> Self {
        let absolute = |data: &Buffer<T>| {
            let mut copy = Buffer::new(data.len(), T::ZERO);
            copy.iter_mut().zip(data.iter()).for_each(|(y, &x)| *y = if x < T::ZERO { -x } else { x });
            copy
        };
        Self { a: absolute(&self.a), b: absolute(&self.b), ..*self }
    }
}

/// Elements from a cache line's start, so that no run is luckier with its addresses than the next.
pub struct Buffer<T> {
    data: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Buffer<T> {
    fn new(len: usize, value: T) -> Self {
        const LINE: usize = 64;
        let data = vec![value; len + LINE / size_of::<T>()];
        let start = data.as_ptr().align_offset(LINE);
        Self { data, start, len }
    }
}

impl<T> std::ops::Deref for Buffer<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.data[self.start..self.start + self.len]
    }
}

impl<T> std::ops::DerefMut for Buffer<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.data[self.start..self.start + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_the_product_that_its_layouts_say() {
        for form in ["nn", "tn", "nt", "tt", "padded", "spaced"] {
            let operands = Operands::<f64>::random(format!("5x4x3:{form}").parse().unwrap());
            let mut c = operands.output();
            operands.multiply(&mut c, Parallelism::Serial);
            let at = |layout: Layout, i: usize, j: usize| i * layout.row_stride + j * layout.col_stride;
            for (i, j) in (0..5).flat_map(|i| (0..4).map(move |j| (i, j))) {
                let factors =
                    (0..3).map(|p| (operands.a[at(operands.a_layout, i, p)], operands.b[at(operands.b_layout, p, j)]));
                let sum = factors.fold(0.0, |sum, (a, b): (f64, f64)| a.mul_add(b, sum));
                assert_eq!(c[at(operands.c_layout, i, j)], sum, "{form} ({i}, {j})");
            }
        }
    }

    #[test]
    fn buffers_start_at_a_cache_line() {
        for len in [1, 7, 1000] {
            let buffer = Buffer::new(len, 1.0f32);
            assert!(buffer.len() == len && buffer.as_ptr().addr() % 64 == 0);
        }
    }
}
