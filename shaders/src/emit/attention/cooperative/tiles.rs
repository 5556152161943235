//! What is where in workgroup memory.

use super::forward::{RISEN, SUBGROUPS};
use super::{Cooperative, GAP, OWNED, Rest, SIZE, WORD};
use crate::AttentionPass;

impl Cooperative<'_> {
    /// Workgroup variables: the walked tiles (of which the first also takes the owned rows on their way to
    /// fragments), scores and weights of the owned rows, and what is added to columns of scores or, in the
    /// gradient of keys and values, `lse` and `delta` of each.
    pub(super) fn shared(&self) -> Vec<(String, String)> {
        let columns = self.step / WORD;
        let mut shared = [
            ("tile_a", "f16", OWNED.max(self.step) * self.pitch_a()),
            ("tile_b", "f16", self.step * self.pitch_b()),
            ("scores", "f32", self.rows() * self.pitch_scores()),
            ("weights", "f16", self.rows() * self.pitch_weights()),
            ("column_a", "f32", columns),
            ("column_b", "f32", columns),
        ]
        .map(|(name, scalar, words)| {
            let ty = format!("array<vec4<{scalar}>, {words}>");
            (name.to_string(), ty)
        })
        .to_vec();
        shared.extend(self.e.pad_variables().0);
        if matches!(self.e.a.pass, AttentionPass::Forward { .. }) {
            shared.push((RISEN.into(), format!("array<u32, {SUBGROUPS}>")));
        }
        shared
    }

    /// Bytes of workgroup memory.
    pub(super) fn bytes(&self) -> usize {
        let halves = OWNED.max(self.step) * self.pitch_a()
            + self.step * self.pitch_b()
            + self.rows() * self.pitch_weights();
        let floats = self.rows() * self.pitch_scores() + 2 * self.step / WORD;
        let (_, of_pads) = self.e.pad_variables();
        WORD * (2 * halves + 4 * floats) + 4 * (SUBGROUPS + of_pads)
    }

    /// Rows that a workgroup owns.
    pub(super) fn rows(&self) -> usize {
        self.strips * OWNED
    }

    /// Name of what each of a subgroup's strips has.
    pub(super) fn of(&self, name: &str, strip: usize) -> String {
        match self.strips {
            1 => name.to_string(),
            _ => format!("{name}{strip}"),
        }
    }

    /// Word `j` of those of a row that the invocation has, less the row's start.
    pub(super) fn word(&self, j: usize) -> usize {
        j * self.e.share.lanes
    }

    /// The same with the row's start, where rows start at 0.
    pub(super) fn column_word(&self, j: usize) -> String {
        format!("{}u{}", self.word(j), self.plus_part())
    }

    /// What leads to the words of an invocation that shares its row.
    pub(super) fn plus_part(&self) -> &'static str {
        match self.e.share.lanes {
            1 => "",
            _ => " + part",
        }
    }

    /// Words from row to row of the queries or keys with their terms.
    pub(super) fn pitch_a(&self) -> usize {
        (self.e.a.head_dim + self.terms + GAP) / WORD
    }

    pub(super) fn pitch_b(&self) -> usize {
        (self.e.a.head_dim + GAP) / WORD
    }

    pub(super) fn pitch_scores(&self) -> usize {
        (self.step + self.gap) / WORD
    }

    pub(super) fn pitch_weights(&self) -> usize {
        (self.step + GAP) / WORD
    }

    /// Fragments across a head, and across its terms.
    pub(super) fn across(&self) -> [usize; 2] {
        [self.e.a.head_dim / SIZE, self.terms / SIZE]
    }

    pub(super) fn tile_a(&self) -> (&'static str, usize) {
        ("tile_a", self.pitch_a())
    }

    pub(super) fn tile_b(&self) -> (&'static str, usize) {
        ("tile_b", self.pitch_b())
    }

    /// Fragments of the step's columns.
    pub(super) fn columns(&self) -> usize {
        match self.rest {
            Some(Rest::Fixed(fragments)) => fragments,
            _ => self.step / SIZE,
        }
    }

    /// Words of a row of a tile of scores that each of its invocations has.
    pub(super) fn words(&self) -> usize {
        self.columns() * SIZE / WORD / self.e.share.lanes
    }
}
