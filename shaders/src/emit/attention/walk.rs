//! The walk over the other side of the window, a few slots per turn.

use super::emitter::{Emitter, Supply, UNROLL};
use super::geometry::Slot;
use crate::HeadRows;
use crate::emit::form::Form;
use crate::wgsl::sum;

/// Rows of the walked side, read into registers `{name}{j}_0`, ….
pub(super) struct Walked {
    /// Prefix of the registers.
    pub(super) name: &'static str,
    pub(super) source: Source,
}

/// Where rows lie.
pub(super) enum Source {
    /// An operand.
    Head(HeadRows),
    /// A contiguous `[batch, tokens, heads·head_dim]` buffer.
    Plain(usize),
}

impl Walked {
    fn buffer(&self) -> usize {
        match &self.source {
            Source::Head(rows) => rows.buffer,
            Source::Plain(buffer) => *buffer,
        }
    }
}

impl Emitter<'_> {
    /// Walks all slots of the window. The body gets the slots of a turn; it calls
    /// [`Emitter::fetch`] for the rows it wants.
    pub(super) fn walk(
        &mut self,
        sides: &[Walked; 2],
        tokens: usize,
        body: impl Fn(&mut Self, &[Slot]),
    ) {
        let unroll = self.unroll();
        let walked = self.slots_here(self.walked);
        let step = format!("{unroll}u");
        match self.supply {
            Supply::Staged(tile) => {
                let tile_step = format!("{tile}u");
                self.w.open_loop("start", "0u", &walked, &tile_step);
                self.stage(sides, tokens, tile);
                let end = format!("min({tile}u, {walked} - start)");
                self.w.open_loop("j", "0u", &end, &step);
                let slots = self.slots("start + j");
                body(self, &slots);
                self.w.close();
                self.w.line("workgroupBarrier();");
                self.w.close();
            }
            Supply::Direct | Supply::Broadcast(_) => {
                self.w.open_loop("j", "0u", &walked, &step);
                let slots = self.slots("j");
                if let Supply::Broadcast(lanes) = self.supply {
                    self.read_together(sides, tokens, lanes, &slots);
                } else {
                    self.find_rows(sides, tokens, &slots);
                }
                body(self, &slots);
                self.w.close();
            }
        }
    }

    /// Slots per turn: whole groups of rows that the lanes read at once.
    fn unroll(&self) -> usize {
        match self.supply {
            Supply::Broadcast(lanes) => {
                let group = self.group(lanes);
                let turns = UNROLL.div_ceil(group).min(self.walked.div_ceil(group));
                group * turns
            }
            _ => UNROLL.min(self.walked),
        }
    }

    /// Rows that the lanes of a subgroup read at once, a register each.
    pub(super) fn group(&self, lanes: usize) -> usize {
        (lanes / self.regs).max(1)
    }

    /// Binds the slots of a turn, `m0`, `m1`, ….
    fn slots(&mut self, first: &str) -> Vec<Slot> {
        let partial = self.partial(self.walked, self.unroll());
        let number = |j: usize| match j {
            0 => first.to_string(),
            _ => format!("{first} + {j}u"),
        };
        (0..self.unroll())
            .map(|j| self.slot(&format!("m{j}"), &number(j), self.walked, partial && j > 0))
            .collect()
    }

    /// Binds `{name}{j}_0`, … to the registers of a side's row at slot `j` of the turn.
    pub(super) fn fetch(&mut self, side: &Walked, second: bool, j: usize) {
        let name = side.name;
        for r in 0..self.regs {
            let value = match self.supply {
                Supply::Direct => self.element(side, &format!("m{j}"), &format!("{r}u")),
                Supply::Staged(_) => {
                    let tile = if second { "tile_b" } else { "tile_a" };
                    let at = self
                        .share
                        .start(&format!("(j + {j}u) * {}u", self.row_regs));
                    format!("{tile}[{at} + {}u]", r * self.share.lanes)
                }
                Supply::Broadcast(lanes) => {
                    let group = self.group(lanes);
                    let read = format!("{name}_read{}", j / group);
                    self.broadcast(&read, j % group, r, lanes)
                }
            };
            self.w.line(format!("let {name}{j}_{r} = {value};"));
        }
    }

    /// Register `r` of row `row` of a group that the lanes have read as `{read}_0`, ….
    pub(super) fn broadcast(&self, read: &str, row: usize, r: usize, lanes: usize) -> String {
        let (turn, holder) = if self.regs >= lanes {
            (r / lanes, r % lanes)
        } else {
            (0, row * self.regs + r)
        };
        format!("subgroupBroadcast({read}_{turn}, {holder}u)")
    }

    /// The register number within its row that a lane reads in turn `turn`, and the turns.
    pub(super) fn lane_register(&self, turn: usize, lanes: usize) -> String {
        let regs = self.regs;
        if regs < lanes {
            return format!("lane % {regs}u");
        }
        let mut terms = vec!["lane".to_string()];
        if turn > 0 {
            terms.insert(0, format!("{}u", turn * lanes));
        }
        let register = sum(terms);
        if regs.is_multiple_of(lanes) {
            register
        } else {
            format!("min({register}, {}u)", regs - 1)
        }
    }

    /// Which row of a group a lane reads.
    pub(super) fn lane_row(&self, lanes: usize) -> String {
        let group = self.group(lanes);
        if group * self.regs == lanes {
            format!("lane / {}u", self.regs)
        } else {
            format!("min(lane / {}u, {}u)", self.regs, group - 1)
        }
    }

    /// Reads the rows of a turn, a register per lane: `{name}_read{group}_{turn}`.
    fn read_together(&mut self, sides: &[Walked; 2], tokens: usize, lanes: usize, slots: &[Slot]) {
        let group = self.group(lanes);
        for g in 0..slots.len() / group {
            let slot = if group == 1 {
                format!("m{g}")
            } else {
                let at = format!("j + {}u + {}", g * group, self.lane_row(lanes));
                let partial = self.partial(self.walked, slots.len());
                let slot = self.slot(&format!("lane{g}"), &at, self.walked, partial);
                slot.name
            };
            self.find_row(sides, tokens, &slot);
            for side in sides {
                for turn in 0..self.regs.div_ceil(lanes) {
                    let value = self.element(side, &slot, &self.lane_register(turn, lanes));
                    let line = format!("let {}_read{g}_{turn} = {value};", side.name);
                    self.w.line(line);
                }
            }
        }
    }

    fn find_rows(&mut self, sides: &[Walked; 2], tokens: usize, slots: &[Slot]) {
        for slot in slots {
            self.find_row(sides, tokens, &slot.name);
        }
    }

    /// Binds `{name}_{slot}` to where the rows of a slot start.
    pub(super) fn find_row(&mut self, sides: &[Walked], tokens: usize, slot: &str) {
        for side in sides {
            let row = match &side.source {
                Source::Head(rows) => self.row(rows, tokens, &format!("{slot}_t")),
                Source::Plain(_) => self.plain_row(tokens, &format!("{slot}_t")),
            };
            self.w.line(format!("let {}_{slot} = {row};", side.name));
        }
    }

    /// Register `r` (an expression) of a side's row at a slot that [`Emitter::find_row`] has seen.
    pub(super) fn element(&self, side: &Walked, slot: &str, r: &str) -> String {
        let at = format!("{}_{slot} + {r}", side.name);
        self.forms[side.buffer()].read(side.buffer(), &at)
    }

    /// The same as f16 if [`Emitter::halved`].
    pub(super) fn raw_element(&self, side: &Walked, slot: &str, r: &str) -> String {
        match self.halved(side) {
            true => format!("b{}[{}_{slot} + {r}]", side.buffer(), side.name),
            false => self.element(side, slot, r),
        }
    }

    /// Whether the rows of a side are f16 in memory.
    pub(super) fn halved(&self, side: &Walked) -> bool {
        self.forms[side.buffer()] == Form::Halves
    }

    /// Copies the next `tile` rows of both sides into workgroup memory.
    fn stage(&mut self, sides: &[Walked; 2], tokens: usize, tile: usize) {
        let (regs, walked) = (self.row_regs, self.walked);
        let (all, step) = (format!("{}u", tile * regs), format!("{}u", self.workgroup));
        self.w.open_loop("s", "local", &all, &step);
        let at = format!("start + s / {regs}u");
        let partial = self.partial(walked, tile);
        self.slot("m", &at, walked, partial);
        self.find_row(sides, tokens, "m");
        for (side, tile) in sides.iter().zip(["tile_a", "tile_b"]) {
            let value = self.element(side, "m", &format!("s % {regs}u"));
            self.w.line(format!("{tile}[s] = {value};"));
        }
        self.w.close();
        self.w.line("workgroupBarrier();");
    }
}
