//! Matrix products by cooperative matrices ([`crate::Tile::Cooperative`]).
//!
//! The workgroup copies a tile of each operand into workgroup memory as f16, in lines along the dimension
//! in which the operand lies in memory, and every subgroup multiplies its part of the result from there.
//! The next tiles are read into registers meanwhile. Reads beyond the matrices are moved back inside and,
//! along k, replaced by zeros.
//!
//! With [`Products::Split`] an operand x is h + r/2048, both f16: the two products h·r are summed apart
//! from h·h, since they are 2048 times too large, and r·r is too small to matter.

mod stage;
mod store;
mod tiles;

pub(crate) use self::tiles::cooperative_tiles;
use super::matrix::{Matrix, Wide};
use super::result::{epilogue_forms, locate};
use crate::emit::form::Form;
use crate::wgsl::{Builtin, Interface, Module, Writer};
use crate::{BufferType, Caps, Gemm, Products};

/// Numbers of a result that are stored together.
const UNIT: usize = 4;
/// Numbers between the end of a line and the next, so that lines start in different banks.
const GAP: usize = 8;
/// What the second half of a split operand is multiplied by: an f16 has 11 bits.
const SCALE: usize = 2048;

/// A product and its tile.
pub(crate) struct Cooperative<'a> {
    kernel: &'a Gemm,
    caps: &'a Caps,
    /// Rows and columns per workgroup.
    block: [usize; 2],
    /// Summed extent per stage.
    depth: usize,
    /// Rows and columns per subgroup.
    part: [usize; 2],
    /// Numbers per element of the staged tiles, 1 or 4.
    word: usize,
    /// Rows and columns of a fragment.
    size: usize,
    /// Whether operands are split in two.
    split: bool,
    /// Invocations per subgroup.
    lanes: usize,
}

/// An operand and its tile.
struct Side {
    matrix: Matrix,
    /// `a` or `b`.
    name: &'static str,
    /// First row or column of the workgroup's tile.
    origin: &'static str,
    /// Rows or columns of the tile.
    block: usize,
    /// Whether a line of the tile goes along k (or else along the rows or columns).
    along_k: bool,
    /// Numbers per line.
    line: usize,
    /// Lines of the tile.
    lines: usize,
    /// Numbers per read: eight f16, four f32.
    run: usize,
}

impl Side {
    /// Numbers from the start of a line to that of the next.
    fn pitch(&self) -> usize {
        self.line + GAP
    }

    /// Whether so many invocations each make the same number of reads, a whole number of lines apart.
    fn even(&self, threads: usize) -> bool {
        let reads = self.line / self.run;
        threads.is_multiple_of(reads) && (reads * self.lines).is_multiple_of(threads)
    }
}

impl<'a> Cooperative<'a> {
    /// See [`crate::Tile::Cooperative`].
    pub(crate) fn new(
        kernel: &'a Gemm,
        caps: &'a Caps,
        [block_m, block_n, depth]: [usize; 3],
        part: [usize; 2],
        word: usize,
    ) -> Self {
        let (size, split) = match caps.products {
            Products::Exact => (16, false),
            Products::Half { size } => (size as usize, false),
            Products::Split { size } => (size as usize, true),
        };
        Self {
            kernel,
            caps,
            block: [block_m, block_n],
            depth,
            part,
            word,
            size,
            split,
            lanes: caps.lanes(),
        }
    }

    /// Whether the adapter can run the tile, and its parts and reads come out even.
    pub(crate) fn fits(&self) -> bool {
        let fragments = [0, 1].iter().all(|&d| {
            self.block[d].is_multiple_of(self.part[d]) && self.part[d].is_multiple_of(self.size)
        });
        let threads = self.threads();
        fragments
            && self.lanes > 1
            && self.depth.is_multiple_of(self.size)
            && threads <= self.caps.workgroup_size as usize
            && self.bytes() <= self.caps.workgroup_memory as usize
            && self.sides().iter().all(|side| side.even(threads))
    }

    /// Bytes of workgroup memory.
    fn bytes(&self) -> usize {
        let tiles: usize = self.sides().iter().map(|s| 2 * s.lines * s.pitch()).sum();
        self.tiles().len() * (tiles + 4 * self.subgroups() * self.size * self.size)
    }

