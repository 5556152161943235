//! Arrays beside files with geometry, and images and labels that lie elsewhere.

use super::*;
use crate::data::formats::{ArrayAxes, Arrays, hdf5};
use crate::data::volume::Orientation;
use crate::phantom::{self, generate};

const SHAPE: [usize; 3] = [5, 4, 3];
const FOLDER: &str =
    r#"Folder(images: "ROOT/images", labels: Some("ROOT/labels"), classes: ["a", "b"])"#;

/// Stored as `codes`, of 0.75×0.875×3 mm.
fn grid(codes: &str) -> Grid {
    let orientation: Orientation = codes.parse().unwrap();
    let mut affine = [[0.0; 4]; 4];
    affine[3][3] = 1.0;
    for world in 0..3 {
        let sign = if orientation.flipped[world] {
            -1.0
        } else {
            1.0
        };
        affine[world][orientation.axes[world]] = sign * [0.75, 0.875, 3.0][world];
        affine[world][3] = 10.0;
    }
    Grid::from_stored(SHAPE, affine).unwrap()
}

/// Classes that tell every direction, in stored order.
fn classes() -> Vec<u8> {
    (0..60)
        .map(|i| u8::from(i % 7 == 1) + 2 * u8::from(i < 9 && i % 7 != 1))
        .collect()
}

/// A label map of these classes in stored order.
fn stored_labels(grid: Grid) -> Volume<u8> {
    let stored = classes();
    let (rows, step) = grid.stored_rows();
    let mut voxels = vec![0; 60];
    for (first, row) in rows.zip(stored.chunks(SHAPE[0])) {
        for (i, value) in row.iter().enumerate() {
            voxels[first.wrapping_add_signed(i as isize * step)] = *value;
        }
    }
    Volume::new(grid, voxels, PathBuf::new()).unwrap()
}

/// An image without intensities of its own.
fn image(grid: Grid) -> Volume<f32> {
    let voxels = (0..grid.len()).map(|i| i as f32).collect();
    Volume::new(grid, voxels, PathBuf::new()).unwrap()
}

/// A `.npy` file of whole numbers.
fn npy(shape: &str, fortran: &str, numbers: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
    let length = (header.len() as u16).to_le_bytes();
    [
        b"\x93NUMPY\x01\0".as_slice(),
        &length,
        header.as_bytes(),
        numbers,
    ]
    .concat()
}

/// (z, y, x) as SimpleITK gives arrays or (x, y, z) as nibabel does, in C or Fortran order.
#[test]
fn arrays_beside_files_with_geometry() {
    let stored = classes();
    let [nx, ny, nz] = SHAPE;
    let turned: Vec<u8> = (0..60)
        .map(|i| stored[i / (ny * nz) + nx * (i / nz % ny + ny * (i % nz))])
        .collect();
    for codes in ["LPS", "RAS", "LAS", "PIR"] {
        let folder = Folder::new();
        for name in ["a", "b", "c", "d"] {
            nifti::write(
                &folder.path(&format!("images/{name}.nii.gz")),
                &image(grid(codes)),
            )
            .unwrap();
        }
        for (name, shape, order, numbers) in [
            ("a", "3, 4, 5", "False", &stored),
            ("b", "3, 4, 5", "True", &turned),
            ("c", "5, 4, 3", "False", &turned),
            ("d", "5, 4, 3", "True", &stored),
        ] {
            fs::write(
                folder.path(&format!("labels/{name}.npy")),
                npy(shape, order, numbers),
            )
            .unwrap();
        }
        let truth = stored_labels(grid(codes));
        let data = folder.open(FOLDER).unwrap();
        for case in 0..4 {
            assert_eq!(
                data.label(case).unwrap().voxels,
                truth.voxels,
                "{codes} {case}"
            );
            assert_eq!(
                data.label(case).unwrap().grid,
                data.image(case).unwrap().grid
            );
        }
        fs::write(
            folder.path("labels/a.npy"),
            npy("4, 3, 5", "False", &stored),
        )
        .unwrap();
        let message = folder
            .open(FOLDER)
            .unwrap()
            .label(0)
            .map(drop)
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("a.npy") && message.contains("shapes differ"),
            "{message}"
        );
    }
}

