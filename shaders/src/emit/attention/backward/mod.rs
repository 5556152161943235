//! Backward passes. With `P = exp(S − lse)`, `dS = P·(dout·v − delta)`.

mod keys;
mod pads;
mod queries;

use super::emitter::Emitter;

impl Emitter<'_> {
    /// `{total}{r} += Σ_j {factor}{j}·{row}{j}_{r}` for slots `j` and owned row `i`.
    fn accumulate(
        &mut self,
        (total, i): (&str, usize),
        factor: &str,
        row: &str,
        slots: std::ops::Range<usize>,
    ) {
        let total = self.own_row(total, i);
        for r in 0..self.regs {
            if self.share.lanes > 1 {
                for j in slots.clone() {
                    let factor = self.pair(factor, i, j);
                    let line =
                        format!("{total}{r} = fma(vec4<f32>({factor}), {row}{j}_{r}, {total}{r});");
                    self.w.line(line);
                }
                continue;
            }
            let parts: Vec<String> = slots
                .clone()
                .map(|j| format!("{} * {row}{j}_{r}", self.pair(factor, i, j)))
                .collect();
            self.w.line(format!("{total}{r} += {};", parts.join(" + ")));
        }
    }
}
