//! A folder of images and a folder of labels, paired by file name.

use std::path::Path;

use super::{Case, KNOWN, Result, known_files, pair, scans};

/// `NAME_0000` (nnU-Net's channel suffix) also finds the label `NAME`.
pub(super) fn find(images: &Path, labels: Option<&Path>) -> Result<Vec<Case>> {
    let found = scans(images, KNOWN, |stem| Some(stem.to_owned()))?;
    let Some(folder) = labels else {
        return pair(images, found, Default::default());
    };
    let labels = known_files(folder)?.into_iter().map(|(name, path)| {
        let with_channel = format!("{name}_0000");
        match found.contains_key(&name) || !found.contains_key(&with_channel) {
            true => (name, path),
            false => (with_channel, path),
        }
    });
    let labels = labels.collect();
    pair(images, found, labels)
}
