//! Rows of unit length: `y = x / max(‖x‖, ε)` over the last axis.

use samora_shaders::{Reduce, Rows, RowsOutput, Stage};

use super::pointwise::identity;
use super::{last_axis, no_second_gradient};
use crate::cases::{Case, operand};
use crate::formula::Formula;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// Scales the last axis to unit Euclidean length; shorter rows than `eps` are divided by it.
    pub fn l2_normalize(&mut self, x: Value, eps: f32) -> Value {
        self.push(L2Normalize { eps }, &[x])
    }
}

#[derive(Clone, Copy, Debug)]
struct L2Normalize {
    eps: f32,
}

impl Op for L2Normalize {
    fn name(&self) -> &'static str {
        "l2_normalize"
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
        for row in x.as_f32().chunks(x.shape.last().copied().unwrap_or(1)) {
            let length = norm(row).max(f64::from(self.eps));
            out.extend(row.iter().map(|&v| (f64::from(v) / length) as f32));
        }
        vec![Tensor::f32(&x.shape, out)]
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let mut f = Formula::default();
        let x = f.leaf(0);
        let squared = f.mul(x, x);
        let total = f.reduced(0);
        let norm = f.sqrt(total);
        let eps = f.constant(self.eps);
        let length = f.max(norm, eps);
        let value = f.div(x, length);
        let (rows, cols) = last_axis(shape);
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![identity(0, shape)],
            expr: f.0,
            stages: vec![Stage {
                reduce: Reduce::Sum,
                value: squared,
            }],
            outputs: vec![RowsOutput::Element { buffer: 0, value }],
        })
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let grad = L2NormalizeGrad { eps: self.eps };
        vec![ctx.douts[0].map(|dy| g.push(grad, &[ctx.inputs[0], dy]))]
    }
}

/// From `x` and `dy`, with `n = max(‖x‖, ε)`: `dy/n − x·Σ(dy·x)/n³`, the second term only where the
/// norm is the larger.
#[derive(Clone, Copy, Debug)]
struct L2NormalizeGrad {
    eps: f32,
}

impl Op for L2NormalizeGrad {
    fn name(&self) -> &'static str {
        "l2_normalize_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![inputs[0].clone()])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (x, dy) = (inputs[0], inputs[1]);
        let n = x.shape.last().copied().unwrap_or(1);
        let mut out = Vec::with_capacity(x.len());
        for (x, dy) in x.as_f32().chunks(n).zip(dy.as_f32().chunks(n)) {
            let pairs = || {
                x.iter()
                    .zip(dy)
                    .map(|(&x, &dy)| (f64::from(x), f64::from(dy)))
            };
            let length = norm(x).max(f64::from(self.eps));
            let along = match norm(x) < f64::from(self.eps) {
                true => 0.0,
                false => pairs().map(|(x, dy)| x * dy).sum::<f64>() / (length * length),
            };
            out.extend(pairs().map(|(x, dy)| ((dy - x * along) / length) as f32));
        }
        vec![Tensor::f32(&x.shape, out)]
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let mut f = Formula::default();
        let (x, dy) = (f.leaf(0), f.leaf(1));
        let stages = [f.mul(x, x), f.mul(x, dy)].map(|value| Stage {
            reduce: Reduce::Sum,
            value,
        });
        let total = f.reduced(0);
        let norm = f.sqrt(total);
        let eps = f.constant(self.eps);
        let length = f.max(norm, eps);
        let squared = f.mul(length, length);
        let product = f.reduced(1);
        let share = f.div(product, squared);
        let short = f.lt(norm, eps);
        let zero = f.constant(0.0);
        let along = f.select(short, zero, share);
        let projected = f.mul(x, along);
        let tangent = f.sub(dy, projected);
        let value = f.div(tangent, length);
        let (rows, cols) = last_axis(shape);
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![identity(0, shape), identity(1, shape)],
            expr: f.0,
            stages: stages.to_vec(),
            outputs: vec![RowsOutput::Element { buffer: 0, value }],
        })
    }

    fn grad(&self, g: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        no_second_gradient(g, self.name())
    }
}

fn norm(row: &[f32]) -> f64 {
    row.iter()
        .map(|&v| f64::from(v).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "l2 normalize",
        build: |g| {
            let x = operand(g, "x", &[3, 2, 5]);
            vec![g.l2_normalize(x, 1e-12)]
        },
    },
    Case {
        name: "l2 normalize of rows shorter than eps",
        build: |g| {
            let x = operand(g, "x", &[3, 5]);
            vec![g.l2_normalize(x, 50.0)]
        },
    },
];
