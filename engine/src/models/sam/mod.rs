//! Segment Anything (Kirillov et al. 2023): image encoder with optional experts, prompt encoder, and the
//! mask decoder, SAM's own or prompt-free as in SAMed (Zhang and Liu 2023).

mod adapter;
mod attention;
mod block;
mod config;
mod decoder;
mod encoder;
mod positions;
mod prompt;
mod reconstruct;
mod transformer;

pub use adapter::{Adapter, Fusion};
pub(crate) use attention::adapted_attention;
pub use config::{MaskDecoderConfig, SamConfig};
pub use decoder::{Masks, decode_masks, decode_prompted};
pub(crate) use decoder::{
    decode_classes, hypernetworks, perceptron, predict, products, transform, upscale,
};
pub(crate) use encoder::neck;
pub use encoder::{Encoded, encode};
pub use positions::dense_positions;
pub(crate) use prompt::encode_padded;
pub use prompt::{EncodedPrompts, Prompts, encode_prompts};
pub use reconstruct::{pixel_reconstruction_loss, reconstruction_loss};
pub(crate) use transformer::{Layers, two_way_transformer};

#[cfg(test)]
pub(crate) mod tests;
