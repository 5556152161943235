//! Matrix products for GPUs ([`crate::Tile::Shared`]).
//!
//! The workgroup copies a tile of each operand into workgroup memory, as vec4s of four rows or columns
//! with k outermost, then every invocation multiplies its rows and columns of them. While it does, the
//! next tiles are on their way from the buffers. Rows and columns are interleaved among invocations
//! four by four, so that neighbours read neighbouring vec4s and store neighbouring results. Reads beyond
//! the matrices are moved back inside.

mod stage;
mod store;

use super::matrix::{Matrix, Wide};
use super::result::{epilogue_forms, locate};
use crate::emit::form::Form;
use crate::emit::index::coordinate;
use crate::wgsl::{Builtin, Interface, Module, Writer, plus, sum};
use crate::{Caps, Gemm};

/// Components of a vec4.
const PARTS: [&str; 4] = ["x", "y", "z", "w"];
/// Products per invocation that are written out per turn of the inner loop: enough to read ahead.
const WRITTEN_OUT: usize = 1024;
/// Rows and columns of invocations that read the same vec4s of workgroup memory together.
const PATCH: [usize; 2] = [4, 8];

/// A product and its tile.
pub(crate) struct Shared<'a> {
    kernel: &'a Gemm,
    caps: &'a Caps,
    /// Rows and columns per workgroup; multiples of `each`.
    block: [usize; 2],
    /// Summed extent per stage; a multiple of 4.
    depth: usize,
    /// Rows and columns per invocation; multiples of 4.
    each: [usize; 2],
    /// Invocations that share the sums of the same results; a power of two.
    split: usize,
    sides: [Side; 2],
}

/// An operand and its tile.
struct Side {
    matrix: Matrix,
    /// Where the operand's matrix of the batch starts.
    start: &'static str,
    /// First row or column of the workgroup's tile.
    origin: &'static str,
    /// The invocation's vec4 among those of a step.
    local: &'static str,
    /// Rows or columns of the tile.
    block: usize,
    /// Number of the tile's first vec4, and vec4s between steps of k.
    first: usize,
    pitch: usize,
}

impl<'a> Shared<'a> {
    /// See [`crate::Tile::Shared`].
    pub(crate) fn new(
        kernel: &'a Gemm,
        caps: &'a Caps,
        (block, depth): ([usize; 2], usize),
        (each, split): ([usize; 2], usize),
    ) -> Self {
        let [a, b] = Matrix::operands(kernel);
        let [pitch_a, pitch_b] = block.map(pitch);
        let sides = [
            Side {
                matrix: a,
                start: "a_start",
                origin: "row",
                local: "local_row",
                block: block[0],
                first: 0,
                pitch: pitch_a,
            },
            Side {
                matrix: b,
                start: "b_start",
                origin: "col",
                local: "local_col",
                block: block[1],
                first: depth * pitch_a,
                pitch: pitch_b,
            },
        ];
        Self {
            kernel,
            caps,
            block,
            depth,
            each,
            split,
            sides,
        }
    }

    /// The module's text and its grid.
    pub(crate) fn emit(&self) -> (Module, [u32; 3]) {
        let mut w = Writer::new();
        let grid = self.locate(&mut w);
        for r in 0..self.each[0] {
            for c in 0..self.each[1] / 4 {
                w.line(format!("var acc_{r}_{c} = vec4<f32>();"));
            }
        }
        self.walk(&mut w);
        self.join(&mut w);
        self.store(&mut w);
        let builtins = [Builtin::Workgroup, Builtin::Local];
        let mut forms = epilogue_forms(self.kernel, self.caps).0;
        for Side { matrix, .. } in &self.sides {
            if matrix.wide != Wide::No {
                let binding = self.kernel.bindings[matrix.buffer];
                forms[matrix.buffer] = Form::of(binding, true, self.caps);
            }
        }
        let invocations = self.invocations();
        let mut interface = Interface::new(&self.kernel.bindings, forms, invocations, &builtins);
        let ty = format!("array<vec4<f32>, {}>", self.room());
        interface.shared.push(("tiles".to_string(), ty));
        (w.module(&interface), grid)
    }

    /// Invocations along rows and columns.
    fn threads(&self) -> [usize; 2] {
        [0, 1].map(|d| self.block[d] / self.each[d])
    }

    /// Invocations per workgroup.
    fn invocations(&self) -> usize {
        self.threads().iter().product::<usize>() * self.split
    }

