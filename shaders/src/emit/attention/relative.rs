//! Relative position terms (SAM, image_encoder.py `add_decomposed_rel_pos`).

use super::emitter::{Emitter, Supply};
use crate::wgsl::plus;

impl Emitter<'_> {
    /// Extents of a window in relative positions, `[s_y, s_x]`.
    pub(super) fn extents(&self) -> [usize; 2] {
        self.a.tokens.window().into()
    }

    /// Relative position terms per query.
    pub(super) fn term_count(&self) -> usize {
        self.extents().iter().sum()
    }

    /// Declares an array of `s_y + s_x` numbers for owned row `i`.
    pub(super) fn declare_terms(&mut self, i: usize) {
        let (terms, count) = (self.own("terms", i), self.term_count());
        self.w.line(format!("var {terms}: array<f32, {count}>;"));
    }

    /// Element `k` (an expression) of the array.
    pub(super) fn term(&self, i: usize, k: &str) -> String {
        format!("{}[{k}]", self.own("terms", i))
    }

    /// Fills the array with the terms of an owned query and saves them.
    pub(super) fn relative_terms(&mut self, i: usize, save: Option<usize>, token: Option<&str>) {
        self.declare_terms(i);
        let q = self.own_row("q", i);
        self.table_rows(i, |e, row, k, first| {
            let value = e.dot(&q, &format!("{row}_"));
            let value = e.together(value);
            let place = e.term(i, &format!("{k} + {first}u"));
            e.w.line(format!("{place} = {value};"));
        });
        if let Some(buffer) = save {
            self.save_terms(i, buffer, token);
        }
    }

    /// Writes the array to a `[batch, heads, tokens, s_y + s_x]` buffer, if there is an owned token.
    pub(super) fn save_terms(&mut self, i: usize, buffer: usize, token: Option<&str>) {
        let count = self.term_count();
        let row = self.scalar_row(&format!("{}_t", self.own("n", i)));
        if let Some(condition) = token {
            self.w.open(format!("if {condition}"));
        }
        let saved = self.own("saved", i);
        self.w.line(format!("let {saved} = ({row}) * {count}u;"));
        let (first, step) = self.lane_terms();
        self.w.open_loop("k", first, &format!("{count}u"), &step);
        let value = self.term(i, "k");
        self.w.line(format!("b{buffer}[{saved} + k] = {value};"));
        self.w.close();
        if token.is_some() {
            self.w.close();
        }
    }

    /// The first of the terms that an invocation takes among those that share its row, and how many on the
    /// next is.
    pub(super) fn lane_terms(&self) -> (&'static str, String) {
        match self.share.lanes {
            1 => ("0u", "1u".to_string()),
            lanes => ("part", format!("{lanes}u")),
        }
    }

    /// Visits the table rows `n − k + s − 1` of an owned query for all `k` of both axes. The body gets
    /// the prefix of the row's registers, the text of `k` and where the axis' terms start.
    pub(super) fn table_rows(&mut self, i: usize, body: impl Fn(&mut Self, &str, &str, usize)) {
        let Some((table_y, table_x)) = self.a.rel_pos else {
            return;
        };
        let [s_y, s_x] = self.extents();
        let (regs, n) = (self.row_regs, self.own("n", i));
        for (table, axis, extent, first) in [(table_y, "y", s_y, 0), (table_x, "x", s_x, s_y)] {
            let Supply::Broadcast(lanes) = self.supply else {
                self.w.open_loop("k", "0u", &format!("{extent}u"), "1u");
                let row = format!("({n}_{axis} + {}u - k) * {regs}u", extent - 1);
                let row = plus(&row, table.offset / self.width);
                self.load("table_", table.buffer, &row);
                body(self, "table", "k", first);
                self.w.close();
                continue;
            };
            // All rows pass by; each lane takes part in those that its own query relates to.
            let (rows, group) = (2 * extent - 1, self.group(lanes));
            let step = format!("{group}u");
            self.w.open_loop("row", "0u", &format!("{rows}u"), &step);
            let own = match group {
                1 => "row".to_string(),
                _ => format!("min(row + {}, {}u)", self.lane_row(lanes), rows - 1),
            };
            let own = self.w.bind("own", format!("{own} * {regs}u"));
            for turn in 0..regs.div_ceil(lanes) {
                let register = self.lane_register(turn, lanes);
                let value = self.register(table, &format!("{own} + {register}"));
                self.w.line(format!("let read_{turn} = {value};"));
            }
            for j in 0..group {
                let k = self
                    .w
                    .bind("k", format!("{n}_{axis} + {}u - row - {j}u", extent - 1));
                for r in 0..regs {
                    let value = self.broadcast("read", j, r, lanes);
                    self.w.line(format!("let table{j}_{r} = {value};"));
                }
                self.w.open(format!("if {k} < {extent}u"));
                body(self, &format!("table{j}"), &k, first);
                self.w.close();
            }
            self.w.close();
        }
    }
}
