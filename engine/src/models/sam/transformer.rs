//! The mask decoder's two-way transformer (SAM, transformer.py), and what H-SAM makes of it.

use super::MaskDecoderConfig;
use crate::nn::{layer_norm, mlp, modulated_attention, projected_attention};
use crate::{Graph, Value};

/// PyTorch's default, which SAM keeps here.
const EPS: f32 = 1e-5;

/// How tokens and image attend to each other in a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Layers {
    /// SAM: the tokens to themselves, then to the image.
    SelfFirst,
    /// H-SAM's first decoder: the tokens to the image, then to themselves.
    CrossFirst,
    /// H-SAM's second decoder: as [`Layers::CrossFirst`], with attention between tokens and image as wide
    /// as the embedding and modulated.
    Modulated {
        /// Factors of tokens attending to the image, `[batch, n, m]`; the image's attending to the tokens
        /// are their transpose.
        mask: Value,
        /// Probability with which elements of what tokens take from the image are dropped.
        dropout: f32,
    },
}

/// Updates `tokens [batch, n, dim]` and `image [batch, m, dim]`, given positions `[m, dim]` of the
/// image. The initial tokens are the tokens' positions.
pub(crate) fn two_way_transformer(
    g: &mut Graph,
    config: &MaskDecoderConfig,
    layers: Layers,
    tokens: Value,
    image: Value,
    positions: Value,
) -> (Value, Value) {
    let [_, _, dim] = g.dims(tokens);
    let (mut q, mut k) = (tokens, image);
    for layer in 0..config.depth {
        (q, k) = g.within(format!("layers.{layer}"), |g| {
            let layer = Layer {
                config,
                layers,
                is_first: layer == 0,
                positions: [tokens, positions],
            };
            layer.run(g, [q, k])
        });
    }
    let (query, key) = (g.add(q, tokens), g.add(k, positions));
    let name = "final_attn_token_to_image";
    let y = projected_attention(g, name, [query, key, k], dim / 2, config.heads);
    let q = g.add(q, y);
    (layer_norm(g, "norm_final_attn", q, EPS), k)
}

/// One layer, in its scope: tokens to themselves and to the image, MLP, image to tokens.
struct Layer<'a> {
    config: &'a MaskDecoderConfig,
    layers: Layers,
    is_first: bool,
    /// Of tokens and image.
    positions: [Value; 2],
}

impl Layer<'_> {
    fn run(&self, g: &mut Graph, [q, k]: [Value; 2]) -> (Value, Value) {
        let [q_positions, k_positions] = self.positions;
        let key = g.add(k, k_positions);
        let q = match self.layers {
            Layers::SelfFirst => {
                let q = self.tokens_to_tokens(g, q);
                self.tokens_to_image(g, q, [key, k])
            }
            Layers::CrossFirst | Layers::Modulated { .. } => {
                let q = self.tokens_to_image(g, q, [key, k]);
                self.tokens_to_tokens(g, q)
            }
        };
        let hidden = self.config.mlp_dim;
        let y = mlp(g, ["mlp.lin1", "mlp.lin2"], q, hidden, Graph::relu);
        let y = g.add(q, y);
        let q = layer_norm(g, "norm3", y, EPS);
        let query = g.add(q, q_positions);
        let mask = self.mask().map(|mask| g.transpose(mask));
        let y = self.across(g, "cross_attn_image_to_token", [key, query, q], mask);
        let y = g.add(k, y);
        (q, layer_norm(g, "norm4", y, EPS))
    }

    /// The first layer has neither residual nor positions.
    fn tokens_to_tokens(&self, g: &mut Graph, q: Value) -> Value {
        let [_, _, dim] = g.dims(q);
        let heads = self.config.heads;
        let q = match self.is_first {
            true => projected_attention(g, "self_attn", [q; 3], dim, heads),
            false => {
                let at = g.add(q, self.positions[0]);
                let y = projected_attention(g, "self_attn", [at, at, q], dim, heads);
                g.add(q, y)
            }
        };
        layer_norm(g, "norm1", q, EPS)
    }

    fn tokens_to_image(&self, g: &mut Graph, q: Value, [key, value]: [Value; 2]) -> Value {
        let query = g.add(q, self.positions[0]);
        let qkv = [query, key, value];
        let mut y = self.across(g, "cross_attn_token_to_image", qkv, self.mask());
        if let Layers::Modulated { dropout, .. } = self.layers {
            y = g.dropout(y, dropout);
        }
        let y = g.add(q, y);
        layer_norm(g, "norm2", y, EPS)
    }

    /// Attention between tokens and image.
    fn across(&self, g: &mut Graph, name: &str, qkv: [Value; 3], mask: Option<Value>) -> Value {
        let [_, _, dim] = g.dims(qkv[0]);
        let heads = self.config.heads;
        match mask {
            Some(mask) => modulated_attention(g, name, qkv, mask, heads),
            None => projected_attention(g, name, qkv, dim / 2, heads),
        }
    }

    fn mask(&self) -> Option<Value> {
        match self.layers {
            Layers::Modulated { mask, .. } => Some(mask),
            Layers::SelfFirst | Layers::CrossFirst => None,
        }
    }
}
