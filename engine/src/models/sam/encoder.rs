//! The image encoder: patches, blocks, neck (SAM, image_encoder.py).

use super::block::{EPS, block};
use super::{Adapter, SamConfig};
use crate::nn::{conv, layer_norm};
use crate::{Graph, Init, Value};

/// What the encoder makes of an image.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// Tokens before the neck, `[batch, grid², dim]`, row by row.
    pub tokens: Value,
    /// The neck's output, `[batch, grid, grid, out_channels]`.
    pub features: Value,
}

/// Encodes `image [batch, size, size, 3]`. All parameters are under `image_encoder`.
pub fn encode(g: &mut Graph, config: &SamConfig, adapter: &Adapter, image: Value) -> Encoded {
    if let Err((field, message)) = config.check() {
        g.fail("image_encoder", format!("{field}: {message}"));
        return Encoded {
            tokens: image,
            features: image,
        };
    }
    g.within("image_encoder", |g| {
        let x = embed_patches(g, config, image);
        run_blocks(g, config, adapter, x)
    })
}

/// Patch embeddings `[batch, grid², dim]` without positions, in the scope `image_encoder`.
pub(super) fn embed_patches(g: &mut Graph, config: &SamConfig, image: Value) -> Value {
    let [batch, height, width, channels] = g.dims(image);
    let size = config.image_size_px;
    if (height, width, channels) != (size, size, 3) {
        let message = format!("takes images of {size}×{size}×3, not {height}×{width}×{channels}");
        g.fail("image_encoder", message);
    }
    let patch = config.patch_size_px;
    let x = conv(
        g,
        "patch_embed.proj",
        image,
        config.dim,
        (patch, patch),
        false,
        true,
    );
    let count = config.grid() * config.grid();
    g.reshape(x, &[batch, count, config.dim])
}

/// Adds positions to patch embeddings, and runs all blocks and the neck, in the scope
/// `image_encoder`.
pub(super) fn run_blocks(
    g: &mut Graph,
    config: &SamConfig,
    adapter: &Adapter,
    x: Value,
) -> Encoded {
    let (grid, dim) = (config.grid(), config.dim);
    let [batch, count, _] = g.dims(x);
    let init = Init::TruncatedNormal(0.02);
    let positions = g.param("pos_embed", &[1, grid, grid, dim], init);
    let positions = g.reshape(positions, &[1, count, dim]);
    let mut x = g.add(x, positions);
    for index in 0..config.depth {
        x = g.within(format!("blocks.{index}"), |g| {
            block(g, config, index, adapter, x)
        });
    }
    let map = g.reshape(x, &[batch, grid, grid, dim]);
    Encoded {
        tokens: x,
        features: neck(g, map, config.out_channels),
    }
}

/// The encoder's last layers, from `map [batch, h, w, c]` to `[batch, h, w, out]`.
pub(crate) fn neck(g: &mut Graph, map: Value, out: usize) -> Value {
    g.within("neck", |g| {
        let y = conv(g, "0", map, out, (1, 1), false, false);
        let y = layer_norm(g, "1", y, EPS);
        let y = conv(g, "2", y, out, (3, 1), true, false);
        layer_norm(g, "3", y, EPS)
    })
}
