//! Walking the keys or queries of a window.

use super::Emitter;
use crate::{HeadRows, Tokens};

/// A head row of the walked side.
pub(super) struct Walked {
    /// Prefix of its registers.
    pub(super) name: &'static str,
    /// Its binding.
    pub(super) buffer: usize,
    /// Register index of the row of token `m_t`.
    pub(super) row: String,
    /// Binding and offset of the row of padding slots.
    pub(super) pad: Option<(usize, usize)>,
}

/// What is done on the way. Everything sees `m_y` of grids; only `each` sees `m_x`, `m_t` and the
/// walked registers.
pub(super) struct Visit<'v, 'a> {
    /// At the start of each row of the window (at each slot where rows are not walked as such).
    pub(super) row_start: &'v dyn Fn(&mut Emitter<'a>),
    /// At each slot that takes part.
    pub(super) each: &'v dyn Fn(&mut Emitter<'a>),
    /// At the end of each row.
    pub(super) row_end: &'v dyn Fn(&mut Emitter<'a>),
}

impl<'a> Emitter<'a> {
    /// Keys and values as the walked sides.
    pub(super) fn key_value(&self) -> [Walked; 2] {
        let a = self.a;
        let side = |name, rows: &HeadRows, pad| Walked {
            name,
            buffer: rows.buffer,
            row: self.row(rows, self.tokens(true), "m_t"),
            pad,
        };
        [
            side("k", &a.k, a.pad_kv.map(|p| p.0)),
            side("v", &a.v, a.pad_kv.map(|p| p.1)),
        ]
    }

    /// Walks the other side of the window; `keys` says whether those are keys.
    pub(super) fn walk(&mut self, sides: &[Walked; 2], keys: bool, visit: &Visit<'_, 'a>) {
        match (self.tile, self.a.tokens) {
            (Some(tile), _) => self.walk_staged(tile, sides, keys, visit),
            (None, Tokens::Sequence { .. }) => {
                let walked = self.walked;
                self.w.open_loop("m_t", "0u", &format!("{walked}u"), "1u");
                (visit.row_start)(self);
                self.direct(sides, keys, visit);
                (visit.row_end)(self);
                self.w.close();
            }
            (
                None,
                Tokens::Grid {
                    height,
                    width,
                    window_h,
                    window_w,
                },
            ) => {
                self.w.open_loop("m_y", "0u", &format!("{window_h}u"), "1u");
                (visit.row_start)(self);
                self.w.open_loop("m_x", "0u", &format!("{window_w}u"), "1u");
                self.token("m", "true", false, height, width);
                self.direct(sides, keys, visit);
                self.w.close();
                (visit.row_end)(self);
                self.w.close();
            }
        }
    }

    /// One slot, read straight from memory.
    fn direct(&mut self, sides: &[Walked; 2], keys: bool, visit: &Visit<'_, 'a>) {
        let skips = self.skip_padding(keys);
        for side in sides {
            match side.pad.filter(|_| self.overhangs()) {
                Some(pad) => self.load_or_pad(side.name, (side.buffer, &side.row), pad, "m_real"),
                None => self.load(side.name, side.buffer, &side.row),
            }
        }
        (visit.each)(self);
        if skips {
            self.w.close();
        }
    }

    /// Loads the row where `real` holds, else the padding row.
    pub(super) fn load_or_pad(
        &mut self,
        name: &str,
        (buffer, row): (usize, &str),
        (pad, offset): (usize, usize),
        real: &str,
    ) {
        let row = self.w.bind("row", row);
        let padding = self.w.bind(
            "row",
            format!("{}u + h * {}u", offset / self.lanes, self.regs),
        );
        for r in 0..self.regs {
            let (inside, outside) = (
                format!("b{buffer}[{row} + {r}u]"),
                format!("b{pad}[{padding} + {r}u]"),
            );
            self.w.line(format!(
                "let {name}{r} = select({outside}, {inside}, {real});"
            ));
        }
    }

    /// Tiles of both sides are copied to workgroup memory by all invocations together.
    fn walk_staged(&mut self, tile: usize, sides: &[Walked; 2], keys: bool, visit: &Visit<'_, 'a>) {
        let (walked, regs) = (self.walked, self.regs);
        self.w
            .open_loop("start", "0u", &format!("{walked}u"), &format!("{tile}u"));
        self.w.line("workgroupBarrier();");
        self.w.open_loop(
            "s",
            "local",
            &format!("{}u", tile * regs),
            &format!("{}u", self.workgroup),
        );
        self.w.line(format!(
            "let slot = min(start + s / {regs}u, {}u);",
            walked - 1
        ));
        self.w.line(format!("let r = s % {regs}u;"));
        self.slot("m", "slot", walked, false);
        for (name, side) in ["tile_a", "tile_b"].into_iter().zip(sides) {
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
        for (tile, side) in ["tile_a", "tile_b"].into_iter().zip(sides) {
            for r in 0..regs {
                self.w.line(format!(
                    "let {}{r} = {tile}[j * {regs}u + {r}u];",
                    side.name
                ));
            }
        }
        (visit.row_start)(self);
        (visit.each)(self);
        (visit.row_end)(self);
        if skips {
            self.w.close();
        }
        self.w.close();
        self.w.close();
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
}
