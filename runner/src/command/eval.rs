//! `runner eval`: scores label files against others.

use std::path::{Path, PathBuf};

use super::expect_there;
use crate::cli::EvalArgs;
use crate::data::decode;
use crate::data::error::DataError;
use crate::data::formats::{self, Arrays, Scan};
use crate::data::layout::{image_of, known_files, numbered};
use crate::data::volume::Volume;
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
    let pairs = pairs(args)?;
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
        let (prediction, truth) = read(prediction, truth, args.series.as_deref())?;
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
fn pairs(args: &EvalArgs) -> Result<Vec<(String, PathBuf, PathBuf)>> {
    let (prediction, reference) = (args.prediction.as_path(), args.reference.as_path());
    expect_there(prediction)?;
    expect_there(reference)?;
    // Slices in a folder are one label map.
    let is_folder = |path: &Path| path.is_dir() && !formats::is_series(path);
    let folders = is_folder(prediction);
    if folders != is_folder(reference) {
        let (one, other) = (prediction.display(), reference.display());
        let problem = format!("{one} and {other} are a file and a folder; give two of a kind");
        return Err(Error::Usage(problem));
    }
    if !folders {
        if args.series.is_some() && !prediction.is_dir() && !reference.is_dir() {
            let problem = "--series is for folders of DICOM slices; leave it out";
            return Err(Error::Usage(problem.into()));
        }
        let file = prediction.file_name().unwrap_or_default().to_string_lossy();
        let name = formats::scan_name(prediction).unwrap_or_else(|| file.into());
        return Ok(vec![(name, prediction.into(), reference.into())]);
    }
    let mut predictions = known_files(prediction)?;
    let (mut pairs, mut unpaired, mut channels) = (Vec::new(), Vec::new(), Vec::new());
    for (truth, path) in known_files(reference)? {
        // A prediction is called like its scan, or like the truth.
        let Some(name) = image_of(&truth, |name| predictions.contains_key(name)) else {
            unpaired.push(truth);
            continue;
        };
        let Some(of) = predictions.remove(&name) else {
            continue;
        };
        // A run that knows no channels has taken the others of this scan for scans of their own.
        if numbered(&name).is_some_and(|(case, number)| number == 0 && case == truth) {
            predictions.retain(|other, _| {
                let is_channel = numbered(other).is_some_and(|(case, _)| case == truth);
                channels.extend(is_channel.then(|| other.clone()));
                !is_channel
            });
        }
        let case = if truth.len() < name.len() {
            truth
        } else {
            name
        };
        pairs.push((case, of, path));
    }
    if !channels.is_empty() {
        let names = some(&channels);
        eprintln!("warning: {names}: further channels of scans whose _0000 is scored; left out");
    }
    let missing = [
        (reference, predictions.into_keys().collect()),
        (prediction, unpaired),
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

/// The label maps of a pair, in folders of several series the one chosen. Where one file says nothing of its geometry,
/// that of the other is taken.
fn read(prediction: &Path, truth: &Path, series: Option<&str>) -> Result<(Volume<u8>, Volume<u8>)> {
    let arrays = Arrays::default();
    let read = |path: &Path| {
        let scan = formats::scan(path, series.filter(|_| path.is_dir()))?;
        scan.read_labels(arrays)
    };
    let beside = |path: &Path, other: &Volume<u8>| {
        decode::read_beside(&Scan::File(path.to_owned()), &other.grid, arrays)
    };
    match [prediction, truth].map(formats::lacks_geometry) {
        [true, false] => {
            let truth = read(truth)?;
            Ok((beside(prediction, &truth)?, truth))
        }
        [false, true] => {
            let prediction = read(prediction)?;
            let truth = beside(truth, &prediction)?;
            Ok((prediction, truth))
        }
        _ => Ok((read(prediction)?, read(truth)?)),
    }
}

/// Refuses a pair of which one seems mirrored or turned, and returns a warning of one whose affines differ.
fn compare_places(prediction: &Volume<u8>, truth: &Volume<u8>) -> Result<Option<String>> {
    let (ours, theirs) = (&prediction.grid, &truth.grid);
    if ours.shape != theirs.shape {
        return Ok(None);
    }
    let shift = ours.largest_shift_mm(theirs);
    let smallest = theirs.spacings_mm().fold(f64::INFINITY, f64::min);
    if shift <= smallest / 2.0 {
        return Ok(None);
    }
    let reference = truth.path.display();
    let codes = [ours, theirs].map(|grid| grid.orientation.codes());
    if !ours.is_stored_like(theirs) {
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
