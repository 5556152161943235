//! Attention and its two backward passes, tile by tile with online softmax, on the vectors of a processor.
//!
//! A pass is cut into pieces: a batch entry, a head, a window and some of its queries (of the gradient of keys
//! and values: some of its keys), which lie in the lanes of vectors. Each number is written by one piece,
//! and what a piece computes depends on the description and on the width of vectors alone, so that any
//! number of threads writes the same bytes.

mod backward_kv;
mod backward_q;
mod bias;
mod exp;
mod forward;
mod geometry;
mod output;
mod pads;
mod relative;
mod scratch;
mod tile;

#[cfg(test)]
mod benchmark;
#[cfg(test)]
mod tests;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use samora_shaders::{Attention, AttentionPass, HeadRows, Part};

use geometry::Window;
use output::Output;

/// Runs a pass on the threads of the pool that the caller is in. `reads` has the contents of each binding
/// (nothing for those written), `writes` what the pass writes: `out`, `lse` and maybe `rel`; `dq` and maybe
/// `drel`; `dk`, `dv` and maybe `dpad`.
pub(super) fn run(a: &Attention, reads: &[&[f32]], writes: &mut [&mut [f32]]) {
    run_by(Arch::new(), a, reads, writes);
}

/// [`run`] with the vectors of choice.
fn run_by(arch: Arch, a: &Attention, reads: &[&[f32]], writes: &mut [&mut [f32]]) {
    let mut outputs = writes.iter_mut().map(|numbers| Output::new(numbers));
    let job = Job {
        a,
        reads,
        writes: std::array::from_fn(|_| outputs.next()),
        depth: a.head_dim.next_multiple_of(tile::ROWS),
        lanes: arch.dispatch(Lanes),
        extents: geometry::extents(a),
    };
    let windows = geometry::windows(a);
    let blocks = job.blocks();
    let piece = |i: usize| Piece {
        b: i / blocks / windows / a.heads,
        h: i / blocks / windows % a.heads,
        window: geometry::window(a, i / blocks % windows),
        block: i % blocks,
    };
    let pieces = a.batch * a.heads * windows * blocks;
    (0..pieces).into_par_iter().for_each(|i| {
        let (job, piece) = (&job, piece(i));
        scratch::with(job, |scratch| {
            arch.dispatch(Run {
                job,
                piece,
                scratch,
            });
        });
    });
}

/// A pass with its buffers.
struct Job<'a> {
    a: &'a Attention,
    reads: &'a [&'a [f32]],
    writes: [Option<Output<'a>>; 3],
    /// Width of a head in tiles.
    depth: usize,
    /// Numbers in a vector.
    lanes: usize,
    /// Rows and columns of a window.
    extents: [usize; 2],
}

/// What is computed at once.
#[derive(Clone, Copy)]
struct Piece {
    b: usize,
    h: usize,
    window: Window,
    /// Which of the window's lanes.
    block: usize,
}

impl<'a> Job<'a> {
    /// Pieces of the largest window.
    fn blocks(&self) -> usize {
        // No later window is larger than the first, though one may have a pad more.
        let first = geometry::window(self.a, 0);
        let lanes = match self.a.pass {
            AttentionPass::BackwardKv { .. } => first.keys.count() + 1,
            _ => first.queries.count(),
        };
        geometry::panels(lanes, self.lanes).div_ceil(geometry::panels_of_piece(self.lanes))
    }

    fn part(&self, part: Part) -> &'a [f32] {
        &self.reads[part.buffer][part.offset..]
    }

    /// The head of a query token.
    #[inline(always)]
    fn query(&self, p: &Piece, token: usize) -> &'a [f32] {
        self.row(&self.a.q, geometry::counts(self.a).0, p, token)
    }

    /// The head of a token in what has the shape of the result.
    #[inline(always)]
    fn dout(&self, p: &Piece, buffer: usize, token: usize) -> &'a [f32] {
        let at = self.plain(p, geometry::counts(self.a).0, token);
        &self.reads[buffer][at..][..self.a.head_dim]
    }

    /// The head of the key, or of the value, in a slot.
    #[inline(always)]
    fn key(&self, p: &Piece, value: bool, slot: usize) -> &'a [f32] {
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
    fn row(&self, rows: &HeadRows, tokens: usize, p: &Piece, token: usize) -> &'a [f32] {
        let at = geometry::head(self.a, rows, tokens, [p.b, p.h, token]);
        &self.reads[rows.buffer][at..][..self.a.head_dim]
    }

    /// Where the head of a token starts in `[batch, tokens, heads·head_dim]`.
    #[inline(always)]
    fn plain(&self, p: &Piece, tokens: usize, token: usize) -> usize {
        ((p.b * tokens + token) * self.a.heads + p.h) * self.a.head_dim
    }

    /// Index of a query token in `[batch, heads, tokens]`.
    #[inline(always)]
    fn scalar(&self, p: &Piece, token: usize) -> usize {
        (p.b * self.a.heads + p.h) * geometry::counts(self.a).0 + token
    }

    /// The relative terms of a query token in a buffer of those.
    #[inline(always)]
    fn terms<'t>(&self, p: &Piece, terms: &'t [f32], token: usize) -> &'t [f32] {
        let width = self.extents[0] + self.extents[1];
        &terms[self.scalar(p, token) * width..][..width]
    }
}

/// The width of vectors.
struct Lanes;

impl WithSimd for Lanes {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        S::F32_LANES
    }
}

struct Run<'a> {
    job: &'a Job<'a>,
    piece: Piece,
    scratch: &'a mut [f32],
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (job, p) = (self.job, &self.piece);
        match job.a.pass {
            AttentionPass::Forward { .. } => forward::run(simd, job, p, self.scratch),
            AttentionPass::BackwardQ { saved, .. } => {
                backward_q::run(simd, job, p, &saved, self.scratch);
            }
            AttentionPass::BackwardKv { saved, .. } => {
                backward_kv::run(simd, job, p, &saved, self.scratch);
            }
        }
    }
}

/// Calls a function of the number of vectors in a row with a constant.
macro_rules! by_vectors {
    ($vectors:expr, $f:ident::<$s:ident>($($argument:expr),* $(,)?)) => {
        match $vectors {
            1 => $f::<$s, 1>($($argument),*),
            2 => $f::<$s, 2>($($argument),*),
            _ => $f::<$s, 3>($($argument),*),
        }
    };
}
use by_vectors;
