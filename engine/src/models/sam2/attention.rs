//! Attention of a block within windows, queries pooled where the grid is halved (hieradet.py,
//! `MultiScaleAttention`).

use samora_shaders::Tokens;

use super::config::Block;
use crate::models::sam::{Adapter, adapted_attention};
use crate::nn::{linear, linear_part};
use crate::ops::attention::Attend;
use crate::{Graph, Init, Value};

impl Block {
    /// Attention to the normalised `y [batch, grid², dim]`: `[batch, n, out]`. Windows that overhang the grid are
    /// padded with zeros, so a pad's key and value are the bias of `qkv`. Experts are fused on the grid that goes
    /// out, within the windows that it has then.
    pub(super) fn attention(self, g: &mut Graph, adapter: &Adapter, y: Value) -> Value {
        let (grid, window) = (self.grid_out(), self.window / self.pooling());
        let fusing = (self.heads, windows(grid, window));
        let y = match self.pools {
            true => self.pad(g, y),
            false => y,
        };
        if self.pools && *adapter == Adapter::None {
            // Together they would be the largest value of all: at 1024 pixels more than some adapters bind.
            let qkv = [0, 1, 2]
                .map(|i| linear_part(g, "attn.qkv", y, 3 * self.out, (i * self.out, self.out)));
            let y = self.attend_pooled(g, qkv);
            return linear(g, "attn.proj", y, self.out);
        }
        let qkv = linear(g, "attn.qkv", y, 3 * self.out);
        adapted_attention(g, adapter, fusing, y, qkv, |g, qkv| match self.pools {
            true => self.attend_pooled(g, qkv),
            false => self.attend(g, qkv),
        })
    }

    /// Attention of tokens to those of their window.
    fn attend(self, g: &mut Graph, [q, k, v]: [Value; 3]) -> Value {
        let bias = g.param("attn.qkv.bias", &[3 * self.out], Init::Zeros);
        let [pad_k, pad_v] = [1, 2].map(|i| g.slice(bias, 0, i * self.out, self.out));
        let attend = Attend {
            pad_kv: (self.padded() > self.grid).then_some((pad_k, pad_v)),
            ..Attend::plain(self.heads, windows(self.grid, self.window))
        };
        g.attention(q, k, v, attend)
    }

    /// Attention of every 2×2 queries' largest values to the keys of their window, over grids that are padded
    /// to whole windows; `[·, grid_out², out]`. Windows are even, so no cell reaches across two.
    pub(super) fn attend_pooled(self, g: &mut Graph, [q, k, v]: [Value; 3]) -> Value {
        let (padded, out) = (self.padded(), self.out);
        let [all, _, _] = g.dims(q);
        let map = g.reshape(q, &[all, padded, padded, out]);
        let pooled = g.max_pool(map, 2, 2, [0; 4]);
        let (half, window) = (padded / 2, self.window / 2);
        let q = partition(g, pooled, window);
        let [k, v] = [k, v].map(|x| {
            let [batch, _, _] = g.dims(x);
            let map = g.reshape(x, &[batch, padded, padded, out]);
            partition(g, map, self.window)
        });
        let tokens = Tokens::Sequence {
            queries: window * window,
            keys: self.window * self.window,
        };
        let y = g.attention(q, k, v, Attend::plain(self.heads, tokens));
        let map = unpartition(g, y, half, window);
        let grid = self.grid_out();
        let map = g.slice(map, 1, 0, grid);
        let map = g.slice(map, 2, 0, grid);
        g.reshape(map, &[all, grid * grid, out])
    }

    /// `y [batch, grid², dim]` with zeros at the bottom and right, up to whole windows.
    fn pad(self, g: &mut Graph, y: Value) -> Value {
        let (grid, padded) = (self.grid, self.padded());
        let [batch, _, c] = g.dims(y);
        let map = g.reshape(y, &[batch, grid, grid, c]);
        let map = g.pad(map, 1, 0, padded - grid);
        let map = g.pad(map, 2, 0, padded - grid);
        g.reshape(map, &[batch, padded * padded, c])
    }

    /// Height and width of the grid with whole windows.
    fn padded(self) -> usize {
        self.grid.next_multiple_of(self.window)
    }
}

/// Windows of `map [batch, h, w, c]` as sequences `[batch·windows, window², c]`.
fn partition(g: &mut Graph, map: Value, window: usize) -> Value {
    let [batch, h, w, c] = g.dims(map);
    let (down, across) = (h / window, w / window);
    let split = g.reshape(map, &[batch, down, window, across, window, c]);
    let apart = g.permute(split, &[0, 1, 3, 2, 4, 5]);
    g.reshape(apart, &[batch * down * across, window * window, c])
}

/// The inverse of [`partition`] for a square map of this extent.
fn unpartition(g: &mut Graph, x: Value, extent: usize, window: usize) -> Value {
    let [all, _, c] = g.dims(x);
    let many = extent / window;
    let batch = all / (many * many);
    let apart = g.reshape(x, &[batch, many, many, window, window, c]);
    let together = g.permute(apart, &[0, 1, 3, 2, 4, 5]);
    g.reshape(together, &[batch, extent, extent, c])
}

fn windows(grid: usize, window: usize) -> Tokens {
    Tokens::Grid {
        height: grid,
        width: grid,
        window_h: window,
        window_w: window,
    }
}
