//! From the sums through workgroup memory to the epilogue.

use super::{Cooperative, SCALE, UNIT};
use crate::Gemm;
use crate::emit::form::Form;
use crate::emit::gemm::result::{epilogue, place};
use crate::wgsl::Writer;

impl Cooperative<'_> {
    /// Stores the results fragment by fragment, in a loop that the driver can keep or unroll. Fragments
    /// cannot be indexed, so each turn takes the first and moves up the others.
    pub(super) fn store(&self, w: &mut Writer, (forms, quad): (&[Form], bool)) {
        let Gemm { m, n, .. } = *self.kernel;
        let (size, lanes) = (self.size, self.lanes);
        let across = self.part[1] / size;
        let fragments: Vec<String> = self.fragments().map(|(i, j)| format!("{i}_{j}")).collect();
        let run = if quad { UNIT } else { 1 };
        let offset = w.bind("offset", format!("subgroup * {}u", size * size));
        w.open_loop("e", "0u", &format!("{}u", fragments.len()), "1u");
        for sum in self.sums() {
            // naga 30 wants the operands of a store bound beforehand.
            let first = w.bind("first", format!("{sum}_{}", fragments[0]));
            w.line(format!(
                "coopStoreT({first}, &{sum}_out[{offset}], {size}u);"
            ));
        }
        w.line("workgroupBarrier();");
        w.open_loop(
            "part",
            "lane",
            &format!("{}u", size * size / run),
            &format!("{lanes}u"),
        );
        let per_row = size / run;
        let in_row = match run {
            1 => format!("part % {per_row}u"),
            _ => format!("part % {per_row}u * {run}u"),
        };
        w.line(format!(
            "let at_row = row + part_row + e / {across}u * {size}u + part / {per_row}u;"
        ));
        w.line(format!(
            "let at_col = col + part_col + e % {across}u * {size}u + {in_row};"
        ));
        let mut inside = Vec::new();
        if !m.is_multiple_of(self.block[0]) {
            inside.push(format!("at_row < {m}u"));
        }
        if !n.is_multiple_of(self.block[1]) {
            inside.push(format!("at_col < {n}u"));
        }
        if !inside.is_empty() {
            w.open(format!("if {}", inside.join(" && ")));
        }
        w.line(format!(
            "let i = {};",
            place(self.kernel, "at_row", "at_col")
        ));
        let sums: Vec<String> = self
            .sums()
            .iter()
            .map(|sum| {
                let name = format!("{sum}_out");
                match quad {
                    true => quad_of(w, &name, &offset),
                    false => w.bind("sum", format!("{name}[{offset} + part]")),
                }
            })
            .collect();
        let acc = match &sums[..] {
            [main, minor] => format!("{main} + {minor} * {:?}f", 1.0 / SCALE as f32),
            _ => sums.concat(),
        };
        w.line(format!("let acc = {acc};"));
        epilogue(w, self.kernel, ("i", "acc"), (forms, quad));
        if !inside.is_empty() {
            w.close();
        }
        w.close();
        w.line("workgroupBarrier();");
        for sum in self.sums() {
            for pair in fragments.windows(2) {
                w.line(format!("{sum}_{} = {sum}_{};", pair[0], pair[1]));
            }
        }
        w.close();
    }
}

/// Binds the four numbers at quad `part` of `array`.
fn quad_of(w: &mut Writer, array: &str, offset: &str) -> String {
    let at = w.bind("at", format!("{offset} + part * {UNIT}u"));
    let parts: Vec<String> = (0..UNIT).map(|p| format!("{array}[{at} + {p}u]")).collect();
    w.bind("sum", format!("vec4<f32>({})", parts.join(", ")))
}
