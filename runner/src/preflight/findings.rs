//! Problems and warnings as lines.

use std::fmt;

/// Warnings that are printed; a folder of thousands of images may give as many.
const SHOWN: usize = 20;

/// What was found. Displays as one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// What cannot be meant.
    pub problems: Vec<String>,
    /// What may be meant.
    pub warnings: Vec<String>,
}

impl Findings {
    /// Adds a problem, unless another pipeline has the same.
    pub(super) fn problem(&mut self, text: String) {
        if !self.problems.contains(&text) {
            self.problems.push(text);
        }
    }

    /// Adds a warning, unless another pipeline has the same.
    pub(super) fn warning(&mut self, text: String) {
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "problem: {problem}")?;
        }
        for warning in self.warnings.iter().take(SHOWN) {
            writeln!(f, "warning: {warning}")?;
        }
        match self.warnings.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(
                f,
                "warning: {more} more of these; `runner check` lists them"
            ),
        }
    }
}
