//! Reverse-mode differentiation, graph to graph.
//!
//! Only nodes that both depend on a trainable value and reach the loss get gradients, so a frozen
//! weight costs no gradient product.

use std::collections::HashMap;
use std::sync::Arc;

use crate::remat::{Recompute, is_view};
use crate::{Gradient, Graph, Phase, Remat, Value};

/// Appends the gradient of the scalar `loss` with respect to each of `wrt`; `None` where the loss
/// does not depend on it.
pub fn differentiate(
    g: &mut Graph,
    loss: Value,
    wrt: &[Value],
    remat: Remat,
) -> Vec<Option<Value>> {
    if !g.shape(loss).is_empty() {
        let message = format!("the loss must be a scalar, not {:?}", g.shape(loss));
        g.fail("differentiate", message);
        return vec![None; wrt.len()];
    }
    let used = match remat {
        Remat::None => vec![true; g.nodes().len()],
        Remat::Pointwise | Remat::Blocks => used(g.clone(), loss, wrt),
    };
    let recompute = Recompute::new(g, remat, &used);
    gradients(g, loss, wrt, recompute)
}

/// Which nodes' values the backward pass uses if none is recomputed.
fn used(mut g: Graph, loss: Value, wrt: &[Value]) -> Vec<bool> {
    let end = g.nodes().len();
    let all = Recompute::new(&g, Remat::None, &vec![true; end]);
    let gradients = gradients(&mut g, loss, wrt, all);
    let mut used = vec![false; g.nodes().len()];
    gradients.iter().flatten().for_each(|v| used[v.node] = true);
    for (n, node) in g.nodes().iter().enumerate().rev() {
        if used[n] && (n >= end || is_view(&g, node)) {
            node.inputs.iter().for_each(|v| used[v.node] = true);
        }
    }
    used.truncate(end);
    used
}

/// Walks the nodes back from the loss.
fn gradients(
    g: &mut Graph,
    loss: Value,
    wrt: &[Value],
    mut recompute: Recompute,
) -> Vec<Option<Value>> {
    let end = g.nodes().len();
    let phase = g.replace_phase(Phase::Backward);
    let mut reach = vec![false; end];
    wrt.iter().for_each(|v| reach[v.node] = true);
    for n in 0..end {
        reach[n] = reach[n] || g.nodes()[n].inputs.iter().any(|v| reach[v.node]);
    }
    let mut grads: HashMap<Value, Value> = HashMap::new();
    let one = g.scalar(1.0);
    grads.insert(loss, one);
    for n in (0..end).rev() {
        let outputs: Vec<Value> = (0..g.nodes()[n].types.len())
            .map(|output| Value { node: n, output })
            .collect();
        let douts: Vec<Option<Value>> = outputs.iter().map(|v| grads.get(v).copied()).collect();
        let inputs = g.nodes()[n].inputs.clone();
        if !reach[n] || douts.iter().all(Option::is_none) || inputs.is_empty() {
            continue;
        }
        let scope: Vec<String> = match &*g.nodes()[n].scope {
            "" => vec!["backward".into()],
            path => vec![path.into(), "backward".into()],
        };
        let outer = g.replace_scope(scope);
        let op = Arc::clone(&g.nodes()[n].op);
        let ctx = Gradient {
            needs: inputs.iter().map(|v| reach[v.node]).collect(),
            inputs: inputs.iter().map(|&v| recompute.value(g, v)).collect(),
            outputs: outputs.iter().map(|&v| recompute.value(g, v)).collect(),
            douts,
        };
        let dinputs = op.grad(g, &ctx);
        for ((input, dinput), needed) in inputs.iter().zip(dinputs).zip(&ctx.needs) {
            let Some(dinput) = dinput.filter(|_| *needed) else {
                continue;
            };
            let total = match grads.get(input) {
                Some(&sum) => g.add(sum, dinput),
                None => dinput,
            };
            grads.insert(*input, total);
        }
        g.replace_scope(outer);
    }
    g.replace_phase(phase);
    wrt.iter().map(|v| grads.get(v).copied()).collect()
}
