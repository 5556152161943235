//! The index maps of im2col and its adjoint.

use samora_shaders::{Axis, View};

use super::taps::{Taps, unit};

/// Geometry of im2col over an image `[b, h, w, c]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) image: [usize; 4],
    pub(super) kernel: (usize, usize),
    pub(super) stride: usize,
    pub(super) pad: [usize; 4],
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
