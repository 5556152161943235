#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::formats::{Arrays, read_image as read_image_as, read_labels as read_labels_as};
use crate::data::volume::Grid;
use nifti::NiftiType;
use samora_engine::random::Stream;
use std::path::PathBuf;

mod places;

const LPS: [[f64; 4]; 4] = [
    [-0.7, 0.01, 0.0, 11.25],
    [0.02, -0.7, 0.0, -3.5],
    [0.0, 0.0, 2.5, 100.125],
    [0.0, 0.0, 0.0, 1.0],
];

fn header(kind: NiftiType, slope: f32, intercept: f32) -> Vec<u8> {
    let grid = Grid::from_stored([3, 2, 2], LPS).unwrap();
    let mut raw = write::fresh_header::<u8>(&grid, 1.0);
    raw[70..72].copy_from_slice(&(kind as i16).to_le_bytes());
    raw[112..116].copy_from_slice(&slope.to_le_bytes());
    raw[116..120].copy_from_slice(&intercept.to_le_bytes());
    raw
}

fn file(folder: &tempfile::TempDir, header: &[u8], voxels: &[u8]) -> PathBuf {
    let path = folder.path().join("case.0001.nii");
    let bytes = [header, &[0; 4], voxels].concat();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn read_image(path: &Path) -> Result<Volume<f32>> {
    read_image_as(path, Arrays::default())
}

fn read_labels(path: &Path) -> Result<Volume<u8>> {
    read_labels_as(path, Arrays::default())
}

fn error_of<T>(result: Result<T>) -> String {
    result.map(drop).unwrap_err().to_string()
}

#[test]
fn applies_slope_and_intercept_and_reorients() {
    let folder = tempfile::tempdir().unwrap();
    let voxels: Vec<u8> = (0..12_i16).flat_map(i16::to_le_bytes).collect();
    let path = file(&folder, &header(NiftiType::Int16, 0.5, -1024.0), &voxels);
    let volume = read_image(&path).unwrap();
    assert_eq!(volume.grid.orientation.codes(), "LPS");
    // Canonical (0,0,0) is the last voxel of the first stored plane.
    assert_eq!(volume.voxels[0], 5.0 * 0.5 - 1024.0);
    assert_eq!(volume.voxels[11], 6.0 * 0.5 - 1024.0);
}

#[test]
fn reads_big_endian() {
    let folder = tempfile::tempdir().unwrap();
    let mut raw = header(NiftiType::Float32, 1.0, 0.0);
    raw[..4].reverse();
    for offset in (40..56).chain(252..256).step_by(2).chain([70, 72]) {
        raw[offset..offset + 2].reverse();
    }
    for offset in (76..120).chain(256..328).step_by(4) {
        raw[offset..offset + 4].reverse();
    }
    let voxels: Vec<u8> = (0..12).flat_map(|v| (v as f32).to_be_bytes()).collect();
    let volume = read_image(&file(&folder, &raw, &voxels)).unwrap();
    assert_eq!(volume.voxels[0], 5.0);
    assert!((volume.grid.affine[2][3] - 100.125).abs() < 1e-6);
}

#[test]
fn labels_return_in_the_reference_header() {
    let folder = tempfile::tempdir().unwrap();
    let voxels: Vec<u8> = (0..12_i16).flat_map(i16::to_le_bytes).collect();
    let mut raw = header(NiftiType::Int16, 2.0, 1.0);
    raw[148..155].copy_from_slice(b"scanner");
    let reference = file(&folder, &raw, &voxels);
    let mut labels = read_labels(&reference).unwrap();
    for label in &mut labels.voxels {
        *label = (*label - 1) / 2;
    }
    let out = folder.path().join("out.0001.nii.gz");
    write_labels_like(&reference, &labels, &out).unwrap();
    let written = read_header(&out).unwrap();
    let bytes = read(&out, None).unwrap().voxels.all().unwrap();
    assert_eq!(bytes, (0..12).collect::<Vec<u8>>());
    assert_eq!(written.raw[252..], raw[252..], "qform, sform and magic");
    assert_eq!(written.raw[76..108], raw[76..108], "pixdim");
    assert_eq!(written.raw[148..228], raw[148..228], "description");
    assert_eq!(read_labels(&out).unwrap().voxels, labels.voxels);

    let other = Volume::new(
        Grid::axis_aligned([3, 2, 2], [1.0; 3]),
        vec![0; 12],
        out.clone(),
    );
    let message = error_of(write_labels_like(&reference, &other.unwrap(), &out));
    assert!(
        message.contains("LPS") && message.contains("RAS"),
        "{message}"
    );
}

#[test]
fn written_files_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let grid = Grid::from_stored([3, 2, 2], LPS).unwrap();
    let path = folder.path().join("image.nii.gz");
    let voxels: Vec<i16> = (0..12).map(|v| v * 100 - 1024).collect();
    let volume = Volume::new(grid, voxels, PathBuf::new()).unwrap();
    write(&path, &volume).unwrap();
    let read = read_image(&path).unwrap();
    assert_eq!(read.grid.orientation, volume.grid.orientation);
    let same = read
        .voxels
        .iter()
        .zip(&volume.voxels)
        .all(|(a, b)| *a == f32::from(*b));
    assert!(same);
    for (a, b) in read
        .grid
        .affine
        .iter()
        .flatten()
        .zip(volume.grid.affine.iter().flatten())
    {
        assert!((a - b).abs() < 1e-5);
    }
}

