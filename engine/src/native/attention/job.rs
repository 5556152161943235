//! A pass, its pieces, and where their numbers are.

use samora_shaders::{Attention, AttentionPass, HeadRows, Part};

use super::geometry::{self, Window};
use super::output::Output;

/// A pass with its buffers.
pub(super) struct Job<'a> {
    pub(super) a: &'a Attention,
    pub(super) reads: &'a [&'a [f32]],
    pub(super) writes: [Option<Output<'a>>; 3],
    /// Width of a head in tiles.
    pub(super) depth: usize,
    /// Numbers in a vector.
    pub(super) lanes: usize,
    /// Rows and columns of a window.
    pub(super) extents: [usize; 2],
}

/// What is computed at once.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    pub(super) b: usize,
    pub(super) h: usize,
    pub(super) window: Window,
    /// Which of the window's lanes.
    pub(super) block: usize,
}

impl<'a> Job<'a> {
    /// Pieces of the largest window.
    pub(super) fn blocks(&self) -> usize {
        // No later window is larger than the first, though one may have a pad more.
        let first = geometry::window(self.a, 0);
        let lanes = match self.a.pass {
            AttentionPass::BackwardKv { .. } => first.keys.count() + 1,
            _ => first.queries.count(),
        };
        geometry::panels(lanes, self.lanes).div_ceil(geometry::panels_of_piece(self.lanes))
    }

    pub(super) fn part(&self, part: Part) -> &'a [f32] {
        &self.reads[part.buffer][part.offset..]
    }

    /// The head of a query token.
    #[inline(always)]
    pub(super) fn query(&self, p: &Piece, token: usize) -> &'a [f32] {
        self.row(&self.a.q, geometry::counts(self.a).0, p, token)
    }

    /// The head of a token in what has the shape of the result.
    #[inline(always)]
    pub(super) fn dout(&self, p: &Piece, buffer: usize, token: usize) -> &'a [f32] {
        let at = self.plain(p, geometry::counts(self.a).0, token);
        &self.reads[buffer][at..][..self.a.head_dim]
    }

    /// The head of the key, or of the value, in a slot.
    #[inline(always)]
    pub(super) fn key(&self, p: &Piece, value: bool, slot: usize) -> &'a [f32] {
        let rows = if value { &self.a.v } else { &self.a.k };
        match self.a.pad_kv {
            Some((k, v)) if slot == p.window.keys.count() => {
                let pad = self.part(if value { v } else { k });
                &pad[p.h * self.a.head_dim..][..self.a.head_dim]
            }
            _ => {
                let token = p.window.keys.token(slot);
                self.row(rows, geometry::counts(self.a).1, p, token)
            }
        }
    }

    #[inline(always)]
    pub(super) fn row(&self, rows: &HeadRows, tokens: usize, p: &Piece, token: usize) -> &'a [f32] {
        let at = geometry::head(self.a, rows, tokens, [p.b, p.h, token]);
        &self.reads[rows.buffer][at..][..self.a.head_dim]
    }

    /// Where the head of a token starts in `[batch, tokens, heads·head_dim]`.
    #[inline(always)]
    pub(super) fn plain(&self, p: &Piece, tokens: usize, token: usize) -> usize {
        ((p.b * tokens + token) * self.a.heads + p.h) * self.a.head_dim
    }

    /// Index of a query token in `[batch, heads, tokens]`.
    #[inline(always)]
    pub(super) fn scalar(&self, p: &Piece, token: usize) -> usize {
        (p.b * self.a.heads + p.h) * geometry::counts(self.a).0 + token
    }

    /// The relative terms of a query token in a buffer of those.
    #[inline(always)]
    pub(super) fn terms<'t>(&self, p: &Piece, terms: &'t [f32], token: usize) -> &'t [f32] {
        let width = self.extents[0] + self.extents[1];
        &terms[self.scalar(p, token) * width..][..width]
    }
}
