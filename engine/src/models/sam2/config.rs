//! Sizes of the network.

use serde::{Deserialize, Serialize};

/// Pixels from patch to patch; patches overlap.
pub(super) const PATCH_STRIDE_PX: usize = 4;
/// Stages after the first, each of which halves the grid.
const HALVINGS: u32 = 3;

/// Hiera over a square image, and the pyramid of its four stages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sam2Config {
    /// Height and width of the image in pixels.
    pub image_size_px: usize,
    /// Channels of the first stage; each further stage doubles them.
    pub dim: usize,
    /// Attention heads of the first stage; each further stage doubles them.
    pub heads: usize,
    /// Blocks of each stage.
    pub depths: [usize; 4],
    /// Height and width of a window in tokens, in each stage. The first block of a stage still has the windows of
    /// the stage before.
    #[serde(default = "windows_tokens")]
    pub windows_tokens: [usize; 4],
    /// Blocks that attend over the whole grid instead of windows, counted from 0 over all stages.
    #[serde(default)]
    pub global_blocks: Vec<usize>,
    /// Height and width of the table of positions that is stretched over the grid.
    #[serde(default = "positions_tokens")]
    pub positions_tokens: usize,
    /// Hidden width of a block's MLP over its channels.
    #[serde(default = "mlp_ratio")]
    pub mlp_ratio: usize,
    /// Channels of the pyramid.
    #[serde(default = "out_channels")]
    pub out_channels: usize,
}

/// One block of the trunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block {
    /// Stage, counted from 0.
    pub(super) stage: usize,
    /// Height and width of the grid that comes in.
    pub(super) grid: usize,
    /// Height and width of a window on that grid.
    pub(super) window: usize,
    /// Channels that come in.
    pub(super) dim: usize,
    /// Channels that go out.
    pub(super) out: usize,
    /// Attention heads.
    pub(super) heads: usize,
    /// Whether queries are pooled, which halves the grid.
    pub(super) pools: bool,
}

impl Sam2Config {
    /// Hiera-T, 38.9 M parameters with those for videos.
    pub fn tiny(image_size_px: usize) -> Self {
        Self::published(image_size_px, 96, 1, [1, 2, 7, 2], &[5, 7, 9])
    }

    /// Hiera-S, 46.0 M parameters with those for videos.
    pub fn small(image_size_px: usize) -> Self {
        Self::published(image_size_px, 96, 1, [1, 2, 11, 2], &[7, 10, 13])
    }

    /// Hiera-B+, 80.8 M parameters with those for videos.
    pub fn base_plus(image_size_px: usize) -> Self {
        Self {
            positions_tokens: 14,
            ..Self::published(image_size_px, 112, 2, [2, 3, 16, 3], &[12, 16, 20])
        }
    }

    /// Hiera-L, 224.4 M parameters with those for videos.
    pub fn large(image_size_px: usize) -> Self {
        Self {
            windows_tokens: [8, 4, 16, 8],
            ..Self::published(image_size_px, 144, 2, [2, 6, 36, 4], &[23, 33, 43])
        }
    }

    /// The network of a weight file's [`architecture`], such as `sam2_hiera_tiny` or `hf_sam2_hiera_tiny`.
    ///
    /// [`architecture`]: crate::weights::WeightFile::architecture
    pub fn of_architecture(architecture: &str, image_size_px: usize) -> Option<Self> {
        let name = architecture.strip_prefix("hf_").unwrap_or(architecture);
        match name.strip_prefix("sam2_hiera_")? {
            "tiny" => Some(Self::tiny(image_size_px)),
            "small" => Some(Self::small(image_size_px)),
            "base_plus" => Some(Self::base_plus(image_size_px)),
            "large" => Some(Self::large(image_size_px)),
            _ => None,
        }
    }

    /// Height and width of the grid of the image's features, a sixteenth of the image's.
    pub fn grid(&self) -> usize {
        self.image_size_px / self.stride()
    }

    /// Pixels per cell of that grid.
    pub fn stride(&self) -> usize {
        4 * PATCH_STRIDE_PX
    }

    /// Says which field is wrong, if any.
    ///
    /// # Errors
    /// The field's name and the rule it breaks.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let lists: [(&str, &[usize]); 8] = [
            ("image_size_px", &[self.image_size_px]),
            ("dim", &[self.dim]),
            ("heads", &[self.heads]),
            ("depths", &self.depths),
            ("windows_tokens", &self.windows_tokens),
            ("positions_tokens", &[self.positions_tokens]),
            ("mlp_ratio", &[self.mlp_ratio]),
            ("out_channels", &[self.out_channels]),
        ];
        if let Some((field, _)) = lists.iter().find(|(_, values)| values.contains(&0)) {
            return Err((field, "must not be 0".into()));
        }
        let least = PATCH_STRIDE_PX << HALVINGS;
        let size = self.image_size_px;
        if size % least != 0 {
            let message = format!("{size} is not a multiple of {least}, the last stage's stride");
            return Err(("image_size_px", message));
        }
        let (grid, window) = (size / PATCH_STRIDE_PX, self.windows_tokens[0]);
        if grid % window != 0 {
            // Positions repeat with the first stage's windows.
            let message = format!("the first, {window}, does not tile the grid of {grid}×{grid}");
            return Err(("windows_tokens", message));
        }
        if let Some(odd) = self.windows_tokens[..3].iter().find(|w| *w % 2 != 0) {
            let message = format!("{odd} cannot be pooled by 2; all but the last must be even");
            return Err(("windows_tokens", message));
        }
        if !self.dim.is_multiple_of(self.heads) {
            let message = format!("{} is not a multiple of heads = {}", self.dim, self.heads);
            return Err(("dim", message));
        }
        let depth: usize = self.depths.iter().sum();
        if let Some(block) = self.global_blocks.iter().find(|&&b| b >= depth) {
            let message = format!("block {block} does not exist; there are {depth}");
            return Err(("global_blocks", message));
        }
        Ok(())
    }

    /// The blocks of all stages.
    pub(super) fn blocks(&self) -> Vec<Block> {
        let stages = (0..4).flat_map(|stage| (0..self.depths[stage]).map(move |i| (stage, i)));
        let block = |(index, (stage, i)): (usize, (usize, usize))| {
            let pools = stage > 0 && i == 0;
            let before = stage - usize::from(pools);
            let grid = (self.image_size_px / PATCH_STRIDE_PX) >> before;
            let window = match self.global_blocks.contains(&index) {
                true => grid,
                false => self.windows_tokens[before],
            };
            Block {
                stage,
                grid,
                window,
                dim: self.dim << before,
                out: self.dim << stage,
                heads: self.heads << stage,
                pools,
            }
        };
        stages.enumerate().map(block).collect()
    }

    fn published(
        image_size_px: usize,
        dim: usize,
        heads: usize,
        depths: [usize; 4],
        global_blocks: &[usize],
    ) -> Self {
        Self {
            image_size_px,
            dim,
            heads,
            depths,
            windows_tokens: windows_tokens(),
            global_blocks: global_blocks.to_vec(),
            positions_tokens: positions_tokens(),
            mlp_ratio: mlp_ratio(),
            out_channels: out_channels(),
        }
    }
}

fn windows_tokens() -> [usize; 4] {
    [8, 4, 14, 7]
}

fn positions_tokens() -> usize {
    7
}

fn mlp_ratio() -> usize {
    4
}

fn out_channels() -> usize {
    256
}
