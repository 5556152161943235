//! Where the tokens of a window lie.

use super::Emitter;
use crate::emit::grid::{fold, linear_group};
use crate::wgsl::sum;
use crate::{Attention, HeadRows, Tokens};

/// Query and key slots of a window.
pub(super) fn window_slots(a: &Attention) -> (usize, usize) {
    match a.tokens {
        Tokens::Sequence { queries, keys } => (queries, keys),
        Tokens::Grid {
            window_h, window_w, ..
        } => (window_h * window_w, window_h * window_w),
    }
}

/// Windows per batch and head.
pub(super) fn windows(a: &Attention) -> usize {
    match a.tokens {
        Tokens::Sequence { .. } => 1,
        Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } => height.div_ceil(window_h) * width.div_ceil(window_w),
    }
}

/// Whether every row is 16-byte aligned.
pub(super) fn wide(a: &Attention) -> bool {
    let aligned = |r: &HeadRows| r.offset.is_multiple_of(4) && r.row_stride.is_multiple_of(4);
    let pads_aligned = a
        .pad_kv
        .is_none_or(|((_, k), (_, v))| k.is_multiple_of(4) && v.is_multiple_of(4));
    a.head_dim.is_multiple_of(4) && pads_aligned && [&a.q, &a.k, &a.v].into_iter().all(aligned)
}

/// A slot of a window, whose place is bound to `{name}_y`, `{name}_x` (grids only) and whose token to
/// `{name}_t`, clamped to a valid one.
pub(super) struct Slot {
    pub(super) name: String,
    /// Condition that the window has this slot; `None` when it always has.
    pub(super) exists: Option<String>,
    /// Condition that its token lies inside the grid; `None` when it always does.
    pub(super) real: Option<String>,
}

impl Slot {
    /// Condition that the slot holds a token.
    pub(super) fn holds_token(&self) -> Option<String> {
        both(self.exists.clone(), self.real.clone())
    }
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
        match self.a.tokens {
            Tokens::Sequence { .. } => false,
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => !height.is_multiple_of(window_h) || !width.is_multiple_of(window_w),
        }
    }

    /// Query tokens of a batch.
    pub(super) fn queries(&self) -> usize {
        match self.a.tokens {
            Tokens::Sequence { queries, .. } => queries,
            Tokens::Grid { height, width, .. } => height * width,
        }
    }

    /// Key tokens of a batch.
    pub(super) fn keys(&self) -> usize {
        match self.a.tokens {
            Tokens::Sequence { keys, .. } => keys,
            Tokens::Grid { height, width, .. } => height * width,
        }
    }

    /// Slots that a workgroup owns.
    pub(super) fn slots_owned(&self) -> usize {
        self.workgroup / self.share.lanes * self.share.rows
    }

    /// Workgroups per batch, head and window.
    pub(super) fn chunks(&self) -> usize {
        let slots = self.owned + usize::from(self.sums_pads);
        slots.div_ceil(self.slots_owned()) + self.beside
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
        let (grid, share) = (self.grid(), self.share);
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
        if share.lanes > 1 {
            w.line("let local = subgroup * lanes + lane;");
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
            width,
            window_h,
            window_w,
            ..
        } = self.a.tokens
        {
            let across = width.div_ceil(window_w);
            w.line(format!("let window = at / {chunks}u % {windows}u;"));
            w.line(format!("let top = window / {across}u * {window_h}u;"));
            w.line(format!("let left = window % {across}u * {window_w}u;"));
        }
        let heads = self.a.heads;
        w.line(format!("let h = at / {}u % {heads}u;", chunks * windows));
        w.line(format!("let b = at / {}u;", chunks * windows * heads));
    }

    /// Binds the place and token of slot number `at`, of `slots`; `partial` when it may be beyond them.
    pub(super) fn slot(&mut self, name: &str, at: &str, slots: usize, partial: bool) -> Slot {
        let exists = partial.then(|| format!("{at} < {slots}u"));
        let at = match partial {
            true => format!("min({at}, {}u)", slots - 1),
            false => at.to_string(),
        };
        let mut real = None;
        match self.a.tokens {
            Tokens::Sequence { .. } => self.w.line(format!("let {name}_t = {at};")),
            Tokens::Grid {
                height,
                width,
                window_w,
                ..
            } => {
                let at = self.w.bind("slot", at);
                self.w.line(format!("let {name}_y = {at} / {window_w}u;"));
                self.w.line(format!("let {name}_x = {at} % {window_w}u;"));
                let (mut y, mut x) = (format!("top + {name}_y"), format!("left + {name}_x"));
                if self.overhangs() {
                    real = Some(format!("{y} < {height}u && {x} < {width}u"));
                    y = format!("min({y}, {}u)", height - 1);
                    x = format!("min({x}, {}u)", width - 1);
                }
                self.w
                    .line(format!("let {name}_t = ({y}) * {width}u + {x};"));
            }
        }
        Slot {
            name: name.to_string(),
            exists,
            real,
        }
    }

    /// The slot `n` that this invocation owns, of several the one numbered `i`.
    pub(super) fn own_slot(&mut self, i: usize) -> Slot {
        let partial = self.sums_pads || !self.owned.is_multiple_of(self.slots_owned());
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
        format!(" + {}", self.number(bias, &at))
    }

    /// Index of query token `t` in a `[batch, heads, tokens]` buffer.
    pub(super) fn scalar_row(&self, t: &str) -> String {
        format!("(b * {}u + h) * {}u + {t}", self.a.heads, self.queries())
    }
}
