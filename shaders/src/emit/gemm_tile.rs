//! The choice of tile for a matrix product.

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
/// Invocations of a GPU's workgroup along rows and along columns.
const THREADS: usize = 16;

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
fn shared_tile(kernel: &Gemm, caps: &Caps) -> Tile {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let side = |extent: usize| extent.next_power_of_two().clamp(THREADS, 128);
    let (mut block_m, mut block_n) = (side(m), side(n));
    let few = |block_m, block_n| batch * m.div_ceil(block_m) * n.div_ceil(block_n) < WORKGROUPS;
    while few(block_m, block_n) && block_m.max(block_n) > 2 * THREADS {
        if block_m >= block_n {
            block_m /= 2;
        } else {
            block_n /= 2;
        }
    }
    let bytes = |depth: usize| 4 * depth * (block_m + block_n + 2);
    let mut block_k = k.next_multiple_of(4).min(16);
    while block_k > 4 && bytes(block_k) > caps.workgroup_memory as usize {
        block_k -= 4;
    }
    Tile::Shared {
        block_m,
        block_n,
        block_k,
        rows: block_m / THREADS,
        cols: block_n / THREADS,
    }
}
