//! What is added to `scale·q·k`.

// Iterators over a few vectors stay calls in functions as large as a pass.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;
use samora_shaders::Part;

use super::geometry::{Panel, Slots};
use super::job::{Job, Piece};
use super::scratch::{Shared, State};
use super::tile::{rows, rows_mut};

/// Spreads the distance bias of a head so that what a row of slots gets lies together, wherever it starts.
pub(super) fn mirror(job: &Job<'_>, p: &Piece, bias: Part, mirror: &mut [f32]) {
    let [s_y, s_x] = job.extents;
    let bias = &job.part(bias)[p.h * s_y * s_x..][..s_y * s_x];
    for (to, from) in mirror
        .chunks_exact_mut(2 * s_x - 1)
        .zip(bias.chunks_exact(s_x))
    {
        for (i, to) in to.iter_mut().enumerate() {
            *to = from[i.abs_diff(s_x - 1)];
        }
    }
}

/// The bias between a token at a place and the slots that start at another, of [`mirror`].
#[inline(always)]
pub(super) fn distances<'m>(
    job: &Job<'_>,
    mirror: &'m [f32],
    (y, x): (usize, usize),
    (to_y, to_x): (usize, usize),
) -> &'m [f32] {
    let s_x = job.extents[1];
    &mirror[y.abs_diff(to_y) * (2 * s_x - 1) + to_x + s_x - 1 - x..]
}

/// Fills a row of lanes from `source(y, x)`, which returns a number to add to all and what the slots from there
/// to the right get.
#[inline(always)]
pub(super) fn spread<'s>(
    row: &mut [f32],
    slots: &Slots,
    panel: Panel,
    source: impl Fn((usize, usize)) -> (f32, &'s [f32]),
) {
    let count = panel.count.min(slots.count() - panel.first);
    let (mut y, mut x) = slots.place(panel.first);
    let mut lane = 0;
    while lane < count {
        let len = (slots.columns - x).min(count - lane);
        let (all, each) = source((y, x));
        for (to, each) in row[lane..][..len].iter_mut().zip(each) {
            *to = all + each;
        }
        lane += len;
        (y, x) = (y + 1, 0);
    }
}

/// Turns products of queries in lanes with keys from slot `first` on into scores. Returns the largest of
/// each lane.
#[inline(always)]
pub(super) fn scores<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    p: &Piece,
    (panel, first): (Panel, usize),
    shared: &mut Shared<'_>,
    (state, count): (&State<'_>, usize),
) -> [S::f32s; W] {
    let keys = &p.window.keys;
    let scale = simd.splat_f32s(job.a.scale);
    let terms = rows::<S, W>(state.terms[0]);
    let pads = rows::<S, W>(state.rows[2])[0];
    let mut largest = [simd.splat_f32s(f32::MIN); W];
    let (mut y, mut x) = keys.place(first);
    let scores = rows_mut::<S, W>(shared.products[0]);
    let (relative, biased) = (job.a.is_relative(), job.a.distance_bias.is_some());
    for i in 0..count {
        let mut bias = [simd.splat_f32s(0.0); W];
        if first + i == keys.count() {
            bias = pads;
        } else if relative {
            let (row, column) = (&terms[y], &terms[job.extents[0] + x]);
            for j in 0..W {
                bias[j] = simd.add_f32s(row[j], column[j]);
            }
        } else if biased {
            spread(shared.row, &p.window.queries, panel, |to| {
                (0.0, distances(job, shared.mirror, (y, x), to))
            });
            bias = rows::<S, W>(shared.row)[0];
        }
        for j in 0..W {
            scores[i][j] = simd.mul_add_e_f32s(scores[i][j], scale, bias[j]);
            largest[j] = simd.max_f32s(largest[j], scores[i][j]);
        }
        x += 1;
        if x == keys.columns {
            (y, x) = (y + 1, 0);
        }
    }
    largest
}
