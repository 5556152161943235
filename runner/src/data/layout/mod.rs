//! Finds the cases of each dataset layout on disk, and what its files leave unsaid.

mod folders;
mod images;
mod la;
mod names;
mod nnunet;
mod promise12;
mod synapse;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub(crate) use names::image_of;
pub use nnunet::channel_names;
pub(crate) use nnunet::numbered;
pub use synapse::{SYNAPSE_CLASSES, SYNAPSE_LABEL_MAP, SYNAPSE_SCALED};

use super::error::{DataError, Result};
use super::formats::{self, Arrays, Scan};
use super::source::{Intensity, Source};
use names::pair;

/// One scan with its label map, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Name, unique in the dataset.
    pub name: String,
    /// The image.
    pub image: Scan,
    /// The label map.
    pub label: Option<Scan>,
}

/// A dataset as found on disk.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The cases by name.
    pub cases: Vec<Case>,
    /// How arrays of files without geometry lie.
    pub arrays: Arrays,
    /// What becomes 0 and 1.
    pub intensity: Intensity,
    /// The class that each stored label value stands for; values that are not listed are errors.
    pub values: BTreeMap<u8, u8>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Layout {
    /// A layout of `source` whose label values are its classes.
    fn new(cases: Vec<Case>, classes: usize, source: &Source) -> Self {
        Self {
            values: (0..=classes.min(255) as u8).map(|v| (v, v)).collect(),
            cases,
            arrays: source.arrays(),
            intensity: source.intensity(),
            warnings: Vec::new(),
        }
    }
}

/// Finds the dataset that `source` declares.
///
/// # Errors
/// Missing or empty folder, a label without its image, two files with one name, a description that
/// cannot be used.
pub fn find(source: &Source) -> Result<Layout> {
    match source {
        Source::Synapse { label_order, .. } => synapse::find(source, *label_order),
        Source::La { .. } => la::find(source),
        Source::Promise12 { root, .. } => Ok(Layout::new(promise12::find(root)?, 1, source)),
        Source::NnUnet {
            root,
            channel,
            classes,
            ..
        } => {
            let cases = nnunet::find(root, *channel, classes)?;
            Ok(Layout::new(cases, classes.len(), source))
        }
        Source::Folder {
            images,
            labels,
            names,
            classes,
            label_map,
            ..
        } => {
            let cases = folders::find(images, labels.as_deref(), names.as_ref())?;
            let mut layout = Layout::new(cases, classes.len(), source);
            if !label_map.is_empty() {
                layout.values = label_map.clone();
                layout.values.entry(0).or_insert(0);
            }
            Ok(layout)
        }
        Source::Images { roots, exclude, .. } => {
            let (cases, warnings) = images::find(roots, exclude)?;
            let mut layout = Layout::new(cases, 0, source);
            layout.warnings = warnings;
            Ok(layout)
        }
    }
}

/// The scans of a folder by their names, as a network that was trained on `source` takes them: of nnU-Net's
/// files `NAME_CCCC` those of the channel, called `NAME`.
///
/// # Errors
/// As [`known_files`], and a scan without the channel.
pub fn scans_in(folder: &Path, source: &Source) -> Result<BTreeMap<String, PathBuf>> {
    match source {
        Source::NnUnet { channel, .. } => {
            let scans = nnunet::scans(folder, *channel)?.into_iter();
            Ok(scans
                .map(|(name, scan)| (name, scan.path().to_owned()))
                .collect())
        }
        _ => known_files(folder),
    }
}

/// The name of the scan at `path`, as [`scans_in`] would call it in a folder of its own.
pub fn scan_name(path: &Path, source: &Source) -> Option<String> {
    let name = formats::scan_name(path)?;
    Some(match source {
        Source::NnUnet { channel, .. } => nnunet::without_channel(&name, *channel).to_owned(),
        _ => name,
    })
}

/// The scan at `path`, as a network that was trained on `source` takes it.
pub(super) fn scan(path: &Path, source: &Source) -> Scan {
    match source {
        Source::NnUnet { channel, .. } => Scan::Channel(path.to_owned(), *channel),
        _ => Scan::File(path.to_owned()),
    }
}

/// The files of known formats in a folder by the stems of their names; DICOM slices among them are one scan,
/// called like the folder.
///
/// # Errors
/// Missing folder, no such files in it, or two of one stem.
pub fn known_files(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = named(folder, |stem| Some(stem.to_owned()))?;
    if formats::holds_slices(folder) {
        insert(folder, &mut files, file_name(folder), folder.to_owned())?;
    }
    not_empty(folder, KNOWN, &files)?;
    Ok(files)
}

/// What a folder of scans should hold.
const KNOWN: &str = "files in a known format (.nii.gz, .nrrd, .mha, …) or folders of DICOM slices";

/// Scans of a folder by the name that `name_of` gives the stem of their file name; others are passed over.
fn scans(
    folder: &Path,
    wanted: &str,
    name_of: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, PathBuf>> {
    let files = named(folder, name_of)?;
    not_empty(folder, wanted, &files)?;
    Ok(files)
}

fn named(
    folder: &Path,
    name_of: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for path in entries(folder)? {
        if let Some(name) = formats::scan_name(&path).and_then(|name| name_of(&name)) {
            insert(folder, &mut files, name, path)?;
        }
    }
    Ok(files)
}

/// What a folder holds, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| DataError::io(folder, "list", e);
    let list = std::fs::read_dir(folder).map_err(failed)?;
    let paths = list.map(|entry| Ok(entry.map_err(failed)?.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn insert(
    folder: &Path,
    files: &mut BTreeMap<String, PathBuf>,
    name: String,
    path: PathBuf,
) -> Result<()> {
    if let Some(other) = files.insert(name.clone(), path.clone()) {
        let (a, b) = (file_name(&other), file_name(&path));
        let problem = format!("{a} and {b} are both case {name}; keep one");
        return Err(DataError::dataset(folder, problem));
    }
    Ok(())
}

fn not_empty<T>(folder: &Path, wanted: &str, files: &BTreeMap<String, T>) -> Result<()> {
    if files.is_empty() {
        let problem = format!("holds no {wanted}; check the path");
        return Err(DataError::dataset(folder, problem));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
