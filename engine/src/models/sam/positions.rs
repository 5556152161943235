//! Random Fourier features of positions (SAM, prompt_encoder.py, `PositionEmbeddingRandom`).

use std::f32::consts::TAU;

use crate::{Graph, Init, Tensor, Value};

/// Features of every grid cell's centre, `[grid², dim]`, row by row.
pub fn dense_positions(g: &mut Graph, grid: usize, dim: usize) -> Value {
    g.within("prompt_encoder", |g| {
        let at = |i: usize| 2.0 * (i as f32 + 0.5) / grid as f32 - 1.0;
        let centres = (0..grid * grid)
            .flat_map(|i| [at(i % grid), at(i / grid)])
            .collect();
        let centres = g.constant("centres", Tensor::f32(&[grid * grid, 2], centres));
        fourier_features(g, centres, dim)
    })
}

/// Features of `c [.., 2]`, x and y in [−1, 1], in the scope `prompt_encoder`: with the matrix
/// G `[2, dim/2]`, [sin(2π·c·G), cos(2π·c·G)], `[.., dim]`.
pub(super) fn fourier_features(g: &mut Graph, c: Value, dim: usize) -> Value {
    let name = "pe_layer.positional_encoding_gaussian_matrix";
    let gaussian = g.param(name, &[2, dim / 2], Init::Normal(1.0));
    let angle = g.matmul(c, gaussian);
    let angle = g.scale(angle, TAU);
    let (sine, cosine) = (g.sin(angle), g.cos(angle));
    let last = g.shape(c).len().saturating_sub(1);
    g.concat(&[sine, cosine], last)
}