#[test]
fn truncated_gzip_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let grid = Grid::axis_aligned([16, 16, 16], [1.0; 3]);
    let mut stream = Stream::named(1, "noise");
    let voxels = (0..4096).map(|_| stream.uniform()).collect();
    let path = folder.path().join("short.nii.gz");
    write(&path, &Volume::new(grid, voxels, PathBuf::new()).unwrap()).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for keep in [bytes.len() - 9, bytes.len() / 2, 200, 12, 1, 0] {
        std::fs::write(&path, &bytes[..keep]).unwrap();
        let message = error_of(read_image(&path));
        assert!(
            message.contains("short.nii.gz") && message.contains("again"),
            "{message}"
        );
    }
}

#[test]
fn bad_headers_name_the_field() {
    let folder = tempfile::tempdir().unwrap();
    let good = header(NiftiType::Uint8, 1.0, 0.0);
    let check = |offset: usize, bytes: &[u8], expected: &[&str]| {
        let mut raw = good.clone();
        raw[offset..offset + bytes.len()].copy_from_slice(bytes);
        let message = error_of(read_image(&file(&folder, &raw, &[0; 12])));
        for part in expected {
            assert!(message.contains(part), "{message} lacks {part}");
        }
    };
    check(0, &[0, 0], &["sizeof_hdr", "348"]);
    check(344, b"ni1\0", &["magic", ".img"]);
    check(344, b"n+2\0", &["magic", "n+1"]);
    check(42, &[0, 0], &["dim", "empty"]);
    check(42, &(-5_i16).to_le_bytes(), &["dim", "negative"]);
    check(40, &[1, 0], &["dim", "not a slice or a volume"]);
    check(
        40,
        &[4, 0, 3, 0, 2, 0, 2, 0, 7, 0],
        &["dim", "not a slice or a volume"],
    );
    check(42, &[255, 127, 255, 127, 255, 127], &["dim", "more than"]);
    check(42, &[255, 0, 255, 0], &["dim", "truncated"]);
    check(70, &[32, 0], &["datatype", "32"]);
    check(108, &f32::NAN.to_le_bytes(), &["vox_offset"]);
    check(116, &f32::NAN.to_le_bytes(), &["scl_inter"]);
    // Without a qform there is nothing else.
    let mut raw = good.clone();
    raw[252..254].fill(0);
    raw[280..296].fill(0);
    let message = error_of(read_image(&file(&folder, &raw, &[0; 12])));
    assert!(
        message.contains("srow") && message.contains("invertible"),
        "{message}"
    );
}

#[test]
fn nan_voxels_and_odd_labels_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut values = [1.0_f32; 12];
    values[3] = f32::NAN;
    let bytes = |values: &[f32]| {
        values
            .iter()
            .flat_map(|v| v.to_le_bytes())
            .collect::<Vec<_>>()
    };
    let raw = header(NiftiType::Float32, 1.0, 0.0);
    let message = error_of(read_image(&file(&folder, &raw, &bytes(&values))));
    assert!(message.contains("1 voxels are NaN"), "{message}");
    assert!(error_of(read_labels(&file(&folder, &raw, &bytes(&values)))).contains("NaN"));
    values[3] = 0.5;
    assert!(error_of(read_labels(&file(&folder, &raw, &bytes(&values)))).contains("0.5"));
    values[3] = 256.0;
    assert!(error_of(read_labels(&file(&folder, &raw, &bytes(&values)))).contains("256"));
}

/// Any header is read or refused, never a panic.
#[test]
fn random_headers_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let mut stream = Stream::named(3, "headers");
    let mut refused = 0;
    for _ in 0..500 {
        let mut raw = header(NiftiType::Int16, 1.0, 0.0);
        for _ in 0..=stream.below(4) {
            raw[stream.below(348)] = stream.bits() as u8;
        }
        let path = file(&folder, &raw, &[1; 24]);
        refused += usize::from(read_image(&path).is_err());
        refused += usize::from(read_labels(&path).is_err());
    }
    assert!((50..950).contains(&refused), "{refused}");
}

