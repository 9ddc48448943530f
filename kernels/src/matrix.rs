//! Views of matrices: a slice, a shape and two strides.

use std::fmt;
use std::marker::PhantomData;

/// A shape and strides that do not fit the slice under them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// The last element lies beyond the slice.
    TooShort {
        /// Elements that the shape and strides reach.
        needed: usize,
        /// Elements that the slice has.
        found: usize,
    },
    /// The dimensions of a mutable view overlap, or lie within one another so that they might: sorted by stride, each has to step over
    /// all smaller ones.
    Overlap {
        /// Extents, as they were given.
        shape: Vec<usize>,
        /// Strides in elements, in the same order.
        strides: Vec<usize>,
    },
    /// The extents or strides multiply to more than the address space.
    TooLarge,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { needed, found } => {
                write!(f, "the shape and strides reach {needed} elements, but the slice has {found}")
            }
            Self::Overlap { shape, strides } => {
                write!(
                    f,
                    "a mutable view of shape {shape:?} with strides {strides:?} has dimensions that overlap or interleave"
                )
            }
            Self::TooLarge => write!(f, "the shape and strides reach beyond the address space"),
        }
    }
}

impl std::error::Error for LayoutError {}

/// Elements reached by a view: 0 when it is empty, otherwise the offset of the last element plus one.
pub(crate) fn reach(shape: &[usize], strides: &[usize]) -> Result<usize, LayoutError> {
    if shape.contains(&0) {
        return Ok(0);
    }
    let mut last = 0usize;
    for (&extent, &stride) in shape.iter().zip(strides) {
        let step = (extent - 1).checked_mul(stride).ok_or(LayoutError::TooLarge)?;
        last = last.checked_add(step).ok_or(LayoutError::TooLarge)?;
    }
    if last >= isize::MAX as usize {
        return Err(LayoutError::TooLarge);
    }
    Ok(last + 1)
}

/// The strides of a view that fits `len` elements: where no step is taken, what is given may be any number, and none that is larger than
/// `len` is kept.
pub(crate) fn taken<const N: usize>(len: usize, shape: [usize; N], strides: [usize; N]) -> [usize; N] {
    let empty = shape.contains(&0);
    std::array::from_fn(|dim| match shape[dim] {
        _ if empty => 0,
        1 => strides[dim].min(len),
        _ => strides[dim],
    })
}

/// Whether a view fits `len` elements.
pub(crate) fn check_fit(len: usize, shape: &[usize], strides: &[usize]) -> Result<(), LayoutError> {
    match reach(shape, strides)? {
        needed if needed > len => Err(LayoutError::TooShort { needed, found: len }),
        _ => Ok(()),
    }
}

/// Whether `rows x cols` elements, one after another, fit `len`; quick where they do.
#[inline]
fn check_dense(len: usize, rows: usize, cols: usize) -> Result<(), LayoutError> {
    match rows.checked_mul(cols) {
        Some(needed) if needed <= len => Ok(()),
        _ => check_fit(len, &[rows, cols], &[cols, 1]),
    }
}

/// Whether all elements have addresses of their own: sorted by stride, each dimension steps over all smaller ones.
pub(crate) fn check_distinct(shape: &[usize], strides: &[usize]) -> Result<(), LayoutError> {
    if shape.contains(&0) {
        return Ok(());
    }
    // At most four dimensions, and no allocation: views are made for every call. Extent 1 takes no step.
    let mut dims = [(0, 1); 4];
    assert!(shape.len() <= dims.len());
    for (dim, pair) in dims.iter_mut().zip(strides.iter().copied().zip(shape.iter().copied())) {
        *dim = pair;
    }
    dims.sort_unstable();
    let mut covered = 1;
    for (stride, extent) in dims.into_iter().filter(|&(_, extent)| extent > 1) {
        if stride < covered {
            return Err(LayoutError::Overlap { shape: shape.to_vec(), strides: strides.to_vec() });
        }
        covered += stride * (extent - 1);
    }
    Ok(())
}

/// A read-only view of a matrix. Element `(i, j)` is at `i * row_stride + j * col_stride`.
#[derive(Clone, Copy)]
pub struct MatRef<'a, T> {
    ptr: *const T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
    lifetime: PhantomData<&'a [T]>,
}

