//! `runner eval`: scores label files against others.

use std::path::{Path, PathBuf};

use super::expect_there;
use crate::cli::EvalArgs;
use crate::data::error::DataError;
use crate::data::formats::{self, ArrayAxes, Arrays};
use crate::data::layout::known_files;
use crate::data::volume::{Grid, Volume};
use crate::error::{Error, Result};
use crate::journal::{Progress, Report, SUMMARY, Subject, print_result};
use crate::metrics::volume::{CaseScores, score_case};
use crate::outputs;

/// Prints the scores of all cases, and writes them if a folder is given.
///
/// # Errors
/// Files without counterpart, unreadable ones, pairs that differ in shape or mirror each other, labels
/// without a name, or a folder that cannot be written.
pub fn eval(args: &EvalArgs) -> Result<()> {
    if let Some(out) = &args.out {
        refuse_run(out)?;
    }
    let pairs = pairs(&args.prediction, &args.reference)?;
    if let Some(out) = &args.out {
        let files = pairs
            .iter()
            .flat_map(|(_, one, other)| [one.clone(), other.clone()]);
        let read: Vec<PathBuf> = files.collect();
        outputs::prepare(&read, &Report::files(out, SUMMARY), args.overwrite)?;
    }
    let progress = Progress::through("eval", pairs.len(), 0, "cases");
    let mut cases = Vec::with_capacity(pairs.len());
    for (name, prediction, truth) in &pairs {
        let (prediction, truth) = read(prediction, truth)?;
        if let Some(warning) = compare_places(&prediction, &truth)? {
            progress.line(&format!("warning: {warning}"));
        }
        let labels = match args.classes.len() {
            0 => usize::from(u8::MAX),
            named => {
                expect_labels_up_to(named, &prediction)?;
                expect_labels_up_to(named, &truth)?;
                named
            }
        };
        let scores = score_case(name, &prediction, &truth, labels, args.nsd_mm)?;
        cases.push(scores);
        progress.step(None);
    }
    progress.finish();
    let classes = match args.classes.is_empty() {
        true => keep_labels_that_occur(&mut cases),
        false => args.classes.clone(),
    };
    if classes.is_empty() {
        let problem = "neither here nor in the reference is any voxel labelled";
        return Err(DataError::content(&args.prediction, problem).into());
    }
    let subject = Subject::Files {
        prediction: args.prediction.clone(),
        reference: args.reference.clone(),
    };
    let report = Report::new(subject, &classes, args.nsd_mm, cases);
    print_result(&report);
    if let Some(out) = &args.out {
        report.write(out, SUMMARY)?;
        eprintln!("results: {}", out.display());
    }
    Ok(())
}

/// Refuses the directory of a run for the results.
fn refuse_run(out: &Path) -> Result<()> {
    if out.join("resolved.ron").exists() {
        return Err(Error::RunDirectory {
            path: out.to_owned(),
            problem: "is a run directory with a summary of its own; choose another with --out"
                .into(),
        });
    }
    Ok(())
}

/// Name, prediction and truth of every case.
fn pairs(prediction: &Path, reference: &Path) -> Result<Vec<(String, PathBuf, PathBuf)>> {
    expect_there(prediction)?;
    expect_there(reference)?;
    let folders = prediction.is_dir();
    if folders != reference.is_dir() {
        let (one, other) = (prediction.display(), reference.display());
        let problem = format!("{one} and {other} are a file and a folder; give two of a kind");
        return Err(Error::Usage(problem));
    }
    if !folders {
        let file = prediction.file_name().unwrap_or_default().to_string_lossy();
        let name = formats::stem(&file).unwrap_or(&file);
        return Ok(vec![(name.into(), prediction.into(), reference.into())]);
    }
    let predictions = known_files(prediction)?;
    let mut truths = known_files(reference)?;
    let (mut pairs, mut unpaired) = (Vec::new(), Vec::new());
    for (name, path) in predictions {
        match truths.remove(&name) {
            Some(truth) => pairs.push((name, path, truth)),
            None => unpaired.push(name),
        }
    }
    let missing = [
        (reference, unpaired),
        (prediction, truths.into_keys().collect()),
    ];
    let problems: Vec<String> = missing
        .iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(folder, names)| format!("{} has no {}", folder.display(), some(names)))
        .collect();
    if problems.is_empty() {
        return Ok(pairs);
    }
    let problem = format!(
        "does not pair with {}: {}; files pair by name without extension",
        reference.display(),
        problems.join(", and ")
    );
    Err(DataError::content(prediction, problem).into())
}

