//! Measures a fine-tuned network on the test volumes, draws slices of them, and writes the summary.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::plan::finetune_called;
use super::weights::{finetuned_weights, network_files, network_sha256};
use super::{Context, Segmenter};
use crate::data::dataset::Dataset;
use crate::data::formats::{self, Scan};
use crate::data::intensity::normalize;
use crate::data::layout::Case;
use crate::data::slice::slice;
use crate::data::source::Intensity;
use crate::data::volume::Volume;
use crate::error::{Error, Result};
use crate::file_hash::{files_sha256, hex};
use crate::journal::{
    Origin, Overlay, Progress, Report, SUMMARY, Scored, Subject, draw_overlay, print_result,
};
use crate::metrics::volume::{CaseScores, NSD_MM, score_case};
use crate::pipeline::{Evaluate, Finetune, Stage};
use crate::run_dir::RunDir;

/// Runs the stage, or shows its result if that is there and still holds.
///
/// # Errors
/// Data, device or disk fail, or the user interrupts.
pub(super) fn run(ctx: &Context<'_>, stage: &Evaluate) -> Result<()> {
    let data = ctx.dataset(&stage.data)?;
    let finetune = finetune_called(ctx.pipeline, &stage.model)?;
    let files = network_files(ctx.pipeline, ctx.run.root(), finetune)?;
    let origin = Origin {
        network_sha256: network_sha256(ctx.pipeline, &files)?,
        cases_sha256: cases_sha256(data)?,
    };
    let report = match finished(ctx, stage, &origin) {
        Some(report) => {
            eprintln!("{}: done", stage.name);
            report
        }
        None => {
            let results = RunDir::results(ctx.run.root());
            let scored = Scored::open(&results, &stage.name, &origin)?;
            let mut report = measure(ctx, stage, (data, finetune), &scored)?;
            report.origin = Some(origin);
            report.write(&results, &stage.name)?;
            scored.remove()?;
            report
        }
    };
    let evaluations = ctx
        .pipeline
        .stages
        .iter()
        .filter(|s| matches!(s, Stage::Evaluate(_)));
    if evaluations.clone().next_back().map(Stage::name) == Some(&stage.name) {
        report.write(ctx.run.root(), SUMMARY)?;
    }
    if evaluations.count() > 1 {
        print_result(format_args!("\n{}\n\n", stage.name));
    }
    print_result(report);
    Ok(())
}

/// The result that the stage has already, if it was computed from the same and all that belongs to it is there.
fn finished(ctx: &Context<'_>, stage: &Evaluate, origin: &Origin) -> Option<Report> {
    // One that cannot be read is computed again.
    let found = Report::read(&RunDir::results(ctx.run.root()), &stage.name)
        .ok()
        .flatten();
    let report = found?;
    let changed = match &report.origin {
        Some(o) if o.network_sha256 != origin.network_sha256 => "the network",
        Some(o) if o.cases_sha256 != origin.cases_sha256 => "its test data",
        Some(_) => {
            let mut cases = report.cases.iter();
            let is_whole =
                cases.all(|case| written(ctx, stage, &case.case).iter().all(|p| p.exists()));
            return is_whole.then_some(report);
        }
        None => return None,
    };
    eprintln!(
        "{}: measured again, since {changed} has changed",
        stage.name
    );
    None
}

/// SHA-256 over names and files of all test cases.
fn cases_sha256(data: &Dataset) -> Result<String> {
    let mut files = Vec::new();
    let mut names = String::new();
    for &case in &data.division().test {
        let case = &data.cases()[case];
        names += &format!("{}\n", case.name);
        for scan in [Some(&case.image), case.label.as_ref()]
            .into_iter()
            .flatten()
        {
            files.extend(scan.files()?);
        }
    }
    let all = Sha256::digest(names + &files_sha256(&files)?);
    Ok(hex(&all))
}

/// The scores of all test cases; those that are known from a run that was interrupted are kept.
fn measure(
    ctx: &Context<'_>,
    stage: &Evaluate,
    (data, finetune): (&Dataset, &Finetune),
    scored: &Scored,
) -> Result<Report> {
    let test = data.division().test.iter();
    let known = test.map(|case| {
        let name = &data.cases()[*case].name;
        scored.of(name, &written(ctx, stage, name))
    });
    let mut scores: Vec<Option<CaseScores>> = known.collect();
    if scores.iter().any(Option::is_none) {
        measure_unknown(ctx, stage, (data, finetune), (scored, &mut scores))?;
    }
    let subject = Subject::Stage {
        pipeline: ctx.pipeline.name.clone(),
        stage: stage.name.clone(),
    };
    let scores = scores.into_iter().flatten().collect();
    Ok(Report::new(subject, data.classes(), NSD_MM, scores))
}

