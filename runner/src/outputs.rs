//! What a command writes, held against what it reads before anything is computed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};
use crate::whole_file::temporary;

/// Refuses to write what is read, or what exists unless `overwrite`, and makes the folders of the files that will
/// be `written`. Paths are the same however they are spelled: relative, through links, or as hard links. Nothing
/// may be written into a folder that is `read`.
///
/// # Errors
/// A file that is read, exists, is a folder, is written twice, or lies where nothing can be written.
pub(crate) fn prepare(read: &[PathBuf], written: &[PathBuf], overwrite: bool) -> Result<()> {
    let known: HashMap<Identity, &PathBuf> = read
        .iter()
        .flat_map(|path| identities(path).map(move |identity| (identity, path)))
        .collect();
    let mut places = HashSet::new();
    for path in written {
        let refuse = |problem: String| Err(Error::Usage(format!("{}: {problem}", path.display())));
        let temporary = temporary(path);
        let place = place(path);
        let folders = place.ancestors().skip(1);
        let mut identities = identities(path).chain(identities(&temporary));
        let read = identities.find_map(|identity| known.get(&identity));
        let inside = folders.map(|f| known.get(&Identity::Place(f.to_owned())));
        if let Some(read) = read.or_else(|| inside.flatten().next()) {
            return refuse(format!(
                "would be written over what is read, {}; choose another output",
                read.display()
            ));
        }
        if !places.insert(place) {
            return refuse("would be written twice; choose other names".into());
        }
        match path.symlink_metadata() {
            Ok(found) if found.is_dir() => {
                return refuse("is a folder; name a file in it".into());
            }
            Ok(_) if !overwrite => {
                return refuse("exists; --overwrite replaces it, or choose another output".into());
            }
            _ => (),
        }
    }
    let folders: BTreeSet<&Path> = written.iter().filter_map(|path| path.parent()).collect();
    folders.into_iter().try_for_each(make)
}

/// Makes a folder for files whose names are not known yet, which must be empty unless `overwrite`.
///
/// # Errors
/// A folder with something in it, or a place where nothing can be written.
pub(crate) fn prepare_folder(folder: &Path, overwrite: bool) -> Result<()> {
    let is_used = |folder: &Path| {
        folder
            .read_dir()
            .is_ok_and(|mut files| files.next().is_some())
    };
    if !overwrite && is_used(folder) {
        let message = "is not empty; choose another folder, so that nothing in it is lost";
        return Err(Error::Usage(format!("{}: {message}", folder.display())));
    }
    make(folder)
}

/// Where a path leads: without links and `..`, as far as it exists.
pub(crate) fn place(path: &Path) -> PathBuf {
    if let Ok(place) = path.canonicalize() {
        return place;
    }
    let last = path.components().next_back();
    match (path.parent(), last) {
        (Some(parent), Some(Component::ParentDir)) => {
            let mut place = place(parent);
            place.pop();
            place
        }
        (Some(parent), Some(last)) if parent.as_os_str().is_empty() => {
            let here = Path::new(".").canonicalize().unwrap_or_default();
            here.join(last)
        }
        (Some(parent), Some(last)) => place(parent).join(last),
        _ => path.to_owned(),
    }
}

/// What makes two paths the same file.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Identity {
    Place(PathBuf),
    /// Device and number there: hard links have them in common.
    Node(u64, u64),
}

fn identities(path: &Path) -> impl Iterator<Item = Identity> + use<> {
    let node = path.metadata().ok().and_then(|found| node(&found));
    [Identity::Place(place(path))].into_iter().chain(node)
}

#[cfg(unix)]
fn node(found: &Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some(Identity::Node(found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn node(_: &Metadata) -> Option<Identity> {
    None
}

/// Makes a folder in which a file can be written.
fn make(folder: &Path) -> Result<()> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "create the folder", e))?;
    match tempfile::tempfile_in(folder) {
        Ok(_) => Ok(()),
        Err(e) => Err(Error::file(folder, "write into the folder", e)),
    }
}
