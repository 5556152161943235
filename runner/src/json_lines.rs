//! Files of one JSON value a line, which grow as things are finished.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// The values of a file, none where there is no file. A line that a killed process left half-written, or that another
/// version of the runner wrote, stands for nothing.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::file(path, "read", e)),
    };
    let lines = bytes.split(|byte| *byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

/// Appends a value.
///
/// # Errors
/// A full disk, or a folder that cannot be written.
pub(crate) fn append(path: &Path, value: &impl Serialize) -> Result<()> {
    let failed = |e| Error::file(path, "write", e);
    let line = serde_json::to_string(value).map_err(|e| failed(e.into()))?;
    let file = OpenOptions::new().append(true).create(true).open(path);
    // The line break in front ends a line that a killed process left half-written.
    let written = file.and_then(|mut file| file.write_all(format!("\n{line}\n").as_bytes()));
    written.map_err(failed)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_not_whole_stand_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("numbers.jsonl");
        assert_eq!(read::<f64>(&path).unwrap(), [0.0; 0]);
        append(&path, &0.1).unwrap();
        let half = [b"[2, ".as_slice(), &[0xff]].concat();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&half).unwrap();
        append(&path, &3.0).unwrap();
        assert_eq!(read::<f64>(&path).unwrap(), [0.1, 3.0]);
        assert!(read::<f64>(folder.path()).is_err());
    }
}
