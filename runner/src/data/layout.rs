//! Finds the cases of each dataset layout on disk.

use super::error::{DataError, Result};
use super::source::Source;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One scan with its label file, if it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Name, unique in the dataset.
    pub name: String,
    /// Image file.
    pub image: PathBuf,
    /// Label file.
    pub label: Option<PathBuf>,
}

/// The cases of `source`, sorted by name.
///
/// # Errors
/// Missing or empty folder, a label without its image, two files with one name.
pub fn find_cases(source: &Source) -> Result<Vec<Case>> {
    match source {
        Source::Synapse { root, .. } => {
            let synapse = |prefix: &'static str| move |stem: &str| synapse_name(stem, prefix);
            let images = nifti_files(&root.join("img"), "imgNNNN.nii.gz", synapse("img"))?;
            let labels = nifti_files(&root.join("label"), "labelNNNN.nii.gz", synapse("label"))?;
            pair(root, images, Some(labels))
        }
        Source::Folder { images, labels, .. } => {
            let any = |stem: &str| Some(stem.to_owned());
            let found = nifti_files(images, ".nii or .nii.gz files", any)?;
            let labels = match labels {
                Some(folder) => Some(nifti_files(folder, ".nii or .nii.gz files", any)?),
                None => None,
            };
            pair(images, found, labels)
        }
        Source::LaH5 { root, .. } => la_cases(root),
    }
}

/// The label files of a folder by the stems of their names.
///
/// # Errors
/// Missing folder, no label files in it, or two of one stem.
pub fn label_files(folder: &Path) -> Result<BTreeMap<String, PathBuf>> {
    nifti_files(folder, ".nii or .nii.gz files", |stem| {
        Some(stem.to_owned())
    })
}

/// The name of a volume's file without the extension of its format; `None` for other files.
pub fn stem(path: &Path) -> Option<String> {
    let file = file_name(path);
    let stem = file
        .strip_suffix(".nii.gz")
        .or_else(|| file.strip_suffix(".nii"));
    stem.filter(|s| !s.starts_with('.')).map(str::to_owned)
}

/// Joins images and labels by name; `NAME_0000` (nnU-Net's channel suffix) also finds `NAME`.
fn pair(
    root: &Path,
    images: BTreeMap<String, PathBuf>,
    labels: Option<BTreeMap<String, PathBuf>>,
) -> Result<Vec<Case>> {
    let mut labels = labels.unwrap_or_default();
    let cases = images
        .into_iter()
        .map(|(name, image)| {
            let bare = name.strip_suffix("_0000").unwrap_or(&name);
            let label = labels.remove(&name).or_else(|| labels.remove(bare));
            Case { name, image, label }
        })
        .collect();
    if let Some((_, label)) = labels.pop_first() {
        let others = match labels.len() {
            0 => String::new(),
            n => format!(" (and {n} more)"),
        };
        let problem = format!(
            "label {}{others} has no image of the same name; add the image or move the label away",
            label.display()
        );
        return Err(DataError::dataset(root, problem));
    }
    Ok(cases)
}

fn synapse_name(stem: &str, prefix: &str) -> Option<String> {
    let number = stem.strip_prefix(prefix)?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| format!("case{number}"))
}

/// NIfTI files of a folder by the name `name_of` gives their stem; others are passed over.
fn nifti_files(
    folder: &Path,
    wanted: &str,
    name_of: impl Fn(&str) -> Option<String>,
) -> Result<BTreeMap<String, PathBuf>> {
    let mut files = BTreeMap::new();
    for path in entries(folder)? {
        let Some(name) = stem(&path).as_deref().and_then(&name_of) else {
            continue;
        };
        insert(folder, &mut files, name, path)?;
    }
    not_empty(folder, wanted, &files)?;
    Ok(files)
}

fn la_cases(root: &Path) -> Result<Vec<Case>> {
    let mut files = BTreeMap::new();
    for path in entries(root)? {
        let file = file_name(&path);
        let inner = path.join("mri_norm2.h5");
        if inner.is_file() {
            insert(root, &mut files, file, inner)?;
        } else if let Some(stem) = file.strip_suffix(".h5").filter(|s| !s.starts_with('.')) {
            let name = ["train_", "test_"]
                .iter()
                .find_map(|p| stem.strip_prefix(p));
            insert(root, &mut files, name.unwrap_or(stem).to_owned(), path)?;
        }
    }
    not_empty(root, "NAME/mri_norm2.h5 or NAME.h5 files", &files)?;
    let case = |(name, path): (String, PathBuf)| Case {
        name,
        label: Some(path.clone()),
        image: path,
    };
    Ok(files.into_iter().map(case).collect())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let list = std::fs::read_dir(folder).map_err(|e| DataError::io(folder, "list", e))?;
    list.map(|entry| Ok(entry.map_err(|e| DataError::io(folder, "list", e))?.path()))
        .collect()
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
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

fn not_empty(folder: &Path, wanted: &str, files: &BTreeMap<String, PathBuf>) -> Result<()> {
    if files.is_empty() {
        let problem = format!("holds no {wanted}; check the path");
        return Err(DataError::dataset(folder, problem));
    }
    Ok(())
}
