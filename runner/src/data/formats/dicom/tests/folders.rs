//! What lies in folders of slices, and beside them.

use super::*;

/// A series of three slices in `folder`, called I0, I1 and I2 with this ending.
fn series(folder: &Path, ending: &str) {
    std::fs::create_dir_all(folder).unwrap();
    for k in 0..3 {
        write(folder, &format!("I{k}{ending}"), slice(2.0 * f64::from(k)));
    }
}

fn with(mut object: InMemDicomObject, tag: Tag, vr: VR, value: &str) -> InMemDicomObject {
    object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    object
}

const MODALITY: Tag = Tag(0x0008, 0x0060);
const NUMBER: Tag = Tag(0x0020, 0x0011);
const DESCRIPTION: Tag = Tag(0x0008, 0x103e);

#[test]
fn dicom_folders_with_something_else_in_them() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = |name: &str| scratch.path().join(name);
    series(&folder("plain"), ".dcm");
    let want = read_folder(&folder("plain")).unwrap().voxels;

    series(&folder("apple"), ".dcm");
    let apple = [b"\0\x05\x16\x07".as_slice(), &[b'x'; 200]].concat();
    std::fs::write(folder("apple").join("._I0.dcm"), apple).unwrap();

    series(&folder("ima"), ".IMA");

    series(&folder("dose"), ".dcm");
    let dose = with(slice(0.0), MODALITY, VR::CS, "RTDOSE");
    let dose = with(dose, Tag(0x0028, 0x0008), VR::IS, "7");
    write(
        &folder("dose"),
        "dose.dcm",
        with(dose, SERIES, VR::UI, "1.2.9"),
    );

    series(&folder("disc/DICOM/S1"), "");
    let mut contents = InMemDicomObject::new_empty();
    contents = with(
        contents,
        Tag(0x0008, 0x0016),
        VR::UI,
        "1.2.840.10008.1.3.10",
    );
    contents = with(contents, Tag(0x0008, 0x0018), VR::UI, "1.2.3");
    write(&folder("disc"), "DICOMDIR", contents);

    // Without the file meta information, or with it alone.
    for (name, from) in [("bare", None), ("meta", Some(132)), ("mark", Some(128))] {
        series(&folder(name), ".dcm");
        for k in 0..3 {
            let path = folder(name).join(format!("I{k}.dcm"));
            let bytes = std::fs::read(&path).unwrap();
            let length = bytes[140..144]
                .iter()
                .rev()
                .fold(0, |n, b| n << 8 | usize::from(*b));
            let from = from.unwrap_or(144 + length);
            std::fs::write(&path, &bytes[from..]).unwrap();
        }
    }
    let implicit = dicom_transfer_syntax_registry::entries::IMPLICIT_VR_LITTLE_ENDIAN.erased();
    std::fs::create_dir(folder("implicit")).unwrap();
    for k in 0..3 {
        let path = folder("implicit").join(format!("I{k}.dcm"));
        let file = std::fs::File::create(path).unwrap();
        slice(2.0 * f64::from(k))
            .write_dataset_with_ts(file, &implicit)
            .unwrap();
    }

    for name in [
        "apple", "ima", "dose", "disc", "bare", "meta", "mark", "implicit",
    ] {
        let volume = read_folder(&folder(name)).unwrap();
        assert_eq!(
            (volume.grid.shape, &volume.voxels),
            ([3, 2, 3], &want),
            "{name}"
        );
        assert_eq!(scan_name(&folder(name)).as_deref(), Some(name));
        assert!(is_series(&folder(name)), "{name}");
        assert_eq!(files(&folder(name)).unwrap().len(), 3);
    }
    // Slices by themselves.
    let one = read_folder(&folder("ima").join("I0.IMA")).unwrap();
    assert_eq!(one.grid.shape, [3, 2, 1]);
    let one = read_folder(&folder("disc/DICOM/S1/I0")).unwrap();
    assert_eq!(one.grid.shape, [3, 2, 1]);

    // What is not DICOM says so, and a dose is no scan.
    std::fs::write(folder("plain").join("x.dcm"), [b'x'; 300]).unwrap();
    let message = read_folder(&folder("plain")).unwrap_err().to_string();
    assert!(
        message.contains("no `DICM`") && message.contains("x.dcm"),
        "{message}"
    );
    std::fs::create_dir(folder("doses")).unwrap();
    std::fs::rename(
        folder("dose").join("dose.dcm"),
        folder("doses").join("dose.dcm"),
    )
    .unwrap();
    assert_eq!(scan_name(&folder("doses")), None);
}

#[test]
fn one_of_several_series_is_chosen_by_number_or_uid() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (uid, number, description, slices) in [
        ("1.2.3", "2", "Thorax 5.0", 3),
        ("1.2.4", "7", "Lung 1.0", 2),
        ("1.2.5", "7", "", 1),
    ] {
        for k in 0..slices {
            let object = with(slice(2.0 * f64::from(k)), SERIES, VR::UI, uid);
            let object = with(object, NUMBER, VR::IS, number);
            let object = with(object, DESCRIPTION, VR::LO, description);
            write(path, &format!("{uid}.{k}"), object);
        }
    }
    let message = read_folder(path).unwrap_err().to_string();
    for part in [
        "holds 3 series",
        "--series",
        "number 2, `Thorax 5.0`, 3 slices, UID 1.2.3",
        "number 7, `Lung 1.0`, 2 slices, UID 1.2.4",
    ] {
        assert!(message.contains(part), "{part}: {message}");
    }
    for (choice, slices) in [("2", 3), ("02", 3), ("1.2.4", 2), ("1.2.5", 1)] {
        let scan = scan(path, Some(choice)).unwrap();
        let volume = scan.read_image(Arrays::default()).unwrap();
        assert_eq!(volume.grid.shape, [3, 2, slices], "{choice}");
        assert_eq!(scan.read_grid(Arrays::default()).unwrap(), volume.grid);
        assert_eq!(scan.files().unwrap().len(), slices);
    }
    for (choice, expected) in [
        ("7", "by its UID"),
        ("3", "no series"),
        ("1.2", "no series"),
    ] {
        let scan = scan(path, Some(choice)).unwrap();
        let message = scan.read_image(Arrays::default()).unwrap_err().to_string();
        assert!(message.contains(expected), "{choice}: {message}");
        assert!(message.contains("Thorax"), "{message}");
    }
    let refused = scan(&path.join("a.nii.gz"), Some("2"))
        .unwrap_err()
        .to_string();
    assert!(refused.contains("--series"), "{refused}");
    assert_eq!(scan(path, None).unwrap(), Scan::File(path.to_owned()));
}
