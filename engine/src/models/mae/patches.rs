//! Patches of an image: their order, positions, masks and reconstruction loss.

use crate::{DType, Graph, Tensor, Value};

/// Which patches are hidden, as graph inputs.
#[derive(Clone, Copy, Debug)]
pub struct Masking {
    /// Visible patches in shuffled order, u32 `[batch, m]`.
    pub ids_keep: Value,
    /// Place of each patch in the shuffled order, u32 `[batch, n]`; visible ones come first.
    pub ids_restore: Value,
    /// 1 for hidden patches, 0 for visible ones, `[batch, n]`.
    pub hidden: Value,
}

impl Masking {
    /// Declares the inputs `ids_keep` and `ids_restore` for `n` patches of which `kept` are visible.
    pub fn inputs(g: &mut Graph, batch: usize, n: usize, kept: usize) -> Self {
        let ids_keep = g.input("ids_keep", &[batch, kept], DType::U32);
        let ids_restore = g.input("ids_restore", &[batch, n], DType::U32);
        let last_visible = g.scalar(kept as f32 - 0.5);
        Self {
            ids_keep,
            ids_restore,
            hidden: g.lt(last_visible, ids_restore),
        }
    }
}

/// Patches of `image [batch, h, w, c]` as `[batch, (h/p)·(w/p), p·p·c]`, row by row, channels
/// fastest.
pub fn patchify(g: &mut Graph, image: Value, patch: usize) -> Value {
    let [batch, h, w, c] = g.dims(image);
    let (rows, columns) = (h / patch.max(1), w / patch.max(1));
    let split = g.reshape(image, &[batch, rows, patch, columns, patch, c]);
    let ordered = g.permute(split, &[0, 1, 3, 2, 4, 5]);
    g.reshape(ordered, &[batch, rows * columns, patch * patch * c])
}

/// Mean of [`patch_errors`] over the patches where `hidden [batch, n]` is 1.
pub fn masked_patch_loss(
    g: &mut Graph,
    prediction: Value,
    target: Value,
    hidden: Value,
    normalise: bool,
) -> Value {
    let errors = patch_errors(g, prediction, target, normalise);
    let counted = g.mul(errors, hidden);
    let total = g.sum(counted, &[0, 1]);
    let number = g.sum(hidden, &[0, 1]);
    let one = g.scalar(1.0);
    let number = g.maximum(number, one);
    g.div(total, number)
}

/// Mean squared error of each patch of `prediction [batch, n, d]`, as `[batch, n]`. With `normalise`,
/// each target patch is standardised: (t − mean)/√(var + 10⁻⁶), variance unbiased.
pub fn patch_errors(g: &mut Graph, prediction: Value, target: Value, normalise: bool) -> Value {
    let [batch, n, d] = g.dims(target);
    let mut target = target;
    if normalise {
        let mean = g.mean(target, &[2]);
        let mean = g.reshape(mean, &[batch, n, 1]);
        let centred = g.sub(target, mean);
        let squares = g.square(centred);
        let sum = g.sum(squares, &[2]);
        let var = g.scale(sum, 1.0 / d.saturating_sub(1).max(1) as f32);
        let var = g.offset(var, 1e-6);
        let deviation = g.sqrt(var);
        let deviation = g.reshape(deviation, &[batch, n, 1]);
        target = g.div(centred, deviation);
    }
    let error = g.sub(prediction, target);
    let squares = g.square(error);
    g.mean(squares, &[2])
}

/// Fixed positions `[1, 1 + grid², dim]` (pos_embed.py), zeros for the class token. The first half of
/// the channels encodes the column, the second the row; each half is sin(p·ω_k), then cos(p·ω_k), with
/// ω_k = 10000^(−k/(dim/4)).
pub fn sincos_positions(dim: usize, grid: usize) -> Tensor {
    let quarter = dim / 4;
    let mut data = vec![0.0; dim];
    for i in 0..grid * grid {
        for position in [i % grid, i / grid] {
            let angle =
                |k: usize| position as f64 / 10_000f64.powf(k as f64 / quarter.max(1) as f64);
            data.extend((0..quarter).map(|k| angle(k).sin() as f32));
            data.extend((0..quarter).map(|k| angle(k).cos() as f32));
        }
    }
    data.resize((1 + grid * grid) * dim, 0.0);
    Tensor::f32(&[1, 1 + grid * grid, dim], data)
}
