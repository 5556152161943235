//! Matrix products: what the kinds of tile have in common.

use super::arithmetic::{Inputs, values};
use super::form::Form;
use super::gemm_cooperative::Cooperative;
use super::gemm_lanes::Lanes;
use super::gemm_shared::Shared;
use super::map::store;
use crate::wgsl::Writer;
use crate::{Caps, Gemm, Shader, Tile};

/// Emits a matrix product with a tile.
pub(crate) fn gemm(kernel: &Gemm, caps: &Caps, tile: Tile) -> Shader {
    let (module, grid) = match tile {
        Tile::Lanes {
            lanes,
            shared,
            own,
            transposed,
        } => Lanes::new(kernel, caps, [lanes, shared, own], transposed).emit(),
        Tile::Shared {
            block_m,
            block_n,
            block_k,
            rows,
            cols,
            split,
        } => {
            let (block, each) = ([block_m, block_n], [rows, cols]);
            Shared::new(kernel, caps, (block, block_k), (each, split)).emit()
        }
        Tile::Cooperative {
            block_m,
            block_n,
            block_k,
            part_m,
            part_n,
            word,
        } => Cooperative::new(
            kernel,
            caps,
            [block_m, block_n, block_k],
            [part_m, part_n],
            word,
        )
        .emit(),
    };
    let Gemm { batch, m, n, k, .. } = kernel;
    let name = format!("gemm {batch}x{m}x{n}x{k}");
    Shader::new(name, module, grid, &kernel.bindings)
}

/// Writes the epilogue of linear element `i` (an identifier), or of the four from there on if `quad`, and
/// stores its outputs.
pub(crate) fn epilogue(
    w: &mut Writer,
    kernel: &Gemm,
    (i, acc): (&str, &str),
    (forms, quad): (&[Form], bool),
) {
    let inputs = Inputs {
        bindings: &kernel.bindings,
        forms,
        quad,
        leaves: &kernel.leaves,
        held: &[],
        element: i,
        acc,
        reduced: &[],
    };
    let wanted: Vec<_> = kernel.outputs.iter().map(|o| o.value).collect();
    let names = values(w, &kernel.expr, &wanted, inputs);
    for (output, name) in kernel.outputs.iter().zip(&names) {
        w.line(store(inputs, output.buffer, i, name));
    }
}

/// Buffer index of the result's element at `row` and `col` of matrix number `batch`.
pub(crate) fn place(kernel: &Gemm, row: &str, col: &str) -> String {
    let Gemm { batch, m, n, .. } = kernel;
    if *batch == 1 {
        format!("{row} * {n}u + {col}")
    } else {
        format!("(batch * {m}u + {row}) * {n}u + {col}")
    }
}
