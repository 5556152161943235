//! Reads every scan of the folder named by `SAMORA_DATA` (MSD hippocampus, UA-MT's LA volumes, a
//! TotalSegmentator CT, a PROSTATEx MRI) and skips, saying so, without it.
#![allow(clippy::unwrap_used, clippy::panic)]

use samora_runner::data::dataset::{Dataset, Part};
use samora_runner::data::formats::{self, ArrayAxes, Arrays, nifti};
use samora_runner::data::source::Source;
use samora_runner::data::survey::{CaseRole, survey};
use samora_runner::data::volume::Orientation;
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
    let labelled = found
        .cases
        .iter()
        .filter(|c| c.role == CaseRole::Labelled)
        .count();
    assert_eq!(labelled, 32);
    assert!(
        found
            .cases
            .iter()
            .all(|c| c.facts.class_voxels.len() == 3 && c.facts.class_voxels.iter().all(|n| *n > 0))
    );
    let truth = data.label(0).unwrap();
    let scores = score_case("self", &truth, &truth, 2, 2.0).unwrap();
    assert_eq!(scores.classes.len(), 2);
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
    let source: Source = ron::from_str(&format!("La(root: {root:?}, labelled: la_4)")).unwrap();
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
        let scan = formats::read_image(&reference, Arrays::default()).unwrap();
        let labels = root.join(match name {
            "totalseg" => "example_seg_synapse8.nii.gz",
            _ => "Prostatex_0000_lab.nii.gz",
        });
        let mut labels = formats::read_labels(&labels, Arrays::default()).unwrap();
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
        assert_eq!(
            formats::read_labels(&out, Arrays::default())
                .unwrap()
                .voxels,
            labels.voxels
        );
    }
}

/// Every file as nibabel, SimpleITK and h5py read it; `tests/reference/volumes.py` writes the figures.
#[test]
#[ignore = "needs figures: see tests/reference/volumes.py"]
fn volumes_are_as_other_libraries_read_them() {
    #[derive(serde::Deserialize)]
    struct Figures {
        shape: [usize; 3],
        affine: [[f64; 4]; 4],
        sum: f64,
        weighted: f64,
        min: f64,
        max: f64,
    }
    let data = PathBuf::from(std::env::var_os("SAMORA_DATA").unwrap());
    let figures = std::fs::read_to_string(std::env::var_os("SAMORA_VOLUMES").unwrap()).unwrap();
    let figures: std::collections::BTreeMap<String, Figures> =
        serde_json::from_str(&figures).unwrap();
    assert!(!figures.is_empty());
    let (mut affine_difference, mut sum_difference) = (0.0_f64, 0.0_f64);
    for (name, want) in &figures {
        let arrays = Arrays {
            axes: ArrayAxes::Xyz,
            directions: Orientation::CANONICAL,
            spacing_mm: [0.625; 3],
        };
        let volume = formats::read_image(&data.join(name), arrays).unwrap();
        let grid = &volume.grid;
        assert_eq!(grid.stored_shape(), want.shape, "{name}");
        let stored = volume.to_stored();
        let value = |i: usize| f64::from(stored[i]);
        let sum: f64 = (0..stored.len()).map(value).sum();
        let weighted: f64 = (0..stored.len())
            .map(|i| value(i) * (i % 251 + 1) as f64)
            .sum();
        let least = (0..stored.len()).map(value).fold(f64::INFINITY, f64::min);
        let most = (0..stored.len())
            .map(value)
            .fold(f64::NEG_INFINITY, f64::max);
        // Ours are rounded to f32.
        let scale = want
            .weighted
            .abs()
            .max(want.max.abs() * stored.len() as f64);
        let apart = (sum - want.sum).abs().max((weighted - want.weighted).abs()) / scale;
        assert!(apart < 1e-6, "{name}: sums differ by {apart:e}");
        assert!(
            (least as f32, most as f32) == (want.min as f32, want.max as f32),
            "{name}"
        );
        let ours = grid.stored_affine.iter().flatten();
        for (ours, theirs) in ours.zip(want.affine.iter().flatten()) {
            affine_difference = affine_difference.max((ours - theirs).abs());
            assert!(
                (ours - theirs).abs() < 1e-4,
                "{name}: {:?}",
                grid.stored_affine
            );
        }
        sum_difference = sum_difference.max(apart);
    }
    eprintln!(
        "{} files; greatest differences: affines {affine_difference:e} mm, sums {sum_difference:e}",
        figures.len()
    );
}
