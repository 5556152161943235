//! Masked autoencoder (He et al. 2022, models_mae.py): a ViT that reconstructs hidden patches from
//! the visible ones, and SAMora's teacher at the patch level.

mod patches;
#[cfg(test)]
mod tests;

use samora_shaders::Tokens;
use serde::{Deserialize, Serialize};

pub use patches::{Masking, masked_patch_loss, patch_errors, patchify, sincos_positions};

use crate::nn::{layer_norm, linear_with};
use crate::ops::attention::Attend;
use crate::{Graph, Init, Value};

/// timm's LayerNorm in vision transformers.
const EPS: f32 = 1e-6;

/// Sizes of encoder and decoder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaeConfig {
    /// Height and width of the image in pixels.
    pub image_size_px: usize,
    /// Height and width of a patch in pixels.
    #[serde(default = "patch_size_px")]
    pub patch_size_px: usize,
    /// Channels of an encoder token; a multiple of 4 for the sin-cos positions.
    pub dim: usize,
    /// Encoder blocks.
    pub depth: usize,
    /// Encoder heads.
    pub heads: usize,
    /// Channels of a decoder token; a multiple of 4.
    #[serde(default = "decoder_dim")]
    pub decoder_dim: usize,
    /// Decoder blocks.
    #[serde(default = "decoder_depth")]
    pub decoder_depth: usize,
    /// Decoder heads.
    #[serde(default = "decoder_heads")]
    pub decoder_heads: usize,
}

impl MaeConfig {
    /// ViT-B/16 at 224 pixels.
    pub fn vit_b() -> Self {
        Self::published(16, 768, 12, 12)
    }

    /// ViT-L/16 at 224 pixels.
    pub fn vit_l() -> Self {
        Self::published(16, 1024, 24, 16)
    }

    /// ViT-H/14 at 224 pixels.
    pub fn vit_h() -> Self {
        Self::published(14, 1280, 32, 16)
    }

    /// A small one that trains in minutes.
    pub fn tiny(image_size_px: usize, patch_size_px: usize) -> Self {
        Self {
            image_size_px,
            patch_size_px,
            dim: 128,
            depth: 4,
            heads: 4,
            decoder_dim: 64,
            decoder_depth: 1,
            decoder_heads: 4,
        }
    }

    /// Height and width of the token grid.
    pub fn grid(&self) -> usize {
        self.image_size_px / self.patch_size_px.max(1)
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let (size, patch) = (self.image_size_px, self.patch_size_px);
        if patch == 0 || size == 0 || size % patch != 0 {
            let message = format!("{size} is not a positive multiple of patch_size_px = {patch}");
            return Err(("image_size_px", message));
        }
        for (field, dim, heads) in [
            ("dim", self.dim, self.heads),
            ("decoder_dim", self.decoder_dim, self.decoder_heads),
        ] {
            if dim == 0 || heads == 0 || dim % heads != 0 || dim % 4 != 0 {
                let message = format!("{dim} is not a positive multiple of 4 and of {heads} heads");
                return Err((field, message));
            }
        }
        Ok(())
    }

    fn published(patch_size_px: usize, dim: usize, depth: usize, heads: usize) -> Self {
        Self {
            image_size_px: 224,
            patch_size_px,
            dim,
            depth,
            heads,
            decoder_dim: decoder_dim(),
            decoder_depth: decoder_depth(),
            decoder_heads: decoder_heads(),
        }
    }
}

/// Encodes the patches `ids_keep [batch, m]` (u32, row by row from 0) of
/// `image [batch, size, size, 3]`: `[batch, 1 + m, dim]` after the final norm, the class token first.
pub fn encode(g: &mut Graph, config: &MaeConfig, image: Value, ids_keep: Value) -> Value {
    let [batch, height, width, _] = g.dims(image);
    if let Err((field, message)) = config.check() {
        g.fail("mae", format!("{field}: {message}"));
        return image;
    }
    if (height, width) != (config.image_size_px, config.image_size_px) {
        let size = config.image_size_px;
        g.fail(
            "mae",
            format!("takes {size}×{size} pixels, not {height}×{width}"),
        );
        return image;
    }
    let (grid, dim, patch) = (config.grid(), config.dim, config.patch_size_px);
    let pixels = patch * patch * 3;
    let x = g.within("patch_embed.proj", |g| {
        // As a linear layer on flattened patches, whose Xavier bound it starts with.
        let bound = (6.0 / (pixels + dim) as f32).sqrt();
        let weight = g.param("weight", &[dim, 3, patch, patch], Init::Uniform(bound));
        let init = Init::Uniform(1.0 / (pixels as f32).sqrt());
        let bias = g.param("bias", &[dim], init);
        g.conv2d(image, weight, Some(bias), patch, [0; 4])
    });
    let x = g.reshape(x, &[batch, grid * grid, dim]);
    let positions = g.constant("pos_embed", sincos_positions(dim, grid));
    let of_patches = g.slice(positions, 1, 1, grid * grid);
    let x = g.add(x, of_patches);
    let x = g.gather(x, 1, ids_keep);
    let class = g.param("cls_token", &[1, 1, dim], Init::Normal(0.02));
    let of_class = g.slice(positions, 1, 0, 1);
    let class = g.add(class, of_class);
    let class = g.broadcast(class, &[batch, 1, dim]);
    let mut x = g.concat(&[class, x], 1);
    for index in 0..config.depth {
        x = g.within(format!("blocks.{index}"), |g| block(g, x, config.heads));
    }
    layer_norm(g, "norm", x, EPS)
}

