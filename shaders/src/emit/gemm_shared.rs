//! Matrix products for GPUs ([`crate::Tile::Shared`]).
//!
//! The workgroup copies a tile of each operand, k outermost, into workgroup memory, then every
//! invocation multiplies its rows and columns of them. Both are interleaved among invocations, so
//! that neighbours read neighbouring words and store neighbouring results. Reads beyond the matrices
//! are moved back inside and, along k, replaced by zeros.

use super::form::Form;
use super::gemm::{epilogue, place};
use super::grid::{fold, linear_group};
use super::index::coordinate;
use super::matrix::{Matrix, Wide};
use crate::wgsl::{Builtin, Interface, Module, Writer, sum, times};
use crate::{Caps, Gemm};

/// A product and its tile.
pub(crate) struct Shared<'a> {
    /// The product.
    pub(crate) kernel: &'a Gemm,
    /// Rows and columns per workgroup.
    pub(crate) block: [usize; 2],
    /// Summed extent per stage; a multiple of 4.
    pub(crate) depth: usize,
    /// Rows and columns per invocation.
    pub(crate) each: [usize; 2],
}

/// An operand and its tile.
struct Side {
    matrix: Matrix,
    /// Variable in workgroup memory, and where the operand's matrix of the batch starts.
    names: [&'static str; 2],
    /// First row or column of the workgroup's tile.
    origin: &'static str,
    /// Rows or columns of the tile.
    block: usize,
    /// Words between steps of k.
    pitch: usize,
}

impl Shared<'_> {
    /// The module's text and its grid.
    pub(crate) fn emit(&self, caps: &Caps) -> (Module, [u32; 3]) {
        let Gemm { batch, m, n, k, .. } = *self.kernel;
        let (down, across) = (m.div_ceil(self.block[0]), n.div_ceil(self.block[1]));
        let tiles = batch * down * across;
        let grid = fold(tiles, caps);
        let sides = self.sides();
        let mut w = Writer::new();
        w.line(format!("let tile = {};", linear_group(grid)));
        if grid.iter().map(|&g| g as usize).product::<usize>() != tiles {
            w.open(format!("if tile >= {tiles}u"));
            w.line("return;");
            w.close();
        }
        let shape = [batch, down, across];
        let [number, row, col] = [0, 1, 2].map(|d| coordinate(&shape, d, "tile"));
        w.line(format!("let row = {row} * {}u;", self.block[0]));
        w.line(format!("let col = {col} * {}u;", self.block[1]));
        w.line(format!("let batch = {number};"));
        let [threads_m, threads_n] = self.threads();
        w.line(format!("let local_row = local / {threads_n}u;"));
        w.line(format!("let local_col = local % {threads_n}u;"));
        for side in &sides {
            let start = side.matrix.start("batch");
            w.line(format!("let {} = {start};", side.names[1]));
        }
        let [rows, cols] = self.each;
        for r in 0..rows {
            for c in 0..cols {
                w.line(format!("var acc_{r}_{c} = 0.0f;"));
            }
        }
        w.open_loop("k", "0u", &format!("{k}u"), &format!("{}u", self.depth));
        for side in &sides {
            self.stage(&mut w, side);
        }
        w.line("workgroupBarrier();");
        w.open_loop("step", "0u", &format!("{}u", self.depth), "1u");
        let own = [
            ("local_row", threads_m, rows),
            ("local_col", threads_n, cols),
        ];
        for (side, (local, apart, count)) in sides.iter().zip(own) {
            for p in 0..count {
                w.line(format!(
                    "let {}_{p} = {}[step * {}u + {local} + {}u];",
                    side.origin,
                    side.names[0],
                    side.pitch,
                    p * apart
                ));
            }
        }
        for r in 0..rows {
            for c in 0..cols {
                w.line(format!("acc_{r}_{c} += row_{r} * col_{c};"));
            }
        }
        w.close();
        w.line("workgroupBarrier();");
        w.close();
        self.store(&mut w);
        let workgroup = threads_m * threads_n;
        let builtins = [Builtin::Workgroup, Builtin::Local];
        let forms = vec![Form::Scalar; self.kernel.bindings.len()];
        let mut interface = Interface::new(&self.kernel.bindings, forms, workgroup, &builtins);
        for side in &sides {
            if side.matrix.wide != Wide::No {
                interface.forms[side.matrix.buffer] = Form::Quad;
            }
            let ty = format!("array<f32, {}>", self.depth * side.pitch);
            interface.shared.push((side.names[0].to_string(), ty));
        }
        (w.module(&interface), grid)
    }

    /// Invocations along rows and columns.
    fn threads(&self) -> [usize; 2] {
        [0, 1].map(|d| self.block[d] / self.each[d])
    }

