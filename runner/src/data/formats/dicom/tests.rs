#![allow(clippy::unwrap_used)]

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, dicom_value};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use samora_engine::random::Stream;

use super::super::{Arrays, Scan, files, is_series, read_grid, read_image, scan, scan_name};
use super::*;

mod folders;

const IMAGE_POSITION: Tag = Tag(0x0020, 0x0032);
const ROWS: Tag = Tag(0x0028, 0x0010);
const SERIES: Tag = Tag(0x0020, 0x000e);

/// An axial slice of 3×2 pixels of twelve bits, whose fields can be changed.
fn slice(z: f64) -> InMemDicomObject {
    let mut object = InMemDicomObject::new_empty();
    let mut text = |group, element, vr, value: &str| {
        object.put(DataElement::new(
            Tag(group, element),
            vr,
            PrimitiveValue::from(value),
        ));
    };
    text(0x0008, 0x0016, VR::UI, "1.2.840.10008.5.1.4.1.1.2");
    text(0x0008, 0x0018, VR::UI, &format!("1.2.{}", z.to_bits()));
    text(0x0008, 0x0060, VR::CS, "CT");
    text(0x0018, 0x0050, VR::DS, "5");
    text(0x0020, 0x000e, VR::UI, "1.2.3");
    text(0x0020, 0x0032, VR::DS, &format!("-10\\-20\\{z}"));
    text(0x0020, 0x0037, VR::DS, "1\\0\\0\\0\\1\\0");
    text(0x0028, 0x0004, VR::CS, "MONOCHROME2");
    text(0x0028, 0x0030, VR::DS, "0.75\\0.5");
    text(0x0028, 0x1052, VR::DS, "-1000");
    text(0x0028, 0x1053, VR::DS, "2");
    for (element, value) in [
        (0x0002, 1_u16),
        (0x0010, 2),
        (0x0011, 3),
        (0x0100, 16),
        (0x0101, 12),
        (0x0102, 11),
        (0x0103, 1),
    ] {
        let value = PrimitiveValue::from(value);
        object.put(DataElement::new(Tag(0x0028, element), VR::US, value));
    }
    // −1 in twelve bits below rubbish, then 0, 1, 2, 3 and the slice's place.
    let pixels = dicom_value!(U16, [0xafff, 0, 1, 2, 3, z as u16]);
    object.put(DataElement::new(PIXELS, VR::OW, pixels));
    object
}

const PIXELS: Tag = Tag(0x7fe0, 0x0010);

fn write(folder: &Path, name: &str, object: InMemDicomObject) -> PathBuf {
    let path = folder.join(name);
    let meta = FileMetaTableBuilder::new().transfer_syntax("1.2.840.10008.1.2.1");
    let file = object.with_meta(meta).unwrap();
    file.write_to_file(&path).unwrap();
    path
}

fn read_folder(folder: &Path) -> Result<crate::data::volume::Volume<f32>> {
    read_image(folder, Arrays::default())
}

#[test]
fn slices_are_ordered_by_position_and_rescaled() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("case");
    std::fs::create_dir(&folder).unwrap();
    for (name, z) in [("a.dcm", 6.0), ("IM0001", 2.0), ("1.2.840.7", 4.0)] {
        write(&folder, name, slice(z));
    }
    // What else lies in such folders is passed over.
    std::fs::write(folder.join("notes.txt"), "DICM").unwrap();
    std::fs::write(folder.join("LOCKFILE"), "").unwrap();
    let mut report = slice(2.0);
    report.remove_element(IMAGE_POSITION);
    write(&folder, "report.dcm", report);

    assert_eq!(scan_name(&folder).as_deref(), Some("case"));
    assert_eq!(scan_name(scratch.path()), None);
    let volume = read_folder(&folder).unwrap();
    let grid = &volume.grid;
    assert_eq!(grid.orientation.codes(), "LPS");
    assert_eq!(grid.shape, [3, 2, 3]);
    assert_eq!(grid.spacing_mm, [0.5, 0.75, 2.0]);
    assert_eq!(
        [0, 1, 2].map(|r| grid.stored_affine[r][3]),
        [10.0, 20.0, 2.0]
    );
    let stored = volume.to_stored();
    assert_eq!(
        stored[..6],
        [-1002.0, -1000.0, -998.0, -996.0, -994.0, -996.0]
    );
    assert_eq!([stored[11], stored[17]], [-992.0, -988.0]);
    assert_eq!(read_grid(&folder, Arrays::default()).unwrap(), volume.grid);
    let names = files(&folder).unwrap();
    let names: Vec<_> = names.iter().map(|p| p.file_name().unwrap()).collect();
    assert_eq!(names, ["IM0001", "1.2.840.7", "a.dcm"]);

    let one = read_folder(&folder.join("a.dcm")).unwrap();
    assert_eq!(one.grid.shape, [3, 2, 1]);
    assert_eq!(one.grid.spacing_mm, [0.5, 0.75, 5.0]);
}

