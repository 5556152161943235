//! The forward pass: online softmax.

use super::Emitter;
use super::walk::Visit;
use crate::wgsl::float;

impl Emitter<'_> {
    pub(super) fn forward(&mut self, out: usize, lse: usize, rel: Option<usize>) {
        let (queries, owned, block) = (self.tokens(false), self.owned, self.block);
        self.place(0);
        for j in 0..block {
            self.slot(&format!("n{j}"), &format!("(p + {j}u)"), owned, true);
            let row = self.row(&self.a.q, queries, &format!("n{j}_t"));
            self.load(&format!("q{j}_"), self.a.q.buffer, &row);
            self.relative_terms(j, rel);
            self.zero(&format!("o{j}_"));
            self.w.line(format!("var peak{j} = {};", float(-3.0e38)));
            self.w.line(format!("var total{j} = 0.0;"));
        }
        let sides = self.key_value();
        self.walk(
            &sides,
            true,
            &Visit {
                row_start: &|e| e.relative_row(),
                each: &|e| (0..block).for_each(|j| e.accumulate(j)),
                row_end: &|_| {},
            },
        );
        for j in 0..block {
            self.w.open(format!("if n{j}_real"));
            self.w.line(format!("let inverse = 1.0 / total{j};"));
            let row = self.plain_row(queries, &format!("n{j}_t"));
            self.store(out, &row, |r| format!("o{j}_{r} * inverse"));
            let at = self.scalar_row(&format!("n{j}_t"));
            self.w
                .line(format!("b{lse}[{at}] = peak{j} + log(total{j});"));
            self.w.close();
        }
    }

    /// One key for owned query `j`; what was summed is rescaled only when the maximum grows.
    fn accumulate(&mut self, j: usize) {
        self.score(j, &format!("q{j}_"), "k");
        self.w.open(format!("if score{j} > peak{j}"));
        self.w
            .line(format!("let shrink = exp(peak{j} - score{j});"));
        self.w.line(format!("peak{j} = score{j};"));
        self.w.line(format!("total{j} *= shrink;"));
        for r in 0..self.regs {
            self.w.line(format!("o{j}_{r} *= shrink;"));
        }
        self.w.close();
        self.w
            .line(format!("let weight{j} = exp(score{j} - peak{j});"));
        self.w.line(format!("total{j} += weight{j};"));
        for r in 0..self.regs {
            self.w.line(format!("o{j}_{r} += weight{j} * v{r};"));
        }
    }

    /// Binds `score{j}` of the query in registers `q…` and the key in `k…`, with the relative terms
    /// of owned query `j`.
    pub(super) fn score(&mut self, j: usize, q: &str, k: &str) {
        let product = self.dot(|r| format!("{q}{r}"), |r| format!("{k}{r}"));
        let mut score = format!("({product}) * {}", float(self.a.scale));
        if self.a.rel_pos.is_some() {
            let (sy, _) = self.extents();
            score.push_str(&format!(" + rel{j}_y + rel{j}[{sy}u + m_x]"));
        }
        self.w.line(format!("let score{j} = {score};"));
    }

    /// Binds each owned query's relative term of the window row `m_y`.
    pub(super) fn relative_row(&mut self) {
        if self.a.rel_pos.is_some() {
            for j in 0..self.block {
                self.w.line(format!("let rel{j}_y = rel{j}[m_y];"));
            }
        }
    }

    /// Fills the private array `rel{j}` with the relative position terms of owned query `j`.
    fn relative_terms(&mut self, j: usize, save: Option<usize>) {
        let Some((r_h, r_w)) = self.a.rel_pos else {
            return;
        };
        let (sy, sx) = self.extents();
        self.w.line(format!("var rel{j}: array<f32, {}>;", sy + sx));
        for (table, first) in [((r_h, "y", sy), 0), ((r_w, "x", sx), sy)] {
            self.w.open_loop("k", "0u", &format!("{}u", table.2), "1u");
            let value = self.dot(|r| format!("q{j}_{r}"), |r| self.table(j, table, r));
            self.w.line(format!("rel{j}[{first}u + k] = {value};"));
            self.w.close();
        }
        if let Some(saved) = save {
            self.w.open(format!("if n{j}_real"));
            let at = self.scalar_row(&format!("n{j}_t"));
            self.w.line(format!("let saved = ({at}) * {}u;", sy + sx));
            self.w.open_loop("k", "0u", &format!("{}u", sy + sx), "1u");
            self.w.line(format!("b{saved}[saved + k] = rel{j}[k];"));
            self.w.close();
            self.w.close();
        }
    }
}
