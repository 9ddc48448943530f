//! What a strip ahead becomes, piece by piece.

use super::super::{Ahead, Step};
use super::nan;
use crate::Real;

/// What a kernel does about a strip ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    /// Asks for its rows.
    Asks,
    /// Copies them.
    Copies,
    /// Transposes it, in pieces of so many columns and rows.
    Turns([usize; 2]),
}

/// A strip of B ahead: `rows` rows of `span` columns, in lines of one or the other, `line` elements apart.
pub(super) struct Strip {
    pub(super) looks: Looks,
    pub(super) rows: usize,
    pub(super) span: usize,
    pub(super) line: usize,
}

impl Strip {
    /// Pieces in a column of pieces, and in all.
    fn pieces(&self) -> (usize, usize) {
        match self.looks {
            Looks::Turns([width, depth]) => (self.rows / depth, self.rows / depth * (self.span / width)),
            _ => (self.rows, self.rows),
        }
    }

    /// The panel that the first `done` pieces of `far` become; NaN where there is none yet.
    pub(super) fn panel<T: Real>(&self, far: &[T], done: usize) -> Vec<T> {
        let (column, pieces) = self.pieces();
        let mut panel = vec![nan(); self.rows * self.span];
        for piece in 0..done.min(pieces) {
            match self.looks {
                Looks::Asks => {}
                Looks::Copies => {
                    panel[piece * self.span..][..self.span].copy_from_slice(&far[piece * self.line..][..self.span]);
                }
                Looks::Turns([width, depth]) => {
                    let (first, row) = (piece / column * width, piece % column * depth);
                    for (j, k) in (first..first + width).flat_map(|j| (row..row + depth).map(move |k| (j, k))) {
                        panel[k * self.span + j] = far[j * self.line + k];
                    }
                }
            }
        }
        panel
    }

    /// How it is packed or asked for from `from` to `to`, so many pieces in a tile and after so many steps.
    pub(super) fn ahead<T>(&self, from: *const T, to: *mut T, (in_tile, gap): (usize, usize)) -> Ahead<T> {
        let (column, pieces) = self.pieces();
        let [span, line] = [self.span, self.line].map(|elements| elements as isize);
        let (step, across) = match self.looks {
            Looks::Turns([width, depth]) => {
                let [width, depth] = [width, depth].map(|elements| elements as isize);
                (Step { from: depth, to: depth * span }, Step { from: width * line, to: width })
            }
            _ => (Step { from: line, to: span }, Step { from: line, to: span }),
        };
        Ahead { from, to, step, across, column, done: 0, pieces, in_tile, gap, b_column: line, rows: 2, b_row: line }
    }
}
