//! Ops that only move elements by affine index maps: padding, concatenation, im2col and its adjoint.
//!
//! Each output element is the sum of one or more *taps*, source elements whose coordinates are
//! `(Σ coef·c + shift)/div` of the output coordinates `c`; a tap outside the source is a constant.

use samora_shaders::{Access, Axis, Binary, Expr, Leaf, Scalar, View};

use super::no_second_gradient;
use super::pointwise::map;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// Zeros added along `axis`: `before` in front and `after` behind.
    pub fn pad(&mut self, x: Value, axis: usize, before: usize, after: usize) -> Value {
        self.pad_with(x, axis, before, after, 0.0)
    }

    /// Copies of `fill` added along `axis`: `before` in front and `after` behind.
    pub fn pad_with(
        &mut self,
        x: Value,
        axis: usize,
        before: usize,
        after: usize,
        fill: f32,
    ) -> Value {
        if before == 0 && after == 0 {
            return x;
        }
        let pad = Affine::Pad {
            axis,
            before,
            after,
            fill,
        };
        self.push(pad, &[x])
    }

    /// The tensors joined along `axis`; the other extents agree.
    pub fn concat(&mut self, xs: &[Value], axis: usize) -> Value {
        let extent = |g: &Self, x: Value| g.shape(x).get(axis).copied().unwrap_or(0);
        let total: usize = xs.iter().map(|&x| extent(self, x)).sum();
        let mut before = 0;
        let mut joined = None;
        for &x in xs {
            let len = extent(self, x);
            let part = self.pad(x, axis, before, total - before - len);
            before += len;
            joined = Some(match joined {
                Some(sum) if self.shape(sum) == self.shape(part) => self.add(sum, part),
                Some(sum) => {
                    let message = format!(
                        "{:?} does not continue {:?} along axis {axis}",
                        self.shape(x),
                        self.shape(sum)
                    );
                    self.fail("concat", message);
                    sum
                }
                None => part,
            });
        }
        joined.unwrap_or_else(|| {
            self.fail("concat", "nothing to join".into());
            self.scalar(0.0)
        })
    }

    /// The tensors, all of one shape, joined along a new dimension `axis`.
    pub fn stack(&mut self, xs: &[Value], axis: usize) -> Value {
        let parts: Vec<Value> = xs
            .iter()
            .map(|&x| {
                let mut shape = self.shape(x).to_vec();
                shape.insert(axis.min(shape.len()), 1);
                self.reshape(x, &shape)
            })
            .collect();
        self.concat(&parts, axis)
    }

    /// im2col: windows of `x [b, h, w, c]` as rows `[b, oh, ow, c·kh·kw]`, ordered like the
    /// flattened weight `(c, kh, kw)` of a PyTorch convolution. `pad` is `[top, bottom, left,
    /// right]` zeros; `oh = (h + top + bottom − kh)/stride + 1`.
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
            let rows = self.permute(split, &[0, 1, 3, 5, 2, 4]);
            return self.reshape(rows, &[b, oh, ow, c * stride * stride]);
        }
        let window = Window {
            image,
            kernel: (kh, kw),
            stride,
            pad,
        };
        self.push(Affine::Unfold { window, fill }, &[x])
    }

    /// Element `c` of the result, of shape `shape`, is the element of `x` that `axes` map `c` to, or
    /// zero outside. For gradient rules only: it has no gradient of its own.
    pub(crate) fn affine(&mut self, x: Value, shape: &[usize], axes: Vec<Axis>) -> Value {
        let shape = shape.to_vec();
        self.push(Affine::Tap { shape, axes }, &[x])
    }
}

#[derive(Clone, Debug)]
enum Affine {
    Pad {
        axis: usize,
        before: usize,
        after: usize,
        fill: f32,
    },
    Unfold {
        window: Window,
        fill: f32,
    },
    /// Adjoint of `Unfold`: every pixel is the sum of the window entries that read it.
    Fold(Window),
    /// One tap with any coefficients, zero outside the source.
    Tap {
        shape: Vec<usize>,
        axes: Vec<Axis>,
    },
}

/// Geometry of im2col over an image `[b, h, w, c]`.
#[derive(Clone, Copy, Debug)]
struct Window {
    image: [usize; 4],
    kernel: (usize, usize),
    stride: usize,
    pad: [usize; 4],
}

/// An index map: output coordinates in `shape` to the source coordinates of each tap.
struct Taps {
    shape: Vec<usize>,
    taps: Vec<Vec<Axis>>,
    fill: f32,
}

impl Affine {
    /// The index map for a source of shape `input`.
    fn taps(&self, input: &[usize]) -> Taps {
        match self {
            &Self::Pad {
                axis,
                before,
                after,
                fill,
            } => {
                let mut shape = input.to_vec();
                shape[axis] += before + after;
                let strides = View::contiguous(input).strides;
                let axes = (0..input.len()).map(|d| {
                    let shift = if d == axis { -(before as i64) } else { 0 };
                    Axis {
                        coef: unit(input.len(), d, 1),
                        shift,
                        div: 1,
                        size: input[d],
                        stride: strides[d],
                    }
                });
                Taps {
                    taps: vec![axes.collect()],
                    shape,
                    fill,
                }
            }
            Self::Unfold { window, fill } => Taps {
                fill: *fill,
                ..window.unfold()
            },
            Self::Fold(window) => window.fold(),
            Self::Tap { shape, axes } => Taps {
                shape: shape.clone(),
                taps: vec![axes.clone()],
                fill: 0.0,
            },
        }
    }
}

