//! The gradients of keys and values. Lanes are keys.

// Iterators over a few vectors stay calls in functions as large as a pass.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;
use samora_shaders::Saved;

use super::bias::{distances, mirror, spread};
use super::exp::exp;
use super::geometry::{Panel, counts, panel, panels_of_piece, tiles, windows};
use super::job::{Job, Piece};
use super::pads::Pads;
use super::scratch::{Scratch, Shared, State};
use super::tile::{ROWS, accumulate, by_vectors, gather, products, rows, rows_mut, transpose};

#[inline(always)]
pub(super) fn run<S: Simd>(simd: S, job: &Job<'_>, p: &Piece, saved: &Saved, numbers: &mut [f32]) {
    let mut scratch = Scratch::new(job, numbers);
    let most = panels_of_piece(S::F32_LANES);
    let own = |i: usize| panel(p.window.keys(), S::F32_LANES, p.block * most + i);
    let panels = || (0..most).map_while(|i| Some((i, own(i)?)));
    if let Some(bias) = job.a.distance_bias {
        mirror(job, p, bias, scratch.mirror);
    }
    for (i, panel) in panels() {
        let (_, state) = scratch.panel(i);
        begin(job, p, panel, panel.vectors * S::F32_LANES, state);
    }
    for tile in tiles(p.window.queries.count()) {
        let tokens = (tile.0..tile.0 + tile.1).map(|slot| p.window.queries.token(slot));
        let [q, dout] = &mut scratch.tiles;
        gather(
            q,
            job.depth,
            tokens.clone().map(|token| job.query(p, token)),
        );
        gather(
            dout,
            job.depth,
            tokens.map(|token| job.dout(p, saved.dout, token)),
        );
        for (i, panel) in panels() {
            let (shared, state) = scratch.panel(i);
            by_vectors!(
                panel.vectors,
                step::<S>(simd, job, (p, saved), (panel, tile), shared, state)
            );
        }
    }
    for (i, panel) in panels() {
        let (_, state) = scratch.panel(i);
        finish(job, p, panel, panel.vectors * S::F32_LANES, &state);
    }
    if p.block == 0 && !p.window.padded {
        write_pads(job, p, |_, _| 0.0);
    }
}

fn begin(job: &Job<'_>, p: &Piece, panel: Panel, width: usize, state: State<'_>) {
    let slots = panel.first..panel.first + panel.count;
    let [k, v, dk, dv] = state.lanes.map(|lanes| &mut lanes[..job.depth * width]);
    transpose(k, width, slots.clone().map(|slot| job.key(p, false, slot)));
    transpose(v, width, slots.map(|slot| job.key(p, true, slot)));
    dk.fill(0.0);
    dv.fill(0.0);
}

#[inline(always)]
fn step<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    (p, saved): (&Piece, &Saved),
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
    let [weights, gradients] = &mut shared.products;
    let weights = &mut rows_mut::<S, W>(weights)[..count];
    let gradients = &mut rows_mut::<S, W>(gradients)[..count];
    let scale = simd.splat_f32s(job.a.scale);
    let plain = !job.a.is_relative() && job.a.distance_bias.is_none() && !p.window.padded;
    shared.row.fill(0.0);
    for i in 0..count {
        let slot = first + i;
        let token = p.window.queries.token(slot);
        let at = job.scalar(p, token);
        if !plain {
            bias(job, (p, saved), (panel, slot), shared.row, shared.mirror);
        }
        let bias = rows::<S, W>(shared.row)[0];
        let lse = simd.splat_f32s(job.part(saved.lse)[at]);
        let delta = simd.splat_f32s(job.part(saved.delta)[at]);
        for j in 0..W {
            let more = simd.sub_f32s(bias[j], lse);
            let weight = exp(simd, simd.mul_add_e_f32s(weights[i][j], scale, more));
            weights[i][j] = weight;
            gradients[i][j] = simd.mul_f32s(weight, simd.sub_f32s(gradients[i][j], delta));
        }
    }
    let ones = [simd.splat_f32s(1.0); W];
    let [_, _, dk, dv] = state.lanes;
    let dk = &mut rows_mut::<S, W>(dk)[..job.depth];
    accumulate(simd, dk, ones, shared.tiles[0], gradients);
    let dv = &mut rows_mut::<S, W>(dv)[..job.depth];
    accumulate(simd, dv, ones, shared.tiles[1], weights);
}

/// What the scores of a query in a slot with the keys in the lanes have beside the products.
#[inline(always)]
fn bias(
    job: &Job<'_>,
    (p, saved): (&Piece, &Saved),
    (panel, slot): (Panel, usize),
    row: &mut [f32],
    mirror: &[f32],
) {
    let terms = saved.rel.map(|rel| {
        let token = p.window.queries.token(slot);
        job.terms(p, job.part(rel), token)
    });
    let keys = &p.window.keys;
    if let Some(terms) = terms {
        spread(row, keys, panel, |(y, x)| {
            (terms[y], &terms[job.extents[0] + x..])
        });
    } else if job.a.distance_bias.is_some() {
        let from = p.window.queries.place(slot);
        spread(row, keys, panel, |to| {
            (0.0, distances(job, mirror, from, to))
        });
    }
    if panel.first + panel.count > keys.count() {
        row[panel.count - 1] = Pads::new(job, p, terms).score;
    }
}

fn finish(job: &Job<'_>, p: &Piece, panel: Panel, width: usize, state: &State<'_>) {
    let [Some(dk), Some(dv), _] = job.writes else {
        return;
    };
    let keys = counts(job.a).1;
    for lane in 0..panel.count {
        let slot = panel.first + lane;
        let of_key = |d: usize| state.lanes[2][d * width + lane] * job.a.scale;
        let of_value = |d: usize| state.lanes[3][d * width + lane];
        if slot == p.window.keys.count() {
            write_pads(
                job,
                p,
                |value, d| if value { of_value(d) } else { of_key(d) },
            );
            continue;
        }
        let at = job.plain(p, keys, p.window.keys.token(slot));
        dk.write(at, (0..job.a.head_dim).map(of_key));
        dv.write(at, (0..job.a.head_dim).map(of_value));
    }
}

/// Writes the gradients of the pads' key and value: `of(false, d)` and `of(true, d)`.
fn write_pads(job: &Job<'_>, p: &Piece, of: impl Fn(bool, usize) -> f32) {
    let Some(dpad) = job.writes[2] else {
        return;
    };
    let window = p.b * windows(job.a) + p.window.index;
    for value in [false, true] {
        let row = 2 * window + usize::from(value);
        let at = (row * job.a.heads + p.h) * job.a.head_dim;
        dpad.write(at, (0..job.a.head_dim).map(|d| of(value, d)));
    }
}
