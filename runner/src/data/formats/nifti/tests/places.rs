//! Where headers place voxels, as other programs write them.

use super::*;

/// Fields as other programs leave them, and what nibabel or ITK make of them.
#[test]
fn headers_that_others_read() {
    let folder = tempfile::tempdir().unwrap();
    let good = header(NiftiType::Uint8, 1.0, 0.0);
    let voxels: Vec<u8> = (0..12).collect();
    let edited = |edits: &[(usize, &[u8])]| {
        let mut raw = good.clone();
        for (offset, bytes) in edits {
            raw[*offset..offset + bytes.len()].copy_from_slice(bytes);
        }
        read_labels(&file(&folder, &raw, &voxels))
    };
    let (none, want) = ([0; 48], edited(&[]).unwrap());
    let by_qform = edited(&[(254, &[0, 0])]).unwrap();
    assert_eq!(by_qform.voxels, want.voxels);
    let [along_x, along_z] = [-0.7_f32, 0.0].map(f32::to_le_bytes);
    let nan = f32::NAN.to_le_bytes();
    type Edits<'a> = &'a [(usize, &'a [u8])];
    let cases: [(&str, Edits<'_>); 4] = [
        ("vox_offset of 0", &[(108, &[0; 4])]),
        ("srow of zeros", &[(280, &none)]),
        ("srow that is not finite", &[(280, &nan)]),
        ("negative pixdim", &[(254, &[0, 0]), (80, &along_x)]),
    ];
    for (name, edits) in cases {
        let found = edited(edits).unwrap();
        assert_eq!(found.voxels, want.voxels, "{name}");
        let off = found
            .grid
            .affine
            .iter()
            .flatten()
            .zip(by_qform.grid.affine.iter().flatten());
        // The sform has a little shear.
        let close = off.map(|(a, b)| (a - b).abs()).all(|off| off < 0.05);
        assert!(close, "{name}: {:?}", found.grid.affine);
    }
    // A slice in two dimensions, and one without thickness.
    let flat: &[u8] = &[2, 0, 3, 0, 4, 0, 9, 0];
    let slice = edited(&[(40, flat)]).unwrap();
    assert_eq!(slice.grid.shape, [3, 4, 1]);
    let volume = edited(&[(40, &[3, 0, 3, 0, 4, 0, 1, 0])]).unwrap();
    assert_eq!(slice.voxels, volume.voxels);
    let thin = edited(&[(40, flat), (254, &[0, 0]), (88, &along_z)]).unwrap();
    assert_eq!(thin.grid.spacing_mm[2], 1.0);
    let message = error_of(edited(&[(254, &[0, 0]), (88, &along_z)]));
    assert!(message.contains("pixdim"), "{message}");

    let mut extended = good.clone();
    extended[108..112].fill(0);
    extended.extend([1, 0, 0, 0]);
    let path = folder.path().join("extended.nii");
    std::fs::write(&path, [extended, vec![0; 12]].concat()).unwrap();
    assert!(error_of(read_image(&path)).contains("extensions"));
}

/// A label map of a slice is a slice.
#[test]
fn slices_in_two_dimensions_stay_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut raw = header(NiftiType::Uint8, 1.0, 0.0);
    raw[40..48].copy_from_slice(&[2, 0, 3, 0, 4, 0, 1, 0]);
    let reference = file(&folder, &raw, &[7; 12]);
    let labels = read_labels(&reference).unwrap();
    let out = folder.path().join("labels.nii");
    write_labels_like(&reference, &labels, &out).unwrap();
    let written = read_header(&out).unwrap();
    assert_eq!(written.raw[40..56], raw[40..56], "dim");
    assert_eq!(read_labels(&out).unwrap().voxels, [7; 12]);
}

#[test]
fn nifti_in_micrometres() {
    let folder = tempfile::tempdir().unwrap();
    let one = header(NiftiType::Uint8, 1.0, 0.0);
    let mut one_qform = one.clone();
    one_qform[254..256].fill(0);
    let mut no_form = one_qform.clone();
    no_form[252..254].fill(0);
    let scaled = |raw: &[u8], unit: u8, factor: f32| {
        let mut raw = raw.to_vec();
        // pixdim, qoffset and srow.
        for at in (80..92).chain(268..328).step_by(4) {
            let value = f32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]]);
            raw[at..at + 4].copy_from_slice(&(value * factor).to_le_bytes());
        }
        raw[123] = unit;
        raw
    };
    for raw in [&one, &one_qform, &no_form] {
        let want = read_image(&file(&folder, raw, &[1; 12])).unwrap();
        // With seconds (8) as the unit of time, and without a unit.
        for (unit, factor) in [(3, 1e3), (3 + 8, 1e3), (1, 1e-3), (0, 1.0), (2 + 8, 1.0)] {
            let raw = scaled(raw, unit, factor);
            let orders: [fn([u8; 8]) -> [u8; 8]; 2] = [std::convert::identity, reversed];
            let second = orders.map(|order| nifti_2(&raw, order, b"n+2\0"));
            // Those have no qform.
            let second = second.into_iter().filter(|_| raw[254] > 0);
            for raw in [raw.clone()].into_iter().chain(second) {
                let path = file(&folder, &raw, &[1; 12]);
                let found = read_image(&path).unwrap();
                assert_eq!(found.grid.orientation, want.grid.orientation);
                let both = found
                    .grid
                    .affine
                    .iter()
                    .flatten()
                    .zip(want.grid.affine.iter().flatten());
                let close = both.map(|(a, b)| (a - b).abs()).all(|off| off < 1e-4);
                assert!(close, "unit {unit}: {:?}", found.grid.affine);

                let labels = Volume::new(found.grid.clone(), vec![1; 12], PathBuf::new()).unwrap();
                let out = folder.path().join("labels.nii.gz");
                write_labels_like(&path, &labels, &out).unwrap();
                assert_eq!(read_labels(&out).unwrap().grid, found.grid);
                write(&out, &labels).unwrap();
                let off = read_labels(&out).unwrap().grid.spacing_mm[2] - want.grid.spacing_mm[2];
                assert!(off.abs() < 1e-4);
            }
        }
    }
}

