#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::decode;
use crate::data::formats::nifti;
use crate::data::source::{Axis, Intensity, Labelled, Split};
use crate::data::survey::survey;
use crate::phantom::{Layout, Options, generate};
use std::path::{Path, PathBuf};

const SHAPE: [usize; 3] = [4, 3, 2];

fn write(path: &Path, shape: [usize; 3], value: impl Fn(usize) -> f32) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let grid = Grid::axis_aligned(shape, [1.0, 1.0, 2.5]);
    let voxels = (0..grid.len()).map(value).collect();
    nifti::write(path, &Volume::new(grid, voxels, PathBuf::new()).unwrap()).unwrap();
}

/// Four image-label pairs whose label values are 0, 1 and 2.
fn folder_source(root: &Path) -> Source {
    for (number, case) in ["a", "b", "c", "d"].into_iter().enumerate() {
        let file = root.join(format!("images/{case}_0000.nii.gz"));
        write(&file, SHAPE, |i| match i {
            5 => 5.0 + 0.25 * number as f32,
            _ => i as f32,
        });
        write(&root.join(format!("labels/{case}.nii.gz")), SHAPE, |i| {
            (i % 3) as f32
        });
    }
    Source::Folder {
        images: root.join("images"),
        labels: Some(root.join("labels")),
        classes: vec!["head".to_owned(), "tail".to_owned()],
        names: None,
        label_map: Default::default(),
        arrays: Default::default(),
        split: Split::First { train: 3, test: 1 },
        labelled: Labelled::First(1),
        intensity: Intensity::Window {
            low: 0.0,
            high: 23.0,
        },
        slices: Axis::Axial,
    }
}

fn error_of<T>(result: Result<T>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn folders_pair_and_divide() {
    let folder = tempfile::tempdir().unwrap();
    let data = Dataset::open(&folder_source(folder.path()), 1 << 20).unwrap();
    assert_eq!(data.slices(Part::Labelled).len(), 2);
    assert_eq!(data.slices(Part::Unlabelled).len(), 4);
    assert_eq!(data.slices(Part::Train).len(), 6);
    assert_eq!(data.division().test, [3]);
    let id = SliceId { case: 3, index: 1 };
    assert_eq!(data.image_slice(id).unwrap().at(2, 0), 1.0);
    assert_eq!(data.label_slice(id).unwrap().at(0, 2), 1);
    assert!(data.image_slice(SliceId { case: 3, index: 2 }).is_err());
    assert!(data.image(9).is_err());
}

#[test]
fn synapse_labels_become_eight_classes() {
    let folder = tempfile::tempdir().unwrap();
    for number in ["0005", "0001"] {
        write(
            &folder.path().join(format!("img/img{number}.nii.gz")),
            SHAPE,
            |_| 75.0,
        );
        let label = folder.path().join(format!("label/label{number}.nii.gz"));
        write(&label, SHAPE, |i| (i % 14) as f32);
    }
    let source: Source = ron::from_str(&format!("Synapse(root: {:?})", folder.path())).unwrap();
    let data = Dataset::open(&source, 1 << 20).unwrap();
    assert_eq!(data.cases()[data.division().train[0]].name, "case0005");
    assert_eq!(data.division().missing.len(), 28);
    let label = data.label(0).unwrap();
    assert_eq!(
        label.voxels[..14],
        [0, 1, 2, 3, 4, 0, 5, 6, 7, 0, 0, 8, 0, 0]
    );
    assert!(data.image(0).unwrap().voxels.iter().all(|v| *v == 0.5));
}

/// What a pipeline says of a data set holds for scans from elsewhere, such as those of `runner predict`.
#[test]
fn a_scan_is_read_as_those_of_the_data_set() {
    let sources = [
        (Layout::Synapse, "Synapse(split: AllTrain, "),
        (
            Layout::SynapsePreprocessed,
            "Synapse(label_order: Some(Samed), ",
        ),
        (Layout::La, "La(split: AllTrain, "),
        (Layout::LaH5, "La(split: AllTrain, "),
        (Layout::Promise12, "Promise12(split: AllTrain, "),
    ];
    for (layout, source) in sources {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            layout,
            // The first 18 of Synapse train, and are single slices where they are preprocessed.
            cases: 19,
            seed: 1,
            shape: [20, 18, 16],
        };
        generate(&options, folder.path()).unwrap();
        let source: Source = ron::from_str(&format!("{source}root: {:?})", folder.path())).unwrap();
        let data = Dataset::open(&source, 1 << 30).unwrap();
        let mut files = 0;
        for (case, found) in data.cases().iter().enumerate() {
            if let Scan::File(_) = &found.image {
                let scan = decode::scan(&found.image, &source).unwrap();
                let image = data.image(case).unwrap();
                assert_eq!(scan.grid, image.grid, "{layout:?}");
                assert!(scan.voxels == image.voxels, "{layout:?}");
                files += 1;
            }
        }
        assert!(files > 0, "{layout:?}");
    }
}

