//! Gradient of keys and values.

use crate::Saved;
use crate::emit::attention::emitter::Emitter;
use crate::emit::attention::geometry::Slot;
use crate::emit::attention::walk::{Source, Walked};
use crate::wgsl::float;

impl Emitter<'_> {
    /// Writes `dk`, `dv` and, for padding tokens, `dpad`.
    pub(in crate::emit::attention) fn backward_kv(
        &mut self,
        saved: &Saved,
        outputs: [usize; 2],
        dpad: Option<usize>,
    ) {
        self.place();
        if let Some(dpad) = dpad {
            self.pad_gradient(saved, dpad);
        }
        self.leave_idle();
        let mut tokens = Vec::new();
        for i in 0..self.share.rows {
            let token = self.own_slot(i).exists;
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
            },
            Walked {
                name: "g",
                source: Source::Plain(saved.dout),
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
    }

    fn key_turn(&mut self, sides: &[Walked; 2], slots: &[Slot], saved: &Saved) {
        let scale = float(self.a.scale);
        let rows = self.share.rows;
        // The lane that a query is assigned to adds what is looked up for it to the products.
        let assigned = self.assigned(slots.len()).map(|slot| {
            let name = slot.name;
            let row = self.scalar_row(&format!("{name}_t"));
            self.w.line(format!("let {name} = {row};"));
            let delta = self
                .w
                .bind("minus_delta", format!("-{}", self.part(saved.delta, &name)));
            let lse = self.part(saved.lse, &name);
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
                        format!("{score}{added} - {}", self.part(saved.lse, name))
                    }
                };
                let mut weight = format!("exp({score})");
                if let Some(condition) = &slot.exists {
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
                    None => format!("({dp} - {})", self.part(saved.delta, name)),
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
        if let Some(rel) = saved.rel {
            let down = self.part(rel, &format!("{slot} * {count}u + {n}_y"));
            let across = self.part(rel, &format!("{slot} * {count}u + {s_y}u + {n}_x"));
            added = format!(" + {down} + {across}");
        }
        added + &self.distance_bias(&n, slot)
    }
}
