//! Sizes of the networks.

use serde::{Deserialize, Serialize};

/// SAM's image encoder, a ViT over a square image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamConfig {
    /// Height and width of the image in pixels.
    pub image_size_px: usize,
    /// Height and width of a patch in pixels.
    #[serde(default = "patch_size_px")]
    pub patch_size_px: usize,
    /// Channels of a token.
    pub dim: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads of a block.
    pub heads: usize,
    /// Height and width of a window in tokens.
    #[serde(default = "window_tokens")]
    pub window_tokens: usize,
    /// Blocks that attend over the whole grid instead of windows, counted from 0.
    #[serde(default)]
    pub global_blocks: Vec<usize>,
    /// Hidden width of a block's MLP over `dim`.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: usize,
    /// Channels of the neck's output.
    #[serde(default = "out_channels")]
    pub out_channels: usize,
}

/// The mask decoder with one token per mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskDecoderConfig {
    /// Number of masks: the classes, background included.
    pub classes: usize,
    /// Layers of the two-way transformer.
    #[serde(default = "decoder_depth")]
    pub depth: usize,
    /// Attention heads.
    #[serde(default = "decoder_heads")]
    pub heads: usize,
    /// Hidden width of the transformer's MLP.
    #[serde(default = "decoder_mlp_dim")]
    pub mlp_dim: usize,
}

impl SamConfig {
    /// ViT-B, 89.7 M parameters.
    pub fn vit_b(image_size_px: usize) -> Self {
        Self::published(image_size_px, 768, 12, 12)
    }

    /// ViT-L, 308 M parameters.
    pub fn vit_l(image_size_px: usize) -> Self {
        Self::published(image_size_px, 1024, 24, 16)
    }

    /// ViT-H, 637 M parameters.
    pub fn vit_h(image_size_px: usize) -> Self {
        Self::published(image_size_px, 1280, 32, 16)
    }

    /// A small encoder that trains from scratch in minutes: patches of 8 pixels, four blocks of 96
    /// channels with the second and fourth global, and a neck of 64 channels.
    pub fn tiny(image_size_px: usize) -> Self {
        Self {
            image_size_px,
            patch_size_px: 8,
            dim: 96,
            depth: 4,
            heads: 4,
            window_tokens: 7,
            global_blocks: vec![1, 3],
            mlp_ratio: mlp_ratio(),
            out_channels: 64,
        }
    }

    /// Height and width of the token grid.
    pub fn grid(&self) -> usize {
        self.image_size_px / self.patch_size_px.max(1)
    }

    /// Height and width of a window in block `index`: `window_tokens`, or the grid in global blocks.
    pub fn window(&self, index: usize) -> usize {
        match self.global_blocks.contains(&index) {
            true => self.grid(),
            false => self.window_tokens,
        }
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let positive = [
            ("patch_size_px", self.patch_size_px),
            ("image_size_px", self.image_size_px),
            ("dim", self.dim),
            ("depth", self.depth),
            ("heads", self.heads),
            ("window_tokens", self.window_tokens),
            ("mlp_ratio", self.mlp_ratio),
            ("out_channels", self.out_channels),
        ];
        if let Some((field, _)) = positive.iter().find(|(_, value)| *value == 0) {
            return Err((field, "must not be 0".into()));
        }
        let (size, patch) = (self.image_size_px, self.patch_size_px);
        if size % patch != 0 {
            let message = format!("{size} is not a multiple of patch_size_px = {patch}");
            return Err(("image_size_px", message));
        }
        if !self.dim.is_multiple_of(self.heads) {
            let message = format!("{} is not a multiple of heads = {}", self.dim, self.heads);
            return Err(("dim", message));
        }
        if let Some(block) = self.global_blocks.iter().find(|&&b| b >= self.depth) {
            let message = format!("block {block} does not exist; depth is {}", self.depth);
            return Err(("global_blocks", message));
        }
        Ok(())
    }

    fn published(image_size_px: usize, dim: usize, depth: usize, heads: usize) -> Self {
        Self {
            image_size_px,
            patch_size_px: patch_size_px(),
            dim,
            depth,
            heads,
            window_tokens: window_tokens(),
            global_blocks: (1..=4).map(|quarter| quarter * depth / 4 - 1).collect(),
            mlp_ratio: mlp_ratio(),
            out_channels: out_channels(),
        }
    }
}

impl MaskDecoderConfig {
    /// SAM's decoder for this many classes, background included.
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            depth: decoder_depth(),
            heads: decoder_heads(),
            mlp_dim: decoder_mlp_dim(),
        }
    }

    /// SAM's own four masks: one for a clear prompt, three for an ambiguous one.
    pub fn sam() -> Self {
        Self::new(4)
    }

    /// Says which field is wrong for an image embedding of `dim` channels, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self, dim: usize) -> Result<(), (&'static str, String)> {
        if self.classes < 2 {
            let message = "needs the background and at least one class".to_string();
            return Err(("classes", message));
        }
        if self.heads == 0 || self.mlp_dim == 0 {
            return Err(("heads", "heads and mlp_dim must not be 0".into()));
        }
        // Cross-attention is half as wide as the embedding, and upscaling ends at an eighth.
        if !dim.is_multiple_of(2 * self.heads) || !dim.is_multiple_of(8) {
            let message = format!("{dim} channels do not split into 2·{} and 8", self.heads);
            return Err(("heads", message));
        }
        Ok(())
    }
}

fn patch_size_px() -> usize {
    16
}

fn window_tokens() -> usize {
    14
}

fn mlp_ratio() -> usize {
    4
}

fn out_channels() -> usize {
    256
}

fn decoder_depth() -> usize {
    2
}

fn decoder_heads() -> usize {
    8
}

fn decoder_mlp_dim() -> usize {
    2048
}
