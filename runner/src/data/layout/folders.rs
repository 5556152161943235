//! A folder of images and a folder of labels, paired by file name.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::names::{Names, is_of_labels, pair};
use super::{Case, KNOWN, Result, known_files, scans};
use crate::data::error::DataError;
use crate::data::formats::Scan;

/// `names` are the patterns of images' and labels' names. Images and labels may be in one folder.
pub(super) fn find(
    images: &Path,
    labels: Option<&Path>,
    names: Option<&(String, String)>,
) -> Result<Vec<Case>> {
    let (found, of_labels) = match names {
        None => by_known_names(images, labels)?,
        Some((image, label)) => {
            let names = Names::parse(image, label);
            let names = names.map_err(|problem| DataError::dataset(images, problem))?;
            by_pattern(images, labels, &names)?
        }
    };
    let found = found
        .into_iter()
        .map(|(name, path)| (name, Scan::File(path)));
    pair(images, found.collect(), of_labels)
}

/// Images and labels by the names that the other should have.
type Found = (BTreeMap<String, PathBuf>, BTreeMap<String, PathBuf>);

fn by_known_names(images: &Path, labels: Option<&Path>) -> Result<Found> {
    let found = known_files(images)?;
    match labels {
        None => Ok((found, BTreeMap::new())),
        Some(folder) if folder == images => {
            Ok(found.into_iter().partition(|(name, _)| !is_of_labels(name)))
        }
        Some(folder) => Ok((found, known_files(folder)?)),
    }
}

fn by_pattern(images: &Path, labels: Option<&Path>, names: &Names<'_>) -> Result<Found> {
    let is_shared = labels == Some(images);
    let told = names.are_labels_told();
    let found = scans(images, KNOWN, |stem| {
        let is_label = is_shared && told && names.case_of_label(stem).is_some();
        names.case_of_image(stem).filter(|_| !is_label)
    })?;
    let Some(folder) = labels else {
        return Ok((found, BTreeMap::new()));
    };
    let labels = scans(folder, KNOWN, |stem| {
        let is_image = is_shared && !told && names.case_of_image(stem).is_some();
        names.case_of_label(stem).filter(|_| !is_image)
    })?;
    Ok((found, labels))
}
