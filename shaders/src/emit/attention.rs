//! Attention kernels. One invocation owns one query (forward, gradient of queries) or one key
//! (gradient of keys and values) and walks the other side of its window with everything it
//! accumulates in registers. GPUs stage what is walked in workgroup memory; CPU adapters read it
//! directly, since their caches make the copy and its barriers a loss.

use super::grid::{fold, linear_group};
use crate::wgsl::{Builtin, Interface, Writer, float};
use crate::{Attention, AttentionPass, Caps, HeadRows, Shader, Tokens};

/// Emits an attention kernel.
pub(crate) fn attention(kernel: &Attention, caps: &Caps) -> Shader {
    let mut e = Emitter::new(kernel, caps);
    match kernel.pass {
        AttentionPass::Forward { out, lse, rel } => e.forward(out, lse, rel),
        AttentionPass::BackwardQ {
            dout,
            lse,
            delta,
            rel,
            dq,
            drel,
        } => {
            e.backward_q(
                &Saved {
                    dout,
                    lse,
                    delta,
                    rel,
                },
                dq,
                drel,
            );
        }
        AttentionPass::BackwardKv {
            dout,
            lse,
            delta,
            rel,
            dk,
            dv,
            dpad,
        } => {
            e.backward_kv(
                &Saved {
                    dout,
                    lse,
                    delta,
                    rel,
                },
                dk,
                dv,
                dpad,
            );
        }
    }
    e.finish()
}

/// Bindings of what a backward pass reads.
struct Saved {
    dout: usize,
    lse: usize,
    delta: usize,
    rel: Option<usize>,
}

struct Emitter<'a> {
    a: &'a Attention,
    w: Writer,
    /// Components per register: 4 where every row is 16-byte aligned.
    lanes: usize,
    /// Registers per head.
    regs: usize,
    workgroup: usize,
    /// Walked rows staged at a time; none on CPU adapters.
    tile: Option<usize>,
    grid: [u32; 3],
    /// Slots of a window on the owned and the walked side (they differ for sequences only).
    owned: usize,
    walked: usize,
}

impl<'a> Emitter<'a> {
    fn new(a: &'a Attention, caps: &Caps) -> Self {
        let keys_own = matches!(a.pass, AttentionPass::BackwardKv { .. });
        let (queries, keys, windows) = match a.tokens {
            Tokens::Sequence { queries, keys } => (queries, keys, 1),
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => {
                let slots = window_h * window_w;
                (
                    slots,
                    slots,
                    height.div_ceil(window_h) * width.div_ceil(window_w),
                )
            }
        };
        let (owned, walked) = if keys_own {
            (keys, queries)
        } else {
            (queries, keys)
        };
        let pads_owned = matches!(a.pass, AttentionPass::BackwardKv { dpad: Some(_), .. });
        let workgroup = if caps.cpu {
            16
        } else {
            64.min(caps.workgroup_size as usize)
        };
        let aligned = |r: &HeadRows| r.offset % 4 == 0 && r.row_stride % 4 == 0;
        let pads_aligned = a
            .pad_kv
            .is_none_or(|((_, k), (_, v))| k % 4 == 0 && v % 4 == 0);
        let wide =
            a.head_dim % 4 == 0 && pads_aligned && [&a.q, &a.k, &a.v].into_iter().all(aligned);
        let lanes = if wide { 4 } else { 1 };
        let row_bytes = 2 * 4 * a.head_dim;
        let fits = (caps.workgroup_memory as usize / row_bytes).min(32);
        let chunks = (owned + usize::from(pads_owned)).div_ceil(workgroup);
        Self {
            a,
            w: Writer::new(),
            lanes,
            regs: a.head_dim / lanes,
            workgroup,
            tile: (!caps.cpu && !pads_owned && fits >= 4).then_some(fits),
            grid: fold(a.batch * a.heads * windows * chunks, caps),
            owned,
            walked,
        }
    }

