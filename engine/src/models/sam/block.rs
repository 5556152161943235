//! One block of the image encoder, with its adapter.

use samora_shaders::Tokens;

use super::attention::adapted_attention;
use super::{Adapter, SamConfig};
use crate::nn::{layer_norm, linear, mlp};
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

/// Windowed or global attention with relative positions.
fn attention(
    g: &mut Graph,
    config: &SamConfig,
    index: usize,
    adapter: &Adapter,
    y: Value,
) -> Value {
    let [_, _, c] = g.dims(y);
    let qkv = linear(g, "attn.qkv", y, 3 * c);
    let attend = attend(g, config, config.window(index));
    let fusing = (config.heads, attend.tokens);
    adapted_attention(g, adapter, fusing, y, qkv, |g, [q, k, v]| {
        g.attention(q, k, v, attend)
    })
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
