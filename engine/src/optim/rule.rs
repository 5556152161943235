//! Update rules.

use serde::{Deserialize, Serialize};

use super::norm::sum_of_squares;
use crate::{Graph, Tensor, Value};

/// How a gradient g changes a parameter w at learning rate η.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Rule {
    /// PyTorch's AdamW: w ← w·(1 − η·λ); m and v are moving averages of g and g²;
    /// w ← w − η·m̂/(√v̂ + ε).
    AdamW {
        /// Decay of the average of g.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the average of g².
        #[serde(default = "beta2")]
        beta2: f64,
        /// ε, added to the root.
        #[serde(default = "adam_epsilon")]
        epsilon: f64,
        /// λ, decoupled weight decay.
        #[serde(default = "adam_decay")]
        weight_decay: f64,
        /// Whether scalars and vectors (biases, norms) decay too; MAE exempts them.
        #[serde(default = "yes")]
        decay_vectors: bool,
    },
    /// PyTorch's SGD with momentum μ: u ← μ·u + g + λ·w; w ← w − η·u.
    Sgd {
        /// μ
        #[serde(default = "momentum")]
        momentum: f64,
        /// λ, added to the gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// SimCLR's LARS: with g' = g + λ·w and trust = c·‖w‖/‖g'‖ (1 if either norm is 0),
    /// u ← μ·u + η·trust·g'; w ← w − u. Scalars and vectors get no λ and trust 1.
    Lars {
        /// μ
        #[serde(default = "momentum")]
        momentum: f64,
        /// λ
        #[serde(default = "lars_decay")]
        weight_decay: f64,
        /// c
        #[serde(default = "lars_trust")]
        trust: f64,
    },
}

impl Default for Rule {
    fn default() -> Self {
        Self::AdamW {
            beta1: beta1(),
            beta2: beta2(),
            epsilon: adam_epsilon(),
            weight_decay: adam_decay(),
            decay_vectors: true,
        }
    }
}

impl Rule {
    /// Says what is wrong with its numbers, if anything.
    pub(super) fn check(self) -> Result<(), &'static str> {
        let share = |x: f64| (0.0..1.0).contains(&x);
        let amount = |x: f64| x >= 0.0 && x.is_finite();
        let (shares, decay, positive) = match self {
            Self::AdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay,
                ..
            } => (share(beta1) && share(beta2), weight_decay, epsilon),
            Self::Sgd {
                momentum,
                weight_decay,
            } => (share(momentum), weight_decay, 1.0),
            Self::Lars {
                momentum,
                weight_decay,
                trust,
            } => (share(momentum), weight_decay, trust),
        };
        if !shares {
            return Err("betas and momentum lie in 0 to 1, 1 excluded");
        }
        if !amount(decay) {
            return Err("weight_decay must not be negative");
        }
        match amount(positive) && positive > 0.0 {
            true => Ok(()),
            false => Err("epsilon and trust must be positive numbers"),
        }
    }

    /// Appends the updates of all (parameter, gradient) pairs at the scalar learning rate `rate`, which are made
    /// unless `condition` is 0. Each is a chain of pointwise nodes, LARS's norms aside.
    pub(super) fn update(
        self,
        g: &mut Graph,
        pairs: &[(Value, Value)],
        rate: Value,
        condition: Option<Value>,
    ) {
        match self {
            Self::AdamW {
                beta1,
                beta2,
                epsilon,
                weight_decay,
                decay_vectors,
            } => {
                let correction1 = correction(g, "correction1", beta1, condition);
                let correction2 = correction(g, "correction2", beta2, condition);
                let size = g.div(rate, correction1);
                let unbias = g.sqrt(correction2);
                let shrink = g.scale(rate, -weight_decay as f32);
                let shrink = g.offset(shrink, 1.0);
                for &(param, gradient) in pairs {
                    let (m, v) = (slot(g, "m", param), slot(g, "v", param));
                    let m1 = average(g, m, gradient, beta1);
                    let squared = g.square(gradient);
                    let v1 = average(g, v, squared, beta2);
                    g.assign_if(condition, m, m1);
                    g.assign_if(condition, v, v1);
                    let root = g.sqrt(v1);
                    let root = g.div(root, unbias);
                    let root = g.offset(root, epsilon as f32);
                    let direction = g.div(m1, root);
                    let change = g.mul(direction, size);
                    let decays = weight_decay != 0.0 && (decay_vectors || !is_vector(g, param));
                    let kept = if decays { g.mul(param, shrink) } else { param };
                    let new = g.sub(kept, change);
                    g.assign_if(condition, param, new);
                }
            }
            Self::Sgd {
                momentum,
                weight_decay,
            } => {
                for &(param, gradient) in pairs {
                    let u = slot(g, "momentum", param);
                    let kept = g.scale(u, momentum as f32);
                    let decay = g.scale(param, weight_decay as f32);
                    let pull = g.add(gradient, decay);
                    let u1 = g.add(kept, pull);
                    g.assign_if(condition, u, u1);
                    let change = g.mul(u1, rate);
                    let new = g.sub(param, change);
                    g.assign_if(condition, param, new);
                }
            }
            Self::Lars {
                momentum,
                weight_decay,
                trust,
            } => {
                for &(param, gradient) in pairs {
                    let u = slot(g, "momentum", param);
                    let (mut pull, mut size) = (gradient, rate);
                    if !is_vector(g, param) {
                        let decay = g.scale(param, weight_decay as f32);
                        pull = g.add(gradient, decay);
                        let ratio = trust_ratio(g, param, pull, trust);
                        size = g.mul(rate, ratio);
                    }
                    let kept = g.scale(u, momentum as f32);
                    let push = g.mul(pull, size);
                    let u1 = g.add(kept, push);
                    g.assign_if(condition, u, u1);
                    let new = g.sub(param, u1);
                    g.assign_if(condition, param, new);
                }
            }
        }
    }
}

