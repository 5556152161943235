//! Forward pass: `lse` by one walk over the keys, the weighted sum of the values by another.

use super::super::forward::MASKED;
use super::super::walk::{Source, Walked};
use super::Cooperative;
use super::stage::Terms;
use crate::wgsl::float;

impl Cooperative<'_> {
    /// Writes `out`, `lse` and, with relative positions, `rel`.
    pub(super) fn forward(&mut self, out: usize, lse: usize, rel: Option<usize>) {
        self.e.place();
        self.start();
        self.own_queries();
        if let Some(rel) = rel {
            self.save_terms(rel);
        }
        let [head, terms] = self.across();
        let sides = self.e.key_value();
        self.line(format!("var peak = {};", float(MASKED)));
        self.line("var total = 0.0f;");
        self.walk(|c| {
            c.stage_keys(&sides[..1], &sides);
            c.barrier();
            c.score("own_a", head + terms, c.tile_a());
            c.barrier();
            c.sum_weights(&sides);
            if c.masks(&sides) {
                c.barrier();
            }
        });
        self.line("let other = subgroupShuffleXor(peak, 1u);");
        self.line("let highest = max(peak, other);");
        self.line("let scaled = total * exp(peak - highest);");
        self.line("let lse = highest + log(scaled + subgroupShuffleXor(scaled, 1u));");
        self.sums("out", head);
        self.barrier();
        self.walk(|c| {
            c.stage_keys(&sides, &sides);
            c.barrier();
            c.score("own_a", head + terms, c.tile_a());
            c.barrier();
            for j in 0..c.words() {
                let score = c.masked(j, &sides);
                c.weigh(j, &format!("exp({score} - lse)"));
            }
            c.barrier();
            c.accumulate("out", head, c.tile_b());
            c.barrier();
        });
        self.store_rows("out", out, self.e.queries());
        let row = self.e.scalar_row("n_t");
        let owner = super::super::geometry::both(self.token.clone(), Some("part == 0u".into()));
        self.e.w.open(format!("if {}", owner.unwrap_or_default()));
        self.line(format!("b{lse}[{row}] = lse;"));
        self.e.w.close();
    }

    /// Holds the heads of the owned queries.
    pub(super) fn own_queries(&mut self) {
        let side = Walked {
            name: "q",
            source: Source::Head(self.e.a.q),
            pad: None,
        };
        let [head, _] = self.across();
        self.stage(self.own_span(), &[side], self.e.queries(), 1.0);
        self.barrier();
        self.hold("own_a", 0..head);
        self.barrier();
    }

    /// Stages keys, which carry the scale, with their terms, and values if `staged` has both; `sides` say
    /// who takes part.
    pub(super) fn stage_keys(&mut self, staged: &[Walked], sides: &[Walked]) {
        let span = self.walked_span();
        self.stage(span, staged, self.e.keys(), self.e.a.scale);
        self.stage_terms(span, Terms::Hot);
        self.stage_masks(sides);
    }

    /// One walk over the other side of the window.
    pub(super) fn walk(&mut self, body: impl Fn(&mut Self)) {
        let (walked, step) = (format!("{}u", self.e.walked), format!("{}u", self.step));
        self.e.w.open_loop("start", "0u", &walked, &step);
        body(self);
        self.e.w.close();
    }

    /// Binds word `j` of the invocation's scores with those that take no part made least.
    pub(super) fn masked(&mut self, j: usize, sides: &[Walked]) -> String {
        let score = self.read(j);
        match self.masks(sides) {
            true => {
                let masked = format!("{score} + column_a[{}u + part]", 2 * j);
                self.e.w.bind("masked", masked)
            }
            false => score,
        }
    }

    /// Adds the invocation's scores to its sum of weights relative to the largest score so far.
    fn sum_weights(&mut self, sides: &[Walked]) {
        let scores: Vec<String> = (0..self.words()).map(|j| self.masked(j, sides)).collect();
        let largest = scores[1..].iter().fold(scores[0].clone(), |top, score| {
            format!("max({top}, {score})")
        });
        let largest = self.e.w.bind("largest", largest);
        self.line(format!(
            "let highest = max(peak, max(max({largest}.x, {largest}.y), max({largest}.z, {largest}.w)));"
        ));
        self.line("let base = vec4<f32>(highest);");
        let weights: Vec<String> = scores
            .iter()
            .map(|score| format!("exp({score} - base)"))
            .collect();
        let sum = self.e.w.bind("sum", weights.join(" + "));
        self.line(format!(
            "total = total * exp(peak - highest) + {sum}.x + {sum}.y + {sum}.z + {sum}.w;"
        ));
        self.line("peak = highest;");
    }
}