#[test]
fn what_is_not_one_even_scan_is_refused() {
    let text = |tag, vr, value: &str| DataElement::new(tag, vr, PrimitiveValue::from(value));
    let number = |tag, value: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(value));
    let sequence = DataElement::new(
        Tag(0x5200, 0x9230),
        VR::SQ,
        dicom_core::value::DataSetSequence::<InMemDicomObject>::empty(),
    );
    let mut frames = slice(8.0);
    frames.remove_element(IMAGE_POSITION);
    frames.put(sequence);
    let with = |z, element| {
        let mut object = slice(z);
        object.put(element);
        object
    };
    let other = [
        (slice(12.0), "lies 6.00 mm from"),
        (slice(6.0), "several phases"),
        (with(8.0, text(SERIES, VR::UI, "1.2.4")), "holds 2 series"),
        (with(8.0, number(ROWS, 3)), "Rows"),
        (
            with(8.0, text(Tag(0x0020, 0x0037), VR::DS, "1\\0\\0\\0\\0\\1")),
            "ImageOrientationPatient",
        ),
        (
            with(8.0, text(Tag(0x0028, 0x0030), VR::DS, "0.75\\0.6")),
            "PixelSpacing",
        ),
        (
            with(8.0, text(IMAGE_POSITION, VR::DS, "-10\\-20")),
            "2 numbers instead of 3",
        ),
        (
            with(8.0, text(IMAGE_POSITION, VR::DS, "-14\\-20\\8")),
            "beside the line",
        ),
        (with(8.0, number(Tag(0x0028, 0x0101), 17)), "BitsStored"),
        (
            with(
                8.0,
                DataElement::new(PIXELS, VR::OW, dicom_value!(U16, [1])),
            ),
            "truncated",
        ),
        (frames, "NumberOfFrames"),
    ];
    for (object, expected) in other {
        let folder = tempfile::tempdir().unwrap();
        for (name, z) in [("1.dcm", 2.0), ("2.dcm", 4.0), ("3.dcm", 6.0)] {
            write(folder.path(), name, slice(z));
        }
        write(folder.path(), "x.dcm", object);
        let message = read_folder(folder.path()).unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.dcm");
    std::fs::write(&path, "not DICOM").unwrap();
    let message = read_folder(&path).unwrap_err().to_string();
    assert!(message.contains("cannot be read as DICOM"), "{message}");
    let mut report = slice(2.0);
    report.remove_element(IMAGE_POSITION);
    let path = write(folder.path(), "report.dcm", report);
    let message = read_folder(&path).unwrap_err().to_string();
    assert!(message.contains("no DICOM image"), "{message}");
}

/// The parser would make room for what is claimed.
#[test]
fn values_longer_than_their_file_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut object = slice(2.0);
    let text = PrimitiveValue::from("remark");
    object.put(DataElement::new(Tag(0x0040, 0xa160), VR::UT, text));
    let path = write(folder.path(), "a.dcm", object);
    let whole = std::fs::read(&path).unwrap();
    for (element, expected) in [
        (
            &b"\x40\x00\x60\xa1UT\0\0"[..],
            "element (0040,A160) claims 2147483632 bytes",
        ),
        (
            b"\x02\x00\x01\x00OB\0\0",
            "element (0002,0001) claims 2147483632 bytes",
        ),
    ] {
        let mut bytes = whole.clone();
        let mut places = bytes.windows(element.len());
        let at = places.position(|place| place == element).unwrap() + element.len();
        bytes[at..at + 4].copy_from_slice(&0x7fff_fff0_u32.to_le_bytes());
        std::fs::write(&path, &bytes).unwrap();
        let message = read_folder(&path).unwrap_err().to_string();
        assert!(message.contains(expected), "{expected}: {message}");
    }
}

