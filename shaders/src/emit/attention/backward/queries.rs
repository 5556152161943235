//! Gradient of queries.

use crate::emit::attention::emitter::Emitter;
use crate::emit::attention::geometry::Slot;
use crate::emit::attention::pads::PadRows;
use crate::emit::attention::walk::Walked;
use crate::wgsl::float;
use crate::{Part, Saved};

impl Emitter<'_> {
    /// Writes `dq` through both terms of the score and, with relative positions, `drel`.
    pub(in crate::emit::attention) fn backward_q(
        &mut self,
        saved: &Saved,
        dq: usize,
        drel: Option<usize>,
    ) {
        self.place();
        self.leave_idle();
        let rel = saved.rel;
        let count = self.term_count();
        let mut tokens = Vec::new();
        for i in 0..self.share.rows {
            let token = self.own_slot(i).exists;
            let n_t = format!("{}_t", self.own("n", i));
            let row = self.row(&self.a.q, self.queries(), &n_t);
            let q = self.own_row("q", i);
            self.load(&q, self.a.q.buffer, &row);
            let row = self.plain_row(self.queries(), &n_t);
            let g = self.own_row("g", i);
            self.load(&g, saved.dout, &row);
            let n = self.own("n", i);
            let row = self.scalar_row(&n_t);
            self.w.line(format!("let {n} = {row};"));
            for (name, part) in [("lse", saved.lse), ("delta", saved.delta)] {
                let value = self.part(part, &n);
                self.w.line(format!("let {} = {value};", self.own(name, i)));
            }
            let sums = self.own_row("dq", i);
            self.zero(&sums);
            if rel.is_some() {
                let n_rel = self.own("n_rel", i);
                self.w.line(format!("let {n_rel} = {n} * {count}u;"));
                self.declare_terms(i);
                self.w.open_loop("k", "0u", &format!("{count}u"), "1u");
                let place = self.term(i, "k");
                self.w.line(format!("{place} = 0.0f;"));
                self.w.close();
            }
            tokens.push((n_t, token));
        }
        let sides = self.key_value();
        self.walk(&sides, self.keys(), |e, slots| {
            e.query_turn(&sides, slots, rel)
        });
        for (i, (n_t, token)) in tokens.iter().enumerate() {
            let sums = self.own_row("dq", i);
            if let Some(rows) = self.pads() {
                self.add_pads(i, rows, rel);
            }
            if rel.is_some() {
                self.table_rows(i, |e, row, k, first| {
                    let place = e.term(i, &format!("{k} + {first}u"));
                    let sum = e.together(place.clone());
                    let sum = e.w.bind("part", sum);
                    if e.share.lanes > 1 {
                        e.w.line(format!("{place} = {sum};"));
                    }
                    for r in 0..e.regs {
                        e.w.line(format!("{sums}{r} += {sum} * {row}_{r};"));
                    }
                });
                if let Some(drel) = drel {
                    self.save_terms(i, drel, token.as_deref());
                }
            }
            if let Some(condition) = token {
                self.w.open(format!("if {condition}"));
            }
            let row = self.plain_row(self.queries(), n_t);
            self.store(dq, &row, |r| format!("{sums}{r}"));
            if token.is_some() {
                self.w.close();
            }
        }
    }

    fn query_turn(&mut self, sides: &[Walked; 2], slots: &[Slot], rel: Option<Part>) {
        let [s_y, _] = self.extents();
        let scale = float(self.a.scale);
        let assigned = self.assigned(slots.len());
        let rows = self.share.rows;
        let added: Vec<Option<String>> = (0..rows)
            .map(|i| {
                let sum = self.added_to_query(i, &assigned.as_ref()?.name, rel);
                (!sum.is_empty()).then(|| self.w.bind("added", format!("0.0f{sum}")))
            })
            .collect();
        for (j, slot) in slots.iter().enumerate() {
            let name = &slot.name;
            self.fetch(&sides[0], false, j);
            self.fetch(&sides[1], true, j);
            for (i, added) in added.iter().enumerate() {
                let product = self.dot(&self.own_row("q", i), &format!("k{j}_"));
                let mut score = format!("({product}) * {scale}");
                match (&assigned, added) {
                    (None, _) => score += &self.added_to_query(i, name, rel),
                    (Some(_), Some(added)) => {
                        score += &format!(" + {}", self.if_assigned(added, j))
                    }
                    (Some(_), None) => {}
                }
                let score = self.together(score);
                let mut weight = format!("exp({score} - {})", self.own("lse", i));
                if let Some(condition) = &slot.exists {
                    weight = format!("select(0.0f, {weight}, {condition})");
                }
                let [weight_name, ds, step] = ["weight", "ds", "step"].map(|x| self.pair(x, i, j));
                self.w.line(format!("let {weight_name} = {weight};"));
                let dp = self.dot(&self.own_row("g", i), &format!("v{j}_"));
                let dp = self.together(dp);
                let delta = self.own("delta", i);
                self.w
                    .line(format!("let {ds} = {weight_name} * ({dp} - {delta});"));
                if rel.is_some() && assigned.is_none() {
                    for k in [format!("{name}_y"), format!("{s_y}u + {name}_x")] {
                        let place = self.term(i, &k);
                        self.w.line(format!("{place} += {ds};"));
                    }
                }
                self.w.line(format!("let {step} = {ds} * {scale};"));
                if self.share.lanes > 1 {
                    self.accumulate(("dq", i), "step", "k", j..j + 1);
                }
            }
        }
        if self.share.lanes == 1 {
            self.accumulate(("dq", 0), "step", "k", 0..slots.len());
        }
        let Some(slot) = assigned.filter(|_| rel.is_some()) else {
            return;
        };
        for i in 0..rows {
            let all: Vec<String> = (0..slots.len()).map(|j| self.pair("ds", i, j)).collect();
            let ds = self.w.bind("ds_own", self.of_assigned(&all));
            for k in [
                format!("{}_y", slot.name),
                format!("{s_y}u + {}_x", slot.name),
            ] {
                let place = self.term(i, &k);
                self.w.line(format!("{place} += {ds};"));
            }
        }
    }

    /// Adds what the pads of the window give to owned query `i` and the gradient of its terms.
    fn add_pads(&mut self, i: usize, rows: PadRows, rel: Option<Part>) {
        let scale = float(self.a.scale);
        self.w.open("if pads");
        self.load_pads(["pad_k", "pad_v"], rows);
        let [product, dp] = [("q", "pad_k"), ("g", "pad_v")].map(|(own, pad)| {
            let product = self.dot(&self.own_row(own, i), pad);
            self.together(product)
        });
        let (lse, delta) = (self.own("lse", i), self.own("delta", i));
        self.w
            .line(format!("let base = ({product}) * {scale} - {lse};"));
        self.w.line(format!("let excess = ({dp}) - {delta};"));
        if rel.is_some() {
            let n_rel = self.own("n_rel", i);
            self.w.line(format!("let saved = {n_rel};"));
        }
        let added = self.saved_pad_score(rel);
        self.w.line(format!(
            "let step = exp(base + {added}) * excess * {scale};"
        ));
        let sums = self.own_row("dq", i);
        for r in 0..self.regs {
            self.w.line(format!("{sums}{r} += step * pad_k{r};"));
        }
        if let Some(rel) = rel {
            let (first, step) = self.lane_terms();
            let count = format!("{}u", self.term_count());
            self.w.open_loop("k", first, &count, &step);
            let own = self.part(rel, "saved + k");
            let (place, others) = (self.term(i, "k"), self.others("k"));
            self.w
                .line(format!("{place} += exp(base + {own} + {others}) * excess;"));
            self.w.close();
        }
        self.w.close();
    }

    /// What is added to the score of owned query `i` and the slot of that name; empty or ` + …`.
    fn added_to_query(&self, i: usize, slot: &str, rel: Option<Part>) -> String {
        let [s_y, _] = self.extents();
        let mut added = String::new();
        if let Some(rel) = rel {
            let n_rel = self.own("n_rel", i);
            let down = self.part(rel, &format!("{n_rel} + {slot}_y"));
            let across = self.part(rel, &format!("{n_rel} + {s_y}u + {slot}_x"));
            added = format!(" + {down} + {across}");
        }
        added + &self.distance_bias(&self.own("n", i), slot)
    }
}
