//! Test cases of attention.

use samora_shaders::Tokens;

use super::Attend;
use crate::Graph;
use crate::cases::{Case, operand};

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "self-attention",
        build: |g| {
            let qkv = operand(g, "qkv", &[2, 5, 18]);
            let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, 6 * i, 6));
            vec![g.attention(q, k, v, sequence(2, 5, 5))]
        },
    },
    Case {
        name: "cross-attention of a smaller query batch",
        build: |g| {
            let q = operand(g, "q", &[2, 3, 8]);
            let (k, v) = (operand(g, "k", &[4, 7, 8]), operand(g, "v", &[4, 7, 8]));
            let scale = Some(0.7);
            let cfg = Attend {
                scale,
                ..sequence(2, 3, 7)
            };
            vec![g.attention(q, k, v, cfg)]
        },
    },
    Case {
        name: "cross-attention to shared keys",
        build: |g| {
            let (q, k) = (operand(g, "q", &[3, 4, 5]), operand(g, "k", &[1, 6, 5]));
            let v = operand(g, "v", &[3, 6, 5]);
            vec![g.attention(q, k, v, sequence(1, 4, 6))]
        },
    },
    Case {
        name: "whole grid with relative positions",
        build: |g| {
            let [q, k, v] = ["q", "k", "v"].map(|n| operand(g, n, &[2, 6, 6]));
            let cfg = grid(g, (6, 2), [2, 3, 2, 3], false);
            vec![g.attention(q, k, v, cfg)]
        },
    },
    Case {
        name: "windows that fit",
        build: |g| {
            let [q, k, v] = ["q", "k", "v"].map(|n| operand(g, n, &[1, 16, 4]));
            let cfg = grid(g, (4, 1), [4, 4, 2, 2], false);
            vec![g.attention(q, k, v, cfg)]
        },
    },
    Case {
        name: "overhanging windows with attended pads",
        build: |g| {
            let [q, k, v] = ["q", "k", "v"].map(|n| operand(g, n, &[2, 20, 4]));
            let cfg = grid(g, (4, 2), [4, 5, 3, 3], true);
            vec![g.attention(q, k, v, cfg)]
        },
    },
    Case {
        name: "overhanging windows with masked pads, query batch shared",
        build: |g| {
            let q = operand(g, "q", &[1, 15, 6]);
            let (k, v) = (operand(g, "k", &[2, 15, 6]), operand(g, "v", &[2, 15, 6]));
            let cfg = grid(g, (6, 2), [3, 5, 2, 2], false);
            vec![g.attention(q, k, v, cfg)]
        },
    },
    Case {
        name: "windows with a bias by distance",
        build: |g| {
            let [q, k, v] = ["q", "k", "v"].map(|n| operand(g, n, &[2, 24, 6]));
            let cfg = biased(g, 2, [4, 6, 2, 3]);
            vec![g.attention(q, k, v, cfg)]
        },
    },
    Case {
        name: "overhanging windows with attended pads, without positions",
        build: |g| {
            let [q, k, v] = ["q", "k", "v"].map(|n| operand(g, n, &[2, 20, 8]));
            let cfg = grid(g, (8, 2), [4, 5, 3, 3], true);
            let rel_pos = None;
            vec![g.attention(q, k, v, Attend { rel_pos, ..cfg })]
        },
    },
    Case {
        name: "heads of 56 in a window larger than the grid",
        build: |g| {
            let [q, k, v] = ["q", "k", "v"].map(|n| operand(g, n, &[2, 4, 112]));
            let cfg = grid(g, (112, 2), [2, 2, 3, 3], true);
            let rel_pos = None;
            vec![g.attention(q, k, v, Attend { rel_pos, ..cfg })]
        },
    },
    Case {
        name: "heads of 72, with fewer queries than keys",
        build: |g| {
            let q = operand(g, "q", &[2, 9, 144]);
            let (k, v) = (
                operand(g, "k", &[1, 36, 144]),
                operand(g, "v", &[2, 36, 144]),
            );
            vec![g.attention(q, k, v, sequence(2, 9, 36))]
        },
    },
    Case {
        name: "heads of 96",
        build: |g| {
            let qkv = operand(g, "qkv", &[1, 40, 288]);
            let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, 96 * i, 96));
            vec![g.attention(q, k, v, sequence(1, 40, 40))]
        },
    },
    Case {
        name: "whole grid with a bias by distance, keys shared",
        build: |g| {
            let (q, k) = (operand(g, "q", &[2, 9, 8]), operand(g, "k", &[1, 9, 8]));
            let v = operand(g, "v", &[2, 9, 8]);
            let cfg = biased(g, 1, [3, 3, 3, 3]);
            vec![g.attention(q, k, v, cfg)]
        },
    },
];

fn sequence(heads: usize, queries: usize, keys: usize) -> Attend {
    Attend {
        heads,
        tokens: Tokens::Sequence { queries, keys },
        rel_pos: None,
        distance_bias: None,
        pad_kv: None,
        scale: None,
    }
}

/// Windows over a grid, `[height, width, window_h, window_w]`, with relative positions.
fn grid(
    g: &mut Graph,
    (channels, heads): (usize, usize),
    [height, width, window_h, window_w]: [usize; 4],
    pads: bool,
) -> Attend {
    let mut table = |name, window| operand(g, name, &[2 * window - 1, channels / heads]);
    let rel_pos = Some((table("rel_h", window_h), table("rel_w", window_w)));
    let mut pad = |name| operand(g, name, &[channels]);
    let pad_kv = pads.then(|| (pad("pad_k"), pad("pad_v")));
    Attend {
        heads,
        tokens: Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        },
        rel_pos,
        distance_bias: None,
        pad_kv,
        scale: None,
    }
}

/// Windows over a grid, `[height, width, window_h, window_w]`, with a bias by distance.
fn biased(g: &mut Graph, heads: usize, [height, width, window_h, window_w]: [usize; 4]) -> Attend {
    Attend {
        tokens: Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        },
        distance_bias: Some(operand(g, "bias", &[heads, window_h * window_w])),
        ..sequence(heads, 0, 0)
    }
}
