//! Files that appear whole or not at all.

use std::fs;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::data::error::{DataError, Result};

/// Writes a temporary neighbour of `path`, then renames it.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    let partial = Path::new(&name);
    let written = fs::write(partial, bytes).and_then(|()| fs::rename(partial, path));
    written.map_err(|e| {
        // The failure that matters is the one already in hand.
        let _ = fs::remove_file(partial);
        DataError::io(path, "write", e)
    })
}

/// The bytes in a gzip frame.
pub(super) fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}
