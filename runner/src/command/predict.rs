//! `runner predict`: segments volumes with a finished run.

use std::path::{Path, PathBuf};

use super::open_device;
use crate::cli::PredictArgs;
use crate::data::decode;
use crate::data::formats;
use crate::data::layout::known_files;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::journal::Progress;
use crate::pipeline::{Stage, load};
use crate::stage::{Segmenter, finetuned_weights};

/// Slices segmented at a time.
const BATCH: usize = 4;

/// Writes a label volume in the grid, orientation and affine of each input. One volume is in memory at a
/// time; of several one that cannot be used is reported, and the others are segmented all the same.
///
/// # Errors
/// A run without a finished fine-tuning stage, no or unreadable volumes, a device that fails, or an
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
    let volumes = volumes(&args.input, &args.output)?;
    if let Some(folder) = &args.probabilities {
        create_folder(folder)?;
    }
    interrupt::listen()?;
    let device = open_device(&args.device, pipeline.precision)?;
    let classes = source.classes();
    let sizes = (classes.len(), source.slice_axis(), BATCH);
    let fuse = !args.device.no_fuse;
    let network = (&pipeline, stage);
    let mut segmenter = Segmenter::new(&device, fuse, network, sizes, &stage.quirks, &weights)?;
    let mut segment = |input: &Path, output: &Path| -> Result<()> {
        let image = decode::scan(input, source)?;
        let Some(folder) = &args.probabilities else {
            let labels = segmenter.segment(&image)?;
            return Ok(formats::write_labels_like(input, &labels, output)?);
        };
        let (labels, probabilities) = segmenter.probabilities(&image, classes.len())?;
        formats::write_labels_like(input, &labels, output)?;
        let name = formats::scan_name(input).unwrap_or_default();
        for (class, volume) in classes.iter().zip(probabilities) {
            let file = folder.join(format!("{name}_{}.nii.gz", class.replace([' ', '/'], "_")));
            formats::write_probabilities_like(input, &volume, &file)?;
        }
        Ok(())
    };
    let mut progress = Progress::new("predict", volumes.len(), 0, 1);
    let mut failed = 0;
    for (input, output) in &volumes {
        match segment(input, output) {
            // The fault is that volume's: the others can be segmented all the same.
            Err(Error::Data(error)) if volumes.len() > 1 => {
                progress.line(&format!("error: {error}"));
                failed += 1;
            }
            segmented => segmented?,
        }
        progress.step(None);
    }
    progress.finish();
    let legend = (1..)
        .zip(&classes)
        .map(|(value, name)| format!("{value} {name}"));
    eprintln!("labels: {}", legend.collect::<Vec<_>>().join(", "));
    match failed {
        0 => Ok(()),
        _ => Err(Error::Volumes {
            failed,
            all: volumes.len(),
        }),
    }
}

/// Input and output files: of a folder that is no DICOM series all volumes, whose label maps are called
/// `NAME.nii.gz`.
fn volumes(input: &Path, output: &Path) -> Result<Vec<(PathBuf, PathBuf)>> {
    if !input.is_dir() || formats::is_series(input) {
        return Ok(vec![(input.to_owned(), output.to_owned())]);
    }
    let files = known_files(input)?;
    create_folder(output)?;
    let named = |(name, path)| (path, output.join(format!("{name}.nii.gz")));
    Ok(files.into_iter().map(named).collect())
}

fn create_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::file(folder, "create the folder", e))
}
