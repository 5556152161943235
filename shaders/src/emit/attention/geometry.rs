//! Where the tokens of a window lie.

use super::emitter::Emitter;
use super::shape::windows;
use crate::emit::grid::{fold, linear_group};
use crate::wgsl::sum;
use crate::{HeadRows, Tokens};

/// A slot of a window, whose place is bound to `{name}_y`, `{name}_x` (grids only) and whose token to
/// `{name}_t`. Where windows overhang the grid, slots are those of the tokens that a window has.
pub(super) struct Slot {
    pub(super) name: String,
    /// Condition that the window has this slot; `None` when it always has. Place and token are those of its
    /// last slot otherwise.
    pub(super) exists: Option<String>,
}

/// The conjunction of two optional conditions.
pub(super) fn both(a: Option<String>, b: Option<String>) -> Option<String> {
    match (a, b) {
        (Some(a), Some(b)) => Some(format!("{a} && {b}")),
        (a, b) => a.or(b),
    }
}

impl Emitter<'_> {
    /// Whether windows reach beyond the grid.
    pub(super) fn overhangs(&self) -> bool {
        self.a.tokens.overhang()
    }

    /// The slots of a window that has `most` if it lies within the grid.
    pub(super) fn slots_here(&self, most: usize) -> String {
        match self.overhangs() {
            true => "tokens".to_string(),
            false => format!("{most}u"),
        }
    }

    /// Whether the last of steps of `step` slots may have fewer.
    pub(super) fn partial(&self, most: usize, step: usize) -> bool {
        self.overhangs() || !most.is_multiple_of(step)
    }

    /// Query tokens of a batch.
    pub(super) fn queries(&self) -> usize {
        self.a.tokens.counts().0
    }

    /// Key tokens of a batch.
    pub(super) fn keys(&self) -> usize {
        self.a.tokens.counts().1
    }

    /// Slots that a workgroup owns.
    pub(super) fn slots_owned(&self) -> usize {
        self.workgroup / self.share.lanes * self.share.rows
    }

    /// Workgroups per batch, head and window.
    pub(super) fn chunks(&self) -> usize {
        self.owned.div_ceil(self.slots_owned()) + self.beside
    }

    /// The workgroups to dispatch.
    pub(super) fn grid(&self) -> [u32; 3] {
        let a = self.a;
        fold(a.batch * a.heads * windows(a) * self.chunks(), &self.caps)
    }

    /// Binds batch `b`, head `h`, the window's number and corner, and this invocation's slots `p`.
    pub(super) fn place(&mut self) {
        let per_group = self.slots_owned();
        let chunks = self.chunks();
        let windows = windows(self.a);
        let groups = self.a.batch * self.a.heads * windows * chunks;
        let (grid, share, overhangs) = (self.grid(), self.share, self.overhangs());
        let (attends_pads, by_subgroup) = (self.pads().is_some(), self.by_subgroup);
        let own = self.invocation();
        let names: Vec<String> = (0..share.rows).map(|i| self.own("p", i)).collect();
        let w = &mut self.w;
        w.line(format!("let at = {};", linear_group(grid)));
        if grid.iter().map(|&n| n as usize).product::<usize>() != groups {
            w.open(format!("if at >= {groups}u"));
            w.line("return;");
            w.close();
        }
        let mut own = own.to_string();
        if by_subgroup {
            w.line("let local = subgroup * lanes + lane;");
        }
        if share.lanes > 1 {
            w.line(format!("let part = local % {}u;", share.lanes));
            own = format!("local / {}u", share.lanes);
        }
        for (i, name) in names.iter().enumerate() {
            let mut terms = vec![own.clone()];
            if chunks > 1 {
                terms.insert(0, format!("at % {chunks}u * {per_group}u"));
            }
            if i > 0 {
                terms.push(format!("{}u", i * per_group / share.rows));
            }
            w.line(format!("let {name} = {};", sum(terms)));
        }
        if let Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } = self.a.tokens
        {
            let across = width.div_ceil(window_w);
            w.line(format!("let window = at / {chunks}u % {windows}u;"));
            w.line(format!("let top = window / {across}u * {window_h}u;"));
            w.line(format!("let left = window % {across}u * {window_w}u;"));
            if overhangs {
                w.line(format!("let tokens_y = min({window_h}u, {height}u - top);"));
                w.line(format!("let tokens_x = min({window_w}u, {width}u - left);"));
                w.line("let tokens = tokens_y * tokens_x;");
                w.line("let row_share = 1.0f / f32(tokens_x);");
                if attends_pads {
                    w.line(format!("let pads = tokens < {}u;", window_h * window_w));
                }
            }
        }
        let heads = self.a.heads;
        w.line(format!("let h = at / {}u % {heads}u;", chunks * windows));
        w.line(format!("let b = at / {}u;", chunks * windows * heads));
    }

    /// Leaves the workgroups without a slot that the window has.
    pub(super) fn leave_idle(&mut self) {
        let chunks = self.chunks();
        if !self.overhangs() || chunks == 1 {
            return;
        }
        let first = self.slots_owned();
        self.w
            .open(format!("if at % {chunks}u * {first}u >= tokens"));
        self.w.line("return;");
        self.w.close();
    }

    /// Binds the place and token of slot number `at`, of `most`; `partial` when it may be beyond them.
    pub(super) fn slot(&mut self, name: &str, at: &str, most: usize, partial: bool) -> Slot {
        let slots = self.slots_here(most);
        let last = match self.overhangs() {
            true => "tokens - 1u".to_string(),
            false => format!("{}u", most - 1),
        };
        let exists = partial.then(|| format!("{at} < {slots}"));
        let at = match partial {
            true => format!("min({at}, {last})"),
            false => at.to_string(),
        };
        let overhangs = self.overhangs();
        match self.a.tokens {
            Tokens::Sequence { .. } => self.w.line(format!("let {name}_t = {at};")),
            Tokens::Grid {
                width, window_w, ..
            } => {
                let at = self.w.bind("slot", at);
                if overhangs {
                    // Half a slot further on, so that rounding cannot end in the row before.
                    let row = format!("u32((f32({at}) + 0.5f) * row_share)");
                    self.w.line(format!("let {name}_y = {row};"));
                    self.w
                        .line(format!("let {name}_x = {at} - {name}_y * tokens_x;"));
                } else {
                    self.w.line(format!("let {name}_y = {at} / {window_w}u;"));
                    self.w.line(format!("let {name}_x = {at} % {window_w}u;"));
                }
                self.w.line(format!(
                    "let {name}_t = (top + {name}_y) * {width}u + left + {name}_x;"
                ));
            }
        }
        Slot {
            name: name.to_string(),
            exists,
        }
    }

    /// The slot `n` that this invocation owns, of several the one numbered `i`.
    pub(super) fn own_slot(&mut self, i: usize) -> Slot {
        let partial = self.partial(self.owned, self.slots_owned());
        let (name, number) = (self.own("n", i), self.own("p", i));
        self.slot(&name, &number, self.owned, partial)
    }

    /// Register index where the head row of token `t` starts.
    pub(super) fn row(&self, rows: &HeadRows, tokens: usize, t: &str) -> String {
        let b = if rows.batch == self.a.batch {
            "b".to_string()
        } else {
            format!("b % {}u", rows.batch)
        };
        let (stride, head) = (rows.row_stride / self.width, self.row_regs);
        let row = format!("({b} * {tokens}u + {t}) * {stride}u + h * {head}u");
        match rows.offset / self.width {
            0 => row,
            offset => format!("{row} + {offset}u"),
        }
    }

    /// Register index of token `t` in a contiguous `[batch, tokens, heads·head_dim]` buffer.
    pub(super) fn plain_row(&self, tokens: usize, t: &str) -> String {
        let (heads, regs) = (self.a.heads, self.row_regs);
        format!("((b * {tokens}u + {t}) * {heads}u + h) * {regs}u")
    }

    /// Register index of the padding token's row at `offset` elements.
    pub(super) fn pad_row(&self, offset: usize) -> String {
        format!("h * {}u + {}u", self.row_regs, offset / self.width)
    }

    /// ` + bias` of the pair of slots with these names; empty without a distance bias.
    pub(super) fn distance_bias(&self, n: &str, m: &str) -> String {
        let (
            Some(bias),
            Tokens::Grid {
                window_h, window_w, ..
            },
        ) = (self.a.distance_bias, self.a.tokens)
        else {
            return String::new();
        };
        let [y, x] = ["y", "x"]
            .map(|axis| format!("max({n}_{axis}, {m}_{axis}) - min({n}_{axis}, {m}_{axis})"));
        let area = window_h * window_w;
        let at = format!("h * {area}u + ({y}) * {window_w}u + {x}");
        format!(" + {}", self.part(bias, &at))
    }

    /// Index of query token `t` in a `[batch, heads, tokens]` buffer.
    pub(super) fn scalar_row(&self, t: &str) -> String {
        format!("(b * {}u + h) * {}u + {t}", self.a.heads, self.queries())
    }
}