/// Predicts all patches from the encoder's `tokens [batch, 1 + m, dim]`, of which `ids_restore
/// [batch, grid²]` (u32) says where each patch stands among visible, then hidden ones:
/// `[batch, grid², patch²·3]`, in the order of [`patchify`].
pub fn decode(g: &mut Graph, config: &MaeConfig, tokens: Value, ids_restore: Value) -> Value {
    let [batch, kept, _] = g.dims(tokens);
    let (count, dim) = (config.grid() * config.grid(), config.decoder_dim);
    if kept > count + 1 {
        g.fail("mae", format!("{kept} tokens for {count} patches"));
        return tokens;
    }
    let x = xavier(g, "decoder_embed", tokens, dim);
    let class = g.slice(x, 1, 0, 1);
    let visible = g.slice(x, 1, 1, kept - 1);
    let mask = g.param("mask_token", &[1, 1, dim], Init::Normal(0.02));
    let hidden = g.broadcast(mask, &[batch, count + 1 - kept, dim]);
    let x = g.concat(&[visible, hidden], 1);
    let x = g.gather(x, 1, ids_restore);
    let x = g.concat(&[class, x], 1);
    let positions = g.constant("decoder_pos_embed", sincos_positions(dim, config.grid()));
    let mut x = g.add(x, positions);
    for index in 0..config.decoder_depth {
        x = g.within(format!("decoder_blocks.{index}"), |g| {
            block(g, x, config.decoder_heads)
        });
    }
    let x = layer_norm(g, "decoder_norm", x, EPS);
    let x = g.slice(x, 1, 1, count);
    let pixels = config.patch_size_px * config.patch_size_px * 3;
    xavier(g, "decoder_pred", x, pixels)
}

/// The training loss: hidden patches predicted from visible ones, each target patch normalised by
/// its own mean and variance when `normalise`. Sources: see [`Masking::inputs`].
pub fn pretrain_loss(
    g: &mut Graph,
    config: &MaeConfig,
    image: Value,
    masking: &Masking,
    normalise: bool,
) -> Value {
    let tokens = encode(g, config, image, masking.ids_keep);
    let prediction = decode(g, config, tokens, masking.ids_restore);
    let target = patchify(g, image, config.patch_size_px);
    masked_patch_loss(g, prediction, target, masking.hidden, normalise)
}

/// timm's pre-norm ViT block.
fn block(g: &mut Graph, x: Value, heads: usize) -> Value {
    let [_, count, c] = g.dims(x);
    let y = layer_norm(g, "norm1", x, EPS);
    let qkv = xavier(g, "attn.qkv", y, 3 * c);
    let [q, k, v] = [0, 1, 2].map(|i| g.slice(qkv, 2, i * c, c));
    let attend = Attend::plain(
        heads,
        Tokens::Sequence {
            queries: count,
            keys: count,
        },
    );
    let y = g.attention(q, k, v, attend);
    let y = xavier(g, "attn.proj", y, c);
    let x = g.add(x, y);
    let y = layer_norm(g, "norm2", x, EPS);
    let y = xavier(g, "mlp.fc1", y, 4 * c);
    let y = g.gelu(y);
    let y = xavier(g, "mlp.fc2", y, c);
    g.add(x, y)
}

/// A linear layer that starts Xavier-uniform with zero bias.
fn xavier(g: &mut Graph, name: &str, x: Value, out: usize) -> Value {
    let width = g.shape(x).last().copied().unwrap_or(1);
    let bound = (6.0 / (width + out) as f32).sqrt();
    linear_with(g, name, x, out, Init::Uniform(bound), Some(Init::Zeros))
}

fn patch_size_px() -> usize {
    16
}

fn decoder_dim() -> usize {
    512
}

fn decoder_depth() -> usize {
    8
}

fn decoder_heads() -> usize {
    16
}
