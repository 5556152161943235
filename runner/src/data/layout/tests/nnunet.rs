//! nnU-Net's names, channels and labels.

use super::*;
use crate::data::decode;
use crate::data::survey::survey;

const JSON: &str = r#"{"labels": {"0": "background", "1": "one", "2": "two"}}"#;

fn declared(channel: usize) -> String {
    format!(
        r#"NnUnet(root: "ROOT", classes: ["one", "two"], channel: {channel}, intensity: ZScore)"#
    )
}

/// A file of 3×2×2 voxels with `channels` values each: channel c holds 100·c and the index of the voxel.
fn four_d(folder: &Folder, name: &str, channels: u8) {
    folder.nifti(name, |i| i as u8);
    let path = folder.path(name);
    let mut bytes = fs::read(&path).unwrap();
    bytes[40..42].copy_from_slice(&4_i16.to_le_bytes());
    bytes[48..50].copy_from_slice(&i16::from(channels).to_le_bytes());
    bytes.truncate(352);
    bytes.extend((0..channels).flat_map(|c| (0..12).map(move |i| 100 * c + i)));
    fs::write(path, bytes).unwrap();
}

/// Why the image of the first case cannot be used.
fn unreadable(folder: &Folder, declared: &str) -> String {
    let data = folder.open(declared).unwrap();
    let image = data.image(0).map(drop).unwrap_err().to_string();
    assert_eq!(data.unreadable(0).unwrap().to_string(), image);
    image
}

#[test]
fn case_names_that_end_in_four_digits() {
    for cases in [
        ["amos_0001", "amos_0004", "amos_0005"],
        ["case_0000", "case_2019", "case_2020"],
    ] {
        let folder = Folder::new();
        folder.text("dataset.json", JSON);
        for (number, case) in cases.iter().enumerate() {
            folder.nifti(&format!("imagesTr/{case}.nii.gz"), |i| (i + number) as u8);
            folder.nifti(&format!("labelsTr/{case}.nii.gz"), |i| {
                u8::from(i == number)
            });
        }
        let data = folder.open(&declared(0)).unwrap();
        assert_eq!(names(&data), cases);
        for case in 0..3 {
            assert_eq!(data.label(case).unwrap().voxels[case], 1, "{cases:?}");
        }
        let scans = scans_in(&folder.path("imagesTr"), data.source()).unwrap();
        assert_eq!(scans.into_keys().collect::<Vec<_>>(), cases);
    }
}

/// `Task04_Hippocampus` as it is unpacked, classes called in any letters.
#[test]
fn case_names_of_the_decathlon() {
    let folder = Folder::new();
    folder.text("dataset.json", &JSON.replace("one", "One"));
    for case in ["hippocampus_001", "hippocampus_003", "._hippocampus_003"] {
        folder.nifti(&format!("imagesTr/{case}.nii.gz"), |i| i as u8);
        folder.nifti(&format!("labelsTr/{case}.nii.gz"), |i| (i % 3) as u8);
    }
    let data = folder.open(&declared(0)).unwrap();
    assert_eq!(names(&data), ["hippocampus_001", "hippocampus_003"]);
}

