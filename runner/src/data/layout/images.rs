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
        match formats::is_series(root) {
            true => insert(root, &mut found, file_name(root), root.clone())?,
            false => walk(root, "", &mut found)?,
        }
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

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    for path in entries(folder)? {
        let file = file_name(&path);
        if let Some(name) = formats::scan_name(&path) {
            insert(folder, files, format!("{prefix}{name}"), path)?;
        } else if path.is_dir() && !file.starts_with('.') {
            walk(&path, &format!("{prefix}{file}/"), files)?;
        }
    }
    Ok(())
}
