#![allow(clippy::unwrap_used)]

use super::*;

fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("c{i:02}")).collect()
}

fn synapse() -> Vec<String> {
    (1..=10)
        .chain(21..=40)
        .map(|i| format!("case{i:04}"))
        .collect()
}

fn root() -> &'static Path {
    Path::new("data")
}

#[test]
fn published_synapse_lists() {
    let names = synapse();
    let division = divide(root(), &names, &Split::Synapse18x12).unwrap();
    assert_eq!((division.train.len(), division.test.len()), (18, 12));
    assert!(division.missing.is_empty());
    let depths = vec![200; 30];
    let (tenth, missing) = labelled_slices(
        root(),
        &names,
        &depths,
        &division.train,
        &Labelled::Synapse10Pct221,
    )
    .unwrap();
    assert_eq!((tenth.len(), missing.len()), (221, 0));
    let (all, _) =
        labelled_slices(root(), &names, &depths, &division.train, &Labelled::All).unwrap();
    assert_eq!(all.len(), 18 * 200);
    assert_eq!(SYNAPSE_TRAIN_SLICES.lines().count(), 2211);
}

#[test]
fn published_la_lists_may_be_incomplete_on_disk() {
    let names: Vec<String> = LA_TRAIN
        .lines()
        .take(2)
        .chain(LA_TEST.lines().take(1))
        .map(str::to_owned)
        .collect();
    let division = divide(root(), &names, &Split::La80x20).unwrap();
    assert_eq!(
        (
            division.train.len(),
            division.test.len(),
            division.missing.len()
        ),
        (2, 1, 97)
    );
    let (slices, missing) =
        labelled_slices(root(), &names, &[88; 3], &division.train, &Labelled::La4).unwrap();
    assert_eq!(slices.len() + missing.len(), 224);
    assert!(!slices.is_empty());
}

#[test]
fn draws_depend_on_the_seed_alone() {
    let split = |seed| Split::Fraction { test: 0.3, seed };
    let a = divide(root(), &names(10), &split(7)).unwrap();
    assert_eq!((a.train.len(), a.test.len()), (7, 3));
    assert_eq!(a, divide(root(), &names(10), &split(7)).unwrap());
    assert_ne!(a, divide(root(), &names(10), &split(8)).unwrap());
    let labelled = Labelled::Fraction {
        cases: 0.2,
        seed: 7,
    };
    let (slices, _) = labelled_slices(root(), &names(10), &[5; 10], &a.train, &labelled).unwrap();
    assert_eq!(slices.len(), 5);
    assert!(slices.iter().all(|s| a.train.contains(&s.case)));
    let tenth = Labelled::FractionOfSlices {
        slices: 0.1,
        seed: 7,
    };
    let (slices, _) = labelled_slices(root(), &names(10), &[5; 10], &a.train, &tenth).unwrap();
    assert_eq!(slices.len(), 3);
}

#[test]
fn user_lists_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let list = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let split = |train: &str, test: &str| Split::Lists {
        train: list("train.txt", train),
        test: list("test.txt", test),
    };
    let names = names(4);
    let good = divide(root(), &names, &split("c02\n# note\n\nc00\n", "c01")).unwrap();
    assert_eq!((good.train, good.test), (vec![0, 2], vec![1]));
    for (train, test, expected) in [
        ("c00\nc01", "c01", "case c01 is in both"),
        ("c00\nc09", "c01", "case c09 is not in the dataset"),
        ("c00\nc00", "c01", "listed twice"),
        ("c00", "", "1 training and 0 test"),
    ] {
        let message = divide(root(), &names, &split(train, test))
            .unwrap_err()
            .to_string();
        assert!(message.contains(expected), "{message}");
    }
    let labelled = |text: &str| {
        let labelled = Labelled::List(list("labelled.txt", text));
        labelled_slices(root(), &names, &[5; 4], &[0, 2], &labelled).map(|(s, _)| s.len())
    };
    assert_eq!(labelled("c00\nc02_slice004\nc02_slice004").unwrap(), 6);
    for bad in ["c01", "c02_slice005", "c02_slice", "nothing"] {
        let message = labelled(bad).unwrap_err().to_string();
        assert!(message.contains(bad), "{message}");
    }
}

#[test]
fn too_many_cases_or_odd_fractions_are_refused() {
    let ask = |split| divide(root(), &names(4), &split).unwrap_err().to_string();
    assert!(ask(Split::First { train: 3, test: 2 }).contains("3 + 2"));
    assert!(ask(Split::Fraction { test: 1.5, seed: 0 }).contains("1.5"));
    assert!(
        ask(Split::Fraction {
            test: f32::NAN,
            seed: 0
        })
        .contains("NaN")
    );
    assert!(ask(Split::Synapse18x12).contains("0 training"));
}
