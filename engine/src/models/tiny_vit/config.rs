//! Sizes of the network.

use serde::{Deserialize, Serialize};

/// TinyViT over a square image, as MobileSAM and LiteMedSAM use it: a stage of convolutions, then
/// three of blocks with windowed attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TinyVitConfig {
    /// Height and width of the image in pixels.
    pub image_size_px: usize,
    /// How pixels become the first stage's channels.
    pub stem: Stem,
    /// Channels of each stage.
    #[serde(default = "dims")]
    pub dims: [usize; 4],
    /// Blocks of each stage.
    #[serde(default = "depths")]
    pub depths: [usize; 4],
    /// Attention heads in the blocks of the last three stages.
    #[serde(default = "heads")]
    pub heads: [usize; 3],
    /// Height and width of a window in tokens, in the last three stages.
    #[serde(default = "windows_tokens")]
    pub windows_tokens: [usize; 3],
    /// Hidden width of a block's MLP over its channels, and of the first stage's convolutions.
    #[serde(default = "expansion")]
    pub expansion: usize,
    /// Channels of the neck's output.
    #[serde(default = "out_channels")]
    pub out_channels: usize,
}

/// The two convolutions before the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stem {
    /// 3×3 with stride 2, each: a quarter of the image's extent (MobileSAM).
    Halving,
    /// 1×1: the first stage works on pixels (LiteMedSAM).
    Pointwise,
}

impl TinyVitConfig {
    /// MobileSAM's encoder, published for 1024 pixels: features of a sixteenth of the extent.
    pub fn mobile_sam(image_size_px: usize) -> Self {
        Self::published(image_size_px, Stem::Halving)
    }

    /// LiteMedSAM's encoder, published for 256 pixels: features of a quarter of the extent.
    pub fn lite_medsam(image_size_px: usize) -> Self {
        Self::published(image_size_px, Stem::Pointwise)
    }

    /// Height and width of the token grid after all stages.
    pub fn grid(&self) -> usize {
        self.image_size_px / self.stride()
    }

    /// Pixels per token of that grid. The last stage has the grid of the one before.
    pub fn stride(&self) -> usize {
        match self.stem {
            Stem::Halving => 16,
            Stem::Pointwise => 4,
        }
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let lists: [(&str, &[usize]); 6] = [
            ("image_size_px", &[self.image_size_px]),
            ("dims", &self.dims),
            ("heads", &self.heads),
            ("windows_tokens", &self.windows_tokens),
            ("expansion", &[self.expansion]),
            ("out_channels", &[self.out_channels]),
        ];
        if let Some((field, _)) = lists.iter().find(|(_, values)| values.contains(&0)) {
            return Err((field, "must not be 0".into()));
        }
        let (size, stride) = (self.image_size_px, self.stride());
        if size % stride != 0 {
            let message = format!("{size} is not a multiple of {stride}, the stride of this stem");
            return Err(("image_size_px", message));
        }
        if !self.dims[0].is_multiple_of(2) {
            let message = format!("the first, {}, is not even", self.dims[0]);
            return Err(("dims", message));
        }
        let stages = self.dims[1..].iter().zip(&self.heads);
        match stages.clone().find(|(dim, heads)| *dim % *heads != 0) {
            Some((dim, heads)) => {
                let message = format!("{dim} is not a multiple of its {heads} heads");
                Err(("dims", message))
            }
            None => Ok(()),
        }
    }

    fn published(image_size_px: usize, stem: Stem) -> Self {
        Self {
            image_size_px,
            stem,
            dims: dims(),
            depths: depths(),
            heads: heads(),
            windows_tokens: windows_tokens(),
            expansion: expansion(),
            out_channels: out_channels(),
        }
    }
}

fn dims() -> [usize; 4] {
    [64, 128, 160, 320]
}

fn depths() -> [usize; 4] {
    [2, 2, 6, 2]
}

fn heads() -> [usize; 3] {
    [4, 5, 10]
}

fn windows_tokens() -> [usize; 3] {
    [7, 14, 7]
}

fn expansion() -> usize {
    4
}

fn out_channels() -> usize {
    256
}
