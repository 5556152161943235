//! Row reductions with a pointwise prologue and epilogue: softmax, LayerNorm, norms, sums and
//! their gradients.

use serde::{Deserialize, Serialize};

use crate::{Binding, Expr, Id, Leaf, View};

/// A fused reduction. The iteration space has linear elements `i = rows.index(r) + cols.index(c)`;
/// leaves and element outputs are functions of `i`.
///
/// For each row the stages run in order; stage `k` reduces its value over all columns and may use
/// the results of earlier stages. Then the outputs are written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rows {
    /// Rows of the iteration space.
    pub rows: View,
    /// Columns, reduced over. `cols.offset` is 0.
    pub cols: View,
    /// Buffers.
    pub bindings: Vec<Binding>,
    /// Inputs of the expression.
    pub leaves: Vec<Leaf>,
    /// The arithmetic.
    pub expr: Expr,
    /// The reductions.
    pub stages: Vec<Stage>,
    /// What is stored.
    pub outputs: Vec<RowsOutput>,
}

/// One reduction over the columns of a row, in a fixed tree order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// How values are combined.
    pub reduce: Reduce,
    /// What is reduced; may use [`crate::Scalar::Reduced`] of earlier stages only.
    pub value: Id,
}

/// How values are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reduce {
    /// Sum.
    Sum,
    /// Maximum; its column is [`crate::Scalar::ReducedAt`].
    Max,
}

/// A stored value of a row kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowsOutput {
    /// A value at every element, stored at `i`.
    Element {
        /// Index into the bindings.
        buffer: usize,
        /// Which node of the expression.
        value: Id,
    },
    /// A value per row (it uses no leaf), stored at `r`.
    Row {
        /// Index into the bindings.
        buffer: usize,
        /// Which node of the expression.
        value: Id,
    },
}
