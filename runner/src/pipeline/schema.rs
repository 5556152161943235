//! The typed form of a pipeline file.

use std::collections::BTreeMap;

use samora_engine::Precision;
use samora_engine::Remat;
use samora_engine::optim::Backward;
use samora_engine::weights::MaskHeads;
use serde::{Deserialize, Serialize};

use super::encoder::Encoder;
use super::stages::Stage;
use super::variant::{Adapter, Decoder, Transformer};
use super::weight_files::WeightFiles;
use crate::data::input_intensity::InputIntensity;
use crate::data::source::Source;

/// A whole run: data, variant and stages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// Name of the run and of its directory.
    pub name: String,
    /// Seed of every random number: initial weights, masks, noise, augmentation, order.
    pub seed: u64,
    /// Data sets by name.
    pub data: BTreeMap<String, Source>,
    /// The image encoder, shared by all stages.
    pub encoder: Encoder,
    /// Published weights of the encoder and decoder, PyTorch or safetensors, in any layout that
    /// `runner inspect` knows; without them the encoder starts at random and needs a stage with
    /// objective [`Masked`].
    ///
    /// [`Masked`]: super::Objective::Masked
    #[serde(default)]
    pub weights: Option<WeightFiles>,
    /// How what depends on the number of masks starts where these weights are a SAM's.
    #[serde(default)]
    pub mask_heads: MaskHeads,
    /// What fine-tuning shows the encoder of a data set's intensities: those themselves (`UnitRange`), or `ImageNet`,
    /// which needs them in 0…1. By default what its published weights are fine-tuned with: `ImageNet` of `Sam2(…)`.
    #[serde(default)]
    pub intensity: Option<InputIntensity>,
    /// What the frozen encoder carries; `Expert` stages are left out where it takes none.
    #[serde(default)]
    pub adapter: Adapter,
    /// What follows the encoder; it predicts the classes of the data it is trained on.
    #[serde(default)]
    pub decoder: Decoder,
    /// Sizes of the decoder.
    #[serde(default)]
    pub transformer: Transformer,
    /// What the backward pass computes again instead of keeping.
    #[serde(default)]
    pub recompute: Remat,
    /// How large matrix products are computed; all else is in f32. `Half` and `Split` need an adapter with
    /// cooperative matrices (`runner adapters`).
    #[serde(default)]
    pub precision: Precision,
    /// What is done, in this order.
    pub stages: Vec<Stage>,
    /// Names of stages that the file declares and this adapter does not need.
    #[serde(skip)]
    pub left_out: Vec<String>,
}

impl Pipeline {
    /// A pipeline that trains nothing: the network alone.
    pub fn of_network(encoder: Encoder) -> Self {
        Self {
            name: "network".into(),
            seed: 0,
            data: BTreeMap::new(),
            encoder,
            weights: None,
            mask_heads: MaskHeads::default(),
            intensity: None,
            adapter: Adapter::Nothing {},
            decoder: Decoder::default(),
            transformer: Transformer::default(),
            recompute: Remat::None,
            precision: Precision::Exact,
            stages: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// How gradients are computed.
    pub fn backward(&self) -> Backward {
        Backward {
            remat: self.recompute,
            scaled: self.precision != Precision::Exact,
        }
    }

    /// Names of the experts and their teachers where the adapter takes no trained experts.
    pub(super) fn unneeded(&self) -> Vec<String> {
        if self.adapter.takes_experts() {
            return Vec::new();
        }
        let experts = self.stages.iter().filter_map(|stage| match stage {
            Stage::Expert(expert) => Some(expert),
            _ => None,
        });
        let teachers: Vec<&String> = experts.filter_map(|e| e.level.teacher()).collect();
        let is_needed = |stage: &&Stage| match stage {
            Stage::Pretrain(s) => !teachers.contains(&&s.name),
            Stage::Expert(_) => false,
            Stage::Finetune(_) | Stage::Evaluate(_) => true,
        };
        let unneeded = self.stages.iter().filter(|stage| !is_needed(stage));
        unneeded.map(|stage| stage.name().to_owned()).collect()
    }

    /// Leaves out what is unneeded.
    pub(super) fn leave_out_unneeded(&mut self) {
        self.left_out = self.unneeded();
        let left_out = &self.left_out;
        self.stages
            .retain(|stage| !left_out.iter().any(|name| name == stage.name()));
    }

    /// Whether a stage trains the encoder itself.
    pub fn trains_encoder(&self) -> bool {
        self.stages.iter().any(Stage::trains_encoder)
    }
}
