//! Products of tiles that stay in the caches.
//!
//! A tile has rows of `W` vectors, whose lanes are the tokens that a piece owns. What it is multiplied with
//! is the other tokens' rows as they lie, each number of which meets all lanes.

// Iterators over a few vectors stay calls in functions as large as a pass.
#![allow(clippy::needless_range_loop)]

use pulp::Simd;

/// Rows are computed so many at once; tiles have a multiple of them.
pub(super) const ROWS: usize = 8;

/// Most vectors in a row: with [`ROWS`] rows, what 32 registers hold.
pub(super) const VECTORS: usize = 3;

/// Numbers as rows of `W` vectors.
#[inline(always)]
pub(super) fn rows<S: Simd, const W: usize>(numbers: &[f32]) -> &[[S::f32s; W]] {
    S::as_simd_f32s(numbers).0.as_chunks().0
}

/// [`rows`] to write.
#[inline(always)]
pub(super) fn rows_mut<S: Simd, const W: usize>(numbers: &mut [f32]) -> &mut [[S::f32s; W]] {
    S::as_mut_simd_f32s(numbers).0.as_chunks_mut().0
}

/// `c[m] = Σ_d a[m, d]·b[d]`, where `a` has rows of as many numbers as `b` has rows.
#[inline(always)]
pub(super) fn products<S: Simd, const W: usize>(
    simd: S,
    c: &mut [[S::f32s; W]],
    a: &[f32],
    b: &[[S::f32s; W]],
) {
    match S::REGISTER_COUNT >= 32 {
        true => products_of::<S, W, ROWS>(simd, c, a, b),
        false => products_of::<S, W, { ROWS / 2 }>(simd, c, a, b),
    }
}

#[inline(always)]
fn products_of<S: Simd, const W: usize, const M: usize>(
    simd: S,
    c: &mut [[S::f32s; W]],
    a: &[f32],
    b: &[[S::f32s; W]],
) {
    let depth = b.len();
    let blocks = c.as_chunks_mut::<M>().0;
    for block in 0..blocks.len() {
        let rows = &a[block * M * depth..][..M * depth];
        let rows: [&[f32]; M] = std::array::from_fn(|m| &rows[m * depth..][..depth]);
        let mut sums = [[simd.splat_f32s(0.0); W]; M];
        for d in 0..depth {
            for m in 0..M {
                let a = simd.splat_f32s(rows[m][d]);
                for j in 0..W {
                    sums[m][j] = simd.mul_add_e_f32s(a, b[d][j], sums[m][j]);
                }
            }
        }
        blocks[block] = sums;
    }
}

/// `c[d] = shrink·c[d] + Σ_m a[m, d]·b[m]`, where `a` has rows of as many numbers as `c` has rows, and
/// maybe more rows than `b`.
#[inline(always)]
pub(super) fn accumulate<S: Simd, const W: usize>(
    simd: S,
    c: &mut [[S::f32s; W]],
    shrink: [S::f32s; W],
    a: &[f32],
    b: &[[S::f32s; W]],
) {
    match S::REGISTER_COUNT >= 32 {
        true => accumulate_of::<S, W, ROWS>(simd, c, shrink, a, b),
        false => accumulate_of::<S, W, { ROWS / 2 }>(simd, c, shrink, a, b),
    }
}

#[inline(always)]
fn accumulate_of<S: Simd, const W: usize, const M: usize>(
    simd: S,
    c: &mut [[S::f32s; W]],
    shrink: [S::f32s; W],
    a: &[f32],
    b: &[[S::f32s; W]],
) {
    let (per_row, a) = (c.len() / M, a.as_chunks::<M>().0);
    let blocks = c.as_chunks_mut::<M>().0;
    for block in 0..blocks.len() {
        let mut sums = blocks[block];
        for d in 0..M {
            for j in 0..W {
                sums[d][j] = simd.mul_f32s(sums[d][j], shrink[j]);
            }
        }
        for m in 0..b.len() {
            let a = &a[m * per_row + block];
            for d in 0..M {
                let a = simd.splat_f32s(a[d]);
                for j in 0..W {
                    sums[d][j] = simd.mul_add_e_f32s(a, b[m][j], sums[d][j]);
                }
            }
        }
        blocks[block] = sums;
    }
}

/// Copies rows, with zeros up to `depth` numbers each and up to a multiple of [`ROWS`].
pub(super) fn gather<'a>(tile: &mut [f32], depth: usize, rows: impl Iterator<Item = &'a [f32]>) {
    let mut count = 0;
    for (to, row) in tile.chunks_exact_mut(depth).zip(rows) {
        to[..row.len()].copy_from_slice(row);
        to[row.len()..].fill(0.0);
        count += 1;
    }
    tile[count * depth..count.next_multiple_of(ROWS) * depth].fill(0.0);
}

/// Puts rows into the lanes of a tile of rows of `width` numbers.
pub(super) fn transpose<'a>(tile: &mut [f32], width: usize, rows: impl Iterator<Item = &'a [f32]>) {
    tile.fill(0.0);
    for (lane, row) in rows.enumerate() {
        for (to, &number) in tile.chunks_exact_mut(width).zip(row) {
            to[lane] = number;
        }
    }
}

/// Calls a function of the number of vectors in a row with a constant.
macro_rules! by_vectors {
    ($vectors:expr, $f:ident::<$s:ident>($($argument:expr),* $(,)?)) => {
        match $vectors {
            1 => $f::<$s, 1>($($argument),*),
            2 => $f::<$s, 2>($($argument),*),
            _ => $f::<$s, 3>($($argument),*),
        }
    };
}
pub(super) use by_vectors;
