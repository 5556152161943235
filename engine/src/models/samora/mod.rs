//! SAMora's first stage: what each level's expert is trained to do (SAMora §3.1).

mod denoise;
mod distil;
#[cfg(test)]
mod tests;

pub use denoise::{DenoiseOutput, denoise, pixel_loss};
pub use distil::{Regression, image_loss, patch_loss};
