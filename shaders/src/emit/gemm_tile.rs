//! The choice of tile for a matrix product.

use super::gemm_cooperative::Cooperative;
use super::matrix::{Matrix, Wide};
use crate::{Caps, Gemm, Products, Tile};

/// Products below this many multiplications take a smaller tile, which drivers compile faster.
const SMALL: usize = 1 << 24;
/// Enough tiles to keep the cores of a CPU adapter busy, and the height below which more of them cost
/// more than they give.
const PARALLEL: usize = 16;
const LOW: usize = 16;
/// Enough workgroups to keep a large GPU busy.
const WORKGROUPS: usize = 128;
/// Least extents, and least multiplications, of a product for cooperative matrices.
const COOPERATIVE_SIDE: usize = 32;
const COOPERATIVE: usize = 1 << 22;
/// Most workgroup memory that cooperative tiles use, in bytes: more would leave a core with few workgroups.
const COOPERATIVE_MEMORY: u32 = 48 << 10;
/// Invocations of a GPU's workgroup along rows and along columns.
const THREADS: usize = 16;

/// The tile that suits a product on an adapter.
pub fn tile(kernel: &Gemm, caps: &Caps) -> Tile {
    if !caps.cpu {
        return cooperative_tile(kernel, caps).unwrap_or_else(|| shared_tile(kernel, caps));
    }
    lane_tile(kernel, lanes(caps))
}

/// Invocations per subgroup, 1 where that is not known.
pub(crate) fn lanes(caps: &Caps) -> usize {
    match caps.subgroups {
        Some((smallest, largest)) if smallest == largest => smallest as usize,
        _ => 1,
    }
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

/// Blocks of up to 128×128, smaller where the result is small or would give too few workgroups.
fn cooperative_tile(kernel: &Gemm, caps: &Caps) -> Option<Tile> {
    let &Gemm { batch, m, n, k, .. } = kernel;
    let (size, depth) = match caps.products {
        Products::Exact => return None,
        Products::Half { size } => (size, 32),
        Products::Split { size } => (size, 16),
    };
    // Only Metal has matrices of 8×8, and it loads them from single numbers alone.
    let word = if size == 8 { 1 } else { 4 };
    let caps = Caps {
        workgroup_memory: caps.workgroup_memory.min(COOPERATIVE_MEMORY),
        ..*caps
    };
    let fits = |block: [usize; 3], part| Cooperative::new(kernel, &caps, block, part, word).fits();
    if let Some([block_m, block_n, block_k, part_m, part_n, word]) = swept(word) {
        let block = [block_m, block_n, block_k];
        let tile = Cooperative::new(kernel, &caps, block, [part_m, part_n], word);
        assert!(tile.fits(), "SAMORA_COOP_TILE does not fit");
        return Some(Tile::Cooperative {
            block_m,
            block_n,
            block_k,
            part_m,
            part_n,
            word,
        });
    }
    if m.min(n).min(k) < COOPERATIVE_SIDE || batch * m * n * k < COOPERATIVE {
        return None;
    }
    let workgroups =
        |[block_m, block_n]: [usize; 2]| batch * m.div_ceil(block_m) * n.div_ceil(block_n);
    let oblong = if m > n { [128, 64] } else { [64, 128] };
    let blocks = [[128, 128], oblong, [64, 64]];
    let blocks = blocks.into_iter().filter(|&[block_m, block_n]| {
        let part = part([block_m, block_n]);
        block_m < 2 * m && block_n < 2 * n && fits([block_m, block_n, depth], part)
    });
    let blocks: Vec<[usize; 2]> = blocks.collect();
    let enough = blocks
        .iter()
        .find(|block| workgroups(**block) >= WORKGROUPS);
    let &[block_m, block_n] = enough.or(blocks.last())?;
    let [part_m, part_n] = part([block_m, block_n]);
    Some(Tile::Cooperative {
        block_m,
        block_n,
        block_k: depth,
        part_m,
        part_n,
        word,
    })
}

/// Rows and columns per subgroup: eight subgroups for the largest block, four for the others.
fn part([block_m, block_n]: [usize; 2]) -> [usize; 2] {
    match block_m >= block_n {
        true => [block_m / 2, 32],
        false => [32, block_n / 2],
    }
}

/// TEMPORARY, to sweep tiles on a GPU and then to be removed: the tile of every product from
/// `SAMORA_COOP_TILE="block_m,block_n,block_k,part_m,part_n[,word]"`.
fn swept(word: usize) -> Option<[usize; 6]> {
    let text = std::env::var("SAMORA_COOP_TILE").ok()?;
    let mut numbers: Vec<usize> = text.split(',').filter_map(|n| n.parse().ok()).collect();
    if numbers.len() == 5 {
        numbers.push(word);
    }
    let tile: Result<[usize; 6], _> = numbers.try_into();
    assert!(tile.is_ok(), "SAMORA_COOP_TILE takes 5 or 6 numbers");
    tile.ok()
}
