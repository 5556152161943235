//! The typed form of a pipeline file.

use std::collections::BTreeMap;

use samora_engine::Remat;
use serde::{Deserialize, Serialize};

use super::networks::SamConfig;
use super::stages::Stage;
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
    /// What an expert adds to the frozen encoder.
    pub lora: Lora,
    /// What the backward pass computes again instead of keeping.
    #[serde(default)]
    pub recompute: Remat,
    /// What is done, in this order.
    pub stages: Vec<Stage>,
}

/// An image encoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Encoder {
    /// Segment Anything's ViT (Kirillov et al. 2023).
    Sam(SamConfig),
}

/// Low-rank updates of q and v in every encoder block (Hu et al. 2021), one set per expert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lora {
    /// Rank r of the update B·A.
    pub rank: usize,
}
