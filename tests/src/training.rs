//! A small training step with everything in it that could differ between runs: noise on the input,
//! a SAM encoder with one expert, dropout, clipping and an optimiser.

use std::collections::BTreeMap;

use samora_engine::models::sam::{Adapter, SamConfig, encode};
use samora_engine::nn::Level;
use samora_engine::nn::loss::mse;
use samora_engine::optim::{Backward, OptimConfig, Rule, Schedule, minimise};
use samora_engine::random::Stream;
use samora_engine::{DType, Graph, Init, Remat, SourceKind, Tensor, Value};

/// Images in a batch.
const BATCH: usize = 2;

/// A training step of a graph.
#[derive(Debug)]
pub struct Training {
    /// The step.
    pub graph: Graph,
    /// Mean squared error of the features, a scalar.
    pub loss: Value,
    /// Names of the parameters that are trained.
    pub trained: Vec<String>,
}

/// Three blocks of 16 channels on 5×5 tokens: windows of 3×3 that overhang, and one global block.
pub fn small_encoder() -> SamConfig {
    SamConfig {
        image_size_px: 10,
        patch_size_px: 2,
        dim: 16,
        depth: 3,
        heads: 2,
        window_tokens: 3,
        global_blocks: vec![1],
        mlp_ratio: 2,
        out_channels: 8,
    }
}

impl Training {
    /// Trains those parameters of the encoder whose name `trains`, by AdamW.
    pub fn new(remat: Remat, trains: impl Fn(&str) -> bool) -> Self {
        Self::by(Rule::default(), remat, trains)
    }

    /// [`Training::new`] by another rule.
    pub fn by(rule: Rule, remat: Remat, trains: impl Fn(&str) -> bool) -> Self {
        let Self {
            mut graph, loss, ..
        } = Self::forward();
        let params = graph.params().filter(|p| trains(&p.name));
        let chosen: Vec<(String, Value)> = params.map(|p| (p.name.clone(), p.value)).collect();
        let values: Vec<Value> = chosen.iter().map(|p| p.1).collect();
        let optimiser = OptimConfig {
            learning_rate: 1e-2,
            rule,
            schedule: Schedule::Constant,
            clip_norm: Some(1.0),
        };
        let backward = Backward {
            remat,
            scaled: false,
        };
        minimise(&mut graph, loss, &values, &optimiser, 100, backward);
        Self {
            graph,
            loss,
            trained: chosen.into_iter().map(|p| p.0).collect(),
        }
    }

    /// The loss alone.
    pub fn forward() -> Self {
        let mut g = Graph::new();
        let config = small_encoder();
        let size = config.image_size_px;
        let image = g.input("image", &[BATCH, size, size, 3], DType::F32);
        let noise = g.normal_noise(&[BATCH, size, size, 3]);
        let noise = g.scale(noise, 0.1);
        let noisy = g.add(image, noise);
        let level = Level::Patch;
        let encoded = encode(&mut g, &config, &Adapter::Expert { level, rank: 2 }, noisy);
        let features = g.dropout(encoded.features, 0.2);
        let shape = g.shape(features).to_vec();
        let target = Init::Normal(1.0).draw(&shape, 1, "target");
        let target = g.constant("target", target);
        let loss = mse(&mut g, features, target);
        Self {
            graph: g,
            loss,
            trained: Vec::new(),
        }
    }

    /// Every parameter at random, zero-initialised ones included, so that no term vanishes.
    pub fn parameters(&self) -> BTreeMap<String, Tensor> {
        let draw = |s: &samora_engine::Source| {
            let tensor = Init::Normal(0.3).draw(self.graph.shape(s.value), 3, &s.name);
            (s.name.clone(), tensor)
        };
        self.graph.params().map(draw).collect()
    }

    /// The inputs of step `step`.
    pub fn inputs(&self, step: usize) -> Vec<(&'static str, Tensor)> {
        let size = small_encoder().image_size_px;
        let image = Init::Normal(1.0).draw(&[BATCH, size, size, 3], step as u64, "image");
        vec![
            ("image", image),
            ("random", Stream::named(11, "noise").at(step as u64).key()),
        ]
    }

    /// Names of everything that changes between steps.
    pub fn changing(&self) -> Vec<String> {
        let states = self.graph.sources().iter();
        let states = states.filter(|s| matches!(s.kind, SourceKind::State(_)));
        let names = states.map(|s| s.name.clone());
        names.chain(self.trained.iter().cloned()).collect()
    }
}

/// Whether a parameter belongs to the expert.
pub fn is_expert(name: &str) -> bool {
    name.contains("samora_adapter")
}
