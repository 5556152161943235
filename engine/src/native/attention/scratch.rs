//! Memory of a piece, which each thread keeps.

use std::cell::RefCell;

use super::geometry::{TILE, panels_of_piece};
use super::job::Job;
use super::tile::VECTORS;

/// Numbers in a cache line.
const LINE: usize = 16;

thread_local! {
    static NUMBERS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Calls `f` with memory enough for [`Scratch::new`]. What is in it is left from before.
pub(super) fn with(job: &Job<'_>, f: impl FnOnce(&mut [f32])) {
    NUMBERS.with_borrow_mut(|numbers| {
        let len = Sizes::new(job).total() + LINE;
        if numbers.len() < len {
            numbers.resize(len, 0.0);
        }
        let aligned = numbers.as_ptr().align_offset(size_of::<[f32; LINE]>());
        f(&mut numbers[aligned.min(LINE)..]);
    });
}

struct Sizes {
    /// Tiles of tokens that are read.
    tile: usize,
    /// Tiles of products.
    products: usize,
    /// A panel's tokens in the lanes.
    lanes: usize,
    row: usize,
    terms: usize,
    line: usize,
    mirror: usize,
    /// How many panels.
    panels: usize,
}

impl Sizes {
    fn new(job: &Job<'_>) -> Self {
        let row = VECTORS * job.lanes;
        let [s_y, s_x] = job.extents;
        let terms = match job.a.is_relative() {
            true => s_y + s_x,
            false => 0,
        };
        let mirror = match job.a.distance_bias {
            Some(_) => s_y * (2 * s_x - 1),
            None => 0,
        };
        let lines = |len: usize| len.next_multiple_of(LINE);
        Self {
            tile: lines(TILE * job.depth),
            products: lines(TILE * row),
            lanes: lines(job.depth * row),
            row: lines(row),
            terms: lines(terms * row),
            line: lines(terms),
            mirror: lines(mirror),
            panels: panels_of_piece(job.lanes),
        }
    }

    fn panel(&self) -> usize {
        4 * self.lanes + 3 * self.row + 2 * self.terms
    }

    fn total(&self) -> usize {
        let shared = 2 * self.tile + 2 * self.products + self.row + self.line + self.mirror;
        shared + self.panels * self.panel()
    }
}

/// What all panels of a piece use.
pub(super) struct Scratch<'a> {
    /// Rows of tokens that are read.
    pub(super) tiles: [&'a mut [f32]; 2],
    /// Products of these with the lanes.
    pub(super) products: [&'a mut [f32]; 2],
    /// A number of each lane.
    pub(super) row: &'a mut [f32],
    /// The relative terms of one query.
    pub(super) line: &'a mut [f32],
    /// The distance bias of a head from the farthest left to the farthest right.
    pub(super) mirror: &'a mut [f32],
    panels: &'a mut [f32],
    sizes: Sizes,
}

/// What a panel keeps from tile to tile.
pub(super) struct State<'a> {
    /// Operands and sums, their tokens in the lanes.
    pub(super) lanes: [&'a mut [f32]; 4],
    /// Numbers of each lane: the largest score or the logarithm of the sum, the sum or `delta`, and what the
    /// score of pads has more.
    pub(super) rows: [&'a mut [f32]; 3],
    /// Relative terms and their gradient.
    pub(super) terms: [&'a mut [f32]; 2],
}

impl<'a> Scratch<'a> {
    pub(super) fn new(job: &Job<'_>, numbers: &'a mut [f32]) -> Self {
        let sizes = Sizes::new(job);
        let mut rest = numbers;
        Self {
            tiles: [(); 2].map(|()| take(&mut rest, sizes.tile)),
            products: [(); 2].map(|()| take(&mut rest, sizes.products)),
            row: take(&mut rest, sizes.row),
            line: take(&mut rest, sizes.line),
            mirror: take(&mut rest, sizes.mirror),
            panels: rest,
            sizes,
        }
    }

    /// What the shared ones are, and panel number `index`.
    pub(super) fn panel(&mut self, index: usize) -> (Shared<'_>, State<'_>) {
        let mut rest = &mut self.panels[index * self.sizes.panel()..];
        let state = State {
            lanes: [(); 4].map(|()| take(&mut rest, self.sizes.lanes)),
            rows: [(); 3].map(|()| take(&mut rest, self.sizes.row)),
            terms: [(); 2].map(|()| take(&mut rest, self.sizes.terms)),
        };
        let [a, b] = &mut self.tiles;
        let [s, t] = &mut self.products;
        let shared = Shared {
            tiles: [a, b],
            products: [s, t],
            row: self.row,
            line: self.line,
            mirror: self.mirror,
        };
        (shared, state)
    }
}

/// [`Scratch`] without the panels.
pub(super) struct Shared<'a> {
    pub(super) tiles: [&'a mut [f32]; 2],
    pub(super) products: [&'a mut [f32]; 2],
    pub(super) row: &'a mut [f32],
    pub(super) line: &'a mut [f32],
    pub(super) mirror: &'a [f32],
}

fn take<'a>(rest: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (taken, left) = std::mem::take(rest).split_at_mut(len);
    *rest = left;
    taken
}
