//! SAM 2's image path (Ravi et al. 2024): the Hiera trunk (Ryali et al. 2023) with optional experts, the feature
//! pyramid, and the mask decoder with features of higher resolution, by prompts or one token per class.
//! SAM 2.0, SAM 2.1 and MedSAM2 are one network here; what only videos need is not part of it.
//!
//! Trunk and pyramid have the names of the published checkpoints. The prompt encoder and the mask decoder, which
//! are `sam_prompt_encoder` and `sam_mask_decoder` there, have SAM's names: they are SAM's but for a few
//! tensors, and what trains, imports or saves SAM's serves both.

mod attention;
mod block;
mod cases;
mod config;
mod decoder;
mod neck;
mod positions;
mod stability;
mod trunk;

pub(crate) use cases::CASES;
pub use config::Sam2Config;
pub use decoder::{Decoded, decode_masks, decode_prompted, encode_prompts};
pub use neck::{Embedding, Encoded, embed, encode};
pub use stability::clear_mask;

#[cfg(test)]
mod tests;
