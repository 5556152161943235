//! Fusion: lowered nodes are grouped into kernels, greedily and deterministically.
//!
//! In node order, each node's kernel is merged with every kernel it reads from element by element:
//! pointwise kernels with each other, with the product or reduction that feeds them, as its
//! epilogue, or with the row reduction they feed, as its prologue. Kernels are only merged where no
//! third one has to run between them.

mod bundle;
mod merge;

use std::collections::{HashMap, HashSet};

use samora_shaders::{Access, Leaf, Rows, RowsOutput};

pub(crate) use merge::merge;

use crate::Phase;
use crate::lower::{Body, Buffer, Lowered, LoweredNode};

/// Rows for each column from which one invocation a row keeps a device busy.
const ROWS_PER_COLUMN: usize = 256;
/// Storage buffers that a fused kernel binds at most: with more, fusion saves little.
pub(crate) const MAX_BINDINGS: usize = 12;
/// Storage buffers that every kernel can do with; WebGPU has adapters offer as many.
pub(crate) const LEAST_BINDINGS: usize = 8;
/// Storage buffers that several small kernels as one may bind on adapters that offer as many; Metal offers no more.
pub(crate) const BUNDLE_BINDINGS: usize = 31;

/// Nodes that become one kernel.
#[derive(Debug)]
pub(crate) struct Group {
    /// Lowered nodes, in order.
    pub(crate) nodes: Vec<usize>,
    /// The node that is not pointwise, when there is one.
    pub(crate) anchor: Option<usize>,
    /// Elements of the iteration space.
    pub(crate) len: usize,
    /// Nodes that must run earlier although this group reads nothing of them.
    after: Vec<usize>,
    /// Whether it holds nodes of the forward pass.
    forward: bool,
}

/// Lowered nodes in groups.
#[derive(Debug)]
pub(crate) struct Groups<'a> {
    lowered: &'a Lowered,
    bindings: usize,
    pub(crate) groups: Vec<Group>,
    /// The group of each node.
    pub(crate) of: Vec<usize>,
    /// Nodes that read each computed buffer; those past the last node for values read after the step.
    users: HashMap<Buffer, Vec<usize>>,
    /// Whether an order was imposed beside what groups read.
    ordered: bool,
}

/// Groups the nodes into kernels that bind at most `bindings` buffers; with `fuse` false every node is its own group.
pub(crate) fn group(lowered: &Lowered, fuse: bool, bindings: usize) -> Groups<'_> {
    let mut groups = Groups {
        lowered,
        bindings: bindings.min(MAX_BINDINGS),
        groups: Vec::with_capacity(lowered.nodes.len()),
        of: Vec::with_capacity(lowered.nodes.len()),
        users: users(lowered),
        ordered: false,
    };
    for (n, node) in lowered.nodes.iter().enumerate() {
        let mut g = groups.groups.len();
        groups.of.push(g);
        groups.groups.push(Group {
            nodes: vec![n],
            anchor: (!matches!(node.body, Body::Map(_))).then_some(n),
            len: len(node),
            after: Vec::new(),
            forward: node.phase == Phase::Forward,
        });
        if fuse {
            let mut producers: Vec<usize> = groups.deps(g).collect();
            producers.sort_unstable();
            producers.dedup();
            for producer in producers.into_iter().rev() {
                if groups.can_merge(producer, g) {
                    g = groups.merge(producer, g);
                }
            }
        }
    }
    groups.compact();
    groups
}

