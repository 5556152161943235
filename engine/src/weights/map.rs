//! Ranges of a file in memory without copying them.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::ops::Range;

use memmap2::{Mmap, MmapOptions};

/// What `read` makes of the bytes `range` of `file`. The range is mapped for as long as `read` runs, so
/// that of a large file only one tensor counts as memory of this process at a time.
///
/// # Errors
/// A range past the end of the file, or an operating system that refuses.
pub(super) fn with_range<T>(
    file: &File,
    range: &Range<u64>,
    read: impl FnOnce(&[u8]) -> T,
) -> Result<T> {
    if range.is_empty() {
        return Ok(read(&[]));
    }
    // A mapping past the end would end the process when it is read.
    if range.end > file.metadata()?.len() {
        return Err(Error::new(
            ErrorKind::UnexpectedEof,
            "the file is cut short",
        ));
    }
    Ok(read(&map(file, range)?))
}

#[allow(unsafe_code)]
fn map(file: &File, range: &Range<u64>) -> Result<Mmap> {
    let length = usize::try_from(range.end - range.start)
        .map_err(|_| Error::new(ErrorKind::OutOfMemory, "too large for this machine"))?;
    let mut options = MmapOptions::new();
    options.offset(range.start).len(length);
    // SAFETY: the mapping is private to this module's caller, read-only, and lies within the file. Like
    // every reader of mapped files it relies on nobody shortening the file meanwhile.
    unsafe { options.map(file) }
}
