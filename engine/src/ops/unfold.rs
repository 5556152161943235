//! im2col: windows of images `[b, h, w, c]` as rows `[b, oh, ow, kh·kw·c]`, and its adjoint. Channels stay
//! neighbours, so that four of them are read and written at once.

use samora_shaders::{Axis, View};

use super::affine::{Affine, Taps, unit};
use super::cases::{Case, operand};
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

/// Geometry of im2col over an image `[b, h, w, c]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) image: [usize; 4],
    pub(super) kernel: (usize, usize),
    stride: usize,
    pad: [usize; 4],
}

impl Window {
    /// Rows and columns of windows, or what is wrong.
    pub(super) fn grid(&self) -> Result<(usize, usize), String> {
        let ([_, h, w, _], (kh, kw), [top, bottom, left, right]) =
            (self.image, self.kernel, self.pad);
        let (h, w) = (h + top + bottom, w + left + right);
        if self.stride == 0 || kh == 0 || kw == 0 || kh > h || kw > w {
            return Err(format!(
                "a {kh}×{kw} window with stride {} does not fit a padded image of {h}×{w}",
                self.stride
            ));
        }
        Ok(((h - kh) / self.stride + 1, (w - kw) / self.stride + 1))
    }

    /// `[b, oh, ow, kh, kw, c]` read from `[b, h, w, c]`.
    pub(super) fn unfold(&self) -> Taps {
        let [b, h, w, c] = self.image;
        let (oh, ow) = self.grid().unwrap_or((1, 1));
        let along = |coef: [i64; 6], shift: usize, size: usize, stride: usize| Axis {
            coef: coef.to_vec(),
            shift: -(shift as i64),
            div: 1,
            size,
            stride,
        };
        let s = self.stride as i64;
        let axes = vec![
            along([1, 0, 0, 0, 0, 0], 0, b, h * w * c),
            along([0, s, 0, 1, 0, 0], self.pad[0], h, w * c),
            along([0, 0, s, 0, 1, 0], self.pad[2], w, c),
            along([0, 0, 0, 0, 0, 1], 0, c, 1),
        ];
        Taps {
            shape: vec![b, oh, ow, self.kernel.0, self.kernel.1, c],
            taps: vec![axes],
            fill: 0.0,
        }
    }

    /// `[b, h, w, c]` summed over the kernel positions from `[b, oh, ow, kh, kw, c]`.
    pub(super) fn fold(&self) -> Taps {
        let [b, _, _, c] = self.image;
        let (oh, ow) = self.grid().unwrap_or((1, 1));
        let (kh, kw) = self.kernel;
        let strides = View::contiguous(&[b, oh, ow, kh, kw, c]).strides;
        let along = |d: usize, coef: i64, shift: i64, div: usize, size: usize| Axis {
            coef: unit(4, d.min(3), coef),
            shift,
            div,
            size,
            stride: strides[d],
        };
        let tap = |ky: usize, kx: usize| {
            vec![
                along(0, 1, 0, 1, b),
                along(1, 1, self.pad[0] as i64 - ky as i64, self.stride, oh),
                along(2, 1, self.pad[2] as i64 - kx as i64, self.stride, ow),
                along(3, 0, ky as i64, 1, kh),
                along(4, 0, kx as i64, 1, kw),
                along(5, 1, 0, 1, c),
            ]
        };
        Taps {
            shape: self.image.to_vec(),
            taps: (0..kh * kw).map(|k| tap(k / kw, k % kw)).collect(),
            fill: 0.0,
        }
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
