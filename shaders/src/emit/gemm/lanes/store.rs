//! The end of a product on a CPU adapter: epilogue and storing.

use super::{Lanes, PARTS};
use crate::Gemm;
use crate::emit::form::Form;
use crate::emit::gemm::matrix::Wide;
use crate::emit::gemm::result::{epilogue, place};
use crate::emit::quad::quad_forms;
use crate::wgsl::{Writer, sum, times};

/// Registers that are stored per turn, where each is stored at once.
const TURN: usize = 4;

impl Lanes<'_> {
    /// Stores the tile in a loop over its registers, a few per turn, so that the driver compiles the epilogue a
    /// few times: in full it takes seconds. Hence a length that is not constant, against unrolling. Registers
    /// cannot be indexed, so each turn takes the first ones and moves up the others.
    pub(super) fn store(&self, w: &mut Writer) {
        let (shared, _) = self.axes();
        let columns = self.own / self.width();
        let registers = self.shared * columns;
        let register = |e: usize| format!("acc_{}_{}", e / columns, e % columns * self.width());
        let left = format!("min({}u, {}u - {shared})", self.shared, self.common.extent);
        let end = w.bind("end", sum(times(&left, columns).into_iter().collect()));
        let (forms, quad) = self.epilogue_forms();
        let (turn, parts) = match quad {
            true => (registers.min(TURN), 1),
            false => (1, self.width()),
        };
        w.open_loop("first", "0u", &end, &format!("{turn}u"));
        for e in 0..turn {
            w.open(format!("if first + {e}u < {end}"));
            w.line(format!("let e = first + {e}u;"));
            w.line(format!("let result = {};", register(e)));
            w.line(format!("let at_{shared} = {shared} + e / {columns}u;"));
            w.line(format!("let column = e % {columns}u;"));
            for part in 0..parts {
                self.store_parts(w, part, (&forms, quad));
            }
            w.close();
        }
        for e in turn..registers {
            w.line(format!("{} = {};", register(e - turn), register(e)));
        }
        w.close();
    }

    /// The forms of the epilogue's buffers, and whether a register's components are neighbours in the result
    /// and the epilogue can take all four at once.
    pub(super) fn epilogue_forms(&self) -> (Vec<Form>, bool) {
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
        let forms = quad_forms(bindings, leaves, (&stored, &narrow), self.caps)
            .filter(|_| self.run() == 4 && !self.transposed && n.is_multiple_of(4));
        match forms {
            Some(forms) => (forms, true),
            None => (Form::narrow(bindings, self.caps), false),
        }
    }

    /// Stores component `part` of a register, or all four components if `quad`.
    fn store_parts(&self, w: &mut Writer, part: usize, (forms, quad): (&[Form], bool)) {
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
        let acc = match (self.width(), quad) {
            (1, _) | (_, true) => "result".to_string(),
            _ => format!("result.{}", PARTS[part]),
        };
        epilogue(w, self.kernel, (&i, &acc), (forms, quad));
        if guard {
            w.close();
        }
    }
}
