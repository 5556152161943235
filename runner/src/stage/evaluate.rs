//! Measures a fine-tuned network on the test volumes, draws slices of them, and writes the summary.

use super::plan::finetune_called;
use super::weights::finetuned_weights;
use super::{Context, Segmenter};
use crate::data::intensity::normalize;
use crate::data::slice::slice;
use crate::data::source::Intensity;
use crate::data::volume::Volume;
use crate::error::Result;
use crate::journal::{Overlay, Progress, Report, Subject, draw_overlay, print_result};
use crate::metrics::volume::{CaseScores, NSD_MM, score_case};
use crate::pipeline::Evaluate;

/// Runs the stage.
///
/// # Errors
/// Data, device or disk fail, or the user interrupts.
pub(super) fn run(ctx: &Context<'_>, stage: &Evaluate) -> Result<()> {
    let data = ctx.dataset(&stage.data)?;
    let finetune = finetune_called(ctx.pipeline, &stage.model)?;
    let weights = finetuned_weights(ctx.pipeline, ctx.run.root(), finetune)?;
    let axis = data.source().slice_axis();
    let classes = data.classes();
    let sizes = (classes.len(), axis, stage.batch);
    let mut segmenter = Segmenter::new(
        ctx.device,
        ctx.fuse,
        (ctx.pipeline, finetune),
        sizes,
        &stage.quirks,
        &weights,
    )?;
    let test = &data.division().test;
    let mut progress = Progress::new(&stage.name, test.len(), 0, 1);
    let mut scores: Vec<CaseScores> = Vec::new();
    for (done, &case) in test.iter().enumerate() {
        let (image, truth) = (data.image(case)?, data.label(case)?);
        let predicted = segmenter.segment(&image)?;
        let name = &data.cases()[case].name;
        progress.line(&format!(
            "{} {}/{}: {name}",
            stage.name,
            done + 1,
            test.len()
        ));
        scores.push(score_case(name, &predicted, &truth, classes.len(), NSD_MM)?);
        if done < stage.overlays
            && let Some(index) = fullest_slice(&truth, axis)
            && let (Some(image), Some(truth), Some(predicted)) = (
                slice(&*image, axis, index),
                slice(&*truth, axis, index),
                slice(&predicted, axis, index),
            )
        {
            let (mut image, truth, predicted) = (
                image.radiological(),
                truth.radiological(),
                predicted.radiological(),
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
            draw_overlay(
                &ctx.run.path(&format!("overlays/{name}.png")),
                &overlay,
                classes,
            )?;
        }
        progress.step(None);
    }
    progress.finish();
    let subject = Subject::Stage {
        pipeline: ctx.pipeline.name.clone(),
        stage: stage.name.clone(),
    };
    let report = Report::new(subject, classes, NSD_MM, scores);
    report.write(ctx.run.root())?;
    print_result(report);
    Ok(())
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
