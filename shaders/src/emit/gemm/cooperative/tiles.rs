//! The choice of tile.

use super::Cooperative;
use crate::emit::gemm::matrix::{Matrix, Wide};
use crate::emit::grid::WORKGROUPS;
use crate::{BufferType, Caps, Gemm, Products, Tile};

/// Least extents, and least multiplications, of a product for cooperative matrices.
const SIDE: usize = 32;
const LEAST: usize = 1 << 22;
/// Most workgroup memory that tiles use, in bytes: more would leave a core with few workgroups.
const MEMORY: u32 = 48 << 10;

/// A block, the part of it that a subgroup computes, and the summed extent per stage.
type Shape = ([usize; 2], [usize; 2], usize);

/// By rule the first that gives so many workgroups, or the last: many of small parts hide each other's waits.
type ByRule = &'static [(Shape, usize)];
/// For operands that are read eight numbers at a time, the right one along k.
const EIGHTS: ByRule = &[
    (([128, 128], [64, 32], 64), 2 * WORKGROUPS),
    (([128, 64], [32, 32], 64), WORKGROUPS / 2),
    (([64, 64], [32, 32], 64), 0),
];
/// The same for a right one along the columns.
const EIGHTS_ACROSS: ByRule = &[
    (([64, 128], [32, 64], 16), 2 * WORKGROUPS),
    (([128, 64], [32, 32], 64), WORKGROUPS / 2),
    (([64, 64], [32, 32], 64), 0),
];
/// For others, of which more numbers wait in registers.
const FOURS: ByRule = &[
    (([128, 64], [32, 32], 32), WORKGROUPS),
    (([64, 64], [32, 32], 64), 0),
];
/// For [`Products::Split`], whose three products wait less.
const SPLIT: ByRule = &[
    (([128, 128], [64, 32], 32), WORKGROUPS),
    (([64, 64], [32, 32], 32), 0),
];
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
        // Only Metal has matrices of 8×8.
        Products::Half { size } => (
            size,
            1,
            eights(kernel).filter(|_| size == 16).unwrap_or(FOURS),
        ),
        // Two tiles of each operand.
        Products::Split { size } => (size, 2, SPLIT),
    };
    if m.min(n).min(k) < SIDE || batch * m * n * k < LEAST {
        return Vec::new();
    }
    // Metal loads them from single numbers alone.
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
    let workgroups =
        |[block_m, block_n]: [usize; 2]| batch * m.div_ceil(block_m) * n.div_ceil(block_n);
    let suits =
        |&(shape, least): &(Shape, usize)| workgroups(shape.0) >= least && tile(&shape).is_some();
    let mut shapes: Vec<Shape> = by_rule.iter().map(|(shape, _)| *shape).collect();
    let suitable = by_rule.iter().position(suits).unwrap_or(0);
    shapes.rotate_left(suitable);
    shapes.extend(OTHERS);
    let mut all: Vec<Tile> = Vec::new();
    for tile in shapes.iter().filter_map(tile) {
        if !all.contains(&tile) {
            all.push(tile);
        }
    }
    all
}

/// The rule for a product whose operands are both read eight numbers at a time.
fn eights(kernel: &Gemm) -> Option<ByRule> {
    let operands = Matrix::operands(kernel);
    let half = |matrix: &Matrix| kernel.bindings[matrix.buffer].ty == BufferType::F16;
    let both = operands.iter().all(|matrix| matrix.eights && half(matrix));
    both.then_some(match operands[1].wide {
        Wide::Outer => EIGHTS_ACROSS,
        _ => EIGHTS,
    })
}
