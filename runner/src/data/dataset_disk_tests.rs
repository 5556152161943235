#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::formats::nifti;
use crate::data::source::{Axis, Intensity, Labelled, Split};
use samora_engine::random::Stream;
use std::path::PathBuf;

const SHAPE: [usize; 3] = [6, 5, 4];
/// Bytes of a decoded image and its label map.
const CASE_BYTES: usize = 6 * 5 * 4 * 5;

/// `count` labelled cases below `root`, all for training.
fn source(root: &Path, count: usize, intensity: Intensity, slices: Axis) -> Source {
    let write = |folder: &str, case: usize, value: &dyn Fn(usize) -> f32| {
        let path = root.join(format!("{folder}/case{case:03}.nii.gz"));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Stored to the left and to the front, as scanners do.
        let affine = [
            [-1.0, 0.0, 0.0, 0.0],
            [0.0, -1.0, 0.0, 0.0],
            [0.0, 0.0, 2.5, 0.0],
            [0.0, 0.0, 0.0, 1.0],
        ];
        let grid = Grid::from_stored(SHAPE, affine).unwrap();
        let voxels = (0..grid.len()).map(value).collect();
        nifti::write(&path, &Volume::new(grid, voxels, PathBuf::new()).unwrap()).unwrap();
    };
    for case in 0..count {
        write("images", case, &|i| (i * i % (37 + case)) as f32 - 7.5);
        write("labels", case, &|i| ((i + case) % 3) as f32);
    }
    Source::Folder {
        images: root.join("images"),
        labels: Some(root.join("labels")),
        classes: vec!["head".to_owned(), "tail".to_owned()],
        names: None,
        label_map: Default::default(),
        arrays: Default::default(),
        split: Split::AllTrain,
        labelled: Labelled::All,
        intensity,
        slices,
    }
}

/// Every slice from the disk cache, first made and then found, has the bits of the slice of the volume.
#[test]
fn slices_are_the_same_with_and_without_the_disk_cache() {
    for intensity in [
        Intensity::Window {
            low: -3.0,
            high: 20.0,
        },
        Intensity::default(),
        Intensity::ZScore,
    ] {
        for axis in [Axis::Sagittal, Axis::Coronal, Axis::Axial] {
            let folder = tempfile::tempdir().unwrap();
            let source = source(folder.path(), 2, intensity, axis);
            let whole = Dataset::open(&source, 1 << 20).unwrap();
            let cached = || {
                let data = Dataset::open(&source, CASE_BYTES).unwrap();
                data.with_disk_cache(&folder.path().join("cache"))
            };
            for data in [cached(), cached()] {
                let slices = whole.slices(Part::Train);
                assert!(!slices.is_empty());
                for id in slices {
                    let (found, expected) = (
                        data.image_slice(id).unwrap(),
                        whole.image_slice(id).unwrap(),
                    );
                    assert_eq!(
                        [found.height, found.width],
                        [expected.height, expected.width]
                    );
                    let bits = |plane: &Plane<f32>| plane.map(f32::to_bits).pixels;
                    assert_eq!(
                        bits(&found),
                        bits(&expected),
                        "{intensity:?} {axis:?} {id:?}"
                    );
                    assert_eq!(
                        data.label_slice(id).unwrap(),
                        whole.label_slice(id).unwrap()
                    );
                }
                let beyond = SliceId { case: 0, index: 9 };
                assert!(data.image_slice(beyond).is_err() && data.label_slice(beyond).is_err());
            }
        }
    }
}

/// After one visit of each slice the files of the data set can go: nothing is decoded again. Nor is
/// anything held, but for the volumes that are asked for whole.
#[test]
fn many_volumes_are_decoded_once_and_not_held() {
    const COUNT: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let axis = Axis::Axial;
    let source = source(folder.path(), COUNT, Intensity::default(), axis);
    let memory = 3 * CASE_BYTES;
    let data = Dataset::open(&source, memory).unwrap();
    let data = data.with_disk_cache(&folder.path().join("cache"));
    assert!(data.disk_cache().is_some());
    assert_eq!(data.decoded_bytes(), COUNT * CASE_BYTES);
    let mut slices = data.slices(Part::Labelled);
    Stream::named(3, "order").shuffle(&mut slices);
    let look = |id: &SliceId| {
        (
            data.image_slice(*id).unwrap(),
            data.label_slice(*id).unwrap(),
        )
    };
    let first: Vec<_> = slices.iter().map(look).collect();
    assert_eq!(data.images.held_bytes() + data.labels.held_bytes(), 0);
    for case in 0..COUNT {
        data.image(case).unwrap();
        data.label(case).unwrap();
        assert!(data.images.held_bytes() + data.labels.held_bytes() <= memory);
    }
    std::fs::remove_dir_all(folder.path().join("images")).unwrap();
    std::fs::remove_dir_all(folder.path().join("labels")).unwrap();
    assert_eq!(slices.iter().map(look).collect::<Vec<_>>(), first);
}

#[test]
fn what_fits_into_memory_stays_there() {
    let folder = tempfile::tempdir().unwrap();
    let source = source(folder.path(), 3, Intensity::default(), Axis::Axial);
    let cache = folder.path().join("cache");
    let data = Dataset::open(&source, 3 * CASE_BYTES).unwrap();
    let data = data.with_disk_cache(&cache);
    for id in data.slices(Part::Labelled) {
        data.image_slice(id).unwrap();
        data.label_slice(id).unwrap();
    }
    assert_eq!(
        data.images.held_bytes() + data.labels.held_bytes(),
        3 * CASE_BYTES
    );
    assert!(data.disk_cache().is_none() && !cache.exists());
}
