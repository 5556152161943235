//! The end of a product on a GPU: sums of a split are joined, then the results are stored.

use super::Shared;
use crate::Gemm;
use crate::emit::gemm::result::{epilogue, epilogue_forms, place};
use crate::wgsl::{Writer, plus};

impl Shared<'_> {
    /// Adds the sums of a split's parts into part 0, half of the parts to the other half at a time and
    /// as many sums at once as workgroup memory has room for.
    pub(super) fn join(&self, w: &mut Writer) {
        if self.split == 1 {
            return;
        }
        let [rows, cols] = self.each;
        let sums: Vec<String> = (0..rows * cols / 4)
            .map(|s| format!("acc_{}_{}", s / (cols / 4), s % (cols / 4)))
            .collect();
        let halves = self.invocations() / 2;
        let of_a_part = self.invocations() / self.split;
        for sums in sums.chunks(self.room() / halves) {
            let first = self.split / 2;
            w.open(format!("for (var half = {first}u; half > 0u; half /= 2u)"));
            w.open("if part >= half && part < half * 2u");
            for (s, sum) in sums.iter().enumerate() {
                let apart = s * halves;
                w.line(format!(
                    "tiles[local - half * {of_a_part}u + {apart}u] = {sum};"
                ));
            }
            w.close();
            w.line("workgroupBarrier();");
            w.open("if part < half");
            for (s, sum) in sums.iter().enumerate() {
                w.line(format!("{sum} += tiles[{}];", plus("local", s * halves)));
            }
            w.close();
            w.line("workgroupBarrier();");
            w.close();
        }
    }

    /// Stores the results, four neighbours at a time where the epilogue can take them together.
    pub(super) fn store(&self, w: &mut Writer) {
        let Gemm { m, n, .. } = *self.kernel;
        let [threads_m, threads_n] = self.threads();
        let (forms, quad) = epilogue_forms(self.kernel, self.caps);
        if self.split > 1 {
            w.open("if part == 0u");
        }
        w.line("let first_row = row + local_row * 4u;");
        w.line("let first_col = col + local_col * 4u;");
        for r in 0..self.each[0] {
            let down = r / 4 * threads_m * 4 + r % 4;
            let at_row = w.bind("at_row", plus("first_row", down));
            let low = !m.is_multiple_of(self.block[0]);
            if low {
                w.open(format!("if {at_row} < {m}u"));
            }
            for c in 0..self.each[1] / 4 {
                let at_col = plus("first_col", c * threads_n * 4);
                let mut acc = format!("acc_{r}_{c}");
                let at_col = if quad {
                    w.bind("at_col", at_col)
                } else {
                    acc = format!("{}[c]", w.bind("four", acc));
                    w.open_loop("c", "0u", "4u", "1u");
                    w.bind("at_col", format!("{at_col} + c"))
                };
                let narrow = !n.is_multiple_of(self.block[1]);
                if narrow {
                    w.open(format!("if {at_col} < {n}u"));
                }
                let i = w.bind("i", place(self.kernel, &at_row, &at_col));
                let acc = w.bind("acc", acc);
                epilogue(w, self.kernel, (&i, &acc), (&forms, quad));
                if narrow {
                    w.close();
                }
                if !quad {
                    w.close();
                }
            }
            if low {
                w.close();
            }
        }
        if self.split > 1 {
            w.close();
        }
    }
}
