//! Aligned text tables.

/// Rows of text under a header; the first column is flush left, the others flush right.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    rows: Vec<Vec<String>>,
    rules: Vec<usize>,
}

impl Table {
    /// A table with this header.
    pub fn new(header: &[&str]) -> Self {
        Self {
            rows: vec![header.iter().map(|s| (*s).to_string()).collect()],
            rules: vec![1],
        }
    }

    /// Appends a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Draws a line before the next row.
    pub fn rule(&mut self) {
        self.rules.push(self.rows.len());
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let total = widths.iter().sum::<usize>() + 2 * columns.saturating_sub(1);
        for (index, row) in self.rows.iter().enumerate() {
            if self.rules.contains(&index) {
                writeln!(f, "{}", "─".repeat(total))?;
            }
            let cells = row.iter().zip(&widths).enumerate();
            let line: Vec<String> = cells
                .map(|(column, (cell, &width))| match column {
                    0 => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                })
                .collect();
            writeln!(f, "{}", line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let mut table = Table::new(&["organ", "Dice"]);
        table.row(["Größe".into(), "0.5".into()]);
        table.rule();
        table.row(["mean".into(), "0.50".into()]);
        let expected = "\
organ  Dice
───────────
Größe   0.5
───────────
mean   0.50
";
        assert_eq!(table.to_string(), expected);
    }
}
