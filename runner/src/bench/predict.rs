//! A whole volume from file to file.

use std::time::Instant;

use samora_engine::weights::Weights;
use samora_engine::{Device, plan};

use super::measure::median;
use super::{Ceiling, Measured, Memory};
use crate::data::decode;
use crate::data::formats::{self, Scan};
use crate::error::{Error, Result};
use crate::phantom::{Layout, Options, generate};
use crate::pipeline::{Pipeline, Stage};
use crate::stage::{Segmenter, StageGraph, stage_graph};

/// Times `rounds` segmentations of a phantom of so many voxels by the pipeline's fine-tuning stage with drawn
/// weights, after one to warm up: a NIfTI file is read, normalised, segmented and its labels written.
///
/// # Errors
/// A pipeline without evaluation, a full disk, or a device that fails.
pub fn predict(
    name: String,
    pipeline: &Pipeline,
    shape: [usize; 3],
    (device, ceiling): (&Device, &mut Ceiling<'_>),
    fuse: bool,
    rounds: usize,
) -> Result<Measured> {
    let evaluation = pipeline.stages.iter().find_map(|stage| match stage {
        Stage::Evaluate(s) => Some((stage, s)),
        _ => None,
    });
    let tuning = pipeline.stages.iter().find_map(|stage| match stage {
        Stage::Finetune(s) => Some(s),
        _ => None,
    });
    let (Some((stage, evaluate)), Some(tuning)) = (evaluation, tuning) else {
        return Err(Error::Usage("the pipeline evaluates no network".into()));
    };
    let source = pipeline
        .data
        .get(&tuning.data)
        .ok_or_else(|| Error::Usage(format!("no data set is named `{}`", tuning.data)))?;
    let folder = std::env::temp_dir();
    let folder = tempfile::tempdir_in(&folder)
        .map_err(|e| Error::file(&folder, "create a folder in it", e))?;
    let options = Options {
        layout: Layout::Folder,
        cases: 1,
        seed: 1,
        shape,
    };
    let scans = generate(&options, folder.path())?;
    let (path, labels) = (&scans[0], folder.path().join("labels.nii.gz"));
    let scan = Scan::File(path.clone());

    let begun = Instant::now();
    let sizes = (source.classes().len(), source.slice_axis(), evaluate.batch);
    let drawn = Weights::default();
    let mut segmenter = Segmenter::new(device, fuse, pipeline, sizes, &[], &drawn)?;
    let (mut start, mut seconds, mut rates) = (0.0, Vec::new(), Vec::new());
    for round in 0..=rounds {
        let begin = Instant::now();
        let image = decode::scan(&scan, source)?;
        let segmented = segmenter.segment(&image)?;
        formats::write_labels_like(path, &segmented, &labels)?;
        match round {
            0 => start = begun.elapsed().as_secs_f64(),
            _ => {
                seconds.push(begin.elapsed().as_secs_f64());
                rates.push(ceiling.rate()?);
            }
        }
    }
    seconds.sort_by(f64::total_cmp);
    rates.sort_by(f64::total_cmp);
    let StageGraph { graph, wanted, .. } = stage_graph(pipeline, stage)?;
    let (program, batches) = (segmenter.program(), shape[2].div_ceil(evaluate.batch));
    let planned = plan(&graph, &wanted, device.planning(fuse))?;
    Ok(Measured {
        name,
        batch: shape[2],
        kernels: planned.steps.len(),
        flops: batches as f64 * planned.flops() as f64,
        bytes: batches as f64 * planned.bytes() as f64,
        start,
        seconds,
        host: f64::NAN,
        ceiling: median(&rates),
        memory: Memory::new(&graph, &planned, program.copy_bytes()),
        losses: Vec::new(),
        profile: Vec::new(),
    })
}
