//! Operands of products as panels: a few rows of the left one, or columns of the right one, side by side for each
//! summed position, so that a kernel reads them in order.

use std::ops::Range;

use samora_shaders::{Operand, View};

use super::leaf::Moved;

/// Summed positions of a pass: a panel of the right operand then stays in the first-level cache.
pub(super) const DEPTH: usize = 256;

/// An operand seen as one matrix for each batch, lines × summed extent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) buffer: usize,
    /// Where its elements are, if not in their own places.
    moved: Option<Moved>,
    /// Where the matrix of each batch starts.
    starts: Vec<usize>,
    lines: usize,
    depth: usize,
    /// Elements from one line to the next, and from one summed position to the next.
    steps: [usize; 2],
    /// Lines of a panel.
    pub(super) width: usize,
}

impl Matrix {
    /// `lines` and `depth` are the dimensions of the view that are kept and summed.
    pub(super) fn new(operand: &Operand, batch: usize, dims: [usize; 2], width: usize) -> Self {
        let View {
            shape,
            strides,
            offset,
        } = &operand.view;
        let outer = shape.len() - 2;
        let of_batch = View {
            shape: shape[..outer].to_vec(),
            strides: strides[..outer].to_vec(),
            offset: *offset,
        };
        let [lines, depth] = dims.map(|d| outer + d);
        // Batches that read the same share it.
        let batches = if of_batch
            .strides
            .iter()
            .zip(&of_batch.shape)
            .all(|(s, n)| *s == 0 || *n == 1)
        {
            1
        } else {
            batch
        };
        Self {
            buffer: operand.buffer,
            moved: operand.access.as_ref().map(Moved::new),
            starts: (0..batches).map(|b| of_batch.index(b)).collect(),
            lines: shape[lines],
            depth: shape[depth],
            steps: [strides[lines], strides[depth]],
            width,
        }
    }

    /// Matrices that differ.
    pub(super) fn batches(&self) -> usize {
        self.starts.len()
    }

    /// Panels of one matrix.
    pub(super) fn panels(&self) -> usize {
        self.lines.div_ceil(self.width)
    }

    /// Words of one packed matrix.
    pub(super) fn words(&self) -> usize {
        self.panels() * self.width * self.depth
    }

    /// Where the panels of a pass start in a packed matrix.
    pub(super) fn pass(&self, first: usize) -> usize {
        first * self.panels() * self.width
    }

    /// Packs panels of the matrix of `batch`, one after another, positions `first..first + depth`.
    pub(super) fn pack(
        &self,
        source: &[f32],
        batch: usize,
        panels: Range<usize>,
        part: (usize, usize),
        mut put: impl FnMut(usize, f32),
    ) {
        if let Some(moved) = &self.moved {
            return self.pack_moved((source, moved), batch, panels, part, put);
        }
        let len = self.width * part.1;
        for (panel, to) in panels.zip((0..).step_by(len)) {
            self.pack_panel(source, batch, panel, part, |i, x| put(to + i, x));
        }
    }

    fn pack_panel(
        &self,
        source: &[f32],
        batch: usize,
        panel: usize,
        (first, depth): (usize, usize),
        mut put: impl FnMut(usize, f32),
    ) {
        let line = panel * self.width;
        let used = self.width.min(self.lines - line);
        let [line_step, depth_step] = self.steps;
        let start = self.starts[batch] + line * line_step + first * depth_step;
        if line_step == 1 {
            for k in 0..depth {
                let row = &source[start + k * depth_step..][..used];
                row.iter()
                    .enumerate()
                    .for_each(|(l, x)| put(k * self.width + l, *x));
            }
        } else {
            for l in 0..used {
                let line = source[start + l * line_step..]
                    .iter()
                    .step_by(depth_step.max(1));
                for (k, x) in line.take(depth).enumerate() {
                    put(k * self.width + l, *x);
                }
            }
        }
        for l in used..self.width {
            (0..depth).for_each(|k| put(k * self.width + l, 0.0));
        }
    }

    /// Elements that are `moved` from the source.
    fn pack_moved(
        &self,
        (source, moved): (&[f32], &Moved),
        batch: usize,
        panels: Range<usize>,
        (first, depth): (usize, usize),
        mut put: impl FnMut(usize, f32),
    ) {
        let line = panels.start * self.width;
        let all = panels.len() * self.width;
        let used = all.min(self.lines - line);
        let [line_step, depth_step] = self.steps;
        let start = self.starts[batch] + line * line_step + first * depth_step;
        let width = self.width;
        // Where a line starts: in its panel, its positions are a panel's width apart.
        let at = |l: usize| l / width * depth * width + l % width;
        let mut row = [0.0; DEPTH];
        if depth_step == 1 {
            for l in 0..used {
                let row = &mut row[..depth];
                moved.read(source, start + l * line_step, row);
                let places = (at(l)..).step_by(width);
                row.iter().zip(places).for_each(|(x, i)| put(i, *x));
            }
        } else {
            // Whole panels.
            let together = if line_step == 1 {
                DEPTH / width * width
            } else {
                1
            };
            for k in 0..depth {
                for l in (0..used).step_by(together) {
                    let row = &mut row[..together.min(used - l)];
                    moved.read(source, start + k * depth_step + l * line_step, row);
                    for (p, row) in row.chunks(width).enumerate() {
                        let first = at(l) + (p * depth + k) * width;
                        row.iter().zip(first..).for_each(|(x, i)| put(i, *x));
                    }
                }
            }
        }
        for l in used..all {
            (0..depth).for_each(|k| put(at(l) + k * width, 0.0));
        }
    }

    /// All matrices packed.
    pub(super) fn packed(&self, source: &[f32]) -> Vec<f32> {
        let mut all = vec![0.0; self.words() * self.batches()];
        for batch in 0..self.batches() {
            for first in (0..self.depth).step_by(DEPTH) {
                let part = (first, DEPTH.min(self.depth - first));
                let to = &mut all[batch * self.words() + self.pass(first)..];
                self.pack(source, batch, 0..self.panels(), part, |i, x| to[i] = x);
            }
        }
        all
    }
}
