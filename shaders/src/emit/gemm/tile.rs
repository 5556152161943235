//! The choice of tile for a matrix product.

use super::cooperative::cooperative_tiles;
use super::matrix::{Matrix, Wide};
use super::shared::pitch;
use crate::emit::grid::WORKGROUPS;
use crate::{Caps, Gemm, Tile};

/// Products below this many multiplications take a smaller tile, which drivers compile faster.
const SMALL: usize = 1 << 24;
/// Enough tiles to keep the cores of a CPU adapter busy, and the height below which more of them cost
/// more than they give.
const PARALLEL: usize = 16;
const LOW: usize = 16;
/// Steps along k that are worth an invocation of their own, once there are as many as run together anyway.
const SHARE: usize = 16;
const WARP: usize = 32;
/// Accumulators of an invocation with which four subgroups of 32 on a core are worth more than eight.
const BUSY: usize = 64;
/// Extents along k that are worth blocks only 8 wide.
const LONG: usize = 1024;
/// Accumulators of an invocation times squares of four by four that it holds on their way to workgroup
/// memory.
const REGISTERS: usize = 64;
/// Bytes of workgroup memory that leave room for other workgroups on the same core.
const MEMORY: usize = 32768;

/// Multiplications of a product that is worth trying other tiles for.
const WORTH_TRYING: usize = 1 << 26;
/// Rows and columns of blocks that large products are tried with, and those of an invocation.
const TRIED: [([usize; 2], [usize; 2]); 7] = [
    ([128, 128], [8, 8]),
    ([128, 256], [8, 16]),
    ([256, 128], [16, 8]),
    ([64, 128], [8, 8]),
    ([128, 64], [8, 8]),
    ([64, 64], [8, 8]),
    ([64, 64], [4, 8]),
];

/// The tile that suits a product on an adapter, by rule.
pub fn tile(kernel: &Gemm, caps: &Caps) -> Tile {
    if !caps.cpu {
        let best = cooperative_tiles(kernel, caps).into_iter().next();
        return best.unwrap_or_else(|| shared_tile(kernel, caps));
    }
    lane_tile(kernel, caps.lanes())
}

/// The tile by rule, then for large products on GPUs others that may be faster.
pub(crate) fn tiles(kernel: &Gemm, caps: &Caps) -> Vec<Tile> {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let first = tile(kernel, caps);
    if caps.cpu || batch * m * n * k < WORTH_TRYING {
        return vec![first];
    }
    let others = match first {
        Tile::Cooperative { .. } => cooperative_tiles(kernel, caps),
        _ => {
            let tried = TRIED.into_iter().filter(|(block, each)| {
                block[0] < 2 * m && block[1] < 2 * n && threads(*block, *each) <= invocations(caps)
            });
            let tiles = tried.flat_map(|(block, each)| {
                let most = shared_split(k, caps, block, each);
                let splits = if most > 1 {
                    vec![most, most / 2]
                } else {
                    vec![1]
                };
                let tile = |split| of_block(k, caps, (block, each, split));
                splits.into_iter().map(tile).collect::<Vec<_>>()
            });
            tiles.collect()
        }
    };
    let mut all = vec![first];
    all.extend(others.into_iter().filter(|tile| *tile != first));
    all
}

/// As many accumulators as a core still handles well: 32×4 per lane with broadcasts, 8×16 without.
fn lane_tile(kernel: &Gemm, lanes: usize) -> Tile {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let transposed = n < 4 * lanes && m > n;
    let [a, b] = Matrix::operands(kernel);
    let (common, private) = if transposed { (b, a) } else { (a, b) };
    let (largest_own, mut largest_shared) = if lanes == 1 { (16, 8) } else { (4, 32) };
    if batch * m * n * k < SMALL {
        largest_shared = largest_shared.min(16);
    }
    let own = private
        .extent
        .div_ceil(lanes)
        .next_power_of_two()
        .min(largest_own);
    let own = if private.wide == Wide::Outer {
        own.max(4)
    } else {
        own
    };
    let across = batch * private.extent.div_ceil(lanes * own);
    let even = |parts: usize| {
        let shared = common.extent.div_ceil(parts);
        if common.wide == Wide::Outer {
            shared.next_multiple_of(4)
        } else {
            shared
        }
    };
    let mut parts = common.extent.div_ceil(largest_shared);
    while across * parts < PARALLEL && even(parts) > LOW {
        parts *= 2;
    }
    Tile::Lanes {
        lanes,
        shared: even(parts),
        own,
        transposed,
    }
}

