//! Scalar expressions as a sequence of `let`s.

use std::collections::HashMap;

use super::inputs::Inputs;
use super::load::load;
use crate::helper::Helper;
use crate::wgsl::Writer;
use crate::{Binary, Expr, Id, Scalar, Unary};

/// Writes what the nodes `wanted` need and returns a name or literal for each of them.
pub(crate) fn values(w: &mut Writer, expr: &Expr, wanted: &[Id], inputs: Inputs) -> Vec<String> {
    let needed = expr.needed(wanted.iter().copied());
    let mut names: HashMap<Id, String> = HashMap::new();
    for (id, node) in expr.nodes.iter().enumerate().filter(|(id, _)| needed[*id]) {
        let name = |id: &Id| names.get(id).cloned().unwrap_or_default();
        let text = match node {
            Scalar::Leaf(k) => match inputs.held.get(*k) {
                Some(Some(held)) => held.clone(),
                _ => load(w, &inputs.leaves[*k], inputs),
            },
            Scalar::Acc => inputs.acc.to_string(),
            Scalar::Reduced(k) => inputs.reduced[*k].clone(),
            Scalar::ReducedAt(k) => inputs.reduced_at[*k].clone(),
            Scalar::Const(c) => inputs.number(*c),
            Scalar::Unary(f, a) => {
                let a = variable(w, expr, &[*a], name(a));
                let value = unary(w, *f, &a, inputs.quad);
                w.bind("v", value)
            }
            Scalar::Binary(f, a, b) => {
                let left = variable(w, expr, &[*a, *b], name(a));
                let value = binary(w, *f, [&left, &name(b)], inputs);
                w.bind("v", value)
            }
            Scalar::Select(c, a, b) => {
                let condition = variable(w, expr, &[*c, *a, *b], name(c));
                let zero = inputs.number(0.0);
                let value = format!("select({}, {}, {condition} != {zero})", name(b), name(a));
                w.bind("v", value)
            }
        };
        names.insert(id, text);
    }
    wanted
        .iter()
        .map(|id| names.get(id).cloned().unwrap_or_default())
        .collect()
}

/// The first operand, put in a `let` when all operands are constants: WGSL evaluates constant
/// expressions at compile time and refuses those that overflow.
fn variable(w: &mut Writer, expr: &Expr, operands: &[Id], first: String) -> String {
    let constant = |id: &Id| matches!(expr.nodes[*id], Scalar::Const(_));
    if operands.iter().all(constant) {
        w.bind("c", first)
    } else {
        first
    }
}

fn unary(w: &mut Writer, f: Unary, a: &str, quad: bool) -> String {
    match f {
        Unary::Neg => format!("-{a}"),
        Unary::Exp => format!("exp({a})"),
        Unary::Log => format!("log({a})"),
        Unary::Sqrt => format!("sqrt({a})"),
        Unary::Abs => format!("abs({a})"),
        Unary::Sin => format!("sin({a})"),
        Unary::Cos => format!("cos({a})"),
        Unary::Tanh => format!("{}({a})", w.call(Helper::Tanh, quad)),
        Unary::Erf => format!("{}({a})", w.call(Helper::Erf, quad)),
        Unary::Floor => format!("floor({a})"),
    }
}

fn binary(w: &mut Writer, f: Binary, [a, b]: [&str; 2], inputs: Inputs) -> String {
    let truth = |condition: String| {
        let (no, yes) = (inputs.number(0.0), inputs.number(1.0));
        format!("select({no}, {yes}, {condition})")
    };
    match f {
        Binary::Add => format!("{a} + {b}"),
        Binary::Sub => format!("{a} - {b}"),
        Binary::Mul => format!("{a} * {b}"),
        Binary::Div => format!("{a} / {b}"),
        Binary::Max => format!("max({a}, {b})"),
        Binary::Pow => format!("{}({a}, {b})", w.call(Helper::Pow, inputs.quad)),
        Binary::Eq => truth(format!("{a} == {b}")),
        Binary::Lt => truth(format!("{a} < {b}")),
    }
}