impl Window {
    /// Rows and columns of windows, or what is wrong.
    fn grid(&self) -> Result<(usize, usize), String> {
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

    /// `[b, oh, ow, c, kh, kw]` read from `[b, h, w, c]`.
    fn unfold(&self) -> Taps {
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
            along([0, s, 0, 0, 1, 0], self.pad[0], h, w * c),
            along([0, 0, s, 0, 0, 1], self.pad[2], w, c),
            along([0, 0, 0, 1, 0, 0], 0, c, 1),
        ];
        Taps {
            shape: vec![b, oh, ow, c, self.kernel.0, self.kernel.1],
            taps: vec![axes],
            fill: 0.0,
        }
    }

    /// `[b, h, w, c]` summed over the kernel positions from `[b, oh, ow, c, kh, kw]`.
    fn fold(&self) -> Taps {
        let [b, _, _, c] = self.image;
        let (oh, ow) = self.grid().unwrap_or((1, 1));
        let (kh, kw) = self.kernel;
        let strides = View::contiguous(&[b, oh, ow, c, kh, kw]).strides;
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
                along(3, 1, 0, 1, c),
                along(4, 0, ky as i64, 1, kh),
                along(5, 0, kx as i64, 1, kw),
            ]
        };
        Taps {
            shape: self.image.to_vec(),
            taps: (0..kh * kw).map(|k| tap(k / kw, k % kw)).collect(),
            fill: 0.0,
        }
    }
}

impl Op for Affine {
    fn name(&self) -> &'static str {
        match self {
            Self::Pad { .. } => "pad",
            Self::Unfold { .. } => "unfold",
            Self::Fold(_) => "fold",
            Self::Tap { .. } => "affine",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let shape = &inputs[0].shape;
        match self {
            Self::Pad { axis, .. } if *axis >= shape.len() => {
                return Err(format!("no axis {axis} in shape {shape:?}"));
            }
            Self::Pad { .. } | Self::Tap { .. } => {}
            Self::Unfold { window, .. } | Self::Fold(window) => {
                window.grid()?;
            }
        }
        let mut out = self.taps(shape).shape;
        if let Self::Unfold { window, .. } = self {
            out.truncate(3);
            out.push(window.image[3] * window.kernel.0 * window.kernel.1);
        }
        Ok(vec![Type::f32(&out)])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let Taps { shape, taps, fill } = self.taps(&inputs[0].shape);
        let mut coords = vec![0; shape.len()];
        let element = |i: usize| {
            let mut rest = i;
            for d in (0..shape.len()).rev() {
                coords[d] = rest % shape[d];
                rest /= shape[d];
            }
            let tap = |axes: &Vec<Axis>| {
                source_index(axes, &coords).map_or(f64::from(fill), |at| inputs[0].at(at))
            };
            taps.iter().map(tap).sum::<f64>() as f32
        };
        let data = (0..shape.iter().product()).map(element).collect();
        let ty = self.infer(&[inputs[0].ty()]).unwrap_or_default();
        ty.iter()
            .map(|t| Tensor::f32(&t.shape, Vec::clone(&data)))
            .collect()
    }

    fn lower(&self, inputs: &[Type], outputs: &[Type]) -> Lowering {
        let Taps { shape, taps, fill } = self.taps(&inputs[0].shape);
        let mut expr = Expr::default();
        let mut total = None;
        let mut leaves = Vec::with_capacity(taps.len());
        for (k, axes) in taps.into_iter().enumerate() {
            let access = Access::Affine {
                shape: shape.clone(),
                axes,
                fill,
            };
            leaves.push(Leaf { buffer: 0, access });
            let tap = expr.push(Scalar::Leaf(k));
            total = Some(match total {
                Some(sum) => expr.push(Scalar::Binary(Binary::Add, sum, tap)),
                None => tap,
            });
        }
        Lowering::Map(map(outputs[0].len(), leaves, expr, total.unwrap_or(0)))
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Some(dy) = ctx.douts[0] else {
            return vec![None];
        };
        vec![Some(match *self {
            Self::Tap { .. } => return no_second_gradient(g, self.name()),
            Self::Pad { axis, before, .. } => {
                let len = g.shape(ctx.inputs[0])[axis];
                g.slice(dy, axis, before, len)
            }
            Self::Unfold { window, .. } => g.push(Self::Fold(window), &[dy]),
            Self::Fold(window) => g.push(Self::Unfold { window, fill: 0.0 }, &[dy]),
        })]
    }
}

/// Source element of a tap at output coordinates `coords`; `None` outside the source.
fn source_index(axes: &[Axis], coords: &[usize]) -> Option<usize> {
    let mut at = 0;
    for axis in axes {
        let terms = axis.coef.iter().zip(coords).map(|(k, &c)| k * c as i64);
        let n = usize::try_from(terms.sum::<i64>() + axis.shift).ok()?;
        if n % axis.div != 0 || n / axis.div >= axis.size {
            return None;
        }
        at += n / axis.div * axis.stride;
    }
    Some(at)
}

/// Coefficients of `rank` coordinates with only that of `d` set.
fn unit(rank: usize, d: usize, value: i64) -> Vec<i64> {
    let mut coef = vec![0; rank];
    coef[d] = value;
    coef
}
