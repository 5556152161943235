//! Batched matrix products with a fused pointwise epilogue.

use serde::{Deserialize, Serialize};

use crate::{Access, Binding, Expr, Leaf, Output, View};

/// `acc[b, m, n] = Σ_k A[b, m, k]·B[b, k, n]`, then the epilogue expression at the linear element
/// `i = (b·M + m)·N + n`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gemm {
    /// Product of the batch dimensions.
    pub batch: usize,
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Summed extent.
    pub k: usize,
    /// Left operand, view `[batch…, m, k]`.
    pub a: Operand,
    /// Right operand, view `[batch…, k, n]`.
    pub b: Operand,
    /// Buffers.
    pub bindings: Vec<Binding>,
    /// Inputs of the epilogue.
    pub leaves: Vec<Leaf>,
    /// The epilogue; [`crate::Scalar::Acc`] is the product.
    pub expr: Expr,
    /// What is stored, contiguously at `i`.
    pub outputs: Vec<Output>,
}

/// A matrix operand: a buffer seen through any strided view (so NN, NT, TN and broadcast batches).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operand {
    /// Index into the bindings.
    pub buffer: usize,
    /// Batch dimensions (possibly several, possibly stride 0), then the two matrix dimensions.
    pub view: View,
    /// Where the view's elements are not the buffer's: how element `i` of the view's buffer is found, such as windows of
    /// an image. Emission has no way for it; devices that run descriptions do.
    pub access: Option<Access>,
}

/// How the result is tiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tile {
    /// For CPU adapters, where barriers cost more than cached loads and lanes of a subgroup are lanes
    /// of a SIMD register. A subgroup of exactly `lanes` invocations computes `shared` rows times
    /// `lanes`·`own` columns: the shared operand is read once per subgroup, a position per lane, and
    /// broadcast; each lane reads and keeps its own columns. With one lane there is no subgroup.
    Lanes {
        /// Subgroup size.
        lanes: usize,
        /// Rows per subgroup (columns when `transposed`).
        shared: usize,
        /// Columns per lane (rows when `transposed`).
        own: usize,
        /// Exchanges rows and columns, for results that are few columns wide.
        transposed: bool,
    },
    /// For GPUs. A workgroup stages `block_m`×`block_k` and `block_k`×`block_n` tiles in workgroup
    /// memory; each invocation keeps `rows`×`cols` accumulators. All are multiples of 4.
    Shared {
        /// Rows per workgroup.
        block_m: usize,
        /// Columns per workgroup.
        block_n: usize,
        /// Summed extent per stage.
        block_k: usize,
        /// Rows per invocation.
        rows: usize,
        /// Columns per invocation.
        cols: usize,
        /// Invocations that share the sum along k of the same results; a power of two.
        split: usize,
    },
    /// For GPUs with cooperative matrices. A workgroup stages `block_m`×`block_k` and `block_k`×`block_n`
    /// tiles in workgroup memory as f16; each subgroup multiplies `part_m`×`part_n` of the result.
    Cooperative {
        /// Rows per workgroup.
        block_m: usize,
        /// Columns per workgroup.
        block_n: usize,
        /// Summed extent per stage.
        block_k: usize,
        /// Rows per subgroup.
        part_m: usize,
        /// Columns per subgroup.
        part_n: usize,
        /// Numbers per element of the staged tiles, 1 or 4.
        word: usize,
    },
}

impl Tile {
    /// What a run's choice of tile is called in files.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Lanes {
                lanes,
                shared,
                own,
                transposed,
            } => {
                let transposed = if *transposed { " transposed" } else { "" };
                format!("lanes {lanes} {shared}x{own}{transposed}")
            }
            Self::Shared {
                block_m,
                block_n,
                block_k,
                rows,
                cols,
                split,
            } => format!("shared {block_m}x{block_n}x{block_k} {rows}x{cols} split {split}"),
            Self::Cooperative {
                block_m,
                block_n,
                block_k,
                part_m,
                part_n,
                word,
            } => format!("matrices {block_m}x{block_n}x{block_k} {part_m}x{part_n} word {word}"),
        }
    }
}
