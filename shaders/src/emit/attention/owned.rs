//! The rows that an invocation owns: their names, and what the lanes that share them do together.

use super::emitter::{Emitter, Supply};
use super::geometry::Slot;
use crate::wgsl::float;

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
