//! Images and labels that are not called alike.

use super::*;

fn paired(folder: &Folder, more: &str) -> Result<Vec<String>, String> {
    let declared = format!(
        r#"Folder(images: "ROOT/images", labels: Some("ROOT/labels"), classes: ["one"]{more})"#
    );
    let data = folder.open(&declared).map_err(|e| e.to_string())?;
    assert!(data.cases().iter().all(|case| case.label.is_some()));
    Ok(names(&data).iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn names_of_labels_in_public_data_sets() {
    let lits = Folder::new();
    for n in [0, 1, 2, 10] {
        lits.nifti(&format!("images/volume-{n}.nii"), |i| i as u8);
        lits.nifti(&format!("labels/segmentation-{n}.nii"), |_| 1);
    }
    assert_eq!(
        paired(&lits, "").unwrap(),
        ["volume-0", "volume-1", "volume-10", "volume-2"]
    );
    let names = r#", names: Some(("volume-*", "segmentation-*"))"#;
    assert_eq!(paired(&lits, names).unwrap(), ["0", "1", "10", "2"]);
    for ending in ["_gt", "-label", "_seg", "_mask", "_Segmentation", ".seg"] {
        let folder = Folder::new();
        folder.nifti("images/p1.nii.gz", |i| i as u8);
        folder.nifti(&format!("labels/p1{ending}.nii.gz"), |_| 1);
        assert_eq!(paired(&folder, "").unwrap(), ["p1"], "{ending}");
    }
}

#[test]
fn names_of_labels_that_nobody_knows_are_declared() {
    let folder = Folder::new();
    folder.nifti("images/p1_t2.nii.gz", |i| i as u8);
    folder.nifti("images/p1_t1.nii.gz", |i| i as u8);
    folder.nifti("labels/p1_manual.nii.gz", |_| 1);
    let message = paired(&folder, "").unwrap_err();
    assert!(
        message.contains("p1_manual.nii.gz") && message.contains("names: "),
        "{message}"
    );
    let names = |image: &str, label: &str| format!(r#", names: Some(("{image}", "{label}"))"#);
    assert_eq!(paired(&folder, &names("*_t2", "*_manual")).unwrap(), ["p1"]);
    let message = paired(&folder, &names("*_t2", "manual")).unwrap_err();
    assert!(message.contains("one `*`"), "{message}");
    let message = paired(&folder, &names("*_flair", "*_manual")).unwrap_err();
    assert!(message.contains("images"), "{message}");

    // Two label maps of one image.
    folder.nifti("labels/p1_t2_gt.nii.gz", |_| 1);
    folder.nifti("labels/p1_t2_seg.nii.gz", |_| 1);
    fs::remove_file(folder.path("labels/p1_manual.nii.gz")).unwrap();
    let message = paired(&folder, "").unwrap_err();
    assert!(
        message.contains("p1_t2_gt") && message.contains("p1_t2_seg"),
        "{message}"
    );
}

#[test]
fn names_of_labels_in_the_folder_of_the_images() {
    let folder = Folder::new();
    for case in ["p1", "p2"] {
        folder.nifti(&format!("all/{case}.nii.gz"), |i| i as u8);
        folder.nifti(&format!("all/{case}_seg.nii.gz"), |_| 1);
    }
    for more in ["", r#", names: Some(("*", "*_seg"))"#] {
        let declared = format!(
            r#"Folder(images: "ROOT/all", labels: Some("ROOT/all"), classes: ["one"]{more})"#
        );
        let data = folder.open(&declared).unwrap();
        assert_eq!(names(&data), ["p1", "p2"]);
        assert_eq!(data.label(1).unwrap().voxels, [1; 12]);
    }
}

#[test]
fn segmentations_of_3d_slicer() {
    let folder = Folder::new();
    for case in ["a", "b"] {
        fs::write(folder.path(&format!("images/{case}.nrrd")), nrrd([9; 12])).unwrap();
        fs::write(
            folder.path(&format!("labels/{case}.seg.nrrd")),
            nrrd([1; 12]),
        )
        .unwrap();
    }
    assert_eq!(paired(&folder, "").unwrap(), ["a", "b"]);
}

#[test]
fn byte_order_marks() {
    let folder = Folder::new();
    for case in ["a", "b", "c"] {
        folder.nifti(&format!("images/{case}.nii"), |i| i as u8);
        folder.nifti(&format!("labels/{case}.nii"), |_| 1);
        folder.nifti(&format!("nnunet/imagesTr/{case}_0000.nii"), |i| i as u8);
        folder.nifti(&format!("nnunet/labelsTr/{case}.nii"), |_| 1);
    }
    folder.text("train.txt", "\u{feff}a\r\nb\r\n");
    folder.text("test.txt", "\u{feff}c\r\n");
    folder.text("labelled.txt", "\u{feff}b_slice001\r\n");
    let declared = r#"Folder(
        images: "ROOT/images", labels: Some("ROOT/labels"), classes: ["one"],
        split: Lists(train: "ROOT/train.txt", test: "ROOT/test.txt"), labelled: List("ROOT/labelled.txt"),
    )"#;
    let data = folder.open(declared).unwrap();
    let division = data.division();
    assert_eq!((&division.train, &division.test), (&vec![0, 1], &vec![2]));
    assert_eq!(data.slices(Part::Labelled), [SliceId { case: 1, index: 1 }]);

    folder.text(
        "nnunet/dataset.json",
        "\u{feff}{\"labels\": {\"background\": 0, \"one\": 1}}",
    );
    let data = folder
        .open(r#"NnUnet(root: "ROOT/nnunet", classes: ["one"])"#)
        .unwrap();
    assert_eq!(names(&data), ["a", "b", "c"]);

    // Headers of text.
    let nhdr = "\u{feff}NRRD0004\ntype: uchar\ndimension: 3\nsizes: 3 2 2\nencoding: raw\ndata file: a.raw\n";
    let mhd =
        "\u{feff}NDims = 3\nDimSize = 3 2 2\nElementType = MET_UCHAR\nElementDataFile = a.raw\n";
    folder.text("images/d.nhdr", nhdr);
    folder.text("images/e.mhd", mhd);
    fs::write(folder.path("images/a.raw"), [7; 12]).unwrap();
    for name in ["images/d.nhdr", "images/e.mhd"] {
        let image = formats::read_image(&folder.path(name), Default::default()).unwrap();
        assert_eq!(image.voxels, [7.0; 12]);
    }
}
