//! Forward pass: online softmax.

use super::emitter::{Emitter, MASKED};
use super::geometry::Slot;
use super::pads::PadRows;
use super::walk::{Source, Walked};
use crate::wgsl::float;

impl Emitter<'_> {
    /// Writes `out`, `lse` and, with relative positions, `rel`.
    pub(super) fn forward(&mut self, out: usize, lse: usize, rel: Option<usize>) {
        self.place();
        self.leave_idle();
        let mut tokens = Vec::new();
        for i in 0..self.share.rows {
            let token = self.own_slot(i).exists;
            let n_t = format!("{}_t", self.own("n", i));
            let row = self.row(&self.a.q, self.queries(), &n_t);
            let q = self.own_row("q", i);
            self.load(&q, self.a.q.buffer, &row);
            if self.a.rel_pos.is_some() {
                self.relative_terms(i, rel, token.as_deref());
            }
            let o = self.own_row("o", i);
            self.zero(&o);
            let (peak, total) = (self.own("peak", i), self.own("total", i));
            self.w.line(format!("var {peak} = {};", float(MASKED)));
            self.w.line(format!("var {total} = 0.0f;"));
            tokens.push((n_t, token));
        }
        let sides = self.key_value();
        self.walk(&sides, self.keys(), |e, slots| {
            e.forward_turn(&sides, slots)
        });
        for (i, (n_t, token)) in tokens.iter().enumerate() {
            if let Some(rows) = self.pads() {
                self.attend_pads(i, rows);
            }
            if let Some(condition) = token {
                self.w.open(format!("if {condition}"));
            }
            let [peak, total, inverse] = ["peak", "total", "inverse"].map(|x| self.own(x, i));
            self.w.line(format!("let {inverse} = 1.0f / {total};"));
            let row = self.plain_row(self.queries(), n_t);
            let o = self.own_row("o", i);
            self.store(out, &row, |r| format!("{o}{r} * {inverse}"));
            let row = self.scalar_row(n_t);
            self.w
                .line(format!("b{lse}[{row}] = {peak} + log({total});"));
            if token.is_some() {
                self.w.close();
            }
        }
    }

    fn forward_turn(&mut self, sides: &[Walked; 2], slots: &[Slot]) {
        let rows = self.share.rows;
        let assigned = self.assigned(slots.len());
        let added: Vec<Option<String>> = (0..rows)
            .map(|i| {
                let sum = self.added(i, &assigned.as_ref()?.name);
                (!sum.is_empty()).then(|| self.w.bind("added", format!("0.0f{sum}")))
            })
            .collect();
        for (j, slot) in slots.iter().enumerate() {
            self.fetch(&sides[0], false, j);
            for (i, added) in added.iter().enumerate() {
                let product = self.dot(&self.own_row("q", i), &format!("k{j}_"));
                let mut score = format!("({product}) * {}", float(self.a.scale));
                match (&assigned, added) {
                    (None, _) => score += &self.added(i, &slot.name),
                    (Some(_), Some(added)) => {
                        score += &format!(" + {}", self.if_assigned(added, j))
                    }
                    (Some(_), None) => {}
                }
                let mut score = self.together(score);
                if let Some(condition) = &slot.exists {
                    score = format!("select({}, {score}, {condition})", float(MASKED));
                }
                let name = self.pair("score", i, j);
                self.w.line(format!("let {name} = {score};"));
            }
        }
        for i in 0..rows {
            self.soften(i, slots.len());
        }
        for j in 0..slots.len() {
            self.fetch(&sides[1], true, j);
        }
        for i in 0..self.share.rows {
            self.add_values(i, slots.len());
        }
    }

    /// Lets the pads of the window take part in owned row `i`.
    fn attend_pads(&mut self, i: usize, rows: PadRows) {
        self.w.open("if pads");
        self.load_pads(["pad_k", "v0_"], rows);
        let product = self.dot(&self.own_row("q", i), "pad_k");
        let product = self.together(product);
        let term = move |e: &Emitter<'_>, k: &str| e.term(i, k);
        let tables = self.a.rel_pos.is_some();
        let added = self.pad_score(tables.then_some(&term));
        let (score, scale) = (self.pair("score", i, 0), float(self.a.scale));
        self.w
            .line(format!("let {score} = ({product}) * {scale} + {added};"));
        self.soften(i, 1);
        self.add_values(i, 1);
        self.w.close();
    }

    /// Adds the values `v{j}_` times their weights to the sums of owned row `i`.
    fn add_values(&mut self, i: usize, slots: usize) {
        let (o, shrink) = (self.own_row("o", i), self.own("shrink", i));
        let weights: Vec<String> = (0..slots).map(|j| self.pair("weight", i, j)).collect();
        for r in 0..self.regs {
            if self.share.lanes > 1 {
                let sum = weights
                    .iter()
                    .enumerate()
                    .fold(format!("{o}{r} * {shrink}"), |sum, (j, weight)| {
                        format!("fma(vec4<f32>({weight}), v{j}_{r}, {sum})")
                    });
                self.w.line(format!("{o}{r} = {sum};"));
                continue;
            }
            let parts: String = weights
                .iter()
                .enumerate()
                .map(|(j, weight)| format!(" + {weight} * v{j}_{r}"))
                .collect();
            self.w.line(format!("{o}{r} = {o}{r} * {shrink}{parts};"));
        }
    }

    /// Turns the scores of owned row `i` into weights relative to the largest score so far.
    fn soften(&mut self, i: usize, slots: usize) {
        let [peak, total, top, shrink] = ["peak", "total", "top", "shrink"].map(|x| self.own(x, i));
        let scores: Vec<String> = (0..slots).map(|j| self.pair("score", i, j)).collect();
        let largest = scores
            .iter()
            .fold(peak.clone(), |top, score| format!("max({top}, {score})"));
        self.w.line(format!("let {top} = {largest};"));
        self.w.line(format!("let {shrink} = exp({peak} - {top});"));
        self.w.line(format!("{peak} = {top};"));
        let mut sum = format!("{total} * {shrink}");
        for (j, score) in scores.iter().enumerate() {
            let weight = self.pair("weight", i, j);
            self.w.line(format!("let {weight} = exp({score} - {top});"));
            sum += &format!(" + {weight}");
        }
        self.w.line(format!("{total} = {sum};"));
    }

    /// What is added to the score of owned row `i` and the slot of that name; empty or ` + …`.
    fn added(&self, i: usize, slot: &str) -> String {
        let mut added = String::new();
        if self.a.rel_pos.is_some() {
            let [s_y, _] = self.extents();
            let down = self.term(i, &format!("{slot}_y"));
            let across = self.term(i, &format!("{s_y}u + {slot}_x"));
            added = format!(" + {down} + {across}");
        }
        added + &self.distance_bias(&self.own("n", i), slot)
    }

    /// Keys and values as the walked sides.
    pub(super) fn key_value(&self) -> [Walked; 2] {
        let a = self.a;
        [
            Walked {
                name: "k",
                source: Source::Head(a.k),
            },
            Walked {
                name: "v",
                source: Source::Head(a.v),
            },
        ]
    }
}
