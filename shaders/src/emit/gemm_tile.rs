//! The choice of tile for a matrix product.

use super::matrix::{Matrix, Wide};
use crate::{Caps, Gemm, Tile};

/// Products below this many multiplications take a smaller tile, which drivers compile faster.
const SMALL: usize = 1 << 24;
/// Enough tiles to keep the cores of a CPU adapter busy.
const PARALLEL: usize = 16;

/// The tile that suits a product on an adapter.
pub fn tile(kernel: &Gemm, caps: &Caps) -> Tile {
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
    while across * parts < PARALLEL && even(parts) > 4 {
        parts *= 2;
    }
    Tile::Lanes {
        lanes,
        shared: even(parts),
        own,
        transposed,
    }
}
