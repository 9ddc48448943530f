//! m* from pass rates: where their isotonic regression on the width crosses 1 - delta.

/// Starts at one width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Passes {
    /// ln m.
    pub log_width: f64,
    /// Starts that passed.
    pub passes: u64,
    /// Starts that were run.
    pub starts: u64,
}

/// Widths pooled to one pass rate.
#[derive(Clone, Copy, Debug)]
struct Block {
    passes: f64,
    starts: f64,
    /// ln m of its narrowest and its widest width.
    ends: [f64; 2],
}

impl Block {
    fn rate(&self) -> f64 {
        self.passes / self.starts
    }
}

/// Where crossings are computed over and over: its memory is reused.
#[derive(Clone, Debug, Default)]
pub struct Isotonic {
    blocks: Vec<Block>,
}

impl Isotonic {
    /// ln m at which the rate crosses `rate`, interpolated linearly in ln m; none when no width reaches it. `runs` must
    /// ascend in width. The regression is that of pooled adjacent violators, weighted by the starts.
    pub fn crossing(&mut self, runs: impl IntoIterator<Item = Passes>, rate: f64) -> Option<f64> {
        self.blocks.clear();
        for run in runs {
            let mut block =
                Block { passes: run.passes as f64, starts: run.starts as f64, ends: [run.log_width, run.log_width] };
            while let Some(last) = self.blocks.last().filter(|last| last.rate() >= block.rate()) {
                block = Block {
                    passes: last.passes + block.passes,
                    starts: last.starts + block.starts,
                    ends: [last.ends[0], block.ends[1]],
                };
                self.blocks.pop();
            }
            self.blocks.push(block);
        }
        let above = self.blocks.iter().position(|block| block.rate() >= rate)?;
        let (x1, f1) = (self.blocks[above].ends[0], self.blocks[above].rate());
        let Some(below) = above.checked_sub(1).map(|below| &self.blocks[below]) else { return Some(x1) };
        let (x0, f0) = (below.ends[1], below.rate());
        Some(x0 + (x1 - x0) * (rate - f0) / (f1 - f0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crossing(runs: &[(f64, u64)], rate: f64) -> Option<f64> {
        let runs = runs.iter().map(|&(width, passes)| Passes { log_width: width.ln(), passes, starts: 10 });
        Isotonic::default().crossing(runs, rate).map(f64::exp)
    }

    #[test]
    fn a_rate_that_is_not_monotone_is_pooled() {
        // 16 and 32 pool to one half.
        assert!((crossing(&[(8.0, 0), (16.0, 6), (32.0, 4), (64.0, 10)], 0.5).unwrap() - 16.0).abs() < 1e-9);
        // All of them pool to 4 of 30, and the rate is never reached.
        assert_eq!(crossing(&[(8.0, 2), (16.0, 1), (32.0, 1)], 0.5), None);
    }

    #[test]
    fn between_widths_the_crossing_is_interpolated_in_log_m() {
        assert!((crossing(&[(100.0, 2), (400.0, 8)], 0.5).unwrap() - 200.0).abs() < 1e-9);
        assert!((crossing(&[(100.0, 9), (400.0, 10)], 0.5).unwrap() - 100.0).abs() < 1e-9);
    }
}
