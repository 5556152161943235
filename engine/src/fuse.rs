//! Fusion: lowered nodes are grouped into kernels, greedily and deterministically.
//!
//! In node order, a pointwise node joins the latest kernel that already computes one of its operands
//! element by element, as its epilogue; a row reduction absorbs the pointwise kernel that feeds it,
//! as its prologue. A node only joins where no other operand depends on that kernel.

use samora_shaders::{Access, Expr, Id, Leaf, RowsOutput, Scalar};

use crate::lower::{Body, Buffer, Lowered, LoweredNode};

/// Storage buffers one kernel may bind; every Vulkan, Metal and DX12 driver in use offers this many.
pub(crate) const MAX_BINDINGS: usize = 12;

/// Nodes that become one kernel.
#[derive(Debug)]
pub(crate) struct Group {
    /// Lowered nodes, in order.
    pub(crate) nodes: Vec<usize>,
    /// The node that is not pointwise, when there is one.
    pub(crate) anchor: Option<usize>,
    /// Elements of the iteration space.
    len: usize,
    /// Groups this one reads from.
    pub(crate) deps: Vec<usize>,
    /// Distinct buffers read or possibly written.
    buffers: Vec<Buffer>,
}

/// Groups the nodes; with `fuse` false every node is its own group. Returns the groups and the
/// group of each node.
pub(crate) fn group(lowered: &Lowered, fuse: bool) -> (Vec<Group>, Vec<usize>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut of = vec![usize::MAX; lowered.nodes.len()];
    for (n, node) in lowered.nodes.iter().enumerate() {
        let mut deps: Vec<usize> = node
            .inputs
            .iter()
            .filter_map(|b| Some(of[computed(b)?]))
            .collect();
        deps.sort_unstable();
        deps.dedup();
        let joined = if fuse {
            candidate(lowered, &groups, &of, n, &deps)
        } else {
            None
        };
        let g = joined.unwrap_or_else(|| {
            groups.push(Group {
                nodes: Vec::new(),
                anchor: None,
                len: len(node),
                deps: Vec::new(),
                buffers: Vec::new(),
            });
            groups.len() - 1
        });
        let group = &mut groups[g];
        group.nodes.push(n);
        if !matches!(node.body, Body::Map(_)) {
            group.anchor = Some(n);
        }
        group.deps.extend(deps.into_iter().filter(|d| *d != g));
        group.deps.sort_unstable();
        group.deps.dedup();
        for buffer in buffers(n, node) {
            if !group.buffers.contains(&buffer) {
                group.buffers.push(buffer);
            }
        }
        of[n] = g;
    }
    (groups, of)
}

/// The latest group that node `n` can join.
fn candidate(
    lowered: &Lowered,
    groups: &[Group],
    of: &[usize],
    n: usize,
    deps: &[usize],
) -> Option<usize> {
    let node = &lowered.nodes[n];
    let prologue = match &node.body {
        Body::Map(_) => false,
        // A column reduction runs one invocation per column: too few to carry a long prologue.
        Body::Rows(r) => {
            let cols = r.cols.simplified();
            if cols.strides.len() != 1 || cols.strides[0] != 1 {
                return None;
            }
            true
        }
        Body::Gemm(_) | Body::Attention(_) => return None,
    };
    deps.iter().copied().rev().find(|&g| {
        let group = &groups[g];
        let anchored = group.anchor.map(|a| &lowered.nodes[a].body);
        let takes = match anchored {
            None => true,
            Some(Body::Gemm(_) | Body::Rows(_)) => !prologue,
            Some(_) => false,
        };
        let merged = group.buffers.len()
            + buffers(n, node)
                .filter(|b| !group.buffers.contains(b))
                .count();
        takes
            && group.len == len(node)
            && merged <= MAX_BINDINGS
            && links_are_elementwise(lowered, of, n, g)
            && !deps.iter().any(|&d| d != g && depends(groups, d, g))
    })
}

/// Whether everything `n` reads from group `g` is read at the element it is computed at.
fn links_are_elementwise(lowered: &Lowered, of: &[usize], n: usize, g: usize) -> bool {
    let node = &lowered.nodes[n];
    leaves(&node.body).iter().all(|leaf| {
        let inside = |buffer: usize| computed(&node.inputs[buffer]).filter(|m| of[*m] == g);
        match &leaf.access {
            Access::Coord { .. } => true,
            Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } => {
                inside(leaf.buffer).is_none() && inside(*ids).is_none()
            }
            _ => match inside(leaf.buffer) {
                None => true,
                Some(m) => {
                    is_element_output(lowered, m, &node.inputs[leaf.buffer])
                        && elementwise(leaf, len(node))
                }
            },
        }
    })
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

