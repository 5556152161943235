//! Tokens that pad a window. They share one key and value and differ by their relative positions only, so that
//! they take part as one key, of the score `scale·q·k + ln Σ exp(rel)`.
//!
//! Pads are the rows of the window below the grid, in all columns, and what is beside it in the rows above.
//! Either sum is a product of sums over the terms of rows and of columns.

use std::ops::Range;

use super::job::{Job, Piece};

/// Logarithm of a sum of nothing, about.
const NOTHING: f32 = -1e30;

/// Of one query: logarithms of sums of `exp` of relative terms.
pub(super) struct Pads {
    /// Over all pads.
    pub(super) score: f32,
    /// Terms of rows, then of columns: where those of pads start.
    tokens: [usize; 2],
    /// Rows of a window.
    rows: usize,
    /// Over all rows, over all columns.
    all: [f32; 2],
    /// Over those of padding alone.
    padding: [f32; 2],
}

impl Pads {
    /// Of the query with these relative terms, if positions are relative.
    pub(super) fn new(job: &Job<'_>, p: &Piece, terms: Option<&[f32]>) -> Self {
        let [s_y, s_x] = job.extents;
        let slots = &p.window.keys;
        let Some(terms) = terms else {
            return Self {
                score: ((s_y * s_x - slots.count()) as f32).ln(),
                tokens: [0; 2],
                rows: s_y,
                all: [0.0; 2],
                padding: [0.0; 2],
            };
        };
        let sum = |range: Range<usize>| log_sum(&terms[range]);
        let tokens = [slots.rows, s_y + slots.columns];
        let inside = [sum(0..tokens[0]), sum(s_y..tokens[1])];
        let padding = [sum(tokens[0]..s_y), sum(tokens[1]..s_y + s_x)];
        let all = [0, 1].map(|axis| log_of_both(inside[axis], padding[axis]));
        Self {
            score: log_of_both(padding[0] + all[1], inside[0] + padding[1]),
            tokens,
            rows: s_y,
            all,
            padding,
        }
    }

    /// Share in the pads' weight of those that have term number `k`, which is `term`.
    pub(super) fn share(&self, k: usize, term: f32) -> f32 {
        let axis = usize::from(k >= self.rows);
        let others = match k < self.tokens[axis] {
            true => self.padding[1 - axis],
            false => self.all[1 - axis],
        };
        (term + others - self.score).exp()
    }
}

fn log_sum(terms: &[f32]) -> f32 {
    let Some(largest) = terms.iter().copied().reduce(f32::max) else {
        return NOTHING;
    };
    let sum: f32 = terms.iter().map(|term| (term - largest).exp()).sum();
    largest + sum.ln()
}

fn log_of_both(a: f32, b: f32) -> f32 {
    let top = a.max(b);
    top + ((a - top).exp() + (b - top).exp()).ln()
}
