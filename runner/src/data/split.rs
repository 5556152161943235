//! Which cases train and test, and which training slices keep their labels.
//!
//! The built-in lists are those of the SAMed, H-SAM and UA-MT repositories.

use super::error::{DataError, Result};
use super::source::{Labelled, Split};
use crate::text_file;
use samora_engine::random::Stream;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const SYNAPSE_TRAIN_SLICES: &str = include_str!("lists/synapse_train_2211.txt");
const SYNAPSE_TEST: &str = include_str!("lists/synapse_test_12.txt");
const SYNAPSE_TENTH: &str = include_str!("lists/synapse_train_10pct_221.txt");
const LA_TRAIN: &str = include_str!("lists/la_train_80.txt");
const LA_TEST: &str = include_str!("lists/la_test_20.txt");
const LA_FOUR: &str = include_str!("lists/la_train_4cases_slices.txt");
const PROMISE_TEST: &str = include_str!("lists/promise_test_10.txt");
const PROMISE_THREE: &str = include_str!("lists/promise_train_3cases_slices.txt");

/// One slice of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SliceId {
    /// Index of the case in its dataset.
    pub case: usize,
    /// Index of the slice along the dataset's slice axis.
    pub index: usize,
}

/// Cases divided into training and test, as indices in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Division {
    /// Training cases.
    pub train: Vec<usize>,
    /// Test cases.
    pub test: Vec<usize>,
    /// Entries of a published list that are not on disk.
    pub missing: Vec<String>,
}

/// Divides the cases called `names`.
///
/// # Errors
/// Unreadable list, a listed case that does not exist (published lists may be incomplete on disk),
/// a case in both parts, or a part left without cases.
pub fn divide(root: &Path, names: &[String], split: &Split) -> Result<Division> {
    let all = || (0..names.len()).collect::<Vec<_>>();
    let mut division = Division::default();
    match split {
        Split::AllTrain => division.train = all(),
        Split::AllTest => division.test = all(),
        Split::First { train, test } => {
            if train + test > names.len() {
                let problem = format!(
                    "split asks for {train} + {test} cases, but there are {}",
                    names.len()
                );
                return Err(DataError::dataset(root, problem));
            }
            division.train = (0..*train).collect();
            division.test = (*train..train + test).collect();
        }
        Split::Fraction { test, seed } => {
            let (drawn, rest) = draw(root, all(), *test, *seed, "split")?;
            (division.test, division.train) = (drawn, rest);
        }
        Split::Synapse18x12 => {
            let train: BTreeSet<_> = SYNAPSE_TRAIN_SLICES.lines().map(case_of).collect();
            division.train = published(names, train, &mut division.missing);
            division.test = published(names, SYNAPSE_TEST.lines(), &mut division.missing);
        }
        Split::La80x20 => {
            division.train = published(names, LA_TRAIN.lines(), &mut division.missing);
            division.test = published(names, LA_TEST.lines(), &mut division.missing);
        }
        Split::Promise40x10 => {
            division.test = published(names, PROMISE_TEST.lines(), &mut division.missing);
            let trains = |case: &usize| !division.test.contains(case);
            division.train = all().into_iter().filter(trains).collect();
        }
        Split::Lists { train, test } => {
            division.train = listed(names, train)?;
            division.test = listed(names, test)?;
        }
    }
    division.train.sort_unstable();
    division.test.sort_unstable();
    check_parts(root, names, split, &division)?;
    Ok(division)
}

/// The training slices that keep their labels, in ascending order, and the entries of a published
/// list that are not on disk. `depths` are the numbers of slices of all cases.
///
/// # Errors
/// Unreadable list, or entries that are not slices of training cases.
pub fn labelled_slices(
    root: &Path,
    names: &[String],
    depths: &[usize],
    train: &[usize],
    labelled: &Labelled,
) -> Result<(Vec<SliceId>, Vec<String>)> {
    let slices_of = |cases: &[usize]| -> Vec<SliceId> {
        let of_case = |&case: &usize| {
            (0..depths.get(case).copied().unwrap_or(0)).map(move |index| SliceId { case, index })
        };
        cases.iter().flat_map(of_case).collect()
    };
    let mut missing = Vec::new();
    let mut of_list = |list: &str| {
        let (found, unknown) = match_slices(names, depths, train, list.lines());
        missing = unknown;
        found
    };
    let mut slices = match labelled {
        Labelled::All => slices_of(train),
        Labelled::First(count) => {
            let first = train.get(..*count).ok_or_else(|| {
                let problem = format!(
                    "`labelled` asks for the first {count} training cases, but there are {}",
                    train.len()
                );
                DataError::dataset(root, problem)
            })?;
            slices_of(first)
        }
        Labelled::Fraction { cases, seed } => {
            slices_of(&draw(root, train.to_vec(), *cases, *seed, "labelled")?.0)
        }
        Labelled::FractionOfSlices { slices, seed } => {
            let mut all = slices_of(train);
            check_fraction(root, *slices)?;
            let count = ((all.len() as f32 * slices) as usize).clamp(1.min(all.len()), all.len());
            Stream::named(*seed, "labelled slices").shuffle(&mut all);
            all.truncate(count);
            all
        }
        Labelled::Synapse10Pct221 => of_list(SYNAPSE_TENTH),
        Labelled::La4 => of_list(LA_FOUR),
        Labelled::Promise3 => of_list(PROMISE_THREE),
        Labelled::List(path) => {
            let text = read_list(path)?;
            let (slices, unknown) = match_slices(names, depths, train, entries(&text));
            if let Some(first) = unknown.first() {
                let problem = format!(
                    "{} entries, such as {first}, are neither a training case nor NAME_sliceNNN of one",
                    unknown.len()
                );
                return Err(DataError::content(path, problem));
            }
            slices
        }
    };
    slices.sort_unstable();
    slices.dedup();
    if slices.is_empty() && !train.is_empty() {
        return Err(DataError::dataset(
            root,
            "`labelled` selects no training slice",
        ));
    }
    Ok((slices, missing))
}

