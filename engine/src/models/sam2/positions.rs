//! Positions of the trunk's tokens (hieradet.py, `_get_pos_embed`).

use super::Sam2Config;
use crate::{Graph, Init, Tensor, Value};

/// The free parameter of the cubic kernel, as in PyTorch.
const A: f64 = -0.75;

/// Positions `[grid, grid, dim]` in the scope of the trunk: a coarse table, stretched over the grid by bicubic
/// interpolation, plus a table of one window, repeated.
pub(super) fn positions(g: &mut Graph, config: &Sam2Config, grid: usize) -> Value {
    let (dim, coarse, window) = (
        config.dim,
        config.positions_tokens,
        config.windows_tokens[0],
    );
    let init = Init::TruncatedNormal(0.02);
    let table = g.param("pos_embed", &[1, dim, coarse, coarse], init);
    let repeated = g.param("pos_embed_window", &[1, dim, window, window], init);
    let weights = Tensor::f32(&[grid, coarse], bicubic(coarse, grid));
    let weights = g.constant("bicubic", weights);
    // Rows first, then columns, which are a batch of products.
    let table = g.permute(table, &[0, 2, 3, 1]);
    let table = g.reshape(table, &[coarse, coarse * dim]);
    let rows = g.matmul(weights, table);
    let rows = g.reshape(rows, &[grid, coarse, dim]);
    let stretched = g.matmul(weights, rows);
    let count = grid / window;
    let tiles = g.reshape(stretched, &[count, window, count, window, dim]);
    let repeated = g.permute(repeated, &[0, 2, 3, 1]);
    let repeated = g.reshape(repeated, &[1, window, 1, window, dim]);
    let sum = g.add(tiles, repeated);
    g.reshape(sum, &[grid, grid, dim])
}

/// What each of `to` samples takes of `from`, `[to, from]`: bicubic, half-pixel centres, no antialiasing, and
/// samples beyond the border are those at the border (`torch.nn.functional.interpolate`,
/// `align_corners=False`).
fn bicubic(from: usize, to: usize) -> Vec<f32> {
    let last = from as i64 - 1;
    let mut weights = vec![0.0; to * from];
    for (o, row) in weights.chunks_mut(from).enumerate() {
        let at = (o as f64 + 0.5) * from as f64 / to as f64 - 0.5;
        let first = at.floor() as i64 - 1;
        for tap in first..first + 4 {
            let source = tap.clamp(0, last) as usize;
            row[source] += cubic((at - tap as f64).abs()) as f32;
        }
    }
    weights
}

/// The cubic convolution kernel at distance `x` (Keys 1981).
fn cubic(x: f64) -> f64 {
    match x {
        x if x <= 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
        x if x < 2.0 => ((x - 5.0) * x + 8.0) * A * x - 4.0 * A,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Doubling samples at quarters between the cells.
    #[test]
    fn taps_are_pytorchs() {
        const TAPS: [f32; 4] = [-0.10546875, 0.87890625, 0.26171875, -0.03515625];
        let weights = bicubic(6, 12);
        let row = |o: usize| &weights[6 * o..6 * (o + 1)];
        assert_eq!(row(5), [0.0, TAPS[0], TAPS[1], TAPS[2], TAPS[3], 0.0]);
        assert_eq!(row(6), [0.0, TAPS[3], TAPS[2], TAPS[1], TAPS[0], 0.0]);
        // The first sample lies at −1/4: what is beyond the border counts as the border.
        let border = TAPS[3] + TAPS[2] + TAPS[1];
        assert_eq!(row(0), [border, TAPS[0], 0.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn constants_stay_constant() {
        for (from, to) in [(7, 56), (14, 32), (5, 3), (7, 7)] {
            for row in bicubic(from, to).chunks(from) {
                assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{row:?}");
            }
        }
        let same = bicubic(3, 3);
        assert_eq!(same, [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
    }
}
