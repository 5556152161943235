//! Softmax over the last axis: `y = exp(x − max x) / Σ exp(x − max x)`, and its logarithm.

use samora_shaders::{Reduce, Rows, RowsOutput, Stage};

use super::pointwise::identity;
use super::{last_axis, no_second_gradient};
use crate::cases::{Case, operand};
use crate::formula::Formula;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// Softmax over the last axis.
    pub fn softmax(&mut self, x: Value) -> Value {
        self.push(Softmax { log: false }, &[x])
    }

    /// Logarithm of the softmax over the last axis, without forming small probabilities.
    pub fn log_softmax(&mut self, x: Value) -> Value {
        self.push(Softmax { log: true }, &[x])
    }
}

#[derive(Clone, Copy, Debug)]
struct Softmax {
    log: bool,
}

impl Op for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        match inputs[0].shape.is_empty() {
            true => Err("a scalar has no last axis".into()),
            false => Ok(vec![inputs[0].clone()]),
        }
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let x = inputs[0];
        let mut out = Vec::with_capacity(x.len());
        for row in x.as_f32().chunks(last(&x.shape)) {
            let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let shifted = |v: f32| f64::from(v) - f64::from(largest);
            let sum: f64 = row.iter().map(|&v| shifted(v).exp()).sum();
            out.extend(row.iter().map(|&v| match self.log {
                true => (shifted(v) - sum.ln()) as f32,
                false => (shifted(v).exp() / sum) as f32,
            }));
        }
        vec![Tensor::f32(&x.shape, out)]
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let mut f = Formula::default();
        let x = f.leaf(0);
        let largest = f.reduced(0);
        let shifted = f.sub(x, largest);
        let e = f.exp(shifted);
        let sum = f.reduced(1);
        let value = match self.log {
            true => {
                let log = f.log(sum);
                f.sub(shifted, log)
            }
            false => f.div(e, sum),
        };
        let (rows, cols) = last_axis(shape);
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![identity(0, shape)],
            expr: f.0,
            stages: vec![
                Stage {
                    reduce: Reduce::Max,
                    value: x,
                },
                Stage {
                    reduce: Reduce::Sum,
                    value: e,
                },
            ],
            outputs: vec![RowsOutput::Element { buffer: 0, value }],
        })
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let grad = SoftmaxGrad { log: self.log };
        vec![ctx.douts[0].map(|dy| g.push(grad, &[ctx.outputs[0], dy]))]
    }
}

/// From `y` and `dy`: `y·(dy − Σ dy·y)` for the softmax, `dy − eʸ·Σ dy` for its logarithm.
#[derive(Clone, Copy, Debug)]
struct SoftmaxGrad {
    log: bool,
}

impl Op for SoftmaxGrad {
    fn name(&self) -> &'static str {
        "softmax_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (y, dy) = (inputs[0], inputs[1]);
        let n = last(&y.shape);
        let mut out = Vec::with_capacity(y.len());
        for (y, dy) in y.as_f32().chunks(n).zip(dy.as_f32().chunks(n)) {
            let pairs = || {
                y.iter()
                    .zip(dy)
                    .map(|(&y, &dy)| (f64::from(y), f64::from(dy)))
            };
            let sum: f64 = match self.log {
                true => pairs().map(|(_, dy)| dy).sum(),
                false => pairs().map(|(y, dy)| y * dy).sum(),
            };
            out.extend(pairs().map(|(y, dy)| match self.log {
                true => (dy - y.exp() * sum) as f32,
                false => (y * (dy - sum)) as f32,
            }));
        }
        vec![Tensor::f32(&y.shape, out)]
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let mut f = Formula::default();
        let (y, dy) = (f.leaf(0), f.leaf(1));
        let sum = f.reduced(0);
        let (summed, value) = match self.log {
            true => {
                let p = f.exp(y);
                let share = f.mul(p, sum);
                (dy, f.sub(dy, share))
            }
            false => {
                let centred = f.sub(dy, sum);
                (f.mul(y, dy), f.mul(y, centred))
            }
        };
        let (rows, cols) = last_axis(shape);
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![identity(0, shape), identity(1, shape)],
            expr: f.0,
            stages: vec![Stage {
                reduce: Reduce::Sum,
                value: summed,
            }],
            outputs: vec![RowsOutput::Element { buffer: 0, value }],
        })
    }

    fn grad(&self, g: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        no_second_gradient(g, self.name())
    }
}

fn last(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1)
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "softmax",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 7]);
            vec![g.softmax(x)]
        },
    },
    Case {
        name: "softmax of one long row",
        build: |g| {
            let x = operand(g, "x", &[301]);
            vec![g.softmax(x)]
        },
    },
    Case {
        name: "log softmax",
        build: |g| {
            let x = operand(g, "x", &[5, 9]);
            vec![g.log_softmax(x)]
        },
    },
];
