//! Where assigned values are written: straight into their target, or copied afterwards.

use std::collections::HashMap;

use crate::Graph;
use crate::fuse::{self, Group, Groups, elementwise};
use crate::lower::{Body, Buffer, Lowered};

/// Where assigned values go.
#[derive(Debug, Default)]
pub(super) struct Updates {
    /// Values whose kernel writes the source itself.
    pub(super) in_place: HashMap<Buffer, usize>,
    /// Values copied into a source after the last kernel.
    pub(super) copies: Vec<(Buffer, usize)>,
}

/// Decides which assigned values are written straight into their target, ordering every reader of
/// the old value before the writer.
pub(super) fn place_updates(graph: &Graph, lowered: &Lowered, groups: &mut Groups<'_>) -> Updates {
    let sources = graph.sources().iter().enumerate();
    let by_node: HashMap<usize, usize> = sources.map(|(i, s)| (s.value.node, i)).collect();
    let mut readers: HashMap<usize, Vec<usize>> = HashMap::new();
    for (g, group) in groups.groups.iter().enumerate() {
        for b in group.nodes.iter().flat_map(|&n| &lowered.nodes[n].inputs) {
            if let Buffer::Source(s) = b {
                readers.entry(*s).or_default().push(g);
            }
        }
    }
    let mut updates = Updates::default();
    for (target, value) in graph.assigns() {
        let Some(&source) = by_node.get(&target.node) else {
            continue;
        };
        let buffer = lowered.values[value];
        let before = readers.get(&source).map_or(&[][..], Vec::as_slice);
        let writer = fuse::computed(&buffer).map(|n| groups.of[n]).filter(|&w| {
            !updates.in_place.contains_key(&buffer)
                && reads_elementwise(lowered, &groups.groups[w], source)
                && before.iter().all(|&r| r == w || !groups.depends(r, w))
        });
        match writer {
            Some(w) => {
                let earlier = before.iter().copied().filter(|r| *r != w);
                groups.impose(w, earlier);
                updates.in_place.insert(buffer, source);
            }
            None => updates.copies.push((buffer, source)),
        }
    }
    updates
}

/// Whether a group reads a source only at the element it computes, so that it may overwrite it.
fn reads_elementwise(lowered: &Lowered, group: &Group, source: usize) -> bool {
    group.nodes.iter().all(|&n| {
        let node = &lowered.nodes[n];
        let leaves = match &node.body {
            Body::Map(m) => &m.leaves,
            // A row's elements are read again after some are written.
            Body::Rows(_) | Body::Gemm(_) | Body::Attention(_) => {
                return !node.inputs.contains(&Buffer::Source(source));
            }
        };
        leaves.iter().all(|l| match node.inputs.get(l.buffer) {
            Some(Buffer::Source(s)) if *s == source => elementwise(l, group.len),
            _ => true,
        })
    })
}
