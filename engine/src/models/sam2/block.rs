//! One block of the trunk, with its adapter (hieradet.py, `MultiScaleBlock`).

use super::config::Block;
use crate::models::sam::Adapter;
use crate::nn::{layer_norm, linear, mlp};
use crate::{Graph, Value};

/// Of `LayerNorm` in blocks.
const EPS: f32 = 1e-6;
/// Most elements of a hidden layer: the least that adapters bind as one buffer.
const MOST_HIDDEN: usize = 1 << 25;

impl Block {
    /// The block on `x [batch, grid², dim]`, in the current scope: `[batch, n, out]` with the `n` tokens of the
    /// grid that goes out.
    pub(super) fn run(self, g: &mut Graph, mlp_ratio: usize, adapter: &Adapter, x: Value) -> Value {
        let y = layer_norm(g, "norm1", x, EPS);
        let shortcut = match self.pools {
            true => self.project_shortcut(g, y),
            false => x,
        };
        let y = self.attention(g, adapter, y);
        let x = g.add(shortcut, y);
        let y = layer_norm(g, "norm2", x, EPS);
        let y = perceptron(g, y, mlp_ratio * self.out);
        g.add(x, y)
    }

    /// Height and width of the grid that goes out.
    pub(super) fn grid_out(self) -> usize {
        self.grid / self.pooling()
    }

    /// Tokens along an axis that become one.
    pub(super) fn pooling(self) -> usize {
        if self.pools { 2 } else { 1 }
    }

    /// What a block that changes the channels is added to: its *normalised* input, projected and pooled.
    fn project_shortcut(self, g: &mut Graph, y: Value) -> Value {
        let [batch, _, _] = g.dims(y);
        let y = linear(g, "proj", y, self.out);
        let map = g.reshape(y, &[batch, self.grid, self.grid, self.out]);
        let pooled = g.max_pool(map, 2, 2, [0; 4]);
        let count = self.grid_out() * self.grid_out();
        g.reshape(pooled, &[batch, count, self.out])
    }
}

/// The block's MLP on `y [batch, n, c]`, over as many tokens at a time as keep its hidden layer small enough.
fn perceptron(g: &mut Graph, y: Value, hidden: usize) -> Value {
    let [batch, count, _] = g.dims(y);
    let names = ["mlp.layers.0", "mlp.layers.1"];
    let parts = (batch * count * hidden).div_ceil(MOST_HIDDEN);
    if parts < 2 || count % parts != 0 {
        return mlp(g, names, y, hidden, Graph::gelu);
    }
    let each = count / parts;
    let part = |i: usize| {
        let y = g.slice(y, 1, i * each, each);
        mlp(g, names, y, hidden, Graph::gelu)
    };
    let parts: Vec<Value> = (0..parts).map(part).collect();
    g.concat(&parts, 1)
}
