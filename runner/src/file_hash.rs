//! SHA-256 of files.

use std::fs::File;
use std::io::{self, Write, copy};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

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
