//! Files that appear whole or not at all.

use std::fs::{File, remove_file, rename};
use std::io::{BufWriter, Result, Write};
use std::path::{Path, PathBuf};

/// Writes a temporary neighbour of `path`, flushed to disk, then renames it.
///
/// # Errors
/// A full disk or a folder that cannot be written; an earlier file is then intact.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_whole_by(path, &temporary(path), |file| file.write_all(bytes))
}

/// Where a file is written before it is whole; weight files of the engine are written there as well.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    temporary.into()
}

/// As [`write_whole`], piece by piece, as file `temporary` of the same folder until it is whole.
///
/// # Errors
/// As [`write_whole`], and those of `write`.
pub(crate) fn write_whole_by(
    path: &Path,
    temporary: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<()>,
) -> Result<()> {
    let written = File::create(temporary).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.into_inner()?.sync_all()?;
        rename(temporary, path)
    });
    if written.is_err() {
        // The error to report is the first one; a leftover file is harmless.
        remove_file(temporary).ok();
    }
    written
}
