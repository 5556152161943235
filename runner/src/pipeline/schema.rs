//! The typed form of a pipeline file.

use std::collections::BTreeMap;

use samora_engine::Remat;
use samora_engine::gpu::Precision;
use samora_engine::models::sam::MaskDecoderConfig;
use samora_engine::optim::Backward;
use serde::{Deserialize, Serialize};

use super::encoder::Encoder;
use super::stages::Stage;
use super::weight_files::WeightFiles;
use crate::data::source::Source;

/// A whole run: data, encoder, experts and stages.
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
    /// The mask decoder; it predicts the classes of the data it is trained on.
    #[serde(default)]
    pub decoder: MaskDecoder,
    /// What an expert adds to the frozen encoder.
    pub lora: Lora,
    /// What the backward pass computes again instead of keeping.
    #[serde(default)]
    pub recompute: Remat,
    /// How large matrix products are computed; all else is in f32. `Half` and `Split` need an adapter with
    /// cooperative matrices (`runner adapters`).
    #[serde(default)]
    pub precision: Precision,
    /// What is done, in this order.
    pub stages: Vec<Stage>,
}

impl Pipeline {
    /// How gradients are computed.
    pub fn backward(&self) -> Backward {
        Backward {
            remat: self.recompute,
            scaled: self.precision != Precision::Exact,
        }
    }

    /// Whether a stage trains the encoder itself.
    pub fn trains_encoder(&self) -> bool {
        self.stages.iter().any(Stage::trains_encoder)
    }
}

/// The two-way transformer of SAM's mask decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaskDecoder {
    /// Layers.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden width of its MLP.
    pub mlp_dim: usize,
}

impl Default for MaskDecoder {
    fn default() -> Self {
        let MaskDecoderConfig {
            depth,
            heads,
            mlp_dim,
            ..
        } = MaskDecoderConfig::new(2);
        Self {
            depth,
            heads,
            mlp_dim,
        }
    }
}

impl MaskDecoder {
    /// Its sizes for this many foreground classes.
    pub fn for_classes(self, foreground: usize) -> MaskDecoderConfig {
        MaskDecoderConfig {
            classes: foreground + 1,
            depth: self.depth,
            heads: self.heads,
            mlp_dim: self.mlp_dim,
        }
    }
}

/// Low-rank updates of q and v in every encoder block (Hu et al. 2021), one set per expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank r of the update B·A.
    pub rank: usize,
}
