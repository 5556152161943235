//! Views: reshape, permute, slice and broadcast. They cost nothing; kernels read through them.

use std::sync::Arc;

use samora_shaders::View;

use crate::cases::{Case, operand};
use crate::graph::ViewFn;
use crate::{Data, Gradient, Graph, Lowering, Op, Tensor, Type, Value};

#[derive(Clone, Debug)]
enum ViewOp {
    Reshape(Vec<usize>),
    Permute(Vec<usize>),
    Slice {
        axis: usize,
        start: usize,
        len: usize,
    },
    Broadcast(Vec<usize>),
}

impl Graph {
    /// The same elements in the same order under another shape.
    pub fn reshape(&mut self, x: Value, shape: &[usize]) -> Value {
        if self.shape(x) == shape {
            return x;
        }
        self.push(ViewOp::Reshape(shape.to_vec()), &[x])
    }

    /// Dimensions reordered: dimension `d` of the result is dimension `order[d]` of `x`.
    pub fn permute(&mut self, x: Value, order: &[usize]) -> Value {
        if order.iter().copied().eq(0..self.shape(x).len()) {
            return x;
        }
        self.push(ViewOp::Permute(order.to_vec()), &[x])
    }

    /// The last two dimensions exchanged.
    pub fn transpose(&mut self, x: Value) -> Value {
        let rank = self.shape(x).len();
        let mut order: Vec<usize> = (0..rank).collect();
        if rank < 2 {
            self.fail("transpose", format!("rank {rank}"));
            return x;
        }
        order.swap(rank - 1, rank - 2);
        self.permute(x, &order)
    }

    /// Elements `start..start + len` along `axis`.
    pub fn slice(&mut self, x: Value, axis: usize, start: usize, len: usize) -> Value {
        self.push(ViewOp::Slice { axis, start, len }, &[x])
    }

    /// Broadcast to `shape` by the trailing-dimension rule.
    pub fn broadcast(&mut self, x: Value, shape: &[usize]) -> Value {
        if self.shape(x) == shape {
            return x;
        }
        self.push(ViewOp::Broadcast(shape.to_vec()), &[x])
    }
}

impl ViewOp {
    fn apply(&self, view: &View) -> Option<View> {
        match self {
            Self::Reshape(shape) => view.reshape(shape),
            Self::Permute(order) => Some(view.permute(order)),
            Self::Slice { axis, start, len } => Some(view.slice(*axis, *start, *len)),
            Self::Broadcast(shape) => view.broadcast(shape),
        }
    }
}

impl Op for ViewOp {
    fn name(&self) -> &'static str {
        match self {
            Self::Reshape(_) => "reshape",
            Self::Permute(_) => "permute",
            Self::Slice { .. } => "slice",
            Self::Broadcast(_) => "broadcast",
        }
    }

    fn infer(&self, inputs: &[Type]) -> Result<Vec<Type>, String> {
        let shape = &inputs[0].shape;
        match self {
            Self::Permute(order) => {
                let mut sorted = order.clone();
                sorted.sort_unstable();
                if !sorted.iter().copied().eq(0..shape.len()) {
                    return Err(format!("order {order:?} does not fit shape {shape:?}"));
                }
            }
            Self::Slice { axis, start, len } => {
                if *axis >= shape.len() || start + len > shape[*axis] || *len == 0 {
                    return Err(format!(
                        "{start}..{} of axis {axis} is outside shape {shape:?}",
                        start + len
                    ));
                }
            }
            Self::Reshape(_) | Self::Broadcast(_) => {}
        }
        let view = self
            .apply(&View::contiguous(shape))
            .ok_or_else(|| match self {
                Self::Reshape(to) => format!("cannot reshape {shape:?} to {to:?}"),
                _ => format!("cannot broadcast {shape:?}: {self:?}"),
            })?;
        Ok(vec![Type {
            shape: view.shape,
            dtype: inputs[0].dtype,
        }])
    }

    fn cpu(&self, inputs: &[&Tensor]) -> Vec<Tensor> {
        let Some(view) = self.apply(&View::contiguous(&inputs[0].shape)) else {
            return Vec::new();
        };
        vec![match &inputs[0].data {
            Data::F32(x) => Tensor::f32(
                &view.shape,
                (0..view.len()).map(|i| x[view.index(i)]).collect(),
            ),
            Data::U32(x) => Tensor::u32(
                &view.shape,
                (0..view.len()).map(|i| x[view.index(i)]).collect(),
            ),
        }]
    }

    fn lower(&self, _: &[Type], _: &[Type]) -> Lowering {
        let op = self.clone();
        Lowering::View(ViewFn(Box::new(move |view| op.apply(view))))
    }

    fn grad(&self, g: &mut Graph, ctx: &Gradient) -> Vec<Option<Value>> {
        let Some(dy) = ctx.douts[0] else {
            return vec![None];
        };
        let shape = g.shape(ctx.inputs[0]).to_vec();
        vec![Some(match self {
            Self::Reshape(_) => g.reshape(dy, &shape),
            Self::Permute(order) => {
                let mut inverse = vec![0; order.len()];
                for (to, &from) in order.iter().enumerate() {
                    inverse[from] = to;
                }
                // The gradient of a transposed weight then arrives in the weight's own layout, and the update can
                // be part of the product's kernel.
                let node = &g.nodes()[dy.node];
                let (op, inputs) = (Arc::clone(&node.op), node.inputs.clone());
                let product = (inverse == [1, 0]).then(|| op.transposed(g, &inputs));
                match product.flatten() {
                    Some(product) => product,
                    None => g.permute(dy, &inverse),
                }
            }
            Self::Slice { axis, start, len } => {
                let after = shape[*axis] - start - len;
                g.pad(dy, *axis, *start, after)
            }
            Self::Broadcast(_) => g.sum_to(dy, &shape),
        })]
    }
}

/// Test cases.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "reshape of a permuted tensor",
        build: |g| {
            let x = operand(g, "x", &[2, 3, 4]);
            let y = g.permute(x, &[2, 0, 1]);
            vec![g.reshape(y, &[4, 6])]
        },
    },
    Case {
        name: "slice of a slice",
        build: |g| {
            let x = operand(g, "x", &[5, 4, 3]);
            let y = g.slice(x, 0, 1, 3);
            vec![g.slice(y, 2, 1, 2)]
        },
    },
    Case {
        name: "broadcast of inner and leading dimensions",
        build: |g| {
            let x = operand(g, "x", &[3, 1, 2]);
            vec![g.broadcast(x, &[2, 3, 4, 2])]
        },
    },
    Case {
        name: "slices used apart",
        build: |g| {
            let x = operand(g, "x", &[3, 8]);
            let (a, b) = (g.slice(x, 1, 0, 4), g.slice(x, 1, 4, 4));
            vec![g.mul(a, b)]
        },
    },
];
