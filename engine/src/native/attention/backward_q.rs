//! The gradient of the queries and of the relative terms. Lanes are queries. With `P = exp(S − lse)`,
//! `dS = P·(dout·v − delta)`.

// Iterators over a few vectors stay calls in functions as large as a pass.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;
use samora_shaders::Saved;

use super::bias::{mirror, scores};
use super::exp::exp;
use super::geometry::{Panel, counts, panel, panels_of_piece, tiles};
use super::job::{Job, Piece};
use super::pads::Pads;
use super::relative;
use super::scratch::{Scratch, Shared, State};
use super::tile::{ROWS, accumulate, by_vectors, gather, products, rows, rows_mut, transpose};

#[inline(always)]
pub(super) fn run<S: Simd>(simd: S, job: &Job<'_>, p: &Piece, saved: &Saved, numbers: &mut [f32]) {
    let mut scratch = Scratch::new(job, numbers);
    let most = panels_of_piece(S::F32_LANES);
    let slots = p.window.queries.count();
    let own = |i: usize| panel(slots, S::F32_LANES, p.block * most + i);
    let panels = || (0..most).map_while(|i| Some((i, own(i)?)));
    if let Some(bias) = job.a.distance_bias {
        mirror(job, p, bias, scratch.mirror);
    }
    for (i, panel) in panels() {
        let (_, state) = scratch.panel(i);
        begin(job, (p, saved), panel, panel.vectors * S::F32_LANES, state);
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
        let (shared, state) = scratch.panel(i);
        by_vectors!(
            panel.vectors,
            finish::<S>(simd, job, p, panel, shared, state)
        );
    }
}

fn begin(
    job: &Job<'_>,
    (p, saved): (&Piece, &Saved),
    panel: Panel,
    width: usize,
    state: State<'_>,
) {
    let tokens = (panel.first..panel.first + panel.count).map(|s| p.window.queries.token(s));
    let [q, dout, dq, _] = state.lanes.map(|lanes| &mut lanes[..job.depth * width]);
    transpose(q, width, tokens.clone().map(|token| job.query(p, token)));
    let gradients = tokens.clone().map(|token| job.dout(p, saved.dout, token));
    transpose(dout, width, gradients);
    dq.fill(0.0);
    let [lse, delta, pads] = state.rows;
    let [terms, dterms] = state.terms;
    pads.fill(match p.window.padded {
        true => Pads::new(job, p, None).score,
        false => 0.0,
    });
    for (lane, token) in tokens.enumerate() {
        let at = job.scalar(p, token);
        lse[lane] = job.part(saved.lse)[at];
        delta[lane] = job.part(saved.delta)[at];
        if let Some(rel) = saved.rel {
            let line = job.terms(p, job.part(rel), token);
            for (to, &term) in terms.chunks_exact_mut(width).zip(line) {
                to[lane] = term;
            }
            if p.window.padded {
                pads[lane] = Pads::new(job, p, Some(line)).score;
            }
        }
    }
    // What no query has must stay finite.
    lse[panel.count..].fill(0.0);
    delta[panel.count..].fill(0.0);
    dterms.fill(0.0);
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
    let padded = count.next_multiple_of(ROWS);
    let operand = |i: usize| &rows::<S, W>(state.lanes[i])[..job.depth];
    for i in 0..2 {
        let to = &mut rows_mut::<S, W>(shared.products[i])[..padded];
        products(simd, to, shared.tiles[i], operand(i));
    }
    scores::<S, W>(simd, job, p, (panel, first), &mut shared, (&state, count));
    let [lse, delta] = [0, 1].map(|i| rows::<S, W>(state.rows[i])[0]);
    let [weights, gradients] = &mut shared.products;
    let weights = &rows::<S, W>(weights)[..count];
    let gradients = &mut rows_mut::<S, W>(gradients)[..count];
    for i in 0..count {
        for j in 0..W {
            let weight = exp(simd, simd.sub_f32s(weights[i][j], lse[j]));
            gradients[i][j] = simd.mul_f32s(weight, simd.sub_f32s(gradients[i][j], delta[j]));
        }
    }
    let dq = &mut rows_mut::<S, W>(state.lanes[2])[..job.depth];
    accumulate(
        simd,
        dq,
        [simd.splat_f32s(1.0); W],
        shared.tiles[0],
        gradients,
    );
    if !job.a.is_relative() {
        return;
    }
    let keys = &p.window.keys;
    let [terms, dterms] = state.terms;
    let sums = rows_mut::<S, W>(dterms);
    let (mut y, mut x) = keys.place(first);
    for i in 0..count.min(keys.count() - first) {
        for term in [y, job.extents[0] + x] {
            for j in 0..W {
                sums[term][j] = simd.add_f32s(sums[term][j], gradients[i][j]);
            }
        }
        x += 1;
        if x == keys.columns {
            (y, x) = (y + 1, 0);
        }
    }
    if first + count > keys.count() {
        let width = W * S::F32_LANES;
        let gradients = &shared.products[1][(count - 1) * width..][..width];
        pad_terms(job, p, shared.line, gradients, [terms, dterms]);
    }
}

/// Adds the gradient of the pads' score to that of the relative terms.
fn pad_terms(
    job: &Job<'_>,
    p: &Piece,
    line: &mut [f32],
    gradients: &[f32],
    [terms, dterms]: [&mut [f32]; 2],
) {
    let width = gradients.len();
    let line = &mut line[..job.extents[0] + job.extents[1]];
    for (lane, gradient) in gradients.iter().enumerate() {
        for (to, terms) in line.iter_mut().zip(terms.chunks_exact(width)) {
            *to = terms[lane];
        }
        let pads = Pads::new(job, p, Some(line));
        for (k, (term, sums)) in line.iter().zip(dterms.chunks_exact_mut(width)).enumerate() {
            sums[lane] += gradient * pads.share(k, *term);
        }
    }
}

#[inline(always)]
fn finish<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    p: &Piece,
    panel: Panel,
    mut shared: Shared<'_>,
    mut state: State<'_>,
) {
    let width = W * S::F32_LANES;
    for number in &mut state.lanes[2][..job.depth * width] {
        *number *= job.a.scale;
    }
    if job.a.is_relative() {
        relative::gradient::<S, W>(simd, job, (p, panel), &mut shared, &mut state);
    }
    let [Some(dq), drel, _] = job.writes else {
        return;
    };
    let (queries, terms) = (counts(job.a).0, job.extents[0] + job.extents[1]);
    for lane in 0..panel.count {
        let token = p.window.queries.token(panel.first + lane);
        let row = (0..job.a.head_dim).map(|d| state.lanes[2][d * width + lane]);
        dq.write(job.plain(p, queries, token), row);
        if let Some(drel) = drel {
            let row = (0..terms).map(|k| state.terms[1][k * width + lane]);
            drel.write(job.scalar(p, token) * terms, row);
        }
    }
}
