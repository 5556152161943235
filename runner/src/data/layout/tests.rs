#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;

mod arrays;
mod nnunet;
mod pairs;
mod trees;

use super::*;
use crate::data::dataset::{Dataset, Part};
use crate::data::formats::nifti;
use crate::data::split::SliceId;
use crate::data::volume::{Grid, Volume};

/// A dataset in a scratch folder.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn nifti(&self, name: &str, value: impl Fn(usize) -> u8) {
        let grid = Grid::axis_aligned([3, 2, 2], [1.0; 3]);
        let voxels = (0..grid.len()).map(value).collect();
        nifti::write(
            &self.path(name),
            &Volume::new(grid, voxels, PathBuf::new()).unwrap(),
        )
        .unwrap();
    }

    fn text(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Opens a declaration in which `ROOT` stands for the folder.
    fn open(&self, declaration: &str) -> Result<Dataset> {
        self.open_in(declaration, 1 << 20)
    }

    fn open_in(&self, declaration: &str, memory: usize) -> Result<Dataset> {
        let root = self.0.path().display().to_string();
        let source: Source = ron::from_str(&declaration.replace("ROOT", &root)).unwrap();
        Dataset::open(&source, memory)
    }

    fn refused(&self, declaration: &str) -> String {
        self.open(declaration).map(drop).unwrap_err().to_string()
    }
}

fn names(data: &Dataset) -> Vec<&str> {
    data.cases().iter().map(|c| c.name.as_str()).collect()
}

/// A volume of 3×2×2 voxels as NRRD.
fn nrrd(values: [u8; 12]) -> Vec<u8> {
    let header = "NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 2 2\nspace: LPS\n\
                  space directions: (0.625,0,0) (0,0.625,0) (0,0,0.625)\nencoding: raw\n\n";
    [header.as_bytes(), &values].concat()
}

#[test]
fn la_is_found_as_the_challenge_gives_it() {
    let folder = Folder::new();
    for case in ["AAAA", "BBBB"] {
        let mut label = [0; 12];
        label[0] = 255;
        fs::write(folder.path(&format!("{case}/lgemri.nrrd")), nrrd([9; 12])).unwrap();
        fs::write(folder.path(&format!("{case}/laendo.nrrd")), nrrd(label)).unwrap();
    }
    let la = r#"La(root: "ROOT", split: First(train: 1, test: 1))"#;
    let data = folder.open(la).unwrap();
    assert_eq!(names(&data), ["AAAA", "BBBB"]);
    // The first stored voxel, right and anterior, is the last of the first slice.
    assert_eq!(data.label(0).unwrap().voxels[5], 1);
    let mut odd = [0; 12];
    odd[3] = 2;
    fs::write(folder.path("BBBB/laendo.nrrd"), nrrd(odd)).unwrap();
    let data = folder.open(la).unwrap();
    let message = data.label(1).map(drop).unwrap_err().to_string();
    assert!(
        message.contains("label value 2") && message.contains("0…1, 255"),
        "{message}"
    );
}

