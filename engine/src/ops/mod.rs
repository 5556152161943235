//! The ops, one file each.

pub mod affine;
pub mod attention;
pub mod batch_norm;
pub mod conv;
pub mod fill;
pub mod gather;
pub mod l2_normalize;
pub mod layer_norm;
pub mod matmul;
pub mod pointwise;
pub mod random;
pub mod reduce;
pub mod resize;
pub mod softmax;
pub mod source;
pub mod view;

use samora_shaders::View;

pub use crate::cases;
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
