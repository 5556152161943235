#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::volume::Grid;
use samora_engine::random::Stream;
use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHAPE: [usize; 3] = [4, 3, 5];
/// Bytes that decoding one volume of [`SHAPE`] is reckoned to take.
const DECODING_BYTES: usize = 4 * 3 * 5 * 16;

fn grid() -> Grid {
    Grid::axis_aligned(SHAPE, [1.0; 3])
}

fn volume(case: usize) -> Volume<f32> {
    let grid = grid();
    let voxels = (0..grid.len()).map(|i| (1000 * case + i) as f32).collect();
    Volume::new(grid, voxels, PathBuf::new()).unwrap()
}

/// Files that scans consist of, one for each case.
fn scans(folder: &Path, count: usize) -> Vec<Scan> {
    let scan = |case: usize| {
        let path = folder.join(format!("{case}.npy"));
        fs::write(&path, case.to_string()).unwrap();
        Scan::File(path)
    };
    (0..count).map(scan).collect()
}

fn cache(folder: &Path, facts: &str, count: usize, budget: usize) -> PlaneCache {
    PlaneCache::new(
        &folder.join("cache"),
        Axis::Coronal,
        facts.into(),
        count,
        budget,
    )
}

#[test]
fn five_hundred_volumes_are_decoded_once_each_and_two_at_a_time() {
    const COUNT: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), COUNT);
    let cache = cache(folder.path(), "", COUNT, 2 * DECODING_BYTES);
    let decoded: Vec<AtomicUsize> = (0..COUNT).map(|_| AtomicUsize::new(0)).collect();
    let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut slices: Vec<SliceId> = (0..COUNT)
        .flat_map(|case| (0..SHAPE[1]).map(move |index| SliceId { case, index }))
        .collect();
    Stream::named(1, "order").shuffle(&mut slices);
    let visit = |ids: &[SliceId]| {
        for id in ids {
            let decode = || {
                let now = held.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                decoded[id.case].fetch_add(1, Ordering::SeqCst);
                let volume = volume(id.case);
                std::thread::yield_now();
                held.fetch_sub(1, Ordering::SeqCst);
                Ok(volume)
            };
            let found = cache.slice(*id, (&scans[id.case], &grid()), decode);
            let expected = slice(&volume(id.case), Axis::Coronal, id.index);
            assert_eq!(found.unwrap(), expected);
        }
    };
    let visit = &visit;
    std::thread::scope(|scope| {
        for ids in slices.chunks(slices.len().div_ceil(8)) {
            scope.spawn(move || visit(ids));
        }
    });
    assert!(decoded.iter().all(|n| n.load(Ordering::SeqCst) == 1));
    assert!(most.load(Ordering::SeqCst) <= 2);
}

#[test]
fn whatever_decides_the_values_decides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 2);
    let decoded = AtomicUsize::new(0);
    let id = SliceId { case: 1, index: 0 };
    let look = |facts: &str| {
        let decode = || {
            decoded.fetch_add(1, Ordering::SeqCst);
            Ok(volume(1))
        };
        let cache = cache(folder.path(), facts, 2, 0);
        let found = cache.slice(id, (&scans[1], &grid()), decode).unwrap();
        assert_eq!(found, slice(&volume(1), Axis::Coronal, 0));
        decoded.load(Ordering::SeqCst)
    };
    assert_eq!(look("window"), 1);
    assert_eq!(look("window"), 1, "kept for the next run");
    assert_eq!(look("percentile"), 2);
    fs::write(scans[1].path(), "another scan").unwrap();
    assert_eq!(look("window"), 3);
    for entry in fs::read_dir(folder.path().join("cache")).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    assert_eq!(look("window"), 4);
    assert_eq!(look("window"), 4, "made anew");
}

#[test]
fn there_are_no_other_slices() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 1);
    let cache = cache(folder.path(), "", 1, 0);
    for id in [SliceId { case: 0, index: 3 }, SliceId { case: 1, index: 0 }] {
        let found = cache.slice(id, (&scans[0], &grid()), || Ok(volume(0)));
        assert_eq!(found.unwrap(), None);
    }
}

#[test]
fn folders_that_cannot_be_written_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(folder.path(), 1);
    // A file in its place refuses everyone, whoever runs the test.
    fs::write(folder.path().join("cache"), "").unwrap();
    let cache = cache(folder.path(), "", 1, 0);
    let id = SliceId { case: 0, index: 0 };
    let found = cache.slice(id, (&scans[0], &grid()), || Ok(volume(0)));
    let message = found.unwrap_err().to_string();
    let named = message.contains(&cache.folder().display().to_string());
    assert!(named && message.contains("--out"), "{message}");
}
