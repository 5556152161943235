//! Gradient of padding tokens.

use crate::emit::attention::{Emitter, Saved, geometry};
use crate::wgsl::float;

impl Emitter<'_> {
    /// The invocation after the last slot of a window sums over what its pads get.
    pub(super) fn pad_gradient(&mut self, saved: &Saved, dpad: usize) {
        let Some([(pad_k, k_offset), (pad_v, v_offset)]) = self.pads() else {
            return;
        };
        let after = self.slots_here(self.owned);
        self.w.open(format!("if p == {after}"));
        let row = self.pad_row(k_offset);
        self.load("pad_k", pad_k, &row);
        let row = self.pad_row(v_offset);
        self.load("pad_v", pad_v, &row);
        self.zero("pad_dk");
        self.zero("pad_dv");
        self.w.open("if pads");
        self.sum_pads(saved);
        self.w.close();
        let (heads, regs) = (self.a.heads, self.regs);
        let windows = geometry::windows(self.a);
        for (part, name) in ["pad_dk", "pad_dv"].into_iter().enumerate() {
            let row =
                format!("(((b * {windows}u + window) * 2u + {part}u) * {heads}u + h) * {regs}u");
            self.store(dpad, &row, |r| format!("{name}{r}"));
        }
        self.w.close();
    }

    /// Adds what every query of the window gives to its pads.
    fn sum_pads(&mut self, saved: &Saved) {
        let (walked, count) = (self.walked, self.term_count());
        let scale = float(self.a.scale);
        let all = self.slots_here(walked);
        self.w.open_loop("j", "0u", &all, "1u");
        self.slot("m", "j", walked, false);
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
        let added = match self.a.rel_pos.and(saved.rel) {
            Some(rel) => self.pad_score(Some(&|e: &Emitter<'_>, k: &str| {
                e.number(rel, &format!("m * {count}u + {k}"))
            })),
            None => self.pad_score(None),
        };
        self.w.line(format!("let weight = exp(base + {added});"));
        let dp = self.dot("pad_v", "pad_g");
        let delta = self.number(saved.delta, "m");
        self.w
            .line(format!("let step = weight * (({dp}) - {delta}) * {scale};"));
        for r in 0..self.regs {
            self.w.line(format!("pad_dv{r} += weight * pad_g{r};"));
            self.w.line(format!("pad_dk{r} += step * pad_q{r};"));
        }
        self.w.close();
    }
}
