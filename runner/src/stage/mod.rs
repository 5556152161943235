//! The stages of a run, in the order of the pipeline file. Each file builds one kind of stage: its
//! graph (which `runner plan` shows without data or GPU) and the batches that feed it.

mod advance;
mod diverged;
mod evaluate;
mod expert;
mod finetune;
mod plan;
mod pretrain;
mod segment;
mod train;
mod weights;

use std::collections::BTreeMap;
use std::sync::Arc;

use samora_engine::Device;
use samora_engine::weights::Weights;
use samora_engine::{Graph, Tensor, Value};

use crate::data::dataset::Dataset;
use crate::data::input_intensity::{IMAGENET, InputIntensity};
use crate::data::loader::Sampler;
use crate::data::slice::Plane;
use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, Stage};
use crate::provenance::{Inputs, Machine, Provenance, Session};
use crate::run_dir::RunDir;

pub use plan::{Part, StageGraph, StagePlan, plan_stage, stage_graph};
pub use segment::Segmenter;
pub use weights::{
    check_intensity, finetuned_weights, foundations, network_files, network_sha256,
    published_files, published_weights,
};

/// What every stage of a run needs.
pub struct Context<'a> {
    /// The pipeline.
    pub pipeline: &'a Pipeline,
    /// Where results and checkpoints go.
    pub run: &'a RunDir,
    /// Where kernels run.
    pub device: &'a Device,
    /// Whether kernels are fused.
    pub fuse: bool,
    /// The data sets by name.
    pub datasets: &'a BTreeMap<String, Arc<Dataset>>,
    /// What each stage is made from, by name.
    pub inputs: &'a BTreeMap<String, Inputs>,
    /// What it is made with.
    pub machine: &'a Machine,
}

impl Context<'_> {
    /// Runs all stages that are not finished.
    ///
    /// # Errors
    /// The first failure; what was trained until then is saved.
    pub fn run(&self) -> Result<()> {
        for stage in &self.pipeline.stages {
            if self.run.is_trained(stage.name()) {
                eprintln!("{}: done", stage.name());
                continue;
            }
            match stage {
                Stage::Pretrain(s) => pretrain::run(self, s)?,
                Stage::Finetune(s) => finetune::run(self, s)?,
                Stage::Evaluate(s) => evaluate::run(self, s)?,
                Stage::Expert(s) => expert::run(self, s)?,
            }
        }
        Ok(())
    }

    /// What a stage starts from; see [`weights::stage_weights`].
    fn weights(&self, stage: &str, graph: &Graph) -> Result<Weights> {
        let stages = &mut self.pipeline.stages.iter();
        let stage = stages.find(|s| s.name() == stage);
        stage.map_or_else(
            || Ok(Weights::default()),
            |stage| weights::stage_weights(self.pipeline, self.run.root(), graph, stage),
        )
    }

    /// Records that a stage begins, or goes on after `done` steps.
    fn begins(&self, stage: &str, done: usize) -> Result<()> {
        let session = Session {
            from_step: done,
            machine: self.machine.clone(),
        };
        let inputs = self.inputs.get(stage);
        inputs.map_or(Ok(()), |inputs| {
            Provenance::begin(self.run, stage, inputs, session)
        })
    }

    /// A data set by name.
    fn dataset(&self, name: &str) -> Result<&Arc<Dataset>> {
        let missing = || Error::Usage(format!("no data set is named `{name}`"));
        self.datasets.get(name).ok_or_else(missing)
    }
}

/// A grey image input `[batch, size, size]`, repeated into three channels.
fn grey_image(g: &mut Graph, name: &str, batch: usize, size: usize) -> Value {
    let grey = g.input(name, &[batch, size, size, 1], samora_engine::DType::F32);
    g.broadcast(grey, &[batch, size, size, 3])
}

/// As [`grey_image`], for a network that sees `intensity`.
fn seen_image(
    g: &mut Graph,
    name: &str,
    (batch, size): (usize, usize),
    intensity: InputIntensity,
) -> Value {
    let image = grey_image(g, name, batch, size);
    if intensity != InputIntensity::ImageNet {
        return image;
    }
    let channels = |f: fn((f32, f32)) -> f32| Tensor::f32(&[3], IMAGENET.map(f).to_vec());
    let scale = g.constant(&format!("{name}.scale"), channels(|(_, std)| 1.0 / std));
    let shift = g.constant(
        &format!("{name}.shift"),
        channels(|(mean, std)| -mean / std),
    );
    let image = g.mul(image, scale);
    g.add(image, shift)
}

/// Grey planes of `size`×`size` as `[count, size, size, 1]`.
fn stack(planes: impl Iterator<Item = Plane<f32>>, size: usize) -> Tensor {
    let pixels: Vec<f32> = planes.flat_map(|plane| plane.pixels).collect();
    let count = pixels.len() / (size * size).max(1);
    Tensor::f32(&[count, size, size, 1], pixels)
}

/// Which slices make up each batch of a stage.
fn sampler(stage: &str, slices: usize, batch: usize, seed: u64) -> Result<Sampler> {
    Sampler::new(slices, batch, seed)
        .ok_or_else(|| Error::Usage(format!("stage {stage}: its data set has no slices for it")))
}

#[cfg(test)]
#[path = "intensity_tests.rs"]
mod intensity_tests;
