//! Which files of a folder are slices.

use std::path::{Path, PathBuf};

use super::file::{is_contents, is_dicom};
use super::slice::Slice;
use crate::data::error::{DataError, Result};

/// Whether a folder holds slices itself. What cannot be read may be one.
pub(super) fn holds_slices(folder: &Path) -> bool {
    listed(folder, false).is_ok_and(|files| files.iter().any(|file| is_slice(file)))
}

/// Whether a folder is a disc or a copy of one: there is a table of contents, and slices in folders below.
pub(super) fn is_disc(folder: &Path) -> bool {
    has_contents(folder)
        && listed(folder, true).is_ok_and(|files| files.iter().any(|file| is_slice(file)))
}

/// The DICOM files of a folder, or of all folders of a disc, in the order of their names.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    listed(folder, has_contents(folder))
}

fn is_slice(file: &Path) -> bool {
    !matches!(Slice::read(file), Ok(None))
}

fn has_contents(folder: &Path) -> bool {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .into_iter()
        .any(|entry| is_contents(&entry.file_name().to_string_lossy()))
}

/// The DICOM files of a folder, and of those below it.
fn listed(folder: &Path, below: bool) -> Result<Vec<PathBuf>> {
    let failed = |e| DataError::io(folder, "list", e);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        if is_dicom(&path) {
            files.push(path);
        // Links, which may lead back, are not followed.
        } else if below && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            files.append(&mut listed(&path, below)?);
        }
    }
    files.sort();
    Ok(files)
}
