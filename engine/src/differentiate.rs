//! Reverse-mode differentiation, graph to graph.
//!
//! Only nodes that both depend on a trainable value and reach the loss get gradients, so a frozen
//! weight costs no gradient product.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{Gradient, Graph, Lowering, Node, Type, Value};

/// Which forward values the backward pass recomputes instead of keeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remat {
    /// Keep what the gradients use, but recompute copies that are at least twice as large as what they are
    /// made of, such as the windows of a convolution's image.
    #[default]
    None,
    /// Recompute pointwise values; keep results of products, attention and reductions.
    Pointwise,
    /// Keep what crosses a numbered block (`….blocks.3`) and recompute everything inside; elsewhere as
    /// `Pointwise`.
    Blocks,
}

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
    let end = g.nodes().len();
    g.begin_backward();
    let mut reach = vec![false; end];
    wrt.iter().for_each(|v| reach[v.node] = true);
    for n in 0..end {
        reach[n] = reach[n] || g.nodes()[n].inputs.iter().any(|v| reach[v.node]);
    }
    let mut recompute = Recompute::new(g, remat);
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
    wrt.iter().map(|v| grads.get(v).copied()).collect()
}

/// Re-emits forward nodes for the backward pass, by policy. Clones are appended as the backward
/// pass asks for them, so they run late and live shortly.
struct Recompute {
    /// Nodes whose value is kept.
    kept: Vec<bool>,
    /// Copies that are at least twice as large as what they are made of, and views of them.
    enlarged: Vec<bool>,
    clones: HashMap<usize, usize>,
}

impl Recompute {
    fn new(g: &Graph, policy: Remat) -> Self {
        let nodes = g.nodes();
        let mut kept: Vec<bool> = Vec::with_capacity(nodes.len());
        let mut enlarged: Vec<bool> = Vec::with_capacity(nodes.len());
        for n in nodes {
            let Some(first) = n.inputs.first() else {
                kept.push(true);
                enlarged.push(false);
                continue;
            };
            let lowering = lower(g, n);
            let large = match lowering {
                Lowering::View(_) => enlarged[first.node],
                Lowering::Map(_) => is_enlarged(g, n),
                _ => false,
            };
            enlarged.push(large);
            kept.push(match lowering {
                _ if policy == Remat::Blocks && block(&n.scope).is_some() => false,
                Lowering::View(_) => kept[first.node],
                Lowering::Map(_) => policy == Remat::None && !large,
                _ => true,
            });
        }
        if policy == Remat::Blocks {
            // What leaves a block is kept: it is the next block's starting point.
            for n in nodes {
                for v in &n.inputs {
                    kept[v.node] |= block(&nodes[v.node].scope) != block(&n.scope);
                }
            }
        }
        Self {
            kept,
            enlarged,
            clones: HashMap::new(),
        }
    }

    fn value(&mut self, g: &mut Graph, v: Value) -> Value {
        if self.kept.get(v.node).copied().unwrap_or(true) {
            return v;
        }
        if let Some(&node) = self.clones.get(&v.node) {
            return Value {
                node,
                output: v.output,
            };
        }
        let (op, inputs) = (
            Arc::clone(&g.nodes()[v.node].op),
            g.nodes()[v.node].inputs.clone(),
        );
        let inputs: Vec<Value> = inputs.into_iter().map(|i| self.value(g, i)).collect();
        let node = g.push_arc(op, &inputs);
        // What is large and quickly made is made again for each gradient that wants it.
        if !self.enlarged[v.node] {
            self.clones.insert(v.node, node);
        }
        Value {
            node,
            output: v.output,
        }
    }
}

/// The scope prefix up to and including a block number, such as `image_encoder.blocks.3`.
fn block(scope: &str) -> Option<&str> {
    let at = scope.find("blocks.")? + "blocks.".len();
    let digits = scope[at..].find('.').unwrap_or(scope.len() - at);
    Some(&scope[..at + digits])
}

fn lower(g: &Graph, node: &Node) -> Lowering {
    let inputs: Vec<Type> = node.inputs.iter().map(|&v| g.ty(v).clone()).collect();
    node.op.lower(&inputs, &node.types)
}

/// Whether a node makes at least twice as many numbers as it reads.
fn is_enlarged(g: &Graph, node: &Node) -> bool {
    let made: usize = node.types.iter().map(Type::len).sum();
    let read: usize = node.inputs.iter().map(|&v| g.ty(v).len()).sum();
    made >= 2 * read
}
