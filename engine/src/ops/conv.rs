//! Convolutions and pooling over images `[b, h, w, c]`, composed of im2col, products and reductions.
//! Weights have PyTorch's layouts. `pad` is `[top, bottom, left, right]`.

use crate::cases::{Case, distinct, operand};
use crate::{Graph, Value};

/// Stands for −∞ around the image of a maximum; shaders must not spell infinity.
const LOWEST: f32 = -3.0e38;

impl Graph {
    /// Convolution with `weight (out, in, kh, kw)` and `bias [out]`: `[b, oh, ow, out]`.
    pub fn conv2d(
        &mut self,
        x: Value,
        weight: Value,
        bias: Option<Value>,
        stride: usize,
        pad: [usize; 4],
    ) -> Value {
        let [out, inputs, kh, kw] = self.dims::<4>(weight);
        let rows = match (kh, kw, stride, pad) {
            (1, 1, 1, [0, 0, 0, 0]) => x,
            _ => self.unfold(x, (kh, kw), stride, pad),
        };
        let weight = self.permute(weight, &[2, 3, 1, 0]);
        let columns = self.reshape(weight, &[kh * kw * inputs, out]);
        let y = self.matmul(rows, columns);
        match bias {
            Some(bias) => self.add(y, bias),
            None => y,
        }
    }

    /// Transposed convolution with `weight (in, out, 2, 2)`, stride 2: `[b, 2h, 2w, out]`.
    pub fn conv_transpose2x2(&mut self, x: Value, weight: Value, bias: Option<Value>) -> Value {
        let [b, h, w, _] = self.dims::<4>(x);
        let [inputs, out, kh, kw] = self.dims::<4>(weight);
        if (kh, kw) != (2, 2) {
            self.fail("conv_transpose2x2", format!("the kernel is {kh}×{kw}"));
            return x;
        }
        // Channels last, as in the result; the bias is added before pixels move.
        let columns = self.permute(weight, &[0, 2, 3, 1]);
        let columns = self.reshape(columns, &[inputs, 4 * out]);
        let y = self.matmul(x, columns);
        let mut y = self.reshape(y, &[b, h, w, 2, 2, out]);
        if let Some(bias) = bias {
            y = self.add(y, bias);
        }
        let y = self.permute(y, &[0, 1, 3, 2, 4, 5]);
        self.reshape(y, &[b, 2 * h, 2 * w, out])
    }

    /// Convolution of each channel with its own kernel, `weight (c, 1, kh, kw)`.
    pub fn depthwise_conv2d(
        &mut self,
        x: Value,
        weight: Value,
        stride: usize,
        pad: [usize; 4],
    ) -> Value {
        let [c, _, kh, kw] = self.dims::<4>(weight);
        let windows = self.windows(x, (kh, kw), stride, pad, 0.0);
        let kernel = self.reshape(weight, &[c, kh * kw]);
        let kernel = self.transpose(kernel);
        let products = self.mul(windows, kernel);
        self.sum(products, &[3])
    }

    /// Largest value of each window; positions outside the image never win.
    pub fn max_pool(&mut self, x: Value, kernel: usize, stride: usize, pad: [usize; 4]) -> Value {
        let windows = self.windows(x, (kernel, kernel), stride, pad, LOWEST);
        self.max(windows, &[3])
    }

    /// Mean of each window; positions outside the image count as zeros.
    pub fn avg_pool(&mut self, x: Value, kernel: usize, stride: usize, pad: [usize; 4]) -> Value {
        let windows = self.windows(x, (kernel, kernel), stride, pad, 0.0);
        self.mean(windows, &[3])
    }

    /// Windows of each channel, `[b, oh, ow, kh·kw, c]`.
    fn windows(
        &mut self,
        x: Value,
        kernel: (usize, usize),
        stride: usize,
        pad: [usize; 4],
        fill: f32,
    ) -> Value {
        let [_, _, _, c] = self.dims::<4>(x);
        let rows = self.unfold_with(x, kernel, stride, pad, fill);
        let [b, oh, ow, columns] = self.dims::<4>(rows);
        self.reshape(rows, &[b, oh, ow, columns / c, c])
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "conv 3×3 with bias",
        build: |g| {
            let x = operand(g, "x", &[2, 5, 4, 3]);
            let (w, b) = (operand(g, "w", &[4, 3, 3, 3]), operand(g, "b", &[4]));
            vec![g.conv2d(x, w, Some(b), 1, [1; 4])]
        },
    },
    Case {
        name: "conv 1×1",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 4, 5]);
            let w = operand(g, "w", &[2, 5, 1, 1]);
            vec![g.conv2d(x, w, None, 1, [0; 4])]
        },
    },
    Case {
        name: "conv with stride 2 and asymmetric padding",
        build: |g| {
            let x = operand(g, "x", &[1, 6, 7, 2]);
            let w = operand(g, "w", &[3, 2, 3, 3]);
            vec![g.conv2d(x, w, None, 2, [0, 1, 1, 0])]
        },
    },
    Case {
        name: "patch embedding",
        build: |g| {
            let x = operand(g, "x", &[2, 6, 9, 3]);
            let (w, b) = (operand(g, "w", &[5, 3, 3, 3]), operand(g, "b", &[5]));
            vec![g.conv2d(x, w, Some(b), 3, [0; 4])]
        },
    },
    Case {
        name: "transposed conv",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 2, 5]);
            let (w, b) = (operand(g, "w", &[5, 3, 2, 2]), operand(g, "b", &[3]));
            vec![g.conv_transpose2x2(x, w, Some(b))]
        },
    },
    Case {
        name: "depthwise conv",
        build: |g| {
            let x = operand(g, "x", &[1, 5, 6, 3]);
            let w = operand(g, "w", &[3, 1, 3, 3]);
            vec![g.depthwise_conv2d(x, w, 1, [1; 4])]
        },
    },
    Case {
        name: "conv with channels in fours",
        build: |g| {
            let x = operand(g, "x", &[1, 4, 5, 4]);
            let w = operand(g, "w", &[8, 4, 3, 3]);
            vec![g.conv2d(x, w, None, 1, [1; 4])]
        },
    },
    Case {
        name: "depthwise conv with channels in fours",
        build: |g| {
            let x = operand(g, "x", &[1, 5, 6, 8]);
            let w = operand(g, "w", &[8, 1, 3, 3]);
            vec![g.depthwise_conv2d(x, w, 2, [1; 4])]
        },
    },
    Case {
        name: "depthwise conv in one kernel",
        build: |g| {
            let x = operand(g, "x", &[1, 32, 16, 8]);
            let w = operand(g, "w", &[8, 1, 2, 2]);
            vec![g.depthwise_conv2d(x, w, 1, [0, 1, 0, 1])]
        },
    },
    Case {
        name: "max pool 3×3 stride 2",
        build: |g| {
            let x = distinct(g, "x", &[2, 5, 6, 2]);
            vec![g.max_pool(x, 3, 2, [1; 4])]
        },
    },
    Case {
        name: "average pool 2×2 with padding",
        build: |g| {
            let x = operand(g, "x", &[1, 5, 4, 3]);
            vec![g.avg_pool(x, 2, 2, [0, 1, 0, 0])]
        },
    },
];
