//! Views of four-dimensional tensors: batches of images, and filters.

use std::marker::PhantomData;

use crate::matrix::{LayoutError, check_distinct, check_fit, taken};

/// A read-only view of a tensor of shape `[n, c, h, w]` with any strides: images (image, channel, row, column), or
/// filters (output channel, input channel, row, column).
#[derive(Clone, Copy, Debug)]
pub struct TensorRef<'a, T> {
    ptr: *const T,
    shape: [usize; 4],
    strides: [usize; 4],
    lifetime: PhantomData<&'a [T]>,
}

/// A mutable view of a tensor of shape `[n, c, h, w]`, whose elements all have addresses of their own.
#[derive(Debug)]
pub struct TensorMut<'a, T> {
    ptr: *mut T,
    shape: [usize; 4],
    strides: [usize; 4],
    lifetime: PhantomData<&'a mut [T]>,
}

// SAFETY: a `TensorRef` is a `&[T]` with a shape.
unsafe impl<T: Sync> Send for TensorRef<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for TensorRef<'_, T> {}
// SAFETY: a `TensorMut` is a `&mut [T]` with a shape.
unsafe impl<T: Send> Send for TensorMut<'_, T> {}

/// Strides, in elements, of a dense tensor whose last index runs fastest.
fn dense([_, c, h, w]: [usize; 4]) -> Result<[usize; 4], LayoutError> {
    let plane = h.checked_mul(w).ok_or(LayoutError::TooLarge)?;
    Ok([plane.checked_mul(c).ok_or(LayoutError::TooLarge)?, plane, w, 1])
}

impl<'a, T: Copy> TensorRef<'a, T> {
    /// A dense tensor at the start of `data`, its last index running fastest (NCHW).
    ///
    /// # Errors
    /// When `data` is too short.
    pub fn dense(data: &'a [T], shape: [usize; 4]) -> Result<Self, LayoutError> {
        Self::strided(data, shape, dense(shape)?)
    }

    /// A tensor with any strides, in elements.
    ///
    /// # Errors
    /// When the last element lies beyond `data`.
    pub fn strided(data: &'a [T], shape: [usize; 4], strides: [usize; 4]) -> Result<Self, LayoutError> {
        check_fit(data.len(), &shape, &strides)?;
        let strides = taken(data.len(), shape, strides);
        Ok(Self { ptr: data.as_ptr(), shape, strides, lifetime: PhantomData })
    }

    /// The element at `index`.
    ///
    /// # Panics
    /// When it lies outside.
    #[inline]
    pub fn get(self, index: [usize; 4]) -> T {
        let offset = offset(self.shape, self.strides, index);
        // SAFETY: `offset` has checked that the index is in range, so it lies inside the slice.
        unsafe { *self.ptr.add(offset) }
    }

    pub(crate) fn as_ptr(self) -> *const T {
        self.ptr
    }
}

impl<'a, T: Copy> TensorMut<'a, T> {
    /// As [`TensorRef::dense`].
    ///
    /// # Errors
    /// When `data` is too short.
    pub fn dense(data: &'a mut [T], shape: [usize; 4]) -> Result<Self, LayoutError> {
        Self::strided(data, shape, dense(shape)?)
    }

    /// As [`TensorRef::strided`], but no two elements may share an address.
    ///
    /// # Errors
    /// When the last element lies beyond `data`, or when two elements overlap.
    pub fn strided(data: &'a mut [T], shape: [usize; 4], strides: [usize; 4]) -> Result<Self, LayoutError> {
        check_fit(data.len(), &shape, &strides)?;
        check_distinct(&shape, &strides)?;
        let strides = taken(data.len(), shape, strides);
        Ok(Self { ptr: data.as_mut_ptr(), shape, strides, lifetime: PhantomData })
    }

    /// A read-only view of the same tensor.
    pub fn as_ref(&self) -> TensorRef<'_, T> {
        TensorRef { ptr: self.ptr, shape: self.shape, strides: self.strides, lifetime: PhantomData }
    }

    /// Sets the element at `index`.
    ///
    /// # Panics
    /// When it lies outside.
    #[inline]
    pub fn set(&mut self, index: [usize; 4], value: T) {
        let offset = offset(self.shape, self.strides, index);
        // SAFETY: `offset` has checked that the index is in range, so it lies inside the slice.
        unsafe { *self.ptr.add(offset) = value };
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut T {
        self.ptr
    }
}

#[inline]
fn offset(shape: [usize; 4], strides: [usize; 4], index: [usize; 4]) -> usize {
    assert!(index.iter().zip(shape).all(|(&i, extent)| i < extent), "{index:?} is outside {shape:?}");
    index.iter().zip(strides).map(|(i, stride)| i * stride).sum()
}

macro_rules! shape {
    ($view:ident) => {
        impl<T> $view<'_, T> {
            /// The extents `[n, c, h, w]`.
            pub fn shape(&self) -> [usize; 4] {
                self.shape
            }
            /// The strides in elements, in the same order; of an extent of 1, no more than the length of the data.
            pub fn strides(&self) -> [usize; 4] {
                self.strides
            }
        }
    };
}

shape!(TensorRef);
shape!(TensorMut);
