//! The arithmetic of a group as one expression.

use std::collections::{HashMap, HashSet};

use samora_shaders::{Access, Expr, Gemm, Id, Leaf, Map, Output, RowsOutput, Scalar, Stage};

use super::Group;
use crate::lower::{Body, Buffer, Lowered, LoweredNode};

/// All expressions of a group as one, reading buffers only from outside.
#[derive(Debug, Default)]
pub(crate) struct Merged {
    pub(crate) expr: Expr,
    /// Leaves, their buffers numbered into `reads`.
    pub(crate) leaves: Vec<Leaf>,
    /// Buffers read by leaves.
    pub(crate) reads: Vec<Buffer>,
    /// Reductions of the anchor.
    pub(crate) stages: Vec<Stage>,
    /// Values stored at every element.
    pub(crate) elements: Vec<(Buffer, Id)>,
    /// Values stored once per row of the anchor.
    pub(crate) rows: Vec<(Buffer, Id)>,
}

/// Merges the expressions of a group, keeping only what the `stored` buffers need. Attention has
/// no expression.
pub(crate) fn merge(lowered: &Lowered, group: &Group, stored: &HashSet<Buffer>) -> Merged {
    let mut merged = Merged::default();
    for &n in &group.nodes {
        merged.append(n, &lowered.nodes[n]);
    }
    merged.elements.retain(|(b, _)| stored.contains(b));
    merged.rows.retain(|(b, _)| stored.contains(b));
    merged.prune();
    merged
}

impl Merged {
    fn append(&mut self, n: usize, node: &LoweredNode) {
        let (expr, leaves) = match &node.body {
            Body::Map(m) => (&m.expr, &m.leaves),
            Body::Gemm(g) => (&g.expr, &g.leaves),
            Body::Rows(r) => (&r.expr, &r.leaves),
            Body::Attention(_) => return,
        };
        let leaf_ids: Vec<Id> = leaves.iter().map(|leaf| self.leaf(leaf, node)).collect();
        let mut ids: Vec<Id> = Vec::with_capacity(expr.nodes.len());
        for &scalar in &expr.nodes {
            let id = match scalar {
                Scalar::Leaf(k) => leaf_ids[k],
                other => self.expr.push(renumbered(other, &ids)),
            };
            ids.push(id);
        }
        let computed = |output| Buffer::Computed { node: n, output };
        match &node.body {
            Body::Map(Map { outputs, .. }) | Body::Gemm(Gemm { outputs, .. }) => {
                let place = |o: &Output| (computed(o.buffer), ids[o.value]);
                self.elements.extend(outputs.iter().map(place));
            }
            Body::Rows(r) => {
                self.stages.extend(r.stages.iter().map(|s| Stage {
                    reduce: s.reduce,
                    value: ids[s.value],
                }));
                for output in &r.outputs {
                    match *output {
                        RowsOutput::Element { buffer, value } => {
                            self.elements.push((computed(buffer), ids[value]));
                        }
                        RowsOutput::Row { buffer, value } => {
                            self.rows.push((computed(buffer), ids[value]));
                        }
                    }
                }
            }
            Body::Attention(_) => {}
        }
    }

    /// The expression node of a leaf: an earlier value of the group, or a read.
    fn leaf(&mut self, leaf: &Leaf, node: &LoweredNode) -> Id {
        if !matches!(leaf.access, Access::Coord { .. }) {
            let buffer = node.inputs[leaf.buffer];
            if let Some((_, id)) = self.elements.iter().find(|(b, _)| *b == buffer) {
                return *id;
            }
        }
        let leaf = self.rebound(leaf.clone(), &node.inputs);
        let k = position_or_push(&mut self.leaves, leaf);
        self.expr.push(Scalar::Leaf(k))
    }

    /// Drops expression nodes, leaves and reads that no output or stage needs.
    fn prune(&mut self) {
        let outputs = self.elements.iter().chain(&self.rows).map(|o| o.1);
        let roots = outputs.chain(self.stages.iter().map(|s| s.value));
        let used = self.expr.needed(roots);
        let (nodes, leaves, reads) = (
            std::mem::take(&mut self.expr.nodes),
            std::mem::take(&mut self.leaves),
            std::mem::take(&mut self.reads),
        );
        let mut ids = vec![0; nodes.len()];
        let mut leaf_ids: HashMap<usize, usize> = HashMap::new();
        for (id, scalar) in nodes.into_iter().enumerate().filter(|(id, _)| used[*id]) {
            let scalar = match scalar {
                Scalar::Leaf(k) => Scalar::Leaf(*leaf_ids.entry(k).or_insert_with(|| {
                    let leaf = self.rebound(leaves[k].clone(), &reads);
                    self.leaves.push(leaf);
                    self.leaves.len() - 1
                })),
                other => renumbered(other, &ids),
            };
            self.expr.nodes.push(scalar);
            ids[id] = self.expr.nodes.len() - 1;
        }
        for (_, id) in self.elements.iter_mut().chain(&mut self.rows) {
            *id = ids[*id];
        }
        for stage in &mut self.stages {
            stage.value = ids[stage.value];
        }
    }

    /// A leaf whose buffers are numbered into `from`, numbered into the reads instead.
    fn rebound(&mut self, mut leaf: Leaf, from: &[Buffer]) -> Leaf {
        if let Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } = &mut leaf.access {
            *ids = position_or_push(&mut self.reads, from[*ids]);
        }
        if !matches!(leaf.access, Access::Coord { .. }) {
            leaf.buffer = position_or_push(&mut self.reads, from[leaf.buffer]);
        }
        leaf
    }
}

fn renumbered(scalar: Scalar, ids: &[Id]) -> Scalar {
    match scalar {
        Scalar::Unary(op, a) => Scalar::Unary(op, ids[a]),
        Scalar::Binary(op, a, b) => Scalar::Binary(op, ids[a], ids[b]),
        Scalar::Select(c, a, b) => Scalar::Select(ids[c], ids[a], ids[b]),
        Scalar::Leaf(_)
        | Scalar::Acc
        | Scalar::Reduced(_)
        | Scalar::ReducedAt(_)
        | Scalar::Const(_) => scalar,
    }
}

fn position_or_push<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    match items.iter().position(|i| *i == item) {
        Some(at) => at,
        None => {
            items.push(item);
            items.len() - 1
        }
    }
}
