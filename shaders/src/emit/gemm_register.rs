//! Matrix products for CPU adapters: every invocation keeps a tile of the result in registers and
//! reads its operands straight from memory.
//!
//! A tile that would overhang the result is moved back inside, so that no read needs a guard; it
//! stores only the elements that no other tile covers.

use super::gemm::{Matrix, epilogue, operand_only};
use super::grid::{fold, linear_invocation};
use crate::wgsl::{Builtin, Interface, Writer, sum, times};
use crate::{Caps, Gemm};

/// Invocations per workgroup.
const WORKGROUP: usize = 64;
/// Steps along k per turn of the main loop.
const UNROLL: usize = 4;

/// Emits a product with `rows`×`cols` results per invocation. Returns the text and the grid.
pub(crate) fn emit(kernel: &Gemm, caps: &Caps, rows: usize, cols: usize) -> (String, [u32; 3]) {
    let (a, b) = (Matrix::left(&kernel.a), Matrix::right(&kernel.b));
    let (a, b) = (
        Side::new(kernel, a, rows, "a"),
        Side::new(kernel, b, cols, "b"),
    );
    let (tiles_m, tiles_n) = (kernel.m.div_ceil(rows), kernel.n.div_ceil(cols));
    let tiles = kernel.batch * tiles_m * tiles_n;
    let grid = fold(tiles.div_ceil(WORKGROUP), caps);
    let mut w = Writer::new();
    linear_invocation(&mut w, "tile", WORKGROUP, tiles, grid);
    w.line(format!(
        "let first_row = tile / {tiles_n}u % {tiles_m}u * {rows}u;"
    ));
    w.line(format!("let first_col = tile % {tiles_n}u * {cols}u;"));
    w.line(format!("let batch = tile / {}u;", tiles_m * tiles_n));
    w.line(format!("let row = min(first_row, {}u);", kernel.m - rows));
    w.line(format!("let col = min(first_col, {}u);", kernel.n - cols));
    a.start(&mut w, "row");
    b.start(&mut w, "col");
    let acc = Accumulators { rows, cols };
    acc.declare(&mut w);
    let main = kernel.k - kernel.k % UNROLL;
    if main > 0 {
        w.open_loop("k", "0u", &format!("{main}u"), &format!("{UNROLL}u"));
        let left = a.read(&mut w, UNROLL);
        let right = b.read(&mut w, UNROLL);
        acc.update(&mut w, &left, &right);
        w.close();
    }
    if main < kernel.k {
        w.open_loop("k", &format!("{main}u"), &format!("{}u", kernel.k), "1u");
        let left = a.read(&mut w, 1);
        let right = b.read(&mut w, 1);
        acc.update(&mut w, &left, &right);
        w.close();
    }
    let mut interface = Interface::scalar(&kernel.bindings, WORKGROUP, &[Builtin::Invocation]);
    for side in [&a, &b] {
        interface.wide[side.matrix.buffer] = side.wide != Wide::No;
    }
    acc.store(&mut w, kernel, &interface.wide);
    (w.module(&interface), grid)
}

/// How an operand is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wide {
    /// Element by element.
    No,
    /// As vec4 along k.
    K,
    /// As vec4 along m or n.
    Outer,
}

/// One operand of the tile.
struct Side {
    matrix: Matrix,
    wide: Wide,
    /// Extent of the tile along m or n.
    side: usize,
    name: &'static str,
}

impl Side {
    fn new(kernel: &Gemm, matrix: Matrix, side: usize, name: &'static str) -> Self {
        let alone = operand_only(kernel, matrix.buffer) && kernel.a.buffer != kernel.b.buffer;
        let wide = if alone && matrix.wide_along_k() {
            Wide::K
        } else if alone && matrix.wide_along_outer() && side % 4 == 0 {
            Wide::Outer
        } else {
            Wide::No
        };
        Self {
            matrix,
            wide,
            side,
            name,
        }
    }

    /// Steps along m or n, and along k, in units of what is read at once.
    fn unit(&self) -> usize {
        if self.wide == Wide::No { 1 } else { 4 }
    }

    /// Binds `{name}_at` to the index of the first element of the tile.
    fn start(&self, w: &mut Writer, origin: &str) {
        let mut terms = vec![self.matrix.start("batch")];
        terms.extend(times(origin, self.matrix.outer));
        let at = sum(terms);
        match self.unit() {
            1 => w.line(format!("let {}_at = {at};", self.name)),
            unit => w.line(format!("let {}_at = ({at}) / {unit}u;", self.name)),
        }
    }

