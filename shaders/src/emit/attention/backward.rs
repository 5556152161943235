//! The backward passes. Scores are computed again from the saved log-sum-exp.

use super::Emitter;
use super::walk::{Visit, Walked};
use crate::AttentionPass;
use crate::wgsl::float;

/// Bindings of what a backward pass reads.
pub(super) struct Saved {
    pub(super) dout: usize,
    pub(super) lse: usize,
    pub(super) delta: usize,
    pub(super) rel: Option<usize>,
}

impl Emitter<'_> {
    pub(super) fn backward_q(&mut self, saved: &Saved, dq: usize, drel: Option<usize>) {
        let (queries, owned, block) = (self.tokens(false), self.owned, self.block);
        let (sy, sx) = self.extents();
        let relative = self.a.rel_pos.is_some();
        self.place(0);
        for j in 0..block {
            let token = format!("n{j}_t");
            self.slot(&format!("n{j}"), &format!("(p + {j}u)"), owned, true);
            let row = self.row(&self.a.q, queries, &token);
            self.load(&format!("q{j}_"), self.a.q.buffer, &row);
            let row = self.plain_row(queries, &token);
            self.load(&format!("g{j}_"), saved.dout, &row);
            self.w
                .line(format!("let n{j} = {};", self.scalar_row(&token)));
            self.w.line(format!("let lse{j} = b{}[n{j}];", saved.lse));
            self.w
                .line(format!("let delta{j} = b{}[n{j}];", saved.delta));
            self.zero(&format!("dq{j}_"));
            if let Some(rel) = saved.rel.filter(|_| relative) {
                self.w.line(format!("var rel{j}: array<f32, {}>;", sy + sx));
                self.w
                    .line(format!("var drel{j}: array<f32, {}>;", sy + sx));
                self.w.open_loop("k", "0u", &format!("{}u", sy + sx), "1u");
                self.w
                    .line(format!("rel{j}[k] = b{rel}[n{j} * {}u + k];", sy + sx));
                self.w.line(format!("drel{j}[k] = 0.0;"));
                self.w.close();
            }
        }
        let sides = self.key_value();
        self.walk(
            &sides,
            true,
            &Visit {
                row_start: &|e| {
                    e.relative_row();
                    if relative {
                        (0..block).for_each(|j| e.w.line(format!("var row{j} = 0.0;")));
                    }
                },
                each: &|e| (0..block).for_each(|j| e.query_gradient(j)),
                row_end: &|e| {
                    if relative {
                        (0..block).for_each(|j| e.w.line(format!("drel{j}[m_y] += row{j};")));
                    }
                },
            },
        );
        for j in 0..block {
            if relative {
                self.through_tables(j);
            }
            self.w.open(format!("if n{j}_real"));
            let row = self.plain_row(queries, &format!("n{j}_t"));
            self.store(dq, &row, |r| format!("dq{j}_{r}"));
            if let Some(drel) = drel.filter(|_| relative) {
                self.w.open_loop("k", "0u", &format!("{}u", sy + sx), "1u");
                self.w
                    .line(format!("b{drel}[n{j} * {}u + k] = drel{j}[k];", sy + sx));
                self.w.close();
            }
            self.w.close();
        }
    }

    /// What one key adds to the gradient of owned query `j`.
    fn query_gradient(&mut self, j: usize) {
        self.score(j, &format!("q{j}_"), "k");
        let dp = self.dot(|r| format!("g{j}_{r}"), |r| format!("v{r}"));
        self.w.line(format!(
            "let ds{j} = exp(score{j} - lse{j}) * ({dp} - delta{j});"
        ));
        if self.a.rel_pos.is_some() {
            let (sy, _) = self.extents();
            self.w.line(format!("row{j} += ds{j};"));
            self.w.line(format!("drel{j}[{sy}u + m_x] += ds{j};"));
        }
        self.w
            .line(format!("let step{j} = ds{j} * {};", float(self.a.scale)));
        for r in 0..self.regs {
            self.w.line(format!("dq{j}_{r} += step{j} * k{r};"));
        }
    }

    /// Adds the gradient that reaches owned query `j` through its relative position terms.
    fn through_tables(&mut self, j: usize) {
        let Some((r_h, r_w)) = self.a.rel_pos else {
            return;
        };
        let (sy, sx) = self.extents();
        for (table, first) in [((r_h, "y", sy), 0), ((r_w, "x", sx), sy)] {
            self.w.open_loop("k", "0u", &format!("{}u", table.2), "1u");
            for r in 0..self.regs {
                let entry = self.table(j, table, r);
                self.w
                    .line(format!("dq{j}_{r} += drel{j}[{first}u + k] * {entry};"));
            }
            self.w.close();
        }
    }

    pub(super) fn backward_kv(&mut self, saved: &Saved, dk: usize, dv: usize, dpad: Option<usize>) {
        let (keys, owned, block) = (self.tokens(true), self.owned, self.block);
        self.place(usize::from(dpad.is_some()));
        for j in 0..block {
            self.zero(&format!("dk{j}_"));
            self.zero(&format!("dv{j}_"));
        }
        let Some(dpad) = dpad else {
            for j in 0..block {
                self.slot(&format!("n{j}"), &format!("(p + {j}u)"), owned, true);
            }
            self.own_keys(saved);
            (0..block).for_each(|j| self.store_kv(j, dk, dv, keys));
            return;
        };
        // The invocation after the last slot sums over all padding slots of the window.
        self.w.line(format!("let pads = p == {owned}u && !spare;"));
        self.w.line("let first = select(p, 0u, pads);");
        self.w.line(format!(
            "let end = select(min(p + 1u, {owned}u), {owned}u, pads);"
        ));
        self.w.open_loop("own", "first", "end", "1u");
        self.slot("n0", "own", owned, true);
        self.w.open("if n0_real != pads");
        self.own_keys(saved);
        self.w.close();
        self.w.close();
        self.slot("n0", "p", owned, true);
        self.store_kv(0, dk, dv, keys);
        self.w.open("if pads");
        let (windows, c) = (self.windows(), self.a.heads * self.regs);
        for (part, name) in [(0, "dk0_"), (1, "dv0_")] {
            let row = format!(
                "((b * {windows}u + window) * 2u + {part}u) * {c}u + h * {}u",
                self.regs
            );
            self.store(dpad, &row, |r| format!("{name}{r}"));
        }
        self.w.close();
    }

    /// Accumulates the gradients of the owned keys and values.
    fn own_keys(&mut self, saved: &Saved) {
        let (queries, keys, block) = (self.tokens(false), self.tokens(true), self.block);
        let pads = matches!(self.a.pass, AttentionPass::BackwardKv { dpad: Some(_), .. });
        let sides = [
            ("k", self.a.k, self.a.pad_kv.map(|p| p.0)),
            ("v", self.a.v, self.a.pad_kv.map(|p| p.1)),
        ];
        for j in 0..block {
            for (name, rows, pad) in sides {
                let (name, row) = (
                    format!("{name}{j}_"),
                    self.row(&rows, keys, &format!("n{j}_t")),
                );
                match pad.filter(|_| pads) {
                    Some(pad) => self.load_or_pad(&name, (rows.buffer, &row), pad, "!pads"),
                    None => self.load(&name, rows.buffer, &row),
                }
            }
        }
        let side = |name, buffer, row| Walked {
            name,
            buffer,
            row,
            pad: None,
        };
        let sides = [
            side("q", self.a.q.buffer, self.row(&self.a.q, queries, "m_t")),
            side("g", saved.dout, self.plain_row(queries, "m_t")),
        ];
        let visit = Visit {
            row_start: &|_| {},
            each: &|e| {
                e.w.line(format!("let m = {};", e.scalar_row("m_t")));
                e.w.line(format!("let lse = b{}[m];", saved.lse));
                e.w.line(format!("let delta = b{}[m];", saved.delta));
                (0..block).for_each(|j| e.key_gradient(j, saved));
            },
            row_end: &|_| {},
        };
        self.walk(&sides, false, &visit);
    }

    /// What one query adds to the gradients of owned key and value `j`.
    fn key_gradient(&mut self, j: usize, saved: &Saved) {
        let (sy, sx) = self.extents();
        let product = self.dot(|r| format!("q{r}"), |r| format!("k{j}_{r}"));
        let mut score = format!("({product}) * {}", float(self.a.scale));
        if let Some(rel) = saved.rel.filter(|_| self.a.rel_pos.is_some()) {
            let width = sy + sx;
            score.push_str(&format!(
                " + b{rel}[m * {width}u + n{j}_y] + b{rel}[m * {width}u + {sy}u + n{j}_x]"
            ));
        }
        self.w.line(format!("let weight{j} = exp({score} - lse);"));
        let dp = self.dot(|r| format!("g{r}"), |r| format!("v{j}_{r}"));
        self.w.line(format!(
            "let step{j} = weight{j} * ({dp} - delta) * {};",
            float(self.a.scale)
        ));
        for r in 0..self.regs {
            self.w.line(format!("dv{j}_{r} += weight{j} * g{r};"));
            self.w.line(format!("dk{j}_{r} += step{j} * q{r};"));
        }
    }

    fn store_kv(&mut self, j: usize, dk: usize, dv: usize, keys: usize) {
        self.w.open(format!("if n{j}_real"));
        let row = self.plain_row(keys, &format!("n{j}_t"));
        self.store(dk, &row, |r| format!("dk{j}_{r}"));
        self.store(dv, &row, |r| format!("dv{j}_{r}"));
        self.w.close();
    }
}
