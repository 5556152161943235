//! Forward pass: online softmax.

use super::Emitter;
use super::geometry::Slot;
use super::walk::{Source, Walked};
use crate::wgsl::float;

/// The score of what takes no part. Its differences to real scores stay finite.
const MASKED: f32 = -1.0e38;

impl Emitter<'_> {
    /// Writes `out`, `lse` and, with relative positions, `rel`.
    pub(super) fn forward(&mut self, out: usize, lse: usize, rel: Option<usize>) {
        self.place();
        let own = self.own_slot().holds_token();
        let row = self.row(&self.a.q, self.queries(), "n_t");
        self.load("q", self.a.q.buffer, &row);
        if self.a.rel_pos.is_some() {
            self.relative_terms(rel, own.as_deref());
        }
        self.zero("o");
        self.w.line(format!("var peak = {};", float(MASKED)));
        self.w.line("var total = 0.0f;");
        let sides = self.key_value();
        self.walk(&sides, self.keys(), |e, slots| {
            e.forward_turn(&sides, slots)
        });
        if let Some(condition) = &own {
            self.w.open(format!("if {condition}"));
        }
        self.w.line("let inverse = 1.0f / total;");
        let row = self.plain_row(self.queries(), "n_t");
        self.store(out, &row, |r| format!("o{r} * inverse"));
        let row = self.scalar_row("n_t");
        self.w.line(format!("b{lse}[{row}] = peak + log(total);"));
        if own.is_some() {
            self.w.close();
        }
    }

    fn forward_turn(&mut self, sides: &[Walked; 2], slots: &[Slot]) {
        let [s_y, _] = self.extents();
        for (j, slot) in slots.iter().enumerate() {
            self.fetch(&sides[0], false, j);
            let mut score = self.score(j);
            if self.a.rel_pos.is_some() {
                let name = &slot.name;
                let down = self.term(&format!("{name}_y"));
                let across = self.term(&format!("{s_y}u + {name}_x"));
                score = format!("{score} + {down} + {across}");
            }
            score += &self.distance_bias("n", &slot.name);
            if let Some(condition) = self.takes_part(slot, sides) {
                score = format!("select({}, {score}, {condition})", float(MASKED));
            }
            self.w.line(format!("let score{j} = {score};"));
        }
        let top =
            (0..slots.len()).fold("peak".to_string(), |top, j| format!("max({top}, score{j})"));
        self.w.line(format!("let top = {top};"));
        self.w.line("let shrink = exp(peak - top);");
        self.w.line("peak = top;");
        let mut total = "total * shrink".to_string();
        for j in 0..slots.len() {
            self.w.line(format!("let weight{j} = exp(score{j} - top);"));
            total += &format!(" + weight{j}");
        }
        self.w.line(format!("total = {total};"));
        for j in 0..slots.len() {
            self.fetch(&sides[1], true, j);
        }
        for r in 0..self.regs {
            let parts: String = (0..slots.len())
                .map(|j| format!(" + weight{j} * v{j}_{r}"))
                .collect();
            self.w.line(format!("o{r} = o{r} * shrink{parts};"));
        }
    }

    /// `scale·q·k` of slot `j` of a turn.
    fn score(&self, j: usize) -> String {
        let product = self.dot("q", &format!("k{j}_"));
        format!("({product}) * {}", float(self.a.scale))
    }

    /// Keys and values as the walked sides.
    pub(super) fn key_value(&self) -> [Walked; 2] {
        let a = self.a;
        [
            Walked {
                name: "k",
                source: Source::Head(a.k),
                pad: a.pad_kv.map(|pads| pads.0),
            },
            Walked {
                name: "v",
                source: Source::Head(a.v),
                pad: a.pad_kv.map(|pads| pads.1),
            },
        ]
    }
}