/// A mutable view of a matrix, whose elements all have addresses of their own.
pub struct MatMut<'a, T> {
    ptr: *mut T,
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: a `MatRef` is a `&[T]` with a shape.
unsafe impl<T: Sync> Send for MatRef<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for MatRef<'_, T> {}
// SAFETY: a `MatMut` is a `&mut [T]` with a shape.
unsafe impl<T: Send> Send for MatMut<'_, T> {}
// SAFETY: as above; a shared `MatMut` only reads.
unsafe impl<T: Sync> Sync for MatMut<'_, T> {}

impl<'a, T: Copy> MatRef<'a, T> {
    /// A `rows x cols` matrix whose rows lie one after another at the start of `data`.
    ///
    /// # Errors
    /// When `data` has fewer than `rows * cols` elements.
    #[inline]
    pub fn row_major(data: &'a [T], rows: usize, cols: usize) -> Result<Self, LayoutError> {
        check_dense(data.len(), rows, cols)?;
        Ok(Self { ptr: data.as_ptr(), rows, cols, row_stride: cols, col_stride: 1, lifetime: PhantomData })
    }

    /// A `rows x cols` matrix whose columns lie one after another at the start of `data`.
    ///
    /// # Errors
    /// When `data` has fewer than `rows * cols` elements.
    #[inline]
    pub fn col_major(data: &'a [T], rows: usize, cols: usize) -> Result<Self, LayoutError> {
        check_dense(data.len(), rows, cols)?;
        Ok(Self { ptr: data.as_ptr(), rows, cols, row_stride: 1, col_stride: rows, lifetime: PhantomData })
    }

    /// A `rows x cols` matrix with any strides, in elements. Stride 0 repeats a row or column.
    ///
    /// # Errors
    /// When the last element lies beyond `data`.
    pub fn strided(
        data: &'a [T],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Result<Self, LayoutError> {
        check_fit(data.len(), &[rows, cols], &[row_stride, col_stride])?;
        let [row_stride, col_stride] = taken(data.len(), [rows, cols], [row_stride, col_stride]);
        Ok(Self { ptr: data.as_ptr(), rows, cols, row_stride, col_stride, lifetime: PhantomData })
    }

    /// The transpose, `cols x rows`, of the same data.
    #[inline]
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// The `rows x cols` part whose first element is `(row, col)`.
    ///
    /// # Panics
    /// When the part reaches beyond the matrix.
    pub fn submatrix(self, row: usize, col: usize, rows: usize, cols: usize) -> Self {
        check_part((self.rows, self.cols), (row, col), (rows, cols));
        let offset = if rows == 0 || cols == 0 { 0 } else { row * self.row_stride + col * self.col_stride };
        // SAFETY: a part that is not empty starts at an element of the view; an empty one moves nowhere.
        let ptr = unsafe { self.ptr.add(offset) };
        Self { ptr, rows, cols, ..self }
    }

    /// Element `(row, col)`.
    ///
    /// # Panics
    /// When it lies outside.
    #[inline]
    pub fn get(self, row: usize, col: usize) -> T {
        assert!(row < self.rows && col < self.cols, "({row}, {col}) is outside {}x{}", self.rows, self.cols);
        // SAFETY: in range, so inside the slice that the constructor checked.
        unsafe { *self.ptr.add(row * self.row_stride + col * self.col_stride) }
    }

    #[inline]
    pub(crate) fn as_ptr(self) -> *const T {
        self.ptr
    }
}

