//! Matrix products for CPU adapters ([`crate::Tile::Lanes`]).
//!
//! Lanes that overhang the result read its last row or column again and store nothing, so the main
//! loop has no branches.

mod store;

use super::matrix::{Matrix, Wide};
use crate::emit::form::Form;
use crate::emit::grid::{fold, linear_group, linear_invocation};
use crate::emit::index::coordinate;
use crate::wgsl::{Builtin, Interface, Module, Writer, sum, times};
use crate::{Caps, Gemm};

/// Invocations per workgroup where there are no subgroups.
const ALONE: usize = 16;
/// Steps along k per turn of the main loop.
const STEPS: usize = 4;
/// Components of a vec4.
const PARTS: [&str; 4] = ["x", "y", "z", "w"];

/// A product and its tile.
pub(crate) struct Lanes<'a> {
    kernel: &'a Gemm,
    caps: &'a Caps,
    lanes: usize,
    /// The operand read once per subgroup, and positions of it per tile.
    common: Matrix,
    shared: usize,
    /// The operand each lane reads for itself, and positions of it per lane.
    private: Matrix,
    own: usize,
    transposed: bool,
}

impl<'a> Lanes<'a> {
    /// See [`crate::Tile::Lanes`].
    pub(crate) fn new(
        kernel: &'a Gemm,
        caps: &'a Caps,
        [lanes, shared, own]: [usize; 3],
        transposed: bool,
    ) -> Self {
        let [a, b] = Matrix::operands(kernel);
        let (common, private) = if transposed { (b, a) } else { (a, b) };
        Self {
            kernel,
            caps,
            lanes,
            common,
            shared,
            private,
            own,
            transposed,
        }
    }

    /// The module's text and its grid.
    pub(crate) fn emit(&self) -> (Module, [u32; 3]) {
        let mut w = Writer::new();
        let down = self.common.extent.div_ceil(self.shared);
        let across = self.private.extent.div_ceil(self.lanes * self.own);
        let tiles = self.kernel.batch * down * across;
        let grid = if self.lanes == 1 {
            let grid = fold(tiles.div_ceil(ALONE), self.caps);
            linear_invocation(&mut w, "tile", ALONE, tiles, grid);
            grid
        } else {
            let grid = fold(tiles, self.caps);
            w.line(format!("let tile = {};", linear_group(grid)));
            if grid.iter().map(|&n| n as usize).product::<usize>() != tiles {
                w.open(format!("if tile >= {tiles}u"));
                w.line("return;");
                w.close();
            }
            grid
        };
        // Consecutive tiles share the operand whose rows lie apart, so that it stays in the cache.
        let batch = self.kernel.batch;
        let (common, private) = if self.private.inner > self.common.inner {
            let shape = [batch, across, down];
            (coordinate(&shape, 2, "tile"), coordinate(&shape, 1, "tile"))
        } else {
            let shape = [batch, down, across];
            (coordinate(&shape, 1, "tile"), coordinate(&shape, 2, "tile"))
        };
        let (shared, own) = self.axes();
        w.line(format!("let {shared} = {common} * {}u;", self.shared));
        w.line(format!(
            "let {own} = {private} * {}u;",
            self.lanes * self.own
        ));
        let number = coordinate(&[batch, down * across], 0, "tile");
        w.line(format!("let batch = {number};"));
        self.starts(&mut w);
        for r in 0..self.shared {
            for c in (0..self.own).step_by(self.width()) {
                w.line(format!("var acc_{r}_{c} = {}();", self.ty()));
            }
        }
        let k = self.kernel.k;
        let main = k - k % STEPS;
        if main > 0 {
            w.open_loop("k", "0u", &format!("{main}u"), &format!("{STEPS}u"));
            self.four_steps(&mut w);
            w.close();
        }
        if main < k {
            w.open_loop("k", &format!("{main}u"), &format!("{k}u"), "1u");
            self.one_step(&mut w);
            w.close();
        }
        self.store(&mut w);
        let builtins = if self.lanes == 1 {
            vec![Builtin::Invocation, Builtin::Local]
        } else {
            vec![Builtin::Workgroup, Builtin::Subgroup]
        };
        let (bindings, mut forms) = (&self.kernel.bindings, self.epilogue_forms().0);
        for matrix in [&self.common, &self.private] {
            forms[matrix.buffer] = self.form(matrix);
        }
        let interface = Interface::new(bindings, forms, self.workgroup(), &builtins);
        (w.module(&interface), grid)
    }

