//! One block of the image encoder, with its adapter.

use samora_shaders::Tokens;

use super::{Adapter, Fusion, SamConfig};
use crate::nn::{hl_attn, layer_norm, linear, low_rank_updates, mlp};
use crate::ops::attention::Attend;
use crate::{Graph, Init, Value};

/// SAM's `LayerNorm` in blocks and neck.
pub(super) const EPS: f32 = 1e-6;

/// Block `index` on `x [batch, tokens, dim]`, in the current scope (SAM, image_encoder.py, `Block`).
pub(super) fn block(
    g: &mut Graph,
    config: &SamConfig,
    index: usize,
    adapter: &Adapter,
    x: Value,
) -> Value {
    let y = layer_norm(g, "norm1", x, EPS);
    let y = attention(g, config, index, adapter, y);
    let x = g.add(x, y);
    let y = layer_norm(g, "norm2", x, EPS);
    let hidden = config.dim * config.mlp_ratio;
    let y = mlp(g, ["mlp.lin1", "mlp.lin2"], y, hidden, Graph::gelu);
    g.add(x, y)
}

/// Windowed or global attention with relative positions, and what the adapter makes of it.
///
/// Experts share k and differ from the frozen block by low-rank updates of q and v, so one product
/// and one batched attention serve the block and all its experts. `proj` being affine, only the
/// differences of the experts' outputs go through its weight.
fn attention(
    g: &mut Graph,
    config: &SamConfig,
    index: usize,
    adapter: &Adapter,
    y: Value,
) -> Value {
    let [batch, count, c] = g.dims(y);
    let window = config.window(index);
    let qkv = linear(g, "attn.qkv", y, 3 * c);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, i * c, c));
    let attend = attend(g, config, window);
    let (updates, rank) = adapter.updates();
    if updates.is_empty() {
        let out = g.attention(q, k, v, attend);
        return linear(g, "attn.proj", out, c);
    }
    let (dq, dv) = low_rank_updates(g, y, &updates, rank);
    let (q_experts, v_experts) = (g.add(q, dq), g.add(v, dv));
    let Adapter::Experts { fusion, .. } = adapter else {
        let [q, v] = [q_experts, v_experts].map(|x| g.reshape(x, &[batch, count, c]));
        let out = g.attention(q, k, v, attend);
        return linear(g, "attn.proj", out, c);
    };
    let [q, v] = [(q, q_experts), (v, v_experts)].map(|(base, experts)| {
        let base = g.reshape(base, &[1, batch, count, c]);
        let all = g.concat(&[base, experts], 0);
        g.reshape(all, &[4 * batch, count, c])
    });
    let out = g.attention(q, k, v, attend);
    let base = g.slice(out, 0, 0, batch);
    let frozen = linear(g, "attn.proj", base, c);
    let deltas = differences(g, out, base);
    let fused = match fusion {
        Fusion::HlAttn(form) => g.within("samora_adapter.fuser", |g| {
            hl_attn(g, form, deltas, config.heads, attend.tokens)
        }),
        Fusion::Sum => {
            let split = g.reshape(deltas, &[3, batch, count, c]);
            g.sum(split, &[0])
        }
    };
    g.add(frozen, fused)
}

/// How a block with windows of this extent attends, with its relative position tables, which start
/// at zero. Windows are padded after `norm1`, so a pad's key and value are the bias of `qkv`.
fn attend(g: &mut Graph, config: &SamConfig, window: usize) -> Attend {
    let (c, grid) = (config.dim, config.grid());
    let table = [2 * window - 1, c / config.heads];
    let [rel_h, rel_w] =
        ["attn.rel_pos_h", "attn.rel_pos_w"].map(|n| g.param(n, &table, Init::Zeros));
    let bias = g.param("attn.qkv.bias", &[3 * c], Init::Zeros);
    let [pad_k, pad_v] = [1, 2].map(|i| g.slice(bias, 0, i * c, c));
    Attend {
        heads: config.heads,
        tokens: tokens(grid, window),
        rel_pos: Some((rel_h, rel_w)),
        distance_bias: None,
        pad_kv: (grid % window != 0).then_some((pad_k, pad_v)),
        scale: None,
    }
}

fn tokens(grid: usize, window: usize) -> Tokens {
    Tokens::Grid {
        height: grid,
        width: grid,
        window_h: window,
        window_w: window,
    }
}

/// proj.weight·(out_e − base) for the three experts after the base in `out [4·batch, tokens, c]`.
fn differences(g: &mut Graph, out: Value, base: Value) -> Value {
    let [batch, count, c] = g.dims(base);
    let experts = g.slice(out, 0, batch, 3 * batch);
    let experts = g.reshape(experts, &[3, batch, count, c]);
    let deltas = g.sub(experts, base);
    let deltas = g.reshape(deltas, &[3 * batch, count, c]);
    // Declared by the `proj` layer, which runs first.
    let weight = g.param("attn.proj.weight", &[c, c], Init::Zeros);
    let weight = g.transpose(weight);
    g.matmul(deltas, weight)
}
