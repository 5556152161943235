//! Relative position terms: products with all rows of both tables, of which a query's terms are those
//! near its own place.

use super::{Cooperative, OWNED, Rest, SIZE, THREADS, WORD};

impl Cooperative<'_> {
    /// Rows of both tables, one after the other.
    fn table_extents(&self) -> [usize; 2] {
        self.e.extents().map(|extent| 2 * extent - 1)
    }

    /// Binds where the owned query's terms are in a `[batch, heads, tokens, s_y + s_x]` buffer and in
    /// `tile_a`, where they wait beside the tables.
    fn saved(&mut self) {
        let (row, count) = (self.e.scalar_row("n_t"), self.e.term_count());
        let (pitch, head) = (self.pitch_a(), self.e.row_regs);
        self.line(format!("let row_terms = local / 2u * {pitch}u + {head}u;"));
        self.line(format!("let saved = ({row}) * {count}u;"));
    }

    /// Computes the terms of the owned queries, whose heads are held, saves them, and holds them too.
    pub(super) fn save_terms(&mut self, rel: usize) {
        self.saved();
        let [head, terms] = self.across();
        for word in (0..self.terms / WORD).step_by(2) {
            self.line(format!("tile_a[row_terms + {word}u + part] = vec4<f16>();"));
        }
        self.walk_tables(|c| {
            c.stage_tables();
            c.barrier();
            c.score("own_a", head, c.tile_a());
            c.barrier();
            c.e.w.open_loop("j", "0u", &format!("{}u", c.words()), "1u");
            c.line("let four = scores[row_scores + j * 2u];");
            for part in 0..WORD {
                let (inside, at) = c.term(part);
                c.e.w.open(format!("if {inside}"));
                c.line(format!(
                    "tile_a[row_terms + {at} / {WORD}u][{at} % {WORD}u] = f16(four[{part}]);"
                ));
                c.e.w.close();
            }
            c.e.w.close();
        });
        self.barrier();
        self.hold("own_a", 0, head..head + terms);
        self.copy_terms(rel);
        self.barrier();
    }

    /// Saves the terms of all owned queries as they are in `tile_a`, rounded, so that the backward passes compute with
    /// the same.
    fn copy_terms(&mut self, rel: usize) {
        let (count, pitch, head) = (self.e.term_count(), self.pitch_a(), self.e.row_regs);
        let (all, threads) = (format!("{}u", OWNED * count), format!("{THREADS}u"));
        self.e.w.open_loop("copy", "local", &all, &threads);
        self.line(format!("let row = copy / {count}u;"));
        self.line(format!("let k = copy % {count}u;"));
        let span = self.own_span(0);
        let slot = self.e.slot("m", "first + row", self.e.owned, span.partial);
        if let Some(exists) = &slot.exists {
            self.e.w.open(format!("if {exists}"));
        }
        let saved = self.e.scalar_row("m_t");
        self.line(format!(
            "b{rel}[({saved}) * {count}u + k] = \
             f32(tile_a[row * {pitch}u + {head}u + k / {WORD}u][k % {WORD}u]);"
        ));
        if slot.exists.is_some() {
            self.e.w.close();
        }
        self.e.w.close();
    }

    /// Stores the gradient of the terms, for [`Cooperative::add_terms`] in `tile_a` too.
    pub(super) fn store_terms(&mut self, drel: usize) {
        self.saved();
        let ([head, terms], count) = (self.across(), self.e.term_count());
        self.drain("dq", head..head + terms, |c, column, value| {
            let word = column / WORD;
            c.line(format!(
                "tile_a[row_terms + {word}u + part] = vec4<f16>({value});"
            ));
            let k = c.e.w.bind("k", format!("part * {WORD}u + {column}u"));
            for part in 0..WORD {
                c.e.w.open(format!("if {k} + {part}u < {count}u"));
                c.line(format!("b{drel}[saved + {k} + {part}u] = {value}[{part}];"));
                c.e.w.close();
            }
        });
    }

    /// Adds what the gradient of the terms gives to the sums `dq_…`.
    pub(super) fn add_terms(&mut self) {
        let ([head, _], count) = (self.across(), self.e.term_count());
        self.walk_tables(|c| {
            c.stage_tables();
            c.e.w.open_loop("j", "0u", &format!("{}u", c.words()), "1u");
            let mut parts = Vec::new();
            for part in 0..WORD {
                let (inside, at) = c.term(part);
                let at = c.e.w.bind("at", format!("min({at}, {}u)", count - 1));
                let term = format!("f32(tile_a[row_terms + {at} / {WORD}u][{at} % {WORD}u])");
                parts.push(format!("select(0.0f, {term}, {inside})"));
            }
            let parts = parts.join(", ");
            c.line(format!(
                "weights[row_weights + j * 2u] = vec4<f16>(vec4<f32>({parts}));"
            ));
            c.e.w.close();
            c.barrier();
            c.accumulate("dq", head, c.tile_a());
            c.barrier();
        });
    }

    fn walk_tables(&mut self, body: impl Fn(&mut Self)) {
        let rows: usize = self.table_extents().iter().sum();
        let (step, whole) = (self.step, rows / self.step * self.step);
        if whole > 0 {
            self.e
                .w
                .open_loop("start", "0u", &format!("{whole}u"), &format!("{step}u"));
            body(self);
            self.e.w.close();
        }
        if whole < rows {
            self.rest = Some(Rest::Fixed((rows - whole).div_ceil(SIZE)));
            self.e.w.open("");
            self.line(format!("let start = {whole}u;"));
            body(self);
            self.e.w.close();
            self.rest = None;
        }
    }

    /// Copies the next rows of the tables to `tile_a`.
    fn stage_tables(&mut self) {
        let Some((table_y, table_x)) = self.e.a.rel_pos else {
            return;
        };
        let [down, across] = self.table_extents();
        let (regs, pitch) = (self.e.row_regs, self.pitch_a());
        let mut stores = Vec::new();
        for i in 0..self.step * regs / THREADS {
            let [row, word] = self.split(i, regs);
            let at = self.e.w.bind("at", format!("start + {row}"));
            let y = format!("min({at}, {}u) * {regs}u + {word}", down - 1);
            let x = format!(
                "min(max({at}, {down}u) - {down}u, {}u) * {regs}u + {word}",
                across - 1
            );
            let [y, x] =
                [(table_y, y), (table_x, x)].map(|(table, at)| self.e.register(table, &at));
            let value = format!("select({x}, {y}, {at} < {down}u)");
            let value = self.e.w.bind("four", value);
            stores.push(format!(
                "tile_a[{row} * {pitch}u + {word}] = vec4<f16>({value});"
            ));
        }
        for store in stores {
            self.line(store);
        }
    }

    /// Which of the owned query's terms number `part` of word `j` of a step over the tables is: the
    /// condition that it is one, and its number.
    fn term(&mut self, part: usize) -> (String, String) {
        let ([s_y, s_x], [down, _]) = (self.e.extents(), self.table_extents());
        let w = &mut self.e.w;
        let row = format!("start + j * {}u + part * {WORD}u + {part}u", 2 * WORD);
        let row = w.bind("row", row);
        let y = w.bind("y", format!("{row} < {down}u"));
        let k = format!(
            "select(n_x + {}u - {row}, n_y + {}u - {row}, {y})",
            s_x - 1 + down,
            s_y - 1
        );
        // Wraps around to a large number where the row belongs to a key before the window.
        let k = w.bind("k", k);
        let inside = w.bind("inside", format!("{k} < select({s_x}u, {s_y}u, {y})"));
        let at = w.bind("at", format!("{k} + select({s_y}u, 0u, {y})"));
        (inside, at)
    }
}
