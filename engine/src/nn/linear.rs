//! Fully connected layers.

use crate::{Graph, Init, Value};

/// `x·Wᵀ + b` over the last axis, with `weight [out, in]` and `bias [out]`, both starting uniform in
/// ±1/√in as in PyTorch.
pub fn linear(g: &mut Graph, name: &str, x: Value, out: usize) -> Value {
    let init = Init::Uniform(1.0 / (last(g, x).max(1) as f32).sqrt());
    linear_with(g, name, x, out, init, Some(init))
}

/// [`linear`] with other initial values, or without bias.
pub fn linear_with(
    g: &mut Graph,
    name: &str,
    x: Value,
    out: usize,
    weight: Init,
    bias: Option<Init>,
) -> Value {
    let width = last(g, x);
    g.within(name, |g| {
        let w = g.param("weight", &[out, width], weight);
        let w = g.transpose(w);
        let y = g.matmul(x, w);
        match bias {
            Some(init) => {
                let b = g.param("bias", &[out], init);
                g.add(y, b)
            }
            None => y,
        }
    })
}

/// Outputs `first..first + count` of the layer [`linear`] of `out` in all.
pub fn linear_part(
    g: &mut Graph,
    name: &str,
    x: Value,
    out: usize,
    (first, count): (usize, usize),
) -> Value {
    let width = last(g, x);
    let init = Init::Uniform(1.0 / (width.max(1) as f32).sqrt());
    g.within(name, |g| {
        let w = g.param("weight", &[out, width], init);
        let w = g.slice(w, 0, first, count);
        let w = g.transpose(w);
        let y = g.matmul(x, w);
        let b = g.param("bias", &[out], init);
        let b = g.slice(b, 0, first, count);
        g.add(y, b)
    })
}

/// Two linear layers of the given names with an activation between; the width of `x` is kept.
pub fn mlp(
    g: &mut Graph,
    names: [&str; 2],
    x: Value,
    hidden: usize,
    activation: impl Fn(&mut Graph, Value) -> Value,
) -> Value {
    let width = last(g, x);
    let y = linear(g, names[0], x, hidden);
    let y = activation(g, y);
    linear(g, names[1], y, width)
}

fn last(g: &Graph, x: Value) -> usize {
    g.shape(x).last().copied().unwrap_or(1)
}
