//! Problems and warnings as lines.

use std::fmt;

/// Warnings that a run prints; a folder of thousands of images may give as many.
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
    /// The same with the first warnings alone.
    pub(super) fn shortened(mut self) -> Self {
        let more = self.warnings.len().saturating_sub(SHOWN);
        if more > 0 {
            self.warnings.truncate(SHOWN);
            let hint = format!("{more} more of these; `runner check` lists them");
            self.warnings.push(hint);
        }
        self
    }

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
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        Ok(())
    }
}
