//! The image encoder of a pipeline, one of several architectures.

use samora_engine::models::sam::{self, Adapter, Encoded, SamConfig};
use samora_engine::models::tiny_vit::{self, TinyVitConfig};
use samora_engine::{Graph, Value};
use serde::{Deserialize, Serialize};

/// An image encoder. Both make square token grids of square images, and 256 channels when published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Encoder {
    /// Segment Anything's ViT (Kirillov et al. 2023).
    Sam(SamConfig),
    /// TinyViT (Wu et al. 2022) as in MobileSAM and LiteMedSAM, with BatchNorm at its running
    /// statistics.
    TinyVit(TinyVitConfig),
}

impl Encoder {
    /// Height and width of the image in pixels.
    pub fn image_size_px(&self) -> usize {
        match self {
            Self::Sam(c) => c.image_size_px,
            Self::TinyVit(c) => c.image_size_px,
        }
    }

    /// Gives the image another height and width in pixels.
    pub fn set_image_size_px(&mut self, size: usize) {
        match self {
            Self::Sam(c) => c.image_size_px = size,
            Self::TinyVit(c) => c.image_size_px = size,
        }
    }

    /// Height and width of the token grid.
    pub fn grid(&self) -> usize {
        match self {
            Self::Sam(c) => c.grid(),
            Self::TinyVit(c) => c.grid(),
        }
    }

    /// Height and width in pixels of what one token stands for.
    pub fn stride_px(&self) -> usize {
        match self {
            Self::Sam(c) => c.patch_size_px,
            Self::TinyVit(c) => c.stride(),
        }
    }

    /// Channels of the features.
    pub fn out_channels(&self) -> usize {
        match self {
            Self::Sam(c) => c.out_channels,
            Self::TinyVit(c) => c.out_channels,
        }
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        match self {
            Self::Sam(c) => c.check(),
            Self::TinyVit(c) => c.check(),
        }
    }

    /// Appends the encoder of `image [batch, size, size, 3]`, with all parameters under
    /// `image_encoder`.
    pub fn encode(&self, g: &mut Graph, adapter: &Adapter, image: Value) -> Encoded {
        match self {
            Self::Sam(c) => sam::encode(g, c, adapter, image),
            Self::TinyVit(c) => tiny_vit::encode(g, c, adapter, image),
        }
    }
}