/// The first few names, and how many more there are.
fn some(names: &[String]) -> String {
    let (shown, more) = names.split_at(names.len().min(6));
    match more.len() {
        0 => shown.join(", "),
        n => format!("{} and {n} more", shown.join(", ")),
    }
}

/// The label maps of a pair. Where one file holds an array without geometry, that of the other is taken.
fn read(prediction: &Path, truth: &Path) -> Result<(Volume<u8>, Volume<u8>)> {
    let read = |path| formats::read_labels(path, Arrays::default());
    match [prediction, truth].map(formats::is_array) {
        [true, false] => {
            let truth = read(truth)?;
            Ok((read_array(prediction, &truth.grid)?, truth))
        }
        [false, true] => {
            let prediction = read(prediction)?;
            let truth = read_array(truth, &prediction.grid)?;
            Ok((prediction, truth))
        }
        _ => Ok((read(prediction)?, read(truth)?)),
    }
}

/// The label map of an array, with the voxels of `other`, and its order of axes where that alone fits.
fn read_array(path: &Path, other: &Grid) -> Result<Volume<u8>> {
    let spacing_mm = other.spacing_mm;
    let read = |axes| formats::read_labels(path, Arrays { axes, spacing_mm });
    let labels = read(ArrayAxes::Zyx)?;
    let [x, y, z] = labels.grid.shape;
    match [x, y, z] != other.shape && [z, y, x] == other.shape {
        true => Ok(read(ArrayAxes::Xyz)?),
        false => Ok(labels),
    }
}

/// Refuses a pair of which one seems mirrored or turned, and returns a warning of one whose affines differ.
fn compare_places(prediction: &Volume<u8>, truth: &Volume<u8>) -> Result<Option<String>> {
    let (ours, theirs) = (&prediction.grid, &truth.grid);
    if ours.shape != theirs.shape {
        return Ok(None);
    }
    let shift = largest_shift_mm(ours, theirs);
    let smallest = theirs.spacing_mm.into_iter().fold(f64::INFINITY, f64::min);
    if shift <= smallest / 2.0 {
        return Ok(None);
    }
    let reference = truth.path.display();
    let codes = [ours, theirs].map(|grid| grid.orientation.codes());
    if codes[0] != codes[1] {
        let problem = format!(
            "is stored as {}, its reference {reference} as {}, and their affines lie {shift:.1} mm apart: \
             one has lost its orientation; write it again with the affine of its scan",
            codes[0], codes[1]
        );
        return Err(DataError::content(&prediction.path, problem).into());
    }
    Ok(Some(format!(
        "{} lies up to {shift:.1} mm off its reference {reference}; voxels are compared one to one, with \
         the reference's spacing",
        prediction.path.display()
    )))
}

/// How far the corners of two grids of one shape are apart at most.
fn largest_shift_mm(one: &Grid, other: &Grid) -> f64 {
    let corner = |grid: &Grid, which: usize| {
        let at = [0, 1, 2].map(|axis| match which >> axis & 1 {
            0 => 0.0,
            _ => grid.shape[axis] as f64 - 1.0,
        });
        [0, 1, 2].map(|row| {
            let [x, y, z, origin] = grid.affine[row];
            x * at[0] + y * at[1] + z * at[2] + origin
        })
    };
    let shift = |which| {
        let (a, b) = (corner(one, which), corner(other, which));
        let square = |axis: usize| (a[axis] - b[axis]).powi(2);
        (square(0) + square(1) + square(2)).sqrt()
    };
    (0..8).map(shift).fold(0.0, f64::max)
}

fn expect_labels_up_to(named: usize, labels: &Volume<u8>) -> Result<()> {
    let highest = labels.voxels.iter().copied().max().unwrap_or(0);
    if usize::from(highest) <= named {
        return Ok(());
    }
    let problem = format!("holds label {highest}, but --classes names {named}; name all of them");
    Err(DataError::content(&labels.path, problem).into())
}

/// Drops the labels that are in no case, and returns the others as names.
fn keep_labels_that_occur(cases: &mut [CaseScores]) -> Vec<String> {
    let occurs = |class: usize| {
        let voxels = |case: &CaseScores| {
            let score = case.classes.get(class);
            score.map_or(0, |score| score.truth_voxels + score.predicted_voxels)
        };
        cases.iter().any(|case| voxels(case) > 0)
    };
    let kept: Vec<usize> = (0..usize::from(u8::MAX)).filter(|&c| occurs(c)).collect();
    for case in cases {
        let mut class = 0..;
        case.classes
            .retain(|_| class.next().is_some_and(|class| kept.contains(&class)));
    }
    kept.iter().map(|class| (class + 1).to_string()).collect()
}
