//! Image and patch level: the student's features, projected, regress a frozen teacher's.

use serde::{Deserialize, Serialize};

use crate::nn::loss::mse;
use crate::nn::{Statistics, batch_norm, layer_norm, linear, linear_with};
use crate::{Graph, Init, Value};

/// Width of the embeddings in which the released code compares student and teacher.
const EMBEDDING: usize = 256;

/// What is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Regression {
    /// Mean squared error between the projected student and the teacher's own features, as the paper
    /// takes from EfficientSAM.
    #[default]
    Features,
    /// The released code: 256 channels on both sides, the teacher's by a frozen random head
    /// (`teacher_head`), both of unit length, mean squared error.
    Embedding,
    /// As [`Regression::Embedding`], with 1 − cosine instead.
    Cosine,
}

/// Loss of the image level: pooled `features [batch, h, w, c]` of the student's neck against the
/// teacher's pooled features `teacher [batch, d]`. `hidden` is the projector's width. Two views of an
/// image are two entries of the batch.
pub fn image_loss(
    g: &mut Graph,
    regression: Regression,
    hidden: usize,
    features: Value,
    teacher: Value,
) -> Value {
    let [_, d] = g.dims(teacher);
    let pooled = g.mean(features, &[1, 2]);
    let target = match regression {
        Regression::Features => teacher,
        _ => g.within("teacher_head", |g| {
            let init = Init::Uniform(1.0 / (d as f32).sqrt());
            let y = linear_with(g, "0", teacher, d, init, None);
            let y = batch_norm(g, "1", y, Statistics::Running);
            let y = g.gelu(y);
            linear(g, "3", y, EMBEDDING)
        }),
    };
    compare(g, regression, hidden, pooled, target)
}

/// Loss of the patch level: the student's `tokens [batch, n, c]` before the neck, at the patches
/// `ids_keep [batch, m]` (u32) the teacher saw, against the teacher's tokens of these patches in the
/// same order, `teacher [batch, m, d]`.
pub fn patch_loss(
    g: &mut Graph,
    regression: Regression,
    hidden: usize,
    tokens: Value,
    ids_keep: Value,
    teacher: Value,
) -> Value {
    let visible = g.gather(tokens, 1, ids_keep);
    let target = match regression {
        Regression::Features => teacher,
        _ => g.within("teacher_head", |g| {
            let y = layer_norm(g, "0", teacher, 1e-5);
            linear(g, "1", y, EMBEDDING)
        }),
    };
    compare(g, regression, hidden, visible, target)
}

/// The student goes through `projector`: Linear, LayerNorm, GELU, Linear.
fn compare(
    g: &mut Graph,
    regression: Regression,
    hidden: usize,
    student: Value,
    target: Value,
) -> Value {
    let out = g.shape(target).last().copied().unwrap_or(1);
    let student = g.within("projector", |g| {
        let y = linear(g, "0", student, hidden);
        let y = layer_norm(g, "1", y, 1e-5);
        let y = g.gelu(y);
        linear(g, "3", y, out)
    });
    if regression == Regression::Features {
        return mse(g, student, target);
    }
    let (s, t) = (
        g.l2_normalize(student, 1e-12),
        g.l2_normalize(target, 1e-12),
    );
    match regression {
        Regression::Cosine => {
            let products = g.mul(s, t);
            let axes: Vec<usize> = (0..g.shape(products).len()).collect();
            let mean = g.mean(products, &axes);
            let cosine = g.scale(mean, -(out as f32));
            g.offset(cosine, 1.0)
        }
        _ => mse(g, s, t),
    }
}
