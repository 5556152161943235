//! Rematerialisation: which forward values the backward pass makes again instead of keeping.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use samora_shaders::RowsOutput;
use serde::{Deserialize, Serialize};

use crate::{Graph, Lowering, Node, Type, Value};

/// Which forward values the backward pass recomputes instead of keeping.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Remat {
    /// Keep what the gradients use, but recompute copies that are at least twice as large as what they are
    /// made of, such as the windows of a convolution's image.
    #[default]
    None,
    /// Also recompute pointwise values and normalised rows that are made from what the gradients use anyway,
    /// such as the results of LayerNorm and GELU; keep results of products, attention and reductions.
    Pointwise,
    /// Keep what crosses a numbered block (`….blocks.3`) and recompute everything inside; elsewhere as
    /// `Pointwise`.
    Blocks,
}

/// Most kept values that one is made from again: in a chain of residual additions every fourth sum is kept.
const ORIGINS: usize = 4;
/// An input that many times smaller than what is made from it does not count among those.
const SMALLER: usize = 16;

/// Re-emits forward nodes for the backward pass, by policy. Clones are appended as the backward
/// pass asks for them, so they run late and live shortly.
pub(crate) struct Recompute {
    /// Nodes whose value is kept.
    kept: Vec<bool>,
    /// Copies that are at least twice as large as what they are made of, and views of them.
    enlarged: Vec<bool>,
    clones: HashMap<usize, usize>,
}

impl Recompute {
    /// By `policy`, where the gradients use the values of the nodes `used`.
    pub(crate) fn new(g: &Graph, policy: Remat, used: &[bool]) -> Self {
        let nodes = g.nodes();
        let in_block = |n: &Node| policy == Remat::Blocks && block(&n.scope).is_some();
        let mut crosses = vec![false; nodes.len()];
        for n in nodes.iter().filter(|_| policy == Remat::Blocks) {
            for v in &n.inputs {
                crosses[v.node] |= block(&nodes[v.node].scope) != block(&n.scope);
            }
        }
        let mut kept: Vec<bool> = Vec::with_capacity(nodes.len());
        let mut enlarged: Vec<bool> = Vec::with_capacity(nodes.len());
        // The kept values that each value is, or is quickly made from.
        let mut origins: Vec<Option<BTreeSet<usize>>> = Vec::with_capacity(nodes.len());
        for (i, n) in nodes.iter().enumerate() {
            let Some(first) = n.inputs.first() else {
                kept.push(true);
                enlarged.push(false);
                origins.push(Some(BTreeSet::new()));
                continue;
            };
            let lowering = lower(g, n);
            let view = matches!(lowering, Lowering::View(_));
            let large = match lowering {
                Lowering::Map(_) => is_enlarged(g, n),
                _ => view && enlarged[first.node],
            };
            let quick = policy != Remat::None && !crosses[i] && is_quick(&lowering);
            let from = quick.then(|| made_from(g, n, &origins)).flatten();
            kept.push(match view {
                _ if in_block(n) => crosses[i],
                true => crosses[i] || kept[first.node],
                false => crosses[i] || !large && from.is_none(),
            });
            origins.push(match view {
                true => origins[first.node].clone(),
                false => from.or_else(|| {
                    let stays = crosses[i] || used[i] && !large;
                    stays.then(|| BTreeSet::from([i]))
                }),
            });
            enlarged.push(large);
        }
        Self {
            kept,
            enlarged,
            clones: HashMap::new(),
        }
    }

    /// What the backward pass uses in place of a forward value.
    pub(crate) fn value(&mut self, g: &mut Graph, v: Value) -> Value {
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

/// Whether a node has the elements of its first input, without a kernel.
pub(crate) fn is_view(g: &Graph, node: &Node) -> bool {
    matches!(lower(g, node), Lowering::View(_))
}

fn lower(g: &Graph, node: &Node) -> Lowering {
    let inputs: Vec<Type> = node.inputs.iter().map(|&v| g.ty(v).clone()).collect();
    node.op.lower(&inputs, &node.types)
}

/// The kept values that a node is made from, if that is all and they are few.
fn made_from(
    g: &Graph,
    node: &Node,
    origins: &[Option<BTreeSet<usize>>],
) -> Option<BTreeSet<usize>> {
    let mut from = BTreeSet::new();
    let size = node.types[0].len();
    for input in node
        .inputs
        .iter()
        .filter(|v| SMALLER * g.ty(**v).len() > size)
    {
        from.extend(origins[input.node].as_ref()?);
    }
    (from.len() <= ORIGINS).then_some(from)
}

/// Whether a node is computed about as fast as its inputs are read.
fn is_quick(lowering: &Lowering) -> bool {
    match lowering {
        Lowering::Map(_) => true,
        Lowering::Rows(rows) => {
            let mut outputs = rows.outputs.iter();
            outputs.all(|o| matches!(o, RowsOutput::Element { .. }))
        }
        _ => false,
    }
}

/// Whether a node makes at least twice as many numbers as it reads.
fn is_enlarged(g: &Graph, node: &Node) -> bool {
    let made: usize = node.types.iter().map(Type::len).sum();
    let read: usize = node.inputs.iter().map(|&v| g.ty(v).len()).sum();
    made >= 2 * read
}
