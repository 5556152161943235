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
mod job;
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
use samora_shaders::{Attention, AttentionPass};

use job::{Job, Piece};
use output::Output;

/// Runs a pass on the threads of the pool that the caller is in. `reads` has the contents of each binding
/// (nothing for those written), `writes` what the pass writes: `out`, `lse` and maybe `rel`; `dq` and maybe
/// `drel`; `dk`, `dv` and maybe `dpad`.
pub(super) fn run(arch: Arch, a: &Attention, reads: &[&[f32]], writes: &mut [&mut [f32]]) {
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
