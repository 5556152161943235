//! Pads of a window. A query's weight of all of them comes from its terms; two invocations share a query as
//! everywhere. In the gradient of keys and values, a workgroup beside those that own keys sums what all queries
//! of the window give.

use super::super::Emitter;
use super::super::forward::MASKED;
use super::super::pads::PadRows;
use super::{Cooperative, Saved, THREADS, WORD};
use crate::wgsl::float;

/// A buffer and the register of it where a row starts.
type Place<'t> = (usize, &'t str);

impl Cooperative<'_> {
    /// Binds the score of the pads of the window together with the owned query, least if there are none.
    pub(super) fn score_pads(&mut self, (pad_k, offset): (usize, usize), rel: Option<usize>) {
        self.line(format!("var pads_score = {};", float(MASKED)));
        if rel.is_some() {
            // Each of the two invocations has saved some of the query's terms.
            self.line("storageBarrier();");
        }
        self.e.w.open("if pads");
        let row = self.e.pad_row(offset);
        self.line(format!("let pad_k = {row};"));
        let (q, queries) = (self.e.a.q, self.e.queries());
        let row = self.e.row(&q, queries, "n_t");
        self.line(format!("let q_row = {row};"));
        let product = [("product", (q.buffer, "q_row"), (pad_k, "pad_k"))];
        self.multiply_pads(&product, ["part", "2u"]);
        let scale = float(self.e.a.scale);
        let added = self.saved_pad_score(rel);
        self.line(format!(
            "pads_score = (product + subgroupShuffleXor(product, 1u)) * {scale} + {added};"
        ));
        self.e.w.close();
    }

    /// Binds what the pads' key `pad_k` is multiplied by in the gradient of the owned query, and adds what they give
    /// to the gradient of its terms, given the saved terms and their gradient.
    pub(super) fn add_pads(
        &mut self,
        [(pad_k, k_offset), (pad_v, v_offset)]: PadRows,
        dout: usize,
        terms: Option<(usize, usize)>,
    ) {
        let row = self.e.pad_row(k_offset);
        self.line(format!("let pad_k = {row};"));
        self.line("var pads_step = 0.0f;");
        self.e.w.open("if pads");
        let row = self.e.pad_row(v_offset);
        self.line(format!("let pad_v = {row};"));
        let [q, g] = self.query_rows("n");
        let q_buffer = self.e.a.q.buffer;
        let products = [
            ("product", (q_buffer, q.as_str()), (pad_k, "pad_k")),
            ("dp", (dout, g.as_str()), (pad_v, "pad_v")),
        ];
        self.multiply_pads(&products, ["part", "2u"]);
        let scale = float(self.e.a.scale);
        self.line(format!(
            "let base = (product + subgroupShuffleXor(product, 1u)) * {scale} - lse.x;"
        ));
        self.line("let error = dp + subgroupShuffleXor(dp, 1u) - delta.x;");
        let added = self.saved_pad_score(terms.map(|(rel, _)| rel));
        self.line(format!(
            "pads_step = exp(base + {added}) * error * {scale};"
        ));
        if let Some((rel, drel)) = terms {
            self.add_pad_terms(rel, drel);
        }
        self.e.w.close();
    }

    /// Adds to the gradient of the owned query's terms, in memory and in `tile_a`, the words that this
    /// invocation has stored.
    fn add_pad_terms(&mut self, rel: usize, drel: usize) {
        let count = self.e.term_count();
        let words = format!("{}u", count.div_ceil(WORD));
        self.e.w.open_loop("w", "part", &words, "2u");
        for i in 0..WORD {
            let k = self.e.w.bind("k", format!("w * {WORD}u + {i}u"));
            let inside = format!("{k} < {count}u");
            let condition = self.token.iter().cloned().chain([inside]);
            self.e
                .w
                .open(format!("if {}", condition.collect::<Vec<_>>().join(" && ")));
            let own = self.e.number(rel, &format!("saved + {k}"));
            let others = self.e.others(&k);
            self.line(format!("let term = exp(base + {own} + {others}) * error;"));
            self.line(format!("b{drel}[saved + {k}] += term;"));
            self.line(format!("tile_a[row_terms + w][{i}u] += f16(term);"));
            self.e.w.close();
        }
        self.e.w.close();
    }

    /// Writes `dpad` and returns, in the last workgroup of a window.
    pub(super) fn pad_gradient(&mut self, saved: &Saved, dpad: usize) {
        let Some([(pad_k, k_offset), (pad_v, v_offset)]) = self.e.pads() else {
            return;
        };
        let (chunks, walked, regs) = (self.e.chunks(), self.e.walked, self.e.row_regs);
        // Both rows of `dpad`, and invocations that share a word of them.
        let words = 2 * regs;
        let shares = THREADS / words;
        self.e
            .w
            .open(format!("if at % {chunks}u == {}u", chunks - 1));
        self.line("let end = select(0u, tokens, pads);");
        let row = self.e.pad_row(k_offset);
        self.line(format!("let pad_k = {row};"));
        let row = self.e.pad_row(v_offset);
        self.line(format!("let pad_v = {row};"));
        self.line(format!("let word = local % {regs}u;"));
        self.line(format!("let of_key = local % {words}u < {regs}u;"));
        self.line("var sum = vec4<f32>();");
        let threads = format!("{THREADS}u");
        self.e.w.open_loop("start", "0u", "end", &threads);
        self.weigh_pads(saved, [pad_k, pad_v]);
        self.barrier();
        let all = format!("min({THREADS}u, tokens - start)");
        let first = format!("local / {words}u");
        self.e.w.open_loop("i", &first, &all, &format!("{shares}u"));
        let slot = self.e.slot("m", "start + i", walked, false);
        let [q, g] = self.query_rows(&slot.name);
        let [q, g] = [(self.e.a.q.buffer, q), (saved.dout, g)]
            .map(|(buffer, row)| self.e.forms[buffer].read(buffer, &format!("{row} + word")));
        self.line(format!("let four = select({g}, {q}, of_key);"));
        self.line("let factors = scores[i];");
        self.line("sum += four * select(factors.y, factors.x, of_key);");
        self.e.w.close();
        self.barrier();
        self.e.w.close();
        self.line(format!("scores[{THREADS}u + local] = sum;"));
        self.barrier();
        self.e.w.open(format!("if local < {words}u"));
        self.line("var total = vec4<f32>();");
        for share in 0..shares {
            let at = THREADS + share * words;
            self.line(format!("total += scores[{at}u + local];"));
        }
        let (heads, windows) = (self.e.a.heads, super::super::geometry::windows(self.e.a));
        self.line("let half = select(1u, 0u, of_key);");
        self.line(format!(
            "b{dpad}[(((b * {windows}u + window) * 2u + half) * {heads}u + h) * {regs}u + word] = total;"
        ));
        self.e.w.close();
        self.line("return;");
        self.e.w.close();
    }

    /// Stores, for the query that the invocation looks at, what its row is multiplied by in the gradient of
    /// the key and that of the output in the gradient of the value.
    fn weigh_pads(&mut self, saved: &Saved, [pad_k, pad_v]: [usize; 2]) {
        let slot = self.e.slot("m", "start + local", self.e.walked, true);
        let [q, g] = self.query_rows("m");
        let row = self.e.scalar_row("m_t");
        self.line(format!("let m = {row};"));
        let q_buffer = self.e.a.q.buffer;
        let products = [
            ("product", (q_buffer, q.as_str()), (pad_k, "pad_k")),
            ("dp", (saved.dout, g.as_str()), (pad_v, "pad_v")),
        ];
        self.multiply_pads(&products, ["0u", "1u"]);
        let scale = float(self.e.a.scale);
        let lse = self.e.number(saved.lse, "m");
        self.line(format!("let base = product * {scale} - {lse};"));
        self.line(format!("let saved = m * {}u;", self.e.term_count()));
        let added = self.saved_pad_score(saved.rel);
        let there = slot.exists.unwrap_or_default();
        self.line(format!(
            "let weight = select(0.0f, exp(base + {added}), {there});"
        ));
        let delta = self.e.number(saved.delta, "m");
        self.line(format!("let step = weight * (dp - {delta}) * {scale};"));
        self.line("scores[local] = vec4<f32>(step, weight, 0.0f, 0.0f);");
    }

    /// What the terms at `saved`, if any, add to the score of the pads.
    fn saved_pad_score(&mut self, rel: Option<usize>) -> String {
        match rel {
            Some(rel) => {
                let term = |e: &Emitter<'_>, k: &str| e.number(rel, &format!("saved + {k}"));
                self.e.pad_score(Some(&term))
            }
            None => self.e.pad_score(None),
        }
    }

    /// Declares sums of products of a row and a pad's, over the registers from `first` on
    /// in steps of `step`.
    fn multiply_pads(
        &mut self,
        products: &[(&str, Place<'_>, Place<'_>)],
        [first, step]: [&str; 2],
    ) {
        for (sum, ..) in products {
            self.line(format!("var {sum} = 0.0f;"));
        }
        let count = format!("{}u", self.e.row_regs);
        self.e.w.open_loop("r", first, &count, step);
        for (sum, row, pad) in products {
            let [row, pad] =
                [row, pad].map(|(buffer, at)| self.e.number(*buffer, &format!("{at} + r")));
            self.line(format!("{sum} += dot({row}, {pad});"));
        }
        self.e.w.close();
    }

    /// Binds where the rows of a slot's query and output gradient start.
    fn query_rows(&mut self, slot: &str) -> [String; 2] {
        let (queries, token) = (self.e.queries(), format!("{slot}_t"));
        let q = self.e.row(&self.e.a.q, queries, &token);
        let g = self.e.plain_row(queries, &token);
        [("q_row", q), ("g_row", g)].map(|(name, row)| self.e.w.bind(name, row))
    }
}
