//! One block with windowed attention, and its adapter (tiny_vit_sam.py, `TinyViTBlock`).

use samora_shaders::Tokens;

use super::conv::depthwise_bn;
use crate::models::sam::{Adapter, adapted_attention};
use crate::nn::{layer_norm, mlp};
use crate::ops::attention::Attend;
use crate::{Graph, Init, Value};

/// PyTorch's default, for LayerNorm in blocks.
const EPS: f32 = 1e-5;

/// Shape of a stage's blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage {
    /// Height and width of the token grid.
    pub(super) grid: usize,
    /// Attention heads.
    pub(super) heads: usize,
    /// Height and width of a window in tokens.
    pub(super) window: usize,
    /// Hidden width of the MLP over the channels.
    pub(super) expansion: usize,
}

impl Stage {
    /// A block on `x [batch, grid², c]`, in the current scope.
    pub(super) fn block(self, g: &mut Graph, adapter: &Adapter, x: Value) -> Value {
        let [batch, count, c] = g.dims(x);
        let y = self.attention(g, adapter, x);
        let x = g.add(x, y);
        let map = g.reshape(x, &[batch, self.grid, self.grid, c]);
        let map = depthwise_bn(g, "local_conv", map, 1);
        let x = g.reshape(map, &[batch, count, c]);
        let y = layer_norm(g, "mlp.norm", x, EPS);
        let y = mlp(
            g,
            ["mlp.fc1", "mlp.fc2"],
            y,
            self.expansion * c,
            Graph::gelu,
        );
        g.add(x, y)
    }

    /// Attention within windows. The grid is padded with zeros *before* the norm, so pads are tokens
    /// like others until they are cut off: their keys and values take part, LoRA's updates included.
    fn attention(self, g: &mut Graph, adapter: &Adapter, x: Value) -> Value {
        let (heads, grid) = (self.heads, self.grid);
        let padded = grid.next_multiple_of(self.window);
        let [batch, count, c] = g.dims(x);
        let y = g.reshape(x, &[batch, grid, grid, c]);
        let y = g.pad(y, 1, 0, padded - grid);
        let y = g.pad(y, 2, 0, padded - grid);
        let y = g.reshape(y, &[batch, padded * padded, c]);
        let y = layer_norm(g, "attn.norm", y, EPS);
        let qkv = self.project(g, y);
        let attend = Attend {
            heads,
            tokens: self.tokens(padded),
            rel_pos: None,
            distance_bias: Some(g.param(
                "attn.attention_biases",
                &[heads, self.window * self.window],
                Init::Zeros,
            )),
            pad_kv: None,
            scale: None,
        };
        let fusing = (heads, self.tokens(grid));
        adapted_attention(g, adapter, fusing, y, qkv, |g, [q, k, v]| {
            let out = g.attention(q, k, v, attend);
            let [all, _, _] = g.dims(out);
            let out = g.reshape(out, &[all, padded, padded, c]);
            let out = g.slice(out, 1, 0, grid);
            let out = g.slice(out, 2, 0, grid);
            g.reshape(out, &[all, count, c])
        })
    }

    /// Queries, keys and values `[batch, n, 3c]` of `y [batch, n, c]`. The layer's rows are `[heads, 3, width]`; they are
    /// brought into the order `[3, heads, width]`, which costs less than reordering its results.
    fn project(self, g: &mut Graph, y: Value) -> Value {
        let [_, _, c] = g.dims(y);
        let (heads, width) = (self.heads, c / self.heads);
        let init = Init::Uniform(1.0 / (c as f32).sqrt());
        let weight = g.param("attn.qkv.weight", &[3 * c, c], init);
        let weight = g.reshape(weight, &[heads, 3, width, c]);
        let weight = g.permute(weight, &[1, 0, 2, 3]);
        let weight = g.reshape(weight, &[3 * c, c]);
        let bias = g.param("attn.qkv.bias", &[3 * c], init);
        let bias = g.reshape(bias, &[heads, 3, width]);
        let bias = g.permute(bias, &[1, 0, 2]);
        let bias = g.reshape(bias, &[3 * c]);
        let columns = g.transpose(weight);
        let qkv = g.matmul(y, columns);
        g.add(qkv, bias)
    }

    fn tokens(self, grid: usize) -> Tokens {
        Tokens::Grid {
            height: grid,
            width: grid,
            window_h: self.window,
            window_w: self.window,
        }
    }
}
