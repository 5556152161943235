//! Which values are kept as f16 where products take f16 operands.

use std::collections::{HashMap, HashSet};

use samora_shaders::{Access, Binary, Scalar};

use crate::fuse::{Group, Groups, computed};
use crate::lower::{Body, Buffer, Lowered};
use crate::{DType, Graph, SourceKind};

/// Elements from which it is worth it.
const LEAST: usize = 4096;

/// Of the `stored` values, those that products and attention read as operands, which they round to f16
/// anyway, and those that nothing but the epilogues of products reads, which come from products as a rule. Then
/// those that are joined or copied into these and read by nothing else.
/// Of the sources, weights and constants that no step changes and that are operands and nothing else.
/// What is wanted after the step stays f32, and so does all that is summed over many steps.
pub(super) fn halves(
    graph: &Graph,
    lowered: &Lowered,
    groups: &Groups<'_>,
    stored: &HashSet<Buffer>,
) -> HashSet<Buffer> {
    let mut operands = HashSet::new();
    let mut exact: HashSet<Buffer> = lowered.values.values().copied().collect();
    let mut elsewhere: HashMap<Buffer, Vec<usize>> = HashMap::new();
    for (g, group) in groups.groups.iter().enumerate() {
        let anchor = group.anchor.map(|n| &lowered.nodes[n].body);
        for &n in &group.nodes {
            let node = &lowered.nodes[n];
            let outside = |b: &Buffer| computed(b).is_none_or(|m| groups.of[m] != g);
            let inputs = node.inputs.iter().enumerate();
            for (k, &input) in inputs.filter(|(_, b)| outside(b)) {
                let operand = match &node.body {
                    Body::Gemm(product) => [product.a.buffer, product.b.buffer].contains(&k),
                    Body::Attention(a) => a.rows().contains(&k),
                    Body::Map(_) | Body::Rows(_) => false,
                };
                match (operand, anchor, input) {
                    (true, _, _) => _ = operands.insert(input),
                    (false, _, Buffer::Source(_)) => _ = exact.insert(input),
                    (false, Some(Body::Gemm(_)), _) => {}
                    (false, Some(Body::Attention(_)), _) => _ = exact.insert(input),
                    (false, _, _) => elsewhere.entry(input).or_default().push(g),
                }
            }
            if let Body::Attention(a) = &node.body {
                // Inputs are bound first, then outputs.
                let rows = a.rows();
                let others =
                    (0..node.lens.len()).filter(|o| !rows.contains(&(node.inputs.len() + o)));
                exact.extend(others.map(|output| Buffer::Computed { node: n, output }));
            }
        }
    }
    let large = |b: &Buffer| match *b {
        Buffer::Computed { node, output } => lowered.nodes[node].lens[output] >= LEAST,
        Buffer::Source(s) => graph.ty(graph.sources()[s].value).len() >= LEAST,
    };
    let rounded = |b: &Buffer| operands.contains(b) || !elsewhere.contains_key(b);
    let sources = operands.iter().filter(|b| is_frozen(graph, b));
    let all = stored.iter().chain(sources);
    let all = all.filter(|b| large(b) && !exact.contains(*b));
    let (rounded, others): (Vec<Buffer>, Vec<Buffer>) = all.copied().partition(rounded);
    let mut halves: HashSet<Buffer> = rounded.into_iter().collect();
    let into_halves = |&g: &usize| {
        let group = &groups.groups[g];
        let outputs = group.nodes.iter();
        let mut outputs = outputs.map(|&node| Buffer::Computed { node, output: 0 });
        joins(lowered, group) && outputs.all(|b| !stored.contains(&b) || halves.contains(&b))
    };
    let joined = others
        .iter()
        .filter(|b| elsewhere[b].iter().all(into_halves));
    let joined: Vec<Buffer> = joined.copied().collect();
    halves.extend(joined);
    halves
}

/// Whether a kernel only copies numbers, of one value or of several side by side.
fn joins(lowered: &Lowered, group: &Group) -> bool {
    let mut parts = 0;
    let mut adds = false;
    let copies = group.nodes.iter().all(|&n| {
        let Body::Map(map) = &lowered.nodes[n].body else {
            return false;
        };
        for leaf in &map.leaves {
            if let Access::Affine { axes, .. } = &leaf.access {
                parts += axes.iter().map(|axis| axis.size).product::<usize>();
            }
        }
        map.expr.nodes.iter().all(|scalar| match scalar {
            Scalar::Binary(Binary::Add, ..) => {
                adds = true;
                true
            }
            other => matches!(other, Scalar::Leaf(_)),
        })
    });
    // Parts that fill the whole do not overlap.
    copies && (!adds || parts == group.len)
}

/// Whether a buffer holds the same f32 numbers in every step.
fn is_frozen(graph: &Graph, buffer: &Buffer) -> bool {
    let &Buffer::Source(s) = buffer else {
        return false;
    };
    let source = &graph.sources()[s];
    let given = matches!(source.kind, SourceKind::Param(_) | SourceKind::Constant(_));
    let changes = || {
        graph
            .assigns()
            .iter()
            .any(|(target, _)| *target == source.value)
    };
    given && graph.ty(source.value).dtype == DType::F32 && !changes()
}
