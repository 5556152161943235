//! Attention kernels. One invocation owns a few queries (forward, gradient of queries) or keys
//! (gradient of keys and values) and walks the other side of their window with everything it
//! accumulates in registers. GPUs own one and stage what is walked in workgroup memory; CPU
//! adapters own several, so that each walked row is loaded once for all of them, and read it
//! directly, since their caches make the copy and its barriers a loss.

mod backward;
mod forward;
mod walk;

use super::grid::{fold, linear_group};
use crate::wgsl::{Builtin, Interface, Writer};
use crate::{Attention, AttentionPass, Caps, HeadRows, Shader, Tokens};
use backward::Saved;

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

struct Emitter<'a> {
    a: &'a Attention,
    w: Writer,
    /// Components per register: 4 where every row is 16-byte aligned.
    lanes: usize,
    /// Registers per head.
    regs: usize,
    workgroup: usize,
    /// Owned slots per invocation.
    block: usize,
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
        let (queries, keys) = match a.tokens {
            Tokens::Sequence { queries, keys } => (queries, keys),
            Tokens::Grid {
                window_h, window_w, ..
            } => (window_h * window_w, window_h * window_w),
        };
        let (owned, walked) = if keys_own {
            (keys, queries)
        } else {
            (queries, keys)
        };
        let pads_owned = matches!(a.pass, AttentionPass::BackwardKv { dpad: Some(_), .. });
        let block = match caps.cpu && !pads_owned && owned > 16 {
            true if keys_own || a.head_dim > 64 => 2,
            true => 4,
            false => 1,
        };
        let workgroup = if caps.cpu {
            8
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
        let mut e = Self {
            a,
            w: Writer::new(),
            lanes,
            regs: a.head_dim / lanes,
            workgroup,
            block,
            tile: (!caps.cpu && !pads_owned && fits >= 4).then_some(fits),
            grid: [1; 3],
            owned,
            walked,
        };
        e.grid = fold(
            a.batch * a.heads * e.windows() * e.chunks(usize::from(pads_owned)),
            caps,
        );
        e
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
                let ty = format!("array<{}, {}>", self.ty(), tile * self.regs);
                interface.shared.push((name.into(), ty));
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
            } => {
                rows.extend([dout, dk, dv].into_iter().chain(dpad));
            }
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

    /// Workgroups that own the slots of a window, and `extra` invocations more.
    fn chunks(&self, extra: usize) -> usize {
        (self.owned.div_ceil(self.block) + extra).div_ceil(self.workgroup)
    }

    /// Query tokens or key tokens of the unpadded grid or sequence.
    fn tokens(&self, keys: bool) -> usize {
        match self.a.tokens {
            Tokens::Sequence { queries, .. } if !keys => queries,
            Tokens::Sequence { keys, .. } => keys,
            Tokens::Grid { height, width, .. } => height * width,
        }
    }

    /// Rows and columns of relative positions.
    fn extents(&self) -> (usize, usize) {
        match self.a.tokens {
            Tokens::Sequence { keys, .. } => (0, keys),
            Tokens::Grid {
                window_h, window_w, ..
            } => (window_h, window_w),
        }
    }

    /// Binds batch `b`, head `h`, the window's origin, and the first slot `p` this invocation owns.
    fn place(&mut self, extra: usize) {
        let chunks = self.chunks(extra);
        let (groups, first) = (
            self.a.batch * self.a.heads * self.windows() * chunks,
            linear_group(self.grid),
        );
        let w = &mut self.w;
        w.line(format!("let at = {first};"));
        w.line(format!(
            "let p = (at % {chunks}u * {}u + local) * {}u;",
            self.workgroup, self.block
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
        match dispatched == groups {
            true => w.line("let spare = false;"),
            false => w.line(format!("let spare = at >= {groups}u;")),
        }
    }

    /// Binds `{name}_y`, `{name}_x` (place in the window), `{name}_real` (inside the grid) and
    /// `{name}_t` (token, clamped to a valid one) of window slot `slot`, which may lie past the end
    /// where `guard` is set.
    fn slot(&mut self, name: &str, slot: &str, slots: usize, guard: bool) {
        let inside = if guard {
            format!("{slot} < {slots}u && !spare")
        } else {
            "true".into()
        };
        let place = match guard {
            true => self.w.bind("place", format!("min({slot}, {}u)", slots - 1)),
            false => slot.to_string(),
        };
        match self.a.tokens {
            Tokens::Sequence { .. } => {
                self.w.line(format!("let {name}_real = {inside};"));
                self.w.line(format!("let {name}_t = {place};"));
            }
            Tokens::Grid {
                height,
                width,
                window_w,
                ..
            } => {
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
            let (y, x) = (
                format!("min({y}, {}u)", height - 1),
                format!("min({x}, {}u)", width - 1),
            );
            self.w.line(format!("let {name}_t = {y} * {width}u + {x};"));
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

    /// Index of query `t`'s scalars in a `[batch, heads, tokens]` buffer.
    fn scalar_row(&self, t: &str) -> String {
        format!(
            "(b * {}u + h) * {}u + {t}",
            self.a.heads,
            self.tokens(false)
        )
    }

    /// The table entry of register `r` that relates the place of owned query `j` to column `k` of
    /// one axis.
    fn table(&self, j: usize, (buffer, axis, extent): (usize, &str, usize), r: usize) -> String {
        format!(
            "b{buffer}[(n{j}_{axis} + {}u - k) * {}u + {r}u]",
            extent - 1,
            self.regs
        )
    }
}
