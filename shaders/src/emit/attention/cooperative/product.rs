//! Products of fragments.

use super::{Cooperative, OWNED, SIZE, WORD};

impl Cooperative<'_> {
    /// Declares the sums `{name}_0`, … of so many fragments of each strip.
    pub(super) fn sums(&mut self, name: &str, count: usize) {
        for strip in 0..self.strips {
            let name = self.of(name, strip);
            for f in 0..count {
                self.line(format!("var {name}_{f}: coop_mat16x16<f32,C>;"));
            }
        }
    }

    /// Binds fragments of the rows of `tile_a` that are the subgroup's strip to `{name}_{f}`.
    pub(super) fn hold(&mut self, name: &str, strip: usize, fragments: std::ops::Range<usize>) {
        let name = self.of(name, strip);
        let pitch = self.pitch_a();
        for f in fragments {
            let at = f * SIZE / WORD;
            self.line(format!(
                "let {name}_{f} = coopLoadT<coop_mat16x16<f16,A>>(&tile_a[strip_a + {at}u], {pitch}u);"
            ));
        }
    }

    /// Multiplies the held fragments by the rows of a walked tile and stores the subgroup's strips of scores
    /// `[16, step]`.
    pub(super) fn score(&mut self, held: &str, fragments: usize, (tile, pitch): (&str, usize)) {
        for j in 0..self.columns() {
            self.column(j, |c| {
                let mut sums = vec!["zero".to_string(); c.strips];
                for f in 0..fragments {
                    let at = j * SIZE * pitch + f * SIZE / WORD;
                    let load = format!("coopLoad<coop_mat16x16<f16,B>>(&{tile}[{at}u], {pitch}u)");
                    let right = c.e.w.bind("right", load);
                    for (strip, sum) in sums.iter_mut().enumerate() {
                        let held = c.of(held, strip);
                        let product = format!("coopMultiplyAdd({held}_{f}, {right}, {sum})");
                        *sum = c.e.w.bind("sum", product);
                    }
                }
                for (strip, sum) in sums.iter().enumerate() {
                    c.put(sum, strip, j);
                }
            });
        }
    }

    /// Adds the products of the subgroup's weights `[16, step]` and a walked tile to the sums `{sums}_{f}`.
    pub(super) fn accumulate(
        &mut self,
        sums: &str,
        fragments: usize,
        (tile, pitch): (&str, usize),
    ) {
        let pitch_weights = self.pitch_weights();
        for k in 0..self.columns() {
            self.column(k, |c| {
                let load = |strip: usize| {
                    let at = strip * OWNED * pitch_weights + k * SIZE / WORD;
                    let load = format!(
                        "coopLoadT<coop_mat16x16<f16,A>>(&weights[strip_weights + {at}u], {pitch_weights}u)"
                    );
                    c.e.w.bind("left", load)
                };
                let lefts: Vec<String> = (0..c.strips).map(load).collect();
                for f in 0..fragments {
                    let at = k * SIZE * pitch + f * SIZE / WORD;
                    let load = format!("coopLoadT<coop_mat16x16<f16,B>>(&{tile}[{at}u], {pitch}u)");
                    let right = c.e.w.bind("right", load);
                    for (strip, left) in lefts.iter().enumerate() {
                        let sum = format!("{}_{f}", c.of(sums, strip));
                        c.line(format!("{sum} = coopMultiplyAdd({left}, {right}, {sum});"));
                    }
                }
            });
        }
    }

    /// Stores a sum as the fragment numbered `j` of a strip of scores.
    pub(super) fn put(&mut self, sum: &str, strip: usize, j: usize) {
        let pitch = self.pitch_scores();
        // naga 30 wants the operands of a store bound beforehand.
        let at = format!(
            "strip_scores + {}u",
            strip * OWNED * pitch + j * SIZE / WORD
        );
        let at = self.e.w.bind("at", at);
        self.line(format!("coopStoreT({sum}, &scores[{at}], {pitch}u);"));
    }
}
