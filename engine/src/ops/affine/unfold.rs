//! im2col: windows of images `[b, h, w, c]` as rows `[b, oh, ow, kh·kw·c]`, and its adjoint. Channels stay
//! neighbours, so that four of them are read and written at once.

use super::Affine;
use super::window::Window;
use crate::cases::{Case, operand};
use crate::{Graph, Value};

impl Graph {
    /// Windows of `x [b, h, w, c]` as rows `[b, oh, ow, kh·kw·c]`. `pad` is `[top, bottom, left, right]`
    /// zeros; `oh = (h + top + bottom − kh)/stride + 1`.
    pub fn unfold(
        &mut self,
        x: Value,
        kernel: (usize, usize),
        stride: usize,
        pad: [usize; 4],
    ) -> Value {
        self.unfold_with(x, kernel, stride, pad, 0.0)
    }

    /// [`Graph::unfold`] with another value than zero around the image.
    pub(crate) fn unfold_with(
        &mut self,
        x: Value,
        (kh, kw): (usize, usize),
        stride: usize,
        pad: [usize; 4],
        fill: f32,
    ) -> Value {
        let image = self.dims::<4>(x);
        let [b, h, w, c] = image;
        // Windows that tile the image are a view.
        let tiles = stride > 0 && h % stride == 0 && w % stride == 0 && pad == [0; 4];
        if (kh, kw) == (stride, stride) && tiles {
            let (oh, ow) = (h / stride, w / stride);
            let split = self.reshape(x, &[b, oh, stride, ow, stride, c]);
            let rows = self.permute(split, &[0, 1, 3, 2, 4, 5]);
            return self.reshape(rows, &[b, oh, ow, stride * stride * c]);
        }
        let window = Window {
            image,
            kernel: (kh, kw),
            stride,
            pad,
        };
        self.push(Affine::Unfold { window, fill }, &[x])
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "unfold 3×3 same",
        build: |g| {
            let x = operand(g, "x", &[2, 4, 5, 3]);
            vec![g.unfold(x, (3, 3), 1, [1, 1, 1, 1])]
        },
    },
    Case {
        name: "unfold 3×2 stride 2, asymmetric",
        build: |g| {
            let x = operand(g, "x", &[1, 6, 5, 2]);
            vec![g.unfold(x, (3, 2), 2, [1, 0, 0, 2])]
        },
    },
    Case {
        name: "unfold tiles",
        build: |g| {
            let x = operand(g, "x", &[2, 4, 6, 3]);
            vec![g.unfold(x, (2, 2), 2, [0; 4])]
        },
    },
    Case {
        name: "unfold that skips pixels",
        build: |g| {
            let x = operand(g, "x", &[1, 7, 8, 2]);
            vec![g.unfold(x, (1, 1), 3, [0; 4])]
        },
    },
];
