//! Ops that only move elements by affine index maps: padding and concatenation; `unfold.rs` adds im2col.
//!
//! Each output element is the sum of one or more *taps*, source elements whose coordinates are
//! `(Σ coef·c + shift)/div` of the output coordinates `c`; a tap outside the source is a constant.

use samora_shaders::{Access, Axis, Binary, Expr, Leaf, Scalar, View};

use super::cases::{Case, operand};
use super::no_second_gradient;
use super::pointwise::map;
use super::unfold::Window;
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

    /// Element `c` of the result, of shape `shape`, is the element of `x` that `axes` map `c` to, or
    /// zero outside. For gradient rules only: it has no gradient of its own.
    pub(crate) fn affine(&mut self, x: Value, shape: &[usize], axes: Vec<Axis>) -> Value {
        let shape = shape.to_vec();
        self.push(Affine::Tap { shape, axes }, &[x])
    }
}

#[derive(Clone, Debug)]
pub(super) enum Affine {
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

/// An index map: output coordinates in `shape` to the source coordinates of each tap.
pub(super) struct Taps {
    pub(super) shape: Vec<usize>,
    pub(super) taps: Vec<Vec<Axis>>,
    pub(super) fill: f32,
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
                offset: 0,
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
pub(super) fn unit(rank: usize, d: usize, value: i64) -> Vec<i64> {
    let mut coef = vec![0; rank];
    coef[d] = value;
    coef
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "pad between two axes",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 4]);
            vec![g.pad(x, 1, 2, 1)]
        },
    },
    Case {
        name: "pad with a constant",
        build: |g| {
            let x = operand(g, "x", &[3, 5]);
            vec![g.pad_with(x, 1, 0, 3, -2.5)]
        },
    },
    Case {
        name: "pad of views",
        build: |g| {
            let x = operand(g, "x", &[3, 4, 16]);
            let columns = g.slice(x, 2, 4, 8);
            let turned = g.transpose(x);
            let turned = g.slice(turned, 1, 3, 5);
            vec![g.pad(columns, 2, 4, 0), g.pad(turned, 1, 1, 2)]
        },
    },
    Case {
        name: "concat of three",
        build: |g| {
            let xs = [(1, "a"), (3, "b"), (2, "c")].map(|(n, name)| operand(g, name, &[2, n, 3]));
            vec![g.concat(&xs, 1)]
        },
    },
    Case {
        name: "stack in the middle",
        build: |g| {
            let xs = ["a", "b", "c"].map(|name| operand(g, name, &[3, 5]));
            vec![g.stack(&xs, 1)]
        },
    },
];
