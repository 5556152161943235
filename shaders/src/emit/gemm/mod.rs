//! Matrix products, by the kind of their tile.

mod cooperative;
mod lanes;
mod matrix;
mod result;
mod shared;
mod tile;

use self::cooperative::Cooperative;
use self::lanes::Lanes;
use self::shared::Shared;
pub use self::tile::tile;
pub(crate) use self::tile::tiles;
use super::shader::Shader;
use crate::{Caps, Gemm, Tile};

/// Emits a matrix product with a tile.
pub(crate) fn gemm(kernel: &Gemm, caps: &Caps, tile: Tile) -> Shader {
    let (module, grid) = match tile {
        Tile::Lanes {
            lanes,
            shared,
            own,
            transposed,
        } => Lanes::new(kernel, caps, [lanes, shared, own], transposed).emit(),
        Tile::Shared {
            block_m,
            block_n,
            block_k,
            rows,
            cols,
            split,
        } => {
            let (block, each) = ([block_m, block_n], [rows, cols]);
            Shared::new(kernel, caps, (block, block_k), (each, split)).emit()
        }
        Tile::Cooperative {
            block_m,
            block_n,
            block_k,
            part_m,
            part_n,
            word,
        } => Cooperative::new(
            kernel,
            caps,
            [block_m, block_n, block_k],
            [part_m, part_n],
            word,
        )
        .emit(),
    };
    let Gemm { batch, m, n, k, .. } = kernel;
    let name = format!("gemm {batch}x{m}x{n}x{k}");
    Shader {
        variant: tile.name(),
        ..Shader::new(name, module, grid, &kernel.bindings)
    }
}
