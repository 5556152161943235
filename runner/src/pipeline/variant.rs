//! The variant of a pipeline: what the frozen encoder carries, and which decoder follows it.

use samora_engine::models::hsam::{Noise, Prediction};
use samora_engine::models::sam::{self, Fusion, MaskDecoderConfig};
use samora_engine::nn::{self, HlAttn, HlAttnMode};
use serde::{Deserialize, Serialize};

/// What the frozen encoder carries in every block while it is fine-tuned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Adapter {
    /// The three experts that the `Expert` stages train, fused by HL-Attn (SAMora).
    Experts {
        /// Rank r of an expert's updates B·A of q and v (Hu et al. 2021).
        #[serde(default = "rank")]
        rank: usize,
        /// Which form of HL-Attn.
        #[serde(default)]
        hl_attn: HlAttnMode,
        /// Levels in the order in which they are fused.
        #[serde(default = "order")]
        order: [nn::Level; 3],
    },
    /// Three experts that no stage trains, so that HL-Attn learns without what they know.
    UntrainedExperts {
        /// Rank of an expert's updates.
        #[serde(default = "rank")]
        rank: usize,
        /// Which form of HL-Attn.
        #[serde(default)]
        hl_attn: HlAttnMode,
    },
    /// The sum of the trained experts' differences from the frozen block, without HL-Attn.
    SummedExperts {
        /// Rank of an expert's updates.
        #[serde(default = "rank")]
        rank: usize,
    },
    /// One LoRA that is trained with the decoder (SAMed, Zhang and Liu 2023; H-SAM, Cheng et al. 2024).
    Lora {
        /// Rank of its updates.
        #[serde(default = "rank")]
        rank: usize,
    },
    /// Nothing: only the decoder is trained.
    Nothing {},
}

impl Default for Adapter {
    fn default() -> Self {
        Self::Experts {
            rank: rank(),
            hl_attn: HlAttnMode::default(),
            order: order(),
        }
    }
}

impl Adapter {
    /// The adapter of the network that is fine-tuned.
    pub fn network(&self) -> sam::Adapter {
        let fused = |rank, mode, order| sam::Adapter::Experts {
            rank,
            fusion: Fusion::HlAttn(HlAttn { mode, order }),
        };
        match *self {
            Self::Experts {
                rank,
                hl_attn,
                order,
            } => fused(rank, hl_attn, order),
            Self::UntrainedExperts { rank, hl_attn } => fused(rank, hl_attn, order()),
            Self::SummedExperts { rank } => sam::Adapter::Experts {
                rank,
                fusion: Fusion::Sum,
            },
            Self::Lora { rank } => sam::Adapter::Lora { rank },
            Self::Nothing {} => sam::Adapter::None,
        }
    }

    /// Whether it takes the experts that stages train.
    pub fn takes_experts(&self) -> bool {
        matches!(self, Self::Experts { .. } | Self::SummedExperts { .. })
    }

    /// Rank of its updates, 0 without any.
    pub fn rank(&self) -> usize {
        match *self {
            Self::Experts { rank, .. }
            | Self::UntrainedExperts { rank, .. }
            | Self::SummedExperts { rank }
            | Self::Lora { rank } => rank,
            Self::Nothing {} => 0,
        }
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if self.rank() == 0 && *self != (Self::Nothing {}) {
            return Err(("rank", "rank must be at least 1".into()));
        }
        match self.network() {
            sam::Adapter::Experts {
                fusion: Fusion::HlAttn(hl_attn),
                ..
            } => hl_attn.check().map_err(|rule| ("order", rule)),
            _ => Ok(()),
        }
    }
}

/// Which decoder turns the encoder's features into masks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Decoder {
    /// The mask decoder of the encoder's own family, without prompts and with a token for each class: SAM's (SAMed),
    /// or SAM 2's over `Sam2(…)`.
    Sam {},
    /// H-SAM's two decoders over SAM's features, of which the second refines the masks of the first up to the image's
    /// size (Cheng et al. 2024).
    HSam {
        /// Which logits are predicted with.
        #[serde(default)]
        prediction: Prediction,
        /// What training adds.
        #[serde(default)]
        noise: Noise,
    },
}

impl Default for Decoder {
    fn default() -> Self {
        Self::Sam {}
    }
}

impl Decoder {
    /// H-SAM's as it is published.
    pub fn hsam() -> Self {
        Self::HSam {
            prediction: Prediction::default(),
            noise: Noise::default(),
        }
    }
}

/// Sizes of the decoder's two-way transformer; by default those of the published weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Transformer {
    /// Layers.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden width of its MLP.
    pub mlp_dim: usize,
}

impl Default for Transformer {
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

impl Transformer {
    /// SAM's mask decoder of these sizes for this many foreground classes.
    pub fn for_classes(self, foreground: usize) -> MaskDecoderConfig {
        MaskDecoderConfig {
            classes: foreground + 1,
            depth: self.depth,
            heads: self.heads,
            mlp_dim: self.mlp_dim,
        }
    }
}

fn rank() -> usize {
    4
}

fn order() -> [nn::Level; 3] {
    HlAttn::default().order
}
