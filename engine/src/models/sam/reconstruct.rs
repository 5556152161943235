//! Masked reconstruction with SAM's own encoder, for encoders without published weights.

use super::encoder::{embed_patches, run_blocks};
use super::{Adapter, SamConfig};
use crate::models::mae::{patch_errors, patchify};
use crate::nn::linear;
use crate::{Graph, Init, Value};

/// Loss of reconstructing `image [batch, size, size, 3]` from what is not hidden; `hidden
/// [batch, grid²]` is 1 where a patch is.
///
/// Windows and relative positions need the complete grid, so a learned `mask_token` takes the place of
/// hidden patch embeddings (SimMIM, Xie et al. 2022) instead of leaving them out as MAE does. A linear
/// layer, `reconstruction`, predicts each patch's standardised pixels from the neck's output, so that
/// blocks and neck are both trained. Visible patches count like hidden ones: the encoder is frozen
/// afterwards, and a mask decoder can only draw the details that its features have kept.
pub fn reconstruction_loss(
    g: &mut Graph,
    config: &SamConfig,
    image: Value,
    hidden: Value,
) -> Value {
    if let Err((field, message)) = config.check() {
        g.fail("image_encoder", format!("{field}: {message}"));
        return image;
    }
    let [batch, count] = g.dims(hidden);
    let patch = config.patch_size_px;
    let features = g.within("image_encoder", |g| {
        let x = embed_patches(g, config, image);
        let token = g.param("mask_token", &[1, 1, config.dim], Init::Normal(0.02));
        let is_hidden = g.reshape(hidden, &[batch, count, 1]);
        let x = g.select(is_hidden, token, x);
        run_blocks(g, config, &Adapter::None, x).features
    });
    let flat = g.reshape(features, &[batch, count, config.out_channels]);
    let prediction = linear(g, "reconstruction", flat, patch * patch * 3);
    let target = patchify(g, image, patch);
    let errors = patch_errors(g, prediction, target, true);
    g.mean(errors, &[0, 1])
}
