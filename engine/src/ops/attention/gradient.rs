//! What attention's gradient needs besides its two backward kernels.

use samora_shaders::{Axis, Tokens, View};

use super::layout::Layout;
use crate::{Graph, Tensor, Value};

impl Layout {
    /// Gradients of the two tables from that of the relative terms. The term of query row `y` and
    /// key row `k` came from table row `r = y − k + s − 1`, so `dR[r] = Σ drel[.., k]·q` over all
    /// queries, with `k = y + s − 1 − r` where that is a key row.
    pub(super) fn table_gradients(&self, g: &mut Graph, drel: Value, q: Value) -> (Value, Value) {
        let Tokens::Grid { height, width, .. } = self.tokens else {
            return (drel, drel);
        };
        let ((wh, ww), (down, across)) = (self.tokens.window(), self.tokens.windows());
        let [b, heads, _, terms] = g.dims::<4>(drel);
        let [qb, _, c] = g.dims::<3>(q);
        let (ph, pw) = (down * wh, across * ww);
        let strides = View::contiguous(&[b * heads, height, width, terms]).strides;
        let axis = |coef: [i64; 6], shift: usize, size: usize, stride: usize| Axis {
            coef: coef.to_vec(),
            shift: shift as i64,
            div: 1,
            size,
            stride,
        };
        // Coordinates: sequence, window row, row in it, window column, column in it, table row.
        let pixel = [
            axis([1, 0, 0, 0, 0, 0], 0, b * heads, strides[0]),
            axis([0, wh as i64, 1, 0, 0, 0], 0, height, strides[1]),
            axis([0, 0, 0, ww as i64, 1, 0], 0, width, strides[2]),
        ];
        let row = axis([0, 0, 1, 0, 0, -1], wh - 1, wh, 1);
        let column = axis([0, 0, 0, 0, 1, -1], ww - 1, ww, 1);
        let second_half = axis([0; 6], wh, wh + 1, 1);

        let image = g.reshape(q, &[qb, height, width, c]);
        let image = g.pad(image, 1, 0, ph - height);
        let image = g.pad(image, 2, 0, pw - width);
        let split = g.reshape(image, &[qb, ph * pw, heads, c / heads]);
        let queries = g.permute(split, &[0, 2, 1, 3]);
        let queries = g.broadcast_batches(queries, b);
        let mut product = |axes: Vec<Axis>, s: usize| {
            let shape = [b * heads, down, wh, across, ww, 2 * s - 1];
            let spread = g.affine(drel, &shape, axes);
            let spread = g.reshape(spread, &[b, heads, ph * pw, 2 * s - 1]);
            let spread = g.transpose(spread);
            let each = g.matmul(spread, queries);
            g.sum(each, &[0, 1])
        };
        let dh = product([&pixel[..], &[row]].concat(), wh);
        let dw = product([&pixel[..], &[column, second_half]].concat(), ww);
        (dh, dw)
    }
}

impl Layout {
    /// Gradient of the distance bias, from the inputs of a backward pass. The matrix of all pairs is
    /// formed, as nothing else needs what it holds: `dbias[d] = Σ dS` over the pairs at distance `d`.
    pub(super) fn bias_gradient(&self, g: &mut Graph, inputs: &[Value]) -> Value {
        let ((wh, ww), (down, across), heads) =
            (self.tokens.window(), self.tokens.windows(), self.heads);
        let (area, saved) = (wh * ww, self.saved());
        let [b, _, c] = g.dims::<3>(inputs[saved]);
        let count = b * down * across;
        // `[b, tokens, heads·width]` to `[windows, heads, slots, width]`.
        let split = |g: &mut Graph, x: Value| {
            let x = g.broadcast_batches(x, b);
            let x = g.reshape(x, &[b, down, wh, across, ww, heads, c / heads]);
            let x = g.permute(x, &[0, 1, 3, 5, 2, 4, 6]);
            g.reshape(x, &[count, heads, area, c / heads])
        };
        let row = |g: &mut Graph, x: Value| {
            let x = g.reshape(x, &[b, heads, down, wh, across, ww]);
            let x = g.permute(x, &[0, 2, 4, 1, 3, 5]);
            g.reshape(x, &[count, heads, area, 1])
        };
        let [q, k, v, dout] = [0, 1, 2, saved].map(|i| split(g, inputs[i]));
        let [lse, delta] = [1, 2].map(|i| row(g, inputs[saved + i]));
        let (k, v) = (g.transpose(k), g.transpose(v));
        let ids = self.distances(g);
        let bias = g.gather(inputs[self.bias_input()], 1, ids);
        let bias = g.reshape(bias, &[heads, area, area]);
        let scores = g.matmul(q, k);
        let scores = g.scale(scores, self.scale);
        let scores = g.add(scores, bias);
        let shifted = g.sub(scores, lse);
        let weights = g.exp(shifted);
        let dp = g.matmul(dout, v);
        let dp = g.sub(dp, delta);
        let ds = g.mul(weights, dp);
        let total = g.sum(ds, &[0]);
        let total = g.reshape(total, &[heads, area * area]);
        g.scatter_add(total, area, ids)
    }

    /// Distance of every pair of slots as an index into the bias, `[heads, slots²]`.
    fn distances(&self, g: &mut Graph) -> Value {
        let (wh, ww) = self.tokens.window();
        let (area, heads) = (wh * ww, self.heads);
        let of = |pair: usize| {
            let (n, m) = (pair / area, pair % area);
            let (dy, dx) = ((n / ww).abs_diff(m / ww), (n % ww).abs_diff(m % ww));
            (dy * ww + dx) as u32
        };
        let ids = (0..heads * area * area).map(|i| of(i % (area * area)));
        let ids = Tensor::u32(&[heads, area * area], ids.collect());
        g.constant(&format!("distances {wh}×{ww}×{heads}"), ids)
    }
}

impl Graph {
    /// `x [b, …]` repeated to batch `batch`: entry `i` of the result is entry `i % b`.
    fn broadcast_batches(&mut self, x: Value, batch: usize) -> Value {
        let shape = self.shape(x).to_vec();
        if shape[0] == batch {
            return x;
        }
        let wide = [&[batch / shape[0]], &shape[..]].concat();
        let x = self.broadcast(x, &wide);
        self.reshape(x, &[&[batch], &shape[1..]].concat())
    }
}

/// `Σ a·b` per batch, head and token, `[b, heads, n]`, of `a`, `b [b, n, c]`.
pub(super) fn row_products(g: &mut Graph, a: Value, b: Value, heads: usize) -> Value {
    let [batch, n, c] = g.dims::<3>(a);
    // In the order of the sums, so that these need no copy.
    let [a, b] = [a, b].map(|x| {
        let split = g.reshape(x, &[batch, n, heads, c / heads]);
        g.permute(split, &[0, 2, 1, 3])
    });
    let product = g.mul(a, b);
    g.sum(product, &[3])
}

/// The gradient of an operand that was read at `b % batch`.
pub(super) fn sum_batches(g: &mut Graph, full: Value, operand: Value) -> Value {
    let shape = g.shape(operand).to_vec();
    let batch = g.shape(full)[0];
    if batch == shape[0] {
        return full;
    }
    let split = g.reshape(full, &[&[batch / shape[0]], &shape[..]].concat());
    g.sum(split, &[0])
}
