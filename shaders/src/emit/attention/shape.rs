//! What an attention's shapes say before anything is written.

use crate::{Attention, HeadRows, Tokens};

/// Query and key slots of a window.
pub(super) fn window_slots(a: &Attention) -> (usize, usize) {
    match a.tokens {
        Tokens::Sequence { queries, keys } => (queries, keys),
        Tokens::Grid {
            window_h, window_w, ..
        } => (window_h * window_w, window_h * window_w),
    }
}

/// Windows per batch and head.
pub(super) fn windows(a: &Attention) -> usize {
    let (down, across) = a.tokens.windows();
    down * across
}

/// Whether every row is 16-byte aligned.
pub(super) fn wide(a: &Attention) -> bool {
    let aligned = |r: &HeadRows| r.offset.is_multiple_of(4) && r.row_stride.is_multiple_of(4);
    let pads_aligned = a
        .pad_kv
        .is_none_or(|(k, v)| k.offset.is_multiple_of(4) && v.offset.is_multiple_of(4));
    a.head_dim.is_multiple_of(4) && pads_aligned && [&a.q, &a.k, &a.v].into_iter().all(aligned)
}