/// The parser would take what is left of the number for the next element.
#[test]
fn parts_of_numbers_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "a.dcm", slice(2.0));
    let mut bytes = std::fs::read(&path).unwrap();
    let rows = b"\x28\x00\x10\x00US";
    let mut places = bytes.windows(rows.len());
    let at = places.position(|place| place == rows).unwrap() + rows.len();
    bytes[at] = 1;
    std::fs::write(&path, &bytes).unwrap();
    let message = read_folder(&path).unwrap_err().to_string();
    let expected = "element (0028,0010) claims 1 bytes of numbers of 2 bytes";
    assert!(message.contains(expected), "{message}");
}

/// The pixels that `tests/reference/dicom.py` has compressed.
fn compressed() -> Vec<i32> {
    let pixel = |r: i32, c: i32| match (r, c) {
        (3, 8) => -32768,
        (3, 9) => 32767,
        (34.., _) | (_, ..6) => -1000,
        _ => 40 * ((13 * r + 29 * c) % 61) - 900 + 7 * r,
    };
    (0..41 * 37).map(|i| pixel(i / 37, i % 37)).collect()
}

/// A file, what it stores of a pixel, and how far off that may be.
type Compressed = (&'static str, fn(i32) -> i32, i32);

const COMPRESSED: [Compressed; 6] = [
    ("jpeg_2000_signed", |pixel| pixel, 0),
    ("jpeg_2000_twelve", |pixel| (pixel + 1024).clamp(0, 4095), 0),
    ("jpeg_ls_signed", |pixel| pixel, 0),
    ("jpeg_ls_twelve", |pixel| (pixel + 1024).clamp(0, 4095), 0),
    (
        "jpeg_ls_eight",
        |pixel| (pixel.div_euclid(8) + 128).clamp(0, 255),
        0,
    ),
    ("jpeg_ls_near", |pixel| (pixel + 1024).clamp(0, 4095), 3),
];

fn fixture(name: &str) -> PathBuf {
    let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/dicom");
    Path::new(fixtures).join(name).with_extension("dcm")
}

#[test]
fn jpeg_2000_and_jpeg_ls_are_decoded_as_written() {
    for (name, stored, tolerance) in COMPRESSED {
        let volume = read_image(&fixture(name), Arrays::default()).unwrap();
        assert_eq!(volume.grid.shape, [37, 41, 1]);
        for (found, pixel) in volume.to_stored().into_iter().zip(compressed()) {
            let off = found as i32 - stored(pixel);
            assert!(
                off.abs() <= tolerance,
                "{name}: {found}, not {}",
                stored(pixel)
            );
        }
    }
}

#[test]
fn damaged_files_are_errors_or_volumes() {
    let folder = tempfile::tempdir().unwrap();
    let plain = write(folder.path(), "a.dcm", slice(2.0));
    for path in [plain]
        .into_iter()
        .chain(COMPRESSED.map(|(name, ..)| fixture(name)))
    {
        damage(&path, &folder.path().join("b.dcm"));
    }
}

fn damage(whole: &Path, path: &Path) {
    let whole = std::fs::read(whole).unwrap();
    let mut random = Stream::named(1, "damage").at(0);
    let mut refused = 0;
    for _ in 0..300 {
        std::fs::write(path, damaged(&whole, &mut random)).unwrap();
        match read_folder(path) {
            Ok(volume) => assert!(!volume.voxels.is_empty()),
            Err(error) => {
                let message = error.to_string();
                assert!(message.contains("b.dcm"), "{message}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

/// Some bytes changed, and most of the time an end cut off.
fn damaged(whole: &[u8], random: &mut Stream) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = random.below(bytes.len());
        bytes[at] = random.below(256) as u8;
    }
    bytes.truncate(bytes.len() - random.below(3) * random.below(bytes.len() / 2));
    bytes
}

/// Without what catches the panics of decoders.
#[test]
fn damaged_jpeg_ls_is_an_error_or_a_picture() {
    let mut random = Stream::named(2, "damage").at(0);
    for (name, ..) in COMPRESSED
        .iter()
        .filter(|(name, ..)| name.contains("jpeg_ls"))
    {
        let file = std::fs::read(fixture(name)).unwrap();
        let start = file
            .windows(4)
            .position(|bytes| bytes == b"\xff\xd8\xff\xf7");
        let mut refused = 0;
        for _ in 0..300 {
            let bytes = damaged(&file[start.unwrap()..], &mut random);
            match jpeg_ls::decode(&bytes, 37, 41) {
                Ok(picture) => assert!(!picture.is_empty()),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > 50, "{name}: {refused}");
    }
}
