//! The plan of a stage without data or GPU.

use std::convert::Infallible;

use samora_engine::{Graph, Plan, Schedule, Step, Value, plan};
use samora_shaders::{Caps, emit};

use super::train::{Built, Length};
use super::{expert, finetune, pretrain, segment};
use crate::error::{Error, Result};
use crate::pipeline::{Finetune, Pipeline, Stage};

/// Steps assumed for the learning-rate schedule, whose length depends on the data but changes no
/// shape.
const STEPS: usize = 1000;
const LENGTH: Length = Length {
    steps: STEPS,
    per_epoch: STEPS,
};

/// What a stage would compute.
#[derive(Debug)]
pub struct StagePlan {
    /// Kernels and buffers of one step.
    pub plan: Plan,
    /// Elements of trained parameters.
    pub trained: usize,
    /// Elements of parameters that stay as they are.
    pub frozen: usize,
    /// Each part of the network, in the order of its layers.
    pub parts: Vec<Part>,
    /// Bytes of inputs, parameters, state and constants.
    pub source_bytes: [u64; 4],
    graph: Graph,
}

impl StagePlan {
    /// What it does with kernels for WebGPU's default limits.
    pub fn schedule(self) -> Schedule {
        let module = |step: &Step| -> Result<_, Infallible> {
            Ok(Some(emit(&step.kernel, &Caps::portable())))
        };
        match Schedule::new(&self.graph, self.plan, module) {
            Ok(schedule) => schedule,
            Err(never) => match never {},
        }
    }

    /// Bytes that a step keeps on the device.
    pub fn bytes(&self) -> u64 {
        self.source_bytes.iter().sum::<u64>() + self.plan.slot_bytes()
    }
}

/// The parameters of a part of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// What it is called.
    pub name: &'static str,
    /// Elements of its parameters.
    pub parameters: usize,
    /// Elements of those that the stage trains.
    pub trained: usize,
}

/// Parts by what the names of their parameters begin with or hold, the first that fits.
const PARTS: [(&str, &str); 8] = [
    ("HL-Attn", ".samora_adapter.fuser."),
    ("experts", ".samora_adapter."),
    ("LoRA", ".attn.qkv.linear_"),
    ("image encoder", "image_encoder."),
    ("image encoder", "no_mem_embed"),
    ("prompt encoder", "prompt_encoder."),
    ("mask decoder", "mask_decoder."),
    ("second mask decoder", "mask_decoder2."),
];
/// The order in which they are shown.
const SHOWN: [&str; 8] = [
    "image encoder",
    "LoRA",
    "experts",
    "HL-Attn",
    "prompt encoder",
    "mask decoder",
    "second mask decoder",
    "others",
];

/// What a stage would compute in one step.
#[derive(Debug)]
pub struct StageGraph {
    /// Its operations.
    pub graph: Graph,
    /// Its outputs.
    pub wanted: Vec<Value>,
    /// Names of the parameters that it trains.
    pub trained: Vec<String>,
    /// Names of the parameters that its checkpoint holds.
    pub saved: Vec<String>,
}

/// Plans one step of a stage.
///
/// # Errors
/// A configuration the networks cannot take.
pub fn plan_stage(pipeline: &Pipeline, stage: &Stage, fuse: bool) -> Result<StagePlan> {
    let StageGraph {
        graph,
        wanted,
        trained,
        ..
    } = stage_graph(pipeline, stage)?;
    let plan = plan(&graph, &wanted, pipeline.precision.planning(fuse))?;
    let elements = |name: &dyn Fn(&str) -> bool| elements(&graph, name);
    let is_trained = |name: &str| trained.iter().any(|t| t == name);
    Ok(StagePlan {
        trained: elements(&is_trained),
        frozen: elements(&|name| !is_trained(name)),
        parts: parts(&graph, &is_trained),
        source_bytes: plan.source_bytes(&graph),
        plan,
        graph,
    })
}

/// The graph of one step of a stage.
///
/// # Errors
/// A configuration the networks cannot take.
pub fn stage_graph(pipeline: &Pipeline, stage: &Stage) -> Result<StageGraph> {
    let classes = |data: &str| pipeline.data.get(data).map_or(0, |s| s.classes().len());
    Ok(match stage {
        Stage::Evaluate(s) => {
            let (graph, logits) = segment::graph(pipeline, classes(&s.data), s.batch);
            graph.check()?;
            StageGraph {
                graph,
                wanted: vec![logits],
                trained: Vec::new(),
                saved: Vec::new(),
            }
        }
        Stage::Finetune(s) => training(finetune::graph(pipeline, s, classes(&s.data), LENGTH)?),
        Stage::Pretrain(s) => training(pretrain::graph(pipeline, s, STEPS)?),
        Stage::Expert(s) => training(expert::graph(pipeline, s, STEPS)?),
    })
}

/// The fine-tuning stage called `name`.
pub(super) fn finetune_called<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a Finetune> {
    let found = pipeline.stages.iter().find_map(|s| match s {
        Stage::Finetune(f) if f.name == name => Some(f),
        _ => None,
    });
    found.ok_or_else(|| Error::Usage(format!("no fine-tuning stage is named `{name}`")))
}

fn training(built: Built) -> StageGraph {
    StageGraph {
        wanted: vec![built.loss, built.learning_rate],
        graph: built.graph,
        trained: built.trained,
        saved: built.saved,
    }
}

fn parts(graph: &Graph, is_trained: &dyn Fn(&str) -> bool) -> Vec<Part> {
    let part_of = |name: &str| {
        let found = PARTS.iter().find(|(_, mark)| name.contains(mark));
        found.map_or("others", |(part, _)| *part)
    };
    let part = |shown: &&'static str| {
        let is_own = |name: &str| part_of(name) == *shown;
        Part {
            name: shown,
            parameters: elements(graph, &is_own),
            trained: elements(graph, &|name| is_own(name) && is_trained(name)),
        }
    };
    let parts = SHOWN.iter().map(part);
    parts.filter(|part| part.parameters > 0).collect()
}

fn elements(graph: &Graph, chosen: &dyn Fn(&str) -> bool) -> usize {
    let params = graph.params().filter(|p| chosen(&p.name));
    params.map(|p| graph.ty(p.value).len()).sum()
}