/// Measures the test cases that have no scores yet.
fn measure_unknown(
    ctx: &Context<'_>,
    stage: &Evaluate,
    (data, finetune): (&Dataset, &Finetune),
    (scored, scores): (&Scored, &mut [Option<CaseScores>]),
) -> Result<()> {
    let weights = finetuned_weights(ctx.pipeline, ctx.run.root(), finetune)?;
    let axis = data.source().slice_axis();
    let classes = data.classes();
    let sizes = (classes.len(), axis, stage.batch);
    let mut segmenter = Segmenter::new(
        ctx.device,
        ctx.fuse,
        ctx.pipeline,
        sizes,
        &stage.quirks,
        &weights,
    )?;
    let known = scores.iter().flatten().count();
    ctx.begins(&stage.name, known)?;
    let overlays = ctx.run.path(&format!("overlays/{}", stage.name));
    make_folder(&overlays)?;
    if stage.save_labels {
        make_folder(&ctx.run.path(&format!("labels/{}", stage.name)))?;
    }
    let test = &data.division().test;
    let progress = Progress::through(&stage.name, test.len(), known, "volumes");
    if known > 0 {
        let all = test.len();
        progress.line(&format!(
            "{}: {known} of {all} volumes were measured earlier",
            stage.name
        ));
    }
    for (done, (&case, scores)) in test.iter().zip(scores).enumerate() {
        if scores.is_some() {
            continue;
        }
        let (image, truth) = (data.image(case)?, data.label(case)?);
        let predicted = segmenter.segment(&image)?;
        let case = &data.cases()[case];
        let name = &case.name;
        progress.line(&format!(
            "{} {}/{}: {name}",
            stage.name,
            done + 1,
            test.len()
        ));
        let found = score_case(name, &predicted, &truth, classes.len(), NSD_MM)?;
        if stage.save_labels {
            save_labels(case, &predicted, &labels_path(ctx, stage, name))?;
        }
        if done < stage.overlays {
            let path = overlays.join(format!("{name}.png"));
            draw(&path, data, (&image, &truth, &predicted))?;
        }
        scored.add(&found, &written(ctx, stage, name))?;
        *scores = Some(found);
        progress.step(None);
    }
    progress.finish();
    Ok(())
}

/// What else than scores and pictures is written of a case.
fn written(ctx: &Context<'_>, stage: &Evaluate, case: &str) -> Vec<PathBuf> {
    let labels = stage.save_labels.then(|| labels_path(ctx, stage, case));
    labels.into_iter().collect()
}

fn labels_path(ctx: &Context<'_>, stage: &Evaluate, case: &str) -> PathBuf {
    ctx.run
        .path(&format!("labels/{}/{case}.nii.gz", stage.name))
}

/// Writes a label map with all that the scan's file says of its place; slices in files of their own say nothing.
fn save_labels(case: &Case, labels: &Volume<u8>, path: &Path) -> Result<()> {
    match &case.image {
        Scan::File(scan) | Scan::Channel(scan, _) => {
            formats::write_labels_like(scan, labels, path)?;
        }
        Scan::Series(..) | Scan::Slices(_) => formats::write_labels(path, labels)?,
    }
    Ok(())
}

fn make_folder(path: &Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| Error::file(path, "create the folder", e))
}

/// Draws the fullest slice of a case.
fn draw(
    path: &Path,
    data: &Dataset,
    (image, truth, predicted): (&Volume<f32>, &Volume<u8>, &Volume<u8>),
) -> Result<()> {
    let axis = data.source().slice_axis();
    let Some(index) = fullest_slice(truth, axis) else {
        return Ok(());
    };
    let (Some(image), Some(truth), Some(predicted)) = (
        slice(image, axis, index),
        slice(truth, axis, index),
        slice(predicted, axis, index),
    ) else {
        return Ok(());
    };
    let (mut image, truth, predicted) = (
        image.radiological(axis),
        truth.radiological(axis),
        predicted.radiological(axis),
    );
    if data.intensity() == Intensity::ZScore {
        normalize(&mut image.pixels, Intensity::default());
    }
    let overlay = Overlay {
        height: image.height,
        width: image.width,
        image: &image.pixels,
        truth: &truth.pixels,
        prediction: &predicted.pixels,
    };
    draw_overlay(path, &overlay, data.classes())
}

/// The slice that shows most classes, and among those most labelled pixels.
fn fullest_slice(truth: &Volume<u8>, axis: crate::data::source::Axis) -> Option<usize> {
    let count = crate::data::slice::depth(truth.grid.shape, axis);
    let fullness = |index: &usize| {
        let pixels = slice(truth, axis, *index)
            .map(|p| p.pixels)
            .unwrap_or_default();
        let mut seen = [false; 256];
        pixels.iter().for_each(|p| seen[usize::from(*p)] = true);
        (
            seen.iter().filter(|s| **s).count(),
            pixels.iter().filter(|p| **p > 0).count(),
        )
    };
    (0..count).max_by_key(fullness)
}