/// True when `leaf` reads element `i` for element `i`, over the whole iteration space.
pub(crate) fn elementwise(leaf: &Leaf, len: usize) -> bool {
    matches!(&leaf.access, Access::Strided(v) if v.is_identity() && v.len() == len)
}

/// Whether group `from` depends on group `on`, directly or not.
pub(crate) fn depends(groups: &[Group], from: usize, on: usize) -> bool {
    let mut seen = vec![false; groups.len()];
    let mut stack = vec![from];
    while let Some(g) = stack.pop() {
        if g == on {
            return true;
        }
        if !std::mem::replace(&mut seen[g], true) {
            stack.extend(&groups[g].deps);
        }
    }
    false
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

fn buffers(n: usize, node: &LoweredNode) -> impl Iterator<Item = Buffer> {
    let outputs = (0..node.lens.len()).map(move |output| Buffer::Computed { node: n, output });
    node.inputs.iter().copied().chain(outputs)
}

/// A group's arithmetic: all its nodes' expressions as one, reading buffers only from outside.
#[derive(Debug, Default)]
pub(crate) struct Fused {
    pub(crate) expr: Expr,
    /// Leaves, numbered into `reads`.
    pub(crate) leaves: Vec<Leaf>,
    /// Buffers read by leaves.
    pub(crate) reads: Vec<Buffer>,
    /// The expression node of each element value the group computes.
    pub(crate) values: Vec<(Buffer, Id)>,
    /// The anchor's expression nodes by their old ids.
    pub(crate) anchor: Vec<Id>,
}

/// Merges the expressions of a group.
pub(crate) fn merge(lowered: &Lowered, group: &Group) -> Fused {
    let mut fused = Fused::default();
    for &n in &group.nodes {
        let node = &lowered.nodes[n];
        let (expr, leaves, outputs): (&Expr, &[Leaf], Vec<(usize, Id)>) = match &node.body {
            Body::Map(m) => (
                &m.expr,
                &m.leaves,
                m.outputs.iter().map(|o| (o.buffer, o.value)).collect(),
            ),
            Body::Gemm(g) => (
                &g.expr,
                &g.leaves,
                g.outputs.iter().map(|o| (o.buffer, o.value)).collect(),
            ),
            Body::Rows(r) => {
                let element = |o: &RowsOutput| match *o {
                    RowsOutput::Element { buffer, value } => Some((buffer, value)),
                    RowsOutput::Row { .. } => None,
                };
                (
                    &r.expr,
                    &r.leaves,
                    r.outputs.iter().filter_map(element).collect(),
                )
            }
            Body::Attention(_) => continue,
        };
        let leaf_ids: Vec<Id> = leaves.iter().map(|leaf| fused.leaf(leaf, node)).collect();
        let mut ids: Vec<Id> = Vec::with_capacity(expr.nodes.len());
        for scalar in &expr.nodes {
            let id = match *scalar {
                Scalar::Leaf(k) => leaf_ids[k],
                Scalar::Unary(op, a) => fused.expr.push(Scalar::Unary(op, ids[a])),
                Scalar::Binary(op, a, b) => fused.expr.push(Scalar::Binary(op, ids[a], ids[b])),
                Scalar::Select(c, a, b) => fused.expr.push(Scalar::Select(ids[c], ids[a], ids[b])),
                other => fused.expr.push(other),
            };
            ids.push(id);
        }
        for (output, value) in outputs {
            fused
                .values
                .push((Buffer::Computed { node: n, output }, ids[value]));
        }
        if group.anchor == Some(n) {
            fused.anchor = ids;
        }
    }
    fused
}

impl Fused {
    /// The expression node of a leaf: an earlier value of the group, or a read.
    fn leaf(&mut self, leaf: &Leaf, node: &LoweredNode) -> Id {
        let mut leaf = leaf.clone();
        if !matches!(leaf.access, Access::Coord { .. }) {
            let buffer = node.inputs[leaf.buffer];
            if let Some((_, id)) = self.values.iter().find(|(b, _)| *b == buffer) {
                return *id;
            }
            if let Access::Gather { ids, .. } | Access::ScatterAdd { ids, .. } = &mut leaf.access {
                *ids = self.read(node.inputs[*ids]);
            }
            leaf.buffer = self.read(buffer);
        }
        let k = match self.leaves.iter().position(|l| *l == leaf) {
            Some(k) => k,
            None => {
                self.leaves.push(leaf);
                self.leaves.len() - 1
            }
        };
        self.expr.push(Scalar::Leaf(k))
    }

    /// Number of a buffer among the reads.
    pub(crate) fn read(&mut self, buffer: Buffer) -> usize {
        match self.reads.iter().position(|b| *b == buffer) {
            Some(at) => at,
            None => {
                self.reads.push(buffer);
                self.reads.len() - 1
            }
        }
    }
}
