//! Attention layers with their projections.

use samora_shaders::Tokens;

use super::linear::{linear, linear_with};
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
