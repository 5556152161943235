//! What the frozen encoder carries.

use serde::{Deserialize, Serialize};

use crate::nn::{HlAttn, Level, LowRank};

/// Low-rank adapters in every block of the encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum Adapter {
    /// SAM itself.
    #[default]
    None,
    /// SAMed: one update of q and v.
    Lora {
        /// Rank of the update.
        rank: usize,
    },
    /// SAMora, stage 1: one expert is active.
    Expert {
        /// Which one.
        level: Level,
        /// Rank of its updates.
        rank: usize,
    },
    /// SAMora, stage 2: the frozen block plus the fused differences of three experts.
    Experts {
        /// Rank of their updates.
        rank: usize,
        /// How they are fused.
        fusion: Fusion,
    },
}

/// How the differences δ of three experts from the frozen block are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fusion {
    /// By HL-Attn.
    HlAttn(HlAttn),
    /// Σ δ, without parameters.
    Sum,
}

impl Adapter {
    /// The updates within the scope of a block, and their rank; none for SAM itself.
    pub(super) fn updates(&self) -> (Vec<LowRank>, usize) {
        match *self {
            Self::None => (Vec::new(), 0),
            Self::Lora { rank } => {
                let lora = LowRank {
                    scope: "attn.qkv".into(),
                    scale: None,
                };
                (vec![lora], rank)
            }
            Self::Expert { level, rank } => (vec![expert(level)], rank),
            Self::Experts { rank, .. } => (Level::ALL.map(expert).to_vec(), rank),
        }
    }
}

fn expert(level: Level) -> LowRank {
    let name = level.name();
    LowRank {
        scope: format!("samora_adapter.experts.{name}"),
        scale: Some(format!("samora_adapter.{name}_scale")),
    }
}
