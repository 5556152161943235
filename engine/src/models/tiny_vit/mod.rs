//! TinyViT (Wu et al. 2022) as the image encoder of MobileSAM and LiteMedSAM, with the names of their
//! checkpoints and optional experts. BatchNorm keeps its running statistics.

mod block;
mod config;
mod conv;
#[cfg(test)]
mod tests;

pub use config::{Stem, TinyVitConfig};

use block::Stage;
use conv::{downsample, inverted_bottleneck, patch_embed};

use crate::models::sam::{Adapter, Encoded, neck};
use crate::{Graph, Value};

/// Encodes `image [batch, size, size, 3]`. All parameters are under `image_encoder`; adapters are in
/// every block of `layers.{1, 2, 3}`.
pub fn encode(g: &mut Graph, config: &TinyVitConfig, adapter: &Adapter, image: Value) -> Encoded {
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
        };
    }
    g.within("image_encoder", |g| {
        let mut x = patch_embed(g, config, image);
        for stage in 0..4 {
            x = g.within(format!("layers.{stage}"), |g| {
                run_stage(g, config, stage, adapter, x)
            });
        }
        let (grid, dim) = (config.grid(), config.dims[3]);
        Encoded {
            tokens: g.reshape(x, &[batch, grid * grid, dim]),
            features: neck(g, x, config.out_channels),
        }
    })
}

/// The blocks of a stage on `x [batch, h, w, c]`, and what leads to the next.
fn run_stage(
    g: &mut Graph,
    config: &TinyVitConfig,
    stage: usize,
    adapter: &Adapter,
    mut x: Value,
) -> Value {
    let [batch, grid, _, c] = g.dims(x);
    for index in 0..config.depths[stage] {
        x = g.within(format!("blocks.{index}"), |g| {
            let Some(attending) = stage.checked_sub(1) else {
                return inverted_bottleneck(g, x, config.expansion * c);
            };
            let shape = Stage {
                grid,
                heads: config.heads[attending],
                window: config.windows_tokens[attending],
                expansion: config.expansion,
            };
            let tokens = g.reshape(x, &[batch, grid * grid, c]);
            let tokens = shape.block(g, adapter, tokens);
            g.reshape(tokens, &[batch, grid, grid, c])
        });
    }
    let Some(&out) = config.dims.get(stage + 1) else {
        return x;
    };
    // The last stage keeps the grid of the one before.
    let stride = if stage == 2 { 1 } else { 2 };
    g.within("downsample", |g| downsample(g, x, out, stride))
}