    /// Vec4s of workgroup memory: for the tiles, and for one sum per invocation that hands it on.
    fn room(&self) -> usize {
        let [a, b] = &self.sides;
        let tiles = self.depth * (a.pitch + b.pitch);
        match self.split {
            1 => tiles,
            _ => tiles.max(self.invocations() / 2),
        }
    }

    /// Binds what the workgroup and the invocation compute.
    fn locate(&self, w: &mut Writer) -> [u32; 3] {
        let grid = locate(w, self.kernel, self.block, self.caps);
        let threads = self.threads();
        let [patch_m, patch_n] = [0, 1].map(|d| match threads[d].is_multiple_of(PATCH[d]) {
            true => PATCH[d],
            false => threads[d],
        });
        let patches = [threads[0] / patch_m, threads[1] / patch_n];
        let shape = [self.split, patches[0], patches[1], patch_m, patch_n];
        let of = |d: usize| coordinate(&shape, d, "local");
        let own = [("local_row", 1, patch_m), ("local_col", 2, patch_n)];
        for (name, d, patch) in own {
            let mut terms = Vec::new();
            if shape[d] > 1 {
                terms.push(format!("{} * {patch}u", of(d)));
            }
            if patch > 1 {
                terms.push(of(d + 2));
            }
            w.line(format!("let {name} = {};", sum(terms)));
        }
        if self.split > 1 {
            w.line(format!("let part = {};", of(0)));
        }
        for Side { matrix, start, .. } in &self.sides {
            w.line(format!("let {start} = {};", matrix.start("batch")));
        }
        grid
    }

    /// Adds up along k, tile by tile; what a last tile has left over is not multiplied.
    fn walk(&self, w: &mut Writer) {
        let (k, depth) = (self.kernel.k, self.depth);
        let rest = k % depth;
        let whole = k - rest;
        self.declare_held(w);
        self.read(w, "0u");
        if whole > 0 {
            w.open_loop("k", "0u", &format!("{whole}u"), &format!("{depth}u"));
            self.keep(w);
            w.line("workgroupBarrier();");
            if k > depth {
                w.line(format!("let next = k + {depth}u;"));
                if rest == 0 {
                    w.open(format!("if next < {k}u"));
                }
                self.read(w, "next");
                if rest == 0 {
                    w.close();
                }
            }
            self.multiply(w, depth);
            w.line("workgroupBarrier();");
            w.close();
        }
        if rest > 0 {
            self.keep(w);
            w.line("workgroupBarrier();");
            self.multiply(w, rest);
            if self.split > 1 {
                w.line("workgroupBarrier();");
            }
        }
    }

    /// Multiplies the first `steps` of the tiles; the parts of a split take turns.
    fn multiply(&self, w: &mut Writer, steps: usize) {
        let threads = self.threads();
        let [rows, cols] = self.each;
        let fits =
            |n: &usize| steps.is_multiple_of(n * self.split) && n * rows * cols <= WRITTEN_OUT;
        let turns = [16, 8, 4, 2].into_iter().find(fits).unwrap_or(1);
        let from = if self.split > 1 { "part" } else { "0u" };
        let stride = format!("{}u", turns * self.split);
        w.open_loop("step", from, &format!("{steps}u"), &stride);
        for (side, name) in self.sides.iter().zip(["a", "b"]) {
            let Side {
                local,
                first,
                pitch,
                ..
            } = side;
            w.line(format!(
                "let {name} = {first}u + step * {pitch}u + {local};"
            ));
        }
        for turn in 0..turns {
            for (d, (side, name)) in self.sides.iter().zip(["a", "b"]).enumerate() {
                for p in 0..self.each[d] / 4 {
                    let apart = turn * self.split * side.pitch + p * threads[d];
                    let at = plus(name, apart);
                    w.line(format!("let {name}_{turn}_{p} = tiles[{at}];"));
                }
            }
            for r in 0..rows {
                for c in 0..cols / 4 {
                    let (p, part) = (r / 4, PARTS[r % 4]);
                    w.line(format!(
                        "acc_{r}_{c} = fma(vec4<f32>(a_{turn}_{p}.{part}), b_{turn}_{c}, acc_{r}_{c});"
                    ));
                }
            }
        }
        w.close();
    }
}

/// Vec4s between steps of a tile: an odd number, so that steps start in different banks.
pub(crate) fn pitch(block: usize) -> usize {
    (block / 4) | 1
}
