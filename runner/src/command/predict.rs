//! `runner predict`: segments a volume with a finished run.

use super::open_device;
use crate::cli::PredictArgs;
use crate::data::formats::{self, Arrays, nifti};
use crate::data::intensity::normalize;
use crate::error::{Error, Result};
use crate::pipeline::{Stage, load};
use crate::stage::{Segmenter, finetuned_weights};

/// Slices segmented at a time.
const BATCH: usize = 4;

/// Writes a label volume in the input's grid, orientation and affine.
///
/// # Errors
/// A run without a finished fine-tuning stage, an unreadable volume, a device that fails, or an
/// output that cannot be written.
pub fn predict(args: &PredictArgs) -> Result<()> {
    let pipeline = load(&args.run.join("resolved.ron"), &[])?;
    let last = pipeline.stages.iter().rev().find_map(|stage| match stage {
        Stage::Finetune(s) => Some(s),
        _ => None,
    });
    let stage = last.ok_or_else(|| Error::RunDirectory {
        path: args.run.clone(),
        problem: "its pipeline has no Finetune stage".into(),
    })?;
    let source = pipeline
        .data
        .get(&stage.data)
        .ok_or_else(|| Error::Usage(format!("no data set is named `{}`", stage.data)))?;
    let weights = finetuned_weights(&pipeline, &args.run, stage)?;
    let mut image = formats::read_image(&args.input, Arrays::default())?;
    normalize(&mut image.voxels, source.intensity());
    let device = open_device(&args.device)?;
    let classes = source.classes();
    let sizes = (classes.len(), source.slice_axis(), BATCH);
    let fuse = !args.device.no_fuse;
    let network = (&pipeline, stage);
    let mut segmenter = Segmenter::new(&device, fuse, network, sizes, &stage.quirks, &weights)?;
    let labels = segmenter.segment(&image)?;
    nifti::write_labels_like(&args.input, &labels, &args.output)?;
    let legend = (1..)
        .zip(&classes)
        .map(|(value, name)| format!("{value} {name}"));
    eprintln!("labels: {}", legend.collect::<Vec<_>>().join(", "));
    Ok(())
}
