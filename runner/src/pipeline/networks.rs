//! placeholder
use serde::{Deserialize, Serialize};
/// Sizes of a masked autoencoder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaeConfig {
    /// Channels of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
}
/// Sizes of a SimCLRv2 ResNet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimclrConfig {
    /// Layers.
    pub depth: usize,
    /// Width multiplier.
    pub width: usize,
}
