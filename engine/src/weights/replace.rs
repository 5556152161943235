//! Files that are whole or not there.

use std::path::Path;

use crate::Result;
use crate::error::{file_error, io_reason};

/// Has `write` make a file beside `path`, then puts it in its place.
pub(super) fn replace(path: &Path, write: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".partial");
    let temporary = Path::new(&temporary);
    let moved = write(temporary).and_then(|()| std::fs::rename(temporary, path));
    moved.map_err(|e| {
        // The error to report is the first one; a leftover file is harmless.
        std::fs::remove_file(temporary).ok();
        file_error(path, &format_args!("cannot write: {}", io_reason(&e)))
    })
}
