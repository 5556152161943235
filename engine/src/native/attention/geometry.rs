//! Which tokens attend to each other, and which of them a piece of work owns.

use samora_shaders::{Attention, HeadRows, Tokens};

use super::tile::VECTORS;

/// Lanes' vectors of a piece, about; keys and values that a piece reads are copied once for all of them.
const PIECE_LANES: usize = 96;

/// The tokens of a window, row by row: slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slots {
    /// Token of the first.
    pub(super) first: usize,
    /// Tokens between rows.
    pub(super) pitch: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Slots {
    pub(super) fn count(&self) -> usize {
        self.rows * self.columns
    }

    /// Row and column of a slot.
    #[inline(always)]
    pub(super) fn place(&self, slot: usize) -> (usize, usize) {
        (slot / self.columns, slot % self.columns)
    }

    #[inline(always)]
    pub(super) fn token(&self, slot: usize) -> usize {
        let (y, x) = self.place(slot);
        self.first + y * self.pitch + x
    }
}

/// Queries and keys that attend to each other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) index: usize,
    pub(super) queries: Slots,
    pub(super) keys: Slots,
    /// Whether padding takes part, as the key after the last slot.
    pub(super) padded: bool,
}

impl Window {
    /// Keys, the pads as one.
    pub(super) fn keys(&self) -> usize {
        self.keys.count() + usize::from(self.padded)
    }
}

/// Windows of a batch entry.
pub(super) fn windows(a: &Attention) -> usize {
    match a.tokens {
        Tokens::Sequence { .. } => 1,
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => height.div_ceil(window_h) * width.div_ceil(window_w),
    }
}

/// Window number `index`.
pub(super) fn window(a: &Attention, index: usize) -> Window {
    let row = |count| Slots {
        first: 0,
        pitch: count,
        rows: 1,
        columns: count,
    };
    match a.tokens {
        Tokens::Sequence { queries, keys } => Window {
            index,
            queries: row(queries),
            keys: row(keys),
            padded: false,
        },
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => {
            let across = width.div_ceil(window_w);
            let (top, left) = (index / across * window_h, index % across * window_w);
            let slots = Slots {
                first: top * width + left,
                pitch: width,
                rows: window_h.min(height - top),
                columns: window_w.min(width - left),
            };
            Window {
                index,
                queries: slots,
                keys: slots,
                padded: a.pad_kv.is_some() && slots.count() < window_h * window_w,
            }
        }
    }
}

/// Query tokens and key tokens of a batch entry.
pub(super) fn counts(a: &Attention) -> (usize, usize) {
    match a.tokens {
        Tokens::Sequence { queries, keys } => (queries, keys),
        Tokens::Grid { height, width, .. } => (height * width, height * width),
    }
}

/// Rows and columns of a window that lies within the grid.
pub(super) fn extents(a: &Attention) -> [usize; 2] {
    match a.tokens {
        Tokens::Sequence { keys, .. } => [1, keys],
        Tokens::Grid {
            window_h, window_w, ..
        } => [window_h, window_w],
    }
}

/// Where the head of a token starts.
#[inline(always)]
pub(super) fn head(a: &Attention, rows: &HeadRows, tokens: usize, [b, h, t]: [usize; 3]) -> usize {
    rows.offset + (b % rows.batch * tokens + t) * rows.row_stride + h * a.head_dim
}

/// Slots that share vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Panel {
    /// First slot.
    pub(super) first: usize,
    /// Slots, of the lanes.
    pub(super) count: usize,
    /// Vectors of a row, at most [`VECTORS`].
    pub(super) vectors: usize,
}

/// Panels of `slots` slots with vectors of `lanes`.
pub(super) fn panels(slots: usize, lanes: usize) -> usize {
    slots.div_ceil(lanes).div_ceil(VECTORS)
}

/// Panel number `index` of these, or what follows the last.
pub(super) fn panel(slots: usize, lanes: usize, index: usize) -> Option<Panel> {
    let (vectors, panels) = (slots.div_ceil(lanes), panels(slots, lanes));
    if index >= panels {
        return None;
    }
    let [from, to] = [index, index + 1].map(|i| i * vectors / panels);
    Some(Panel {
        first: from * lanes,
        count: (to * lanes).min(slots) - from * lanes,
        vectors: to - from,
    })
}

/// Panels of a piece.
pub(super) fn panels_of_piece(lanes: usize) -> usize {
    (PIECE_LANES / (lanes * VECTORS)).max(1)
}

/// Most tokens of a tile of those that a piece reads.
pub(super) const TILE: usize = 64;

/// Tiles of `slots` slots, of about the same size: first slot and number.
pub(super) fn tiles(slots: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = slots.div_ceil(TILE).max(1);
    let size = slots.div_ceil(count).next_multiple_of(super::tile::ROWS);
    (0..slots)
        .step_by(size.max(1))
        .map(move |first| (first, size.min(slots - first)))
}
