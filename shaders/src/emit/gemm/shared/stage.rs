//! Copying tiles: from the buffers into registers, and from there into workgroup memory.
//!
//! An invocation copies squares of four steps by four rows or columns, which it turns in registers where
//! k is innermost.

use super::{PARTS, Shared, Side};
use crate::emit::form::Form;
use crate::emit::gemm::matrix::Wide;
use crate::wgsl::{Writer, plus, sum, times};

impl Side {
    /// Whether neighbouring invocations copy squares that follow each other along k.
    fn along_k(&self) -> bool {
        self.matrix.inner == 1 && self.matrix.wide != Wide::Outer
    }

    /// First step and first row or column (as a vec4's number) of square `unit` (an identifier).
    fn square(&self, unit: &str, depth: usize) -> [String; 2] {
        let (deep, wide) = (depth / 4, self.block / 4);
        match self.along_k() {
            true => [
                format!("{unit} % {deep}u * 4u"),
                format!("{unit} / {deep}u"),
            ],
            false => [
                format!("{unit} / {wide}u * 4u"),
                format!("{unit} % {wide}u"),
            ],
        }
    }
}

impl Shared<'_> {
    /// Declares the registers.
    pub(super) fn declare_held(&self, w: &mut Writer) {
        for turn in 0..self
            .squares()
            .iter()
            .sum::<usize>()
            .div_ceil(self.invocations())
        {
            for j in 0..4 {
                w.line(format!("var held_{turn}_{j}: vec4<f32>;"));
            }
        }
    }

    /// Reads the tiles at `k` (an identifier or number) into registers.
    pub(super) fn read(&self, w: &mut Writer, k: &str) {
        self.each_square(w, |w, side, unit, turn| {
            let [step, place] = side.square(unit, self.depth);
            let step = w.bind("step", format!("{k} + {step}"));
            let place = w.bind("place", format!("{} + {place} * 4u", side.origin));
            for j in 0..4 {
                let value = match side.matrix.wide {
                    Wide::Inner => self.read_at(side, (&step, 0), (&place, j)),
                    Wide::Outer => self.read_at(side, (&step, j), (&place, 0)),
                    Wide::No => {
                        let parts = [0, 1, 2, 3];
                        let parts = parts.map(|c| self.read_at(side, (&step, j), (&place, c)));
                        format!("vec4<f32>({})", parts.join(", "))
                    }
                };
                w.line(format!("held_{turn}_{j} = {value};"));
            }
        });
    }

    /// Stores the registers in workgroup memory.
    pub(super) fn keep(&self, w: &mut Writer) {
        self.each_square(w, |w, side, unit, turn| {
            let [step, place] = side.square(unit, self.depth);
            let Side { first, pitch, .. } = side;
            let at = w.bind("at", format!("{first}u + {step} * {pitch}u + {place}"));
            for (j, part) in PARTS.iter().enumerate() {
                let value = match side.matrix.wide {
                    Wide::Inner => {
                        let parts = [0, 1, 2, 3].map(|c| format!("held_{turn}_{c}.{part}"));
                        format!("vec4<f32>({})", parts.join(", "))
                    }
                    Wide::Outer | Wide::No => format!("held_{turn}_{j}"),
                };
                w.line(format!("tiles[{}] = {value};", plus(&at, j * pitch)));
            }
        });
    }

    /// The text of a read, `steps` and `places` beyond identifiers.
    fn read_at(
        &self,
        side: &Side,
        (step, steps): (&str, usize),
        (place, places): (&str, usize),
    ) -> String {
        let matrix = &side.matrix;
        let inside = |name: &str, beyond: usize, [extent, tile, unit]: [usize; 3]| {
            let text = plus(name, beyond);
            if !extent.is_multiple_of(tile) {
                format!("min({text}, {}u)", extent - unit)
            } else if beyond > 0 {
                format!("({text})")
            } else {
                text
            }
        };
        let unit = |wide: Wide| if matrix.wide == wide { 4 } else { 1 };
        let at_k = [self.kernel.k, self.depth, unit(Wide::Inner)];
        let at_place = [matrix.extent, side.block, unit(Wide::Outer)];
        let mut terms = vec![side.start.to_string()];
        terms.extend(times(&inside(place, places, at_place), matrix.outer));
        terms.extend(times(&inside(step, steps, at_k), matrix.inner));
        let binding = self.kernel.bindings[matrix.buffer];
        let form = Form::of(binding, matrix.unit() > 1, self.caps);
        let at = match matrix.unit() {
            1 => sum(terms),
            unit => format!("({}) / {unit}u", sum(terms)),
        };
        form.read(matrix.buffer, &at)
    }

    /// Squares of both tiles.
    fn squares(&self) -> [usize; 2] {
        [0, 1].map(|d| self.depth / 4 * self.block[d] / 4)
    }

    /// Writes the copying of every square: invocations take those of the left tile, then those of the
    /// right one, in turns that have a register for each of their vec4s.
    fn each_square(&self, w: &mut Writer, write: impl Fn(&mut Writer, &Side, &str, usize)) {
        let [left, right] = self.squares();
        let invocations = self.invocations();
        let [a, b] = &self.sides;
        for turn in 0..(left + right).div_ceil(invocations) {
            let first = turn * invocations;
            let end = (first + invocations).min(left + right);
            let lefts = left.clamp(first, end) - first;
            if lefts > 0 {
                let guarded = lefts < invocations;
                if guarded {
                    w.open(format!("if local < {lefts}u"));
                }
                let unit = w.bind("unit", plus("local", first));
                write(w, a, &unit, turn);
                if guarded {
                    w.close();
                }
            }
            if first + lefts < end {
                let guarded = end - first < invocations;
                match (lefts > 0, guarded) {
                    (true, true) => w.open(format!("else if local < {}u", end - first)),
                    (true, false) => w.open("else"),
                    (false, true) => w.open(format!("if local < {}u", end - first)),
                    (false, false) => {}
                }
                let unit = match first >= left {
                    true => plus("local", first - left),
                    false => format!("local - {}u", left - first),
                };
                let unit = w.bind("unit", unit);
                write(w, b, &unit, turn);
                if lefts > 0 || guarded {
                    w.close();
                }
            }
        }
    }
}
