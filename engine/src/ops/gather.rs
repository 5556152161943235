//! Rows by index: `y[b, m, …] = x[b, ids[b, m], …]`. The adjoint adds rows back where they came from.

use samora_shaders::{Access, Leaf, View};

use super::pointwise::map;
use crate::cases::{Case, operand};
use crate::formula::Formula;
use crate::{DType, Gradient, Graph, Lowering, Op, Tensor, Type, Value};

impl Graph {
    /// Picks `m` of the `n` entries along axis 1 of `x [b, n, …]` by `ids [b, m]` (u32, below `n`). Ids that the
    /// host gives are checked where it gives them; others beyond the last entry count as that.
    pub fn gather(&mut self, x: Value, axis: usize, ids: Value) -> Value {
        if axis != 1 {
            self.fail("gather", format!("picks along axis 1, not {axis}"));
        }
        let n = self.shape(x).get(1).copied().unwrap_or(0);
        self.index_below(ids, n);
        self.push(Gather { n, adjoint: false }, &[x, ids])
    }

    /// Adds the entries of `x [b, m, …]` into `n` sums by `ids [b, m]`: the adjoint of gathering.
    pub(crate) fn scatter_add(&mut self, x: Value, n: usize, ids: Value) -> Value {
        self.push(Gather { n, adjoint: true }, &[x, ids])
    }
}

/// Gathers from `n` entries, or scatters the sum of gathered entries back to `n`.
#[derive(Clone, Copy, Debug)]
struct Gather {
    n: usize,
    adjoint: bool,
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        if self.adjoint {
            "scatter_add"
        } else {
            "gather"
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let (x, ids) = (&inputs[0].shape, &inputs[1].shape);
        let fits = x.len() >= 2 && ids.len() == 2 && ids[0] == x[0];
        let extent = if self.adjoint {
            self.n
        } else {
            ids.get(1).copied().unwrap_or(0)
        };
        if !fits || inputs[1].dtype != DType::U32 {
            return Err(format!(
                "x is {x:?} and ids {:?}; expected [b, n, …] and u32 [b, m]",
                inputs[1]
            ));
        }
        let mut shape = x.clone();
        shape[1] = extent;
        Ok(vec![Type::f32(&shape)])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let (x, ids) = (inputs[0], inputs[1].as_u32());
        let m = inputs[1].shape[1];
        let inner: usize = x.shape[2..].iter().product();
        let mut shape = x.shape.clone();
        shape[1] = if self.adjoint { self.n } else { m };
        let mut out = vec![0.0f64; shape.iter().product()];
        for (row, &id) in ids.iter().enumerate() {
            let id = (id as usize).min(self.n - 1);
            let many = (row / m * self.n + id) * inner;
            for i in 0..inner {
                match self.adjoint {
                    true => out[many + i] += x.at(row * inner + i),
                    false => out[row * inner + i] = x.at(many + i),
                }
            }
        }
        vec![Tensor::f32(&shape, out.iter().map(|&v| v as f32).collect())]
    }

    fn lower(&self, inputs: &[Type], outputs: &[Type]) -> Lowering {
        let source = View {
            shape: outputs[0].shape.clone(),
            ..View::contiguous(&inputs[0].shape)
        };
        let m = inputs[1].shape[1];
        let mut strides = vec![0; source.shape.len()];
        strides[..2].copy_from_slice(&[m, 1]);
        let ids_view = View {
            shape: outputs[0].shape.clone(),
            strides,
            offset: 0,
        };
        let access = match self.adjoint {
            false => Access::Gather {
                source,
                axis: 1,
                count: self.n,
                ids: 1,
                ids_view,
            },
            true => Access::ScatterAdd {
                source,
                axis: 1,
                count: m,
                ids: 1,
                ids_view,
            },
        };
        let mut f = Formula::default();
        let value = f.leaf(0);
        Lowering::Map(map(
            outputs[0].len(),
            vec![Leaf { buffer: 0, access }],
            f.0,
            value,
        ))
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let other = Self {
            adjoint: !self.adjoint,
            ..*self
        };
        vec![
            ctx.douts[0].map(|dy| g.push(other, &[dy, ctx.inputs[1]])),
            None,
        ]
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "gather with repeats and omissions",
        build: |g| {
            let x = operand(g, "x", &[2, 5, 3]);
            let ids = Tensor::u32(&[2, 4], vec![3, 0, 3, 4, 1, 1, 1, 2]);
            let ids = g.constant("ids", ids);
            vec![g.gather(x, 1, ids)]
        },
    },
    Case {
        name: "gather of scalars, more than there are",
        build: |g| {
            let x = operand(g, "x", &[1, 3]);
            let ids = g.constant("ids", Tensor::u32(&[1, 5], vec![2, 0, 0, 1, 2]));
            vec![g.gather(x, 1, ids)]
        },
    },
];