impl Groups<'_> {
    /// Whether group `from` depends on group `on`, directly or not.
    pub(crate) fn depends(&self, from: usize, on: usize) -> bool {
        let Some(&first) = self.groups[on].nodes.first() else {
            return false;
        };
        let mut seen = vec![false; self.groups.len()];
        let mut stack = vec![from];
        while let Some(g) = stack.pop() {
            if g == on {
                return true;
            }
            // Nodes read earlier ones only.
            let later = self.ordered || self.groups[g].nodes.last() > Some(&first);
            if later && !std::mem::replace(&mut seen[g], true) {
                stack.extend(self.deps(g));
            }
        }
        false
    }

    /// Runs the groups `earlier` before group `g`; none of them may depend on it.
    pub(crate) fn impose(&mut self, g: usize, earlier: impl Iterator<Item = usize>) {
        let nodes = earlier.filter_map(|e| self.groups[e].nodes.first().copied());
        let nodes: Vec<usize> = nodes.collect();
        self.groups[g].after.extend(nodes);
        self.ordered = true;
    }

    /// Groups that must run before group `g`, possibly several times each.
    pub(crate) fn deps(&self, g: usize) -> impl Iterator<Item = usize> {
        let group = &self.groups[g];
        let inputs = group
            .nodes
            .iter()
            .flat_map(|&n| &self.lowered.nodes[n].inputs);
        let nodes = inputs
            .filter_map(computed)
            .chain(group.after.iter().copied());
        nodes.map(|n| self.of[n]).filter(move |d| *d != g)
    }

    /// Whether a group and one that reads from it can be one kernel.
    fn can_merge(&self, producer: usize, reader: usize) -> bool {
        let (p, r) = (&self.groups[producer], &self.groups[reader]);
        let anchors = [p.anchor, r.anchor].map(|a| a.map(|n| &self.lowered.nodes[n].body));
        let fits = match anchors {
            [None | Some(Body::Gemm(_) | Body::Rows(_)), None] => true,
            // Where columns lie apart, one invocation takes a row: the few of a bias gradient are too few to
            // carry a long prologue, the many of a depthwise convolution are not.
            [None, Some(Body::Rows(Rows { rows, cols, .. }))] => {
                cols.simplified().strides == [1] || rows.len() >= ROWS_PER_COLUMN * cols.len()
            }
            _ => false,
        };
        fits && p.len == r.len
            // What only the backward pass uses would be computed early and kept until then.
            && p.forward == r.forward
            && self.bound([p, r], &HashMap::new()).len() <= self.bindings
            && self.links_are_elementwise(producer, reader)
            && self.links_are_elementwise(reader, producer)
            && self.are_adjacent(producer, reader)
            && !self.delays_others(producer, reader)
    }

    /// Whether the producer, as one kernel with the reader, would keep its other users waiting for what
    /// only this reader needs.
    fn delays_others(&self, producer: usize, reader: usize) -> bool {
        let waits = |user: &usize| {
            let group = self.of.get(*user);
            *user < self.lowered.nodes.len() && group != Some(&producer) && group != Some(&reader)
        };
        let mut nodes = self.groups[producer].nodes.iter();
        let shared = nodes.any(|&n| {
            let node = &self.lowered.nodes[n];
            outputs(n, node).any(|b| self.users.get(&b).is_some_and(|u| u.iter().any(waits)))
        });
        let needs = |d: usize| d != producer && !self.depends(producer, d);
        shared && self.deps(reader).any(needs)
    }

    /// Buffers that groups as one kernel read from outside or leave for others, where a value in `in_place` is
    /// written into that source.
    fn bound(&self, groups: [&Group; 2], in_place: &HashMap<Buffer, usize>) -> HashSet<Buffer> {
        let nodes = groups.iter().flat_map(|g| &g.nodes).copied();
        let nodes: HashSet<usize> = nodes.collect();
        let outside = |b: &Buffer| computed(b).is_none_or(|n| !nodes.contains(&n));
        let mut bound: HashSet<Buffer> = HashSet::new();
        for &n in &nodes {
            let node = &self.lowered.nodes[n];
            bound.extend(node.inputs.iter().filter(|b| outside(b)));
            let left = outputs(n, node).filter(|b| {
                let users = self.users.get(b).into_iter().flatten();
                users.into_iter().any(|user| !nodes.contains(user))
            });
            bound.extend(left.map(|b| in_place.get(&b).map_or(b, |&s| Buffer::Source(s))));
        }
        bound
    }

    /// Whether no third group runs between two groups.
    fn are_adjacent(&self, a: usize, b: usize) -> bool {
        let mut others: Vec<usize> = self.deps(a).chain(self.deps(b)).collect();
        others.sort_unstable();
        others.dedup();
        others
            .into_iter()
            .filter(|d| *d != a && *d != b)
            .all(|d| !self.depends(d, a) && !self.depends(d, b))
    }

    /// Whether everything group `to` reads from group `from` is read at the element it is computed at.
    fn links_are_elementwise(&self, from: usize, to: usize) -> bool {
        let group = &self.groups[to];
        group.nodes.iter().all(|&n| {
            let node = &self.lowered.nodes[n];
            let inside = |b: &usize| computed(&node.inputs[*b]).filter(|m| self.of[*m] == from);
            let operands_outside = match &node.body {
                Body::Gemm(g) => [g.a.buffer, g.b.buffer].iter().all(|b| inside(b).is_none()),
                Body::Attention(_) => (0..node.inputs.len()).all(|b| inside(&b).is_none()),
                Body::Map(_) | Body::Rows(_) => true,
            };
            operands_outside
                && leaves(&node.body).iter().all(|leaf| match &leaf.access {
                    Access::Coord { .. } => true,
                    Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } => {
                        inside(&leaf.buffer).is_none() && inside(ids).is_none()
                    }
                    _ => inside(&leaf.buffer).is_none_or(|m| {
                        let buffer = &node.inputs[leaf.buffer];
                        is_element_output(self.lowered, m, buffer) && elementwise(leaf, group.len)
                    }),
                })
        })
    }

    /// Moves the nodes of the later of two groups into the earlier one, and returns that.
    fn merge(&mut self, a: usize, b: usize) -> usize {
        let (to, from) = (a.min(b), a.max(b));
        let moved = &mut self.groups[from];
        let (nodes, anchor) = (std::mem::take(&mut moved.nodes), moved.anchor.take());
        let after = std::mem::take(&mut moved.after);
        nodes.iter().for_each(|&n| self.of[n] = to);
        let group = &mut self.groups[to];
        group.nodes.extend(nodes);
        group.after.extend(after);
        group.nodes.sort_unstable();
        group.anchor = group.anchor.or(anchor);
        to
    }

    /// Drops groups that were merged into others.
    fn compact(&mut self) {
        let mut numbers = vec![0; self.groups.len()];
        let mut kept = 0;
        for (g, group) in self.groups.iter().enumerate() {
            numbers[g] = kept;
            kept += usize::from(!group.nodes.is_empty());
        }
        self.groups.retain(|g| !g.nodes.is_empty());
        self.of.iter_mut().for_each(|g| *g = numbers[*g]);
    }
}

