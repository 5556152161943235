//! SHA-256 of files.

use std::fs::File;
use std::io::{Result, Write, copy};
use std::path::Path;

use sha2::{Digest, Sha256};

/// SHA-256 of a file's content.
///
/// # Errors
/// A file that cannot be read.
pub(crate) fn file_hash(path: &Path) -> Result<[u8; 32]> {
    let mut hash = Sha256::new();
    copy(&mut File::open(path)?, &mut Hashed(&mut hash))?;
    Ok(hash.finalize().into())
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

struct Hashed<'a>(&'a mut Sha256);

impl Write for Hashed<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
