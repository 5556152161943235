//! What loading a weight file did.

use std::fmt;

/// What became of the tensors of a weight file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The file.
    pub file: String,
    /// Which network it is of, such as `sam_vit_b`.
    pub architecture: String,
    /// Parameters taken as they are, by full name.
    pub taken: Vec<String>,
    /// Position tables resized to another grid.
    pub resized: Vec<String>,
    /// Tensors that a rule leaves out.
    pub skipped: Vec<String>,
    /// Parameters that no file gives; they start at random.
    pub missing: Vec<String>,
    /// Tensors the network has no parameter for.
    pub unexpected: Vec<String>,
}

impl fmt::Display for LoadReport {
    /// One line: how many tensors took which way, and the first of the unexpected ones.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {} taken, {} resized, {} skipped by rule, {} missing (drawn), {} unexpected",
            self.file,
            self.architecture,
            self.taken.len(),
            self.resized.len(),
            self.skipped.len(),
            self.missing.len(),
            self.unexpected.len()
        )?;
        match self.unexpected.as_slice() {
            [] => Ok(()),
            [one] => write!(f, " ({one})"),
            [first, ..] => write!(f, " ({first}, …)"),
        }
    }
}
