//! The image encoder's feature pyramid (image_encoder.py, `FpnNeck`), and what the mask decoder takes of it.

use super::Sam2Config;
use super::trunk::run_trunk;
use crate::models::sam::Adapter;
use crate::nn::conv;
use crate::{Graph, Init, Value};

/// What the encoder makes of an image.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// The features as tokens, `[batch, grid², out_channels]`, row by row: what SAMora's experts are taught by.
    /// The trunk's own last tokens are of half that grid, and those before leave the last stage without a
    /// gradient.
    pub tokens: Value,
    /// Features at a sixteenth of the image's extent, `[batch, grid, grid, out_channels]`.
    pub features: Value,
    /// Features at an eighth and at a quarter of the extent, of as many channels.
    pub fine: [Value; 2],
}

/// What the mask decoder takes, made once for an image.
#[derive(Clone, Copy, Debug)]
pub struct Embedding {
    /// The image's embedding `[batch, grid, grid, out_channels]`.
    pub image: Value,
    /// Features `[batch, 2·grid, 2·grid, out_channels/4]` and `[batch, 4·grid, 4·grid, out_channels/8]`.
    pub fine: [Value; 2],
}

/// Encodes `image [batch, size, size, 3]`. All parameters are under `image_encoder`; adapters are in every block
/// of `image_encoder.trunk`.
pub fn encode(g: &mut Graph, config: &Sam2Config, adapter: &Adapter, image: Value) -> Encoded {
    let [batch, height, width, channels] = g.dims(image);
    let size = config.image_size_px;
    let mistake = match config.check() {
        Err((field, message)) => Some(format!("{field}: {message}")),
        Ok(()) if (height, width, channels) != (size, size, 3) => Some(format!(
            "takes images of {size}×{size}×3, not {height}×{width}×{channels}"
        )),
        Ok(()) => None,
    };
    if let Some(message) = mistake {
        g.fail("image_encoder", message);
        return Encoded {
            tokens: image,
            features: image,
            fine: [image; 2],
        };
    }
    g.within("image_encoder", |g| {
        let stages = g.within("trunk", |g| run_trunk(g, config, adapter, image));
        let [quarter, eighth, features] = g.within("neck", |g| pyramid(g, config, stages));
        let (grid, out) = (config.grid(), config.out_channels);
        Encoded {
            tokens: g.reshape(features, &[batch, grid * grid, out]),
            features,
            fine: [eighth, quarter],
        }
    })
}

/// Adds the embedding that stands for the absence of a memory, and narrows the fine features by the mask
/// decoder's own convolutions. Parameters are `no_mem_embed` and under `mask_decoder`.
pub fn embed(g: &mut Graph, encoded: &Encoded) -> Embedding {
    let [_, _, _, dim] = g.dims(encoded.features);
    let absent = g.param("no_mem_embed", &[1, 1, dim], Init::TruncatedNormal(0.02));
    let [eighth, quarter] = encoded.fine;
    let fine = g.within("mask_decoder", |g| {
        [("conv_s1", eighth, dim / 4), ("conv_s0", quarter, dim / 8)]
            .map(|(name, x, out)| conv(g, name, x, out, (1, 1), false, true))
    });
    Embedding {
        image: g.add(encoded.features, absent),
        fine,
    }
}

/// Each stage's tokens in the pyramid's channels, at strides 4, 8 and 16. The deepest is added to the one before,
/// and has no other use.
fn pyramid(g: &mut Graph, config: &Sam2Config, stages: [Value; 4]) -> [Value; 3] {
    let level = |g: &mut Graph, stage: usize| {
        // Layers are numbered from the deepest on.
        let name = format!("convs.{}.conv", 3 - stage);
        conv(
            g,
            &name,
            stages[stage],
            config.out_channels,
            (1, 1),
            false,
            true,
        )
    };
    let deepest = level(g, 3);
    let deep = level(g, 2);
    let [batch, h, w, c] = g.dims(deepest);
    let cells = g.reshape(deep, &[batch, h, 2, w, 2, c]);
    let coarse = g.reshape(deepest, &[batch, h, 1, w, 1, c]);
    let sum = g.add(cells, coarse);
    let deep = g.reshape(sum, &[batch, 2 * h, 2 * w, c]);
    [level(g, 0), level(g, 1), deep]
}