#[test]
fn decathlon_files_of_several_channels() {
    let folder = Folder::new();
    folder.text("dataset.json", JSON);
    for case in ["prostate_00", "prostate_01"] {
        four_d(&folder, &format!("imagesTr/{case}.nii"), 2);
        folder.nifti(&format!("labelsTr/{case}.nii"), |i| (i % 3) as u8);
    }
    let scan = Scan::File(folder.path("imagesTr/prostate_00.nii"));
    for channel in 0..2 {
        let data = folder.open(&declared(channel)).unwrap();
        assert_eq!(names(&data), ["prostate_00", "prostate_01"]);
        assert_eq!(data.grid(0).unwrap().shape, [3, 2, 2]);
        let stored = data.stored_image(0).unwrap();
        let wanted: Vec<f32> = (0..12).map(|i| (100 * channel + i) as f32).collect();
        assert_eq!(stored.voxels, wanted);
        let found = survey(&data);
        assert!(!found.has_problems(), "{found}");
        assert_eq!(found.cases[0].facts.intensity.0, 100.0 * channel as f32);
        // `predict` reads the same channel, and slices on the disk are of it.
        assert_eq!(
            decode::scan(&scan, data.source()).unwrap().voxels,
            data.image(0).unwrap().voxels
        );
        let cached = folder.open_in(&declared(channel), 0).unwrap();
        let cached = cached.with_disk_cache(&folder.path("cache"));
        let id = SliceId { case: 0, index: 1 };
        assert_eq!(
            cached.image_slice(id).unwrap(),
            data.image_slice(id).unwrap()
        );
    }
    let message = unreadable(&folder, &declared(2));
    assert!(
        message.contains("prostate_00.nii") && message.contains("no channel 2"),
        "{message}"
    );

    // A label map of the scan is one volume.
    let labels =
        formats::read_labels(&folder.path("labelsTr/prostate_00.nii"), Default::default()).unwrap();
    let out = folder.path("out.nii");
    formats::write_labels_like(scan.path(), &labels, &out).unwrap();
    assert_eq!(
        formats::read_labels(&out, Default::default()).unwrap(),
        Volume {
            path: out,
            ..labels
        }
    );

    // Elsewhere the file is refused, saying where it can be read.
    folder.path("plain/a");
    fs::copy(scan.path(), folder.path("plain/a.nii")).unwrap();
    let message = unreadable(&folder, r#"Images(roots: ["ROOT/plain"])"#);
    assert!(
        message.contains("not a slice or a volume") && message.contains("channel"),
        "{message}"
    );
}

#[test]
fn decathlon_files_of_one_channel_have_no_other() {
    let folder = Folder::new();
    folder.text("dataset.json", JSON);
    folder.nifti("imagesTr/a.nii", |i| i as u8);
    folder.nifti("labelsTr/a.nii", |i| (i % 3) as u8);
    assert!(folder.open(&declared(0)).is_ok());
    let message = unreadable(&folder, &declared(1));
    assert!(
        message.contains("a.nii") && message.contains("no channel 1"),
        "{message}"
    );
}

#[test]
fn nnunet_ignore_label() {
    let folder = Folder::new();
    folder.text(
        "dataset.json",
        r#"{"labels": {"background": 0, "one": 1, "two": 2, "ignore": 3}}"#,
    );
    folder.nifti("imagesTr/a_0000.nii", |i| i as u8);
    folder.nifti("labelsTr/a.nii", |i| (i % 4) as u8);
    let nnunet = declared(0);
    for classes in [
        nnunet.clone(),
        nnunet.replace(r#""two""#, r#""two", "ignore""#),
    ] {
        let message = folder.refused(&classes);
        for part in [
            "dataset.json",
            "`ignore`",
            "not annotated",
            "loss",
            "scores",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
}

/// What `predict` makes of `imagesTs` is called as the labels are, and each scan counts once.
#[test]
fn nnunet_names_from_predict_to_eval() {
    let found = |files: &[&str], channel: usize| {
        let folder = Folder::new();
        for file in files {
            folder.nifti(&format!("imagesTs/{file}.nii.gz"), |i| i as u8);
        }
        let text = declared(channel).replace("ROOT", "nowhere");
        let source: Source = ron::from_str(&text).unwrap();
        let scans = scans_in(&folder.path("imagesTs"), &source);
        let scans = scans.map_err(|e| e.to_string())?;
        let file = |path: &PathBuf| formats::scan_name(path).unwrap();
        Ok(scans
            .iter()
            .map(|(name, path)| format!("{name} {}", file(path)))
            .collect())
    };
    let of = |files: &[&str], channel| -> Vec<String> {
        let found: Result<_, String> = found(files, channel);
        found.unwrap()
    };
    let two = ["case_0000", "case_0001"];
    assert_eq!(of(&two, 0), ["case case_0000"]);
    assert_eq!(of(&two, 1), ["case case_0001"]);
    // Only the files of one channel were copied.
    assert_eq!(of(&["a_0001", "b_0001"], 1), ["a a_0001", "b b_0001"]);
    assert_eq!(of(&["a_0000", "b_0000"], 0), ["a a_0000", "b b_0000"]);
    // Names, not channels.
    assert_eq!(
        of(&["amos_0004", "amos_0005"], 0),
        ["amos_0004 amos_0004", "amos_0005 amos_0005"]
    );
    assert_eq!(of(&["la", "la_0000"], 0), ["la la", "la_0000 la_0000"]);
    let alone = |name: &str, channel: usize| {
        let source: Source = ron::from_str(&declared(channel)).unwrap();
        scan_name(&PathBuf::from(format!("{name}.nii.gz")), &source).unwrap()
    };
    for (file, channel, name) in [
        ("case_0000", 0, "case"),
        ("case_0001", 1, "case"),
        ("amos_0004", 0, "amos_0004"),
        ("case_000", 0, "case_000"),
        ("case", 0, "case"),
    ] {
        assert_eq!(alone(file, channel), name);
        assert_eq!(of(&[file], channel), [format!("{name} {file}")]);
    }
    let lacks: Result<Vec<String>, String> = found(&["a_0000", "a_0001", "b_0000"], 1);
    let message = lacks.unwrap_err();
    assert!(
        message.contains("b_0001.nii.gz") && message.contains("1 of its scans"),
        "{message}"
    );
}
