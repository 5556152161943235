//! Backward passes. With `P = exp(S − lse)`, `dS = P·(dout·v − delta)`.

use super::geometry::Slot;
use super::walk::{Source, Walked};
use super::{Emitter, Saved};
use crate::wgsl::float;

impl Emitter<'_> {
    /// Writes `dq` through both terms of the score and, with relative positions, `drel`.
    pub(super) fn backward_q(&mut self, saved: &Saved, dq: usize, drel: Option<usize>) {
        self.place();
        let own = self.own_slot().holds_token();
        let row = self.row(&self.a.q, self.queries(), "n_t");
        self.load("q", self.a.q.buffer, &row);
        let row = self.plain_row(self.queries(), "n_t");
        self.load("g", saved.dout, &row);
        let row = self.scalar_row("n_t");
        self.w.line(format!("let n = {row};"));
        for (name, buffer) in [("lse", saved.lse), ("delta", saved.delta)] {
            let value = self.number(buffer, "n");
            self.w.line(format!("let {name} = {value};"));
        }
        self.zero("dq");
        let rel = self.a.rel_pos.and(saved.rel);
        let count = self.term_count();
        if rel.is_some() {
            self.w.line(format!("let n_rel = n * {count}u;"));
            self.declare_terms();
            self.w.open_loop("k", "0u", &format!("{count}u"), "1u");
            let place = self.term("k");
            self.w.line(format!("{place} = 0.0f;"));
            self.w.close();
        }
        let sides = self.key_value();
        self.walk(&sides, self.keys(), |e, slots| {
            e.query_turn(&sides, slots, rel)
        });
        if rel.is_some() {
            self.table_rows(|e, row, k, first| {
                let part = e.term(&format!("{k} + {first}u"));
                let part = e.w.bind("part", part);
                for r in 0..e.regs {
                    e.w.line(format!("dq{r} += {part} * {row}_{r};"));
                }
            });
            if let Some(drel) = drel {
                self.save_terms(drel, own.as_deref());
            }
        }
        if let Some(condition) = &own {
            self.w.open(format!("if {condition}"));
        }
        let row = self.plain_row(self.queries(), "n_t");
        self.store(dq, &row, |r| format!("dq{r}"));
        if own.is_some() {
            self.w.close();
        }
    }

    fn query_turn(&mut self, sides: &[Walked; 2], slots: &[Slot], rel: Option<usize>) {
        let [s_y, _] = self.extents();
        let scale = float(self.a.scale);
        for (j, slot) in slots.iter().enumerate() {
            let name = &slot.name;
            self.fetch(&sides[0], false, j);
            self.fetch(&sides[1], true, j);
            let mut score = format!("({}) * {scale}", self.dot("q", &format!("k{j}_")));
            if let Some(rel) = rel {
                let down = self.number(rel, &format!("n_rel + {name}_y"));
                let across = self.number(rel, &format!("n_rel + {s_y}u + {name}_x"));
                score = format!("{score} + {down} + {across}");
            }
            score += &self.distance_bias("n", name);
            let mut weight = format!("exp({score} - lse)");
            if let Some(condition) = self.takes_part(slot, sides) {
                weight = format!("select(0.0f, {weight}, {condition})");
            }
            self.w.line(format!("let weight{j} = {weight};"));
            let dp = self.dot("g", &format!("v{j}_"));
            self.w
                .line(format!("let ds{j} = weight{j} * ({dp} - delta);"));
            if rel.is_some() {
                for k in [format!("{name}_y"), format!("{s_y}u + {name}_x")] {
                    let place = self.term(&k);
                    self.w.line(format!("{place} += ds{j};"));
                }
            }
            self.w.line(format!("let step{j} = ds{j} * {scale};"));
        }
        self.accumulate("dq", "step", "k", slots.len());
    }

    /// Writes `dk`, `dv` and, for padding tokens, `dpad`.
    pub(super) fn backward_kv(&mut self, saved: &Saved, outputs: [usize; 2], dpad: Option<usize>) {
        self.place();
        let own = self.own_slot().holds_token();
        for (name, rows) in [("k", self.a.k), ("v", self.a.v)] {
            let row = self.row(&rows, self.keys(), "n_t");
            self.load(name, rows.buffer, &row);
        }
        self.zero("dk");
        self.zero("dv");
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
        if let Some(condition) = &own {
            self.w.open(format!("if {condition}"));
        }
        let row = self.plain_row(self.keys(), "n_t");
        self.store(outputs[0], &row, |r| format!("dk{r}"));
        self.store(outputs[1], &row, |r| format!("dv{r}"));
        if own.is_some() {
            self.w.close();
        }
        if let Some(dpad) = dpad {
            self.pad_gradient(saved, dpad);
        }
    }

    fn key_turn(&mut self, sides: &[Walked; 2], slots: &[Slot], saved: &Saved) {
        let [s_y, _] = self.extents();
        let count = self.term_count();
        let scale = float(self.a.scale);
        for (j, slot) in slots.iter().enumerate() {
            let name = &slot.name;
            self.fetch(&sides[0], false, j);
            self.fetch(&sides[1], true, j);
            let row = self.scalar_row(&format!("{name}_t"));
            self.w.line(format!("let {name} = {row};"));
            let mut score = format!("({}) * {scale}", self.dot("k", &format!("q{j}_")));
            if let Some(rel) = self.a.rel_pos.and(saved.rel) {
                let down = self.number(rel, &format!("{name} * {count}u + n_y"));
                let across = self.number(rel, &format!("{name} * {count}u + {s_y}u + n_x"));
                score = format!("{score} + {down} + {across}");
            }
            score += &self.distance_bias("n", name);
            let mut weight = format!("exp({score} - {})", self.number(saved.lse, name));
            if let Some(condition) = self.takes_part(slot, sides) {
                weight = format!("select(0.0f, {weight}, {condition})");
            }
            self.w.line(format!("let weight{j} = {weight};"));
            let dp = self.dot("v", &format!("g{j}_"));
            let delta = self.number(saved.delta, name);
            self.w.line(format!(
                "let step{j} = weight{j} * ({dp} - {delta}) * {scale};"
            ));
        }
        self.accumulate("dv", "weight", "g", slots.len());
        self.accumulate("dk", "step", "q", slots.len());
    }

    /// `{total}{r} += Σ_j {factor}{j}·{row}{j}_{r}`.
    fn accumulate(&mut self, total: &str, factor: &str, row: &str, slots: usize) {
        for r in 0..self.regs {
            let parts: Vec<String> = (0..slots)
                .map(|j| format!("{factor}{j} * {row}{j}_{r}"))
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
