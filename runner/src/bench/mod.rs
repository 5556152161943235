//! What `runner bench` times: the stages of a pipeline, or the workloads that engines are compared by.

mod growth;
mod measure;
mod predict;
mod profile;
mod vit_b_lora;
mod workload;

pub use growth::Growth;
pub use measure::{Ceiling, Measured, Memory, measure};
pub use predict::predict;
pub use profile::{by_kernel, by_scope, write_trace};
pub use workload::{Size, Workload};

use std::collections::BTreeMap;

use samora_engine::random::Stream;
use samora_engine::weights::Weights;
use samora_engine::{DType, Graph, SourceKind, Tensor, Value};

use crate::error::Result;
use crate::pipeline::{Pipeline, Stage};
use crate::stage::{StageGraph, stage_graph};

/// One step to be timed, with everything it needs.
#[derive(Debug)]
pub struct Case {
    /// What it is called in tables.
    pub name: String,
    /// Images of a step.
    pub batch: usize,
    /// The step.
    pub graph: Graph,
    /// What the step is asked for, of a training step the loss first.
    pub wanted: Vec<Value>,
    /// Parameters.
    pub tensors: BTreeMap<String, Tensor>,
    /// Inputs, fed at every step.
    pub inputs: Vec<(String, Tensor)>,
}

impl Case {
    /// One step of a stage, on drawn weights and inputs; needs no data.
    ///
    /// # Errors
    /// A configuration the networks cannot take.
    pub fn of_stage(name: String, pipeline: &Pipeline, stage: &Stage) -> Result<Self> {
        let StageGraph { graph, wanted, .. } = stage_graph(pipeline, stage)?;
        Ok(Self {
            name,
            batch: stage.batch(),
            tensors: Weights::default().draw(&graph, pipeline.seed)?.tensors,
            inputs: inputs(&graph),
            graph,
            wanted,
        })
    }
}

/// Random images, and zeros for labels and indices.
fn inputs(graph: &Graph) -> Vec<(String, Tensor)> {
    let sources = graph
        .sources()
        .iter()
        .filter(|s| matches!(s.kind, SourceKind::Input));
    let tensor = |s: &samora_engine::Source| {
        let ty = graph.ty(s.value);
        let mut stream = Stream::named(1, &s.name);
        let t = match ty.dtype {
            DType::F32 => Tensor::f32(&ty.shape, (0..ty.len()).map(|_| stream.uniform()).collect()),
            DType::U32 => Tensor::u32(&ty.shape, vec![0; ty.len()]),
        };
        (s.name.clone(), t)
    };
    sources.map(tensor).collect()
}
