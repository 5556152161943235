//! Scores and sums in workgroup memory, a row for one or two invocations.

use super::{Cooperative, SIZE, WORD};

impl Cooperative<'_> {
    /// Binds word `j` of the invocation's part of its row of scores.
    pub(super) fn read(&mut self, j: usize) -> String {
        let value = format!("scores[row_scores + {}u]", self.word(j));
        self.e.w.bind("score", value)
    }

    /// Writes word `j` of the invocation's part of its row of weights.
    pub(super) fn weigh(&mut self, j: usize, value: &str) {
        let at = self.word(j);
        self.line(format!(
            "weights[row_weights + {at}u] = vec4<f16>({value});"
        ));
    }

    /// Passes the sums `{sums}_{f}` through workgroup memory. The body gets the first columns of words of the row,
    /// of every second where `part` says which of two it is, and the name of what is there.
    pub(super) fn drain(
        &mut self,
        sums: &str,
        fragments: std::ops::Range<usize>,
        body: impl Fn(&mut Self, usize, &str),
    ) {
        let first = fragments.start;
        let fragments: Vec<usize> = fragments.collect();
        for chunk in fragments.chunks(self.step / SIZE) {
            self.put_all(sums, chunk);
            self.barrier();
            if let Some(condition) = self.token.clone() {
                self.e.w.open(format!("if {condition}"));
            }
            for j in 0..chunk.len() * SIZE / WORD / self.e.share.lanes {
                let value = self.read(j);
                let column = (chunk[0] - first) * SIZE + self.word(j) * WORD;
                body(self, column, &value);
            }
            if self.token.is_some() {
                self.e.w.close();
            }
            self.barrier();
        }
    }

    /// Stores sums of all strips as the first fragments of their scores.
    pub(super) fn put_all(&mut self, sums: &str, fragments: &[usize]) {
        for strip in 0..self.strips {
            let sums = self.of(sums, strip);
            for (i, f) in fragments.iter().enumerate() {
                let sum = self.e.w.bind("sum", format!("{sums}_{f}"));
                self.put(&sum, strip, i);
            }
        }
    }

    /// Stores, as the owned rows of a `[batch, tokens, heads·head_dim]` buffer, what `value` makes of the sums of a
    /// head: it gets words of the row as [`Cooperative::drain`] gives them, and the name of what is there.
    pub(super) fn store_rows(
        &mut self,
        sums: &str,
        buffer: usize,
        tokens: usize,
        value: impl Fn(&mut Self, usize, &str) -> String,
    ) {
        let row = format!("{}{}", self.e.plain_row(tokens, "n_t"), self.plus_part());
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
