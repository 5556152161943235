//! Normalisation layers.

use crate::{Graph, Init, Value};

/// LayerNorm over the last axis, with `weight` and `bias`. In channels-last layout this is also
/// SAM's LayerNorm2d.
pub fn layer_norm(g: &mut Graph, name: &str, x: Value, eps: f32) -> Value {
    let width = g.shape(x).last().copied().unwrap_or(1);
    g.within(name, |g| {
        let weight = g.param("weight", &[width], Init::Ones);
        let bias = g.param("bias", &[width], Init::Zeros);
        g.layer_norm(x, weight, bias, eps)
    })
}

/// Where [`batch_norm`] takes mean and variance from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// From the batch; the running ones are updated (training).
    Batch,
    /// The running ones (inference).
    Running,
}

/// BatchNorm over all axes but the last, eps 10⁻⁵, with `weight`, `bias`, and the parameters
/// `running_mean` and `running_var`, which follow the batch with momentum 0.1 (variance unbiased) as in
/// PyTorch. Running statistics have no gradient in training.
pub fn batch_norm(g: &mut Graph, name: &str, x: Value, statistics: Statistics) -> Value {
    batch_norm_with(g, name, x, statistics, Init::Ones, true)
}

/// [`batch_norm`] with another initial `weight`, or without `bias`.
pub fn batch_norm_with(
    g: &mut Graph,
    name: &str,
    x: Value,
    statistics: Statistics,
    weight: Init,
    has_bias: bool,
) -> Value {
    const EPS: f32 = 1e-5;
    const MOMENTUM: f32 = 0.1;
    let shape = g.shape(x).to_vec();
    let width = shape.last().copied().unwrap_or(1);
    g.within(name, |g| {
        let weight = g.param("weight", &[width], weight);
        let bias = match has_bias {
            true => g.param("bias", &[width], Init::Zeros),
            false => g.fill(&[width], 0.0),
        };
        let mean = g.param("running_mean", &[width], Init::Zeros);
        let var = g.param("running_var", &[width], Init::Ones);
        if statistics == Statistics::Running {
            return g.batch_norm_inference(x, weight, bias, mean, var, EPS);
        }
        let (y, batch_mean, batch_var) = g.batch_norm(x, weight, bias, EPS);
        let n = shape.iter().product::<usize>() / width.max(1);
        let unbiased = g.scale(batch_var, n as f32 / n.saturating_sub(1).max(1) as f32);
        for (running, batch) in [(mean, batch_mean), (var, unbiased)] {
            let kept = g.scale(running, 1.0 - MOMENTUM);
            let new = g.scale(batch, MOMENTUM);
            let next = g.add(kept, new);
            g.assign(running, next);
        }
        y
    })
}
