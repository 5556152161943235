//! Tokens that pad a window. They share one key and value and differ by their relative positions only, so
//! that they take part as one key, of the score `scale·q·k + ln Σ exp(rel)`.
//!
//! Pads are the rows of the window below the grid, in all columns, and what is beside it in the rows
//! above. Either sum is a product of sums over the terms of rows and of columns.

use super::emitter::{Emitter, MASKED};
use crate::Part;
use crate::wgsl::float;

/// Far below the least sum there can be, which is 1.
const NOTHING: f32 = 1e-30;

/// Key and value of pads: binding and offset.
pub(super) type PadRows = [(usize, usize); 2];

/// A buffer and the register of it where a row starts.
pub(super) type Place<'t> = (usize, &'t str);

/// The relative position term `k` (an expression) of a query.
pub(super) type Term<'t> = &'t dyn Fn(&Emitter<'_>, &str) -> String;

impl Emitter<'_> {
    /// Key and value of pads, if windows have any that take part.
    pub(super) fn pads(&self) -> Option<PadRows> {
        let (k, v) = self.a.pad_kv.filter(|_| self.overhangs())?;
        Some([k, v].map(|pad| (pad.buffer, pad.offset)))
    }

    /// Binds `pad_k` and `pad_v`, the registers where the rows of pads start.
    pub(super) fn find_pads(&mut self, [(_, k_offset), (_, v_offset)]: PadRows) {
        for (name, offset) in [("pad_k", k_offset), ("pad_v", v_offset)] {
            let row = self.pad_row(offset);
            self.w.line(format!("let {name} = {row};"));
        }
    }

    /// Loads the rows of pads as the registers `{k}0`, … and `{v}0`, ….
    pub(super) fn load_pads(&mut self, [k, v]: [&str; 2], rows: PadRows) {
        for (name, (buffer, offset)) in [k, v].into_iter().zip(rows) {
            let row = self.pad_row(offset);
            self.load(name, buffer, &row);
        }
    }

    /// Declares sums of products of a row and a pad's, over the registers from `first` on in steps of `step`.
    pub(super) fn multiply_pads(
        &mut self,
        products: &[(&str, Place<'_>, Place<'_>)],
        [first, step]: [&str; 2],
    ) {
        for (sum, ..) in products {
            self.w.line(format!("var {sum} = 0.0f;"));
        }
        let count = format!("{}u", self.row_regs);
        self.w.open_loop("r", first, &count, step);
        for (sum, row, pad) in products {
            let [row, pad] =
                [row, pad].map(|(buffer, at)| self.number(*buffer, &format!("{at} + r")));
            let product = match self.width {
                4 => format!("dot({row}, {pad})"),
                _ => format!("{row} * {pad}"),
            };
            self.w.line(format!("{sum} += {product};"));
        }
        self.w.close();
    }

    /// What the terms at `saved`, if any, add to the score of the pads.
    pub(super) fn saved_pad_score(&mut self, rel: Option<Part>) -> String {
        match rel {
            Some(rel) => {
                let term = |e: &Emitter<'_>, k: &str| e.part(rel, &format!("saved + {k}"));
                self.pad_score(Some(&term))
            }
            None => self.pad_score(None),
        }
    }

    /// Binds where the rows of a slot's query and output gradient start.
    pub(super) fn query_rows(&mut self, slot: &str) -> [String; 2] {
        let (queries, token) = (self.queries(), format!("{slot}_t"));
        let q = self.row(&self.a.q, queries, &token);
        let g = self.plain_row(queries, &token);
        [("q_row", q), ("g_row", g)].map(|(name, row)| self.w.bind(name, row))
    }

    /// The logarithm of the sum over all pads of `exp(rel)`, of the query with relative position terms
    /// `term(k)`, if positions are relative. Binds what [`Emitter::others`] reads.
    pub(super) fn pad_score(&mut self, term: Option<Term<'_>>) -> String {
        let [s_y, s_x] = self.extents();
        let Some(term) = term else {
            return format!("log(f32({}u - tokens))", s_y * s_x);
        };
        let (rows, columns) = (format!("{s_y}u"), format!("{}u", s_y + s_x));
        let first_column = rows.clone();
        let last_column = format!("{s_y}u + tokens_x");
        self.log_sum("log_y", ["0u", "tokens_y"], term);
        self.log_sum("log_pads_y", ["tokens_y", &rows], term);
        self.log_sum("log_x", [&first_column, &last_column], term);
        self.log_sum("log_pads_x", [&last_column, &columns], term);
        for axis in ["y", "x"] {
            let all = self.log_of_both(&format!("log_{axis}"), &format!("log_pads_{axis}"));
            self.w.line(format!("let log_all_{axis} = {all};"));
        }
        let below = self.w.bind("below", "log_pads_y + log_all_x");
        let beside = self.w.bind("beside", "log_y + log_pads_x");
        self.log_of_both(&below, &beside)
    }

    /// Of the pads that share the term `k` with a query, the logarithm of the sum of `exp` of their other
    /// term.
    pub(super) fn others(&self, k: &str) -> String {
        let [s_y, _] = self.extents();
        format!(
            "select(select(log_all_y, log_pads_y, {k} < {s_y}u + tokens_x), \
             select(log_all_x, log_pads_x, {k} < tokens_y), {k} < {s_y}u)"
        )
    }

    /// Binds `name` to `ln Σ exp(term(k))` over a range of `k`, hardly more than [`MASKED`] if it is empty.
    fn log_sum(&mut self, name: &str, [from, to]: [&str; 2], term: Term<'_>) {
        let value = term(self, "k");
        let [peak, sum] = ["peak", "sum"].map(|part| format!("{name}_{part}"));
        self.w.line(format!("var {peak} = {};", float(MASKED)));
        self.w.open_loop("k", from, to, "1u");
        self.w.line(format!("{peak} = max({peak}, {value});"));
        self.w.close();
        self.w.line(format!("var {sum} = 0.0f;"));
        self.w.open_loop("k", from, to, "1u");
        self.w.line(format!("{sum} += exp({value} - {peak});"));
        self.w.close();
        let least = float(NOTHING);
        self.w
            .line(format!("let {name} = {peak} + log(max({sum}, {least}));"));
    }

    /// `ln(exp(a) + exp(b))` as an expression.
    fn log_of_both(&mut self, a: &str, b: &str) -> String {
        let top = self.w.bind("top", format!("max({a}, {b})"));
        format!("{top} + log(exp({a} - {top}) + exp({b} - {top}))")
    }
}
