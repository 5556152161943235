//! Synapse multi-atlas abdomen (BTCV): the original volumes, or TransUNet's preprocessed files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Case, Intensity, Layout, Result, Source, entries, file_name, not_empty, pair, scans};
use crate::data::error::DataError;
use crate::data::formats::Scan;
use crate::data::label_order::{self, LabelOrder};

/// The organs in SAMed's order.
pub const SYNAPSE_CLASSES: [&str; 8] = [
    "spleen",
    "right kidney",
    "left kidney",
    "gallbladder",
    "liver",
    "stomach",
    "aorta",
    "pancreas",
];

const ORGANS: usize = SYNAPSE_CLASSES.len();

/// Class of each of the 14 original label values (SAMed, preprocess_data.py): oesophagus, inferior vena
/// cava, portal and splenic veins and adrenal glands become background.
pub const SYNAPSE_LABEL_MAP: [u8; 14] = [0, 1, 2, 3, 4, 0, 5, 6, 7, 0, 0, 8, 0, 0];

/// Intensities of preprocessed files, which are between 0 and 1 already.
pub const SYNAPSE_SCALED: Intensity = Intensity::Window {
    low: 0.0,
    high: 1.0,
};

/// `img/imgNNNN.nii.gz` with `label/labelNNNN.nii.gz`, whose Hounsfield units in a window become 0…1; or
/// `train_npz/caseNNNN_sliceNNN.npz` and `test_vol_h5/caseNNNN.npy.h5`, which are already so.
pub(super) fn find(source: &Source, label_order: Option<LabelOrder>) -> Result<Layout> {
    let root = source.root();
    let (slices, volumes) = (root.join("train_npz"), root.join("test_vol_h5"));
    if slices.is_dir() || volumes.is_dir() {
        return preprocessed(source, &slices, &volumes, label_order);
    }
    let named = |prefix: &'static str| move |stem: &str| numbered(stem, prefix);
    let images = scans(&root.join("img"), "imgNNNN.nii.gz", named("img"))?;
    let labels = scans(&root.join("label"), "labelNNNN.nii.gz", named("label"))?;
    let images = images
        .into_iter()
        .map(|(name, path)| (name, Scan::File(path)));
    let cases = pair(root, images.collect(), labels)?;
    let mut layout = Layout::new(cases, ORGANS, source);
    layout.values = (0..).zip(SYNAPSE_LABEL_MAP).collect();
    Ok(layout)
}

fn numbered(stem: &str, prefix: &str) -> Option<String> {
    let number = stem.strip_prefix(prefix)?;
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| format!("case{number}"))
}

fn preprocessed(
    source: &Source,
    slices: &Path,
    volumes: &Path,
    label_order: Option<LabelOrder>,
) -> Result<Layout> {
    let root = source.root();
    let mut found: BTreeMap<String, Scan> = BTreeMap::new();
    if slices.is_dir() {
        for (name, paths) in slices_by_case(slices)? {
            found.insert(name, Scan::Slices(paths));
        }
    }
    if volumes.is_dir() {
        let case = |stem: &str| Some(stem.to_owned());
        for (name, path) in scans(volumes, "caseNNNN.npy.h5", case)? {
            if found.insert(name.clone(), Scan::File(path)).is_some() {
                let problem = format!("case {name} is in train_npz and in test_vol_h5; keep one");
                return Err(DataError::dataset(root, problem));
            }
        }
    }
    let cases = found.into_iter().map(|(name, scan)| Case {
        name,
        image: scan.clone(),
        label: Some(scan),
    });
    let mut layout = Layout::new(cases.collect(), ORGANS, source);
    layout.intensity = SYNAPSE_SCALED;
    let labels = layout.cases.iter().filter_map(|case| case.label.as_ref());
    let (order, mirrored) = label_order::check(root, labels, layout.arrays, label_order)?;
    layout.values = (0..).zip(order.classes()).collect();
    layout.warnings.push(format!(
        "the files' label values are in {order}'s order; they have no spacing, so that millimetres are voxels"
    ));
    layout.warnings.extend(mirrored);
    Ok(layout)
}

/// `caseNNNN_sliceNNN.npz` by case, ordered by slice.
fn slices_by_case(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>> {
    let mut cases: BTreeMap<String, BTreeMap<usize, PathBuf>> = BTreeMap::new();
    for path in entries(folder)? {
        let file = file_name(&path);
        let number = file
            .strip_suffix(".npz")
            .and_then(|stem| stem.rsplit_once("_slice"))
            .and_then(|(case, slice)| Some((case.to_owned(), slice.parse().ok()?)));
        if let Some((case, slice)) = number {
            cases.entry(case).or_default().insert(slice, path);
        }
    }
    not_empty(folder, "caseNNNN_sliceNNN.npz files", &cases)?;
    let ordered = |(name, slices): (String, BTreeMap<usize, PathBuf>)| {
        let lacks = (0..slices.len()).find(|slice| !slices.contains_key(slice));
        match lacks {
            None => Ok((name, slices.into_values().collect())),
            Some(slice) => {
                let problem =
                    format!("lacks slice {slice} of {name}, but has later ones; copy it again");
                Err(DataError::dataset(folder, problem))
            }
        }
    };
    cases.into_iter().map(ordered).collect()
}
