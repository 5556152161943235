//! Gradient of padding tokens.

use crate::emit::attention::{Emitter, Saved, geometry};
use crate::wgsl::float;

impl Emitter<'_> {
    /// The invocation after the last slot of a window sums over its padding slots, which share one
    /// key and value and differ by their relative position only.
    pub(super) fn pad_gradient(&mut self, saved: &Saved, dpad: usize) {
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
        let windows = geometry::windows(self.a);
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