impl<'a, T: Copy> MatMut<'a, T> {
    /// As [`MatRef::row_major`].
    ///
    /// # Errors
    /// When `data` has fewer than `rows * cols` elements.
    #[inline]
    pub fn row_major(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self, LayoutError> {
        check_dense(data.len(), rows, cols)?;
        Ok(Self { ptr: data.as_mut_ptr(), rows, cols, row_stride: cols, col_stride: 1, lifetime: PhantomData })
    }

    /// As [`MatRef::col_major`].
    ///
    /// # Errors
    /// When `data` has fewer than `rows * cols` elements.
    #[inline]
    pub fn col_major(data: &'a mut [T], rows: usize, cols: usize) -> Result<Self, LayoutError> {
        check_dense(data.len(), rows, cols)?;
        Ok(Self { ptr: data.as_mut_ptr(), rows, cols, row_stride: 1, col_stride: rows, lifetime: PhantomData })
    }

    /// As [`MatRef::strided`], but no two elements may share an address.
    ///
    /// # Errors
    /// When the last element lies beyond `data`, or when two elements overlap.
    pub fn strided(
        data: &'a mut [T],
        rows: usize,
        cols: usize,
        row_stride: usize,
        col_stride: usize,
    ) -> Result<Self, LayoutError> {
        check_fit(data.len(), &[rows, cols], &[row_stride, col_stride])?;
        check_distinct(&[rows, cols], &[row_stride, col_stride])?;
        let [row_stride, col_stride] = taken(data.len(), [rows, cols], [row_stride, col_stride]);
        Ok(Self { ptr: data.as_mut_ptr(), rows, cols, row_stride, col_stride, lifetime: PhantomData })
    }

    /// The transpose, `cols x rows`, of the same data.
    #[inline]
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row_stride: self.col_stride, col_stride: self.row_stride, ..self }
    }

    /// A shorter-lived mutable view of the same matrix.
    pub fn reborrow(&mut self) -> MatMut<'_, T> {
        MatMut { ..*self }
    }

    /// A read-only view of the same matrix.
    pub fn as_ref(&self) -> MatRef<'_, T> {
        MatRef {
            ptr: self.ptr,
            rows: self.rows,
            cols: self.cols,
            row_stride: self.row_stride,
            col_stride: self.col_stride,
            lifetime: PhantomData,
        }
    }

    /// The `rows x cols` part whose first element is `(row, col)`.
    ///
    /// # Panics
    /// When the part reaches beyond the matrix.
    pub fn submatrix(self, row: usize, col: usize, rows: usize, cols: usize) -> Self {
        check_part((self.rows, self.cols), (row, col), (rows, cols));
        let offset = if rows == 0 || cols == 0 { 0 } else { row * self.row_stride + col * self.col_stride };
        // SAFETY: a part that is not empty starts at an element of the view; an empty one moves nowhere.
        let ptr = unsafe { self.ptr.add(offset) };
        Self { ptr, rows, cols, ..self }
    }

    /// Sets element `(row, col)`.
    ///
    /// # Panics
    /// When it lies outside.
    #[inline]
    pub fn set(&mut self, row: usize, col: usize, value: T) {
        assert!(row < self.rows && col < self.cols, "({row}, {col}) is outside {}x{}", self.rows, self.cols);
        // SAFETY: in range, so inside the slice that the constructor checked.
        unsafe { *self.ptr.add(row * self.row_stride + col * self.col_stride) = value };
    }

    #[inline]
    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.ptr
    }
}

fn check_part(whole: (usize, usize), first: (usize, usize), part: (usize, usize)) {
    let fits = |whole: usize, first: usize, part: usize| first <= whole && part <= whole - first;
    assert!(
        fits(whole.0, first.0, part.0) && fits(whole.1, first.1, part.1),
        "the {}x{} part at ({}, {}) reaches beyond a {}x{} matrix",
        part.0,
        part.1,
        first.0,
        first.1,
        whole.0,
        whole.1
    );
}

macro_rules! shape {
    ($view:ident) => {
        impl<T> $view<'_, T> {
            /// The number of rows.
            #[inline]
            pub fn rows(&self) -> usize {
                self.rows
            }
            /// The number of columns.
            #[inline]
            pub fn cols(&self) -> usize {
                self.cols
            }
            /// Elements from one row to the next.
            #[inline]
            pub fn row_stride(&self) -> usize {
                self.row_stride
            }
            /// Elements from one column to the next.
            #[inline]
            pub fn col_stride(&self) -> usize {
                self.col_stride
            }
        }

        impl<T> fmt::Debug for $view<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($view))
                    .field("rows", &self.rows)
                    .field("cols", &self.cols)
                    .field("row_stride", &self.row_stride)
                    .field("col_stride", &self.col_stride)
                    .finish_non_exhaustive()
            }
        }
    };
}

shape!(MatRef);
shape!(MatMut);
