//! The innermost product: panels of both operands into a tile of the result, in registers.

use pulp::{Arch, Simd, WithSimd};

/// Lines of the panels of the left and right operand on a processor.
pub(super) fn panels(arch: Arch) -> [usize; 2] {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    match arch.dispatch(Lanes) {
        16 => [12, 32],
        8 => [6, 16],
        4 => [8, 8],
        _ => [4, 4],
    }
}

/// `tile (+)= a·b` for all panels of both.
pub(super) struct Product<'a> {
    /// Panels of the left operand, and the rows of the tile that they are for.
    pub(super) a: &'a [f32],
    pub(super) rows: usize,
    /// Panels of the right operand, and the columns of the tile that they are for.
    pub(super) b: &'a [f32],
    pub(super) cols: usize,
    pub(super) depth: usize,
    /// Row-major, `rows`×`cols`.
    pub(super) tile: &'a mut [f32],
    /// Whether the tile is overwritten, not added to.
    pub(super) first: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.all::<S, 12, 2>(simd),
            8 => self.all::<S, 6, 2>(simd),
            4 => self.all::<S, 8, 2>(simd),
            _ => self.all::<S, 4, 4>(simd),
        }
    }
}

impl Product<'_> {
    #[inline(always)]
    fn all<S: Simd, const ROWS: usize, const VECTORS: usize>(self, simd: S) {
        let width = VECTORS * S::F32_LANES;
        let right = self.b.chunks_exact(width * self.depth).enumerate();
        for (q, b) in right {
            let b = S::as_simd_f32s(b).0;
            let col = q * width;
            let cols = width.min(self.cols - col);
            for (p, a) in self.a.chunks_exact(ROWS * self.depth).enumerate() {
                let row = p * ROWS;
                let rows = ROWS.min(self.rows - row);
                let tile = &mut self.tile[row * self.cols + col..];
                let sums = product::<S, ROWS, VECTORS>(simd, a, b);
                for (r, sums) in sums.iter().enumerate().take(rows) {
                    let to = &mut tile[r * self.cols..][..cols];
                    let sums: &[f32] = bytemuck::cast_slice(sums);
                    match self.first {
                        true => to.copy_from_slice(&sums[..cols]),
                        false => to.iter_mut().zip(sums).for_each(|(y, x)| *y += x),
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn product<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    a: &[f32],
    b: &[S::f32s],
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    for (a, b) in a
        .as_chunks::<ROWS>()
        .0
        .iter()
        .zip(b.as_chunks::<VECTORS>().0)
    {
        for (sums, a) in sums.iter_mut().zip(a) {
            let a = simd.splat_f32s(*a);
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum = simd.mul_add_e_f32s(a, *b, *sum);
            }
        }
    }
    sums
}