    fn workgroup(&self) -> usize {
        if self.lanes == 1 { ALONE } else { self.lanes }
    }

    /// Names of the common and the private dimension.
    fn axes(&self) -> (&'static str, &'static str) {
        if self.transposed {
            ("col", "row")
        } else {
            ("row", "col")
        }
    }

    /// Accumulators per register.
    fn width(&self) -> usize {
        if self.own.is_multiple_of(4) { 4 } else { 1 }
    }

    fn ty(&self) -> &'static str {
        if self.width() == 4 {
            "vec4<f32>"
        } else {
            "f32"
        }
    }

    /// Positions per read of a lane.
    fn spread(matrix: &Matrix) -> usize {
        if matrix.wide == Wide::Outer { 4 } else { 1 }
    }

    /// Neighbouring positions that belong to one lane.
    fn run(&self) -> usize {
        if self.width() == 4 && self.private.extent.is_multiple_of(4) {
            4
        } else {
            1
        }
    }

    /// Binds where each read of a lane starts: `row_0`, `row_1`, … and `col_0`, ….
    fn starts(&self, w: &mut Writer) {
        let (common, own) = (Self::spread(&self.common), Self::spread(&self.private));
        let reads = self.shared.div_ceil(self.lanes * common);
        let firsts: Vec<usize> = (0..reads).map(|r| r * self.lanes * common).collect();
        self.starts_of(w, self.axes().0, &self.common, (&firsts, common));
        let run = self.run();
        let firsts: Vec<usize> = (0..self.own)
            .step_by(own)
            .map(|p| p / run * run * self.lanes + p % run)
            .collect();
        self.starts_of(w, self.axes().1, &self.private, (&firsts, run));
    }

    /// Those of one operand, from the positions that lane 0 reads and the distance to the next lane's.
    fn starts_of(
        &self,
        w: &mut Writer,
        name: &str,
        matrix: &Matrix,
        (firsts, apart): (&[usize], usize),
    ) {
        let base = w.bind("base", matrix.start("batch"));
        for (read, &first) in firsts.iter().enumerate() {
            let mut place = vec![name.to_string()];
            if first > 0 {
                place.push(format!("{first}u"));
            }
            if self.lanes > 1 {
                place.extend(times("lane", apart));
            }
            let last = matrix.extent - Self::spread(matrix);
            let place = format!("min({}, {last}u)", sum(place));
            let mut terms = vec![base.clone()];
            terms.extend(times(&place, matrix.outer));
            let start = match matrix.unit() {
                1 => sum(terms),
                unit => format!("({}) / {unit}u", sum(terms)),
            };
            w.line(format!("let {name}_{read} = {start};"));
        }
    }

    /// The text of read number `read` at step `k + step`.
    fn read(&self, name: &str, matrix: &Matrix, read: usize, step: usize) -> String {
        let mut terms = vec![format!("{name}_{read}")];
        if matrix.wide == Wide::Inner {
            terms.push("k / 4u".to_string());
        } else {
            let k = if step == 0 {
                "k".to_string()
            } else {
                format!("(k + {step}u)")
            };
            terms.extend(times(&k, matrix.inner / matrix.unit()));
        }
        self.form(matrix).read(matrix.buffer, &sum(terms))
    }

    fn form(&self, matrix: &Matrix) -> Form {
        let binding = self.kernel.bindings[matrix.buffer];
        Form::of(binding, matrix.wide != Wide::No, self.caps)
    }

    /// `value` as the lane that holds shared position `r` has it.
    fn broadcast(&self, value: &str, holder: usize) -> String {
        if self.lanes == 1 {
            value.to_string()
        } else {
            format!("subgroupBroadcast({value}, {holder}u)")
        }
    }

    /// Four steps: `a_r` holds shared position r over the steps, and `b_c` is a matrix of four own
    /// positions by step.
    fn four_steps(&self, w: &mut Writer) {
        let name = self.axes().0;
        let spread = Self::spread(&self.common);
        for first in (0..self.shared).step_by(self.lanes * spread) {
            let read = first / (self.lanes * spread);
            let end = self.shared.min(first + self.lanes * spread);
            if self.common.wide == Wide::Inner {
                let value = w.bind("read", self.read(name, &self.common, read, 0));
                for r in first..end {
                    w.line(format!(
                        "let a_{r} = {};",
                        self.broadcast(&value, r - first)
                    ));
                }
                continue;
            }
            let values: Vec<String> = (0..STEPS)
                .map(|step| w.bind("read", self.read(name, &self.common, read, step)))
                .collect();
            for r in (first..end).step_by(spread) {
                let holder = (r - first) / spread;
                let parts: Vec<String> = values
                    .iter()
                    .map(|value| w.bind("part", self.broadcast(value, holder)))
                    .collect();
                for (p, component) in PARTS.iter().take(spread).enumerate() {
                    let part = |s: usize| match spread {
                        1 => parts[s].clone(),
                        _ => format!("{}.{component}", parts[s]),
                    };
                    w.line(format!("let a_{} = {};", r + p, four(&part)));
                }
            }
        }
        for c in (0..self.own).step_by(self.width()) {
            let value = self.own_steps(w, c);
            let value = w.bind("b", value);
            for r in 0..self.shared {
                w.line(match self.width() {
                    4 => format!("acc_{r}_{c} += {value} * a_{r};"),
                    _ => format!("acc_{r}_{c} += dot({value}, a_{r});"),
                });
            }
        }
    }

    /// Own positions from `c` on over four steps: a matrix with a column per step, or for a single
    /// position a vector.
    fn own_steps(&self, w: &mut Writer, c: usize) -> String {
        let matrix = &self.private;
        let name = self.axes().1;
        let columns: Vec<String> = match (matrix.wide, self.width()) {
            (Wide::Outer, _) => (0..STEPS)
                .map(|s| self.read(name, matrix, c / 4, s))
                .collect(),
            (Wide::Inner, 1) => return self.read(name, matrix, c, 0),
            (Wide::No, 1) => return four(&|s| self.read(name, matrix, c, s)),
            (Wide::Inner, _) => (c..c + 4).map(|c| self.read(name, matrix, c, 0)).collect(),
            (Wide::No, _) => (c..c + 4)
                .map(|c| four(&|s| self.read(name, matrix, c, s)))
                .collect(),
        };
        let columns: Vec<String> = columns
            .into_iter()
            .map(|text| w.bind("read", text))
            .collect();
        let square = format!("mat4x4<f32>({})", columns.join(", "));
        if matrix.wide == Wide::Outer {
            square
        } else {
            format!("transpose({square})")
        }
    }

    /// One step, for what is left of k.
    fn one_step(&self, w: &mut Writer) {
        let spread = Self::spread(&self.common);
        for first in (0..self.shared).step_by(self.lanes * spread) {
            let read = first / (self.lanes * spread);
            let value = w.bind("read", self.read(self.axes().0, &self.common, read, 0));
            let end = self.shared.min(first + self.lanes * spread);
            for r in first..end {
                let part = self.broadcast(&value, (r - first) / spread);
                let part = match spread {
                    1 => part,
                    _ => format!("{part}.{}", PARTS[(r - first) % 4]),
                };
                w.line(format!("let a_{r} = {part};"));
            }
        }
        for c in (0..self.own).step_by(self.width()) {
            let read = |c: usize| self.read(self.axes().1, &self.private, c, 0);
            let value = match (self.private.wide, self.width()) {
                (Wide::Outer, _) => read(c / 4),
                (_, 1) => read(c),
                _ => four(&|p| read(c + p)),
            };
            let value = w.bind("b", value);
            for r in 0..self.shared {
                w.line(format!("acc_{r}_{c} += a_{r} * {value};"));
            }
        }
    }
}

/// A vec4 of the texts of its components.
fn four(text: &dyn Fn(usize) -> String) -> String {
    let parts: Vec<String> = (0..4).map(text).collect();
    format!("vec4<f32>({})", parts.join(", "))
}
