//! Files that appear whole or not at all.

use std::fs::{File, remove_file, rename};
use std::io::{Result, Write};
use std::path::Path;

/// Writes a temporary neighbour of `path`, flushed to disk, then renames it.
///
/// # Errors
/// A full disk or a folder that cannot be written; an earlier file is then intact.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        rename(&temporary, path)
    });
    if written.is_err() {
        // The error to report is the first one; a leftover file is harmless.
        remove_file(&temporary).ok();
    }
    written
}
