//! Fusion: lowered nodes are grouped into kernels, greedily and deterministically.
//!
//! In node order, a pointwise node joins the latest kernel that already computes one of its operands
//! element by element, as its epilogue; a row reduction absorbs the pointwise kernel that feeds it,
//! as its prologue. A node only joins where no other operand depends on that kernel.

mod merge;

use samora_shaders::{Access, Leaf, RowsOutput};

pub(crate) use merge::merge;

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
    pub(crate) len: usize,
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
