//! From the operands through registers into workgroup memory.

use super::{Cooperative, SCALE, Side};
use crate::BufferType;
use crate::emit::gemm::matrix::Wide;
use crate::wgsl::{Writer, sum, times};

/// The bits of an f32 that an f16 has too: sign, exponent and ten of the mantissa.
const HEAD: u32 = !0 << 13;

impl Cooperative<'_> {
    /// Binds where the operand starts and where in its tile an invocation's reads go; declares what they
    /// are read into.
    pub(super) fn start(&self, w: &mut Writer, side: &Side) {
        let name = side.name;
        let reads = side.line / side.run;
        w.line(format!(
            "let {name}_start = {};",
            side.matrix.start("batch")
        ));
        w.line(format!("let {name}_line = local / {reads}u;"));
        w.line(format!(
            "let {name}_in_line = local % {reads}u * {}u;",
            side.run
        ));
        for p in 0..self.reads(side) {
            w.line(format!("var {name}_{p}: {};", self.held(side)));
        }
    }

    /// What an operand is read into.
    fn held(&self, side: &Side) -> &'static str {
        match self.kernel.bindings[side.matrix.buffer].ty {
            BufferType::F16 if side.run == 8 => "vec4<u32>",
            BufferType::F16 => "vec4<f16>",
            _ => "vec4<f32>",
        }
    }

    /// Reads the tile that starts at `k` (an identifier or literal) into registers.
    pub(super) fn fetch(&self, w: &mut Writer, side: &Side, k: &str) {
        for p in 0..self.reads(side) {
            let value = self.read(side, k, p);
            w.line(format!("{}_{p} = {value};", side.name));
        }
    }

    /// Rounds the registers and writes them to the tile.
    pub(super) fn stage(&self, w: &mut Writer, side: &Side) {
        let name = side.name;
        let pitch = side.pitch() / self.word;
        let in_line = match self.word {
            1 => format!("{name}_in_line"),
            word => format!("{name}_in_line / {word}u"),
        };
        let slot = w.bind("slot", format!("{name}_line * {pitch}u + {in_line}"));
        for p in 0..self.reads(side) {
            let at = p * self.apart(side) * pitch;
            let mut head = format!("{name}_{p}");
            if side.run == 8 {
                for (half, words) in [["x", "y"], ["z", "w"]].iter().enumerate() {
                    let [low, high] = words.map(|word| format!("unpack2x16float({head}.{word})"));
                    // Drivers take the conversion there and back for nothing.
                    let four = w.bind("high", format!("vec4<f16>(vec4<f32>({low}, {high}))"));
                    let at = at + half * 4 / self.word;
                    self.put(w, &format!("{name}_high"), (&slot, at), &four);
                }
                continue;
            }
            if self.split {
                // Not by converting to f16 and back, which drivers take for doing nothing.
                let bits = format!("bitcast<vec4<u32>>({head}) & vec4<u32>({HEAD}u)");
                head = w.bind("head", format!("bitcast<vec4<f32>>({bits})"));
                let rest = format!("({name}_{p} - {head}) * {SCALE}.0f");
                let low = w.bind("low", format!("vec4<f16>({rest})"));
                self.put(w, &format!("{name}_low"), (&slot, at), &low);
            }
            let high = w.bind("high", format!("vec4<f16>({head})"));
            self.put(w, &format!("{name}_high"), (&slot, at), &high);
        }
    }

    fn put(&self, w: &mut Writer, tile: &str, (slot, at): (&str, usize), value: &str) {
        if self.word == 4 {
            w.line(format!("{tile}[{slot} + {at}u] = {value};"));
            return;
        }
        for (part, component) in ["x", "y", "z", "w"].iter().enumerate() {
            let at = at + part;
            w.line(format!("{tile}[{slot} + {at}u] = {value}.{component};"));
        }
    }

    /// Reads per invocation and tile.
    fn reads(&self, side: &Side) -> usize {
        side.line / side.run * side.lines / self.threads()
    }

    /// Lines between an invocation's reads.
    fn apart(&self, side: &Side) -> usize {
        self.threads() / (side.line / side.run)
    }

    /// The text of read number `p` of the tile at `k`.
    fn read(&self, side: &Side, k: &str, p: usize) -> String {
        let matrix = &side.matrix;
        let name = side.name;
        let depth = self.kernel.k;
        let line = format!("{name}_line + {}u", p * self.apart(side));
        let in_line = format!("{name}_in_line");
        let (step, place) = match side.along_k {
            true => (
                format!("{k} + {in_line}"),
                format!("{} + {line}", side.origin),
            ),
            false => (
                format!("{k} + {line}"),
                format!("{} + {in_line}", side.origin),
            ),
        };
        // Whether the last tile overhangs the matrix.
        let deep = !depth.is_multiple_of(self.depth);
        let wide = !matrix.extent.is_multiple_of(side.block);
        // The index of number `part` of the read, where `run` numbers are read at once.
        let index = |part: usize, run: usize| {
            let (step_part, place_part) = if side.along_k { (part, 0) } else { (0, part) };
            let (step_run, place_run) = if side.along_k { (run, 1) } else { (1, run) };
            let inside = |at: &str, part: usize, clamp: bool, last: usize| {
                let at = match part {
                    0 => at.to_string(),
                    _ => format!("{at} + {part}u"),
                };
                match clamp {
                    true => format!("min({at}, {last}u)"),
                    false => format!("({at})"),
                }
            };
            let place = inside(&place, place_part, wide, matrix.extent - place_run);
            let step = inside(&step, step_part, deep, depth - step_run);
            let mut terms = vec![format!("{name}_start")];
            terms.extend(times(&place, matrix.outer));
            terms.extend(times(&step, matrix.inner));
            sum(terms)
        };
        let value = match matrix.wide {
            Wide::No => {
                let parts: Vec<String> = (0..side.run)
                    .map(|part| format!("b{}[{}]", matrix.buffer, index(part, 1)))
                    .collect();
                format!("{}({})", self.held(side), parts.join(", "))
            }
            Wide::Inner | Wide::Outer => {
                let run = side.run;
                format!("b{}[({}) / {run}u]", matrix.buffer, index(0, run))
            }
        };
        if !deep {
            return value;
        }
        let inside = match (side.along_k, matrix.wide) {
            (true, Wide::No) => {
                format!("vec4<u32>({step}) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>({depth}u)")
            }
            _ => format!("{step} < {depth}u"),
        };
        format!("select({}(), {value}, {inside})", self.held(side))
    }
}
