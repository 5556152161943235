//! Attention layers with their projections.

use samora_shaders::Tokens;

use super::linear::{linear, linear_with};
use crate::cases::{Case, operand};
use crate::ops::attention::Attend;
use crate::{Graph, Init, Value};

/// PyTorch's `nn.MultiheadAttention` under `name`: `in_proj_weight [3c, c]` (Xavier-uniform),
/// `in_proj_bias` (zero), `out_proj.{weight, bias}`. `q`, `k`, `v` are `[batch, tokens, c]`; tokens that
/// pad overhanging windows are masked out.
pub fn multi_head(
    g: &mut Graph,
    name: &str,
    [q, k, v]: [Value; 3],
    heads: usize,
    tokens: Tokens,
) -> Value {
    let [_, _, c] = g.dims(q);
    g.within(name, |g| {
        let bound = (6.0 / (4 * c) as f32).sqrt();
        let weight = g.param("in_proj_weight", &[3 * c, c], Init::Uniform(bound));
        let bias = g.param("in_proj_bias", &[3 * c], Init::Zeros);
        let project = |g: &mut Graph, x, first: usize, count: usize| {
            let w = g.slice(weight, 0, first * c, count * c);
            let w = g.transpose(w);
            let b = g.slice(bias, 0, first * c, count * c);
            let y = g.matmul(x, w);
            g.add(y, b)
        };
        let [q, k, v] = match q == k && k == v {
            true => {
                let qkv = project(g, q, 0, 3);
                [0, 1, 2].map(|i| g.slice(qkv, 2, i * c, c))
            }
            false => [(q, 0), (k, 1), (v, 2)].map(|(x, i)| project(g, x, i, 1)),
        };
        let y = g.attention(q, k, v, Attend::plain(heads, tokens));
        let init = Init::Uniform(1.0 / (c as f32).sqrt());
        linear_with(g, "out_proj", y, c, init, Some(Init::Zeros))
    })
}

/// SAM's decoder attention (transformer.py) under `name`: `{q, k, v}_proj` to `inner` channels,
/// attention over all tokens, `out_proj` back to the width of `q`.
pub fn projected_attention(
    g: &mut Graph,
    name: &str,
    [q, k, v]: [Value; 3],
    inner: usize,
    heads: usize,
) -> Value {
    let [_, queries, c] = g.dims(q);
    let [_, keys, _] = g.dims(k);
    g.within(name, |g| {
        let q = linear(g, "q_proj", q, inner);
        let k = linear(g, "k_proj", k, inner);
        let v = linear(g, "v_proj", v, inner);
        let y = g.attention(
            q,
            k,
            v,
            Attend::plain(heads, Tokens::Sequence { queries, keys }),
        );
        linear(g, "out_proj", y, c)
    })
}

/// H-SAM's attention (transformer.py, `Attention2`) under `name`, as [`projected_attention`] with as many
/// channels inside as outside: `(softmax(Q·Kᵀ/√d) ⊙ mask)·V`, d being the channels of a head. The factors
/// `mask [batch, queries, keys]` are those of all heads; rows of the product need not sum to 1.
pub fn modulated_attention(
    g: &mut Graph,
    name: &str,
    [q, k, v]: [Value; 3],
    mask: Value,
    heads: usize,
) -> Value {
    let [batch, queries, c] = g.dims(q);
    let [_, _, keys] = g.dims(mask);
    let width = c / heads.max(1);
    g.within(name, |g| {
        let [q, k, v] = [("q_proj", q), ("k_proj", k), ("v_proj", v)].map(|(name, x)| {
            let y = linear(g, name, x, c);
            let [batch, n, _] = g.dims(y);
            let y = g.reshape(y, &[batch, n, heads, width]);
            g.permute(y, &[0, 2, 1, 3])
        });
        let q = g.scale(q, 1.0 / (width as f32).sqrt());
        let k = g.transpose(k);
        let logits = g.matmul(q, k);
        let p = g.softmax(logits);
        let mask = g.reshape(mask, &[batch, 1, queries, keys]);
        let p = g.mul(p, mask);
        let y = g.matmul(p, v);
        let y = g.permute(y, &[0, 2, 1, 3]);
        let y = g.reshape(y, &[batch, queries, c]);
        linear(g, "out_proj", y, c)
    })
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "modulated attention of few to many",
        build: |g| modulated(g, 3, 10),
    },
    Case {
        name: "modulated attention of many to few",
        build: |g| modulated(g, 7, 2),
    },
];

fn modulated(g: &mut Graph, queries: usize, keys: usize) -> Vec<Value> {
    let q = operand(g, "q", &[2, queries, 6]);
    let [k, v] = ["k", "v"].map(|name| operand(g, name, &[2, keys, 6]));
    let mask = operand(g, "mask", &[2, queries, keys]);
    vec![modulated_attention(g, "attn", [q, k, v], mask, 2)]
}
