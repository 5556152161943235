//! The result of a product: the block of it that a workgroup computes, its epilogue, and where it is stored.

use super::matrix::{Matrix, Wide};
use crate::emit::arithmetic::values;
use crate::emit::form::Form;
use crate::emit::grid::{fold, linear_group};
use crate::emit::index::coordinate;
use crate::emit::inputs::Inputs;
use crate::emit::map::store;
use crate::emit::quad::quad_forms;
use crate::wgsl::Writer;
use crate::{Caps, Gemm};

/// Binds the block of the result that a workgroup computes: its first `row` and `col` and the `batch`. Returns
/// the grid.
pub(super) fn locate(w: &mut Writer, kernel: &Gemm, block: [usize; 2], caps: &Caps) -> [u32; 3] {
    let Gemm { batch, m, n, .. } = *kernel;
    let (down, across) = (m.div_ceil(block[0]), n.div_ceil(block[1]));
    let tiles = batch * down * across;
    let grid = fold(tiles, caps);
    w.line(format!("let tile = {};", linear_group(grid)));
    if grid.iter().map(|&g| g as usize).product::<usize>() != tiles {
        w.open(format!("if tile >= {tiles}u"));
        w.line("return;");
        w.close();
    }
    let shape = [batch, down, across];
    let [number, row, col] = [0, 1, 2].map(|d| coordinate(&shape, d, "tile"));
    w.line(format!("let row = {row} * {}u;", block[0]));
    w.line(format!("let col = {col} * {}u;", block[1]));
    w.line(format!("let batch = {number};"));
    grid
}

/// The forms of the epilogue's buffers on a GPU, and whether it takes four columns at once.
pub(super) fn epilogue_forms(kernel: &Gemm, caps: &Caps) -> (Vec<Form>, bool) {
    let bindings = &kernel.bindings;
    let stored: Vec<usize> = kernel.outputs.iter().map(|o| o.buffer).collect();
    let operands = Matrix::operands(kernel);
    let narrow = operands.iter().filter(|m| m.wide == Wide::No);
    let narrow: Vec<usize> = narrow.map(|m| m.buffer).collect();
    let forms = quad_forms(bindings, &kernel.leaves, (&stored, &narrow), caps);
    match forms.filter(|_| kernel.n.is_multiple_of(4)) {
        Some(forms) => (forms, true),
        None => (Form::narrow(bindings, caps), false),
    }
}

/// Writes the epilogue of linear element `i` (an identifier), or of the four from there on if `quad`, and
/// stores its outputs.
pub(super) fn epilogue(
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
        reduced_at: &[],
    };
    let wanted: Vec<_> = kernel.outputs.iter().map(|o| o.value).collect();
    let names = values(w, &kernel.expr, &wanted, inputs);
    for (output, name) in kernel.outputs.iter().zip(&names) {
        w.line(store(inputs, output.buffer, i, name));
    }
}

/// Buffer index of the result's element at `row` and `col` of matrix number `batch`.
pub(super) fn place(kernel: &Gemm, row: &str, col: &str) -> String {
    let Gemm { batch, m, n, .. } = kernel;
    if *batch == 1 {
        format!("{row} * {n}u + {col}")
    } else {
        format!("(batch * {m}u + {row}) * {n}u + {col}")
    }
}
