//! Gradient of padding tokens. A workgroup beside those that own keys sums what all queries of the window give.

use crate::Saved;
use crate::emit::attention::emitter::Emitter;
use crate::emit::attention::pads::PadRows;
use crate::emit::attention::shape::windows;
use crate::wgsl::{float, plus};

/// What a query's row is multiplied by in the gradient of the pads' key, and that of the output in the gradient of
/// their value.
const FACTORS: &str = "factors";
/// Sums of invocations that share a register.
const SUMS: &str = "sums";

/// How the registers of both gradients, one after the other, are spread over a workgroup.
struct Spread {
    /// Registers, of the key and of the value.
    registers: usize,
    /// Registers that are summed at once.
    span: usize,
    /// Invocations that share a register.
    shares: usize,
}

impl Emitter<'_> {
    /// Writes `dpad` and returns, in the last workgroup of a window.
    pub(in crate::emit::attention) fn pad_gradient(&mut self, saved: &Saved, dpad: usize) {
        let Some(rows) = self.pads() else {
            return;
        };
        let Spread { span, shares, .. } = self.spread();
        let (chunks, local) = (self.chunks(), self.invocation());
        self.w.open(format!("if at % {chunks}u == {}u", chunks - 1));
        self.w.line("let end = select(0u, tokens, pads);");
        self.find_pads(rows);
        self.w.line(format!("let first = {local} / {span}u;"));
        let sums = self.declare_sums();
        let all = self.workgroup;
        self.w.open_loop("start", "0u", "end", &format!("{all}u"));
        self.weigh_pads(saved, rows);
        self.w.line("workgroupBarrier();");
        let end = format!("min({all}u, tokens - start)");
        self.w.open_loop("i", "first", &end, &format!("{shares}u"));
        self.slot("m", "start + i", self.walked, false);
        let [q, g] = self.query_rows("m");
        self.w.line(format!("let factor = {FACTORS}[i];"));
        for (sum, register) in &sums {
            let [q, g] = [(self.a.q.buffer, &q), (saved.dout, &g)].map(|(buffer, row)| {
                self.number(buffer, &format!("{row} + {register} % {}u", self.row_regs))
            });
            let of_key = format!("{register} < {}u", self.row_regs);
            self.w.line(format!(
                "{sum} += select({g}, {q}, {of_key}) * select(factor.y, factor.x, {of_key});"
            ));
        }
        self.w.close();
        self.w.line("workgroupBarrier();");
        self.w.close();
        self.store_sums(&sums, dpad);
        self.w.line("return;");
        self.w.close();
    }

    /// Declares an invocation's sums; their names, and those of the registers they belong to.
    fn declare_sums(&mut self) -> Vec<(String, String)> {
        let (
            Spread {
                registers, span, ..
            },
            local,
        ) = (self.spread(), self.invocation());
        let zero = format!("{}()", self.ty());
        let declare = |n: usize| {
            let (sum, register) = (format!("sum{n}"), format!("register{n}"));
            let mut number = plus(&format!("{local} % {span}u"), n * span);
            if !registers.is_multiple_of(span) {
                number = format!("min({number}, {}u)", registers - 1);
            }
            self.w.line(format!("let {register} = {number};"));
            self.w.line(format!("var {sum} = {zero};"));
            (sum, register)
        };
        (0..registers.div_ceil(span)).map(declare).collect()
    }

    /// Adds the sums of invocations that share a register, and stores them.
    fn store_sums(&mut self, sums: &[(String, String)], dpad: usize) {
        let Spread { span, shares, .. } = self.spread();
        let (local, regs, heads) = (self.invocation(), self.row_regs, self.a.heads);
        let windows = windows(self.a);
        for (sum, register) in sums {
            let mut total = sum.clone();
            if shares > 1 {
                self.w.line(format!("{SUMS}[{local}] = {sum};"));
                self.w.line("workgroupBarrier();");
                let others = (0..shares).map(|s| format!("{SUMS}[{register} + {}u]", s * span));
                total = others.collect::<Vec<_>>().join(" + ");
            }
            self.w.open("if first == 0u");
            self.w.line(format!(
                "b{dpad}[(((b * {windows}u + window) * 2u + {register} / {regs}u) * {heads}u + h) * {regs}u \
                 + {register} % {regs}u] = {total};"
            ));
            self.w.close();
        }
    }

    /// Stores the factors of the query that the invocation looks at.
    fn weigh_pads(&mut self, saved: &Saved, [(pad_k, _), (pad_v, _)]: PadRows) {
        let local = self.invocation();
        let slot = self.slot("m", &format!("start + {local}"), self.walked, true);
        let [q, g] = self.query_rows("m");
        let row = self.scalar_row("m_t");
        self.w.line(format!("let m = {row};"));
        let products = [
            ("product", (self.a.q.buffer, q.as_str()), (pad_k, "pad_k")),
            ("dp", (saved.dout, g.as_str()), (pad_v, "pad_v")),
        ];
        self.multiply_pads(&products, ["0u", "1u"]);
        let scale = float(self.a.scale);
        let lse = self.part(saved.lse, "m");
        self.w
            .line(format!("let base = product * {scale} - {lse};"));
        self.w
            .line(format!("let saved = m * {}u;", self.term_count()));
        let added = self.saved_pad_score(saved.rel);
        let there = slot.exists.unwrap_or_default();
        self.w.line(format!(
            "let weight = select(0.0f, exp(base + {added}), {there});"
        ));
        let delta = self.part(saved.delta, "m");
        self.w
            .line(format!("let step = weight * (dp - {delta}) * {scale};"));
        self.w
            .line(format!("{FACTORS}[{local}] = vec2<f32>(step, weight);"));
    }

    fn spread(&self) -> Spread {
        let registers = 2 * self.row_regs;
        let span = registers.min(self.workgroup);
        Spread {
            registers,
            span,
            shares: self.workgroup / span,
        }
    }

    /// The workgroup variables of [`Emitter::pad_gradient`], and how many numbers they hold.
    pub(in crate::emit::attention) fn pad_variables(&self) -> (Vec<(String, String)>, usize) {
        if self.beside == 0 {
            return (Vec::new(), 0);
        }
        let (all, ty) = (self.workgroup, self.ty());
        let mut variables = vec![(FACTORS.to_string(), format!("array<vec2<f32>, {all}>"))];
        let mut numbers = 2 * all;
        if self.spread().shares > 1 {
            variables.push((SUMS.to_string(), format!("array<{ty}, {all}>")));
            numbers += self.width * all;
        }
        (variables, numbers)
    }
}
