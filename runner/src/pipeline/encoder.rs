//! The image encoder of a pipeline, one of several architectures.

use samora_engine::models::sam::{self, Adapter, SamConfig};
use samora_engine::models::sam2::{self, Sam2Config};
use samora_engine::models::tiny_vit::{self, TinyVitConfig};
use samora_engine::{Graph, Value};
use serde::{Deserialize, Serialize};

use crate::data::input_intensity::InputIntensity;

/// An image encoder. All make square token grids of square images, and 256 channels when published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Encoder {
    /// Segment Anything's ViT (Kirillov et al. 2023).
    Sam(SamConfig),
    /// TinyViT (Wu et al. 2022) as in MobileSAM and LiteMedSAM, with BatchNorm at its running
    /// statistics.
    TinyVit(TinyVitConfig),
    /// SAM 2's Hiera and feature pyramid (Ravi et al. 2024), also MedSAM2's; its mask decoder takes features of
    /// higher resolution too.
    Sam2(Sam2Config),
}

/// What an encoder makes of an image.
#[derive(Clone, Copy, Debug)]
pub struct Encoded {
    /// What the patch level's experts are taught by, `[batch, grid², channels]`, row by row.
    pub tokens: Value,
    /// The neck's output, `[batch, grid, grid, out_channels]`.
    pub features: Value,
    /// Features at an eighth and at a quarter of the image's extent, where the decoder takes them.
    pub fine: Option<[Value; 2]>,
}

impl Encoder {
    /// Height and width of the image in pixels.
    pub fn image_size_px(&self) -> usize {
        match self {
            Self::Sam(c) => c.image_size_px,
            Self::TinyVit(c) => c.image_size_px,
            Self::Sam2(c) => c.image_size_px,
        }
    }

    /// Gives the image another height and width in pixels.
    pub fn set_image_size_px(&mut self, size: usize) {
        match self {
            Self::Sam(c) => c.image_size_px = size,
            Self::TinyVit(c) => c.image_size_px = size,
            Self::Sam2(c) => c.image_size_px = size,
        }
    }

    /// Height and width of the token grid.
    pub fn grid(&self) -> usize {
        match self {
            Self::Sam(c) => c.grid(),
            Self::TinyVit(c) => c.grid(),
            Self::Sam2(c) => c.grid(),
        }
    }

    /// Height and width in pixels of what one token stands for.
    pub fn stride_px(&self) -> usize {
        match self {
            Self::Sam(c) => c.patch_size_px,
            Self::TinyVit(c) => c.stride(),
            Self::Sam2(c) => c.stride(),
        }
    }

    /// Channels of the features.
    pub fn out_channels(&self) -> usize {
        match self {
            Self::Sam(c) => c.out_channels,
            Self::TinyVit(c) => c.out_channels,
            Self::Sam2(c) => c.out_channels,
        }
    }

    /// What experts are trained on where the file does not say: the scale of SAMora's released code, of LiteMedSAM's
    /// weights, of SAM 2's.
    pub fn expert_intensity(&self) -> InputIntensity {
        match self {
            Self::Sam(_) => InputIntensity::Standardised,
            Self::TinyVit(_) => InputIntensity::UnitRange,
            Self::Sam2(_) => InputIntensity::ImageNet,
        }
    }

    /// What fine-tuning sees of intensities in 0…1: those themselves as in SAMed, or what SAM 2's weights need, as
    /// MedSAM2 does.
    pub fn tuned_intensity(&self) -> InputIntensity {
        match self {
            Self::Sam(_) | Self::TinyVit(_) => InputIntensity::UnitRange,
            Self::Sam2(_) => InputIntensity::ImageNet,
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
            Self::Sam2(c) => c.check(),
        }
    }

    /// Appends the encoder of `image [batch, size, size, 3]`, with all parameters under
    /// `image_encoder`.
    pub fn encode(&self, g: &mut Graph, adapter: &Adapter, image: Value) -> Encoded {
        let plain = |encoded: sam::Encoded| Encoded {
            tokens: encoded.tokens,
            features: encoded.features,
            fine: None,
        };
        match self {
            Self::Sam(c) => plain(sam::encode(g, c, adapter, image)),
            Self::TinyVit(c) => plain(tiny_vit::encode(g, c, adapter, image)),
            Self::Sam2(c) => {
                let encoded = sam2::encode(g, c, adapter, image);
                Encoded {
                    tokens: encoded.tokens,
                    features: encoded.features,
                    fine: Some(encoded.fine),
                }
            }
        }
    }
}

impl Encoded {
    /// Of SAM 2's encoder: what its mask decoder takes.
    pub fn embedding(&self, g: &mut Graph) -> Option<sam2::Embedding> {
        let encoded = sam2::Encoded {
            tokens: self.tokens,
            features: self.features,
            fine: self.fine?,
        };
        Some(sam2::embed(g, &encoded))
    }
}
