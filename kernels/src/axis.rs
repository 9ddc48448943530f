//! One index of a matrix, real or virtual: how far in memory each of its values lies from the first.
//!
//! The rows of a plain matrix step by one stride. The pixels of a batch run over (image, row, column), which are three nested
//! strides. So one gemm serves plain matrices and convolutions whose kernels have one tap.

/// Up to three nested strides; the last runs fastest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    extents: [usize; 3],
    strides: [isize; 3],
}

impl Axis {
    /// A single stride.
    pub(crate) fn plain(extent: usize, stride: usize) -> Self {
        Self { extents: [1, 1, extent], strides: [0, 0, stride as isize] }
    }

    /// Nested strides, outermost first. Neighbours that continue one another are joined.
    pub(crate) fn nested(extents: [usize; 3], strides: [isize; 3]) -> Self {
        let [mut e0, mut e1, mut e2] = extents;
        let [mut s0, mut s1, mut s2] = strides;
        if e2 == 1 || (e1 > 1 && s1 == s2 * e2 as isize) {
            (e2, s2) = (e1 * e2, if e2 == 1 { s1 } else { s2 });
            (e1, s1) = (1, 0);
        }
        if e1 == 1 {
            (e1, s1) = (e0, s0);
            (e0, s0) = (1, 0);
            if e2 == 1 || (e1 > 1 && s1 == s2 * e2 as isize) {
                (e2, s2) = (e1 * e2, if e2 == 1 { s1 } else { s2 });
                (e1, s1) = (1, 0);
            }
        } else if e0 > 1 && s0 == s1 * e1 as isize {
            e1 *= e0;
            (e0, s0) = (1, 0);
        }
        Self { extents: [e0, e1, e2], strides: [s0, s1, s2] }
    }

    /// The number of values of the index.
    pub(crate) fn len(&self) -> usize {
        self.extents.iter().product()
    }

    /// Whether neighbours along the fastest stride are neighbours in memory.
    pub(crate) fn is_contiguous(&self) -> bool {
        self.strides[2] == 1
    }

    /// Whether one stride leads from each value to the next.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        self.extents[0] == 1 && self.extents[1] == 1
    }

    /// How far index `i` lies from index 0.
    #[inline]
    pub(crate) fn offset(&self, i: usize) -> isize {
        if self.is_plain() {
            return i as isize * self.strides[2];
        }
        let [_, e1, e2] = self.extents;
        let (rest, i2) = (i / e2, i % e2);
        let (i0, i1) = (rest / e1, rest % e1);
        i0 as isize * self.strides[0] + i1 as isize * self.strides[1] + i2 as isize * self.strides[2]
    }

    /// Cuts `first..first + len` into runs of one stride and calls `f(start, offset, length)` for each, `start` counted
    /// from `first`. The stride within a run is [`Axis::inner_stride`].
    #[inline]
    pub(crate) fn for_each_run(&self, first: usize, len: usize, mut f: impl FnMut(usize, isize, usize)) {
        if self.is_plain() {
            return f(0, self.offset(first), len);
        }
        let inner = self.extents[2];
        let mut done = 0;
        while done < len {
            let i = first + done;
            let run = (inner - i % inner).min(len - done);
            f(done, self.offset(i), run);
            done += run;
        }
    }

    /// The offset of index `first`, and the stride from there, where `count` indices from it on have one.
    #[inline]
    pub(crate) fn run(&self, first: usize, count: usize) -> Option<(isize, isize)> {
        let [e0, e1, inner] = self.extents;
        if e0 == 1 && e1 == 1 {
            return Some((first as isize * self.strides[2], self.strides[2]));
        }
        (first % inner + count <= inner).then(|| (self.offset(first), self.strides[2]))
    }

    /// How far the indices from `first` on lie from index 0, one for each place in `offsets`.
    pub(crate) fn offsets(&self, first: usize, offsets: &mut [isize]) {
        self.for_each_run(first, offsets.len(), |start, offset, run| {
            for (i, place) in offsets[start..start + run].iter_mut().enumerate() {
                *place = offset + i as isize * self.inner_stride();
            }
        });
    }

    /// The stride of the fastest index.
    pub(crate) fn inner_stride(&self) -> isize {
        self.strides[2]
    }
}

#[cfg(test)]
mod tests {
    use super::Axis;

    fn offsets(extents: [usize; 3], strides: [isize; 3]) -> Vec<isize> {
        let mut all = Vec::new();
        for i in 0..extents[0] as isize {
            for j in 0..extents[1] as isize {
                for k in 0..extents[2] as isize {
                    all.push(i * strides[0] + j * strides[1] + k * strides[2]);
                }
            }
        }
        all
    }

    #[test]
    fn joined_axes_keep_their_offsets() {
        for extents in [[1, 1, 1], [2, 3, 4], [1, 3, 4], [2, 1, 4], [2, 3, 1], [1, 1, 4], [1, 3, 1], [2, 1, 1]] {
            for strides in
                [[12, 4, 1], [100, 4, 1], [12, 10, 1], [3, 1, 7], [24, 8, 2], [-20, 5, 1], [4, 0, 1], [0, 0, 0]]
            {
                let axis = Axis::nested(extents, strides);
                let expected = offsets(extents, strides);
                assert_eq!(axis.len(), expected.len());
                let found: Vec<isize> = (0..axis.len()).map(|i| axis.offset(i)).collect();
                assert_eq!(found, expected, "{extents:?} {strides:?} as {axis:?}");
                for first in 0..expected.len() {
                    let mut walked = Vec::new();
                    axis.for_each_run(first, expected.len() - first, |start, offset, run| {
                        assert_eq!(start, walked.len());
                        walked.extend((0..run as isize).map(|i| offset + i * axis.inner_stride()));
                    });
                    assert_eq!(walked, expected[first..]);
                }
            }
        }
    }

    #[test]
    fn dense_images_are_one_run() {
        assert_eq!(Axis::nested([8, 32, 32], [1024, 32, 1]), Axis::plain(8 * 32 * 32, 1));
        assert_ne!(Axis::nested([8, 30, 30], [1024, 32, 1]).extents[1], 1);
    }
}
