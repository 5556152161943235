//! Rows shared among neighbours. A head of 64 numbers with its sums would fill the registers of a GPU's
//! invocation; a quarter of it leaves room for several rows, each of which is multiplied by what was
//! read from workgroup memory once.

use super::geometry::Slot;
use super::{Emitter, Supply};
use crate::Caps;
use crate::wgsl::float;

/// Lanes that share a row.
const LANES: usize = 4;
/// Rows an invocation holds a part of.
const ROWS: usize = 2;
/// Sequences below this length would leave most of a workgroup of several rows idle.
const SHORT: usize = 64;

/// How owned rows are spread over invocations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// Neighbouring lanes that hold one row together, every `lanes`-th register each.
    pub(super) lanes: usize,
    /// Rows an invocation holds (a part of).
    pub(super) rows: usize,
}

impl Share {
    /// One invocation for each row.
    pub(super) const ALONE: Self = Self { lanes: 1, rows: 1 };

    /// What suits `owned` rows of so many registers where lanes can exchange numbers; `rows` is by rule
    /// unless given.
    pub(super) fn new(caps: &Caps, [owned, row_regs]: [usize; 2], rows: Option<usize>) -> Self {
        let smallest = caps.subgroups.map_or(0, |(smallest, _)| smallest as usize);
        if smallest < LANES || !row_regs.is_multiple_of(LANES) {
            return Self::ALONE;
        }
        let by_rule = if owned < SHORT { 1 } else { ROWS };
        Self {
            lanes: LANES,
            rows: rows.unwrap_or(by_rule),
        }
    }

    /// Where an invocation's registers of the row that starts at `row` begin.
    pub(super) fn start(&self, row: &str) -> String {
        match self.lanes {
            1 => row.to_string(),
            _ => format!("{row} + part"),
        }
    }
}

impl Emitter<'_> {
    /// Name of a number that every owned row has.
    pub(super) fn own(&self, name: &str, row: usize) -> String {
        match self.share.rows {
            1 => name.to_string(),
            _ => format!("{name}{row}"),
        }
    }

    /// Prefix of the registers of an owned row.
    pub(super) fn own_row(&self, name: &str, row: usize) -> String {
        match self.share.rows {
            1 => name.to_string(),
            _ => format!("{name}{row}_"),
        }
    }

    /// Name of a number that every owned row has for every slot of a turn.
    pub(super) fn pair(&self, name: &str, row: usize, slot: usize) -> String {
        match self.share.rows {
            1 => format!("{name}{slot}"),
            _ => format!("{name}{row}_{slot}"),
        }
    }

    /// The sum of `partial` over the lanes that share a row, in all of them.
    pub(super) fn together(&mut self, partial: String) -> String {
        if self.share.lanes == 1 {
            return partial;
        }
        let mut sum = self.w.bind("sum", partial);
        let mut apart = 1;
        while apart < self.share.lanes {
            sum = self.w.bind(
                "sum",
                format!("{sum} + subgroupShuffleXor({sum}, {apart}u)"),
            );
            apart *= 2;
        }
        sum
    }

    /// Binds the slot of the turn that this lane looks up numbers for. `None` where every invocation
    /// looks up those of all slots.
    pub(super) fn assigned(&mut self, slots: usize) -> Option<Slot> {
        let Supply::Staged(_) = self.supply else {
            return None;
        };
        if self.share.lanes == 1 {
            return None;
        }
        let number = match slots < self.share.lanes {
            true => format!("start + j + min(part, {}u)", slots - 1),
            false => "start + j + part".to_string(),
        };
        let partial = self.partial(self.walked, slots);
        Some(self.slot("m_own", &number, self.walked, partial))
    }

    /// `value` of slot `j`, to be summed over lanes: the lane that has looked it up adds it.
    pub(super) fn if_assigned(&self, value: &str, j: usize) -> String {
        format!("select(0.0f, {value}, part == {j}u)")
    }

    /// Of a number for each slot of the turn, the one of the slot this lane is assigned to.
    pub(super) fn of_assigned(&self, values: &[String]) -> String {
        let values = values.iter().enumerate();
        values.fold(float(0.0), |others, (j, value)| {
            format!("select({others}, {value}, part == {j}u)")
        })
    }
}
