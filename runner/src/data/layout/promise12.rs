//! Prostate (PROMISE12): `CaseNN.mhd` with `CaseNN_segmentation.mhd`, or the same names in another format.

use std::path::Path;

use super::{Case, Result, Scan, pair, scans};

pub(super) fn find(root: &Path) -> Result<Vec<Case>> {
    const SUFFIX: &str = "_segmentation";
    let is_case = |stem: &str| stem.starts_with("Case");
    let image = |stem: &str| (is_case(stem) && !stem.ends_with(SUFFIX)).then(|| stem.to_owned());
    let label = |stem: &str| Some(stem.strip_suffix(SUFFIX).filter(|s| is_case(s))?.to_owned());
    let images = scans(root, "CaseNN.mhd files", image)?;
    let labels = scans(root, "CaseNN_segmentation.mhd files", label)?;
    let images = images
        .into_iter()
        .map(|(name, path)| (name, Scan::File(path)));
    pair(root, images.collect(), labels)
}
