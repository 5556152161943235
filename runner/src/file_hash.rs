//! SHA-256 of files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write, copy};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::data::formats::Scan;
use crate::error::{Error, Result};

/// A file that changed within this time may change again without another time of change.
const SETTLED: Duration = Duration::from_secs(3);

/// SHA-256 of a file's content.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn file_hash(path: &Path) -> io::Result<[u8; 32]> {
    let mut hash = Sha256::new();
    copy(&mut File::open(path)?, &mut Hashed(&mut hash))?;
    Ok(hash.finalize().into())
}

/// SHA-256 of the contents of several files, in this order, as hexadecimal digits.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn files_sha256(paths: &[PathBuf]) -> Result<String, Error> {
    let hash = |path: &PathBuf| file_hash(path).map_err(|e| Error::file(path, "read", e));
    let hashes: Vec<[u8; 32]> = paths.par_iter().map(hash).collect::<Result<_, Error>>()?;
    Ok(hex(&Sha256::digest(hashes.concat())))
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Hashes of files by their paths, which hold as long as a file has the size and the time of change that it had.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FileHashes {
    known: Mutex<BTreeMap<PathBuf, Known>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    bytes: u64,
    modified: SystemTime,
    sha256: String,
}

impl FileHashes {
    /// SHA-256 of a file in hexadecimal digits.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(&self, path: &Path) -> io::Result<String> {
        let path = std::path::absolute(path)?;
        let facts = path.metadata()?;
        let (bytes, modified) = (facts.len(), facts.modified()?);
        if let Some(known) = self.lock().get(&path)
            && (known.bytes, known.modified) == (bytes, modified)
        {
            return Ok(known.sha256.clone());
        }
        let begun = SystemTime::now();
        let known = Known {
            bytes,
            modified,
            sha256: hex(&file_hash(&path)?),
        };
        let sha256 = known.sha256.clone();
        if begun
            .duration_since(modified)
            .is_ok_and(|age| age > SETTLED)
        {
            self.lock().insert(path, known);
        }
        Ok(sha256)
    }

    /// Of a scan in one file the file's, else SHA-256 over the hashes of all its files.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn of_scan(&self, scan: &Scan) -> Result<String> {
        let hash = |file: &PathBuf| self.of(file).map_err(|e| Error::file(file, "read", e));
        let each: Vec<String> = scan.files()?.iter().map(hash).collect::<Result<_>>()?;
        Ok(match each.as_slice() {
            [one] => one.clone(),
            several => hex(&Sha256::digest(several.join("\n"))),
        })
    }

    /// An entry is whole whoever panicked.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Hashed<'a>(&'a mut Sha256);

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_holds_until_the_file_changes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let write = |text: &str, time: SystemTime| {
            std::fs::write(&path, text).unwrap();
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_modified(time)
                .unwrap();
        };
        write("one", hour_ago);
        let hashes = FileHashes::default();
        let first = hashes.of(&path).unwrap();
        assert_eq!(first, hex(&Sha256::digest("one")));
        // Nobody can tell, and nobody asks the disk.
        write("two", hour_ago);
        assert_eq!(hashes.of(&path).unwrap(), first);
        write("six", hour_ago + Duration::from_secs(1));
        assert_eq!(hashes.of(&path).unwrap(), hex(&Sha256::digest("six")));
        // What is written just now is looked at each time.
        std::fs::write(&path, "ten").unwrap();
        assert_eq!(hashes.of(&path).unwrap(), hex(&Sha256::digest("ten")));
        let now = path.metadata().unwrap().modified().unwrap();
        write("old", now);
        assert_eq!(hashes.of(&path).unwrap(), hex(&Sha256::digest("old")));
    }
}