/// Blocks of up to 128×128, smaller where the result is small or would give too few workgroups.
/// Workgroups have 256 invocations whatever their block, or 128 with many results each: those that a small
/// block leaves over share the sums along k.
fn shared_tile(kernel: &Gemm, caps: &Caps) -> Tile {
    let (block, each) = shared_blocks(kernel, caps);
    let split = shared_split(kernel.k, caps, block, each);
    of_block(kernel.k, caps, (block, each, split))
}

/// The tile of a block, of an invocation's part of it and of a split along `k`.
fn of_block(k: usize, caps: &Caps, shape: ([usize; 2], [usize; 2], usize)) -> Tile {
    let (block, each, split) = shape;
    Tile::Shared {
        block_m: block[0],
        block_n: block[1],
        block_k: shared_depth(k, caps, shape),
        rows: each[0],
        cols: each[1],
        split,
    }
}

/// Invocations that a block takes when each sums all of k.
fn threads(block: [usize; 2], each: [usize; 2]) -> usize {
    block[0] / each[0] * (block[1] / each[1])
}

/// Invocations that share the sums of the same results.
fn shared_split(k: usize, caps: &Caps, block: [usize; 2], each: [usize; 2]) -> usize {
    let threads = threads(block, each);
    let busy = each[0] * each[1] >= BUSY;
    let most = invocations(caps).min(if busy { 4 * WARP } else { usize::MAX });
    let pays = |split: usize| {
        let share = if split * threads > WARP { SHARE } else { 4 };
        split * threads <= most && k >= split * share
    };
    let mut split = 1;
    while pays(2 * split) {
        split *= 2;
    }
    split
}

/// Summed extent per stage: what the registers and the workgroup memory have room for.
fn shared_depth(
    k: usize,
    caps: &Caps,
    (block, each, split): ([usize; 2], [usize; 2], usize),
) -> usize {
    let bytes = |depth: usize| 16 * depth * (pitch(block[0]) + pitch(block[1]));
    let fits = |depth: usize| {
        let squares = depth / 4 * (block[0] + block[1]) / 4;
        squares * each[0] * each[1] <= threads(block, each) * split * REGISTERS
            && bytes(depth) <= MEMORY.min(caps.workgroup_memory as usize)
    };
    let mut depth = 16;
    while depth < k && fits(2 * depth) {
        depth *= 2;
    }
    depth = depth.min(k.next_multiple_of(4));
    while depth > 4 && bytes(depth) > caps.workgroup_memory as usize {
        depth -= 4;
    }
    depth
}

/// Rows and columns per workgroup and per invocation.
fn shared_blocks(kernel: &Gemm, caps: &Caps) -> ([usize; 2], [usize; 2]) {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let mut block = [m, n].map(|extent| extent.next_power_of_two().clamp(4, 128));
    let each = |block: [usize; 2]| block.map(|side| if side < 64 { 4 } else { 8 });
    loop {
        let groups = batch * m.div_ceil(block[0]) * n.div_ceil(block[1]);
        let larger = usize::from(block[1] > block[0]);
        let wanted = match block[larger] {
            128.. => 2 * WORKGROUPS,
            17.. => WORKGROUPS,
            16 if k >= LONG => WORKGROUPS,
            _ => 0,
        };
        if groups >= wanted && threads(block, each(block)) <= invocations(caps) {
            return (block, each(block));
        }
        block[larger] /= 2;
    }
}

/// Invocations per workgroup.
fn invocations(caps: &Caps) -> usize {
    let most = caps.workgroup_size.min(256) as usize;
    1 << most.ilog2()
}
