//! Backward passes. With `P = exp(S − lse)`, `dS = P·(dout·v − delta)`.

use super::geometry::Slot;
use super::walk::{Source, Walked};
use super::{Emitter, Saved};
use crate::wgsl::float;

impl Emitter<'_> {
    /// Writes `dq` through both terms of the score and, with relative positions, `drel`.
    pub(super) fn backward_q(&mut self, saved: &Saved, dq: usize, drel: Option<usize>) {
        self.place();
        let rel = self.a.rel_pos.and(saved.rel);
        let count = self.term_count();
        let mut tokens = Vec::new();
        for i in 0..self.share.rows {
            let token = self.own_slot(i).holds_token();
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
            for (name, buffer) in [("lse", saved.lse), ("delta", saved.delta)] {
                let value = self.number(buffer, &n);
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

    fn query_turn(&mut self, sides: &[Walked; 2], slots: &[Slot], rel: Option<usize>) {
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
                if let Some(condition) = self.takes_part(slot, sides) {
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

    /// What is added to the score of owned query `i` and the slot of that name; empty or ` + …`.
    fn added_to_query(&self, i: usize, slot: &str, rel: Option<usize>) -> String {
        let [s_y, _] = self.extents();
        let mut added = String::new();
        if let Some(rel) = rel {
            let n_rel = self.own("n_rel", i);
            let down = self.number(rel, &format!("{n_rel} + {slot}_y"));
            let across = self.number(rel, &format!("{n_rel} + {s_y}u + {slot}_x"));
            added = format!(" + {down} + {across}");
        }
        added + &self.distance_bias(&self.own("n", i), slot)
    }

    /// Writes `dk`, `dv` and, for padding tokens, `dpad`.
    pub(super) fn backward_kv(&mut self, saved: &Saved, outputs: [usize; 2], dpad: Option<usize>) {
        self.place();
        let mut tokens = Vec::new();
        for i in 0..self.share.rows {
            let token = self.own_slot(i).holds_token();
            let n_t = format!("{}_t", self.own("n", i));
            for (name, rows) in [("k", self.a.k), ("v", self.a.v)] {
                let row = self.row(&rows, self.keys(), &n_t);
                let name = self.own_row(name, i);
                self.load(&name, rows.buffer, &row);
            }
            for name in ["dk", "dv"] {
                let name = self.own_row(name, i);
                self.zero(&name);
            }
            tokens.push((n_t, token));
        }
        let sides = [
            Walked {
                name: "q",
                source: Source::Head(self.a.q),
                pad: None,
            },
            Walked {
                name: "g",
                source: Source::Plain(saved.dout),
                pad: None,
            },
        ];
        self.walk(&sides, self.queries(), |e, slots| {
            e.key_turn(&sides, slots, saved)
        });
        for (i, (n_t, token)) in tokens.iter().enumerate() {
            if let Some(condition) = token {
                self.w.open(format!("if {condition}"));
            }
            let row = self.plain_row(self.keys(), n_t);
            for (buffer, name) in outputs.into_iter().zip(["dk", "dv"]) {
                let sums = self.own_row(name, i);
                self.store(buffer, &row, |r| format!("{sums}{r}"));
            }
            if token.is_some() {
                self.w.close();
            }
        }
        if let Some(dpad) = dpad {
            self.pad_gradient(saved, dpad);
        }
    }

    fn key_turn(&mut self, sides: &[Walked; 2], slots: &[Slot], saved: &Saved) {
        let scale = float(self.a.scale);
        let rows = self.share.rows;
        // The lane that a query is assigned to adds what is looked up for it to the products.
        let assigned = self.assigned(slots.len()).map(|slot| {
            let name = slot.name;
            let row = self.scalar_row(&format!("{name}_t"));
            self.w.line(format!("let {name} = {row};"));
            let delta = self.w.bind(
                "minus_delta",
                format!("-{}", self.number(saved.delta, &name)),
            );
            let lse = self.number(saved.lse, &name);
            let added: Vec<String> = (0..rows)
                .map(|i| {
                    let sum = self.added_to_key(i, &name, saved);
                    self.w.bind("added", format!("-{lse}{sum}"))
                })
                .collect();
            (delta, added)
        });
        for (j, slot) in slots.iter().enumerate() {
            let name = &slot.name;
            self.fetch(&sides[0], false, j);
            self.fetch(&sides[1], true, j);
            if assigned.is_none() {
                let row = self.scalar_row(&format!("{name}_t"));
                self.w.line(format!("let {name} = {row};"));
            }
            for i in 0..rows {
                let product = self.dot(&self.own_row("k", i), &format!("q{j}_"));
                let mut score = format!("({product}) * {scale}");
                score = match &assigned {
                    Some((_, added)) => {
                        let added = self.if_assigned(&added[i], j);
                        self.together(format!("{score} + {added}"))
                    }
                    None => {
                        let added = self.added_to_key(i, name, saved);
                        format!("{score}{added} - {}", self.number(saved.lse, name))
                    }
                };
                let mut weight = format!("exp({score})");
                if let Some(condition) = self.takes_part(slot, sides) {
                    weight = format!("select(0.0f, {weight}, {condition})");
                }
                let [weight_name, step] = ["weight", "step"].map(|x| self.pair(x, i, j));
                self.w.line(format!("let {weight_name} = {weight};"));
                let dp = self.dot(&self.own_row("v", i), &format!("g{j}_"));
                let ds = match &assigned {
                    Some((delta, _)) => {
                        let delta = self.if_assigned(delta, j);
                        self.together(format!("{dp} + {delta}"))
                    }
                    None => format!("({dp} - {})", self.number(saved.delta, name)),
                };
                self.w
                    .line(format!("let {step} = {weight_name} * {ds} * {scale};"));
                if assigned.is_some() {
                    self.accumulate(("dv", i), "weight", "g", j..j + 1);
                    self.accumulate(("dk", i), "step", "q", j..j + 1);
                }
            }
        }
        if assigned.is_none() {
            self.accumulate(("dv", 0), "weight", "g", 0..slots.len());
            self.accumulate(("dk", 0), "step", "q", 0..slots.len());
        }
    }

    /// What is added to the score of owned key `i` and the query slot of that name; empty or ` + …`.
    fn added_to_key(&self, i: usize, slot: &str, saved: &Saved) -> String {
        let ([s_y, _], count) = (self.extents(), self.term_count());
        let n = self.own("n", i);
        let mut added = String::new();
        if let Some(rel) = self.a.rel_pos.and(saved.rel) {
            let down = self.number(rel, &format!("{slot} * {count}u + {n}_y"));
            let across = self.number(rel, &format!("{slot} * {count}u + {s_y}u + {n}_x"));
            added = format!(" + {down} + {across}");
        }
        added + &self.distance_bias(&n, slot)
    }

    /// `{total}{r} += Σ_j {factor}{j}·{row}{j}_{r}` for slots `j` and owned row `i`.
    fn accumulate(
        &mut self,
        (total, i): (&str, usize),
        factor: &str,
        row: &str,
        slots: std::ops::Range<usize>,
    ) {
        let total = self.own_row(total, i);
        for r in 0..self.regs {
            if self.share.lanes > 1 {
                for j in slots.clone() {
                    let factor = self.pair(factor, i, j);
                    let line =
                        format!("{total}{r} = fma(vec4<f32>({factor}), {row}{j}_{r}, {total}{r});");
                    self.w.line(line);
                }
                continue;
            }
            let parts: Vec<String> = slots
                .clone()
                .map(|j| format!("{} * {row}{j}_{r}", self.pair(factor, i, j)))
                .collect();
            self.w.line(format!("{total}{r} += {};", parts.join(" + ")));
        }
    }

    /// The invocation after the last slot of a window sums over its padding slots, which share one
    /// key and value and differ by their relative position only.
    fn pad_gradient(&mut self, saved: &Saved, dpad: usize) {
        let Some(((pad_k, k_offset), (pad_v, v_offset))) = self.a.pad_kv else {
            return;
        };
        self.w.open(format!("if p == {}u", self.owned));
        let row = self.pad_row(k_offset);
        self.load("pad_k", pad_k, &row);
        let row = self.pad_row(v_offset);
        self.load("pad_v", pad_v, &row);
        self.zero("pad_dk");
        self.zero("pad_dv");
        if self.overhangs() {
            self.sum_pads(saved);
        }
        let (heads, regs) = (self.a.heads, self.regs);
        let windows = super::geometry::windows(self.a);
        for (part, name) in ["pad_dk", "pad_dv"].into_iter().enumerate() {
            let row =
                format!("(((b * {windows}u + window) * 2u + {part}u) * {heads}u + h) * {regs}u");
            self.store(dpad, &row, |r| format!("{name}{r}"));
        }
        self.w.close();
    }

    /// Adds what every query of the window gives to its padding slots.
    fn sum_pads(&mut self, saved: &Saved) {
        let [s_y, _] = self.extents();
        let (owned, walked, count) = (self.owned, self.walked, self.term_count());
        let scale = float(self.a.scale);
        self.w.open_loop("j", "0u", &format!("{walked}u"), "1u");
        let slot = self.slot("m", "j", walked, false);
        if let Some(condition) = &slot.real {
            self.w.open(format!("if {condition}"));
        }
        let row = self.row(&self.a.q, self.queries(), "m_t");
        self.load("pad_q", self.a.q.buffer, &row);
        let row = self.plain_row(self.queries(), "m_t");
        self.load("pad_g", saved.dout, &row);
        let row = self.scalar_row("m_t");
        self.w.line(format!("let m = {row};"));
        let product = self.dot("pad_k", "pad_q");
        let lse = self.number(saved.lse, "m");
        self.w
            .line(format!("let base = ({product}) * {scale} - {lse};"));
        self.w.line("var weight = 0.0f;");
        self.w.open_loop("i", "0u", &format!("{owned}u"), "1u");
        let pad = self.slot("pad", "i", owned, false);
        if let Some(real) = &pad.real {
            self.w.open(format!("if !({real})"));
        }
        let mut score = "base".to_string();
        if let Some(rel) = self.a.rel_pos.and(saved.rel) {
            let down = self.number(rel, &format!("m * {count}u + pad_y"));
            let across = self.number(rel, &format!("m * {count}u + {s_y}u + pad_x"));
            score = format!("base + {down} + {across}");
        }
        score += &self.distance_bias("m", "pad");
        self.w.line(format!("weight += exp({score});"));
        if pad.real.is_some() {
            self.w.close();
        }
        self.w.close();
        let dp = self.dot("pad_v", "pad_g");
        let delta = self.number(saved.delta, "m");
        self.w
            .line(format!("let step = weight * ({dp} - {delta}) * {scale};"));
        for r in 0..self.regs {
            self.w.line(format!("pad_dv{r} += weight * pad_g{r};"));
            self.w.line(format!("pad_dk{r} += step * pad_q{r};"));
        }
        if slot.real.is_some() {
            self.w.close();
        }
        self.w.close();
    }
}