#[test]
fn arrays_beside_files_with_geometry_may_be_the_images_or_pictures() {
    let folder = Folder::new();
    let labels = stored_labels(grid("RAS"));
    nifti::write(&folder.path("labels/a.nii"), &labels).unwrap();
    let numbers: Vec<u8> = (0..60).collect();
    fs::write(
        folder.path("images/a.npy"),
        npy("3, 4, 5", "False", &numbers),
    )
    .unwrap();
    let data = folder.open(FOLDER).unwrap();
    assert_eq!(data.label(0).unwrap().voxels, labels.voxels);
    assert_eq!(data.grid(0), Some(&labels.grid));
    let read = data.stored_image(0).unwrap();
    assert_eq!((read.voxels[1], read.voxels[5]), (1.0, 5.0));
    // Without labels they would be taken otherwise, which is said.
    let said = &data.warnings()[0];
    assert!(
        said.contains(r#"arrays: (axes: Zyx, directions: "RAS")"#),
        "{said}"
    );
    let declared = FOLDER.replace(
        r#"["a", "b"]"#,
        r#"["a", "b"], arrays: (directions: "RAS")"#,
    );
    assert_eq!(
        folder.open(&declared).unwrap().warnings(),
        [] as [String; 0]
    );

    // A picture of classes beside one slice.
    let folder = Folder::new();
    let mut affine = grid("RAS").stored_affine;
    affine[2][2] = 1.0;
    let slice = Grid::from_stored([5, 4, 1], affine).unwrap();
    nifti::write(&folder.path("images/a.nii"), &image(slice)).unwrap();
    let pixels = image::GrayImage::from_raw(5, 4, classes()[..20].to_vec()).unwrap();
    pixels.save(folder.path("labels/a.png")).unwrap();
    let data = folder.open(FOLDER).unwrap();
    assert_eq!(data.label(0).unwrap().voxels, classes()[..20]);
}

/// The right voxels in the same order, but an affine that says otherwise: refused wherever a label is read.
#[test]
fn training_on_mirrored_labels() {
    let folder = Folder::new();
    nifti::write(&folder.path("images/a.nii.gz"), &image(grid("LPS"))).unwrap();
    let mut identity = [[0.0; 4]; 4];
    (0..4).for_each(|i| identity[i][i] = 1.0);
    let lost = Grid::from_stored(SHAPE, identity).unwrap();
    let write = |grid: Grid| {
        let labels = stored_labels(grid);
        nifti::write(&folder.path("labels/a.nii.gz"), &labels).unwrap();
    };
    let slice = SliceId { case: 0, index: 0 };
    let refusals = || {
        let data = folder.open(FOLDER).unwrap();
        let cached = folder
            .open_in(FOLDER, 0)
            .unwrap()
            .with_disk_cache(&folder.path("cache"));
        [
            data.label(0).map(drop),
            data.label_slice(slice).map(drop),
            cached.label_slice(slice).map(drop),
        ]
        .map(|result| result.map_err(|e| e.to_string()))
    };
    write(grid("LPS"));
    assert_eq!(refusals(), [Ok(()), Ok(()), Ok(())]);
    write(lost);
    for refusal in refusals() {
        let message = refusal.unwrap_err();
        for part in [
            "images/a.nii.gz",
            "labels/a.nii.gz",
            "LPS",
            "RAS",
            "mm apart",
            "CopyInformation",
        ] {
            assert!(message.contains(part), "{message}");
        }
    }
    // A shift of a few tenths of a millimetre is rounding, one of two voxels is not.
    for (shift, is_right) in [(0.3, true), (6.1, false)] {
        let mut moved = grid("LPS").stored_affine;
        moved[2][3] += shift;
        write(Grid::from_stored(SHAPE, moved).unwrap());
        assert_eq!(refusals()[0].is_ok(), is_right, "{shift}");
    }
    // The label map is as it was when its slices were cached; the image is another.
    write(grid("LPS"));
    assert!(refusals()[2].is_ok());
    nifti::write(&folder.path("images/a.nii.gz"), &image(grid("RAS"))).unwrap();
    assert!(refusals()[2].is_err());
}

/// Two slices that are mirrored lie no more than a voxel apart.
#[test]
fn training_on_mirrored_labels_of_two_slices() {
    let folder = Folder::new();
    let write = |name: &str, step: f64, origin: f64| {
        let affine = [
            [1.0, 0.0, 0.0, 0.0],
            [0.0, 1.0, 0.0, 0.0],
            [0.0, 0.0, step, origin],
            [0.0, 0.0, 0.0, 1.0],
        ];
        let grid = Grid::from_stored([3, 2, 2], affine).unwrap();
        let voxels = (0..12).map(|i| u8::from(i < 4)).collect();
        nifti::write(
            &folder.path(name),
            &Volume::new(grid, voxels, PathBuf::new()).unwrap(),
        )
        .unwrap();
    };
    write("images/a.nii", -5.0, 5.0);
    write("labels/a.nii", 5.0, 5.0);
    assert!(folder.open(FOLDER).unwrap().label(0).is_err());
    // The same places, stored the other way round.
    write("labels/a.nii", 5.0, 0.0);
    assert!(folder.open(FOLDER).unwrap().label(0).is_ok());
}

/// UA-MT's files hold what the challenge's hold, and both are read alike.
#[test]
fn left_atria_are_the_same_as_h5_and_as_nrrd() {
    let open = |layout| {
        let folder = Folder::new();
        let options = phantom::Options {
            layout,
            cases: 2,
            seed: 3,
            shape: [20, 18, 16],
        };
        generate(&options, folder.0.path()).unwrap();
        let data = folder
            .open(r#"La(root: "ROOT", split: AllTrain, intensity: ZScore)"#)
            .unwrap();
        (folder, data)
    };
    let ((_nrrd, nrrd), (h5_folder, h5)) = (open(phantom::Layout::La), open(phantom::Layout::LaH5));
    assert_eq!(names(&nrrd), names(&h5));
    for case in 0..2 {
        assert_eq!(
            nrrd.label(case).unwrap().voxels,
            h5.label(case).unwrap().voxels
        );
        let images = [nrrd.image(case).unwrap(), h5.image(case).unwrap()];
        let pairs = images[0].voxels.iter().zip(&images[1].voxels);
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-4));
        assert_eq!(images[1].grid.spacing_mm, [0.625; 3]);
    }
    // The first voxel of the file lies right, in front and below.
    let path = h5.cases()[0].image.path().to_owned();
    let as_stored = Arrays {
        axes: ArrayAxes::Xyz,
        directions: Orientation::CANONICAL,
        ..Arrays::default()
    };
    let stored = formats::read_labels(&path, as_stored).unwrap();
    let read = h5.label(0).unwrap();
    let [nx, ny, _] = read.grid.shape;
    let at = |x: usize, y: usize, z: usize| x + nx * (y + ny * z);
    for (x, y, z) in [(3, 4, 5), (10, 9, 8), (15, 6, 7)] {
        assert_eq!(
            read.voxels[at(x, y, z)],
            stored.voxels[at(nx - 1 - x, ny - 1 - y, z)]
        );
    }
    drop(h5_folder);
}

