//! Layer normalisation over the last axis (Ba et al. 2016), with biased variance:
//! `x̂ = (x − mean)/√(var + ε)`, `y = γ·x̂ + β`.

use samora_shaders::{Access, Id, Leaf, Reduce, Rows, RowsOutput, Stage, View};

use super::pointwise::identity;
use super::{last_axis, no_second_gradient};
use crate::cases::{Case, operand};
use crate::formula::Formula;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// Normalises the last axis of `x [.., c]`; `gamma` and `beta` are `[c]`.
    pub fn layer_norm(&mut self, x: Value, gamma: Value, beta: Value, eps: f32) -> Value {
        self.push(LayerNorm { eps }, &[x, gamma, beta])
    }
}

#[derive(Clone, Copy, Debug)]
struct LayerNorm {
    eps: f32,
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let [x, gamma, beta] = [0, 1, 2].map(|k| &inputs[k].shape[..]);
        match x.last() {
            Some(&c) if gamma == [c] && beta == [c] => Ok(vec![inputs[0].clone()]),
            _ => Err(format!(
                "x is {x:?}, scale {gamma:?} and shift {beta:?}; both must have x's last extent"
            )),
        }
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [x, gamma, beta] = [0, 1, 2].map(|k| inputs[k]);
        let n = gamma.len();
        let mut out = Vec::with_capacity(x.len());
        for row in x.as_f32().chunks(n) {
            let (hat, _) = standardise(row, self.eps);
            out.extend((0..n).map(|c| (hat[c] * gamma.at(c) + beta.at(c)) as f32));
        }
        vec![Tensor::f32(&x.shape, out)]
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let mut f = Formula::default();
        let (stages, hat, _) = standardised(&mut f, shape, self.eps);
        let (gamma, beta) = (f.leaf(1), f.leaf(2));
        let scaled = f.mul(hat, gamma);
        let value = f.add(scaled, beta);
        let (rows, cols) = last_axis(shape);
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![
                identity(0, shape),
                per_column(1, shape),
                per_column(2, shape),
            ],
            expr: f.0,
            stages,
            outputs: vec![RowsOutput::Element { buffer: 0, value }],
        })
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Some(dy) = ctx.douts[0] else {
            return vec![None; 3];
        };
        let (x, gamma) = (ctx.inputs[0], ctx.inputs[1]);
        let shape = g.shape(gamma).to_vec();
        let grad = LayerNormGrad {
            eps: self.eps,
            terms: ctx.needs[1],
        };
        let out = match ctx.needs[0] || ctx.needs[1] {
            true => g.push_multi(grad, &[x, gamma, dy]),
            false => Vec::new(),
        };
        let dgamma = out.get(1).map(|&terms| g.sum_to(terms, &shape));
        let dbeta = ctx.needs[2].then(|| g.sum_to(dy, &shape));
        vec![out.first().copied(), dgamma, dbeta]
    }
}

/// From `x`, `γ` and `dy`, with `a = γ·dy`: `dx = (a − mean(a) − x̂·mean(a·x̂))/√(var + ε)`, and
/// the terms `dy·x̂` whose sum over rows is `dγ`, when wanted.
#[derive(Clone, Copy, Debug)]
struct LayerNormGrad {
    eps: f32,
    terms: bool,
}

