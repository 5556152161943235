//! Which values are kept as f16 where products take f16 operands.

use std::collections::{HashMap, HashSet};

use samora_shaders::{Access, Binary, Expr, Id, Output, Scalar, Unary};

use crate::fuse::{Group, Groups, computed};
use crate::lower::{Body, Buffer, Lowered};
use crate::{DType, Graph, SourceKind};

/// Of the `stored` values, those that products and attention read as operands, which they round to f16
/// anyway, and those that nothing but the epilogues of products reads, which come from products as a rule. Then
/// those that are joined or copied into these and read by nothing else.
/// Of the sources, weights and constants that no step changes and that are operands and nothing else.
/// What is wanted after the step stays f32, and so does all that is summed over many steps, and what is compared:
/// a choice must be the same wherever it is made again, and an index is not to be rounded at all. Values have at
/// least `least` elements.
pub(super) fn halves(
    graph: &Graph,
    lowered: &Lowered,
    groups: &Groups<'_>,
    (stored, least): (&HashSet<Buffer>, usize),
) -> HashSet<Buffer> {
    let mut operands = HashSet::new();
    let mut exact: HashSet<Buffer> = lowered.values.values().copied().collect();
    exact.extend(compared(lowered));
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
        Buffer::Computed { node, output } => lowered.nodes[node].lens[output] >= least,
        Buffer::Source(s) => graph.ty(graph.sources()[s].value).len() >= least,
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

/// What is compared, straight or after pointwise arithmetic, with anything but zero: rounding keeps signs.
fn compared(lowered: &Lowered) -> HashSet<Buffer> {
    let mut compared = HashSet::new();
    for (n, node) in lowered.nodes.iter().enumerate().rev() {
        let (expr, leaves, results) = match &node.body {
            Body::Map(m) => (&m.expr, &m.leaves, &m.outputs[..]),
            Body::Rows(r) => (&r.expr, &r.leaves, &[][..]),
            Body::Gemm(g) => (&g.expr, &g.leaves, &[][..]),
            Body::Attention(_) => continue,
        };
        let into_compared = |o: &&Output| {
            let output = o.buffer;
            compared.contains(&Buffer::Computed { node: n, output })
        };
        let results = results.iter().filter(into_compared).map(|o| o.value);
        let roots: Vec<Id> = operands_compared(expr).chain(results).collect();
        let used = expr.needed(roots);
        let read = leaves.iter().enumerate().filter(|(k, leaf)| {
            let node = expr.nodes.iter().position(|s| *s == Scalar::Leaf(*k));
            node.is_some_and(|id| used[id]) && !matches!(leaf.access, Access::Coord { .. })
        });
        let read: Vec<Buffer> = read.map(|(_, leaf)| node.inputs[leaf.buffer]).collect();
        compared.extend(read);
    }
    compared
}

/// The operands of comparisons in an expression.
fn operands_compared(expr: &Expr) -> impl Iterator<Item = Id> {
    let is_zero = |id: Id| expr.nodes[id] == Scalar::Const(0.0);
    expr.nodes.iter().flat_map(move |scalar| match *scalar {
        Scalar::Binary(Binary::Eq | Binary::Lt, a, b) if !is_zero(a) && !is_zero(b) => vec![a, b],
        Scalar::Unary(Unary::Floor, a) => vec![a],
        _ => Vec::new(),
    })
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
