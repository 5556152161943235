//! Matrix operands taken apart: where a matrix of the batch starts and how it is walked.

use crate::emit::index::view_index;
use crate::{Gemm, Operand, View};

/// An operand of a product. Its `outer` dimension is m for the left and n for the right operand.
#[derive(Clone, Debug)]
pub(crate) struct Matrix {
    /// Index into the bindings.
    pub(crate) buffer: usize,
    /// The batch dimensions and the offset.
    batch: View,
    /// Extent of the outer dimension.
    pub(crate) extent: usize,
    /// Step along the outer dimension, in elements.
    pub(crate) outer: usize,
    /// Step along k, in elements.
    pub(crate) inner: usize,
    /// How it is read.
    pub(crate) wide: Wide,
    /// Whether it may be read eight numbers at a time too.
    pub(crate) eights: bool,
}

/// How an operand is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wide {
    /// Element by element.
    No,
    /// As vec4 along k.
    Inner,
    /// As vec4 along the outer dimension.
    Outer,
}

impl Matrix {
    /// Both operands. A buffer is declared as vec4 only if nothing reads it in another way.
    pub(crate) fn operands(kernel: &Gemm) -> [Self; 2] {
        let (batch, [k, n], [inner, outer]) = split(&kernel.b.view);
        let mut both = [
            Self::new(&kernel.a, split(&kernel.a.view)),
            Self::new(&kernel.b, (batch, [n, k], [outer, inner])),
        ];
        let alone = |m: &Self| {
            !kernel.bindings[m.buffer].write
                && kernel.leaves.iter().all(|leaf| leaf.buffer != m.buffer)
        };
        let same = both[0].buffer == both[1].buffer;
        let any_narrow = both.iter().any(|m| m.wide == Wide::No);
        let any_fours = both.iter().any(|m| !m.eights);
        for matrix in &mut both {
            if !alone(matrix) || (same && any_narrow) {
                matrix.wide = Wide::No;
            }
            matrix.eights &= matrix.wide != Wide::No && !(same && any_fours);
        }
        both
    }

    fn new(
        operand: &Operand,
        (batch, [extent, depth], [outer, inner]): (View, [usize; 2], [usize; 2]),
    ) -> Self {
        let by = |run: usize| {
            let mut starts = batch.strides.iter().chain([&batch.offset]);
            let aligned = starts.all(|step| step % run == 0);
            if aligned && inner == 1 && depth % run == 0 && outer % run == 0 {
                Wide::Inner
            } else if aligned && outer == 1 && extent % run == 0 && inner % run == 0 {
                Wide::Outer
            } else {
                Wide::No
            }
        };
        let wide = by(4);
        let eights = wide != Wide::No && wide == by(8);
        Self {
            buffer: operand.buffer,
            batch,
            extent,
            outer,
            inner,
            wide,
            eights,
        }
    }

    /// Buffer index of the first element of matrix number `batch` (an identifier).
    pub(crate) fn start(&self, batch: &str) -> String {
        view_index(&self.batch, batch)
    }

    /// Elements per read.
    pub(crate) fn unit(&self) -> usize {
        if self.wide == Wide::No { 1 } else { 4 }
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
