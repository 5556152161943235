//! What attention's gradient needs besides its two backward kernels.

use samora_shaders::{Axis, Tokens, View};

use super::attention::Layout;
use crate::{Graph, Value};

impl Layout {
    /// Gradients of the two tables from that of the relative terms. The term of query row `y` and
    /// key row `k` came from table row `r = y − k + s − 1`, so `dR[r] = Σ drel[.., k]·q` over all
    /// queries, with `k = y + s − 1 − r` where that is a key row.
    pub(super) fn table_gradients(&self, g: &mut Graph, drel: Value, q: Value) -> (Value, Value) {
        let Tokens::Grid { height, width, .. } = self.tokens else {
            return (drel, drel);
        };
        let ((wh, ww), (down, across)) = (self.window(), self.windows());
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
    let product = g.mul(a, b);
    let split = g.reshape(product, &[batch, n, heads, c / heads]);
    let sums = g.sum(split, &[3]);
    g.permute(sums, &[0, 2, 1])
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