/// True when `leaf` reads element `i` for element `i`, over the whole iteration space.
pub(crate) fn elementwise(leaf: &Leaf, len: usize) -> bool {
    matches!(&leaf.access, Access::Strided(v) if v.is_identity() && v.len() == len)
}

/// The node that computes a buffer.
pub(crate) fn computed(buffer: &Buffer) -> Option<usize> {
    match buffer {
        Buffer::Computed { node, .. } => Some(*node),
        Buffer::Source(_) => None,
    }
}

/// Elements of a node's iteration space.
pub(crate) fn len(node: &LoweredNode) -> usize {
    match &node.body {
        Body::Rows(r) => r.rows.len() * r.cols.len(),
        _ => node.lens[0],
    }
}

fn leaves(body: &Body) -> &[Leaf] {
    match body {
        Body::Map(m) => &m.leaves,
        Body::Rows(r) => &r.leaves,
        Body::Gemm(g) => &g.leaves,
        Body::Attention(_) => &[],
    }
}

fn outputs(n: usize, node: &LoweredNode) -> impl Iterator<Item = Buffer> {
    (0..node.lens.len()).map(move |output| Buffer::Computed { node: n, output })
}

fn users(lowered: &Lowered) -> HashMap<Buffer, Vec<usize>> {
    let mut users: HashMap<Buffer, Vec<usize>> = HashMap::new();
    for (n, node) in lowered.nodes.iter().enumerate() {
        for b in &node.inputs {
            users.entry(*b).or_default().push(n);
        }
    }
    for b in lowered.values.values() {
        users.entry(*b).or_default().push(lowered.nodes.len());
    }
    users
}

fn is_element_output(lowered: &Lowered, node: usize, buffer: &Buffer) -> bool {
    let Buffer::Computed { output, .. } = buffer else {
        return false;
    };
    match &lowered.nodes[node].body {
        Body::Rows(r) => r
            .outputs
            .iter()
            .any(|o| matches!(o, RowsOutput::Element { buffer, .. } if buffer == output)),
        _ => true,
    }
}
