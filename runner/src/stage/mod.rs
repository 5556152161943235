//! The stages of a run, in the order of the pipeline file. Each file builds one kind of stage: its
//! graph (which `runner plan` shows without data or GPU) and the batches that feed it.

mod evaluate;
mod expert;
mod finetune;
mod plan;
mod pretrain;
mod segment;
mod train;
mod weights;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use samora_engine::gpu::Device;
use samora_engine::{Graph, Tensor, Value};

use crate::data::dataset::Dataset;
use crate::data::loader::Sampler;
use crate::data::memory;
use crate::data::slice::Plane;
use crate::error::{Error, Result};
use crate::pipeline::{Pipeline, Stage};
use crate::run_dir::RunDir;

pub use plan::{StagePlan, plan_stage, stage_graph};
pub use segment::Segmenter;
pub use weights::finetuned_weights;

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
    datasets: BTreeMap<String, Arc<Dataset>>,
}

impl<'a> Context<'a> {
    /// Opens the data sets of a pipeline. Each may keep its part of [`memory::for_volumes`] decoded; slices
    /// of larger ones come from files in the folder `cache`.
    ///
    /// # Errors
    /// A data set that is missing or unusable.
    pub fn open(
        pipeline: &'a Pipeline,
        run: &'a RunDir,
        device: &'a Device,
        fuse: bool,
        cache: &Path,
    ) -> Result<Self> {
        let memory = memory::for_volumes() / pipeline.data.len().max(1);
        let open = |(name, source): (&String, _)| {
            let data = Dataset::open(source, memory)?.with_disk_cache(cache);
            if let Some(folder) = data.disk_cache() {
                let gigabytes = |bytes: usize| bytes as f64 / 1e9;
                eprintln!(
                    "{name}: {:.1} GB of decoded training volumes do not fit into {:.1} GB of memory; \
                     their slices go to {}",
                    gigabytes(data.decoded_bytes()),
                    gigabytes(memory),
                    folder.display()
                );
            }
            Ok((name.clone(), Arc::new(data)))
        };
        let datasets = pipeline.data.iter().map(open).collect::<Result<_>>()?;
        Ok(Self {
            pipeline,
            run,
            device,
            fuse,
            datasets,
        })
    }

    /// The open data sets by name.
    pub fn datasets(&self) -> &BTreeMap<String, Arc<Dataset>> {
        &self.datasets
    }

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