/// A NIfTI-2 header with the fields of a NIfTI-1 header.
fn nifti_2(one: &[u8], order: fn([u8; 8]) -> [u8; 8], magic: &[u8; 4]) -> Vec<u8> {
    let mut two = vec![0; 540];
    let short = |at: usize| i16::from_le_bytes([one[at], one[at + 1]]);
    let float = |at: usize| f32::from_le_bytes([one[at], one[at + 1], one[at + 2], one[at + 3]]);
    // Every number is written through 8 bytes, so that one function sets the order.
    let mut put = |at: usize, bytes: usize, value: [u8; 8]| {
        let ordered = order(value);
        let from = if ordered == value { 0 } else { 8 - bytes };
        two[at..at + bytes].copy_from_slice(&ordered[from..from + bytes]);
    };
    let whole = |value: i64| value.to_le_bytes();
    put(0, 4, whole(540));
    put(12, 2, whole(short(70).into()));
    put(14, 2, whole(short(72).into()));
    for i in 0..8 {
        put(16 + 8 * i, 8, whole(short(40 + 2 * i).into()));
        put(104 + 8 * i, 8, f64::from(float(76 + 4 * i)).to_le_bytes());
    }
    put(168, 8, whole(544));
    put(176, 8, f64::from(float(112)).to_le_bytes());
    put(184, 8, f64::from(float(116)).to_le_bytes());
    put(348, 4, whole(short(254).into()));
    put(500, 4, whole(one[123].into()));
    for row in 0..3 {
        for i in 0..4 {
            let value = f64::from(float(280 + 16 * row + 4 * i));
            put(400 + 32 * row + 8 * i, 8, value.to_le_bytes());
        }
    }
    two[4..8].copy_from_slice(magic);
    two
}

fn reversed(mut bytes: [u8; 8]) -> [u8; 8] {
    bytes.reverse();
    bytes
}

#[test]
fn nifti_2_is_read_in_either_order_and_written_back() {
    let folder = tempfile::tempdir().unwrap();
    let one = header(NiftiType::Int16, 0.5, -1024.0);
    let voxels: Vec<u8> = (0..12_i16).flat_map(i16::to_le_bytes).collect();
    let want = read_image(&file(&folder, &one, &voxels)).unwrap();
    let big: Vec<u8> = (0..12_i16).flat_map(i16::to_be_bytes).collect();
    let little = nifti_2(&one, |bytes| bytes, b"n+2\0");
    for (raw, voxels) in [(little, &voxels), (nifti_2(&one, reversed, b"n+2\0"), &big)] {
        let path = file(&folder, &raw, voxels);
        assert_eq!(read_image(&path).unwrap(), want);
        let labels = Volume::new(want.grid.clone(), (0..12).collect(), PathBuf::new()).unwrap();
        let out = folder.path().join("labels.nii");
        write_labels_like(&path, &labels, &out).unwrap();
        assert_eq!(read_labels(&out).unwrap().voxels, labels.voxels);
        let written = std::fs::read(&out).unwrap();
        assert_eq!(written[344..524], raw[344..524], "qform and sform");
    }
}

#[test]
fn pairs_of_header_and_image_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut raw = header(NiftiType::Int16, 1.0, 0.0);
    let voxels: Vec<u8> = (0..12_i16).flat_map(i16::to_le_bytes).collect();
    let want = read_image(&file(&folder, &raw, &voxels)).unwrap();
    raw[344..348].copy_from_slice(b"ni1\0");
    raw[108..112].copy_from_slice(&0_f32.to_le_bytes());
    let path = folder.path().join("scan.hdr");
    std::fs::write(&path, &raw).unwrap();
    let message = error_of(read_image(&path));
    assert!(message.contains("scan.img"), "{message}");
    std::fs::write(folder.path().join("scan.img"), &voxels).unwrap();
    let read = read_image(&path).unwrap();
    assert_eq!((&read.grid, &read.voxels), (&want.grid, &want.voxels));
    let labels = Volume::new(want.grid.clone(), vec![1; 12], PathBuf::new()).unwrap();
    let out = folder.path().join("labels.nii.gz");
    write_labels_like(&path, &labels, &out).unwrap();
    assert_eq!(read_labels(&out).unwrap().voxels, [1; 12]);
    std::fs::write(folder.path().join("scan.img"), &voxels[..20]).unwrap();
    assert!(error_of(read_image(&path)).contains("again"));
}
