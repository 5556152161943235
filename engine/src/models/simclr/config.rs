//! Sizes of SimCLRv2's networks.

use serde::{Deserialize, Serialize};

/// Outputs of a bottleneck block over its inner channels.
pub(super) const EXPANSION: usize = 4;

/// Sizes of backbone and head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimclrConfig {
    /// Bottleneck blocks of each stage; every stage but the first halves the extent.
    #[serde(default = "blocks")]
    pub blocks: Vec<usize>,
    /// Channels of the stem and of the first stage's bottlenecks; stages double it. 64 in ResNet-50,
    /// 128 in ResNet-50 (2×).
    pub width: usize,
    /// Whether 3×3 convolutions are selective kernels (Li et al. 2019), with ResNet-D's stem.
    #[serde(default)]
    pub selective_kernels: bool,
    /// Outputs of the projection head.
    #[serde(default = "projection_dim")]
    pub projection_dim: usize,
}

impl SimclrConfig {
    /// ResNet-50 (1×), 23.5 M parameters in the backbone.
    pub fn r50() -> Self {
        Self {
            blocks: blocks(),
            width: 64,
            selective_kernels: false,
            projection_dim: projection_dim(),
        }
    }

    /// ResNet-50 (2×) with selective kernels, SAMora's teacher.
    pub fn r50_2x_sk() -> Self {
        Self {
            width: 128,
            selective_kernels: true,
            ..Self::r50()
        }
    }

    /// A small one that trains in minutes.
    pub fn tiny() -> Self {
        Self {
            blocks: vec![1, 1, 1],
            width: 16,
            selective_kernels: false,
            projection_dim: 64,
        }
    }

    /// Channels of the pooled features.
    pub fn feature_dim(&self) -> usize {
        let doublings = self.blocks.len().saturating_sub(1) as u32;
        self.width * EXPANSION * 2usize.pow(doublings.min(16))
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        if self.blocks.is_empty() || self.blocks.len() > 8 || self.blocks.contains(&0) {
            let message = format!("{:?} is not one to eight stages of blocks", self.blocks);
            return Err(("blocks", message));
        }
        if self.width == 0 || !self.width.is_multiple_of(2) {
            return Err((
                "width",
                format!("{} is not a positive even number", self.width),
            ));
        }
        if self.projection_dim == 0 {
            return Err(("projection_dim", "must not be 0".into()));
        }
        Ok(())
    }
}

fn blocks() -> Vec<usize> {
    vec![3, 4, 6, 3]
}

fn projection_dim() -> usize {
    128
}
