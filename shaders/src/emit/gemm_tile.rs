//! The choice of tile for a matrix product.

use super::gemm_shared::pitch;
use super::matrix::{Matrix, Wide};
use crate::{Caps, Gemm, Tile};

/// Products below this many multiplications take a smaller tile, which drivers compile faster.
const SMALL: usize = 1 << 24;
/// Enough tiles to keep the cores of a CPU adapter busy, and the height below which more of them cost
/// more than they give.
const PARALLEL: usize = 16;
const LOW: usize = 16;
/// Enough workgroups to keep a large GPU busy.
const WORKGROUPS: usize = 128;
/// Steps along k that are worth an invocation of their own.
const SHARE: usize = 16;
/// Accumulators of an invocation times squares of four by four that it holds on their way to workgroup
/// memory.
const REGISTERS: usize = 64;
/// Bytes of workgroup memory that leave room for other workgroups on the same core.
const MEMORY: usize = 32768;

/// The tile that suits a product on an adapter.
pub fn tile(kernel: &Gemm, caps: &Caps) -> Tile {
    if !caps.cpu {
        return shared_tile(kernel, caps);
    }
    let lanes = match caps.subgroups {
        Some((smallest, largest)) if smallest == largest => smallest as usize,
        _ => 1,
    };
    lane_tile(kernel, lanes)
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
/// Workgroups have as many invocations whatever their block: those that a small block leaves over share
/// the sums along k.
fn shared_tile(kernel: &Gemm, caps: &Caps) -> Tile {
    let (block, each, depth) = shared_blocks(kernel, caps);
    let threads = block[0] / each[0] * (block[1] / each[1]);
    let mut split = 1;
    while 2 * split * threads <= invocations(caps) && kernel.k >= 2 * split * SHARE {
        split *= 2;
    }
    let depth = depth.unwrap_or_else(|| shared_depth(kernel.k, caps, (block, each, split)));
    Tile::Shared {
        block_m: block[0],
        block_n: block[1],
        block_k: depth,
        rows: each[0],
        cols: each[1],
        split,
    }
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
        let invocations = block[0] * block[1] * split / (each[0] * each[1]);
        squares * each[0] * each[1] <= invocations * REGISTERS
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
fn shared_blocks(kernel: &Gemm, caps: &Caps) -> ([usize; 2], [usize; 2], Option<usize>) {
    // TEMPORARY: to try other tiles without building.
    if let Ok(text) = std::env::var("SAMORA_GEMM_TILE") {
        let numbers: Vec<usize> = text
            .split(',')
            .filter_map(|n| n.trim().parse().ok())
            .collect();
        if let [block_m, block_n, depth, rows, cols] = numbers[..] {
            return (
                [block_m, block_n],
                [rows, cols],
                (depth > 0).then_some(depth),
            );
        }
    }
    let &Gemm { batch, m, n, .. } = kernel;
    let mut block = [m, n].map(|extent| extent.next_power_of_two().clamp(4, 128));
    let each = |block: [usize; 2]| block.map(|side| if side < 64 { 4 } else { 8 });
    loop {
        let groups = batch * m.div_ceil(block[0]) * n.div_ceil(block[1]);
        let larger = usize::from(block[1] > block[0]);
        let wanted = match block[larger] {
            128.. => 2 * WORKGROUPS,
            16.. => WORKGROUPS,
            _ => 0,
        };
        let [rows, cols] = each(block);
        let threads = block[0] / rows * (block[1] / cols);
        if groups >= wanted && threads <= invocations(caps) {
            return (block, [rows, cols], None);
        }
        block[larger] /= 2;
    }
}

/// Invocations per workgroup.
fn invocations(caps: &Caps) -> usize {
    let most = caps.workgroup_size.min(256) as usize;
    1 << most.ilog2()
}
