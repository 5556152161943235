//! Matrix products: the choice of tile, and what both kinds of tile share.

use super::arithmetic::{Inputs, values};
use super::gemm_register;
use super::index::view_index;
use super::map::store;
use crate::wgsl::Writer;
use crate::{Caps, Gemm, Operand, Shader, Tile, View};

/// The tile that suits a product on an adapter.
pub fn tile(kernel: &Gemm, caps: &Caps) -> Tile {
    // On a CPU adapter every invocation is a SIMD lane: parallelism first, then the largest tile whose
    // accumulators do not spill.
    let fit = |extent: usize, largest: usize| {
        let mut side = largest;
        while side > extent {
            side /= 2;
        }
        side.max(1)
    };
    Tile::Register {
        rows: fit(kernel.m, 8),
        cols: fit(kernel.n, 16),
    }
}

/// Emits a matrix product with the tile that suits the adapter.
pub(crate) fn gemm(kernel: &Gemm, caps: &Caps) -> Shader {
    let (source, grid) = match tile(kernel, caps) {
        Tile::Register { rows, cols } | Tile::Shared { rows, cols, .. } => {
            gemm_register::emit(kernel, caps, rows, cols)
        }
    };
    Shader {
        name: format!(
            "gemm {}x{}x{}x{}",
            kernel.batch, kernel.m, kernel.n, kernel.k
        ),
        source,
        grid,
        bindings: kernel.bindings.clone(),
    }
}

/// An operand taken apart: where a matrix of the batch starts and how it is walked.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    pub(crate) buffer: usize,
    /// The batch dimensions and the offset.
    batch: View,
    /// Step along m (of A) or n (of B).
    pub(crate) outer: usize,
    /// Step along k.
    pub(crate) inner: usize,
    /// Extent along m or n.
    pub(crate) extent: usize,
    /// Extent along k.
    pub(crate) depth: usize,
}

impl Matrix {
    /// The left operand.
    pub(crate) fn left(operand: &Operand) -> Self {
        let (batch, [m, k], [outer, inner]) = split(&operand.view);
        Self {
            buffer: operand.buffer,
            batch,
            outer,
            inner,
            extent: m,
            depth: k,
        }
    }

    /// The right operand.
    pub(crate) fn right(operand: &Operand) -> Self {
        let (batch, [k, n], [inner, outer]) = split(&operand.view);
        Self {
            buffer: operand.buffer,
            batch,
            outer,
            inner,
            extent: n,
            depth: k,
        }
    }

    /// Buffer index of the first element of the matrix number `batch` (an identifier).
    pub(crate) fn start(&self, batch: &str) -> String {
        view_index(&self.batch, batch)
    }

    /// Whether all of it can be read as vec4 along k.
    pub(crate) fn wide_along_k(&self) -> bool {
        self.inner == 1 && self.depth % 4 == 0 && self.outer % 4 == 0 && self.batch_aligned()
    }

    /// Whether all of it can be read as vec4 along m or n.
    pub(crate) fn wide_along_outer(&self) -> bool {
        self.outer == 1 && self.extent % 4 == 0 && self.inner % 4 == 0 && self.batch_aligned()
    }

    fn batch_aligned(&self) -> bool {
        let mut steps = self.batch.strides.iter().chain([&self.batch.offset]);
        steps.all(|step| step % 4 == 0)
    }
}

/// Batch dimensions, then extents and strides of the two matrix dimensions.
fn split(view: &View) -> (View, [usize; 2], [usize; 2]) {
    let rank = view.shape.len();
    let batch = View {
        shape: view.shape[..rank - 2].to_vec(),
        strides: view.strides[..rank - 2].to_vec(),
        offset: view.offset,
    };
    let last = |list: &[usize]| [list[rank - 2], list[rank - 1]];
    (batch, last(&view.shape), last(&view.strides))
}

/// Buffers that may be declared as arrays of vec4: those that only a matrix operand reads.
pub(crate) fn operand_only(kernel: &Gemm, buffer: usize) -> bool {
    !kernel.bindings[buffer].write && kernel.leaves.iter().all(|leaf| leaf.buffer != buffer)
}

/// Writes the epilogue of linear element `i` (an identifier) and stores its outputs.
pub(crate) fn epilogue(w: &mut Writer, kernel: &Gemm, wide: &[bool], i: &str, acc: &str) {
    let inputs = Inputs {
        bindings: &kernel.bindings,
        wide,
        leaves: &kernel.leaves,
        element: i,
        acc,
        reduced: &[],
    };
    let wanted: Vec<_> = kernel.outputs.iter().map(|o| o.value).collect();
    let names = values(w, &kernel.expr, &wanted, inputs);
    for (output, name) in kernel.outputs.iter().zip(&names) {
        w.line(store(&kernel.bindings, output.buffer, i, name));
    }
}
