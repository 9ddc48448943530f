//! Pixels that share their taps, one after the other.

use std::ops::Range;

use super::Convolution;
use super::direct::Copied;
use super::stretch::Stretch;

/// The pixels of a rectangle of outputs, image by image and row by row: where each lies in the copy of x, and in y.
#[derive(Clone)]
pub(super) struct Pixels {
    /// Steps of (image, row, column) in both, the place of the next pixel, and how many are left, the next included.
    steps: [[isize; 2]; 3],
    at: [[isize; 2]; 3],
    left: [usize; 3],
    /// Rows and columns.
    whole: [usize; 2],
}

impl Pixels {
    /// Those of the images and of the rows and columns `within` of a rectangle.
    pub(super) fn new<T>(
        job: &Convolution<'_, T>,
        copied: &Copied<T>,
        images: &Range<usize>,
        (v, h): (&Stretch, &Stretch),
        [rows, cols]: [Range<usize>; 2],
    ) -> Self {
        let [image, _, row, col] = job.y.strides;
        let pixel = copied.pixel as isize;
        let line = copied.cols as isize * pixel;
        let source = v.source + rows.start as isize * v.source_step - copied.row as isize;
        let source_col = h.source + cols.start as isize * h.source_step - copied.col as isize;
        let (first, first_col) = (v.first + rows.start * v.step, h.first + cols.start * h.step);
        let start = [
            source * line + source_col * pixel,
            images.start as isize * image + first as isize * row + first_col as isize * col,
        ];
        Self {
            steps: [
                [copied.rows as isize * line, image],
                [v.source_step * line, v.step as isize * row],
                [h.source_step * pixel, h.step as isize * col],
            ],
            at: [start; 3],
            left: [images.len(), rows.len(), cols.len()],
            whole: [rows.len(), cols.len()],
        }
    }

    /// How many there are, before the first is taken.
    pub(super) fn total(&self) -> usize {
        self.left.iter().product()
    }
}

impl Iterator for Pixels {
    type Item = (isize, isize);

    fn next(&mut self) -> Option<(isize, isize)> {
        if self.left[0] == 0 {
            return None;
        }
        let [x, y] = self.at[2];
        for dim in (0..3).rev() {
            self.left[dim] -= 1;
            self.at[dim] = [0, 1].map(|side| self.at[dim][side] + self.steps[dim][side]);
            if self.left[dim] > 0 {
                // The faster indices begin again from here.
                for faster in dim + 1..3 {
                    (self.left[faster], self.at[faster]) = (self.whole[faster - 1], self.at[dim]);
                }
                break;
            }
        }
        Some((x, y))
    }
}
