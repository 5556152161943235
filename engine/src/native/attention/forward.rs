//! The forward pass. Lanes are queries.

// Iterators over a few vectors stay calls in functions as large as a pass.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

use super::bias::{mirror, scores};
use super::exp::exp;
use super::geometry::{Panel, panel, panels_of_piece, tiles};
use super::job::{Job, Piece};
use super::pads::Pads;
use super::relative;
use super::scratch::{Scratch, Shared, State};
use super::tile::{ROWS, accumulate, by_vectors, gather, products, rows, rows_mut, transpose};

#[inline(always)]
pub(super) fn run<S: Simd>(simd: S, job: &Job<'_>, p: &Piece, numbers: &mut [f32]) {
    let mut scratch = Scratch::new(job, numbers);
    let most = panels_of_piece(S::F32_LANES);
    let slots = p.window.queries.count();
    let own = |i: usize| panel(slots, S::F32_LANES, p.block * most + i);
    let panels = || (0..most).map_while(|i| Some((i, own(i)?)));
    if let Some(bias) = job.a.distance_bias {
        mirror(job, p, bias, scratch.mirror);
    }
    for (i, panel) in panels() {
        let (shared, state) = scratch.panel(i);
        by_vectors!(
            panel.vectors,
            begin::<S>(simd, job, p, panel, shared, state)
        );
    }
    for tile in tiles(p.window.keys()) {
        for (value, to) in [false, true].into_iter().zip(&mut scratch.tiles) {
            let keys = (tile.0..tile.0 + tile.1).map(|slot| job.key(p, value, slot));
            gather(to, job.depth, keys);
        }
        for (i, panel) in panels() {
            let (shared, state) = scratch.panel(i);
            by_vectors!(
                panel.vectors,
                step::<S>(simd, job, p, (panel, tile), shared, state)
            );
        }
    }
    for (i, panel) in panels() {
        let (_, state) = scratch.panel(i);
        finish(job, p, panel, panel.vectors * S::F32_LANES, &state);
    }
}

#[inline(always)]
fn begin<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    p: &Piece,
    panel: Panel,
    mut shared: Shared<'_>,
    mut state: State<'_>,
) {
    let width = W * S::F32_LANES;
    let tokens = (panel.first..panel.first + panel.count).map(|s| p.window.queries.token(s));
    let queries = tokens.clone().map(|token| job.query(p, token));
    transpose(&mut state.lanes[0][..job.depth * width], width, queries);
    state.lanes[1][..job.depth * width].fill(0.0);
    state.rows[0].fill(f32::MIN);
    state.rows[1].fill(0.0);
    state.rows[2].fill(0.0);
    if job.a.is_relative() {
        relative::terms::<S, W>(simd, job, (p, panel), &mut shared, &mut state);
        let terms = job.extents[0] + job.extents[1];
        for (lane, token) in tokens.enumerate() {
            let line = &mut shared.line[..terms];
            for (to, row) in line.iter_mut().zip(state.terms[0].chunks_exact(width)) {
                *to = row[lane];
            }
            if let Some(rel) = job.writes[2] {
                rel.write(job.scalar(p, token) * terms, line.iter().copied());
            }
            if p.window.padded {
                state.rows[2][lane] = Pads::new(job, p, Some(line)).score;
            }
        }
    } else if p.window.padded {
        state.rows[2].fill(Pads::new(job, p, None).score);
    }
}

#[inline(always)]
fn step<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    p: &Piece,
    (panel, (first, count)): (Panel, (usize, usize)),
    mut shared: Shared<'_>,
    state: State<'_>,
) {
    let q = &rows::<S, W>(state.lanes[0])[..job.depth];
    let padded = &mut rows_mut::<S, W>(shared.products[0])[..count.next_multiple_of(ROWS)];
    products(simd, padded, shared.tiles[0], q);
    let largest = scores::<S, W>(simd, job, p, (panel, first), &mut shared, (&state, count));
    let peak = &mut rows_mut::<S, W>(state.rows[0])[0];
    let mut shrink = largest;
    for j in 0..W {
        let top = simd.max_f32s(peak[j], largest[j]);
        shrink[j] = exp(simd, simd.sub_f32s(peak[j], top));
        peak[j] = top;
    }
    let weights = &mut rows_mut::<S, W>(shared.products[0])[..count];
    let mut sums = [simd.splat_f32s(0.0); W];
    for i in 0..count {
        for j in 0..W {
            weights[i][j] = exp(simd, simd.sub_f32s(weights[i][j], peak[j]));
            sums[j] = simd.add_f32s(sums[j], weights[i][j]);
        }
    }
    let total = &mut rows_mut::<S, W>(state.rows[1])[0];
    for j in 0..W {
        total[j] = simd.mul_add_e_f32s(total[j], shrink[j], sums[j]);
    }
    let out = &mut rows_mut::<S, W>(state.lanes[1])[..job.depth];
    accumulate(simd, out, shrink, shared.tiles[1], weights);
}

fn finish(job: &Job<'_>, p: &Piece, panel: Panel, width: usize, state: &State<'_>) {
    let [Some(out), Some(lse), _] = job.writes else {
        return;
    };
    let queries = super::geometry::counts(job.a).0;
    for lane in 0..panel.count {
        let token = p.window.queries.token(panel.first + lane);
        let total = state.rows[1][lane];
        let share = 1.0 / total;
        let row = (0..job.a.head_dim).map(|d| state.lanes[1][d * width + lane] * share);
        out.write(job.plain(p, queries, token), row);
        let row = state.rows[0][lane] + total.ln();
        lse.write(job.scalar(p, token), std::iter::once(row));
    }
}