    fn finish(self) -> Shader {
        let a = self.a;
        let pass = match a.pass {
            AttentionPass::Forward { .. } => "attention",
            AttentionPass::BackwardQ { .. } => "attention dq",
            AttentionPass::BackwardKv { .. } => "attention dkv",
        };
        let mut interface = Interface::scalar(
            &a.bindings,
            self.workgroup,
            &[Builtin::Workgroup, Builtin::Local],
        );
        if self.lanes == 4 {
            self.row_bindings()
                .into_iter()
                .for_each(|b| interface.wide[b] = true);
        }
        if let Some(tile) = self.tile {
            for name in ["tile_a", "tile_b"] {
                interface.shared.push((
                    name.into(),
                    format!("array<{}, {}>", self.ty(), tile * self.regs),
                ));
            }
        }
        Shader {
            name: format!(
                "{pass} {}x{}x{}x{}x{}",
                a.batch, a.heads, self.owned, self.walked, a.head_dim
            ),
            source: self.w.module(&interface),
            grid: self.grid,
            bindings: a.bindings.clone(),
        }
    }

    /// Bindings made of head rows, which are read as vec4 where possible.
    fn row_bindings(&self) -> Vec<usize> {
        let a = self.a;
        let mut rows = vec![a.q.buffer, a.k.buffer, a.v.buffer];
        rows.extend(a.rel_pos.into_iter().flat_map(|(h, w)| [h, w]));
        rows.extend(a.pad_kv.into_iter().flat_map(|((k, _), (v, _))| [k, v]));
        match a.pass {
            AttentionPass::Forward { out, .. } => rows.push(out),
            AttentionPass::BackwardQ { dout, dq, .. } => rows.extend([dout, dq]),
            AttentionPass::BackwardKv {
                dout, dk, dv, dpad, ..
            } => rows.extend([dout, dk, dv].into_iter().chain(dpad)),
        }
        rows
    }