#[test]
fn pipelines_spell_sources_in_ron() {
    let text = r#"Folder(
        images: "i", labels: Some("l"), classes: ["a"], slices: Coronal,
        split: Fraction(test: 0.25, seed: 7), labelled: Fraction(cases: 0.2, seed: 7),
        intensity: Percentile(low: 0.5, high: 99.5),
    )"#;
    let source: Source = ron::from_str(text).unwrap();
    let again: Source = ron::from_str(&ron::to_string(&source).unwrap()).unwrap();
    assert_eq!(source, again);
    let named: Source =
        ron::from_str(r#"Synapse(root: "r", split: synapse_18_12, labelled: synapse_10pct_221)"#)
            .unwrap();
    assert_eq!(*named.labelled(), Labelled::Synapse10Pct221);
    assert!(ron::from_str::<Source>(r#"Synapse(root: "r", rot: 3)"#).is_err());
    assert!(ron::from_str::<Source>(r#"La(root: "r", split: la_80_20, labelled: la_4)"#).is_ok());
}

#[test]
fn bad_folders_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let source = folder_source(root);
    let open = || error_of(Dataset::open(&source, 1 << 20));

    write(&root.join("labels/e.nii.gz"), SHAPE, |_| 0.0);
    let message = open();
    assert!(
        message.contains("e.nii.gz") && message.contains("no image"),
        "{message}"
    );
    std::fs::remove_file(root.join("labels/e.nii.gz")).unwrap();

    std::fs::remove_file(root.join("labels/d.nii.gz")).unwrap();
    let message = open();
    assert!(
        message.contains("d_0000") && message.contains("no label"),
        "{message}"
    );

    write(&root.join("labels/d.nii.gz"), [3, 4, 2], |_| 0.0);
    let data = Dataset::open(&source, 1 << 20).unwrap();
    let message = error_of(data.label(3));
    assert!(
        message.contains("[4, 3, 2]") && message.contains("[3, 4, 2]"),
        "{message}"
    );

    write(&root.join("labels/d.nii.gz"), SHAPE, |_| 3.0);
    let message = error_of(data.label(3));
    assert!(
        message.contains("value 3") && message.contains("head, tail"),
        "{message}"
    );

    std::fs::remove_dir_all(root.join("images")).unwrap();
    assert!(open().contains("cannot list"));
    std::fs::create_dir(root.join("images")).unwrap();
    assert!(open().contains("holds no files in a known format"));
}

#[test]
fn surveys_describe_every_case() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder_source(folder.path());
    let found = survey(&Dataset::open(&source, 1 << 20).unwrap());
    assert!(!found.has_problems());
    let roles: Vec<_> = found.cases.iter().map(|c| c.role.to_string()).collect();
    assert_eq!(roles, ["labelled", "unlabelled", "unlabelled", "test"]);
    assert_eq!(found.cases[0].facts.class_voxels, [8, 8, 8]);
    assert_eq!(found.cases[0].facts.intensity, (0.0, 23.0));
    let text = found.to_string();
    assert!(
        text.contains("4×3×2") && text.contains("1.00×1.00×2.50"),
        "{text}"
    );

    write(&folder.path().join("labels/b.nii.gz"), SHAPE, |_| 9.0);
    write(&folder.path().join("images/c_0000.nii.gz"), SHAPE, |_| 4.0);
    let found = survey(&Dataset::open(&source, 1 << 20).unwrap());
    assert!(found.cases[1].problems[0].contains("value 9"));
    assert!(found.cases[2].problems[0].contains("every voxel is 4"));
}

#[test]
fn copies_and_odd_spacings_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let source = folder_source(folder.path());
    let image = |case: &str| folder.path().join(format!("images/{case}_0000.nii.gz"));
    let found = survey(&Dataset::open(&source, 1 << 20).unwrap());
    assert_eq!(found.warnings, [] as [String; 0]);

    std::fs::copy(image("a"), image("b")).unwrap();
    std::fs::copy(image("c"), image("d")).unwrap();
    let found = survey(&Dataset::open(&source, 1 << 20).unwrap());
    let leak = "unlabelled case c_0000 and test case d_0000 hold the same image";
    assert!(found.cases[3].problems[0].contains(leak), "{found}");
    let copy = "labelled case a_0000 and unlabelled case b_0000 hold the same image";
    assert!(found.warnings[0].contains(copy), "{found}");

    let grid = Grid::axis_aligned(SHAPE, [1.0, 1.0, 25.0]);
    let voxels = (0..grid.len()).map(|i| i as f32 - 1.0).collect();
    let thick = Volume::new(grid, voxels, PathBuf::new()).unwrap();
    nifti::write(&image("d"), &thick).unwrap();
    let found = survey(&Dataset::open(&source, 1 << 20).unwrap());
    let odd = "case d_0000: a spacing of 1.00×1.00×25.00 mm, where 1.00×1.00×2.50 is usual";
    assert!(found.warnings[1].contains(odd), "{found}");
}