/// ITK reads a qform where an sform has shear.
#[test]
fn labels_of_tilted_dicom() {
    let folder = tempfile::tempdir().unwrap();
    let tilted = [
        [-0.8, 0.0, 0.0, 20.0],
        [0.0, -0.9, -0.8, 30.0],
        [0.0, 0.0, 3.0, 10.0],
        [0.0, 0.0, 0.0, 1.0],
    ];
    let grid = Grid::from_stored([3, 2, 2], tilted).unwrap();
    let labels = Volume::new(grid, (0..12).collect(), PathBuf::new()).unwrap();
    let path = folder.path().join("labels.nii.gz");
    write(&path, &labels).unwrap();
    let mut raw = read_header(&path).unwrap().raw;
    assert_eq!(raw[252..256], [1, 0, 1, 0], "qform_code, sform_code");
    let sheared = read_labels(&path).unwrap();
    assert_eq!(sheared.voxels, labels.voxels);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-5;
    assert!(close(sheared.grid.stored_affine[1][2], -0.8));

    raw[254..256].fill(0);
    let by_qform = read_labels(&file(&folder, &raw, &labels.to_stored())).unwrap();
    assert_eq!(by_qform.voxels, labels.voxels);
    let (grid, column) = (by_qform.grid, |grid: &Grid, c: usize| {
        [0, 1, 2].map(|row| grid.stored_affine[row][c])
    });
    let dot = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    assert!(
        close(dot(column(&grid, 1), column(&grid, 2)), 0.0),
        "no shear"
    );
    assert!(
        grid.spacing_mm
            .iter()
            .zip(sheared.grid.spacing_mm)
            .all(|(a, b)| close(*a, b))
    );
    assert_eq!(column(&grid, 3), column(&sheared.grid, 3));
    // Half of the tilt falls on either axis.
    let tilt = (0.8_f64 / 3.0).atan() / 2.0;
    assert!(close(column(&grid, 1)[1], -0.9 * tilt.cos()), "{grid:?}");
}
