//! The mask decoder's two-way transformer (SAM, transformer.py).

use super::MaskDecoderConfig;
use crate::nn::{layer_norm, mlp, projected_attention};
use crate::{Graph, Value};

/// PyTorch's default, which SAM keeps here.
const EPS: f32 = 1e-5;

/// Updates `tokens [batch, n, dim]` and `image [batch, m, dim]`, given positions `[m, dim]` of the
/// image. The initial tokens are the tokens' positions.
pub(super) fn two_way_transformer(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    tokens: Value,
    image: Value,
    positions: Value,
) -> (Value, Value) {
    let [_, _, dim] = g.dims(tokens);
    let (mut q, mut k) = (tokens, image);
    for layer in 0..config.depth {
        (q, k) = g.within(format!("layers.{layer}"), |g| {
            two_way_layer(g, config, layer, [q, k], [tokens, positions])
        });
    }
    let (query, key) = (g.add(q, tokens), g.add(k, positions));
    let name = "final_attn_token_to_image";
    let y = projected_attention(g, name, [query, key, k], dim / 2, config.heads);
    let q = g.add(q, y);
    (layer_norm(g, "norm_final_attn", q, EPS), k)
}

/// Self-attention of the tokens (the first layer has neither residual nor positions), tokens to
/// image, MLP, image to tokens.
fn two_way_layer(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    layer: usize,
    [q, k]: [Value; 2],
    [q_positions, k_positions]: [Value; 2],
) -> (Value, Value) {
    let [_, _, dim] = g.dims(q);
    let (inner, heads) = (dim / 2, config.heads);
    let q = match layer {
        0 => projected_attention(g, "self_attn", [q; 3], dim, heads),
        _ => {
            let at = g.add(q, q_positions);
            let y = projected_attention(g, "self_attn", [at, at, q], dim, heads);
            g.add(q, y)
        }
    };
    let q = layer_norm(g, "norm1", q, EPS);
    let (query, key) = (g.add(q, q_positions), g.add(k, k_positions));
    let name = "cross_attn_token_to_image";
    let y = projected_attention(g, name, [query, key, k], inner, heads);
    let y = g.add(q, y);
    let q = layer_norm(g, "norm2", y, EPS);
    let y = mlp(g, ["mlp.lin1", "mlp.lin2"], q, config.mlp_dim, Graph::relu);
    let y = g.add(q, y);
    let q = layer_norm(g, "norm3", y, EPS);
    let query = g.add(q, q_positions);
    let name = "cross_attn_image_to_token";
    let y = projected_attention(g, name, [key, query, q], inner, heads);
    let y = g.add(k, y);
    (q, layer_norm(g, "norm4", y, EPS))
}
