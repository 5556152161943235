//! Which values are kept as f16 where products take f16 operands.

use std::collections::HashSet;

use crate::fuse::Groups;
use crate::lower::{Body, Buffer, Lowered};

/// Elements from which it is worth it.
const LEAST: usize = 4096;

/// Of the `stored` values, those that products and attention read as operands, which they round to f16
/// anyway, and those that nothing but the epilogues of products reads, which come from products as a rule.
/// What is wanted after the step stays f32, and so does all that is summed over many steps.
pub(super) fn halves(
    lowered: &Lowered,
    groups: &Groups<'_>,
    stored: &HashSet<Buffer>,
) -> HashSet<Buffer> {
    let mut operands = HashSet::new();
    let mut exact: HashSet<Buffer> = lowered.values.values().copied().collect();
    let mut elsewhere = HashSet::new();
    for (g, group) in groups.groups.iter().enumerate() {
        let anchor = group.anchor.map(|n| &lowered.nodes[n].body);
        for &n in &group.nodes {
            let node = &lowered.nodes[n];
            let outside = |b: &Buffer| crate::fuse::computed(b).is_some_and(|m| groups.of[m] != g);
            let inputs = node.inputs.iter().enumerate();
            for (k, &input) in inputs.filter(|(_, b)| outside(b)) {
                let operand = match &node.body {
                    Body::Gemm(product) => [product.a.buffer, product.b.buffer].contains(&k),
                    Body::Attention(a) => a.rows().contains(&k),
                    Body::Map(_) | Body::Rows(_) => false,
                };
                match (operand, anchor) {
                    (true, _) => operands.insert(input),
                    (false, Some(Body::Gemm(_))) => false,
                    (false, Some(Body::Attention(_))) => exact.insert(input),
                    (false, _) => elsewhere.insert(input),
                };
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
        Buffer::Source(_) => false,
    };
    let rounded = |b: &&Buffer| operands.contains(*b) || !elsewhere.contains(*b);
    let all = stored.iter().filter(|b| large(b) && !exact.contains(*b));
    all.filter(rounded).copied().collect()
}
