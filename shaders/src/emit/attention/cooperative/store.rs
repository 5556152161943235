//! Scores and sums in workgroup memory, a row for two invocations.

use super::{Cooperative, SIZE, WORD};

impl Cooperative<'_> {
    /// Binds word `j` of the invocation's part of its row of scores.
    pub(super) fn read(&mut self, j: usize) -> String {
        let value = format!("scores[row_scores + {}u]", 2 * j);
        self.e.w.bind("score", value)
    }

    /// Writes word `j` of the invocation's part of its row of weights.
    pub(super) fn weigh(&mut self, j: usize, value: &str) {
        let at = 2 * j;
        self.line(format!(
            "weights[row_weights + {at}u] = vec4<f16>({value});"
        ));
    }

    /// Passes the sums `{sums}_{f}` through workgroup memory. The body gets the first column of every
    /// second word of the row, which `part` follows by as many words, and the name of what is there.
    pub(super) fn drain(
        &mut self,
        sums: &str,
        fragments: std::ops::Range<usize>,
        body: impl Fn(&mut Self, usize, &str),
    ) {
        let first = fragments.start;
        let fragments: Vec<usize> = fragments.collect();
        for chunk in fragments.chunks(self.step / SIZE) {
            for (i, f) in chunk.iter().enumerate() {
                let sum = self.e.w.bind("sum", format!("{sums}_{f}"));
                self.put(&sum, i);
            }
            self.barrier();
            if let Some(condition) = self.token.clone() {
                self.e.w.open(format!("if {condition}"));
            }
            for j in 0..chunk.len() * SIZE / WORD / 2 {
                let value = self.read(j);
                body(self, (chunk[0] - first) * SIZE + 2 * j * WORD, &value);
            }
            if self.token.is_some() {
                self.e.w.close();
            }
            self.barrier();
        }
    }

    /// Stores, as the owned rows of a `[batch, tokens, heads·head_dim]` buffer, what `value` makes of the sums of a
    /// head: it gets every second word of the row, which `part` follows by one word, and the name of what is there.
    pub(super) fn store_rows(
        &mut self,
        sums: &str,
        buffer: usize,
        tokens: usize,
        value: impl Fn(&mut Self, usize, &str) -> String,
    ) {
        let row = format!("{} + part", self.e.plain_row(tokens, "n_t"));
        let row = self.e.w.bind("row", row);
        let [head, _] = self.across();
        self.drain(sums, 0..head, |c, column, sum| {
            let word = column / WORD;
            let value = value(c, word, sum);
            let value = c.e.forms[buffer].stored(&value);
            c.line(format!("b{buffer}[{row} + {word}u] = {value};"));
        });
    }
}
