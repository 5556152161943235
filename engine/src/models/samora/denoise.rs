//! Pixel level: the clean image is restored from the features of a noisy one.

use serde::{Deserialize, Serialize};

use crate::nn::loss::{mse, soft_dice};
use crate::nn::{Statistics, batch_norm, conv, conv_transpose2x2};
use crate::{Graph, Value};

/// Least channels of a decoder stage.
const LEAST_CHANNELS: usize = 8;

/// Last activation of the denoiser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum DenoiseOutput {
    /// In (0, 1), for targets scaled to [0, 1].
    #[default]
    Sigmoid,
    /// In (−1, 1).
    Tanh,
    /// Unbounded.
    Identity,
}

/// Loss of the pixel level: `dice_weight`·Dice + (1 − `dice_weight`)·MSE between the restored image and
/// `clean [batch, size, size, 3]`, both in [0, 1]. `features [batch, h, w, c]` are the neck's output for
/// the noisy image. (The released code's target is standardised, for which Dice has no meaning.)
pub fn pixel_loss(
    g: &mut Graph,
    output: DenoiseOutput,
    dice_weight: f32,
    features: Value,
    clean: Value,
) -> Value {
    let [_, size, _, _] = g.dims(clean);
    let restored = denoise(g, output, features, size);
    let dice = soft_dice(g, restored, clean);
    let error = mse(g, restored, clean);
    let dice = g.scale(dice, dice_weight);
    let error = g.scale(error, 1.0 - dice_weight);
    g.add(dice, error)
}

/// The denoise decoder under `denoise_decoder`: `features [batch, h, w, c]` to
/// `[batch, size, size, 3]`. Each doubling of the extent halves the channels; a bilinear resize makes up
/// what doublings cannot. It is used in training only, so BatchNorm takes the batch's statistics.
pub fn denoise(g: &mut Graph, output: DenoiseOutput, features: Value, size: usize) -> Value {
    let [_, h, _, c] = g.dims(features);
    let doublings = (size / h.max(1)).max(1).ilog2();
    g.within("denoise_decoder", |g| {
        let mut x = g.within("stem", |g| residual(g, features, c));
        let mut width = c;
        for step in 0..doublings {
            width = (width / 2).max(LEAST_CHANNELS);
            x = g.within(format!("ups.{step}"), |g| {
                let y = conv_transpose2x2(g, "up", x, width, false);
                g.within("refine", |g| residual(g, y, width))
            });
        }
        let x = g.resize_bilinear(x, size, size);
        let x = g.within("head", |g| {
            let y = conv_norm_gelu(g, "0", x, width);
            conv(g, "1", y, 3, (1, 1), false, true)
        });
        match output {
            DenoiseOutput::Sigmoid => g.sigmoid(x),
            DenoiseOutput::Tanh => g.tanh(x),
            DenoiseOutput::Identity => x,
        }
    })
}

/// GELU(two 3×3 convolutions + shortcut), the shortcut a 1×1 convolution when the width changes.
fn residual(g: &mut Graph, x: Value, out: usize) -> Value {
    let [_, _, _, c] = g.dims(x);
    let y = conv_norm_gelu(g, "conv1", x, out);
    let y = conv_norm_gelu(g, "conv2", y, out);
    let shortcut = match c == out {
        true => x,
        false => g.within("shortcut", |g| {
            let s = conv(g, "0", x, out, (1, 1), false, false);
            batch_norm(g, "1", s, Statistics::Batch)
        }),
    };
    let y = g.add(y, shortcut);
    g.gelu(y)
}

fn conv_norm_gelu(g: &mut Graph, name: &str, x: Value, out: usize) -> Value {
    g.within(name, |g| {
        let y = conv(g, "0", x, out, (3, 1), true, false);
        let y = batch_norm(g, "1", y, Statistics::Batch);
        g.gelu(y)
    })
}
