//! From memory into the tiles.

use super::super::geometry::Slot;
use super::super::walk::Walked;
use super::{Cooperative, FIRST, OWNED, THREADS, WORD};
use crate::wgsl::{float, plus};
use crate::{Part, Saved};

/// The `lse` of a query that is none, which makes its weights zero.
const ABSENT: f32 = 1.0e38;

/// Slots of a window that are staged together.
#[derive(Clone, Copy)]
pub(super) struct Span {
    /// The first of them.
    pub(super) base: &'static str,
    /// How many.
    rows: usize,
    /// How many the window has.
    slots: usize,
    /// Whether some may be beyond the window's.
    pub(super) partial: bool,
}

/// What follows the head in a row of `tile_a`.
#[derive(Clone, Copy)]
pub(super) enum Terms {
    /// Of a query: its terms, from this buffer.
    Saved(Part),
    /// Of a key: ones at its row and its column.
    Hot,
}

impl Cooperative<'_> {
    /// The slots of the workgroup's strips number `strip`.
    pub(super) fn own_span(&self, strip: usize) -> Span {
        Span {
            base: FIRST[strip],
            rows: OWNED,
            slots: self.e.owned,
            partial: self.e.partial(self.e.owned, self.rows()),
        }
    }

    /// The slots of a step of the walk.
    pub(super) fn walked_span(&self) -> Span {
        Span {
            base: "start",
            rows: self.step,
            slots: self.e.walked,
            partial: self.e.partial(self.e.walked, self.step),
        }
    }

    /// Copies rows of the sides to `tile_a` and `tile_b`.
    pub(super) fn stage(&mut self, span: Span, sides: &[Walked], tokens: usize) {
        self.declare(span, sides);
        self.fetch(span, span.base, sides, tokens);
        self.keep(span, sides, 1.0);
    }

    /// Declares the registers `{side}_{copy}` of an invocation's part of a span.
    pub(super) fn declare(&mut self, span: Span, sides: &[Walked]) {
        for side in sides {
            let ty = match self.e.halved(side) {
                true => "vec4<f16>",
                false => "vec4<f32>",
            };
            for i in 0..self.copies(span) {
                self.line(format!("var {}_{i}: {ty};", side.name));
            }
        }
    }

    /// Reads an invocation's part of the span from `base` on (an identifier or number) into its registers.
    pub(super) fn fetch(&mut self, span: Span, base: &str, sides: &[Walked], tokens: usize) {
        for i in 0..self.copies(span) {
            let [row, word] = self.split(i, self.e.row_regs);
            let slot = self.e.w.fresh("m");
            let at = format!("{base} + {row}");
            self.e.slot(&slot, &at, span.slots, span.partial);
            self.e.find_row(sides, tokens, &slot);
            for side in sides {
                let value = self.e.raw_element(side, &slot, &word);
                self.line(format!("{}_{i} = {value};", side.name));
            }
        }
    }

    /// Writes the registers to `tile_a`, multiplied by `factor`, and `tile_b`.
    pub(super) fn keep(&mut self, span: Span, sides: &[Walked], factor: f32) {
        let tiles = [self.tile_a(), self.tile_b()];
        for i in 0..self.copies(span) {
            let [row, word] = self.split(i, self.e.row_regs);
            for (n, (side, (tile, pitch))) in sides.iter().zip(tiles).enumerate() {
                let name = format!("{}_{i}", side.name);
                let value = match n == 0 && factor != 1.0 {
                    true => format!("vec4<f32>({name}) * {}", float(factor)),
                    false => name,
                };
                self.line(format!(
                    "{tile}[{row} * {pitch}u + {word}] = vec4<f16>({value});"
                ));
            }
        }
    }

    /// Words of a row of each side that an invocation copies.
    fn copies(&self, span: Span) -> usize {
        span.rows * self.e.row_regs / THREADS
    }

    /// Writes what follows the heads in `tile_a`.
    pub(super) fn stage_terms(&mut self, span: Span, terms: Terms) {
        let words = self.terms / WORD;
        let ([s_y, _], count) = (self.e.extents(), self.e.term_count());
        let (pitch, head) = (self.pitch_a(), self.e.row_regs);
        for i in 0..span.rows * words / THREADS {
            let [row, word] = self.split(i, words);
            let slot = self.e.w.fresh("m");
            let at = format!("{} + {row}", span.base);
            self.e.slot(&slot, &at, span.slots, span.partial);
            let value = match terms {
                Terms::Hot => {
                    let k = format!("vec4<u32>({word} * {WORD}u) + vec4<u32>(0u, 1u, 2u, 3u)");
                    let k = self.e.w.bind("k", k);
                    let here = format!(
                        "({k} == vec4<u32>({slot}_y)) | ({k} == vec4<u32>({slot}_x + {s_y}u))"
                    );
                    format!("select(vec4<f32>(), vec4<f32>(1.0f), {here})")
                }
                Terms::Saved(rel) => {
                    let saved = self.e.scalar_row(&format!("{slot}_t"));
                    let saved = self.e.w.bind("saved", format!("({saved}) * {count}u"));
                    let k = self.e.w.bind("k", format!("{word} * {WORD}u"));
                    let parts: Vec<String> = (0..WORD)
                        .map(|i| {
                            let at = format!("{saved} + min({k} + {i}u, {}u)", count - 1);
                            self.e.part(rel, &at)
                        })
                        .collect();
                    format!("vec4<f32>({})", parts.join(", "))
                }
            };
            self.line(format!(
                "tile_a[{row} * {pitch}u + {head}u + {word}] = vec4<f16>({value});"
            ));
        }
    }

    /// Writes which columns of scores are keys, with 0, where some are not.
    pub(super) fn stage_masks(&mut self) {
        if self.rest.is_none() {
            return;
        }
        self.e.w.open(format!("if local < {}u", self.step / WORD));
        let mut parts = Vec::new();
        for i in 0..WORD {
            let slot = self.column_slot(i);
            parts.push(match slot.exists {
                Some(condition) => format!("select(1.0f, 0.0f, {condition})"),
                None => "0.0f".to_string(),
            });
        }
        let parts = parts.join(", ");
        self.line(format!("column_a[local] = vec4<f32>({parts});"));
        self.e.w.close();
    }

    /// Writes `lse` and `delta` of each query of a step.
    pub(super) fn stage_statistics(&mut self, saved: &Saved) {
        self.e.w.open(format!("if local < {}u", self.step / WORD));
        let (mut lses, mut deltas) = (Vec::new(), Vec::new());
        for i in 0..WORD {
            let slot = self.column_slot(i);
            let row = self.e.scalar_row(&format!("{}_t", slot.name));
            let row = self.e.w.bind("row", row);
            let lse = self.e.part(saved.lse, &row);
            lses.push(match slot.exists {
                Some(condition) => format!("select({}, {lse}, {condition})", float(ABSENT)),
                None => lse,
            });
            deltas.push(self.e.part(saved.delta, &row));
        }
        for (name, parts) in [("column_a", lses), ("column_b", deltas)] {
            let parts = parts.join(", ");
            self.line(format!("{name}[local] = vec4<f32>({parts});"));
        }
        self.e.w.close();
    }

    /// Slot of column `i` of the four that an invocation looks up.
    fn column_slot(&mut self, i: usize) -> Slot {
        let span = self.walked_span();
        let name = self.e.w.fresh("m");
        let at = plus(&format!("{} + local * {WORD}u", span.base), i);
        self.e.slot(&name, &at, span.slots, self.rest.is_some())
    }

    /// Binds row and word of an invocation's copy number `i` where rows have so many words.
    pub(super) fn split(&mut self, i: usize, words: usize) -> [String; 2] {
        let copy = self.e.w.bind("copy", plus("local", i * THREADS));
        let row = self.e.w.bind("row", format!("{copy} / {words}u"));
        let word = self.e.w.bind("word", format!("{copy} % {words}u"));
        [row, word]
    }
}