impl Op for LayerNormGrad {
    fn name(&self) -> &'static str {
        "layer_norm_grad"
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![inputs[0].clone(); 1 + usize::from(self.terms)])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let [x, gamma, dy] = [0, 1, 2].map(|k| inputs[k]);
        let n = gamma.len();
        let (mut dx, mut terms) = (Vec::new(), Vec::new());
        for (x, dy) in x.as_f32().chunks(n).zip(dy.as_f32().chunks(n)) {
            let (hat, scale) = standardise(x, self.eps);
            let a: Vec<f64> = (0..n).map(|c| gamma.at(c) * f64::from(dy[c])).collect();
            let mean = a.iter().sum::<f64>() / n as f64;
            let along = a.iter().zip(&hat).map(|(a, h)| a * h).sum::<f64>() / n as f64;
            dx.extend((0..n).map(|c| ((a[c] - mean - hat[c] * along) * scale) as f32));
            terms.extend((0..n).map(|c| (f64::from(dy[c]) * hat[c]) as f32));
        }
        let mut out = vec![Tensor::f32(&x.shape, dx)];
        if self.terms {
            out.push(Tensor::f32(&x.shape, terms));
        }
        out
    }

    fn lower(&self, inputs: &[Type], _: &[Type]) -> Lowering {
        let shape = &inputs[0].shape;
        let mut f = Formula::default();
        let (mut stages, hat, scale) = standardised(&mut f, shape, self.eps);
        let (gamma, dy) = (f.leaf(1), f.leaf(2));
        let a = f.mul(gamma, dy);
        let a_hat = f.mul(a, hat);
        stages.extend([a, a_hat].map(sum));
        let per = f.constant(1.0 / inputs[1].len() as f32);
        let (total, total_hat) = (f.reduced(2), f.reduced(3));
        let mean = f.mul(total, per);
        let along = f.mul(total_hat, per);
        let centred = f.sub(a, mean);
        let projected = f.mul(hat, along);
        let tangent = f.sub(centred, projected);
        let dx = f.mul(tangent, scale);
        let mut outputs = vec![RowsOutput::Element {
            buffer: 0,
            value: dx,
        }];
        if self.terms {
            let value = f.mul(dy, hat);
            outputs.push(RowsOutput::Element { buffer: 1, value });
        }
        let (rows, cols) = last_axis(shape);
        Lowering::Rows(Rows {
            rows,
            cols,
            bindings: Vec::new(),
            leaves: vec![identity(0, shape), per_column(1, shape), identity(2, shape)],
            expr: f.0,
            stages,
            outputs,
        })
    }

    fn grad(&self, g: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        no_second_gradient(g, self.name())
    }
}

/// `x̂` of a row, and `1/√(var + ε)`.
fn standardise(row: &[f32], eps: f32) -> (Vec<f64>, f64) {
    let n = row.len() as f64;
    let mean = row.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let centred: Vec<f64> = row.iter().map(|&v| f64::from(v) - mean).collect();
    let var = centred.iter().map(|v| v * v).sum::<f64>() / n;
    let scale = 1.0 / (var + f64::from(eps)).sqrt();
    (centred.iter().map(|v| v * scale).collect(), scale)
}

/// The same for leaf 0, in two passes: stages 0 and 1 sum `x` and `(x − mean)²`.
fn standardised(f: &mut Formula, shape: &[usize], eps: f32) -> (Vec<Stage>, Id, Id) {
    let n = shape.last().copied().unwrap_or(1) as f32;
    let x = f.leaf(0);
    let per = f.constant(1.0 / n);
    let total = f.reduced(0);
    let mean = f.mul(total, per);
    let centred = f.sub(x, mean);
    let squared = f.mul(centred, centred);
    let spread = f.reduced(1);
    let var = f.mul(spread, per);
    let eps = f.constant(eps);
    let stable = f.add(var, eps);
    let deviation = f.sqrt(stable);
    let one = f.constant(1.0);
    let scale = f.div(one, deviation);
    let hat = f.mul(centred, scale);
    (vec![sum(x), sum(squared)], hat, scale)
}

fn sum(value: Id) -> Stage {
    Stage {
        reduce: Reduce::Sum,
        value,
    }
}

/// A leaf that reads input `k`, a vector along the last axis of `shape`.
fn per_column(k: usize, shape: &[usize]) -> Leaf {
    let mut strides = vec![0; shape.len()];
    if let Some(last) = strides.last_mut() {
        *last = 1;
    }
    let view = View {
        shape: shape.to_vec(),
        strides,
        offset: 0,
    };
    Leaf {
        buffer: k,
        access: Access::Strided(view),
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "layer norm",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 7]);
            let (gamma, beta) = (operand(g, "gamma", &[7]), operand(g, "beta", &[7]));
            vec![g.layer_norm(x, gamma, beta, 1e-5)]
        },
    },
    Case {
        name: "layer norm of wide rows with fixed scale",
        build: |g| {
            let x = operand(g, "x", &[3, 130]);
            let (gamma, beta) = (g.fill(&[130], 1.5), g.fill(&[130], -0.5));
            vec![g.layer_norm(x, gamma, beta, 1e-6)]
        },
    },
];
