//! Trees of unlabelled images in any format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Case, Result, entries, file_name, formats, insert, not_empty};
use crate::data::formats::Scan;

/// Every scan below `roots`, named by its path from there.
pub(super) fn find(roots: &[PathBuf]) -> Result<Vec<Case>> {
    let mut files = BTreeMap::new();
    for root in roots {
        let mut found = BTreeMap::new();
        walk(root, &file_name(root), "", &mut found)?;
        not_empty(root, "images in a known format", &found)?;
        for (name, path) in found {
            let name = match roots.len() {
                1 => name,
                _ => format!("{}/{name}", file_name(root)),
            };
            insert(root, &mut files, name, path)?;
        }
    }
    let case = |(name, path)| Case {
        name,
        image: Scan::File(path),
        label: None,
    };
    Ok(files.into_iter().map(case).collect())
}

/// The DICOM slices of a folder are one scan, called `name`; what else lies in it is found besides.
fn walk(
    folder: &Path,
    name: &str,
    prefix: &str,
    files: &mut BTreeMap<String, PathBuf>,
) -> Result<()> {
    if formats::holds_slices(folder) {
        insert(folder, files, name.to_owned(), folder.to_owned())?;
    }
    for path in entries(folder)? {
        let file = file_name(&path);
        match path.is_dir() {
            true if file.starts_with('.') => {}
            true => {
                let name = format!("{prefix}{file}");
                walk(&path, &name, &format!("{name}/"), files)?;
            }
            false => {
                if let Some(stem) = formats::stem(&file) {
                    insert(folder, files, format!("{prefix}{stem}"), path.clone())?;
                }
            }
        }
    }
    Ok(())
}
