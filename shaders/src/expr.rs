//! Scalar expressions: the arithmetic a kernel does for one element.

use serde::{Deserialize, Serialize};

/// Index of a node in [`Expr::nodes`].
pub type Id = usize;

/// A DAG of f32 scalars in topological order: every node refers only to earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Expr {
    /// The nodes.
    pub nodes: Vec<Scalar>,
}

impl Expr {
    /// Appends a node, or returns the id of an equal one.
    pub fn push(&mut self, node: Scalar) -> Id {
        if let Some(id) = self.nodes.iter().position(|n| *n == node) {
            return id;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Which nodes the wanted ones depend on, themselves included.
    pub fn needed(&self, wanted: impl IntoIterator<Item = Id>) -> Vec<bool> {
        let mut needed = vec![false; self.nodes.len()];
        wanted.into_iter().for_each(|id| needed[id] = true);
        for id in (0..needed.len()).rev() {
            if !needed[id] {
                continue;
            }
            match self.nodes[id] {
                Scalar::Unary(_, a) => needed[a] = true,
                Scalar::Binary(_, a, b) => [a, b].into_iter().for_each(|i| needed[i] = true),
                Scalar::Select(c, a, b) => [c, a, b].into_iter().for_each(|i| needed[i] = true),
                Scalar::Leaf(_)
                | Scalar::Acc
                | Scalar::Reduced(_)
                | Scalar::ReducedAt(_)
                | Scalar::Const(_) => {}
            }
        }
        needed
    }
}

/// One node of an [`Expr`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Scalar {
    /// Value of leaf `k` at the current element.
    Leaf(usize),
    /// The accumulator of a GEMM at the current element.
    Acc,
    /// Result of reduction stage `k` for the current row.
    Reduced(usize),
    /// Where stage `k`, a maximum, has its result: the number of the first such column.
    ReducedAt(usize),
    /// A constant; always finite.
    Const(f32),
    /// A function of one scalar.
    Unary(Unary, Id),
    /// A function of two scalars.
    Binary(Binary, Id, Id),
    /// `if c != 0 { a } else { b }`, as `Select(c, a, b)`.
    Select(Id, Id, Id),
}

/// Functions of one scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Unary {
    /// −x
    Neg,
    /// eˣ
    Exp,
    /// natural logarithm
    Log,
    /// √x
    Sqrt,
    /// |x|
    Abs,
    /// sine
    Sin,
    /// cosine
    Cos,
    /// hyperbolic tangent, saturating without overflow
    Tanh,
    /// error function, accurate to a few ulp
    Erf,
    /// largest integer not above x
    Floor,
}

/// Functions of two scalars. Comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Binary {
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a · b
    Mul,
    /// a / b
    Div,
    /// larger of both
    Max,
    /// aᵇ for a > 0, and 0 for a = 0 < b
    Pow,
    /// a = b
    Eq,
    /// a < b
    Lt,
}
