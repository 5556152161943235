//! The trunk: overlapping patches, positions, and the blocks of four stages (hieradet.py, `Hiera`).

use super::Sam2Config;
use super::config::PATCH_STRIDE_PX;
use super::positions::positions;
use crate::models::sam::Adapter;
use crate::nn::conv;
use crate::{Graph, Value};

/// Height and width of the patches, which overlap.
const PATCH_PX: usize = 7;

/// The last tokens of each stage of `image [batch, size, size, 3]`, `[batch, h, w, c]` at strides 4, 8, 16 and 32,
/// in the scope of the trunk.
pub(super) fn run_trunk(
    g: &mut Graph,
    config: &Sam2Config,
    adapter: &Adapter,
    image: Value,
) -> [Value; 4] {
    let shape = (PATCH_PX, PATCH_STRIDE_PX);
    let x = conv(g, "patch_embed.proj", image, config.dim, shape, true, true);
    let [batch, grid, _, dim] = g.dims(x);
    let positions = positions(g, config, grid);
    let x = g.add(x, positions);
    let mut x = g.reshape(x, &[batch, grid * grid, dim]);
    let mut stages = [x; 4];
    for (index, block) in config.blocks().into_iter().enumerate() {
        x = g.within(format!("blocks.{index}"), |g| {
            block.run(g, config.mlp_ratio, adapter, x)
        });
        let grid = block.grid_out();
        stages[block.stage] = g.reshape(x, &[batch, grid, grid, block.out]);
    }
    stages
}