    /// The module's text and its grid.
    pub(crate) fn emit(&self) -> (Module, [u32; 3]) {
        let k = self.kernel.k;
        let sides = self.sides();
        let mut w = Writer::new();
        let grid = locate(&mut w, self.kernel, self.block, self.caps);
        let parts = self.block[1] / self.part[1];
        let [part_m, part_n] = self.part;
        w.line(format!("let part_row = subgroup / {parts}u * {part_m}u;"));
        w.line(format!("let part_col = subgroup % {parts}u * {part_n}u;"));
        for side in &sides {
            self.start(&mut w, side);
        }
        let ty = self.fragment("f32", "C");
        for sum in self.sums() {
            for (i, j) in self.fragments() {
                w.line(format!("var {sum}_{i}_{j}: {ty};"));
            }
        }
        for side in &sides {
            self.fetch(&mut w, side, "0u");
        }
        w.open_loop("k", "0u", &format!("{k}u"), &format!("{}u", self.depth));
        for side in &sides {
            self.stage(&mut w, side);
        }
        w.line("workgroupBarrier();");
        w.line(format!("let next = k + {}u;", self.depth));
        w.open(format!("if next < {k}u"));
        for side in &sides {
            self.fetch(&mut w, side, "next");
        }
        w.close();
        for step in (0..self.depth).step_by(self.size) {
            self.multiply(&mut w, &sides, step);
        }
        w.line("workgroupBarrier();");
        w.close();
        let (mut forms, quad) = epilogue_forms(self.kernel, self.caps);
        self.store(&mut w, (&forms, quad));
        for side in &sides {
            if side.matrix.wide != Wide::No {
                let buffer = side.matrix.buffer;
                forms[buffer] = match side.run {
                    8 => Form::Packed,
                    _ => Form::of(self.kernel.bindings[buffer], true, self.caps),
                };
            }
        }
        let builtins = [Builtin::Workgroup, Builtin::Local, Builtin::Subgroup];
        let mut interface = Interface::new(&self.kernel.bindings, forms, self.threads(), &builtins);
        interface.extensions = vec!["wgpu_cooperative_matrix", "f16"];
        let element = if self.word == 1 { "f16" } else { "vec4<f16>" };
        for side in &sides {
            let ty = format!(
                "array<{element}, {}>",
                side.lines * side.pitch() / self.word
            );
            for tile in self.tiles() {
                let name = format!("{}_{tile}", side.name);
                interface.shared.push((name, ty.clone()));
            }
        }
        let ty = format!("array<f32, {}>", self.subgroups() * self.size * self.size);
        for sum in self.sums() {
            interface.shared.push((format!("{sum}_out"), ty.clone()));
        }
        (w.module(&interface), grid)
    }

    /// Multiplies the fragments of the staged tiles at one step along k.
    fn multiply(&self, w: &mut Writer, sides: &[Side; 2], step: usize) {
        for (d, side) in sides.iter().enumerate() {
            for tile in self.tiles() {
                for f in 0..self.part[d] / self.size {
                    let load = self.load(side, tile, f, step);
                    w.line(format!("let {}_{tile}_{step}_{f} = {load};", side.name));
                }
            }
        }
        let products: &[[&str; 3]] = match self.split {
            true => &[
                ["main", "high", "high"],
                ["minor", "high", "low"],
                ["minor", "low", "high"],
            ],
            false => &[["main", "high", "high"]],
        };
        for [sum, a, b] in products {
            for (i, j) in self.fragments() {
                w.line(format!(
                    "{sum}_{i}_{j} = coopMultiplyAdd(a_{a}_{step}_{i}, b_{b}_{step}_{j}, {sum}_{i}_{j});"
                ));
            }
        }
    }

    /// The text of fragment `f` of a staged tile at one step along k. Lines along k are rows of the left
    /// operand but columns of the right one.
    fn load(&self, side: &Side, tile: &str, f: usize, step: usize) -> String {
        let left = side.name == "a";
        let (role, part) = if left {
            ("A", "part_row")
        } else {
            ("B", "part_col")
        };
        let load = if side.along_k == left {
            "coopLoadT"
        } else {
            "coopLoad"
        };
        let (word, pitch) = (self.word, side.pitch() / self.word);
        let at = if side.along_k {
            format!(
                "({part} + {}u) * {pitch}u + {}u",
                f * self.size,
                step / word
            )
        } else {
            let part = match word {
                1 => part.to_string(),
                _ => format!("{part} / {word}u"),
            };
            format!("{part} + {}u", step * pitch + f * self.size / word)
        };
        let ty = self.fragment("f16", role);
        format!("{load}<{ty}>(&{}_{tile}[{at}], {pitch}u)", side.name)
    }

    fn fragment(&self, scalar: &str, role: &str) -> String {
        format!("coop_mat{0}x{0}<{scalar},{role}>", self.size)
    }

    /// Rows and columns of the fragments of a part of the result.
    fn fragments(&self) -> impl Iterator<Item = (usize, usize)> {
        let [down, across] = self.part.map(|extent| extent / self.size);
        (0..down * across).map(move |f| (f / across, f % across))
    }

    /// What is staged of an operand.
    fn tiles(&self) -> &'static [&'static str] {
        if self.split {
            &["high", "low"]
        } else {
            &["high"]
        }
    }

    /// What is summed.
    fn sums(&self) -> &'static [&'static str] {
        if self.split {
            &["main", "minor"]
        } else {
            &["main"]
        }
    }

    fn subgroups(&self) -> usize {
        (self.block[0] / self.part[0]) * (self.block[1] / self.part[1])
    }

    /// Invocations per workgroup.
    fn threads(&self) -> usize {
        self.subgroups() * self.lanes
    }

    fn sides(&self) -> [Side; 2] {
        let [a, b] = Matrix::operands(self.kernel);
        let side = |matrix: Matrix, name, origin, block| {
            let along_k = match matrix.wide {
                Wide::Inner => true,
                Wide::Outer => false,
                Wide::No => matrix.inner == 1,
            };
            let (line, lines) = match along_k {
                true => (self.depth, block),
                false => (block, self.depth),
            };
            let half = self.kernel.bindings[matrix.buffer].ty == BufferType::F16;
            let run = if half && matrix.eights { 8 } else { 4 };
            Side {
                matrix,
                name,
                origin,
                block,
                along_k,
                line,
                lines,
                run,
            }
        };
        let mut sides = [
            side(a, "a", "row", self.block[0]),
            side(b, "b", "col", self.block[1]),
        ];
        // Both, since they may be one buffer, which has one form.
        if !sides.iter().all(|side| side.even(self.threads())) {
            sides.iter_mut().for_each(|side| side.run = 4);
        }
        sides
    }
}
