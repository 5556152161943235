//! Ops that only move elements by affine index maps: padding, concatenation and im2col.
//!
//! Each output element is the sum of one or more *taps*, source elements whose coordinates are
//! `(Σ coef·c + shift)/div` of the output coordinates `c`; a tap outside the source is a constant.

pub(crate) mod pad;
mod taps;
pub(crate) mod unfold;
mod window;

use samora_shaders::reference::{affine, coordinates};
use samora_shaders::{Access, Axis, Binary, Expr, Leaf, Scalar, View};

use self::taps::{Taps, unit};
use self::window::Window;
use super::no_second_gradient;
use super::pointwise::map;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
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
        let element = |i: usize| {
            let c = coordinates(&shape, i);
            let tap =
                |axes: &Vec<Axis>| affine(axes, &c).map_or(f64::from(fill), |at| inputs[0].at(at));
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