    /// Reads `steps` steps from `k` on; returns the text of each element by step and position.
    fn read(&self, w: &mut Writer, steps: usize) -> Vec<Vec<String>> {
        let Matrix {
            buffer,
            outer,
            inner,
            ..
        } = self.matrix;
        let name = self.name;
        let at = if self.wide == Wide::K {
            format!("{name}_at + k / 4u")
        } else {
            sum([
                vec![format!("{name}_at")],
                times("k", inner / self.unit()).into_iter().collect(),
            ]
            .concat())
        };
        let at = w.bind("at", at);
        let place = |offset: usize| match offset {
            0 => format!("b{buffer}[{at}]"),
            _ => format!("b{buffer}[{at} + {offset}u]"),
        };
        let part = |name: &str, lane: usize| format!("{name}.{}", ["x", "y", "z", "w"][lane]);
        let mut out = vec![vec![String::new(); self.side]; steps];
        match self.wide {
            Wide::K => {
                for p in 0..self.side {
                    let read = w.bind(name, place(p * outer / 4));
                    for (step, row) in out.iter_mut().enumerate() {
                        row[p] = part(&read, step);
                    }
                }
            }
            Wide::Outer => {
                for (step, row) in out.iter_mut().enumerate() {
                    for p in (0..self.side).step_by(4) {
                        let read = w.bind(name, place((step * inner + p) / 4));
                        for lane in 0..4 {
                            row[p + lane] = part(&read, lane);
                        }
                    }
                }
            }
            Wide::No => {
                for (step, row) in out.iter_mut().enumerate() {
                    for (p, text) in row.iter_mut().enumerate() {
                        *text = w.bind(name, place(step * inner + p * outer));
                    }
                }
            }
        }
        out
    }
}

/// The results of a tile.
#[derive(Clone, Copy)]
struct Accumulators {
    rows: usize,
    cols: usize,
}

impl Accumulators {
    fn declare(self, w: &mut Writer) {
        for r in 0..self.rows {
            for c in (0..self.cols).step_by(self.width()) {
                w.line(format!("var acc_{r}_{c} = {}(0.0f);", self.ty()));
            }
        }
    }

    fn width(self) -> usize {
        if self.cols % 4 == 0 { 4 } else { 1 }
    }

    fn ty(self) -> &'static str {
        if self.width() == 4 {
            "vec4<f32>"
        } else {
            "f32"
        }
    }

    /// Adds the outer products of columns of A and rows of B, all steps of one accumulator in turn
    /// so that it stays in a register meanwhile.
    fn update(self, w: &mut Writer, left: &[Vec<String>], right: &[Vec<String>]) {
        let width = self.width();
        for c in (0..self.cols).step_by(width) {
            let rows: Vec<String> = right
                .iter()
                .map(|row| match &row[c..c + width] {
                    [one] => one.clone(),
                    four => w.bind("row", format!("vec4<f32>({})", four.join(", "))),
                })
                .collect();
            for r in 0..self.rows {
                for (left, row) in left.iter().zip(&rows) {
                    w.line(format!("acc_{r}_{c} += {} * {row};", left[r]));
                }
            }
        }
    }

    /// Stores the tile through a loop over its elements, so that the epilogue appears once: drivers
    /// take seconds to compile it once per element.
    fn store(self, w: &mut Writer, kernel: &Gemm, wide: &[bool]) {
        let Gemm { m, n, .. } = *kernel;
        let Self { rows, cols } = self;
        w.line(format!("var results: array<f32, {}>;", rows * cols));
        for r in 0..rows {
            for c in 0..cols {
                let width = self.width();
                let acc = format!("acc_{r}_{}", c / width * width);
                let acc = match width {
                    1 => acc,
                    _ => format!("{acc}.{}", ["x", "y", "z", "w"][c % 4]),
                };
                w.line(format!("results[{}] = {acc};", r * cols + c));
            }
        }
        w.open_loop("r", "0u", &format!("{rows}u"), "1u");
        w.open_loop("c", "0u", &format!("{cols}u"), "1u");
        let mut conditions = Vec::new();
        if m % rows != 0 {
            conditions.push("row + r >= first_row");
        }
        if n % cols != 0 {
            conditions.push("col + c >= first_col");
        }
        if !conditions.is_empty() {
            w.open(format!("if {}", conditions.join(" && ")));
        }
        w.line(format!(
            "let i = ((batch * {m}u + row) + r) * {n}u + col + c;"
        ));
        w.line(format!("let acc = results[r * {cols}u + c];"));
        epilogue(w, kernel, wide, "i", "acc");
        if !conditions.is_empty() {
            w.close();
        }
        w.close();
        w.close();
    }
}
