//! Attention configurations.

use samora_shaders::{Attention, AttentionPass, Binding, HeadRows, Kernel, Part, Saved, Tokens};

use super::cases::{READ, WRITE};

/// Which pass.
pub(crate) enum Pass {
    Forward,
    Queries,
    Keys,
}

/// Two heads of 8 on one qkv buffer: a plain sequence, or windows that overhang with relative
/// positions and padding tokens.
pub(crate) fn attention(pass: Pass, windows: bool) -> Kernel {
    let rows = |offset| HeadRows {
        buffer: 0,
        offset,
        row_stride: 48,
        batch: 2,
    };
    let tokens = if windows {
        Tokens::Grid {
            height: 5,
            width: 6,
            window_h: 3,
            window_w: 3,
        }
    } else {
        Tokens::Sequence {
            queries: 30,
            keys: 30,
        }
    };
    // qkv; with windows the tables and the bias that pads carry; then what the pass reads and writes.
    let mut bindings = vec![READ];
    let mut bind = |binding| {
        bindings.push(binding);
        bindings.len() - 1
    };
    let relative = windows && !matches!(pass, Pass::Keys);
    let rel_pos = relative.then(|| (Part::whole(bind(READ)), Part::whole(bind(READ))));
    let pad_kv = windows.then(|| {
        let bias = bind(READ);
        let pad = |offset| Part {
            buffer: bias,
            offset,
        };
        (pad(16), pad(32))
    });
    let rel = |bind: &mut dyn FnMut(Binding) -> usize| windows.then(|| bind(WRITE));
    let saved = |bind: &mut dyn FnMut(Binding) -> usize| Saved {
        dout: bind(READ),
        lse: Part::whole(bind(READ)),
        delta: Part::whole(bind(READ)),
        rel: windows.then(|| Part::whole(bind(READ))),
    };
    let pass = match pass {
        Pass::Forward => AttentionPass::Forward {
            out: bind(WRITE),
            lse: bind(WRITE),
            rel: rel(&mut bind),
        },
        Pass::Queries => AttentionPass::BackwardQ {
            saved: saved(&mut bind),
            dq: bind(WRITE),
            drel: rel(&mut bind),
        },
        Pass::Keys => AttentionPass::BackwardKv {
            saved: saved(&mut bind),
            dk: bind(WRITE),
            dv: bind(WRITE),
            dpad: rel(&mut bind),
        },
    };
    Kernel::Attention(Attention {
        pass,
        batch: 2,
        heads: 2,
        head_dim: 8,
        tokens,
        scale: 8f32.sqrt().recip(),
        q: rows(0),
        k: rows(16),
        v: rows(32),
        rel_pos,
        distance_bias: None,
        pad_kv,
        bindings,
    })
}

/// A plain sequence with heads of 16, long enough for an invocation to have two rows.
pub(crate) fn long_sequence(pass: Pass) -> Kernel {
    let Kernel::Attention(a) = attention(pass, false) else {
        unreachable!()
    };
    let rows = |offset| HeadRows {
        offset,
        row_stride: 96,
        ..a.q
    };
    let tokens = Tokens::Sequence {
        queries: 70,
        keys: 70,
    };
    Kernel::Attention(Attention {
        head_dim: 16,
        tokens,
        q: rows(0),
        k: rows(32),
        v: rows(64),
        ..a
    })
}

/// The forward pass of two heads of 8 in 3×4 windows with a bias by distance.
pub(crate) fn biased_attention() -> Kernel {
    let rows = |buffer| HeadRows {
        buffer,
        offset: 0,
        row_stride: 16,
        batch: 1,
    };
    Kernel::Attention(Attention {
        pass: AttentionPass::Forward {
            out: 4,
            lse: 5,
            rel: None,
        },
        batch: 1,
        heads: 2,
        head_dim: 8,
        tokens: Tokens::Grid {
            height: 6,
            width: 8,
            window_h: 3,
            window_w: 4,
        },
        scale: 8f32.sqrt().recip(),
        q: rows(0),
        k: rows(1),
        v: rows(2),
        rel_pos: None,
        distance_bias: Some(Part::whole(3)),
        pad_kv: None,
        bindings: vec![READ, READ, READ, READ, WRITE, WRITE],
    })
}

/// Heads of 16 for cooperative matrices: a sequence whose sides are not whole tiles, or windows that
/// overhang with relative positions and padding tokens.
pub(crate) fn tiled_attention(pass: Pass, windows: bool) -> Kernel {
    let Kernel::Attention(a) = attention(pass, windows) else {
        unreachable!()
    };
    let rows = |offset| HeadRows {
        offset,
        row_stride: 96,
        ..a.q
    };
    let tokens = match windows {
        true => Tokens::Grid {
            height: 8,
            width: 9,
            window_h: 6,
            window_w: 6,
        },
        false => Tokens::Sequence {
            queries: 100,
            keys: 70,
        },
    };
    let pad_kv = a
        .pad_kv
        .map(|(k, v)| (Part { offset: 32, ..k }, Part { offset: 64, ..v }));
    Kernel::Attention(Attention {
        head_dim: 16,
        tokens,
        scale: 0.25,
        q: rows(0),
        k: rows(32),
        v: rows(64),
        pad_kv,
        ..a
    })
}

/// [`tiled_attention`] over a sequence with rows for two strips of a subgroup.
pub(crate) fn strips_attention(pass: Pass) -> Kernel {
    let Kernel::Attention(a) = tiled_attention(pass, false) else {
        unreachable!()
    };
    let tokens = Tokens::Sequence {
        queries: 192,
        keys: 70,
    };
    Kernel::Attention(Attention { tokens, ..a })
}

/// A plain sequence with heads of any width, long enough for an invocation to have two rows.
pub(crate) fn wide_heads(pass: Pass, head_dim: usize) -> Kernel {
    let Kernel::Attention(a) = long_sequence(pass) else {
        unreachable!()
    };
    let rows = |part: usize| HeadRows {
        offset: 2 * part * head_dim,
        row_stride: 6 * head_dim,
        ..a.q
    };
    Kernel::Attention(Attention {
        head_dim,
        q: rows(0),
        k: rows(1),
        v: rows(2),
        ..a
    })
}
