//! What label maps are called beside their images.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Case, Result, file_name};
use crate::data::error::DataError;
use crate::data::formats::Scan;

/// Endings that public data sets give the names of labels: ACDC, 3D Slicer, PROMISE12, ISIC, BUSI, PROSTATEx
/// and others.
const LABEL_ENDINGS: [&str; 18] = [
    "_gt",
    "-gt",
    "_seg",
    "-seg",
    ".seg",
    "_segmentation",
    "-segmentation",
    "_label",
    "-label",
    ".label",
    "_labels",
    "-labels",
    "_mask",
    "-mask",
    "_msk",
    "_lab",
    "_groundtruth",
    "_annotation",
];

/// Endings of images: nnU-Net's only channel, and what tells them from `_seg` in VerSe and others.
const IMAGE_ENDINGS: [&str; 5] = ["", "_0000", "_ct", "_image", "_img"];

/// Beginnings of labels and images: LiTS, CT-ORG, Synapse.
const BEGINNINGS: [(&str, &str); 5] = [
    ("segmentation-", "volume-"),
    ("labels-", "volume-"),
    ("label", "img"),
    ("label", "image"),
    ("mask", "image"),
];

/// Whole names of labels and of folders of them.
const LABEL_NAMES: [&str; 17] = [
    "label",
    "labels",
    "labelstr",
    "labelsts",
    "labelsval",
    "mask",
    "masks",
    "seg",
    "segmentation",
    "segmentations",
    "gt",
    "groundtruth",
    "ground_truth",
    "annotation",
    "annotations",
    "contour",
    "contours",
];

/// Whether a file or folder without its ending is called as labels are.
pub(super) fn is_of_labels(name: &str) -> bool {
    let name = name.to_lowercase();
    let begins = |(label, _): &(&str, &str)| {
        let rest = name.strip_prefix(label);
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
    };
    LABEL_NAMES.contains(&name.as_str())
        || LABEL_ENDINGS.iter().any(|ending| name.ends_with(ending))
        || BEGINNINGS.iter().any(begins)
}

/// How images and labels are called; what both names share is the name of the case.
#[derive(Clone, Debug)]
pub(super) struct Names<'a> {
    image: (&'a str, &'a str),
    label: (&'a str, &'a str),
}

impl<'a> Names<'a> {
    /// Of two patterns with one `*` each, which stands for the case.
    pub(super) fn parse(image: &'a str, label: &'a str) -> Result<Self, String> {
        let parts = |pattern: &'a str| match pattern.split_once('*') {
            Some((before, after)) if !after.contains('*') => Ok((before, after)),
            _ => Err(format!(
                "names: `{pattern}` must have one `*`, which stands for the case"
            )),
        };
        Ok(Self {
            image: parts(image)?,
            label: parts(label)?,
        })
    }

    pub(super) fn case_of_image(&self, stem: &str) -> Option<String> {
        inner(stem, self.image)
    }

    pub(super) fn case_of_label(&self, stem: &str) -> Option<String> {
        inner(stem, self.label)
    }

    /// Whether a file that both patterns fit is a label: that of the more telling one.
    pub(super) fn are_labels_told(&self) -> bool {
        let length = |(before, after): (&str, &str)| before.len() + after.len();
        length(self.label) > length(self.image)
    }
}

fn inner(stem: &str, (before, after): (&str, &str)) -> Option<String> {
    let case = stem.strip_prefix(before)?.strip_suffix(after)?;
    (!case.is_empty()).then(|| case.to_owned())
}

/// The image that a label belongs to: one of its name, or one that public data sets would give such a label.
pub(crate) fn image_of(label: &str, is_image: impl Fn(&str) -> bool) -> Option<String> {
    // In ASCII, since the lengths must stay.
    let lower = label.to_ascii_lowercase();
    let without = |ending: &&str| {
        let rest = lower.strip_suffix(ending).filter(|rest| !rest.is_empty())?;
        label.get(..rest.len())
    };
    let cases = [label]
        .into_iter()
        .chain(LABEL_ENDINGS.iter().filter_map(without));
    let named = cases.flat_map(|case| IMAGE_ENDINGS.map(|ending| format!("{case}{ending}")));
    let begun = BEGINNINGS.iter().filter_map(|(beginning, image)| {
        lower.strip_prefix(beginning)?;
        Some(format!("{image}{}", label.get(beginning.len()..)?))
    });
    named.chain(begun).find(|name| is_image(name))
}

/// Joins the images and labels of a data set, by name or as [`image_of`] says.
pub(super) fn pair(
    root: &Path,
    images: BTreeMap<String, Scan>,
    labels: BTreeMap<String, PathBuf>,
) -> Result<Vec<Case>> {
    let mut of_images: BTreeMap<String, PathBuf> = BTreeMap::new();
    let mut without = Vec::new();
    for (name, path) in labels {
        let Some(image) = image_of(&name, |name| images.contains_key(name)) else {
            without.push(path);
            continue;
        };
        if let Some(other) = of_images.insert(image.clone(), path.clone()) {
            let (a, b) = (file_name(&other), file_name(&path));
            let problem = format!("{a} and {b} are both labels of {image}; keep one");
            return Err(DataError::dataset(root, problem));
        }
    }
    if let Some(label) = without.first() {
        let others = match without.len() {
            1 => String::new(),
            n => format!(" (and {} more)", n - 1),
        };
        let problem = format!(
            "label {}{others} has no image of the same name; add the image, move the label away, or, where \
             names differ, give a `Folder` the field `names`, such as `names: (\"*\", \"*_manual\")`",
            label.display()
        );
        return Err(DataError::dataset(root, problem));
    }
    let cases = images.into_iter().map(|(name, image)| Case {
        label: of_images.remove(&name).map(Scan::File),
        image,
        name,
    });
    Ok(cases.collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn labels_find_the_image_that_public_data_sets_give_them() {
        let images = [
            "p1",
            "volume-10",
            "Case00",
            "a_0000",
            "b_ct",
            "img0001",
            "x_seg",
            "Straße",
        ];
        let found = |label: &str| image_of(label, |name| images.contains(&name));
        for (label, image) in [
            ("p1", "p1"),
            ("p1_GT", "p1"),
            ("p1-label", "p1"),
            ("segmentation-10", "volume-10"),
            ("Case00_segmentation", "Case00"),
            ("a", "a_0000"),
            ("a_seg", "a_0000"),
            ("b_seg", "b_ct"),
            ("label0001", "img0001"),
            // The same name counts first.
            ("x_seg", "x_seg"),
            ("Straße_mask", "Straße"),
        ] {
            assert_eq!(found(label).as_deref(), Some(image), "{label}");
        }
        for label in ["p", "p1_", "p11", "_gt", "segmentation-1", "label1"] {
            assert_eq!(found(label), None, "{label}");
        }
    }

    #[test]
    fn labels_are_known_by_their_names() {
        for name in [
            "labelsTr",
            "segmentation",
            "p1_gt",
            "p1_Seg",
            "mask",
            "label0001",
            "segmentation-3",
        ] {
            assert!(is_of_labels(name), "{name}");
        }
        for name in [
            "imagesTr",
            "imaging",
            "ct",
            "labelled_ct",
            "masked",
            "unmask-2",
            "x_0001",
            "target",
        ] {
            assert!(!is_of_labels(name), "{name}");
        }
    }
}
