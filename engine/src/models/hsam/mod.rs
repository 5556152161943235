//! H-SAM (Cheng et al. 2024): the prompt-free mask decoder in two stages over SAM's encoder, of which the
//! second refines the masks of the first up to the image's own size.

mod decoder;
mod loss;

pub use decoder::{HsamMasks, Noise, Prediction, decode_twice};
pub use loss::{HsamLoss, hsam_loss};

#[cfg(test)]
mod tests;