    fn sides(&self) -> [Side; 2] {
        let [a, b] = Matrix::operands(self.kernel);
        // Neighbours that copy along k would all write to one bank without the odd pitch.
        let pitch = |matrix: &Matrix, block: usize| block + usize::from(matrix.inner == 1);
        [
            Side {
                pitch: pitch(&a, self.block[0]),
                matrix: a,
                names: ["a_tile", "a_start"],
                origin: "row",
                block: self.block[0],
            },
            Side {
                pitch: pitch(&b, self.block[1]),
                matrix: b,
                names: ["b_tile", "b_start"],
                origin: "col",
                block: self.block[1],
            },
        ]
    }

    /// Copies the tile of an operand, in the order in which it lies in memory.
    fn stage(&self, w: &mut Writer, side: &Side) {
        let matrix = &side.matrix;
        let [tile, start] = side.names;
        let along_k = matrix.inner == 1 && matrix.wide != Wide::Outer;
        let unit = matrix.unit();
        let (inner_reads, outer_reads) = match along_k {
            true => (self.depth / unit, side.block),
            false => (self.depth, side.block / unit),
        };
        let [threads_m, threads_n] = self.threads();
        w.open_loop(
            "read",
            "local",
            &format!("{}u", inner_reads * outer_reads),
            &format!("{}u", threads_m * threads_n),
        );
        let (step, place) = if along_k {
            (
                format!("read % {inner_reads}u"),
                format!("read / {inner_reads}u"),
            )
        } else {
            (
                format!("read / {outer_reads}u"),
                format!("read % {outer_reads}u"),
            )
        };
        let scaled = |text: String, by: bool| match by && unit > 1 {
            true => format!("{text} * {unit}u"),
            false => text,
        };
        w.line(format!("let step = {};", scaled(step, along_k)));
        w.line(format!("let place = {};", scaled(place, !along_k)));
        let deep = !self.kernel.k.is_multiple_of(self.depth);
        let at_k = if deep {
            let last = self.kernel.k - if along_k { unit } else { 1 };
            format!("min(k + step, {last}u)")
        } else {
            "(k + step)".to_string()
        };
        let origin = side.origin;
        let at_place = if !matrix.extent.is_multiple_of(side.block) {
            let last = matrix.extent - if along_k { 1 } else { unit };
            format!("min({origin} + place, {last}u)")
        } else {
            format!("({origin} + place)")
        };
        let mut terms = vec![start.to_string()];
        terms.extend(times(&at_place, matrix.outer));
        terms.extend(times(&at_k, matrix.inner));
        let index = match unit {
            1 => sum(terms),
            _ => format!("({}) / {unit}u", sum(terms)),
        };
        let mut value = format!("b{}[{index}]", matrix.buffer);
        if deep {
            let zero = if unit == 1 { "0.0f" } else { "vec4<f32>()" };
            value = format!("select({zero}, {value}, k + step < {}u)", self.kernel.k);
        }
        w.line(format!("let value = {value};"));
        for part in 0..unit {
            let (step, place) = match along_k {
                true => (part, 0),
                false => (0, part),
            };
            let component = if unit == 1 {
                String::new()
            } else {
                format!(".{}", ["x", "y", "z", "w"][part])
            };
            w.line(format!(
                "{tile}[step * {}u + place + {}u] = value{component};",
                side.pitch,
                step * side.pitch + place
            ));
        }
        w.close();
    }

    /// Stores the results in a loop of constant length, which drivers unroll when that is worth it.
    fn store(&self, w: &mut Writer) {
        let Gemm { m, n, .. } = *self.kernel;
        let [rows, cols] = self.each;
        let [threads_m, threads_n] = self.threads();
        let results: Vec<String> = (0..rows * cols)
            .map(|e| format!("acc_{}_{}", e / cols, e % cols))
            .collect();
        let ty = format!("array<f32, {}>", rows * cols);
        w.line(format!("var results = {ty}({});", results.join(", ")));
        w.open_loop("e", "0u", &format!("{}u", rows * cols), "1u");
        w.line(format!(
            "let at_row = row + local_row + e / {cols}u * {threads_m}u;"
        ));
        w.line(format!(
            "let at_col = col + local_col + e % {cols}u * {threads_n}u;"
        ));
        let mut inside = Vec::new();
        if !m.is_multiple_of(self.block[0]) {
            inside.push(format!("at_row < {m}u"));
        }
        if !n.is_multiple_of(self.block[1]) {
            inside.push(format!("at_col < {n}u"));
        }
        if !inside.is_empty() {
            w.open(format!("if {}", inside.join(" && ")));
        }
        w.line(format!(
            "let i = {};",
            place(self.kernel, "at_row", "at_col")
        ));
        w.line("let acc = results[e];");
        let forms = vec![Form::Scalar; self.kernel.bindings.len()];
        epilogue(w, self.kernel, ("i", "acc"), (&forms, false));
        if !inside.is_empty() {
            w.close();
        }
        w.close();
    }
}