    fn ty(&self) -> &'static str {
        if self.lanes == 4 { "vec4<f32>" } else { "f32" }
    }

    fn overhangs(&self) -> bool {
        match self.a.tokens {
            Tokens::Sequence { .. } => false,
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => height % window_h != 0 || width % window_w != 0,
        }
    }

    /// Query tokens or key tokens of the unpadded grid or sequence.
    fn tokens(&self, keys: bool) -> usize {
        match self.a.tokens {
            Tokens::Sequence { queries, .. } if !keys => queries,
            Tokens::Sequence { keys, .. } => keys,
            Tokens::Grid { height, width, .. } => height * width,
        }
    }

    /// Binds batch `b`, head `h`, window and this invocation's slot `p`.
    fn place(&mut self, extra: usize) {
        let chunks = (self.owned + extra).div_ceil(self.workgroup);
        let groups = self.a.batch * self.a.heads * self.windows() * chunks;
        let w = &mut self.w;
        w.line(format!("let at = {};", linear_group(self.grid)));
        w.line(format!(
            "let p = at % {chunks}u * {}u + local;",
            self.workgroup
        ));
        let mut rest = format!("at / {chunks}u");
        if let Tokens::Grid {
            height,
            width,
            window_h,
            window_w,
        } = self.a.tokens
        {
            let (down, across) = (height.div_ceil(window_h), width.div_ceil(window_w));
            w.line(format!("let window = {rest} % {}u;", down * across));
            w.line(format!("let top = window / {across}u * {window_h}u;"));
            w.line(format!("let left = window % {across}u * {window_w}u;"));
            rest = format!("at / {}u", chunks * down * across);
        }
        w.line(format!("let b = {rest} / {}u;", self.a.heads));
        w.line(format!("let h = {rest} % {}u;", self.a.heads));
        // A folded grid may hold a few workgroups too many.

        let dispatched: usize = self.grid.iter().map(|n| *n as usize).product();
        if dispatched != groups {
            w.line(format!("let spare = at >= {groups}u;"));
        } else {
            w.line("let spare = false;");
        }
    }

    fn windows(&self) -> usize {
        match self.a.tokens {
            Tokens::Sequence { .. } => 1,
            Tokens::Grid {
                height,
                width,
                window_h,
                window_w,
            } => height.div_ceil(window_h) * width.div_ceil(window_w),
        }
    }

    /// Binds `{name}_y`, `{name}_x` (place in the window), `{name}_real` (inside the grid) and
    /// `{name}_t` (token, clamped to a valid one) of window slot `slot`.
    fn slot(&mut self, name: &str, slot: &str, slots: usize, guard: bool) {
        let inside = if guard {
            format!("{slot} < {slots}u && !spare")
        } else {
            "true".into()
        };
        match self.a.tokens {
            Tokens::Sequence { .. } => {
                self.w.line(format!("let {name}_real = {inside};"));
                let token = if guard {
                    format!("min({slot}, {}u)", slots - 1)
                } else {
                    slot.to_string()
                };
                self.w.line(format!("let {name}_t = {token};"));
            }
            Tokens::Grid {
                height,
                width,
                window_w,
                ..
            } => {
                let place = match guard {
                    true => self.w.bind("place", format!("min({slot}, {}u)", slots - 1)),
                    false => slot.to_string(),
                };
                self.w
                    .line(format!("let {name}_y = {place} / {window_w}u;"));
                self.w
                    .line(format!("let {name}_x = {place} % {window_w}u;"));
                self.token(name, &inside, guard, height, width);
            }
        }
    }

    fn token(&mut self, name: &str, inside: &str, clamp: bool, height: usize, width: usize) {
        let (y, x) = (format!("(top + {name}_y)"), format!("(left + {name}_x)"));
        if self.overhangs() {
            let real = format!("{inside} && {y} < {height}u && {x} < {width}u");
            self.w.line(format!("let {name}_real = {real};"));
            self.w.line(format!(
                "let {name}_t = min({y}, {}u) * {width}u + min({x}, {}u);",
                height - 1,
                width - 1
            ));
        } else {
            self.w.line(format!("let {name}_real = {inside};"));
            let token = format!("{y} * {width}u + {x}");
            let token = if clamp {
                format!("min({token}, {}u)", height * width - 1)
            } else {
                token
            };
            self.w.line(format!("let {name}_t = {token};"));
        }
    }

    /// Register index where the head row of token `t` starts.
    fn row(&self, rows: &HeadRows, tokens: usize, t: &str) -> String {
        let b = if rows.batch == self.a.batch {
            "b".to_string()
        } else {
            format!("b % {}u", rows.batch)
        };
        let stride = rows.row_stride / self.lanes;
        let head = self.regs;
        format!(
            "{}u + ({b} * {tokens}u + {t}) * {stride}u + h * {head}u",
            rows.offset / self.lanes
        )
    }

    /// Register index of token `t` in a contiguous `[batch, tokens, heads·head_dim]` buffer.
    fn plain_row(&self, tokens: usize, t: &str) -> String {
        format!(
            "(b * {tokens}u + {t}) * {}u + h * {}u",
            self.a.heads * self.regs,
            self.regs
        )
    }

    /// Loads a head row into `{name}0`, `{name}1`, ….
    fn load(&mut self, name: &str, buffer: usize, row: &str) {
        let base = self.w.bind("row", row);
        for r in 0..self.regs {
            self.w
                .line(format!("let {name}{r} = b{buffer}[{base} + {r}u];"));
        }
    }

    fn zero(&mut self, name: &str) {
        for r in 0..self.regs {
            self.w.line(format!("var {name}{r} = {}();", self.ty()));
        }
    }

    fn store(&mut self, buffer: usize, row: &str, value: impl Fn(usize) -> String) {
        let base = self.w.bind("row", row);
        for r in 0..self.regs {
            self.w
                .line(format!("b{buffer}[{base} + {r}u] = {};", value(r)));
        }
    }

    /// `Σ a·b` over the head as an expression.
    fn dot(&self, a: impl Fn(usize) -> String, b: impl Fn(usize) -> String) -> String {
        let term = |r: usize| match self.lanes {
            4 => format!("dot({}, {})", a(r), b(r)),
            _ => format!("{} * {}", a(r), b(r)),
        };
        (0..self.regs).map(term).collect::<Vec<_>>().join(" + ")
    }

    /// Index of query `q_t`'s scalars in a `[batch, heads, tokens]` buffer.
    fn scalar_row(&self, t: &str) -> String {
        format!(
            "(b * {}u + h) * {}u + {t}",
            self.a.heads,
            self.tokens(false)
        )
    }

    fn extents(&self) -> (usize, usize) {
        match self.a.tokens {
            Tokens::Sequence { keys, .. } => (0, keys),
            Tokens::Grid {
                window_h, window_w, ..
            } => (window_h, window_w),
        }
    }

    /// Walks the other side: `body` sees `name0…` (from `first`) and `other0…` (from `second`) of
    /// each real (or padded) slot, and its `m_y`, `m_x`, `m_t`.
    fn walk(&mut self, first: &Walked, second: &Walked, keys: bool, body: impl Fn(&mut Self)) {
        let walked = self.walked;
        let Some(tile) = self.tile else {
            match self.a.tokens {
                Tokens::Sequence { .. } => {
                    self.w.open_loop("m_t", "0u", &format!("{walked}u"), "1u");
                    self.each(first, second, keys, &body);
                    self.w.close();
                }
                Tokens::Grid {
                    height,
                    width,
                    window_h,
                    window_w,
                } => {
                    self.w.open_loop("m_y", "0u", &format!("{window_h}u"), "1u");
                    self.w.open_loop("m_x", "0u", &format!("{window_w}u"), "1u");
                    self.token("m", "true", false, height, width);
                    self.each(first, second, keys, &body);
                    self.w.close();
                    self.w.close();
                }
            }
            return;
        };
        self.w
            .open_loop("start", "0u", &format!("{walked}u"), &format!("{tile}u"));
        self.w.line("workgroupBarrier();");
        self.w.open_loop(
            "s",
            "local",
            &format!("{}u", tile * self.regs),
            &format!("{}u", self.workgroup),
        );
        self.w.line(format!(
            "let slot = min(start + s / {}u, {}u);",
            self.regs,
            walked - 1
        ));
        self.w.line(format!("let r = s % {}u;", self.regs));
        self.slot("m", "slot", walked, false);
        for (name, side) in [("tile_a", first), ("tile_b", second)] {
            let value = self.element(side, keys);
            self.w.line(format!("{name}[s] = {value};"));
        }
        self.w.close();
        self.w.line("workgroupBarrier();");
        self.w
            .line(format!("let count = min({tile}u, {walked}u - start);"));
        self.w.open_loop("j", "0u", "count", "1u");
        self.w.line("let slot = start + j;");
        self.slot("m", "slot", walked, false);
        let skips = self.skip_padding(keys);
        for r in 0..self.regs {
            let at = format!("j * {}u + {r}u", self.regs);
            self.w
                .line(format!("let {}{r} = tile_a[{at}];", first.name));
            self.w
                .line(format!("let {}{r} = tile_b[{at}];", second.name));
        }
        body(self);
        if skips {
            self.w.close();
        }
        self.w.close();
        self.w.close();
    }

    fn each(&mut self, first: &Walked, second: &Walked, keys: bool, body: &impl Fn(&mut Self)) {
        let skips = self.skip_padding(keys);
        for side in [first, second] {
            if let (Some((buffer, offset)), true) = (side.pad, self.overhangs()) {
                let row = self.w.bind("row", side.row.clone());
                let pad = self.w.bind(
                    "row",
                    format!("{}u + h * {}u", offset / self.lanes, self.regs),
                );
                for r in 0..self.regs {
                    let (real, padded) = (
                        format!("b{}[{row} + {r}u]", side.buffer),
                        format!("b{buffer}[{pad} + {r}u]"),
                    );
                    self.w.line(format!(
                        "let {}{r} = select({padded}, {real}, m_real);",
                        side.name
                    ));
                }
            } else {
                self.load(side.name, side.buffer, &side.row);
            }
        }
        body(self);
        if skips {
            self.w.close();
        }
    }

    /// Register `r` of a walked row, for staging.
    fn element(&mut self, side: &Walked, keys: bool) -> String {
        let real = format!("b{}[{} + r]", side.buffer, side.row);
        match side.pad {
            Some((buffer, offset)) if keys && self.overhangs() => {
                let pad = format!(
                    "b{buffer}[{}u + h * {}u + r]",
                    offset / self.lanes,
                    self.regs
                );
                format!("select({pad}, {real}, m_real)")
            }
            _ => real,
        }
    }

    /// Opens `if m_real {` where padding slots take no part.
    fn skip_padding(&mut self, keys: bool) -> bool {
        let skips = self.overhangs() && !(keys && self.a.pad_kv.is_some());
        if skips {
            self.w.open("if m_real");
        }
        skips
    }

    /// Keys and values as the walked sides.
    fn key_value(&self) -> (Walked, Walked) {
        let a = self.a;
        let side = |name, rows: &HeadRows, pad| Walked {
            name,
            buffer: rows.buffer,
            row: self.row(rows, self.tokens(true), "m_t"),
            pad,
        };
        (
            side("k", &a.k, a.pad_kv.map(|p| p.0)),
            side("v", &a.v, a.pad_kv.map(|p| p.1)),
        )
    }

    /// The table entry of register `r` that relates the query's place to column `k` of one axis.
    fn table(&self, buffer: usize, axis: &str, extent: usize, k: &str, r: usize) -> String {
        format!(
            "b{buffer}[(n_{axis} + {}u - {k}) * {}u + {r}u]",
            extent - 1,
            self.regs
        )
    }

    /// Fills the private array `rel` with the query's relative position terms.
    fn relative_terms(&mut self, save: Option<usize>) {
        let Some((r_h, r_w)) = self.a.rel_pos else {
            return;
        };
        let (sy, sx) = self.extents();
        self.w.line(format!("var rel: array<f32, {}>;", sy + sx));
        for (buffer, axis, extent, first) in [(r_h, "y", sy, 0), (r_w, "x", sx, sy)] {
            self.w.open_loop("k", "0u", &format!("{extent}u"), "1u");
            let value = self.dot(
                |r| format!("q{r}"),
                |r| self.table(buffer, axis, extent, "k", r),
            );
            self.w.line(format!("rel[{first}u + k] = {value};"));
            self.w.close();
        }
        if let Some(saved) = save {
            self.w.open("if n_real");
            self.w.line(format!(
                "let saved = ({}) * {}u;",
                self.scalar_row("n_t"),
                sy + sx
            ));
            self.w.open_loop("k", "0u", &format!("{}u", sy + sx), "1u");
            self.w.line(format!("b{saved}[saved + k] = rel[k];"));
            self.w.close();
            self.w.close();
        }
    }

    fn score(&mut self) {
        let scale = float(self.a.scale);
        let product = self.dot(|r| format!("q{r}"), |r| format!("k{r}"));
        self.w.line(format!("var score = ({product}) * {scale};"));
    }

    fn forward(&mut self, out: usize, lse: usize, rel: Option<usize>) {
        let (queries, owned) = (self.tokens(false), self.owned);
        self.place(0);
        self.slot("n", "p", owned, true);
        let row = self.row(&self.a.q, queries, "n_t");
        self.load("q", self.a.q.buffer, &row);
        self.relative_terms(rel);
        self.zero("o");
        self.w.line(format!("var peak = {};", float(-3.0e38)));
        self.w.line("var total = 0.0;");
        let (key, value) = self.key_value();
        let (sy, _) = self.extents();
        let relative = self.a.rel_pos.is_some();
        self.walk(&key, &value, true, |e| {
            e.score();
            if relative {
                e.w.line(format!("score += rel[m_y] + rel[{sy}u + m_x];"));
            }
            e.w.open("if score > peak");
            e.w.line("let shrink = exp(peak - score);");
            e.w.line("peak = score;");
            e.w.line("total *= shrink;");
            for r in 0..e.regs {
                e.w.line(format!("o{r} *= shrink;"));
            }
            e.w.close();
            e.w.line("let weight = exp(score - peak);");
            e.w.line("total += weight;");
            for r in 0..e.regs {
                e.w.line(format!("o{r} += weight * v{r};"));
            }
        });
        self.w.open("if n_real");
        self.w.line("let inverse = 1.0 / total;");
        let row = self.plain_row(queries, "n_t");
        self.store(out, &row, |r| format!("o{r} * inverse"));
        self.w.line(format!(
            "b{lse}[{}] = peak + log(total);",
            self.scalar_row("n_t")
        ));
        self.w.close();
    }

    fn backward_q(&mut self, saved: &Saved, dq: usize, drel: Option<usize>) {
        let (queries, owned) = (self.tokens(false), self.owned);
        let (sy, sx) = self.extents();
        self.place(0);
        self.slot("n", "p", owned, true);
        let row = self.row(&self.a.q, queries, "n_t");
        self.load("q", self.a.q.buffer, &row);
        let row = self.plain_row(queries, "n_t");
        self.load("g", saved.dout, &row);
        self.w.line(format!("let n = {};", self.scalar_row("n_t")));
        self.w.line(format!("let lse = b{}[n];", saved.lse));
        self.w.line(format!("let delta = b{}[n];", saved.delta));
        self.zero("dq");
        let relative = self.a.rel_pos.and(saved.rel);
        if let Some(rel) = relative {
            self.w.line(format!("var rel: array<f32, {}>;", sy + sx));
            self.w.line(format!("var drel: array<f32, {}>;", sy + sx));
            self.w.open_loop("k", "0u", &format!("{}u", sy + sx), "1u");
            self.w
                .line(format!("rel[k] = b{rel}[n * {}u + k];", sy + sx));
            self.w.line("drel[k] = 0.0;");
            self.w.close();
        }
        let (key, value) = self.key_value();
        let scale = float(self.a.scale);
        self.walk(&key, &value, true, |e| {
            e.score();
            if relative.is_some() {
                e.w.line(format!("score += rel[m_y] + rel[{sy}u + m_x];"));
            }
            let dp = e.dot(|r| format!("g{r}"), |r| format!("v{r}"));
            e.w.line(format!("let ds = exp(score - lse) * ({dp} - delta);"));
            if relative.is_some() {
                e.w.line("drel[m_y] += ds;");
                e.w.line(format!("drel[{sy}u + m_x] += ds;"));
            }
            e.w.line(format!("let step = ds * {scale};"));
            for r in 0..e.regs {
                e.w.line(format!("dq{r} += step * k{r};"));
            }
        });
        if let (Some(_), Some((r_h, r_w))) = (relative, self.a.rel_pos) {
            for (buffer, axis, extent, first) in [(r_h, "y", sy, 0), (r_w, "x", sx, sy)] {
                self.w.open_loop("k", "0u", &format!("{extent}u"), "1u");
                for r in 0..self.regs {
                    let entry = self.table(buffer, axis, extent, "k", r);
                    self.w
                        .line(format!("dq{r} += drel[{first}u + k] * {entry};"));
                }
                self.w.close();
            }
        }
        self.w.open("if n_real");
        let row = self.plain_row(queries, "n_t");
        self.store(dq, &row, |r| format!("dq{r}"));
        if let (Some(drel), true) = (drel, relative.is_some()) {
            self.w.open_loop("k", "0u", &format!("{}u", sy + sx), "1u");
            self.w
                .line(format!("b{drel}[n * {}u + k] = drel[k];", sy + sx));
            self.w.close();
        }
        self.w.close();
    }

    fn backward_kv(&mut self, saved: &Saved, dk: usize, dv: usize, dpad: Option<usize>) {
        let (keys, owned) = (self.tokens(true), self.owned);
        self.place(usize::from(dpad.is_some()));
        self.zero("dk");
        self.zero("dv");
        match dpad {
            None => {
                self.slot("n", "p", owned, true);
                self.own_key(saved);
                self.w.open("if n_real");
                self.store_kv(dk, dv, keys);
                self.w.close();
            }
            Some(dpad) => {
                // The invocation after the last slot sums over all padding slots of the window.
                self.w.line(format!("let pads = p == {owned}u && !spare;"));
                self.w.line("let first = select(p, 0u, pads);");
                self.w.line(format!(
                    "let end = select(min(p + 1u, {owned}u), {owned}u, pads);"
                ));
                self.w.open_loop("own", "first", "end", "1u");
                self.slot("n", "own", owned, true);
                self.w.open("if n_real != pads");
                self.own_key(saved);
                self.w.close();
                self.w.close();
                self.slot("n", "p", owned, true);
                self.w.open("if n_real");
                self.store_kv(dk, dv, keys);
                self.w.close();
                self.w.open("if pads");
                let windows = self.windows();
                for (part, name) in [(0, "dk"), (1, "dv")] {
                    let c = self.a.heads * self.regs;
                    let row = format!(
                        "((b * {windows}u + window) * 2u + {part}u) * {c}u + h * {}u",
                        self.regs
                    );
                    self.store(dpad, &row, |r| format!("{name}{r}"));
                }
                self.w.close();
            }
        }
    }

    /// Accumulates the gradients of the key and value of slot `n`.
    fn own_key(&mut self, saved: &Saved) {
        let (queries, keys) = (self.tokens(false), self.tokens(true));
        let pads = matches!(self.a.pass, AttentionPass::BackwardKv { dpad: Some(_), .. });
        let sides = [
            ("k", &self.a.k, self.a.pad_kv.map(|p| p.0)),
            ("v", &self.a.v, self.a.pad_kv.map(|p| p.1)),
        ];
        for (name, rows, pad) in sides {
            let row = self.row(rows, keys, "n_t");
            match pad.filter(|_| pads) {
                Some((buffer, offset)) => {
                    let row = self.w.bind("row", row);
                    let pad = self.w.bind(
                        "row",
                        format!("{}u + h * {}u", offset / self.lanes, self.regs),
                    );
                    for r in 0..self.regs {
                        let (real, padded) = (
                            format!("b{}[{row} + {r}u]", rows.buffer),
                            format!("b{buffer}[{pad} + {r}u]"),
                        );
                        self.w
                            .line(format!("let {name}{r} = select({real}, {padded}, pads);"));
                    }
                }
                None => self.load(name, rows.buffer, &row),
            }
        }
        let query = Walked {
            name: "q",
            buffer: self.a.q.buffer,
            row: self.row(&self.a.q, queries, "m_t"),
            pad: None,
        };
        let dout = Walked {
            name: "g",
            buffer: saved.dout,
            row: self.plain_row(queries, "m_t"),
            pad: None,
        };
        let (sy, sx) = self.extents();
        let scale = float(self.a.scale);
        self.walk(&query, &dout, false, |e| {
            e.w.line(format!("let m = {};", e.scalar_row("m_t")));
            e.score();
            if let Some(rel) = e.a.rel_pos.and(saved.rel) {
                let base = e.w.bind("row", format!("m * {}u", sy + sx));
                e.w.line(format!(
                    "score += b{rel}[{base} + n_y] + b{rel}[{base} + {sy}u + n_x];"
                ));
            }
            e.w.line(format!("let weight = exp(score - b{}[m]);", saved.lse));
            let dp = e.dot(|r| format!("g{r}"), |r| format!("v{r}"));
            e.w.line(format!(
                "let step = weight * ({dp} - b{}[m]) * {scale};",
                saved.delta
            ));
            for r in 0..e.regs {
                e.w.line(format!("dv{r} += weight * g{r};"));
                e.w.line(format!("dk{r} += step * q{r};"));
            }
        });
    }

    fn store_kv(&mut self, dk: usize, dv: usize, keys: usize) {
        let row = self.plain_row(keys, "n_t");
        self.store(dk, &row, |r| format!("dk{r}"));
        self.store(dv, &row, |r| format!("dv{r}"));
    }
}

/// A head row of the walked side.
struct Walked {
    name: &'static str,
    buffer: usize,
    /// Register index of the row of token `m_t`.
    row: String,
    /// Binding and offset of the row of padding slots.
    pad: Option<(usize, usize)>,
}
