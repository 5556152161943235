//! The choice of tile.

use super::Cooperative;
use crate::emit::gemm_tile::WORKGROUPS;
use crate::{Caps, Gemm, Products, Tile};

/// Least extents, and least multiplications, of a product for cooperative matrices.
const SIDE: usize = 32;
const LEAST: usize = 1 << 22;
/// Most workgroup memory that tiles use, in bytes: more would leave a core with few workgroups.
const MEMORY: u32 = 48 << 10;

/// A block, the part of it that a subgroup computes, and the summed extent per stage.
type Shape = ([usize; 2], [usize; 2], usize);

/// By rule the first that gives enough workgroups: many small parts, which hide each other's waits.
const BY_RULE: [Shape; 2] = [([128, 64], [32, 32], 32), ([64, 64], [32, 32], 64)];
/// The same for [`Products::Split`], whose three products wait less.
const BY_RULE_SPLIT: [Shape; 2] = [([128, 128], [64, 32], 32), ([64, 64], [32, 32], 32)];
/// Others that may be faster.
const OTHERS: [Shape; 7] = [
    ([128, 128], [64, 64], 32),
    ([128, 128], [64, 32], 64),
    ([256, 128], [64, 64], 32),
    ([128, 64], [64, 32], 32),
    ([64, 128], [32, 64], 16),
    ([64, 128], [32, 64], 64),
    ([64, 64], [32, 32], 32),
];

/// Tiles for a product, the one that suits by rule first; none where cooperative matrices are not
/// offered or not worth it.
pub(crate) fn cooperative_tiles(kernel: &Gemm, caps: &Caps) -> Vec<Tile> {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let (size, shallower, by_rule) = match caps.products {
        Products::Exact => return Vec::new(),
        Products::Half { size } => (size, 1, BY_RULE),
        // Two tiles of each operand.
        Products::Split { size } => (size, 2, BY_RULE_SPLIT),
    };
    if m.min(n).min(k) < SIDE || batch * m * n * k < LEAST {
        return Vec::new();
    }
    // Only Metal has matrices of 8×8, and it loads them from single numbers alone.
    let word = if size == 8 { 1 } else { 4 };
    let caps = Caps {
        workgroup_memory: caps.workgroup_memory.min(MEMORY),
        ..*caps
    };
    let tile = |&(block, part, depth): &Shape| {
        let [block_m, block_n] = block;
        let depth = depth / shallower;
        let inside = block_m < 2 * m && block_n < 2 * n;
        let fits = || Cooperative::new(kernel, &caps, [block_m, block_n, depth], part, word).fits();
        (inside && fits()).then_some(Tile::Cooperative {
            block_m,
            block_n,
            block_k: depth,
            part_m: part[0],
            part_n: part[1],
            word,
        })
    };
    let workgroups = |tile: &Tile| match *tile {
        Tile::Cooperative {
            block_m, block_n, ..
        } => batch * m.div_ceil(block_m) * n.div_ceil(block_n),
        _ => 0,
    };
    let mut all: Vec<Tile> = by_rule.iter().filter_map(tile).collect();
    if all
        .first()
        .is_some_and(|widest| workgroups(widest) < WORKGROUPS)
    {
        all.reverse();
    }
    all.extend(OTHERS.iter().filter_map(tile));
    all
}
