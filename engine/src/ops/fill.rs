//! Tensors that need no memory: one repeated value, or a coordinate.

use samora_shaders::{Access, Expr, Leaf, Scalar};

use super::pointwise::map;
use crate::{Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// A constant scalar (shape `[]`).
    pub fn scalar(&mut self, c: f32) -> Value {
        self.push(
            Fill {
                shape: Vec::new(),
                value: c,
            },
            &[],
        )
    }
    /// A constant tensor.
    pub fn fill(&mut self, shape: &[usize], c: f32) -> Value {
        self.push(
            Fill {
                shape: shape.to_vec(),
                value: c,
            },
            &[],
        )
    }
    /// Coordinate along `dim` of every element of `shape`.
    pub fn coord(&mut self, shape: &[usize], dim: usize) -> Value {
        self.push(
            Coord {
                shape: shape.to_vec(),
                dim,
            },
            &[],
        )
    }
}

/// A constant in every element.
#[derive(Debug)]
struct Fill {
    shape: Vec<usize>,
    value: f32,
}

impl Op for Fill {
    fn name(&self) -> &'static str {
        "fill"
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        Ok(vec![Type::f32(&self.shape)])
    }

    fn cpu(&self, _: &[&Tensor]) -> Vec<Tensor> {
        vec![Tensor::full(&self.shape, self.value)]
    }

    fn lower(&self, _: &[Type], outputs: &[Type]) -> Lowering {
        let mut expr = Expr::default();
        let value = expr.push(Scalar::Const(self.value));
        Lowering::Map(map(outputs[0].len(), Vec::new(), expr, value))
    }

    fn grad(&self, _: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        Vec::new()
    }
}

/// Coordinates along one dimension.
#[derive(Debug)]
struct Coord {
    shape: Vec<usize>,
    dim: usize,
}

impl Op for Coord {
    fn name(&self) -> &'static str {
        "coord"
    }

    fn infer(&self, _: &[Type]) -> Result<Vec<Type>, String> {
        match self.dim < self.shape.len() {
            true => Ok(vec![Type::f32(&self.shape)]),
            false => Err(format!("dimension {} of shape {:?}", self.dim, self.shape)),
        }
    }

    fn cpu(&self, _: &[&Tensor]) -> Vec<Tensor> {
        let inner: usize = self.shape[self.dim + 1..].iter().product();
        let n = self.shape.iter().product();
        let at = |i: usize| (i / inner % self.shape[self.dim]) as f32;
        vec![Tensor::f32(&self.shape, (0..n).map(at).collect())]
    }

    fn lower(&self, _: &[Type], outputs: &[Type]) -> Lowering {
        let mut expr = Expr::default();
        let value = expr.push(Scalar::Leaf(0));
        let access = Access::Coord {
            shape: self.shape.clone(),
            dim: self.dim,
        };
        Lowering::Map(map(
            outputs[0].len(),
            vec![Leaf { buffer: 0, access }],
            expr,
            value,
        ))
    }

    fn grad(&self, _: &mut Graph, _: &Gradient) -> Vec<Option<Value>> {
        Vec::new()
    }
}
