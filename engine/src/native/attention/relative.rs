//! Relative position terms of the queries in the lanes, `q·R_h` and `q·R_w`, and their gradient. Queries at
//! different places read different rows of the tables, so that all rows that some lane reads are
//! multiplied with all lanes, which is little beside the keys.

use pulp::Simd;

use super::geometry::{Panel, TILE};
use super::job::{Job, Piece};
use super::scratch::{Shared, State};
use super::tile::{ROWS, accumulate, gather, products, rows, rows_mut};

/// Computes the terms of the queries in `state.lanes[0]`.
#[inline(always)]
pub(super) fn terms<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    (p, panel): (&Piece, Panel),
    shared: &mut Shared<'_>,
    state: &mut State<'_>,
) {
    for part in parts(job, p, panel) {
        fetch(job, &part, shared.tiles[0]);
        let q = &rows::<S, W>(state.lanes[0])[..job.depth];
        let found = &mut rows_mut::<S, W>(shared.products[0])[..part.count.next_multiple_of(ROWS)];
        products(simd, found, shared.tiles[0], q);
        each(job, p, (panel, W * S::F32_LANES), &part, |row, term| {
            state.terms[0][term] = shared.products[0][row];
        });
    }
}

/// Adds to `state.lanes[2]` what the gradient of the terms gives.
#[inline(always)]
pub(super) fn gradient<S: Simd, const W: usize>(
    simd: S,
    job: &Job<'_>,
    (p, panel): (&Piece, Panel),
    shared: &mut Shared<'_>,
    state: &mut State<'_>,
) {
    let width = W * S::F32_LANES;
    for part in parts(job, p, panel) {
        fetch(job, &part, shared.tiles[0]);
        shared.products[0][..part.count * width].fill(0.0);
        each(job, p, (panel, width), &part, |row, term| {
            shared.products[0][row] = state.terms[1][term];
        });
        let dq = &mut rows_mut::<S, W>(state.lanes[2])[..job.depth];
        let weights = &rows::<S, W>(shared.products[0])[..part.count];
        accumulate(
            simd,
            dq,
            [simd.splat_f32s(1.0); W],
            shared.tiles[0],
            weights,
        );
    }
}

/// Rows of a table that fit in a tile.
struct Rows {
    axis: usize,
    first: usize,
    count: usize,
}

/// All rows that some lane reads.
fn parts(job: &Job<'_>, p: &Piece, panel: Panel) -> impl Iterator<Item = Rows> {
    let slots = &p.window.queries;
    let (top, left) = slots.place(panel.first);
    let (bottom, right) = slots.place(panel.first + panel.count - 1);
    let columns = match top == bottom {
        true => [left, right],
        false => [0, slots.columns - 1],
    };
    let extents = job.extents;
    let axes = [[top, bottom], columns].into_iter().enumerate();
    axes.flat_map(move |(axis, [least, most])| {
        let end = most + extents[axis];
        (least..end).step_by(TILE).map(move |first| Rows {
            axis,
            first,
            count: TILE.min(end - first),
        })
    })
}

/// Copies rows of a table.
fn fetch(job: &Job<'_>, part: &Rows, tile: &mut [f32]) {
    let Some((r_h, r_w)) = job.a.rel_pos else {
        return;
    };
    let width = job.a.head_dim;
    let table = job.part([r_h, r_w][part.axis]);
    let wanted = &table[part.first * width..][..part.count * width];
    gather(tile, job.depth, wanted.chunks_exact(width));
}

/// Calls `f` with where a product of a row and a lane is, and where the term is that it becomes.
#[inline(always)]
fn each(
    job: &Job<'_>,
    p: &Piece,
    (panel, width): (Panel, usize),
    part: &Rows,
    mut f: impl FnMut(usize, usize),
) {
    let extent = job.extents[part.axis];
    let base = [0, job.extents[0]][part.axis];
    let end = part.first + part.count;
    for lane in 0..panel.count {
        let (y, x) = p.window.queries.place(panel.first + lane);
        let at = [y, x][part.axis];
        for row in part.first.max(at)..end.min(at + extent) {
            let term = at + extent - 1 - row;
            f(
                (row - part.first) * width + lane,
                (base + term) * width + lane,
            );
        }
    }
}