/// The organs tell where the arrays of preprocessed Synapse files run.
#[test]
fn arrays_of_synapse_run_as_the_organs_lie() {
    let folder = Folder::new();
    let layout = phantom::Layout::SynapsePreprocessed;
    let options = phantom::Options {
        layout,
        cases: 4,
        seed: 3,
        shape: [40, 32, 24],
    };
    generate(&options, folder.0.path()).unwrap();
    let warnings = |arrays: &str| {
        let data = folder
            .open(&format!(r#"Synapse(root: "ROOT"{arrays})"#))
            .unwrap();
        data.warnings().join("\n")
    };
    let right = warnings("");
    assert!(
        right.contains("running LAS") && !right.contains("as if"),
        "{right}"
    );
    let mirrored = warnings(r#", arrays: (directions: "RPS")"#);
    assert!(
        mirrored.contains(r#"arrays: (directions: "LAS")"#),
        "{mirrored}"
    );

    // The original volumes of the same phantoms are the same voxels.
    let original = Folder::new();
    let layout = phantom::Layout::Synapse;
    generate(&phantom::Options { layout, ..options }, original.0.path()).unwrap();
    let (original, preprocessed) = (
        original.open(r#"Synapse(root: "ROOT")"#).unwrap(),
        folder.open(r#"Synapse(root: "ROOT")"#).unwrap(),
    );
    for case in 0..4 {
        assert_eq!(
            original.label(case).unwrap().voxels,
            preprocessed.label(case).unwrap().voxels
        );
    }
}

/// `hdf5::write` and `Folder` agree, whatever is declared.
#[test]
fn declared_arrays_are_read_as_they_were_written() {
    for (axes, codes) in [
        (ArrayAxes::Zyx, "LPS"),
        (ArrayAxes::Xyz, "RAS"),
        (ArrayAxes::Xyz, "LAS"),
    ] {
        let folder = Folder::new();
        let labels = stored_labels(grid(codes));
        for name in ["images", "labels"] {
            hdf5::write(
                &folder.path(&format!("{name}/a.h5")),
                &image(grid(codes)),
                &labels,
                axes,
            )
            .unwrap();
        }
        let arrays = format!(r#"["a", "b"], arrays: (axes: {axes:?}, directions: "{codes}")"#);
        let data = folder
            .open(&FOLDER.replace(r#"["a", "b"]"#, &arrays))
            .unwrap();
        assert_eq!(
            data.label(0).unwrap().voxels,
            labels.voxels,
            "{axes:?} {codes}"
        );
        assert_eq!(
            data.stored_image(0).unwrap().voxels,
            image(grid(codes)).voxels
        );
        assert!(data.warnings()[0].contains(codes), "{:?}", data.warnings());
    }
}
