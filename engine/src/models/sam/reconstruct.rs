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
    errors(g, image, flat, patch)
}

/// As [`reconstruction_loss`] for an encoder whose patches overlap, so that pixels are hidden and not patch
/// embeddings: `encode` makes features `[batch, grid, grid, channels]` of an image in which a learned colour,
/// `mask_token`, takes the place of hidden cells.
pub fn pixel_reconstruction_loss(
    g: &mut Graph,
    image: Value,
    hidden: Value,
    encode: impl FnOnce(&mut Graph, Value) -> Value,
) -> Value {
    let [batch, size, _, _] = g.dims(image);
    let [_, count] = g.dims(hidden);
    let grid = count.isqrt();
    let cell = size / grid.max(1);
    let token = g.param("mask_token", &[1, 1, 3], Init::Zeros);
    let is_hidden = g.reshape(hidden, &[batch, grid, 1, grid, 1, 1]);
    let is_hidden = g.broadcast(is_hidden, &[batch, grid, cell, grid, cell, 1]);
    let is_hidden = g.reshape(is_hidden, &[batch, size, size, 1]);
    let seen = g.select(is_hidden, token, image);
    let features = encode(g, seen);
    let [_, _, _, channels] = g.dims(features);
    let flat = g.reshape(features, &[batch, count, channels]);
    errors(g, image, flat, cell)
}

/// Mean error of the standardised pixels of every patch, predicted from `features [batch, patches, channels]`.
fn errors(g: &mut Graph, image: Value, features: Value, patch: usize) -> Value {
    let prediction = linear(g, "reconstruction", features, patch * patch * 3);
    let target = patchify(g, image, patch);
    let errors = patch_errors(g, prediction, target, true);
    g.mean(errors, &[0, 1])
}