#[test]
fn promise12_pairs_cases_with_their_segmentation() {
    let folder = Folder::new();
    let meta = "NDims = 3\nDimSize = 3 2 2\nElementType = MET_UCHAR\n";
    for case in ["Case05", "Case16", "Case29"] {
        for (suffix, value) in [("", 7), ("_segmentation", 1)] {
            let header = format!("{meta}ElementDataFile = {case}{suffix}.raw\n");
            folder.text(&format!("{case}{suffix}.mhd"), &header);
            fs::write(folder.path(&format!("{case}{suffix}.raw")), [value; 12]).unwrap();
        }
    }
    let data = folder
        .open(r#"Promise12(root: "ROOT", labelled: First(1))"#)
        .unwrap();
    assert_eq!(names(&data), ["Case05", "Case16", "Case29"]);
    let division = data.division();
    assert_eq!((&division.train, &division.test), (&vec![0, 2], &vec![1]));
    assert_eq!(data.label(2).unwrap().voxels, [1; 12]);
    fs::remove_file(folder.path("Case29.mhd")).unwrap();
    let message = folder.refused(r#"Promise12(root: "ROOT")"#);
    assert!(message.contains("Case29_segmentation.mhd"), "{message}");
}

#[test]
fn nnunet_datasets_of_both_versions_are_found() {
    let folder = Folder::new();
    for channel in ["0000", "0001"] {
        folder.nifti(&format!("imagesTr/a_{channel}.nii.gz"), |i| i as u8);
        folder.nifti(&format!("imagesTr/b_{channel}.nii.gz"), |i| i as u8);
    }
    folder.nifti("labelsTr/a.nii.gz", |i| (i % 3) as u8);
    folder.nifti("labelsTr/b.nii.gz", |i| (i % 3) as u8);
    let nnunet = r#"NnUnet(root: "ROOT", channel: 1, classes: ["liver", "tumour"], split: First(train: 1, test: 1))"#;
    assert!(folder.refused(nnunet).contains("dataset.json"));
    for labels in [
        r#"{"background": 0, "liver": 1, "tumour": 2}"#,
        r#"{"0": "background", "1": "liver", "2": "tumour"}"#,
    ] {
        folder.text(
            "dataset.json",
            &format!(r#"{{"labels": {labels}, "file_ending": ".nii.gz"}}"#),
        );
        let data = folder.open(nnunet).unwrap();
        assert_eq!(names(&data), ["a", "b"]);
        assert!(data.cases()[0].image.path().ends_with("a_0001.nii.gz"));
    }
    assert!(
        folder
            .refused(&nnunet.replace("tumour", "cyst"))
            .contains("cyst")
    );
    assert!(
        folder
            .refused(&nnunet.replace("channel: 1", "channel: 2"))
            .contains("channel 2")
    );
    for (labels, expected) in [
        (r#"{"background": 0, "whole": [1, 2]}"#, "regions"),
        (r#"{"background": 0, "liver": 2}"#, "without a gap"),
        ("[]", "not nnU-Net's"),
    ] {
        folder.text("dataset.json", &format!(r#"{{"labels": {labels}}}"#));
        assert!(folder.refused(nnunet).contains(expected), "{labels}");
    }
}

/// An `.npz` file of one slice whose label map has the given class at its first pixel.
fn npz(path: &Path, class: u8) {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(fs::File::create(path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    let image: Vec<u8> = (0..6)
        .flat_map(|v| (v as f32 / 5.0).to_le_bytes())
        .collect();
    let label: Vec<u8> = (0..6)
        .flat_map(|v| f32::from(if v == 0 { class } else { 0 }).to_le_bytes())
        .collect();
    for (name, numbers) in [("image", image), ("label", label)] {
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n";
        let length = (header.len() as u16).to_le_bytes();
        archive.start_file(format!("{name}.npy"), options).unwrap();
        let parts = [
            b"\x93NUMPY\x01\0".as_slice(),
            &length,
            header.as_bytes(),
            &numbers,
        ];
        archive.write_all(&parts.concat()).unwrap();
    }
    archive.finish().unwrap();
}

#[test]
fn preprocessed_synapse_stacks_its_training_slices() {
    let folder = Folder::new();
    for slice in 0..3 {
        npz(
            &folder.path(&format!("train_npz/case0005_slice{slice:03}.npz")),
            1,
        );
    }
    let mut file = hdf5_pure::FileBuilder::new();
    file.create_dataset("image")
        .with_f32_data(&[0.5; 24])
        .with_shape(&[4, 2, 3]);
    file.create_dataset("label")
        .with_u8_data(&[7; 24])
        .with_shape(&[4, 2, 3]);
    file.write(folder.path("test_vol_h5/case0001.npy.h5"))
        .unwrap();

    let message = folder.refused(r#"Synapse(root: "ROOT")"#);
    assert!(message.contains("label_order: Some(Samed)"), "{message}");
    let declared = |order: &str| format!(r#"Synapse(root: "ROOT", label_order: Some({order}))"#);
    let data = folder.open(&declared("Samed")).unwrap();
    assert_eq!(names(&data), ["case0001", "case0005"]);
    assert_eq!(data.grid(1).unwrap().shape, [3, 2, 3]);
    assert_eq!(data.slices(Part::Labelled).len(), 3);
    // Intensities are as the files have them.
    let slice = data.image_slice(SliceId { case: 1, index: 2 }).unwrap();
    // Networks see them as they lie in the files.
    assert_eq!(slice.pixels, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
    assert_eq!(data.label(0).unwrap().voxels, [7; 24]);
    assert!(data.warnings()[0].contains("no spacing"));
    // TransUNet's 7 is the spleen, 1 the aorta.
    let data = folder.open(&declared("TransUnet")).unwrap();
    assert_eq!(data.label(0).unwrap().voxels, [1; 24]);
    assert_eq!(data.label(1).unwrap().voxels[2], 7);

    fs::remove_file(folder.path("train_npz/case0005_slice001.npz")).unwrap();
    assert!(
        folder
            .refused(&declared("Samed"))
            .contains("slice 1 of case0005")
    );
}

#[test]
fn label_maps_give_values_a_class() {
    let folder = Folder::new();
    folder.nifti("images/a.nii.gz", |i| i as u8);
    folder.nifti("labels/a.nii.gz", |i| if i == 0 { 255 } else { 0 });
    let declared = |map: &str| {
        format!(
            r#"Folder(images: "ROOT/images", labels: Some("ROOT/labels"), classes: ["gland"]{map})"#
        )
    };
    let data = folder.open(&declared(", label_map: {255: 1}")).unwrap();
    assert_eq!(data.label(0).unwrap().voxels[0], 1);
    let data = folder.open(&declared("")).unwrap();
    let message = data.label(0).map(drop).unwrap_err().to_string();
    assert!(
        message.contains("label value 255") && message.contains("0…1"),
        "{message}"
    );
}

#[test]
fn trees_of_images_give_all_their_slices() {
    let folder = Folder::new();
    folder.nifti("amos/ct/a.nii.gz", |i| i as u8);
    folder.nifti("lits/a.nii.gz", |i| i as u8);
    image::GrayImage::new(3, 2)
        .save(folder.path("lits/deep/slice.png"))
        .unwrap();
    folder.text("lits/notes.txt", "not an image");
    let data = folder
        .open(r#"Images(roots: ["ROOT/amos", "ROOT/lits"])"#)
        .unwrap();
    assert_eq!(names(&data), ["amos/ct/a", "lits/a", "lits/deep/slice"]);
    assert_eq!(data.slices(Part::Unlabelled).len(), 5);
    assert!(data.slices(Part::Labelled).is_empty());
    let one = folder.open(r#"Images(roots: ["ROOT/lits"])"#).unwrap();
    assert_eq!(names(&one), ["a", "deep/slice"]);
    folder.text("empty/notes.txt", "not an image");
    assert!(
        folder
            .refused(r#"Images(roots: ["ROOT/empty"])"#)
            .contains("known format")
    );
}

/// Slices are one scan; whatever lies in the same folder is another.
#[test]
fn a_stray_slice_hides_all_volumes() {
    let folder = Folder::new();
    let slice = |name: &str| {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dicom");
        let fixture = std::path::Path::new(fixtures).join("jpeg_ls_eight.dcm");
        fs::copy(fixture, folder.path(name)).unwrap();
    };
    for name in ["a", "b", "sub/a"] {
        folder.nifti(&format!("all/{name}.nii.gz"), |i| i as u8);
    }
    slice("all/scout.dcm");
    slice("pictures/IM1");
    image::GrayImage::new(3, 2)
        .save(folder.path("pictures/photo.png"))
        .unwrap();
    slice("patient/topogram.dcm");
    slice("patient/series/1.dcm");
    let names_of = |declaration: &str| {
        let data = folder.open(declaration).unwrap();
        names(&data)
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let found = names_of(r#"Images(roots: ["ROOT/all"])"#);
    assert_eq!(found, ["a", "all", "b", "sub/a"]);
    let found = names_of(r#"Images(roots: ["ROOT/pictures", "ROOT/patient"])"#);
    let expected = [
        "patient/patient",
        "patient/series",
        "pictures/photo",
        "pictures/pictures",
    ];
    assert_eq!(found, expected);

    let known = |name: &str| {
        let path = folder.0.path().join(name);
        let names = known_files(&path).unwrap().into_keys().collect::<Vec<_>>();
        (formats::is_series(&path), names.join(" "))
    };
    assert_eq!(known("all"), (false, "a all b".into()));
    assert_eq!(known("pictures"), (false, "photo pictures".into()));
    assert_eq!(known("patient"), (false, "patient series".into()));
    assert_eq!(known("patient/series"), (true, "series".into()));
    // A disc is one scan for who names it, but in a tree its folders are.
    slice("disc/DICOM/S1/1");
    slice("disc/DICOM/S2/1");
    folder.text("disc/DICOMDIR", "");
    assert!(formats::is_series(&folder.0.path().join("disc")));
    let found = names_of(r#"Images(roots: ["ROOT/disc"])"#);
    assert_eq!(found, ["DICOM/S1", "DICOM/S2"]);
}
