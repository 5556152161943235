//! A fine-tuned network and how scans are shown to it: a finished run's, or one that others have published.

mod published;

use std::path::{Path, PathBuf};

use samora_engine::Device;
use samora_engine::weights::Weights;

pub use published::Published;

use crate::data::quirk::Quirk;
use crate::data::source::Source;
use crate::error::{Error, Result};
use crate::pipeline::{Finetune, Pipeline, Stage};
use crate::run_dir::pipeline_of;
use crate::stage::{Segmenter, finetuned_weights, network_files};

/// Slices segmented at a time where nothing else is said.
const BATCH: usize = 4;

/// A network that turns slices into classes.
#[derive(Debug)]
pub struct FineTuned {
    /// Encoder, adapter and decoder.
    pub pipeline: Pipeline,
    /// How scans are read and scaled.
    pub source: Source,
    /// Names of classes 1, 2, ….
    pub classes: Vec<String>,
    /// The files that its weights are in.
    pub files: Vec<PathBuf>,
    batch: usize,
    quirks: Vec<Quirk>,
    weights: Trained,
}

/// Where the weights come from.
#[derive(Debug)]
enum Trained {
    Run(PathBuf, Box<Finetune>),
    Published(Weights),
}

impl FineTuned {
    /// The network that a run ends in; what it segments is what the run measured.
    ///
    /// # Errors
    /// A folder that is no run, or a run that is not finished.
    pub fn of_run(run: &Path) -> Result<Self> {
        let pipeline = pipeline_of(run)?;
        let last = tuned(&pipeline);
        let last = last.and_then(|s| Some((s.clone(), pipeline.data.get(&s.data)?.clone())));
        let (stage, source) = last.ok_or_else(|| Error::RunDirectory {
            path: run.to_owned(),
            problem: "its pipeline has no Finetune stage".into(),
        })?;
        let (batch, quirks) = measured(&pipeline, &stage);
        Ok(Self {
            classes: source.classes(),
            files: network_files(&pipeline, run, &stage)?,
            weights: Trained::Run(run.to_owned(), Box::new(stage)),
            pipeline,
            source,
            batch,
            quirks,
        })
    }

    /// The network on a device.
    ///
    /// # Errors
    /// Weights that are missing, damaged or of another configuration, or a device that fails.
    pub fn segmenter<'d>(&self, device: &'d Device, fuse: bool) -> Result<Segmenter<'d>> {
        let sizes = (self.classes.len(), self.source.slice_axis(), self.batch);
        let of_run;
        let weights = match &self.weights {
            Trained::Run(run, stage) => {
                of_run = finetuned_weights(&self.pipeline, run, stage)?;
                &of_run
            }
            Trained::Published(weights) => weights,
        };
        Segmenter::new(device, fuse, &self.pipeline, sizes, &self.quirks, weights)
    }
}

/// The stage that a pipeline's network is fine-tuned in last.
fn tuned(pipeline: &Pipeline) -> Option<&Finetune> {
    pipeline.stages.iter().rev().find_map(|stage| match stage {
        Stage::Finetune(s) => Some(s),
        _ => None,
    })
}

/// Slices at a time and how they are resized in the stage that measures a network last.
fn measured(pipeline: &Pipeline, network: &Finetune) -> (usize, Vec<Quirk>) {
    let evaluation = pipeline.stages.iter().rev().find_map(|stage| match stage {
        Stage::Evaluate(s) if s.model == network.name => Some(s),
        _ => None,
    });
    match evaluation {
        Some(stage) => (stage.batch, stage.quirks.clone()),
        None => (BATCH, network.quirks.clone()),
    }
}
