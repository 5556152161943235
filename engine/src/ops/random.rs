//! Random values of a step. They are a pure function of a key of 64 bits, which the u32 input `random` holds
//! and every step of a run has its own of (see [`crate::random::Stream::key`]), and the site in the graph.

use samora_shaders::{Access, Leaf};

use super::pointwise::map;
use crate::cases::{Case, operand};
use crate::formula::Formula;
use crate::{DType, Gradient, Graph, Lowering, Op, Tensor, Type, Value, random};

impl Graph {
    /// Uniform in [0, 1).
    pub fn uniform_noise(&mut self, shape: &[usize]) -> Value {
        let outer = self.replace_scope(Vec::new());
        let key = self.input("random", &[2], DType::U32);
        self.replace_scope(outer);
        let op = Uniform {
            shape: shape.to_vec(),
            site: self.random_site(),
        };
        self.push(op, &[key])
    }

    /// Standard normal, by Box–Muller: `√(−2·ln(1 − u))·cos(2π·v)`.
    pub fn normal_noise(&mut self, shape: &[usize]) -> Value {
        let u = self.uniform_noise(shape);
        let v = self.uniform_noise(shape);
        let one = self.scalar(1.0);
        let positive = self.sub(one, u);
        let log = self.log(positive);
        let squared = self.scale(log, -2.0);
        let radius = self.sqrt(squared);
        let angle = self.scale(v, std::f32::consts::TAU);
        let direction = self.cos(angle);
        self.mul(radius, direction)
    }

    /// Zeroes each element with probability `p` and divides the others by `1 − p`.
    pub fn dropout(&mut self, x: Value, p: f32) -> Value {
        if p <= 0.0 {
            return x;
        }
        if p >= 1.0 {
            self.fail("dropout", format!("probability {p} leaves nothing"));
            return x;
        }
        let shape = self.shape(x).to_vec();
        let u = self.uniform_noise(&shape);
        let limit = self.scalar(p);
        let dropped = self.lt(u, limit);
        let kept = self.scale(x, 1.0 / (1.0 - p));
        let zero = self.scalar(0.0);
        self.select(dropped, zero, kept)
    }
}

#[derive(Clone, Debug)]
struct Uniform {
    shape: Vec<usize>,
    site: u32,
}

impl Op for Uniform {
    fn name(&self) -> &'static str {
        "uniform_noise"
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![Type::f32(&self.shape)])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let key = inputs[0].as_u32();
        let draw = |i: usize| random::uniform([key[0], key[1]], self.site, i as u32);
        let data = (0..self.shape.iter().product()).map(draw).collect();
        vec![Tensor::f32(&self.shape, data)]
    }

    fn lower(&self, _: &[Type], outputs: &[Type]) -> Lowering {
        let access = Access::Uniform { site: self.site };
        let mut f = Formula::default();
        let value = f.leaf(0);
        Lowering::Map(map(
            outputs[0].len(),
            vec![Leaf { buffer: 0, access }],
            f.0,
            value,
        ))
    }

    fn grad(&self, _: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        vec![None]
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "dropout",
        build: |g| {
            let x = operand(g, "x", &[5, 7]);
            vec![g.dropout(x, 0.3)]
        },
    },
    Case {
        name: "noise of two sites",
        build: |g| {
            let x = operand(g, "x", &[3, 5]);
            let (u, z) = (g.uniform_noise(&[3, 5]), g.normal_noise(&[3, 5]));
            let noise = g.add(u, z);
            vec![g.mul(x, noise)]
        },
    },
];
