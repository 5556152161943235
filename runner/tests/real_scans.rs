//! Reads every scan of the folder named by `SAMORA_DATA` (MSD hippocampus, UA-MT's LA volumes, a
//! TotalSegmentator CT, a PROSTATEx MRI) and skips, saying so, without it.
#![allow(clippy::unwrap_used, clippy::panic)]

use samora_runner::data::dataset::{Dataset, Part};
use samora_runner::data::nifti;
use samora_runner::data::source::Source;
use samora_runner::data::survey::survey;
use samora_runner::metrics::volume::score_case;
use std::path::PathBuf;

fn folder(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SAMORA_DATA").map(|root| PathBuf::from(root).join(name));
    let found = folder.filter(|f| f.is_dir());
    if found.is_none() {
        eprintln!("skipped: SAMORA_DATA names no folder with {name}");
    }
    found
}

#[test]
fn hippocampus_folders_open_and_divide() {
    let Some(root) = folder("hippocampus") else {
        return;
    };
    let source: Source = ron::from_str(&format!(
        r#"Folder(images: {:?}, labels: Some({:?}), classes: ["anterior", "posterior"],
            split: First(train: 160, test: 48), labelled: Fraction(cases: 0.2, seed: 7))"#,
        root.join("images"),
        root.join("labels"),
    ))
    .unwrap();
    let data = Dataset::open(&source, 1 << 28).unwrap();
    let found = survey(&data);
    assert_eq!(found.cases.len(), 208);
    assert!(!found.has_problems(), "{found}");
    let labelled = found.cases.iter().filter(|c| c.role == "labelled").count();
    assert_eq!(labelled, 32);
    assert!(
        found
            .cases
            .iter()
            .all(|c| c.class_voxels.iter().all(|n| *n > 0))
    );
    let truth = data.label(0).unwrap();
    let scores = score_case("self", &truth, &truth, 2, 2.0).unwrap();
    assert!(
        scores
            .classes
            .iter()
            .all(|c| c.dice == 1.0 && c.hd95_mm == Some(0.0))
    );
}

#[test]
fn left_atrium_volumes_open_with_the_published_lists() {
    let Some(root) = folder("la") else {
        return;
    };
    let source: Source = ron::from_str(&format!("LaH5(root: {root:?}, labelled: la_4)")).unwrap();
    let data = Dataset::open(&source, 1 << 28).unwrap();
    assert_eq!(
        (data.division().train.len(), data.division().test.len()),
        (8, 3)
    );
    let slices = data.slices(Part::Labelled);
    assert!(!slices.is_empty());
    for slice in slices {
        // The published list holds the slices that contain the atrium.
        assert!(data.label_slice(slice).unwrap().pixels.contains(&1));
    }
    assert!(!survey(&data).has_problems());
}

#[test]
fn labels_return_to_the_scanner_grid() {
    for (name, image) in [
        ("totalseg", "example_ct.nii.gz"),
        ("prostate", "Prostatex_0000.nii.gz"),
    ] {
        let Some(root) = folder(name) else {
            continue;
        };
        let reference = root.join(image);
        let scan = nifti::read_image(&reference).unwrap();
        let mut labels = nifti::read_labels(&root.join(match name {
            "totalseg" => "example_seg_synapse8.nii.gz",
            _ => "Prostatex_0000_lab.nii.gz",
        }))
        .unwrap();
        labels.grid = scan.grid.clone();
        let scratch = tempfile::tempdir().unwrap();
        let out = scratch.path().join("out.nii.gz");
        nifti::write_labels_like(&reference, &labels, &out).unwrap();
        let (before, after) = (
            nifti::read_header(&reference).unwrap(),
            nifti::read_header(&out).unwrap(),
        );
        assert_eq!(before.raw[252..328], after.raw[252..328], "qform and sform");
        assert_eq!(before.grid, after.grid);
        assert_eq!(nifti::read_labels(&out).unwrap().voxels, labels.voxels);
    }
}