/// Slices named by `entries`, each a case or one slice of it, and the entries without a match.
fn match_slices<'a>(
    names: &[String],
    depths: &[usize],
    train: &[usize],
    entries: impl Iterator<Item = &'a str>,
) -> (Vec<SliceId>, Vec<String>) {
    let by_name: BTreeMap<&str, (usize, usize)> = train
        .iter()
        .filter_map(|&c| Some((names.get(c)?.as_str(), (c, *depths.get(c)?))))
        .collect();
    let mut slices = Vec::new();
    let mut unknown = Vec::new();
    for entry in entries {
        let number = |e: &'a str| Some((case_of(e), e.rsplit_once("_slice")?.1.parse().ok()?));
        if let Some(&(case, depth)) = by_name.get(entry) {
            slices.extend((0..depth).map(|index| SliceId { case, index }));
            continue;
        }
        let found = number(entry).and_then(|(name, index): (&str, usize)| {
            let &(case, depth) = by_name.get(name)?;
            (index < depth).then_some(SliceId { case, index })
        });
        match found {
            Some(slice) => slices.push(slice),
            None => unknown.push(entry.to_owned()),
        }
    }
    (slices, unknown)
}

/// Names of the training and test cases of a published split by name, but training cases of its few-shot
/// list first; `None` for other splits.
pub fn published_cases(split: &Split) -> Option<[Vec<String>; 2]> {
    let (few, mut train, test): (_, Vec<String>, _) = match split {
        Split::Synapse18x12 => (
            "",
            SYNAPSE_TRAIN_SLICES
                .lines()
                .map(|s| case_of(s).to_owned())
                .collect(),
            SYNAPSE_TEST,
        ),
        Split::La80x20 => (
            LA_FOUR,
            LA_TRAIN.lines().map(str::to_owned).collect(),
            LA_TEST,
        ),
        Split::Promise40x10 => (
            PROMISE_THREE,
            (0..50).map(|number| format!("Case{number:02}")).collect(),
            PROMISE_TEST,
        ),
        _ => return None,
    };
    let mut test: Vec<String> = test.lines().map(str::to_owned).collect();
    test.sort();
    let mut all = few
        .lines()
        .map(|s| case_of(s).to_owned())
        .collect::<Vec<_>>();
    train.sort();
    all.extend(train);
    let mut seen: BTreeSet<String> = test.iter().cloned().collect();
    all.retain(|name| seen.insert(name.clone()));
    Some([all, test])
}

fn case_of(entry: &str) -> &str {
    entry.rsplit_once("_slice").map_or(entry, |(case, _)| case)
}

fn published<'a>(
    names: &[String],
    list: impl IntoIterator<Item = &'a str>,
    missing: &mut Vec<String>,
) -> Vec<usize> {
    let mut found = Vec::new();
    for entry in list {
        match names.iter().position(|n| n == entry) {
            Some(case) => found.push(case),
            None => missing.push(entry.to_owned()),
        }
    }
    found
}

fn listed(names: &[String], path: &Path) -> Result<Vec<usize>> {
    let text = read_list(path)?;
    let mut found = BTreeSet::new();
    for entry in entries(&text) {
        let Some(case) = names.iter().position(|n| n == entry) else {
            let known = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            let problem = format!("case {entry} is not in the dataset, whose cases are {known}, …");
            return Err(DataError::content(path, problem));
        };
        if !found.insert(case) {
            return Err(DataError::content(
                path,
                format!("case {entry} is listed twice"),
            ));
        }
    }
    Ok(found.into_iter().collect())
}

fn read_list(path: &Path) -> Result<String> {
    text_file::read(path).map_err(|e| DataError::io(path, "read", e))
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// A drawn share of `cases` and the rest, each ascending.
fn draw(
    root: &Path,
    mut cases: Vec<usize>,
    share: f32,
    seed: u64,
    name: &str,
) -> Result<(Vec<usize>, Vec<usize>)> {
    check_fraction(root, share)?;
    let highest = if share == 1.0 {
        cases.len()
    } else {
        cases.len().saturating_sub(1)
    };
    let count = (cases.len() as f32 * share).round() as usize;
    let count = count.clamp(1.min(highest), highest);
    Stream::named(seed, name).shuffle(&mut cases);
    let mut rest = cases.split_off(count);
    cases.sort_unstable();
    rest.sort_unstable();
    Ok((cases, rest))
}

fn check_fraction(root: &Path, share: f32) -> Result<()> {
    if !(share > 0.0 && share <= 1.0) {
        let problem = format!("a fraction of {share} is not above 0 and at most 1");
        return Err(DataError::dataset(root, problem));
    }
    Ok(())
}

fn check_parts(root: &Path, names: &[String], split: &Split, division: &Division) -> Result<()> {
    if let Some(&both) = division.train.iter().find(|c| division.test.contains(c)) {
        let problem = format!(
            "case {} is in both training and test; remove it from one",
            names[both]
        );
        return Err(DataError::dataset(root, problem));
    }
    let (train, test) = (division.train.len(), division.test.len());
    let lacks_train = train == 0 && *split != Split::AllTest;
    let lacks_test = test == 0 && !matches!(split, Split::AllTrain | Split::First { test: 0, .. });
    if lacks_train || lacks_test {
        let known = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let problem = format!(
            "the split leaves {train} training and {test} test cases of {} ({known}, …)",
            names.len()
        );
        return Err(DataError::dataset(root, problem));
    }
    Ok(())
}

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
