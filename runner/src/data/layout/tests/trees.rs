//! Trees of unlabelled images.

use super::*;

fn kits_and_decathlon() -> Folder {
    let folder = Folder::new();
    for case in ["case_00000", "case_00001"] {
        folder.nifti(&format!("kits/{case}/imaging.nii.gz"), |i| i as u8);
        folder.nifti(&format!("kits/{case}/segmentation.nii.gz"), |i| {
            (i % 3) as u8
        });
    }
    folder.nifti("decathlon/imagesTr/x_001.nii.gz", |i| i as u8);
    folder.nifti("decathlon/labelsTr/x_001.nii.gz", |i| (i % 3) as u8);
    folder.nifti("decathlon/imagesTs/x_002.nii.gz", |i| i as u8);
    folder
}

#[test]
fn label_maps_among_unlabelled_images() {
    let folder = kits_and_decathlon();
    let data = folder
        .open(r#"Images(roots: ["ROOT/kits", "ROOT/decathlon"])"#)
        .unwrap();
    let scans = [
        "decathlon/imagesTr/x_001",
        "decathlon/imagesTs/x_002",
        "kits/case_00000/imaging",
        "kits/case_00001/imaging",
    ];
    assert_eq!(names(&data), scans);
    let [warning] = data.warnings() else {
        panic!("{:?}", data.warnings());
    };
    assert!(
        warning.starts_with("3 ") && warning.contains("segmentation.nii.gz"),
        "{warning}"
    );

    // A tree of nothing else.
    let message = folder.refused(r#"Images(roots: ["ROOT/decathlon"], exclude: ["imagesT?"])"#);
    assert!(message.contains("holds no images"), "{message}");
    // A root may be called as it likes.
    let data = folder
        .open(r#"Images(roots: ["ROOT/decathlon/labelsTr"])"#)
        .unwrap();
    assert_eq!(names(&data), ["x_001"]);
}

#[test]
fn label_maps_among_unlabelled_images_of_other_names() {
    let folder = Folder::new();
    let kept = ["ct/p1", "ct/old/p2", "mr/p3"];
    for scan in kept {
        folder.nifti(&format!("{scan}.nii.gz"), |i| i as u8);
    }
    for labels in [
        "ct/p1_seg",
        "ct/p1-label",
        "ct/p1.seg",
        "gt/p1",
        "mr/masks/p3",
    ] {
        folder.nifti(&format!("{labels}.nii.gz"), |i| (i % 2) as u8);
    }
    let open = |exclude: &str| {
        let data = folder.open(&format!(r#"Images(roots: ["ROOT"], exclude: [{exclude}])"#));
        let data = data.map_err(|e| e.to_string())?;
        let found: Vec<String> = names(&data).iter().map(|name| (*name).to_owned()).collect();
        Ok::<_, String>((found, data.warnings().join("\n")))
    };
    assert_eq!(open("").unwrap().0, ["ct/old/p2", "ct/p1", "mr/p3"]);
    // As in `.gitignore`.
    for (exclude, left) in [
        (r#""p1.*""#, vec!["ct/old/p2", "mr/p3"]),
        (r#""old""#, vec!["ct/p1", "mr/p3"]),
        (r#""old/""#, vec!["ct/p1", "mr/p3"]),
        (r#""/ct/*.nii.gz""#, vec!["ct/old/p2", "mr/p3"]),
        (r#""ct/**""#, vec!["mr/p3"]),
        (r#""*/p3.nii.gz", "p2*""#, vec!["ct/p1"]),
    ] {
        assert_eq!(open(exclude).unwrap().0, left, "{exclude}");
    }
    let (found, warnings) = open(r#""nothing*""#).unwrap();
    assert_eq!(found.len(), 3);
    assert!(warnings.contains("`nothing*` fits no file"), "{warnings}");
    assert!(open(r#""[a""#).unwrap_err().contains("exclude"));
}

#[cfg(unix)]
#[test]
fn folders_that_contain_themselves() {
    let folder = Folder::new();
    folder.nifti("root/b.nii.gz", |i| i as u8);
    folder.nifti("root/sub/a.nii.gz", |i| (i + 1) as u8);
    std::os::unix::fs::symlink(folder.path("root"), folder.path("root/sub/up")).unwrap();
    let data = folder.open(r#"Images(roots: ["ROOT/root"])"#).unwrap();
    assert_eq!(names(&data), ["b", "sub/a"]);
    assert_eq!(data.slices(Part::Unlabelled).len(), 4);
    // Nor is a folder that is named twice.
    let data = folder
        .open(r#"Images(roots: ["ROOT/root", "ROOT/root/sub"])"#)
        .unwrap();
    assert_eq!(names(&data), ["root/b", "root/sub/a"]);
    // Each root must hold something, the second too.
    fs::create_dir(folder.path("bare")).unwrap();
    let message = folder.refused(r#"Images(roots: ["ROOT/root", "ROOT/bare"])"#);
    assert!(
        message.contains("bare") && message.contains("holds no images"),
        "{message}"
    );
    // A link to a folder elsewhere is followed.
    folder.nifti("elsewhere/c.nii.gz", |i| i as u8);
    std::os::unix::fs::symlink(folder.path("elsewhere"), folder.path("root/more")).unwrap();
    let data = folder.open(r#"Images(roots: ["ROOT/root"])"#).unwrap();
    assert_eq!(names(&data), ["b", "more/c", "sub/a"]);
}
