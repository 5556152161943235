//! The end of a product on a CPU adapter: epilogue and storing.

use super::{Lanes, PARTS};
use crate::Gemm;
use crate::emit::form::Form;
use crate::emit::gemm::{epilogue, place};
use crate::emit::matrix::Wide;
use crate::emit::quad::quad_forms;
use crate::wgsl::{Writer, sum, times};

impl Lanes<'_> {
    /// Stores the tile in a loop over its registers, so that the driver compiles the epilogue once or
    /// four times: in full it takes seconds. Hence a length that is not constant, against unrolling,
    /// and results in workgroup memory, which, unlike registers, can be indexed. Every lane reads what
    /// it wrote.
    pub(super) fn store(&self, w: &mut Writer) {
        let (shared, _) = self.axes();
        let holders = self.workgroup();
        let holder = if self.lanes == 1 { "local" } else { "lane" };
        let columns = self.own / self.width();
        for r in 0..self.shared {
            for c in 0..columns {
                let at = (r * columns + c) * holders;
                let value = format!("acc_{r}_{}", c * self.width());
                w.line(format!("results[{at}u + {holder}] = {value};"));
            }
        }
        let left = format!("min({}u, {}u - {shared})", self.shared, self.common.extent);
        let end = w.bind("end", sum(times(&left, columns).into_iter().collect()));
        w.open_loop("e", "0u", &end, "1u");
        w.line(format!("let result = results[e * {holders}u + {holder}];"));
        w.line(format!("let at_{shared} = {shared} + e / {columns}u;"));
        w.line(format!("let column = e % {columns}u;"));
        match self.quads() {
            Some(forms) => self.store_parts(w, 0, Some(&forms)),
            None => (0..self.width()).for_each(|part| self.store_parts(w, part, None)),
        }
        w.close();
    }

    /// Whether a register's components are neighbours in the result and the epilogue can take all four
    /// at once: then the forms of the buffers.
    pub(super) fn quads(&self) -> Option<Vec<Form>> {
        let Gemm {
            n,
            bindings,
            leaves,
            outputs,
            ..
        } = self.kernel;
        let stored: Vec<usize> = outputs.iter().map(|o| o.buffer).collect();
        let narrow = [&self.common, &self.private];
        let narrow = narrow.iter().filter(|m| m.wide == Wide::No);
        let narrow: Vec<usize> = narrow.map(|m| m.buffer).collect();
        let forms = quad_forms(bindings, leaves, (&stored, &narrow), self.caps)?;
        (self.run() == 4 && !self.transposed && n.is_multiple_of(4)).then_some(forms)
    }

    /// Stores component `part` of a register, or all four components if `quads`.
    fn store_parts(&self, w: &mut Writer, part: usize, quads: Option<&[Form]>) {
        let (shared, own) = self.axes();
        let run = self.run();
        let mut position = vec![own.to_string()];
        if self.own > self.width() {
            position.extend(times("column", self.width() * self.lanes));
        }
        if self.lanes > 1 {
            position.extend(times("lane", run));
        }
        // Neighbouring components belong to neighbouring positions or to those of the next lanes.
        let apart = if run > 1 { part } else { part * self.lanes };
        if apart > 0 {
            position.push(format!("{apart}u"));
        }
        let position = w.bind("at", sum(position));
        let guard = !self.private.extent.is_multiple_of(self.lanes * self.own);
        if guard {
            w.open(format!("if {position} < {}u", self.private.extent));
        }
        let shared = format!("at_{shared}");
        let (row, col) = match self.transposed {
            true => (&position, &shared),
            false => (&shared, &position),
        };
        let i = w.bind("i", place(self.kernel, row, col));
        let acc = match (self.width(), quads) {
            (1, _) | (_, Some(_)) => "result".to_string(),
            _ => format!("result.{}", PARTS[part]),
        };
        epilogue(w, self.kernel, (&i, &acc), quads);
        if guard {
            w.close();
        }
    }
}
