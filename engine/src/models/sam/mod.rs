//! Segment Anything (Kirillov et al. 2023): image encoder with optional experts, and the prompt-free
//! mask decoder of SAMed (Zhang and Liu 2023).

mod adapter;
mod block;
mod config;
mod decoder;
mod encoder;
mod reconstruct;
mod transformer;

pub use adapter::{Adapter, Fusion};
pub use config::{MaskDecoderConfig, SamConfig};
pub use decoder::{Masks, decode_masks, dense_positions};
pub use encoder::{Encoded, encode};
pub use reconstruct::reconstruction_loss;

#[cfg(test)]
mod tests;
