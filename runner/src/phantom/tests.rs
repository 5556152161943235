#![allow(clippy::unwrap_used)]

use super::*;
use crate::data::dataset::{Dataset, Part};
use crate::data::layout::SYNAPSE_CLASSES;
use crate::data::source::{Source, Split};

fn options(cases: usize, shape: [usize; 3]) -> Options {
    Options {
        layout: Layout::Folder,
        cases,
        seed: 7,
        shape,
    }
}

/// A case with SAMed's classes.
fn organs(options: &Options, case: usize) -> Result<(Volume<i16>, Volume<u8>)> {
    let (image, mut labels) = phantom(options, case)?;
    labels
        .voxels
        .iter_mut()
        .for_each(|v| *v = files::samed_class(*v));
    Ok((image, labels))
}

#[test]
fn every_organ_is_in_every_case() {
    for case in 0..12 {
        let (_, labels) = organs(&options(12, [64, 64, 24]), case).unwrap();
        let voxel = labels.grid.spacing_mm.iter().product::<f64>() / 1000.0;
        for (class, name) in SYNAPSE_CLASSES.iter().enumerate() {
            let count = labels
                .voxels
                .iter()
                .filter(|l| usize::from(**l) == class + 1)
                .count();
            let millilitres = count as f64 * voxel;
            assert!(
                (8.0..2600.0).contains(&millilitres),
                "{case} {name} {millilitres}"
            );
        }
    }
}

/// The best window of attenuations for each organ, chosen knowing the truth, segments it badly.
#[test]
fn thresholds_fail() {
    let mut sums = [0.0; 8];
    const CASES: usize = 6;
    for case in 0..CASES {
        let (image, labels) = organs(&options(CASES, [64, 64, 24]), case).unwrap();
        for (class, sum) in sums.iter_mut().enumerate() {
            *sum += best_threshold_dice(&image.voxels, &labels.voxels, class as u8 + 1);
        }
    }
    let means = sums.map(|s| s / CASES as f64);
    for (name, mean) in SYNAPSE_CLASSES.iter().zip(means) {
        assert!(mean < 0.7, "{name} {mean}");
    }
    let mean = means.iter().sum::<f64>() / 8.0;
    assert!(mean < 0.3, "{mean}");
}

#[test]
fn cases_depend_on_seed_and_number_alone() {
    let small = |seed, cases, case| {
        let options = Options {
            seed,
            ..options(cases, [32, 32, 16])
        };
        phantom(&options, case).unwrap().0
    };
    assert_eq!(small(1, 2, 1), small(1, 9, 1));
    assert_ne!(small(1, 2, 1).voxels, small(2, 2, 1).voxels);
    assert_ne!(small(1, 2, 0).voxels, small(1, 2, 1).voxels);
}

/// Every layout opens as the dataset it imitates, with its published split and few-shot list.
#[test]
fn layouts_serve_the_published_splits() {
    for (layout, declared, classes) in [
        (
            Layout::Synapse,
            "Synapse(root: ROOT, labelled: synapse_10pct_221)",
            8,
        ),
        (
            Layout::SynapsePreprocessed,
            "Synapse(root: ROOT, labelled: synapse_10pct_221)",
            8,
        ),
        (Layout::La, "La(root: ROOT, labelled: la_4)", 1),
        (Layout::LaH5, "La(root: ROOT, labelled: la_4)", 1),
        (
            Layout::Promise12,
            "Promise12(root: ROOT, labelled: promise_3)",
            1,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("new");
        let options = Options {
            layout,
            ..options(5, [32, 32, 24])
        };
        let files = generate(&options, &root).unwrap();
        assert_eq!(files.len(), 5);
        let root = format!("{:?}", root.to_string_lossy());
        let source: Source = ron::from_str(&declared.replace("ROOT", &root)).unwrap();
        let data = Dataset::open(&source, 1 << 24).unwrap();
        let division = data.division();
        assert_eq!(
            (division.train.len(), division.test.len()),
            (3, 2),
            "{layout:?}"
        );
        assert!(!data.slices(Part::Labelled).is_empty(), "{layout:?}");
        for case in 0..5 {
            let label = data.label(case).unwrap();
            for class in 1..=classes {
                assert!(label.voxels.contains(&class), "{layout:?} {class}");
            }
            let image = data.image(case).unwrap();
            let high = image.voxels.iter().copied().fold(0.0, f32::max);
            assert!((0.8..=1.0).contains(&high), "{layout:?} {high}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let message = generate(&options(1, [8, 8, 8]), folder.path()).unwrap_err();
    assert!(message.to_string().contains("16 to 1024"));
}

/// The names decide which cases train, so that they must stay.
#[test]
fn synapse_cases_begin_with_three_that_train() {
    let names = [0, 1, 2, 3, 4, 5, 29, 30].map(|case| files::name(&Split::Synapse18x12, case).0);
    let numbers = [5, 6, 7, 1, 2, 9, 38, 41].map(|number| format!("case{number:04}"));
    assert_eq!(names, numbers);
}

#[test]
fn names_are_unique() {
    for split in [Split::Synapse18x12, Split::La80x20, Split::Promise40x10] {
        let names: std::collections::BTreeSet<String> =
            (0..120).map(|case| files::name(&split, case).0).collect();
        assert_eq!(names.len(), 120);
    }
}

/// Dice of `low..=high` against a class, for the best of all windows on a 10 HU grid.
fn best_threshold_dice(image: &[i16], labels: &[u8], class: u8) -> f64 {
    const BINS: usize = 60;
    let bin = |hu: i16| (usize::try_from(hu + 200).unwrap_or(0) / 10).min(BINS - 1);
    let (mut all, mut hit) = ([0_usize; BINS], [0_usize; BINS]);
    for (hu, label) in image.iter().zip(labels) {
        all[bin(*hu)] += 1;
        hit[bin(*hu)] += usize::from(*label == class);
    }
    let size: usize = hit.iter().sum();
    let mut best = 0.0_f64;
    for low in 0..BINS {
        let (mut picked, mut overlap) = (0, 0);
        for high in low..BINS {
            picked += all[high];
            overlap += hit[high];
            best = best.max(2.0 * overlap as f64 / (picked + size) as f64);
        }
    }
    best
}
