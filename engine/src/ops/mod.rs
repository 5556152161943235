//! The ops, one file each.

pub mod affine;
pub mod attention;
pub(crate) mod attention_cases;
mod attention_gradient;
mod attention_reference;
pub mod batch_norm;
pub mod cases;
#[cfg(test)]
mod check;
pub mod conv;
pub mod fill;
mod formula;
pub mod gather;
pub mod l2_normalize;
pub mod layer_norm;
pub mod matmul;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod misuse;
pub mod pointwise;
mod pointwise_gradient;
pub mod random;
pub mod reduce;
pub mod resize;
pub mod softmax;
pub mod source;
mod unfold;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod values;
pub mod view;

use samora_shaders::View;

use crate::{Graph, Value};

/// The row-major elements of `shape` as rows along the last axis, and the columns of a row.
pub(crate) fn last_axis(shape: &[usize]) -> (View, View) {
    let n = shape.last().copied().unwrap_or(1);
    let rows = View {
        shape: vec![shape.iter().product::<usize>() / n.max(1)],
        strides: vec![n],
        offset: 0,
    };
    (rows, View::contiguous(&[n]))
}

/// The gradient rule of ops that are themselves gradients.
pub(crate) fn no_second_gradient(g: &mut Graph, op: &'static str) -> Vec<Option<Value>> {
    g.fail(op, "is a gradient and cannot be differentiated".into());
    Vec::new()
}