/// 1 − βᵗ at step t from 1, kept as a moving average of 1: no cancellation in f32.
fn correction(g: &mut Graph, name: &str, beta: f64, condition: Option<Value>) -> Value {
    let old = g.state(name, Tensor::full(&[], 0.0));
    let kept = g.scale(old, beta as f32);
    let new = g.offset(kept, (1.0 - beta) as f32);
    g.assign_if(condition, old, new);
    new
}

/// Optimiser state of the parameter's shape, named `<kind>.<parameter>`.
fn slot(g: &mut Graph, kind: &str, param: Value) -> Value {
    let name = g.sources().iter().find(|source| source.value == param);
    let name = match name {
        Some(source) => format!("{kind}.{}", source.name),
        None => format!("{kind}.node{}", param.node),
    };
    let start = Tensor::full(g.shape(param), 0.0);
    g.state(&name, start)
}

fn is_vector(g: &Graph, param: Value) -> bool {
    g.shape(param).len() < 2
}

/// β·old + (1 − β)·x
fn average(g: &mut Graph, old: Value, x: Value, beta: f64) -> Value {
    let kept = g.scale(old, beta as f32);
    let new = g.scale(x, (1.0 - beta) as f32);
    g.add(kept, new)
}

/// c·‖w‖/‖g‖, or 1 if either norm is 0.
fn trust_ratio(g: &mut Graph, w: Value, gradient: Value, c: f64) -> Value {
    let ww = sum_of_squares(g, w);
    let gg = sum_of_squares(g, gradient);
    let zero = g.scalar(0.0);
    let one = g.scalar(1.0);
    let both = g.mul(ww, gg);
    let usable = g.lt(zero, both);
    let safe = g.select(usable, gg, one);
    let ratio = g.div(ww, safe);
    let ratio = g.sqrt(ratio);
    let ratio = g.scale(ratio, c as f32);
    g.select(usable, ratio, one)
}

fn beta1() -> f64 {
    0.9
}

fn beta2() -> f64 {
    0.999
}

fn adam_epsilon() -> f64 {
    1e-8
}

fn adam_decay() -> f64 {
    0.01
}

fn momentum() -> f64 {
    0.9
}

fn lars_decay() -> f64 {
    1e-4
}

fn lars_trust() -> f64 {
    0.001
}

fn yes() -> bool {
    true
}
