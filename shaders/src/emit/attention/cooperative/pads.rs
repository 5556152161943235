//! Pads of a window. Two invocations share a query as everywhere.

use super::super::emitter::MASKED;
use super::super::geometry::both;
use super::super::pads::PadRows;
use super::{Cooperative, WORD};
use crate::Part;
use crate::wgsl::float;

impl Cooperative<'_> {
    /// Binds where the rows of pads are and, as `pads_score`, the score of those of the window together with the
    /// owned query, least if there are none.
    pub(super) fn score_pads(&mut self, rows: PadRows, rel: Option<usize>) {
        let [(pad_k, _), _] = rows;
        self.line(format!("var pads_score = {};", float(MASKED)));
        if rel.is_some() {
            // Other invocations have saved the query's terms.
            self.line("storageBarrier();");
        }
        self.e.find_pads(rows);
        self.e.w.open("if pads");
        let (q, queries) = (self.e.a.q, self.e.queries());
        let row = self.e.row(&q, queries, "n_t");
        self.line(format!("let q_row = {row};"));
        let product = [("product", (q.buffer, "q_row"), (pad_k, "pad_k"))];
        self.e.multiply_pads(&product, ["part", "2u"]);
        let scale = float(self.e.a.scale);
        let added = self.e.saved_pad_score(rel.map(Part::whole));
        self.line(format!(
            "pads_score = (product + subgroupShuffleXor(product, 1u)) * {scale} + {added};"
        ));
        self.e.w.close();
    }

    /// Binds where the rows of pads are and, as `pads_step`, what their key `pad_k` is multiplied by in the gradient of the owned query, and adds what they give
    /// to the gradient of its terms, given the saved terms and their gradient.
    pub(super) fn add_pads(&mut self, rows: PadRows, dout: usize, terms: Option<(Part, usize)>) {
        let [(pad_k, _), (pad_v, _)] = rows;
        self.e.find_pads(rows);
        self.line("var pads_step = 0.0f;");
        self.e.w.open("if pads");
        let [q, g] = self.e.query_rows("n");
        let q_buffer = self.e.a.q.buffer;
        let products = [
            ("product", (q_buffer, q.as_str()), (pad_k, "pad_k")),
            ("dp", (dout, g.as_str()), (pad_v, "pad_v")),
        ];
        self.e.multiply_pads(&products, ["part", "2u"]);
        let scale = float(self.e.a.scale);
        self.line(format!(
            "let base = (product + subgroupShuffleXor(product, 1u)) * {scale} - lse.x;"
        ));
        self.line("let excess = dp + subgroupShuffleXor(dp, 1u) - delta.x;");
        let added = self.e.saved_pad_score(terms.map(|(rel, _)| rel));
        self.line(format!(
            "pads_step = exp(base + {added}) * excess * {scale};"
        ));
        if let Some((rel, drel)) = terms {
            self.add_pad_terms(rel, drel);
        }
        self.e.w.close();
    }

    /// Adds to the gradient of the owned query's terms, in memory and in `tile_a`, the words that this
    /// invocation has stored.
    fn add_pad_terms(&mut self, rel: Part, drel: usize) {
        let count = self.e.term_count();
        let words = format!("{}u", count.div_ceil(WORD));
        self.e.w.open_loop("w", "part", &words, "2u");
        for i in 0..WORD {
            let k = self.e.w.bind("k", format!("w * {WORD}u + {i}u"));
            let inside = format!("{k} < {count}u");
            let condition = both(self.token.clone(), Some(inside));
            self.e
                .w
                .open(format!("if {}", condition.unwrap_or_default()));
            let own = self.e.part(rel, &format!("saved + {k}"));
            let others = self.e.others(&k);
            self.line(format!("let term = exp(base + {own} + {others}) * excess;"));
            self.line(format!("b{drel}[saved + {k}] += term;"));
            self.line(format!("tile_a[row_terms + w][{i}u] += f16(term);"));
            self.e.w.close();
        }
        self.e.w.close();
    }
}
