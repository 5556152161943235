//! The choice of tile.

use super::Cooperative;
use crate::emit::gemm_tile::WORKGROUPS;
use crate::{Caps, Gemm, Products, Tile};

/// Least extents, and least multiplications, of a product for cooperative matrices.
const SIDE: usize = 32;
const LEAST: usize = 1 << 22;
/// Most workgroup memory that tiles use, in bytes: more would leave a core with few workgroups.
const MEMORY: u32 = 48 << 10;
/// Blocks, the parts of them that a subgroup computes and places for staged tiles, by rule: the widest that
/// gives enough workgroups.
const BY_RULE: [Shape; 4] = [
    ([128, 128], [64, 32], 1),
    ([128, 64], [64, 32], 1),
    ([64, 128], [32, 64], 1),
    ([64, 64], [32, 32], 1),
];
/// Others that may be faster.
const OTHERS: [Shape; 9] = [
    ([128, 128], [64, 64], 1),
    ([128, 128], [64, 64], 2),
    ([128, 128], [64, 32], 2),
    ([256, 128], [64, 64], 1),
    ([128, 64], [32, 32], 1),
    ([128, 64], [32, 32], 2),
    ([128, 64], [64, 32], 2),
    ([64, 128], [32, 64], 2),
    ([64, 64], [32, 32], 2),
];
/// Those that may be faster with other depths.
const OTHER_DEPTHS: [Shape; 3] = [
    ([128, 128], [64, 32], 1),
    ([64, 128], [32, 64], 1),
    ([64, 64], [32, 32], 1),
];

type Shape = ([usize; 2], [usize; 2], usize);

/// Tiles for a product, the one that suits by rule first; none where cooperative matrices are not
/// offered or not worth it.
pub(crate) fn cooperative_tiles(kernel: &Gemm, caps: &Caps) -> Vec<Tile> {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let (size, depths) = match caps.products {
        Products::Exact => return Vec::new(),
        Products::Half { size } => (size, [32, 16, 64]),
        Products::Split { size } => (size, [16, 32, 64]),
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
    let tile = |(block, part, places): Shape, depth| {
        let [block_m, block_n] = block;
        let inside = block_m < 2 * m && block_n < 2 * n;
        let fits = || {
            let each = (word, places);
            Cooperative::new(kernel, &caps, [block_m, block_n, depth], part, each).fits()
        };
        (inside && fits()).then_some(Tile::Cooperative {
            block_m,
            block_n,
            block_k: depth,
            part_m: part[0],
            part_n: part[1],
            word,
            places,
        })
    };
    let workgroups = |tile: &Tile| match *tile {
        Tile::Cooperative {
            block_m, block_n, ..
        } => batch * m.div_ceil(block_m) * n.div_ceil(block_n),
        _ => 0,
    };
    let mut by_rule: Vec<Tile> = BY_RULE.iter().filter_map(|b| tile(*b, depths[0])).collect();
    let enough = by_rule.iter().position(|t| workgroups(t) >= WORKGROUPS);
    if by_rule.is_empty() {
        return by_rule;
    }
    let first = by_rule.remove(enough.unwrap_or(by_rule.len() - 1));
    let mut all = vec![first];
    let others = OTHERS.iter().filter_map(|b| tile(*b, depths[0]));
    let deeper = OTHER_DEPTHS
        .iter()
        .flat_map(|b| depths[1..].iter().filter_map(|d| tile(*b, *d)));
    all.extend(by_rule.into_iter().chain(others).chain(deeper));
    all
}
