//! Rows shared among neighbours. A head of 64 numbers with its sums would fill the registers of a GPU's
//! invocation; a quarter of it leaves room for several rows, each of which is multiplied by what was
//! read from workgroup memory once.

use crate::Caps;

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
