//! The gradient of padding tokens. They share one key and value and differ by their relative positions
//! only, so that a query's weights of all of them come from its terms, and a workgroup beside those that
//! own keys sums what all queries of the window give.

use super::super::forward::MASKED;
use super::{Cooperative, Saved, THREADS};
use crate::Tokens;
use crate::wgsl::float;

impl Cooperative<'_> {
    /// Writes `dpad` and returns, in the last workgroup of a window.
    pub(super) fn pad_gradient(&mut self, saved: &Saved, dpad: usize) {
        let (
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            },
            Some(((pad_k, k_offset), (pad_v, v_offset))),
        ) = (self.e.a.tokens, self.e.a.pad_kv)
        else {
            return;
        };
        let (chunks, walked, regs) = (self.e.chunks(), self.e.walked, self.e.row_regs);
        // Both rows of `dpad`, and invocations that share a word of them.
        let words = 2 * regs;
        let shares = THREADS / words;
        self.e
            .w
            .open(format!("if at % {chunks}u == {}u", chunks - 1));
        self.line(format!("let real_y = min({window_h}u, {height}u - top);"));
        self.line(format!("let real_x = min({window_w}u, {width}u - left);"));
        self.line(format!(
            "let pads = real_y < {window_h}u || real_x < {window_w}u;"
        ));
        self.line(format!("let end = select(0u, {walked}u, pads);"));
        let row = self.e.pad_row(k_offset);
        self.line(format!("let pad_k = {row};"));
        let row = self.e.pad_row(v_offset);
        self.line(format!("let pad_v = {row};"));
        self.line(format!("let word = local % {regs}u;"));
        self.line(format!("let of_key = local % {words}u < {regs}u;"));
        self.line("var sum = vec4<f32>();");
        let threads = format!("{THREADS}u");
        self.e.w.open_loop("start", "0u", "end", &threads);
        self.weigh_pads(saved, [pad_k, pad_v]);
        self.barrier();
        let all = format!("min({THREADS}u, {walked}u - start)");
        let first = format!("local / {words}u");
        self.e.w.open_loop("i", &first, &all, &format!("{shares}u"));
        let slot = self.e.slot("m", "start + i", walked, false);
        let name = slot.name;
        let [q, g] = self.query_rows(&name);
        let [q, g] = [(self.e.a.q.buffer, q), (saved.dout, g)]
            .map(|(buffer, row)| self.e.forms[buffer].read(buffer, &format!("{row} + word")));
        self.line(format!("let four = select({g}, {q}, of_key);"));
        self.line("let factors = scores[i];");
        self.line("sum += four * select(factors.y, factors.x, of_key);");
        self.e.w.close();
        self.barrier();
        self.e.w.close();
        self.line(format!("scores[{THREADS}u + local] = sum;"));
        self.barrier();
        self.e.w.open(format!("if local < {words}u"));
        self.line("var total = vec4<f32>();");
        for share in 0..shares {
            let at = THREADS + share * words;
            self.line(format!("total += scores[{at}u + local];"));
        }
        let (heads, windows) = (self.e.a.heads, super::super::geometry::windows(self.e.a));
        self.line("let half = select(1u, 0u, of_key);");
        self.line(format!(
            "b{dpad}[(((b * {windows}u + window) * 2u + half) * {heads}u + h) * {regs}u + word] = total;"
        ));
        self.e.w.close();
        self.line("return;");
        self.e.w.close();
    }

    /// Stores, for the query that the invocation looks at, what its row is multiplied by in the gradient of
    /// the key and that of the output in the gradient of the value.
    fn weigh_pads(&mut self, saved: &Saved, [pad_k, pad_v]: [usize; 2]) {
        let (walked, regs) = (self.e.walked, self.e.row_regs);
        let partial = !walked.is_multiple_of(THREADS);
        let slot = self.e.slot("m", "start + local", walked, partial);
        let [q, g] = self.query_rows("m");
        let row = self.e.scalar_row("m_t");
        self.line(format!("let m = {row};"));
        self.line("var product = 0.0f;");
        self.line("var dp = 0.0f;");
        let count = format!("{regs}u");
        self.e.w.open_loop("r", "0u", &count, "1u");
        let forms = self.e.forms.clone();
        for (sum, row, buffer, pad, pad_row) in [
            ("product", q, self.e.a.q.buffer, pad_k, "pad_k"),
            ("dp", g, saved.dout, pad_v, "pad_v"),
        ] {
            let row = forms[buffer].read(buffer, &format!("{row} + r"));
            let pad = forms[pad].read(pad, &format!("{pad_row} + r"));
            self.line(format!("{sum} += dot({row}, {pad});"));
        }
        self.e.w.close();
        let scale = float(self.e.a.scale);
        let lse = self.e.number(saved.lse, "m");
        self.line(format!("let base = product * {scale} - {lse};"));
        let weight = match saved.rel {
            Some(rel) => self.pad_weights(rel),
            None => format!("exp(base) * f32({walked}u - real_y * real_x)"),
        };
        let weight = match slot.holds_token() {
            Some(condition) => format!("select(0.0f, {weight}, {condition})"),
            None => weight,
        };
        self.line(format!("let weight = {weight};"));
        let delta = self.e.number(saved.delta, "m");
        self.line(format!("let step = weight * (dp - {delta}) * {scale};"));
        self.line("let factors = vec4<f32>(step, weight, 0.0f, 0.0f);");
        self.line("scores[local] = factors;");
    }

    /// The sum of a query's weights of all pads: of those in rows below the grid, in all columns, and of
    /// those beside it. Either is a product of sums over rows and columns.
    fn pad_weights(&mut self, rel: usize) -> String {
        let [s_y, s_x] = self.e.extents();
        let count = self.e.term_count();
        self.line(format!("let saved = m * {count}u;"));
        let masked = float(MASKED);
        for (axis, extent) in [("y", s_y), ("x", s_x)] {
            let first = if axis == "y" { 0 } else { s_y };
            let value = self.e.number(rel, &format!("saved + k + {first}u"));
            let all = format!("{extent}u");
            self.line(format!("var peak_{axis} = {masked};"));
            self.line(format!("var pad_peak_{axis} = {masked};"));
            self.e.w.open_loop("k", "0u", &all, "1u");
            self.line(format!("let term = {value};"));
            self.line(format!("let real = k < real_{axis};"));
            // Down, pads and real rows are apart; across, all columns include the pads.
            let taken = if axis == "y" { "real" } else { "true" };
            self.line(format!(
                "peak_{axis} = max(peak_{axis}, select({masked}, term, {taken}));"
            ));
            self.line(format!(
                "pad_peak_{axis} = max(pad_peak_{axis}, select(term, {masked}, real));"
            ));
            self.e.w.close();
            self.line(format!("var sum_{axis} = 0.0f;"));
            self.line(format!("var pad_sum_{axis} = 0.0f;"));
            self.e.w.open_loop("k", "0u", &all, "1u");
            self.line(format!("let term = {value};"));
            self.line(format!("let real = k < real_{axis};"));
            self.line(format!(
                "sum_{axis} += select(0.0f, exp(term - peak_{axis}), {taken});"
            ));
            self.line(format!(
                "pad_sum_{axis} += select(exp(term - pad_peak_{axis}), 0.0f, real);"
            ));
            self.e.w.close();
        }
        self.line("let below = exp(base + pad_peak_y + peak_x) * pad_sum_y * sum_x;");
        self.line("let beside = exp(base + peak_y + pad_peak_x) * sum_y * pad_sum_x;");
        "(below + beside)".to_string()
    }

    /// Binds where the rows of a slot's query and output gradient start.
    fn query_rows(&mut self, slot: &str) -> [String; 2] {
        let (queries, token) = (self.e.queries(), format!("{slot}_t"));
        let q = self.e.row(&self.e.a.q, queries, &token);
        let g = self.e.plain_row(queries, &token);
        [("q_row", q), ("g_row", g)].map(|(name, row)| self.e.w.bind(name, row))
    }
}
