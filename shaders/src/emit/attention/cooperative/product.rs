//! Products of fragments.

use super::{Cooperative, SIZE, WORD};

impl Cooperative<'_> {
    /// Declares the sums `{name}_0`, … of so many fragments.
    pub(super) fn sums(&mut self, name: &str, count: usize) {
        for f in 0..count {
            self.line(format!("var {name}_{f}: coop_mat16x16<f32,C>;"));
        }
    }

    /// Binds fragments of the subgroup's rows of `tile_a` to `{name}_{f}`.
    pub(super) fn hold(&mut self, name: &str, fragments: std::ops::Range<usize>) {
        let pitch = self.pitch_a();
        for f in fragments {
            let at = f * SIZE / WORD;
            self.line(format!(
                "let {name}_{f} = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + {at}u], {pitch}u);"
            ));
        }
    }

    /// Multiplies the held fragments by the rows of a walked tile and stores the subgroup's strip of scores
    /// `[16, step]`.
    pub(super) fn score(&mut self, held: &str, fragments: usize, (tile, pitch): (&str, usize)) {
        for j in 0..self.columns() {
            self.column(j, |c| {
                let mut sum = "zero".to_string();
                for f in 0..fragments {
                    let at = j * SIZE * pitch + f * SIZE / WORD;
                    let load = format!("coopLoad<coop_mat16x16<f16,B>>(&{tile}[{at}u], {pitch}u)");
                    let right = c.e.w.bind("right", load);
                    let product = format!("coopMultiplyAdd({held}_{f}, {right}, {sum})");
                    sum = c.e.w.bind("sum", product);
                }
                c.put(&sum, j);
            });
        }
    }

    /// Adds the product of the subgroup's weights `[16, step]` and a walked tile to the sums `{sums}_{f}`.
    pub(super) fn accumulate(
        &mut self,
        sums: &str,
        fragments: usize,
        (tile, pitch): (&str, usize),
    ) {
        let pitch_weights = self.pitch_weights();
        for k in 0..self.columns() {
            self.column(k, |c| {
                let at = k * SIZE / WORD;
                let load = format!(
                    "coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + {at}u], {pitch_weights}u)"
                );
                let left = c.e.w.bind("left", load);
                for f in 0..fragments {
                    let at = k * SIZE * pitch + f * SIZE / WORD;
                    let load = format!("coopLoadT<coop_mat16x16<f16,B>>(&{tile}[{at}u], {pitch}u)");
                    let right = c.e.w.bind("right", load);
                    c.line(format!(
                        "{sums}_{f} = coopMultiplyAdd({left}, {right}, {sums}_{f});"
                    ));
                }
            });
        }
    }

    /// Stores a sum as the fragment numbered `j` of the subgroup's strip of scores.
    pub(super) fn put(&mut self, sum: &str, j: usize) {
        let pitch = self.pitch_scores();
        // naga 30 wants the operands of a store bound beforehand.
        let at = format!("strip_scores + {}u", j * SIZE / WORD);
        let at = self.e.w.bind("at", at);
        self.line(format!("coopStoreT({sum}, &scores[{at}], {pitch}u);"));
    }
}
