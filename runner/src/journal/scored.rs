//! `results/STAGE.cases.jsonl`: the scores of an `Evaluate` stage that is not finished, case after case.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Origin;
use crate::error::{Error, Result};
use crate::file_hash::files_sha256;
use crate::json_lines;
use crate::metrics::volume::CaseScores;

/// Cases that were scored, the last of a name counting.
#[derive(Debug)]
pub struct Scored {
    path: PathBuf,
    origin: Origin,
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    origin: Origin,
    /// SHA-256 of what else was written of the case.
    written_sha256: String,
    scores: CaseScores,
}

impl Scored {
    /// What an earlier run left of a stage in the folder of results, for one that scores what is in `origin`.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn open(results: &Path, stage: &str, origin: &Origin) -> Result<Self> {
        let path = results.join(format!("{stage}.cases.jsonl"));
        Ok(Self {
            entries: json_lines::read(&path)?,
            origin: origin.clone(),
            path,
        })
    }

    /// The scores of a case, if they are of the same network and data, and the files `written` beside them are there
    /// as they were written.
    pub fn of(&self, case: &str, written: &[PathBuf]) -> Option<CaseScores> {
        let mut entries = self.entries.iter().rev();
        let entry = entries.find(|entry| entry.scores.case == case)?;
        let is_so =
            entry.origin == self.origin && entry.written_sha256 == files_sha256(written).ok()?;
        is_so.then(|| entry.scores.clone())
    }

    /// Adds the scores of a case, when the files `written` beside them are.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn add(&self, scores: &CaseScores, written: &[PathBuf]) -> Result<()> {
        let entry = Entry {
            origin: self.origin.clone(),
            written_sha256: files_sha256(written)?,
            scores: scores.clone(),
        };
        json_lines::append(&self.path, &entry)
    }

    /// Removes the file, when the stage's report is written.
    ///
    /// # Errors
    /// A file that cannot be removed.
    pub fn remove(self) -> Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file(&self.path, "remove", e))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn origin(network: &str, cases: &str) -> Origin {
        Origin {
            network_sha256: network.into(),
            cases_sha256: cases.into(),
        }
    }

    fn scores(case: &str) -> CaseScores {
        CaseScores {
            case: case.into(),
            classes: Vec::new(),
        }
    }

    #[test]
    fn scores_hold_while_network_data_and_files_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let label = [folder.join("a.nii")];
        std::fs::write(&label[0], "one").unwrap();
        let open = |origin: &Origin| Scored::open(folder, "test", origin).unwrap();
        let first = origin("n", "c");
        let scored = open(&first);
        assert_eq!(scored.of("a", &label), None);
        scored.add(&scores("a"), &label).unwrap();
        scored.add(&scores("b"), &[]).unwrap();

        let scored = open(&first);
        assert_eq!(scored.of("a", &label), Some(scores("a")));
        assert_eq!(scored.of("b", &[]), Some(scores("b")));
        assert_eq!(scored.of("c", &[]), None);
        for other in [origin("other", "c"), origin("n", "other")] {
            assert_eq!(open(&other).of("a", &label), None, "{other:?}");
        }
        // A label map that is another, or gone.
        std::fs::write(&label[0], "two").unwrap();
        assert_eq!(scored.of("a", &label), None);
        std::fs::remove_file(&label[0]).unwrap();
        assert_eq!(scored.of("a", &label), None);

        // What another network has written since then.
        open(&origin("other", "c")).add(&scores("b"), &[]).unwrap();
        assert_eq!(open(&first).of("b", &[]), None);
        open(&first).remove().unwrap();
        assert_eq!(open(&first).of("a", &[]), None);
        open(&first).remove().unwrap();
    }
}
