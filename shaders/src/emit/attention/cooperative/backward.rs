//! Backward passes. With `P = exp(S − lse)`, `dS = P·(dout·v − delta)`.

use super::super::walk::{Source, Walked};
use super::Cooperative;
use super::stage::Terms;
use crate::Saved;

impl Cooperative<'_> {
    /// Writes `dq` through both terms of the score and, with relative positions, `drel`.
    pub(super) fn backward_q(&mut self, saved: &Saved, dq: usize, drel: Option<usize>) {
        self.e.place();
        self.e.leave_idle();
        self.start();
        let row = self.e.scalar_row("n_t");
        self.line(format!("let n = {row};"));
        for (name, part) in [("lse", saved.lse), ("delta", saved.delta)] {
            let value = self.e.part(part, "n");
            self.line(format!("let {name} = vec4<f32>({value});"));
        }
        self.own_queries();
        let [head, terms] = self.across();
        if let Some(rel) = saved.rel {
            self.stage_terms(self.own_span(0), Terms::Saved(rel));
            self.barrier();
            self.hold("own_a", 0, head..head + terms);
            self.barrier();
        }
        let side = |name, source| Walked { name, source };
        let gradient = side("g", Source::Plain(saved.dout));
        self.own_rows("own_b", gradient, self.e.queries());
        self.sums("dq", head + terms);
        let sides = self.e.key_value();
        let mark = Self::mark_keys;
        self.walk(&sides, self.e.keys(), mark, |c| {
            c.score("own_a", head + terms, c.tile_a());
            c.barrier();
            for j in 0..c.words() {
                let score = c.masked(j);
                c.line(format!("let weight_{j} = exp({score} - lse);"));
            }
            c.barrier();
            c.score("own_b", head, c.tile_b());
            c.barrier();
            for j in 0..c.words() {
                let dp = c.read(j);
                c.weigh(j, &format!("weight_{j} * ({dp} - delta)"));
            }
            c.barrier();
            c.accumulate("dq", head + terms, c.tile_a());
            c.barrier();
        });
        let terms = saved.rel.zip(drel);
        if let Some((_, drel)) = terms {
            self.store_terms(drel);
        }
        let pads = self.e.pads();
        if let Some(rows) = pads {
            self.add_pads(rows, saved.dout, terms);
        }
        if terms.is_some() {
            self.add_terms();
        }
        self.store_rows("dq", dq, self.e.queries(), |c, word, value| match pads {
            Some([(pad_k, _), _]) => {
                let pad = c.e.number(pad_k, &format!("pad_k + part + {word}u"));
                format!("{value} + {pad} * pads_step")
            }
            None => value.to_string(),
        });
    }

    /// Writes `dk`, `dv` and, for padding tokens, `dpad`.
    pub(super) fn backward_kv(&mut self, saved: &Saved, [dk, dv]: [usize; 2], dpad: Option<usize>) {
        self.e.place();
        if let Some(dpad) = dpad {
            self.e.pad_gradient(saved, dpad);
        }
        self.e.leave_idle();
        self.start();
        let a = self.e.a;
        let [head, terms] = self.across();
        let side = |name, source| Walked { name, source };
        let keys = side("k", Source::Head(a.k));
        self.stage(self.own_span(0), &[keys], self.e.keys());
        self.stage_terms(self.own_span(0), Terms::Hot);
        self.barrier();
        self.hold("own_a", 0, 0..head + terms);
        self.barrier();
        self.own_rows("own_b", side("v", Source::Head(a.v)), self.e.keys());
        self.sums("dk", head);
        self.sums("dv", head);
        let sides = [
            side("q", Source::Head(a.q)),
            side("g", Source::Plain(saved.dout)),
        ];
        let mark = |c: &mut Self| {
            if let Some(rel) = saved.rel {
                c.stage_terms(c.walked_span(), Terms::Saved(rel));
            }
            c.stage_statistics(saved);
        };
        self.walk(&sides, self.e.queries(), mark, |c| {
            c.score("own_a", head + terms, c.tile_a());
            c.barrier();
            for j in 0..c.words() {
                let (score, column) = (c.read(j), c.column_word(j));
                c.line(format!(
                    "let weight_{j} = exp({score} - column_a[{column}]);"
                ));
                c.weigh(j, &format!("weight_{j}"));
            }
            c.barrier();
            c.score("own_b", head, c.tile_b());
            c.accumulate("dv", head, c.tile_b());
            c.barrier();
            for j in 0..c.words() {
                let (dp, column) = (c.read(j), c.column_word(j));
                c.weigh(j, &format!("weight_{j} * ({dp} - column_b[{column}])"));
            }
            c.barrier();
            c.accumulate("dk", head, c.tile_a());
            c.barrier();
        });
        for (sums, buffer) in [("dk", dk), ("dv", dv)] {
            self.store_rows(sums, buffer, self.e.keys(), |_, _, value| value.to_string());
        }
    }
}
